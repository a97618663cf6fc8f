"""Installs and removes the schedule: each file is replaced in one step, and what a cut leaves is ended by recover."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.run_notes import RunNotes
from chatwoot_ops.commands import schedule as commands
from chatwoot_ops.errors import ConfirmationMissingError, PreflightFailedError, SettingsInvalidError
from chatwoot_ops.model.check import failures
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.units import SYSTEMD, all_files
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.preflight import engine_check
from chatwoot_ops.operations.schedule import (
    Schedule,
    present_files,
    runner_of,
    show_engine,
    show_schedule,
    wanted_files,
)

ROOT = "root"
Files = Mapping[Path, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the schedule: neither `install` nor `remove` means to show it."""

    install: bool = False
    remove: bool = False
    yes: bool = False
    dry_run: bool = False


def schedule_as_asked(stack: Stack, host: Host, asked: Asked) -> Schedule:
    """Shows, installs or removes the schedule.

    Raises SettingsInvalidError for both at once, and what installing raises.
    """
    if asked.install and asked.remove:
        raise SettingsInvalidError("Choose one of --install and --remove", remedy="Nothing was changed.")
    if not asked.install and not asked.remove:
        return show_schedule(stack, host)
    if asked.dry_run:
        return _intended(stack, host, remove=asked.remove)
    return install_schedule(stack, host, remove=asked.remove, yes=asked.yes)


def _intended(stack: Stack, host: Host, *, remove: bool) -> Schedule:
    """The dry run: what would be written, removed and enabled."""
    wanted = {} if remove else wanted_files(stack, host)
    return show_schedule(stack, host, _changes(wanted, present_files(stack, host)))


def install_schedule(
    stack: Stack, host: Host, *, remove: bool = False, yes: bool = False, resume: Journal | None = None
) -> Schedule:
    """Brings this machine to what the settings want, or to nothing with `remove`, once it was shown and confirmed.

    Raises PreflightFailedError where that cannot be done, ConfirmationMissingError.
    """
    wanted = {} if remove else wanted_files(stack, host)
    present = present_files(stack, host)
    _require_able(stack, host, remove=remove)
    changes = _changes(wanted, present)
    if resume is None:
        _confirm(stack, host, changes, yes=yes)
    with changing(stack, host, "schedule", {"remove": remove}, resume=resume) as change:
        before = change.resumed_facts("write-schedule").get(
            "before", {str(path): text for path, text in present.items()}
        )
        change.step("write-schedule", "Writing the schedule's files", before=before)
        _apply(stack, change, wanted)
    return show_schedule(stack, host, changes)


def undo_schedule(stack: Stack, host: Host, journal: Journal) -> None:
    """What `recover --undo` does: the files that were there before are there again, and no others."""
    with changing(stack, host, "undo-schedule", resume=journal) as change:
        change.step("put-back", "Putting the schedule before back")
        if journal.reached("write-schedule"):
            before = journal.facts("write-schedule")["before"]
            _apply(stack, change, {Path(path): str(text) for path, text in before.items()})


def _require_able(stack: Stack, host: Host, *, remove: bool) -> None:
    runner, account = runner_of(stack, host), host.machine.account()
    problems = [f"it has signs that units cannot carry: {each}" for each in runner.odd_values if not remove]
    if account != runner.owner:
        problems.append(f"the checkout belongs to {runner.owner}, this runs as {account}: run it as {runner.owner}")
    if not remove and not host.machine.scheduler():
        problems.append("neither systemd nor cron is here: apt-get install cron")
    if host.processes.try_run(commands.may_become_root(_sudo(host))).code != 0:
        problems.append("sudo asks for a password: type 'sudo -v', then run this again")
    # The runs get the engine of this shell: one that does not answer here would not answer them.
    engine = () if remove else failures((engine_check(host),))
    problems.extend(f"{show_engine(runner.engine)}: {check.seen}: {check.remedy}" for check in engine)
    if problems:
        remedy = "Nothing was changed. 'invoke schedule' shows the files, which can be installed by hand."
        raise PreflightFailedError("The schedule cannot be installed", details=tuple(problems), remedy=remedy)


def _sudo(host: Host) -> tuple[str, ...]:
    return () if host.machine.account() == ROOT else ("sudo", "-n")


def _changes(wanted: Files, present: Files) -> tuple[str, ...]:
    written = [f"write {path}" for path, text in wanted.items() if present.get(path) != text]
    removed = [f"remove {path}" for path in present if path not in wanted]
    return (*written, *removed, *(f"enable {name}" for name in _timers(wanted)))


def _timers(files: Iterable[Path]) -> tuple[str, ...]:
    return tuple(path.name for path in files if path.suffix == ".timer")


def _confirm(stack: Stack, host: Host, changes: tuple[str, ...], *, yes: bool) -> None:
    engine = runner_of(stack, host).engine
    carried = (f"the runs speak to the engine of {show_engine(engine)}",) if engine else ()
    for line in (*changes, *carried):
        host.reporter.note(line)
    if changes and not yes and not host.reporter.confirm("Do this as root?"):
        raise ConfirmationMissingError("The schedule was not confirmed", remedy="Add --yes. Nothing was changed.")


def _apply(stack: Stack, change: Change, wanted: Files) -> None:
    host, sudo = change.host, _sudo(change.host)
    present = present_files(stack, host)
    stale = tuple(path for path in present if path not in wanted)
    with_systemd = host.machine.scheduler() == SYSTEMD
    if with_systemd and (timers := _timers(stale)):
        host.processes.run(commands.systemctl(sudo, "disable", "--now", *timers))
    for path, text in wanted.items():
        for command in commands.write_system_file(sudo, path, text):
            host.processes.run(command)
    half = (commands.partial_of(path) for path in all_files(runner_of(stack, host), tuple(commands.TASKS)))
    if unwanted := (*stale, *(path for path in half if path.exists())):
        host.processes.run(commands.remove_system_files(sudo, *unwanted))
    if with_systemd:
        _start(host, sudo, _timers(wanted))
    if wanted:
        RunNotes(stack.state_folder).installed(host.clock.stamp())
    else:
        RunNotes(stack.state_folder).forget()


def _start(host: Host, sudo: tuple[str, ...], timers: tuple[str, ...]) -> None:
    host.processes.run(commands.systemctl(sudo, "daemon-reload"))
    if timers:
        host.processes.run(commands.systemctl(sudo, "enable", *timers))
        # One that runs already keeps its old times until then.
        host.processes.run(commands.systemctl(sudo, "restart", *timers))
