"""Runs side by side, and their figures as rows of a table."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

Figures = TypeVar("Figures")


def side_by_side(
    ours: Callable[[], Figures], theirs: Callable[[], Figures], pairs: int, *, warm: int = 1
) -> list[tuple[Figures, Figures]]:
    """Pairs of runs, so that a busy moment hits both; each goes first every other time, the first `warm` do not count.

    A pair is always ours first.
    """
    made: list[tuple[Figures, Figures]] = []
    for number in range(pairs + warm):
        if number % 2:
            other = theirs()
            made.append((ours(), other))
        else:
            made.append((ours(), theirs()))
    return made[warm:]


def spread(name: str, figures: Sequence[float], digits: int = 0) -> tuple[str, ...]:
    """A row: name, median, first and third quartile."""
    low, middle, high = statistics.quantiles(figures, n=4, method="inclusive")
    return (name, *(f"{figure:.{digits}f}" for figure in (middle, low, high)))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """The ratio of each pair."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def verdict(ratio: float, goal: float) -> str:
    """Whether a ratio reaches its goal, in words."""
    return f"{'met' if ratio <= goal else 'missed'} with {ratio:.2f}"


def rounded(figures: Iterable[float]) -> list[float]:
    """The figures as they are kept."""
    return [round(each, 2) for each in figures]


def counted(pairs: Mapping[str, int]) -> str:
    """The pairs of each size in words."""
    return " and ".join(f"{number} pairs at {size}" for size, number in pairs.items())


def load() -> str:
    """The machine's load over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"
