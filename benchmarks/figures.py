"""Runs side by side, and their figures as cells of a table."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence

Figures = Mapping[str, float]
Run = Callable[[], Figures]


def interleaved(runs: Mapping[str, Run], rounds: int, *, warm: Sequence[str] = ()) -> dict[str, list[Figures]]:
    """The figures of each run in every round, so that a busy moment hits all of them; each other round goes backwards.

    Those named by `warm` run once before, and that does not count.
    """
    for name in warm:
        runs[name]()
    names = tuple(runs)
    made: dict[str, list[Figures]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in names if number % 2 == 0 else names[::-1]:
            made[name].append(runs[name]())
    return made


def spread(figures: Sequence[float], digits: int = 0) -> str:
    """The median, with first and third quartile where there are enough runs for them; "-" for none."""
    if not figures:
        return "-"
    middle = f"{statistics.median(figures):.{digits}f}"
    if len(figures) < 3:  # noqa: PLR2004 - of two, quartiles say nothing
        return middle
    low, _, high = statistics.quantiles(figures, n=4, method="inclusive")
    return f"{middle} ({low:.{digits}f} to {high:.{digits}f})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """The ratio of each round that both were part of."""
    return [one / other for one, other in zip(ours, theirs, strict=False)]


def load() -> float:
    """The machine's load over the last minute."""
    return round(os.getloadavg()[0], 1)
