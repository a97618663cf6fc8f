"""An upgrade as a plan, and what is kept of the release before it so that there is a way back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

WAY_BACK = "before-upgrade.json"
_NOTE = "before the upgrade to "


@dataclass(frozen=True, slots=True)
class Plan:
    """From which release to which, on which image, with which migrations; sizes in bytes."""

    release: str
    target: str
    image: str
    migrations: tuple[str, ...]
    cluster_size: int
    free: int
    sets: int


@dataclass(frozen=True, slots=True)
class WayBack:
    """The release before an upgrade: its cluster in the volume, and the highest row numbers when it stopped serving."""

    release: str
    target: str
    previous: str
    high: dict[str, int]


def note_before(target: str) -> str:
    """The note of the set that is made before an upgrade to this release; for "" what all such notes begin with."""
    return f"{_NOTE}{target}"


def to_json(way_back: WayBack) -> str:
    """As it is kept in the state folder."""
    return json.dumps(asdict(way_back), sort_keys=True) + "\n"


def parse_way_back(text: str) -> WayBack:
    """What was kept; raises ValueError or TypeError when the text is damaged."""
    raw: dict[str, Any] = json.loads(text)
    return WayBack(**raw)


def written_since(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    """How many rows each table gained: what customers wrote since."""
    return {name: now[name] - high for name, high in before.items() if now.get(name, high) > high}


def told(rows: dict[str, int]) -> str:
    """Rows of each table in words, "" for none."""
    return ", ".join(f"{count} {name}" for name, count in rows.items())
