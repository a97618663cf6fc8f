"""Lengths of time: read as settings write them, shown as people read them."""

from __future__ import annotations

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def parse_duration(text: str) -> int:
    """Seconds of a time such as 30m, 26h or 35d."""
    return int(text[:-1]) * _SECONDS[text[-1]]


def show_duration(seconds: float) -> str:
    """A time in its two largest units, rounded down."""
    rest, parts = int(seconds), []
    for unit, size in _SECONDS.items():
        if rest >= size:
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(parts[:2]) or "0 s"
