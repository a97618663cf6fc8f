"""Whether the scheduled tasks run as they should, seen from the notes that each run leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.lock import is_held
from chatwoot_ops.adapters.run_notes import RunNotes
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.check import Check, Outcome, failed, passed, warned
from chatwoot_ops.model.run_note import RunNote, trouble_of
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.timetable import last_run
from chatwoot_ops.operations.schedule import (
    DIFFERS,
    ELSEWHERE,
    NOT_INSTALLED,
    other_engine,
    present_files,
    state_of,
    times_of,
)

# The jitter, a task before it that is still at work, and the hour that a change to summer time can shift.
LATE = timedelta(hours=2)
NEVER = datetime.max.replace(tzinfo=UTC)
LOGS = "'journalctl -u {unit}' or the system's log says more; run it by hand: 'invoke schedule --run {task}'"


def run_lock(stack: Stack, task: str) -> str:
    """The name of the lock that a scheduled run holds while it is at work."""
    return f"{stack.project}.run-{task}"


def scheduled_checks(stack: Stack, host: Host) -> tuple[Check, ...]:
    """One check for the schedule and one for each task of it that ran or should have run."""
    return (_installed(stack, host), *(check for task in times_of(stack) if (check := _check(stack, host, task))))


def due_at(stack: Stack, host: Host, task: str) -> datetime:
    """When a scheduled task was due last, not counting what may still be late."""
    late = host.clock.local(host.clock.now() - LATE).replace(tzinfo=None)
    return host.clock.local(last_run(times_of(stack)[task], late)).astimezone(UTC)


def troubles(stack: Stack, host: Host, *, but: str) -> tuple[str, ...]:
    """What is wrong with the scheduled tasks, `but` one; empty when all is well."""
    checks = (_check(stack, host, task) for task in times_of(stack) if task != but)
    return tuple(f"{check.name}: {check.seen}" for check in checks if check and check.outcome is Outcome.FAIL)


def _installed(stack: Stack, host: Host) -> Check:
    remedy = "Type 'invoke schedule --install'"
    try:
        state = state_of(stack, host)
        since = RunNotes(stack.state_folder).since()
        other = other_engine(stack, host, present_files(stack, host)) if state == ELSEWHERE else ""
    except (OpsError, ValueError) as error:
        return failed("schedule", f"could not check: {error}", remedy)
    if other:
        return failed("schedule", f"{state}: {other}", f"{remedy} in the shell whose engine is the right one")
    if state == DIFFERS:
        return warned("schedule", state, remedy)
    if since and state == NOT_INSTALLED:
        return failed("schedule", f"was installed {since:%Y-%m-%d} and its files are gone", remedy)
    return (
        Check("schedule", Outcome.NOT_CONFIGURED, state, remedy)
        if state == NOT_INSTALLED
        else passed("schedule", state)
    )


def _check(stack: Stack, host: Host, task: str) -> Check | None:
    name, notes = f"scheduled {task}", RunNotes(stack.state_folder)
    remedy = LOGS.format(unit=f"{stack.project}-ops-{task}", task=task)
    try:
        note, since = notes.read(task), notes.since()
    except ValueError as error:
        return failed(name, f"could not check: {error}", remedy)
    if note is None and since is None:
        return None
    wrong = _trouble(stack, host, task, note, since or NEVER)
    return failed(name, wrong, remedy) if wrong else passed(name, _well(note))


def _trouble(stack: Stack, host: Host, task: str, note: RunNote | None, since: datetime) -> str:
    due = due_at(stack, host, task)
    at_work = is_held(run_lock(stack, task))
    return trouble_of(note, due, since, now=host.clock.now(), at_work=at_work)


def _well(note: RunNote | None) -> str:
    if note is None:
        return "not due yet"
    return f"ended well {note.ended}" if note.ended else f"at work since {note.started}"
