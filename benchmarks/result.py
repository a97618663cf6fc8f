"""What a benchmark hands over: data that is committed, and from which the page is made."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"

Raw = dict[str, list[float]]
# What it is, the goal, the figure with its spread, runs and size, the verdict.
Bar = tuple[str, str, str, str, str]


def _machine() -> dict[str, str]:
    # Enough to judge the figures by; no name of the machine and no path on it.
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.1f} GiB",
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark: what was measured, how, the figures, and what they mean, ready to be read by people."""

    name: str
    title: str
    method: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    conclusion: str
    raw: Raw
    bars: tuple[Bar, ...] = ()
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))
    machine: dict[str, str] = field(default_factory=_machine)

    def write(self) -> None:
        """Commits the figures to results/NAME.json."""
        RESULTS.mkdir(exist_ok=True)
        _file(self.name).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def _file(name: str) -> Path:
    return RESULTS / f"{name}.json"


def raw_of(name: str) -> Raw:
    """The figures of a benchmark that are committed, empty where there are none."""
    if not _file(name).exists():
        return {}
    raw: Raw = json.loads(_file(name).read_text(encoding="utf-8"))["raw"]
    return raw


def read_results() -> tuple[Result, ...]:
    """Every result that is committed, by name."""
    return tuple(Result(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(RESULTS.glob("*.json")))
