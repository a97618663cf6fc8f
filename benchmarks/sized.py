"""Figures of runs at each size of database: their ratios, and the memory of our process."""

from __future__ import annotations

from statistics import median

from figures import ratios, spread
from filled import SIZES

Raw = dict[str, list[float]]


def ratio_of_pairs(raw: Raw, part: str, size: str) -> list[float]:
    """Seconds of `part` against those of the bare tool, pair by pair."""
    return ratios(raw[f"{part} seconds, {size}"], raw[f"bare seconds, {size}"])


def memory_row(raw: Raw, size: str) -> tuple[str, ...]:
    """The row of our process's peak memory."""
    return spread(f"{size}: peak memory of our process, MiB", raw[f"ours MiB of memory, {size}"], 1)


def memory_line(raw: Raw) -> str:
    """Whether memory grows with the data, in words."""
    small, large = SIZES
    less, more = (median(raw[f"ours MiB of memory, {size}"]) for size in (small, large))
    return f"Memory: {less:.1f} MiB at {small}, {more:.1f} MiB at {large}."
