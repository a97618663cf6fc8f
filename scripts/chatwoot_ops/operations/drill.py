"""A drill: a backup set restored into a throwaway stack that reaches nobody, proved, timed, certified and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.backup_store import mark_verified
from chatwoot_ops.adapters.certificate_store import CertificateStore
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.lock import hold_lock
from chatwoot_ops.errors import ChecksFailedError, CommandFailedError, OpsError
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.certificate import Certificate
from chatwoot_ops.model.check import failures
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.model.verification import Level
from chatwoot_ops.operations.drill_settings import room_checks, settings_of, values_of
from chatwoot_ops.operations.drilling import Proved, bring_back, isolated
from chatwoot_ops.operations.images import fake_release
from chatwoot_ops.operations.opening import Place, open_with, unchecked_stack
from chatwoot_ops.operations.preflight import engine_check, require
from chatwoot_ops.operations.restore import fitting_keys, opener
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.secrets import existing_or_example
from chatwoot_ops.operations.source import Source, source_of_set
from chatwoot_ops.operations.throwaway import throwaway

Draw = Callable[[tuple[Certificate, ...], tuple[str, ...]], str]


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """Which set, and with whose settings: a private key that opens the set's own, or a copy of its `.env`."""

    set: str = "latest"
    identity: str = ""
    settings: str = ""


@dataclass(frozen=True, slots=True)
class _Drill:
    """A drill in progress: whose state folder keeps its certificate, of which set, and who draws the page."""

    home: Stack
    host: Host
    source: Source
    set: BackupSet
    options: RestoreOptions
    identity: Identity | None
    draw: Draw


def drill(place: Place, host: Host, asked: DrillOptions, draw: Draw) -> Certificate:
    """The certificate of a drill; its stack is gone when this returns, however it went.

    Production is neither stopped nor locked. Raises PreflightFailedError where there is no room,
    BackupSetInvalidError for a set that is damaged, ChecksFailedError for one that could not be restored.
    """
    require((engine_check(host),))
    home = unchecked_stack(place, existing_or_example(place))
    source = source_of_set(home, asked.set)
    assert source.set is not None  # noqa: S101 - for the type checker
    options = RestoreOptions(identity=asked.identity, settings=asked.settings)
    identity = opener(host, source, options)
    text = settings_of(place, source.set, identity, asked.settings)
    require(room_checks(host, source.set))
    this = _Drill(home, host, source, source.set, options, identity, draw)
    values, user, since = values_of(text, source.set.manifest), host.machine.user(), host.clock.stamp()
    with (
        hold_lock(f"{home.project}.drill", operation="drill", user=user, since=since),
        throwaway(place, host, values, operation="drill", text=text) as made,
    ):
        return _certified(this, isolated(open_with(made.place, host)))


def _certified(this: _Drill, stack: Stack) -> Certificate:
    blank = _blank(this, stack)
    try:
        with this.host.timed() as spent:
            fitting_keys(stack, this.host, this.source, this.options, this.identity)
            proved = _brought_back(this, stack)
    except OpsError as error:
        why = "; ".join((error.message, *error.details[:5]))
        # Why the drill failed matters more than that its certificate could not be written.
        with _saying(this.host):
            _keep(this, replace(blank, why=this.host.processes.mask(why)))
        raise
    bad = failures(proved.checks)
    return _keep(
        this,
        replace(
            blank,
            passed=not bad,
            recovery_seconds=round(spent[0], 1),
            usable_seconds=round(spent[0] - proved.building_seconds, 1),
            rows=proved.rows,
            tables=proved.tables,
            files_proved=proved.files,
            checks=proved.checks,
            why="; ".join(f"{check.name}: {check.seen}" for check in bad),
        ),
    )


def _brought_back(this: _Drill, stack: Stack) -> Proved:
    try:
        return bring_back(stack, this.host, this.source, this.set, this.identity)
    except OpsError as error:
        text = f"The drill of {this.set.manifest.name} failed: {error.message}"
        remedy = "The set could not be restored; see docs/how-to/drill.md. Production was not touched."
        raise ChecksFailedError(text, details=error.details, remedy=remedy) from error


def _blank(this: _Drill, stack: Stack) -> Certificate:
    """The certificate of a drill that has found nothing yet."""
    manifest, image = this.set.manifest, stack.images[RAILS]
    return Certificate(
        set=manifest.name,
        kind=manifest.kind,
        release=manifest.release,
        instance=manifest.instance,
        began=this.host.clock.stamp(),
        ended="",
        passed=False,
        recovery_seconds=0.0,
        size_bytes=this.set.size,
        rows=0,
        tables=0,
        files_proved=0,
        checks=(),
        from_remote=False,
        image=image,
        fake=bool(fake_release(image, this.host)),
    )


def _keep(this: _Drill, certificate: Certificate) -> Certificate:
    """Writes the certificate, then the page; a set that passed is noted as verified in the hardest way."""
    ended = replace(certificate, ended=this.host.clock.stamp())
    store = CertificateStore(this.home.state_folder)
    store.keep(ended.began.replace("-", "").replace(":", ""), ended)
    page = store.write_page(this.draw(store.certificates(), store.damaged()))
    this.host.reporter.note(f"Certificate and page: {page}")
    if ended.passed:
        # A set may lie where nothing can be written.
        with _saying(this.host):
            mark_verified(this.set, ended.ended, Level.RESTORE)
    return ended


@contextmanager
def _saying(host: Host) -> Iterator[None]:
    try:
        yield
    except CommandFailedError as error:
        host.reporter.note(error.message)
