"""What is told of a backup of either kind beside the bare tool's: seconds, bytes, and whether the goal is reached."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from statistics import median

import own
from chatwoot_ops.model.stack import Stack
from figures import rounded, side_by_side, spread, verdict
from filled import SIZES
from sized import Raw, ratio_of_pairs

Figures = Mapping[str, float]


def compared(stack: Stack, size: str, kind: str, bare: Callable[[], Figures], pairs: int) -> Raw:
    """Our backups of this kind and the bare tool's, run side by side."""

    def ours() -> Figures:
        # The set stays until the next one: a restore that is measured later wants the newest.
        shutil.rmtree(stack.backup_folder, ignore_errors=True)
        return own.run(kind, stack)

    made = side_by_side(ours, bare, pairs)
    return {
        f"ours seconds, {size}": rounded(one["seconds"] for one, _ in made),
        f"bare seconds, {size}": rounded(other["seconds"] for _, other in made),
        f"ours MB, {size}": rounded(one["bytes"] / 1e6 for one, _ in made),
        f"bare MB, {size}": rounded(other["bytes"] / 1e6 for _, other in made),
        f"ours MiB of memory, {size}": rounded(one["memory"] for one, _ in made),
    }


def time_rows(raw: Raw, size: str, bare: str) -> tuple[tuple[str, ...], ...]:
    """Seconds of both, and their ratio; `bare` is the tool's name."""
    return (
        spread(f"{size}: ours, s", raw[f"ours seconds, {size}"], 2),
        spread(f"{size}: bare `{bare}`, s", raw[f"bare seconds, {size}"], 2),
        spread(f"{size}: ratio of each pair", ratio_of_pairs(raw, "ours", size), 2),
    )


def size_rows(raw: Raw, size: str, bare: str) -> tuple[tuple[str, ...], ...]:
    """Bytes of both; `bare` is what the tool writes."""
    return (
        spread(f"{size}: whole set, MB", raw[f"ours MB, {size}"], 1),
        spread(f"{size}: bare {bare}, MB", raw[f"bare MB, {size}"], 1),
    )


def goal_line(raw: Raw, goal: float) -> str:
    """Whether the ratio reaches its goal at the large size, in words."""
    small, large = SIZES
    at_small, at_large = (median(ratio_of_pairs(raw, "ours", size)) for size in (small, large))
    reached = verdict(at_large, goal)
    return f"The goal is a ratio of at most {goal:.2f} at {large}: {reached}; at {small} it is {at_small:.2f}."
