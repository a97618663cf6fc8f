"""Brings a sealed set off-site: artifacts, each read back byte for byte, then the manifest, then a note of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.set_lock import reading
from chatwoot_ops.adapters.set_notes import mark_off_site, off_site_note
from chatwoot_ops.errors import (
    BackupFailedError,
    BackupSetInvalidError,
    CommandFailedError,
    OpsError,
    SettingsInvalidError,
)
from chatwoot_ops.model.backup_set import MANIFEST, Artifact
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.remote import OFF_SITE
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup import BackedUp, back_up
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.off_site_copy import (
    Copy,
    abandoned,
    absent,
    claim,
    publish,
    require_sound,
    twins_of,
    warnings,
)
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.remote import open_bucket
from chatwoot_ops.operations.wal_push import WalPushed, push_wal


@dataclass(frozen=True, slots=True)
class Pushed:
    """A set that was read back off-site now: bytes that were sent, of how many, and what an operator must know.

    `wal` is what of the WAL archive was brought there with it.
    """

    name: str
    remote: str
    sent: int
    size: int
    seconds: float
    warnings: tuple[str, ...]
    wal: WalPushed = field(default_factory=WalPushed)


def back_up_off_site(
    stack: Stack, host: Host, *, kind: str = "", whole: bool = False, push_it: bool = True
) -> BackedUp:
    """Takes a set, and brings it off-site where BACKUP_REMOTE says where to.

    Raises what back_up and push raise; after a failed push the set is there all the same, and the error says so.
    """
    made = back_up(stack, host, kind=kind, whole=whole)
    if not push_it or not stack.settings["BACKUP_REMOTE"]:
        return made
    pushed = push(stack, host, made.set.path)
    return replace(made, set=store_of(stack).find(made.set.path), warnings=(*made.warnings, *pushed.warnings))


def push(stack: Stack, host: Host, name: str = "latest", *, resume: Journal | None = None) -> Pushed:
    """Brings a set off-site; what is there already, in it or in another set, is not sent again, but read back.

    The finished WAL that goes on from the sets there goes with it. Raises BackupSetInvalidError when the set is damaged
    here, or another one of its name is there; BackupFailedError when the copy could not be made or is not what was
    sent. The set here stays as it is either way.
    """
    bucket, store = open_bucket(stack, host), store_of(stack)
    found = store.find(name)
    copy = Copy(bucket, found, twins_of(bucket, found, store.sets()))
    with (
        reading(copy.set),
        changing(stack, host, "push", {"set": copy.set.path}, resume=resume) as change,
        host.timed() as spent,
    ):
        try:
            sent, said = _push(copy, host, change)
        except BackupSetInvalidError:
            raise
        except (OSError, OpsError) as error:
            raise _not_off_site(copy, error) from error
        wal = push_wal(stack, host, change, copy.bucket)
    manifest = copy.set.manifest
    where = f"{copy.bucket.remote.url}/{manifest.instance}/{manifest.name}"
    return Pushed(manifest.name, where, sent, copy.set.size, round(spent[0], 1), said, wal)


def _push(copy: Copy, host: Host, change: Change) -> tuple[int, tuple[str, ...]]:
    name, url, store = copy.set.manifest.name, copy.bucket.remote.url, copy.bucket.store
    change.step("check", f"Checking {name} before it is sent", set=name)
    require_sound(copy)
    change.step("send", f"Sending {show_size(copy.set.size)} to {url}", folder=copy.folder)
    claim(copy, host)
    sent = sum(0 if copy.copied(artifact) else _send(copy, host, artifact) for artifact in absent(copy))
    change.step("read-back", "Reading the copy back")
    again = _read_back(copy, host)
    change.step("publish", "Writing the manifest of the copy")
    publish(copy)
    change.step("mark", "Noting that the set is off-site")
    note = off_site_note(host.clock.stamp(), f"{url}/{copy.set.manifest.instance}/{name}")
    store.put(f"{copy.folder}/{OFF_SITE}", note)
    mark_off_site(copy.set, note)
    return sent, (*again, *abandoned(copy), *warnings(copy))


def _send(copy: Copy, host: Host, artifact: Artifact) -> int:
    host.reporter.step(f"Sending {artifact.name} ({show_size(artifact.size)})")
    return copy.send(artifact)


def _read_back(copy: Copy, host: Host) -> tuple[str, ...]:
    """Compares every byte; what is wrong is sent once more. Returns warnings.

    Raises CommandFailedError when it is wrong again: no set is left at the remote then.
    """
    mended, problems = [], []
    for artifact in copy.set.manifest.artifacts:
        host.reporter.step(f"Reading {artifact.name} back ({show_size(artifact.size)})")
        problem = copy.problem(artifact)
        if not problem:
            continue
        host.reporter.note(f"{problem}; sending it again")
        _send(copy, host, artifact)
        mended.append(f"the copy of {problem}; it was sent again and is right now")
        problems += [found] if (found := copy.problem(artifact)) else []
    if problems:
        mark_off_site(copy.set, "")
        copy.bucket.store.remove(f"{copy.folder}/{each}" for each in (MANIFEST, OFF_SITE))
        raise CommandFailedError("what the remote holds is not what was sent", details=tuple(problems))
    return tuple(mended)


def _not_off_site(copy: Copy, error: OSError | OpsError) -> BackupFailedError:
    name = copy.set.manifest.name
    why = error.message if isinstance(error, OpsError) else str(error)
    details = error.details if isinstance(error, OpsError) else ()
    cure = getattr(error, "remedy", "")
    remedy = f"{cure} The set is kept here: type 'invoke push --set {name}', what is there already is not sent again."
    return BackupFailedError(f"The set {name} is not off-site: {why}", details=details, remedy=remedy.lstrip())


def push_archive(stack: Stack, host: Host, *, resume: Journal | None = None) -> WalPushed:
    """Brings the finished WAL off-site, and no set.

    Raises SettingsInvalidError where nothing is archived, BackupFailedError when it could not be brought.
    """
    # One that was cut off is ended also where the archive was switched off since.
    if not stack.archives and resume is None:
        raise SettingsInvalidError("WAL_ARCHIVE is off: there is no WAL to bring", remedy="Nothing was changed.")
    bucket = open_bucket(stack, host)
    with changing(stack, host, "push-wal", resume=resume) as change:
        return push_wal(stack, host, change, bucket)


def finish_push(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    """Goes on with a push that was cut off."""
    push(stack, host, str(journal.opening.options.get("set", "latest")), resume=journal)
