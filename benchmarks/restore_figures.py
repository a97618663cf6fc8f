"""What is told of a restore of either kind beside the bare tool's: seconds, time away, whether it reaches its goal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

import own
from chatwoot_ops.model.stack import Stack
from figures import rounded, side_by_side, spread, verdict
from filled import SIZES
from sized import Raw, memory_line, memory_row, ratio_of_pairs

Figures = Mapping[str, float]


def compared(stack: Stack, size: str, bare: Callable[[], Figures], pairs: int, *, warm: int = 1) -> Raw:
    """Our restores of the newest set and the bare tool's, run side by side."""
    made = side_by_side(lambda: own.run("restore", stack), bare, pairs, warm=warm)
    return {
        f"staging seconds, {size}": rounded(one["staging"] for one, _ in made),
        f"whole seconds, {size}": rounded(one["seconds"] for one, _ in made),
        f"bare seconds, {size}": rounded(other["seconds"] for _, other in made),
        f"away seconds, {size}": rounded(one["away"] for one, _ in made),
        f"ours MiB of memory, {size}": rounded(one["memory"] for one, _ in made),
    }


def rows(raw: Raw, size: str, bare: str) -> tuple[tuple[str, ...], ...]:
    """Seconds, ratios, time away and memory; `bare` says what the bare tool did."""
    return (
        spread(f"{size}: ours up to the proved cluster, s", raw[f"staging seconds, {size}"], 1),
        spread(f"{size}: ours, whole, s", raw[f"whole seconds, {size}"], 1),
        spread(f"{size}: bare {bare}, s", raw[f"bare seconds, {size}"], 1),
        spread(f"{size}: proved cluster, ratio of each pair", ratio_of_pairs(raw, "staging", size), 2),
        spread(f"{size}: whole, ratio of each pair", ratio_of_pairs(raw, "whole", size), 2),
        spread(f"{size}: database away, s", raw[f"away seconds, {size}"], 1),
        memory_row(raw, size),
    )


def conclusion(raw: Raw, goal: float) -> str:
    """Whether both ratios reach their goal at the large size, and whether memory grows, in words."""
    large = tuple(SIZES)[1]
    staging, whole = (verdict(median(ratio_of_pairs(raw, part, large)), goal) for part in ("staging", "whole"))
    return (
        f"The goal is a ratio of at most {goal:.2f} at {large}: up to the proved cluster {staging}, "
        f"as a whole {whole}.\n{memory_line(raw)}"
    )
