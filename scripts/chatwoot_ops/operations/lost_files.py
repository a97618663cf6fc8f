"""Stored files that a restore does not bring back although its source had them: whose they are, and a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import staging
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import StorageProof
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.troubled_file import TroubledFile, lines_of
from chatwoot_ops.operations.source import Source
from chatwoot_ops.operations.staging import Staged
from chatwoot_ops.operations.storage import prove_files
from chatwoot_ops.operations.stored_archives import listed_files
from chatwoot_ops.operations.troubled_files import Rows, ask_where, asked_where, troubled, where_question, with_rows


@dataclass(frozen=True, slots=True)
class PlacedFiles:
    """The proof of the storage volume after a restore, and the bytes of each file in it that has no row."""

    proof: StorageProof
    sizes: Mapping[str, int]


def lost_of(source: Source, staged: Staged, proof: StorageProof) -> StorageProof:
    """Of what is missing or wrong that which was neither when the source's set was made."""
    known = source.set.manifest.storage if source.set else StorageProof(0, 0, 0)
    missing = set(proof.missing) - set(known.missing) - staged.recent
    wrong = set(proof.wrong) - set(known.wrong)
    return StorageProof(0, 0, 0, tuple(sorted(missing)), tuple(sorted(wrong)))


def lost_in_set(source: Source, staged: Staged) -> StorageProof:
    """The same by the list of a set's files, before any is put into the volume; nothing where there is no such list.

    What came after the set is in no list, so that of a moment after it nothing is said here.
    """
    archives = source.archives
    if source.set is None or source.recovery or archives is None or archives.list is None:
        return StorageProof(0, 0, 0)
    return lost_of(source, staged, prove_files(listed_files(archives.list), staged.blobs))


def refuse_lost(lost: StorageProof, ask: Callable[[Collection[str]], Rows]) -> None:
    """Raises BackupSetInvalidError naming the first files that are lost and whose they are, where there are any."""
    if not lost.whole:
        details = lines_of(troubled(lost, {}, ask(with_rows(lost))))
        raise BackupSetInvalidError("Stored files do not match the rows", details=details)


def ask_staged(stack: Stack, host: Host, operation: str, keys: Collection[str]) -> Rows:
    """What the new cluster knows of these files."""
    question = staging.ask(stack, operation, where_question(keys))
    return asked_where(lambda: json.loads(host.processes.run(question).stdout.strip()), keys)


def files_told(stack: Stack, host: Host, placed: PlacedFiles) -> tuple[TroubledFile, ...]:
    """Every file with which something is wrong after a restore, as the restored database knows it."""
    return troubled(placed.proof, placed.sizes, ask_where(stack, host, with_rows(placed.proof)))
