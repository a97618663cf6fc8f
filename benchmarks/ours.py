"""What is kept of our own runs: seconds, bytes, memory, the time of each step, and what a prober saw meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import own
from chatwoot_ops.model.stack import Stack
from figures import Figures
from prober import probing
from result import Raw

# What is kept of a restore.
RESTORED = {
    "staging seconds": "staging",
    "usable seconds": "usable",
    "whole seconds": "seconds",
    "away seconds": "away",
    "failed requests": "failed",
    "slowest request": "slowest",
    "ours MiB of memory": "memory",
}


def probed_run(kind: str, stack: Stack) -> dict[str, Any]:
    """A run while customers ask for pages: also their failed requests, the slowest, and when pages came again.

    `usable` is the time from the beginning of a restore until the first page that came from the new data.
    """
    with probing(stack) as probed:
        figures = own.run(kind, stack)
    asked = {"failed": probed.failed, "requests": len(probed.requests), "slowest": probed.slowest}
    marks = figures["marks"]
    swapped = [at for name, at in marks if name == own.SWAP]
    usable = {"usable": probed.answered_after(swapped[0]) - marks[0][1]} if swapped else {}
    return {**figures, **asked, **usable}


def kept(made: Sequence[Mapping[str, Any]], parts: Mapping[str, str]) -> Raw:
    """The figures by the names they are kept under, and those of every step."""
    raw = {name: rounded(each[part] for each in made) for name, part in parts.items()}
    names = dict.fromkeys(step for each in made for step in each["steps"])
    return {**raw, **{f"step {name}": rounded(each["steps"].get(name, 0.0) for each in made) for name in names}}


def seconds(made: Iterable[Figures]) -> list[float]:
    """The seconds of each run."""
    return rounded(each["seconds"] for each in made)


def megabytes(made: Iterable[Figures]) -> list[float]:
    """The bytes of each run in MB."""
    return rounded(each["bytes"] / 1e6 for each in made)


def rounded(figures: Iterable[float]) -> list[float]:
    """The figures as they are kept."""
    return [round(each, 2) for each in figures]
