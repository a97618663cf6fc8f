"""The steps of a rehearsal after set-up: each is timed, and each proves something before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, docker
from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError, UpgradeRolledBackError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT
from chatwoot_ops.model.check import Check
from chatwoot_ops.model.cluster import LOGICAL
from chatwoot_ops.model.stack import DATABASE, RAILS, Stack
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import store_of, verify_set
from chatwoot_ops.operations.opening import Place, open_with
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.running import restart
from chatwoot_ops.operations.sample_data import make_sample_data
from chatwoot_ops.operations.smoke import require_smoke, smoke
from chatwoot_ops.operations.source import source_of_set
from chatwoot_ops.operations.upgrade import upgrade

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RehearsalStep:
    """One step and the seconds it took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Releases:
    """The images of a rehearsal: two releases, one whose migration fails, and the settings of the other images."""

    older: str
    newer: str
    failing: str
    others: Mapping[str, str]


@dataclass(slots=True)
class Run:
    """A rehearsal in progress."""

    host: Host
    steps: list[RehearsalStep] = field(default_factory=list)
    recovery_seconds: float = 0.0

    def step(self, name: str, act: Callable[[], Result]) -> Result:
        """Makes a step and notes its time."""
        with self.host.timed() as spent:
            result = act()
        self.steps.append(RehearsalStep(name, round(spent[0], 1)))
        return result


def proved(stack: Stack, host: Host, *, quick: bool) -> tuple[Check, ...]:
    """The smoke check's answers; raises ChecksFailedError when one failed."""
    checks = smoke(stack, host, quick=quick)
    require_smoke(checks)
    return checks


def whole_life(run: Run, place: Place, host: Host, releases: Releases) -> tuple[Check, ...]:
    """Restarts, loss and return of the data, an upgrade, one that fails and is undone; the last smoke check."""
    stack = open_with(place, host)
    for service in stack.services:
        _restarted(run, stack, host, service)
    run.step("make data through the API", lambda: make_sample_data(stack, host, "before"))
    run.step("backup", lambda: back_up(stack, host, kind=LOGICAL))
    run.step("delete both volumes", lambda: _lose(stack, host))
    run.step("restore, every table proved", lambda: _restore_latest(stack, host))
    run.step("smoke after restore", lambda: proved(stack, host, quick=True))
    run.recovery_seconds = round(sum(step.seconds for step in run.steps[-2:]), 1)
    run.step("upgrade", lambda: upgrade(stack, host, to=releases.newer, yes=True))
    upgraded = open_with(place, host)
    run.step("smoke after upgrade", lambda: proved(upgraded, host, quick=True))
    run.step("data of the new release", lambda: make_sample_data(upgraded, host, "after"))
    run.step("an upgrade that fails is undone", lambda: _undone(upgraded, host, releases.failing))
    run.step("a set with one flipped bit is refused", lambda: _refused(upgraded, host))
    return run.step("smoke at the end", lambda: proved(upgraded, host, quick=True))


def _restarted(run: Run, stack: Stack, host: Host, service: str) -> None:
    run.step(f"restart {service}", lambda: restart(stack, host, service))
    run.step(f"smoke after {service}", lambda: proved(stack, host, quick=True))


def _lose(stack: Stack, host: Host) -> None:
    host.processes.run(compose.down(stack, host.compose))
    host.processes.run(docker.remove_volumes(stack.volumes[DATABASE], stack.volumes[RAILS]))


def _restore_latest(stack: Stack, host: Host) -> None:
    restore(stack, host, source_of_set(stack, "latest"), RestoreOptions(yes=True))


def _undone(stack: Stack, host: Host, failing: str) -> None:
    try:
        upgrade(stack, host, to=failing, yes=True)
    except UpgradeRolledBackError:
        return
    raise CommandFailedError("An upgrade that must fail did not")


def _refused(stack: Stack, host: Host) -> None:
    newest = store_of(stack).find("latest")
    _flip_bit(Path(newest.path) / DATABASE_ARTIFACT)
    try:
        verify_set(stack, host, newest.manifest.name)
    except BackupSetInvalidError:
        return
    raise CommandFailedError("A damaged backup set was not found out")


def _flip_bit(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
