"""What a dry run found that would be done; nothing was changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Intended:
    """Lines for people, each of which would have been done or lost."""

    lines: tuple[str, ...]
