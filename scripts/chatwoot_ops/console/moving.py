"""Lines for people: what was taken over from elsewhere, and what is about to move there."""

from __future__ import annotations

from chatwoot_ops.console.backup_sets import backed_up
from chatwoot_ops.operations.adopt import Adopted
from chatwoot_ops.operations.leaving import Left


def adopted(result: Adopted) -> list[str]:
    """A Chatwoot from elsewhere that was taken over, or could be."""
    done = "can be taken over: rehearsed" if result.rehearsed else f"is taken over and serves as {result.release}"
    return [
        f"{result.rows} rows in {result.tables} tables, {result.files} stored files proved",
        f"{result.source} {done} in {result.seconds} s; the source is as it was.",
        *(f"Next: {line}" for line in result.next),
    ]


def left(result: Left) -> list[str]:
    """A stack that is down for good, and what its new home needs."""
    name, place = result.last.set.manifest.name, result.last.set.path
    where = "--from-remote" if result.sent else f"--set FOLDER, a copy of {place},"
    key = "--identity FILE" if result.last.set.manifest.settings_included else "--settings FILE, a copy of .env"
    return [
        *backed_up(result.last),
        "The stack is down, its data is kept; 'invoke up' is the way back.",
        f"On the new host: scripts/bootstrap restore {where} {key}" + (f" (set {name})" if result.sent else ""),
    ]
