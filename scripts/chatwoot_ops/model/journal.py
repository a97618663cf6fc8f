"""The records of an operation in progress and of what was done: what recovery reads after a kill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Opening:
    """The journal's first line: which operation, by whom, since when (UTC, ISO 8601), with which options."""

    operation: str
    id: str
    user: str
    process: int
    started: str
    options: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is about to be made; `facts` is what undoing it would need."""

    step: str
    at: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Journal:
    """An operation that began and, as far as its file says, has not ended."""

    opening: Opening
    steps: tuple[Step, ...]

    @property
    def last_step(self) -> str:
        """The step that was announced last."""
        return self.steps[-1].step if self.steps else "nothing yet"

    def reached(self, step: str) -> bool:
        """Whether a step was announced."""
        return any(each.step == step for each in self.steps)

    def facts(self, step: str) -> Mapping[str, Any]:
        """What was noted with a step, empty where it was never reached."""
        return next((each.facts for each in self.steps if each.step == step), {})


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger: an operation that ended, and how; `target` is the release that an upgrade went to."""

    operation: str
    id: str
    user: str
    started: str
    ended: str
    outcome: str
    target: str = ""


def to_line(record: Opening | Step | LedgerEntry) -> str:
    """One line of JSON."""
    return json.dumps(asdict(record), sort_keys=True)


def parse_journal(text: str) -> Journal | None:
    """The journal in this text; a last line that was cut off by a crash is left out; None when no opening is whole."""
    records = [record for line in text.splitlines() if (record := _record(line)) is not None]
    if not records or "operation" not in records[0]:
        return None
    return Journal(Opening(**records[0]), tuple(Step(**record) for record in records[1:]))


def parse_ledger(text: str) -> tuple[LedgerEntry, ...]:
    """The entries of a ledger; a line that was cut off by a crash is left out."""
    records = (record for line in text.splitlines() if (record := _record(line)) is not None)
    return tuple(LedgerEntry(**record) for record in records if "outcome" in record)


def _record(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
