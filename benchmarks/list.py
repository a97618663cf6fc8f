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
from pathlib import Path

from result import Result

ROOT = Path(__file__).resolve().parent.parent
INVOKE = Path(sys.executable).with_name("invoke")
PAIRS = 41
GOAL = 1.3
HERE, BARE = "this repository", "bare Invoke, empty task file"
# An operator has the compiled task file of the last time.
_ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def _milliseconds(folder: Path) -> float:
    began = time.perf_counter()
    # A bare Invoke that finds no task exits with 1.
    subprocess.run([INVOKE, "--list"], cwd=folder, env=_ENVIRONMENT, capture_output=True, check=False)
    return (time.perf_counter() - began) * 1000


def _interleaved(bare: Path, pairs: int) -> tuple[list[float], list[float]]:
    """Pairs of runs side by side, so that a busy moment of the machine hits both; each goes first every other time."""
    for folder in (ROOT, bare):
        _milliseconds(folder)
    orders = ((ROOT, bare), (bare, ROOT))
    runs = [{folder: _milliseconds(folder) for folder in orders[pair % 2]} for pair in range(pairs)]
    return [run[ROOT] for run in runs], [run[bare] for run in runs]


def _row(name: str, figures: list[float], digits: int) -> tuple[str, ...]:
    low, middle, high = statistics.quantiles(figures, n=4)
    return (name, *(f"{figure:.{digits}f}" for figure in (middle, low, high, min(figures))))


def measure(pairs: int = PAIRS) -> Result:
    """Medians and quartiles of both, and of the ratio of each pair."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder)
        (bare / "tasks.py").touch()
        here, empty = _interleaved(bare, pairs)
    ratios = [ours / theirs for ours, theirs in zip(here, empty, strict=True)]
    ratio = statistics.median(ratios)
    verdict = "met" if ratio <= GOAL else "missed"
    return Result(
        name="list",
        title="Start of `invoke --list`",
        method=f"{pairs} pairs of runs, interleaved, after one that is not counted; the same Invoke and Python.",
        columns=("What", "Median", "First quartile", "Third quartile", "Least"),
        rows=(
            _row(f"{HERE}, ms", here, 0),
            _row(f"{BARE}, ms", empty, 0),
            _row("ratio of each pair", ratios, 2),
        ),
        conclusion=f"The goal is a ratio of at most {GOAL}: {verdict}, with {ratio:.2f}.",
        raw={key: [round(value, 2) for value in values] for key, values in (("here", here), ("bare", empty))},
    )
