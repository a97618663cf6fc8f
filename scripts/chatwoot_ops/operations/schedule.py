"""The schedule as the settings want it, beside what this machine has of it. Looks and never touches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands.schedule import TASKS, setting_of
from chatwoot_ops.errors import PreflightFailedError
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.timetable import JITTER_MINUTES, Times, jitter, next_runs, parse_times
from chatwoot_ops.model.units import CRON, ENGINE_VARIABLES, MARK, Runner, all_files, engine_in, files_for

SHOWN_RUNS = 3
INSTALLED, NOT_INSTALLED, DIFFERS = "installed", "not installed", "differs from .env, install it again"
ELSEWHERE = "speaks to another engine than this shell"


@dataclass(frozen=True, slots=True)
class ScheduledTask:
    """A task with its setting and its next runs, in local time, each up to `later` minutes later."""

    task: str
    times: str
    next_runs: tuple[str, ...]
    later: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """What runs tasks here ("" for nothing), its files by path, whether they are there, what was or will be done."""

    manager: str
    state: str
    tasks: tuple[ScheduledTask, ...]
    files: Mapping[str, str]
    changes: tuple[str, ...] = ()


def times_of(stack: Stack) -> dict[str, Times]:
    """The tasks that are scheduled."""
    found = ((task, parse_times(stack.settings[setting_of(task)])) for task in TASKS)
    return {task: times for task, times in found if times}


def runner_of(stack: Stack, host: Host) -> Runner:
    """Who runs the tasks: the owner of the checkout, in its folder, with the engine of this shell."""
    folder, usual = stack.compose_folder.parents[2], stack.compose_folder / ".env"
    env_file = "" if stack.env_file == usual else str(stack.env_file)
    owner, instance = host.machine.owner(folder), stack.settings["CHATWOOT_INSTANCE_ID"]
    return Runner(stack.project, str(folder), owner, env_file, instance, host.machine.variables(ENGINE_VARIABLES))


def wanted_files(stack: Stack, host: Host) -> dict[Path, str]:
    """What this machine should have."""
    return files_for(host.machine.scheduler(), runner_of(stack, host), times_of(stack))


def present_files(stack: Stack, host: Host) -> dict[Path, str]:
    """What this machine has of ours, for any manager.

    Raises PreflightFailedError for a file that is in the way and was written by somebody else.
    """
    found = {}
    for path in all_files(runner_of(stack, host), tuple(TASKS)):
        try:
            found[path] = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PreflightFailedError(f"{path} cannot be read: {error.strerror}") from error
    foreign = tuple(str(path) for path, text in found.items() if not text.startswith(MARK))
    if foreign:
        remedy = "Move them away, then run this again. Nothing was changed."
        raise PreflightFailedError("Files are in the way that this tool did not write", details=foreign, remedy=remedy)
    return found


def state_of(stack: Stack, host: Host) -> str:
    """Whether the machine has what the settings want."""
    present = present_files(stack, host)
    if not present:
        return NOT_INSTALLED
    if present == wanted_files(stack, host):
        return INSTALLED
    return ELSEWHERE if other_engine(stack, host, present) else DIFFERS


def other_engine(stack: Stack, host: Host, present: Mapping[Path, str]) -> str:
    """How the engine of the installed runs is said to be another one than this shell's, "" where it is not."""
    here = dict(runner_of(stack, host).engine)
    # A timer starts nothing by itself and carries no variable.
    carried = [engine_in(text) for path, text in present.items() if path.suffix != ".timer"]
    others = [each for each in carried if each != here]
    return f"its runs have {show_engine(others[0])}, this shell has {show_engine(here)}" if others else ""


def show_engine(variables: Mapping[str, str]) -> str:
    """The variables as they would be typed."""
    return " ".join(f"{name}={value}" for name, value in variables.items()) or "no DOCKER_HOST"


def show_schedule(stack: Stack, host: Host, changes: tuple[str, ...] = ()) -> Schedule:
    """The schedule with its files and its next runs."""
    files = {str(path): text for path, text in wanted_files(stack, host).items()}
    tasks = tuple(_scheduled(stack, host, task) for task in TASKS)
    return Schedule(host.machine.scheduler(), state_of(stack, host), tasks, files, changes)


def _scheduled(stack: Stack, host: Host, task: str) -> ScheduledTask:
    text = stack.settings[setting_of(task)]
    times = parse_times(text)
    if times is None:
        return ScheduledTask(task, text, (), 0)
    by_cron = host.machine.scheduler() == CRON
    shift = timedelta(minutes=jitter(times, stack.settings["CHATWOOT_INSTANCE_ID"], task) if by_cron else 0)
    now = host.clock.local(host.clock.now()).replace(tzinfo=None)
    found = (host.clock.local(each + shift) for each in next_runs(times, now - shift))
    shown = tuple(each.isoformat(sep=" ", timespec="minutes") for each in islice(found, SHOWN_RUNS))
    return ScheduledTask(task, text, shown, 0 if by_cron else JITTER_MINUTES)
