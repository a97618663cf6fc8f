"""Figures of runs at each size of database, which may be measured in pieces: kept by part and size, told as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from figures import load, ratios, spread
from filled import SIZES
from result import Bar, Raw, raw_of

LARGEST = tuple(SIZES)[-1]
_HEAVY = 0.05
# What a row says of a part, and with how many digits.
Column = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sizes to measure now, in how many rounds (0: the benchmark's own number), added to those there are."""

    sizes: tuple[str, ...] = tuple(SIZES)
    rounds: int = 0
    add: bool = False


def gathered(name: str, asked: Asked, measure: Callable[[str], Raw]) -> Raw:
    """What is known of the sizes that are not asked for, and what is measured now of those that are."""
    known = raw_of(name)
    for size in asked.sizes:
        before, found = load(), measure(size)
        found["load"] = [before, load()]
        fresh = {f"{part}, {size}": figures for part, figures in found.items()}
        old = {key: figures for key, figures in known.items() if key.endswith(f", {size}")}
        kept = {key: figures for key, figures in known.items() if key not in old}
        added = {key: [*old.get(key, ()), *fresh.get(key, ())] for key in {**old, **fresh}} if asked.add else fresh
        known = {**kept, **added}
    return known


def at(raw: Raw, part: str, size: str) -> list[float]:
    """The figures of a part at a size; none where it was not measured."""
    return raw.get(f"{part}, {size}", [])


def faster(raw: Raw, parts: Iterable[str], size: str) -> str:
    """The part whose median is smallest at a size."""
    return min((part for part in parts if at(raw, part, size)), key=lambda part: median(at(raw, part, size)))


def fastest(raw: Raw, parts: Iterable[str], size: str) -> list[float]:
    """The figures of that part; none where none of them was measured."""
    return min((at(raw, part, size) for part in parts if at(raw, part, size)), key=median, default=[])


def against(raw: Raw, part: str, other: str, size: str) -> list[float]:
    """A part's figures against another's, round by round."""
    return ratios(at(raw, part, size), at(raw, other, size))


def line(label: str, figures: Callable[[str], Sequence[float]], digits: int) -> tuple[str, ...]:
    """A row of the table: a cell for each size."""
    return (label, *(spread(figures(size), digits) for size in SIZES))


def plain(raw: Raw, columns: Mapping[str, Column], *parts: str) -> tuple[tuple[str, ...], ...]:
    """A row of each part's own figures."""
    return tuple(_row(raw, part, *columns[part]) for part in parts)


def _row(raw: Raw, part: str, label: str, digits: int) -> tuple[str, ...]:
    return line(label, lambda size: at(raw, part, size), digits)


def relative(raw: Raw, label: str, part: str, other: str) -> tuple[str, ...]:
    """A row of one part against another."""
    return line(label, lambda size: against(raw, part, other, size), 2)


def steps(raw: Raw) -> tuple[tuple[str, ...], ...]:
    """A row for each step of our journal that took a twentieth of a second or more at any size, in their order."""
    names = dict.fromkeys(key.rpartition(", ")[0] for key in raw if key.startswith("step "))
    heavy = (
        name for name in names if any(at(raw, name, size) and median(at(raw, name, size)) >= _HEAVY for size in SIZES)
    )
    return tuple(_row(raw, name, f"of which: {name.removeprefix('step ')}, s", 2) for name in heavy)


def most(text: str, goal: float, figures: Sequence[float], *, size: str = LARGEST) -> Bar:
    """A bar that a median must not exceed."""
    return _bar(text, "at most", goal, figures, size, kept=bool(figures) and median(figures) <= goal)


def least(text: str, goal: float, figures: Sequence[float], *, size: str = LARGEST) -> Bar:
    """A bar that a median must reach."""
    return _bar(text, "at least", goal, figures, size, kept=bool(figures) and median(figures) >= goal)


def _bar(text: str, word: str, goal: float, figures: Sequence[float], size: str, *, kept: bool) -> Bar:
    verdict = ("met" if kept else "MISSED") if figures else "not measured"
    return (text, f"{word} {goal:g}", spread(figures, 2), f"{len(figures)} at {size}", verdict)


def growth(raw: Raw, part: str, what: str) -> str:
    """Whether time is in proportion to the database's size, in words: the line of least squares through the medians."""
    points = [
        (median(at(raw, "database MB", size)) / 1e3, median(at(raw, part, size)))
        for size in SIZES
        if at(raw, part, size)
    ]
    if len(points) < 3:  # noqa: PLR2004 - through two points there is always a line
        return f"{what}: measured at {len(points)} sizes so far."
    fixed, slope = _fitted(points)
    off = max(abs(seconds - (fixed + slope * size)) / seconds for size, seconds in points)
    return (
        f"{what}: {fixed:.1f} s and {slope:.1f} s for each GB of database; the medians at {len(points)} sizes lie "
        f"within {off:.0%} of that line."
    )


def _fitted(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    mean_x, mean_y = (sum(each[axis] for each in points) / len(points) for axis in (0, 1))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return mean_y - slope * mean_x, slope


def memory(raw: Raw, part: str = "ours MiB of memory") -> str:
    """Whether memory grows with the data, in words."""
    found = {size: median(at(raw, part, size)) for size in SIZES if at(raw, part, size)}
    told = ", ".join(f"{value:.1f} MiB at {size}" for size, value in found.items())
    if len(found) < 2:  # noqa: PLR2004 - of one size nothing follows
        return f"Peak memory of our process: {told or '-'}; other sizes are not measured."
    flat = max(found.values()) <= 1.1 * min(found.values())
    return f"Peak memory of our process: {told}; {'flat' if flat else 'NOT FLAT'}."


def rounds_told(raw: Raw, part: str) -> str:
    """How many rounds counted at each size, and how busy the machine was, in words."""
    told = ", ".join(f"{len(at(raw, part, size))} at {size}" for size in SIZES)
    loads = "; ".join(f"{size} {' '.join(f'{each:g}' for each in at(raw, 'load', size)) or '-'}" for size in SIZES)
    return (
        f"Rounds: {told}; the runs of a round one after the other, each other round backwards.\n"
        f"Load of the machine (2 cores) before and after each piece: {loads}."
    )
