"""The backup sets that there are: listed, and read back to see that they are whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.backup_store import BackupStore, checksum_problems
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.set_lock import reading
from chatwoot_ops.adapters.set_notes import bytes_on_disk, mark_verified
from chatwoot_ops.commands import backup as commands
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, BackupSet
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.model.troubled_file import lines_of
from chatwoot_ops.model.verification import Level
from chatwoot_ops.operations.encrypted_sets import DUMP, closed_problems, contents_problem
from chatwoot_ops.operations.encryption import identity_of, opener_of_set
from chatwoot_ops.operations.pack_contents import Contents, archive_problems
from chatwoot_ops.operations.troubled_files import ask_where, lost_files


@dataclass(frozen=True, slots=True)
class Backups:
    """The sealed sets of a folder, oldest first, with their ages in hours, and folders that cannot be read as one.

    `on_disk` are the bytes of all of them together, what they share counted once.
    """

    folder: str
    sets: tuple[BackupSet, ...]
    ages: tuple[float, ...]
    damaged: tuple[str, ...]
    on_disk: int = 0


def age_in_hours(backup_set: BackupSet, host: Host) -> float:
    """Hours since a set was made, by this machine's clock."""
    return hours_since(backup_set.manifest.created, host)


def hours_since(moment: str, host: Host) -> float:
    """Hours since a moment in ISO 8601, by this machine's clock.

    Raises ValueError for a text that is none.
    """
    return round((host.clock.now() - datetime.fromisoformat(moment)).total_seconds() / 3600, 1)


def store_of(stack: Stack) -> BackupStore:
    """The stack's backup sets."""
    return BackupStore(stack.backup_folder)


def list_sets(stack: Stack, host: Host) -> Backups:
    """The sets that there are."""
    store = store_of(stack)
    sets = store.sets()
    ages = tuple(age_in_hours(each, host) for each in sets)
    return Backups(str(store.folder), sets, ages, store.damaged(), bytes_on_disk(sets))


def verify_set(
    stack: Stack, host: Host, name: str = "latest", level: Level = Level.ARCHIVE, *, given: str = ""
) -> BackupSet:
    """Reads back every artifact's checksum, and the archives' contents where asked; notes time and level in the set.

    `given` is a file with a private key, or "-" to be asked for one. Without it an encrypted set is verified by its
    checksums only, and both note and result say so. Raises BackupSetInvalidError naming everything that is wrong.
    """
    backup_set = store_of(stack).find(name)
    with reading(backup_set):
        return _verify_set(stack, host, backup_set, level, identity_of(host, given))


def _verify_set(stack: Stack, host: Host, backup_set: BackupSet, level: Level, identity: Identity | None) -> BackupSet:
    if identity is not None and backup_set.encrypted_artifacts:
        opener_of_set(backup_set, identity)
    host.reporter.step(f"Verifying {backup_set.manifest.name}")
    closed = backup_set.manifest.encryption.whole and identity is None
    reached = Level.CHECKSUMS if closed else level
    if reached is Level.CHECKSUMS:
        _refuse_damaged(backup_set, checksum_problems(backup_set))
    else:
        manifest = backup_set.manifest
        key = identity if manifest.encryption.whole else None
        contents = Contents(Path(backup_set.path), manifest.packing, key)
        require_whole(stack, host, backup_set, identity, but=contents.artifacts)
        _require_storage(stack, host, backup_set, contents)
    mark_verified(backup_set, host.clock.stamp(), reached)
    return store_of(stack).find(backup_set.path)


def require_whole(
    stack: Stack, host: Host, backup_set: BackupSet, identity: Identity | None = None, *, but: tuple[str, ...] = ()
) -> None:
    """Raises BackupSetInvalidError unless every artifact is what was written and a dump can be read.

    A cluster's files are held against their own manifest where they are unpacked: release 16 reads no archive.
    What is encrypted is looked into with a private key only, and then to its end, `but` what the caller opens.
    """
    problems = checksum_problems(backup_set)
    if not problems and identity is not None:
        problems = closed_problems(backup_set, identity, but=(DUMP, *but))
    if not problems:
        problems = tuple(filter(None, (_contents_problem(stack, host, backup_set, identity),)))
    _refuse_damaged(backup_set, problems)


def _require_storage(stack: Stack, host: Host, backup_set: BackupSet, contents: Contents) -> None:
    host.reporter.step("Reading the storage archive to its end")
    tell = lambda keys: lines_of(lost_files(keys, ask_where(stack, host, keys)))  # noqa: E731
    _refuse_damaged(backup_set, archive_problems(contents, backup_set.manifest.storage, tell))


def _refuse_damaged(backup_set: BackupSet, problems: tuple[str, ...]) -> None:
    if problems:
        remedy = "Take another set ('invoke backups'); this one is not used. Nothing was changed."
        raise BackupSetInvalidError(f"The set {backup_set.manifest.name} is damaged", details=problems, remedy=remedy)


def _contents_problem(stack: Stack, host: Host, backup_set: BackupSet, identity: Identity | None) -> str:
    if backup_set.manifest.physical:
        return ""
    if backup_set.manifest.encryption.whole:
        return contents_problem(stack, host, backup_set, identity) if identity else ""
    command = commands.dump_contents(stack.images[DATABASE], Path(backup_set.path), DATABASE_ARTIFACT)
    listed = host.processes.try_run(command)
    return "" if listed.code == 0 else f"{DATABASE_ARTIFACT}: {host.processes.mask(listed.stderr.strip())[-200:]}"
