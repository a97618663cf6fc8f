"""Encrypted sets, opened into a private work folder: pg_restore loads in parallel only from a file in clear."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from chatwoot_ops.adapters.age import Identity, opened
from chatwoot_ops.adapters.files import ensure_private_folder, write_stream
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import BackupSetInvalidError, PreflightFailedError
from chatwoot_ops.model.backup_set import ENCRYPTED, BackupSet
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.source import Source

WORK = "opened-"
SPARE_BYTES = 64 * 1024**2


def require_room_to_open(stack: Stack, host: Host, backup_set: BackupSet) -> None:
    """Raises PreflightFailedError unless the work folder can hold all of an encrypted set in clear."""
    if not backup_set.manifest.encryption.whole:
        return
    wanted = sum(each.size for each in backup_set.encrypted_artifacts) + SPARE_BYTES
    free = host.machine.free_disk(stack.state_folder)
    if free < wanted:
        text = f"{show_size(free)} free in {stack.state_folder}, opening it needs {show_size(wanted)}"
        remedy = "Free some there (docs/runbooks/disk-full.md). Nothing was changed."
        raise PreflightFailedError("There is no room to open the encrypted set", details=(text,), remedy=remedy)


@contextmanager
def opened_source(stack: Stack, change: Change, source: Source, identity: Identity | None) -> Iterator[Source]:
    """The source as files that can be loaded: an encrypted set lies in a private folder while the block runs.

    Raises BackupSetInvalidError or CommandFailedError; the folder is gone after every end but a kill, after which
    the journal names it and `recover` removes it.
    """
    if source.set is None or identity is None or not source.set.manifest.encryption.whole:
        yield source
        return
    folder = stack.state_folder / f"{WORK}{change.opening.id}"
    change.step("open", "Opening the encrypted set", folder=folder.name)
    try:
        _open_all(source.set, identity, folder)
        dump = folder / source.dump.name.removesuffix(ENCRYPTED)
        yield replace(source, dump=dump, opened=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open_all(backup_set: BackupSet, identity: Identity, folder: Path) -> None:
    ensure_private_folder(folder)
    for each in backup_set.encrypted_artifacts:
        try:
            with closing(opened(Path(backup_set.path) / each.name, identity)) as chunks:
                write_stream(folder / each.name.removesuffix(ENCRYPTED), chunks)
        except BackupSetInvalidError as error:
            raise BackupSetInvalidError(f"{each.name}: {error.message}", remedy="Nothing was changed.") from error


def drop_opened(stack: Stack) -> None:
    """Removes what a killed operation left in clear: no other works while the lock is held."""
    for folder in stack.state_folder.glob(f"{WORK}*"):
        shutil.rmtree(folder, ignore_errors=True)
