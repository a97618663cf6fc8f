"""Runs a task for the schedule, so that its end is known: noted in the state folder, and told to a dead-man URL."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.lock import hold_lock, is_held
from chatwoot_ops.adapters.run_notes import RunNotes
from chatwoot_ops.commands.schedule import TASKS, scheduled_task
from chatwoot_ops.errors import CommandFailedError, InterruptedByOperatorError, OpsError, SettingsInvalidError
from chatwoot_ops.model.run_note import RunNote
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import terminable
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.watching import run_lock, troubles

# After a night without power everything that was due is due at once, and only one task at a time gets the lock.
WAIT_SECONDS, LOOK_EVERY_SECONDS = 3 * 3600, 5
LAST_LINES, LONGEST_TEXT = 3, 300
PING_TRIES, PING_PAUSE_SECONDS, PING_TIMEOUT_SECONDS = 3, 5, 10
WORKING = "backup"


def run_scheduled(place: Place, host: Host, task: str, each_line: Callable[[str], None]) -> RunNote:
    """Runs the task, its output handed over line by line, and notes how it ended.

    Raises SettingsInvalidError for a task that is none, StackLockedError where the same one is still at work, and
    CommandFailedError when the task failed.
    """
    if task not in TASKS:
        raise SettingsInvalidError(f"No scheduled task is called '{task}'", remedy=f"They are {', '.join(TASKS)}.")
    stack = unchecked_stack(place, read_env_file(place.env_file))
    host.processes.secrets = tuple(stack.settings.secrets().values())
    begun = RunNote(task, host.clock.stamp(), last_good=_last_good(stack, task))
    user = host.machine.user()
    with (
        hold_lock(run_lock(stack, task), operation=f"scheduled {task}", user=user, since=begun.started),
        terminable(),
    ):
        ended = _run(stack, host, begun, each_line)
        _tell(stack, host, ended)
    if ended.code:
        remedy = "It is noted, and 'invoke status' shows it until the next good run."
        raise CommandFailedError(f"The scheduled {task} failed with {ended.code}", details=(ended.text,), remedy=remedy)
    return ended


def _last_good(stack: Stack, task: str) -> str:
    try:
        note = RunNotes(stack.state_folder).read(task)
    except ValueError:
        return ""
    return note.last_good if note else ""


def _run(stack: Stack, host: Host, begun: RunNote, each_line: Callable[[str], None]) -> RunNote:
    notes, last = RunNotes(stack.state_folder), deque[str](maxlen=LAST_LINES)

    def heard(line: str) -> None:
        last.append(line.strip())
        each_line(line)

    try:
        notes.write(begun)
        code = _task(stack, host, begun.task, heard)
    except KeyboardInterrupt as error:
        ended = replace(begun, ended=host.clock.stamp(), code=InterruptedByOperatorError.code, text="interrupted")
        _tell(stack, host, ended)
        raise error from None
    except OpsError as error:
        last.append(error.message)
        code = error.code
    now = host.clock.stamp()
    if code:
        return replace(begun, ended=now, code=code, text=" / ".join(last)[-LONGEST_TEXT:])
    return replace(begun, ended=now, last_good=now)


def _task(stack: Stack, host: Host, task: str, each_line: Callable[[str], None]) -> int:
    host.clock.wait_until(lambda: not is_held(stack.project), timeout=WAIT_SECONDS, interval=LOOK_EVERY_SECONDS)
    python, repository = host.compose.with_name("python"), stack.compose_folder.parents[2]
    flags = ("--from-remote",) if task == "drill" and stack.settings["DRILL_SOURCE"] == "remote" else ()
    return host.processes.stream(scheduled_task(python, repository, stack.env_file, task, *flags), each_line)


def _tell(stack: Stack, host: Host, ended: RunNote) -> None:
    # A disk that is full must not keep the ping from going out.
    with suppress(OpsError):
        RunNotes(stack.state_folder).write(ended)
    if ended.code:
        _ping(stack, host, good=False)
    elif ended.task == WORKING:
        # Heard as good although another task failed, it would take that alarm back.
        wrong = troubles(stack, host, but=WORKING)
        for line in wrong:
            host.reporter.note(line)
        _ping(stack, host, good=not wrong)


def _ping(stack: Stack, host: Host, *, good: bool) -> None:
    url = stack.settings["BACKUP_PING_URL"]
    if not url:
        return
    said = ""
    for attempt in range(PING_TRIES):
        if attempt:
            host.clock.sleep(PING_PAUSE_SECONDS)
        answer = host.http.get(url if good else _failing(url), timeout=PING_TIMEOUT_SECONDS)
        if answer.status // 100 == 2:  # noqa: PLR2004 - 2xx
            return
        said = answer.said
    host.reporter.note(f"warning: the dead-man URL {said}; the run itself is not affected")


def _failing(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
