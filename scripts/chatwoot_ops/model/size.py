"""Sizes: read as Compose reads them, shown as people read them."""

from __future__ import annotations

_FACTORS = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def parse_size(text: str) -> int:
    """Bytes of a size such as "512m", "2g" or "256MB"; 0 for no size."""
    clean = text.strip().lower().removesuffix("b") or "0"
    factor = _FACTORS.get(clean[-1], 0)
    return int(float(clean[:-1] or 0) * factor) if factor else int(float(clean))


def show_size(size: float) -> str:
    """A size in the largest unit that keeps one digit before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1024:  # noqa: PLR2004 - the factor between units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"
