"""Lines for people: what runs by itself, and how a scheduled run ended."""

from __future__ import annotations

from chatwoot_ops.model.run_note import RunNote
from chatwoot_ops.operations.schedule import Schedule, ScheduledTask


def schedule(result: Schedule) -> list[str]:
    """The files, then each task with its next runs, then what was or will be done."""
    files = [line for path, text in result.files.items() for line in (f"== {path} ==", *text.splitlines(), "")]
    return [
        *files,
        *(_task(each) for each in result.tasks),
        *result.changes,
        f"By {result.manager or 'nothing: neither systemd nor cron is here'}: {result.state}",
    ]


def _task(each: ScheduledTask) -> str:
    later = f", each up to {each.later} minutes later" if each.later else ""
    return f"{each.task:<12} {each.times:<18} {', '.join(each.next_runs) or 'does not run'}{later}"


def run_note(note: RunNote) -> list[str]:
    """A run that ended well now."""
    return [f"The scheduled {note.task} ended well at {note.ended}; it began at {note.started}."]
