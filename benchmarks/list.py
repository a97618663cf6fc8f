"""How long `invoke --list` takes here, against a bare Invoke whose task file is empty.

An operator waits for it before every task: what tasks.py imports is paid each time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from figures import load
from result import Raw, Result
from sized import Asked

ROOT = Path(__file__).resolve().parent.parent
INVOKE = Path(sys.executable).with_name("invoke")
PAIRS = 41
GOAL = 1.3
HERE, BARE = "this repository", "bare Invoke, empty task file"
# An operator has the compiled task file of the last time.
_ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class _Run:
    """One run: how long an operator waits, and the processor time of it, which a busy machine hardly changes."""

    elapsed: float
    processor: float


def _run(folder: Path) -> _Run:
    began = time.perf_counter()
    # A bare Invoke that finds no task exits with 1.
    child = subprocess.Popen(
        [INVOKE, "--list"], cwd=folder, env=_ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    elapsed = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    return _Run(elapsed * 1000, (used.ru_utime + used.ru_stime) * 1000)


def _interleaved(bare: Path, pairs: int) -> list[tuple[_Run, _Run]]:
    """Runs here and there side by side, so that a busy moment hits both; each goes first every other time."""
    for folder in (ROOT, bare):
        _run(folder)
    orders = ((ROOT, bare), (bare, ROOT))
    runs = [{folder: _run(folder) for folder in orders[pair % 2]} for pair in range(pairs)]
    return [(run[ROOT], run[bare]) for run in runs]


def _row(name: str, figures: list[float], digits: int = 0) -> tuple[str, ...]:
    low, middle, high = statistics.quantiles(figures, n=4)
    return (name, *(f"{figure:.{digits}f}" for figure in (middle, low, high)))


def _rows(what: str, here: list[float], bare: list[float]) -> tuple[tuple[str, ...], ...]:
    return (
        _row(f"{what}, {HERE}, ms", here),
        _row(f"{what}, {BARE}, ms", bare),
        _row(f"{what}, ratio of each pair", _ratios(here, bare), 2),
    )


def _ratios(here: list[float], bare: list[float]) -> list[float]:
    return [ours / theirs for ours, theirs in zip(here, bare, strict=True)]


def _verdict(raw: Raw) -> str:
    elapsed, processor = (
        statistics.median(_ratios(raw[f"{kind} here"], raw[f"{kind} bare"])) for kind in ("elapsed", "processor")
    )
    verdict = "met" if max(elapsed, processor) <= GOAL else "missed"
    return f"The goal is a ratio of at most {GOAL}: {verdict}, with {elapsed:.2f} elapsed, {processor:.2f} processor."


def measure(asked: Asked) -> Result:
    """Medians and quartiles of both, and of the ratio of each pair."""
    before, pairs = load(), asked.rounds or PAIRS
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tasks.py").touch()
        runs = _interleaved(Path(folder), pairs)
    raw = {
        f"{kind} {place}": [round(getattr(pair[index], kind), 2) for pair in runs]
        for kind in ("elapsed", "processor")
        for index, place in enumerate(("here", "bare"))
    }
    return told({**raw, "load": [before]})


def told(raw: Raw) -> Result:
    """The page's part, from the figures alone."""
    return Result(
        name="list",
        title="Start of `invoke --list`",
        method=(
            f"{len(raw['elapsed here'])} pairs of runs, interleaved, after one that is not counted; the same Invoke\n"
            f"and Python. The machine's load was {raw['load'][0]:.1f} when it began: elapsed time suffers from that,\n"
            "processor time hardly."
        ),
        columns=("What", "Median", "First quartile", "Third quartile"),
        rows=(
            *_rows("elapsed", raw["elapsed here"], raw["elapsed bare"]),
            *_rows("processor", raw["processor here"], raw["processor bare"]),
        ),
        conclusion=_verdict(raw),
        raw=raw,
    )
