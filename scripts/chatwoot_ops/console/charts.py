"""Small line charts as inline SVG: one value at each of several times, and whether it was a success."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720.0, 160.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 20.0, 24.0, 24.0


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn: its title, its values in order, and how one of them is written for people."""

    title: str
    values: Sequence[float]
    show: Callable[[float], str]


def chart(series: Series, labels: Sequence[str], good: Sequence[bool]) -> str:
    """The series as an SVG, from 0 up; each point says its label and value, and those not good are marked."""
    top = max(series.values) or 1.0
    points = [(_across(number, len(labels)), _up(value / top)) for number, value in enumerate(series.values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="{"passed" if well else "failed"}">'
        f"<title>{escape(label)}: {escape(series.show(value))}{'' if well else ' (failed)'}</title></circle>"
        for (x, y), label, value, well in zip(points, labels, series.values, good, strict=True)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(series.title)}">'
        f'<text x="0" y="14">{escape(series.title)}</text>'
        f'{_axis(top, series)}{_axis(0.0, series)}<polyline class="line" points="{line}"/>{dots}{_ends(labels)}</svg>'
    )


def _across(number: int, count: int) -> float:
    room = WIDTH - _LEFT - _RIGHT
    return _LEFT + (room * number / (count - 1) if count > 1 else room / 2)


def _up(share: float) -> float:
    return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _axis(value: float, series: Series) -> str:
    y = _up(1.0 if value else 0.0)
    return (
        f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(series.show(value))}</text>'
    )


def _ends(labels: Sequence[str]) -> str:
    first, last = (escape(label[:10]) for label in (labels[0], labels[-1]))
    y = HEIGHT - 6
    end = f'<text x="{WIDTH - _RIGHT}" y="{y}" text-anchor="end">{last}</text>' if len(labels) > 1 else ""
    return f'<text x="{_LEFT}" y="{y}">{first}</text>{end}'
