"""What a benchmark hands over: data that is committed, and from which the page is made."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


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
    raw: dict[str, list[float]]
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))
    machine: dict[str, str] = field(default_factory=_machine)

    def write(self) -> None:
        """Commits the figures to results/NAME.json."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read_results() -> tuple[Result, ...]:
    """Every result that is committed, by name."""
    return tuple(Result(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(RESULTS.glob("*.json")))
