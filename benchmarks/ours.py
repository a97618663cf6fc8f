"""What is kept of our own runs: seconds, bytes, memory, the time of each step, and what a prober saw meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import own
from chatwoot_ops.model.stack import Stack
from figures import Figures
from prober import probing
from result import Raw

DATABASE, MEMORY, FAILED = "database MB", "ours MiB of memory", "failed requests"
OURS, VERIFY, SET = "ours seconds", "verify seconds", "ours MB"
STAGING, USABLE, WHOLE, AWAY, SLOWEST = (
    "staging seconds",
    "usable seconds",
    "whole seconds",
    "away seconds",
    "slowest request",
)
# What is kept of a backup with its verification and of a restore, by the name in the figures of a run.
BACKED_UP = {OURS: "seconds", MEMORY: "memory", FAILED: "failed", VERIFY: "verified"}
RESTORED = {
    STAGING: "staging",
    USABLE: "usable",
    WHOLE: "seconds",
    AWAY: "away",
    FAILED: "failed",
    SLOWEST: "slowest",
    MEMORY: "memory",
}
# And how the page says it, of either kind; a benchmark adds what it measures beside ours.
COLUMNS = {
    DATABASE: ("the database, MB", 0),
    OURS: ("ours, s", 2),
    SET: ("our set, MB", 1),
    VERIFY: ("verification, s", 2),
    STAGING: ("ours up to the proved cluster, s", 1),
    USABLE: ("ours until pages come from the new data, s", 1),
    WHOLE: ("ours, whole, s", 1),
    AWAY: ("database away, s", 1),
    FAILED: ("requests that failed", 0),
    SLOWEST: ("slowest request, s", 1),
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


def backup_run(kind: str, stack: Stack) -> dict[str, Any]:
    """A run that makes a set of a kind while customers ask for pages, and its verification.

    The set stays until the next one: a restore that is measured later wants the newest.
    """
    shutil.rmtree(stack.backup_folder, ignore_errors=True)
    figures = probed_run(kind, stack)
    return {**figures, "verified": own.run("verify", stack)["seconds"]}


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
