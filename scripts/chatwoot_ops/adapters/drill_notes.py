"""The last drill that passed, from the certificates in the state folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chatwoot_ops.errors import CommandFailedError


@dataclass(frozen=True, slots=True)
class PassedDrill:
    """A drill that passed: of which set, when it ended, and in how many seconds the set was back."""

    set: str
    ended: datetime
    recovery_seconds: float


def last_passed_drill(state_folder: Path) -> PassedDrill | None:
    """The one that ended last, None where none has passed.

    Raises CommandFailedError for a certificate that cannot be read: it may be of a later drill, which failed or passed.
    """
    drills = [_read(path) for path in sorted((state_folder / "drills").glob("*.json"))]
    return max((each for each in drills if each), key=lambda each: each.ended, default=None)


def _read(path: Path) -> PassedDrill | None:
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        ended = datetime.fromisoformat(raw["ended"]).astimezone(UTC)
        return PassedDrill(str(raw["set"]), ended, float(raw["recovery_seconds"])) if raw["passed"] is True else None
    except (OSError, ValueError, LookupError, TypeError) as error:
        remedy = "Move the file away, or run another drill."
        raise CommandFailedError(f"The certificate {path.name} cannot be read: {error}", remedy=remedy) from error
