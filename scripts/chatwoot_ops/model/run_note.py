"""What is kept of each scheduled task's last run, and whether a run failed, was cut off or was missed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

FORMAT = 1
# A clock that is put right by seconds is no clock that went back.
_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class RunNote:
    """The last run of a scheduled task. Times are UTC, ISO 8601; `ended` is "" until it has.

    `code` is the task's exit code, `text` what it said last, `last_good` when a run last ended well, "" for never.
    """

    task: str
    started: str
    ended: str = ""
    code: int = 0
    text: str = ""
    last_good: str = ""
    format: int = FORMAT


def to_json(note: RunNote) -> str:
    """The note as it is written."""
    return json.dumps(asdict(note), sort_keys=True) + "\n"


def parse_note(text: str) -> RunNote:
    """The note in this text.

    Raises ValueError when it is damaged, or of a format that this version does not know.
    """
    try:
        raw: dict[str, Any] = json.loads(text)
        note = RunNote(**raw)
        moments = (note.started, *(moment for moment in (note.ended, note.last_good) if moment))
        zoned = all(datetime.fromisoformat(moment).tzinfo for moment in moments)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"it is damaged: {error}") from error
    if note.format != FORMAT or not zoned or type(note.code) is not int:
        raise ValueError("it is of another format, or has no time zone")
    return note


def trouble_of(note: RunNote | None, due: datetime, since: datetime, *, now: datetime, at_work: bool) -> str:
    """What is wrong with a scheduled task, "" where nothing is.

    `due` is when it should have begun last, `since` when the schedule was installed, `at_work` whether it runs now.
    """
    if note is None:
        return f"missed: due {_shown(due)} and never begun" if due > since else ""
    started = datetime.fromisoformat(note.started)
    if started > now + _TOLERANCE:
        return f"began {note.started}, which has not come yet: the clock went back"
    if not note.ended and not at_work:
        return f"cut off: began {note.started} and did not end"
    if note.code:
        return f"failed {note.ended} with {note.code}: {note.text}; last good run {note.last_good or 'never'}"
    if due > since and started < due and not at_work:
        return f"missed: due {_shown(due)}, last begun {note.started}"
    return ""


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
