"""A drill: a backup set restored into a throwaway stack that reaches nobody, proved, timed, certified and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.certificate_store import CertificateStore
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.lock import hold_lock
from chatwoot_ops.adapters.set_lock import reading
from chatwoot_ops.adapters.set_notes import mark_verified
from chatwoot_ops.errors import ChecksFailedError, CommandFailedError, OpsError
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.certificate import Certificate
from chatwoot_ops.model.check import Check, failures, passed
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.model.verification import Level
from chatwoot_ops.operations.drill_remote import Fetched, drill_lock, set_to_drill
from chatwoot_ops.operations.drill_settings import room_checks, settings_of, values_of
from chatwoot_ops.operations.drilling import Proved, bring_back, isolated
from chatwoot_ops.operations.images import fake_release
from chatwoot_ops.operations.opening import Place, open_with, unchecked_stack
from chatwoot_ops.operations.preflight import engine_check, require
from chatwoot_ops.operations.pulling import open_for_pull, settings_of_data
from chatwoot_ops.operations.restore import fitting_keys, opener
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.secrets import existing_or_example
from chatwoot_ops.operations.source import Source, source_of_set
from chatwoot_ops.operations.throwaway import throwaway

Draw = Callable[[tuple[Certificate, ...], tuple[str, ...]], str]


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """Which set, here or off-site, and with whose settings: the private key of its own, or a copy of `.env`."""

    set: str = "latest"
    identity: str = ""
    settings: str = ""
    from_remote: bool = False


@dataclass(frozen=True, slots=True)
class _Drill:
    """A drill in progress: whose state folder keeps its certificate, of which set, and who draws the page."""

    home: Stack
    host: Host
    source: Source
    set: BackupSet
    fetched: Fetched
    options: RestoreOptions
    identity: Identity | None
    draw: Draw


def drill(place: Place, host: Host, asked: DrillOptions, draw: Draw) -> Certificate:
    """The certificate of a drill; its stack is gone when this returns, however it went.

    Production is neither stopped nor locked. Raises PreflightFailedError where there is no room,
    BackupSetInvalidError for a set that is damaged, ChecksFailedError for one that could not be restored.
    """
    require((engine_check(host),))
    if asked.from_remote:
        home = open_for_pull(place, host, asked.settings)
        asked = replace(asked, settings=settings_of_data(asked.settings))
    else:
        home = unchecked_stack(place, existing_or_example(place))
    with (
        hold_lock(drill_lock(home), operation="drill", user=host.machine.user(), since=host.clock.stamp()),
        set_to_drill(home, host, asked.set, from_remote=asked.from_remote) as fetched,
    ):
        source = source_of_set(home, fetched.path)
        with reading(source.set):
            return _drilled(place, host, asked, _Found(home, source, fetched), draw)


@dataclass(frozen=True, slots=True)
class _Found:
    """Whose drill it is, of what, and where that came from."""

    home: Stack
    source: Source
    fetched: Fetched


def _drilled(place: Place, host: Host, asked: DrillOptions, found: _Found, draw: Draw) -> Certificate:
    source = found.source
    assert source.set is not None  # noqa: S101 - for the type checker
    options = RestoreOptions(identity=asked.identity, settings=asked.settings)
    identity = opener(host, source, options)
    text = settings_of(place, source.set, identity, asked.settings)
    require(room_checks(host, source.set))
    this = _Drill(found.home, host, source, source.set, found.fetched, options, identity, draw)
    with throwaway(place, host, values_of(text, source.set.manifest), operation="drill", text=text) as made:
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
            recovery_seconds=round(this.fetched.seconds + spent[0], 1),
            usable_seconds=round(this.fetched.seconds + spent[0] - proved.building_seconds, 1),
            rows=proved.rows,
            tables=proved.tables,
            files_proved=proved.files,
            checks=(*_fetched_check(this), *proved.checks),
            why="; ".join(f"{check.name}: {check.seen}" for check in bad),
        ),
    )


def _fetched_check(this: _Drill) -> tuple[Check, ...]:
    if not this.fetched.origin:
        return ()
    size, seconds = show_size(this.set.size), this.fetched.seconds
    return (passed("fetched", f"{size} in {seconds:.1f} s from {this.fetched.origin}, each file as its manifest says"),)


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
        from_remote=bool(this.fetched.origin),
        image=image,
        fake=bool(fake_release(image, this.host)),
        origin=this.fetched.origin,
    )


def _keep(this: _Drill, certificate: Certificate) -> Certificate:
    """Writes the certificate, then the page; a set that passed is noted as verified in the hardest way."""
    ended = replace(certificate, ended=this.host.clock.stamp())
    store = CertificateStore(this.home.state_folder)
    store.keep(ended.began.replace("-", "").replace(":", ""), ended)
    page = store.write_page(this.draw(*store.read()))
    this.host.reporter.note(f"Certificate and page: {page}")
    if ended.passed and not ended.from_remote:
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
