"""The database of a set, of either kind: one snapshot as a dump with its digest, or the running cluster's files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.partial_set import PartialSet
from chatwoot_ops.commands import backup as commands
from chatwoot_ops.commands import compose
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, DataDigest
from chatwoot_ops.model.cluster import PHYSICAL
from chatwoot_ops.model.command import Command
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.operations.base_backup import Copied, copy_cluster
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.digests import DIGEST, SEQUENCES, read_digest
from chatwoot_ops.operations.storage import BLOBS, read_blobs


def write_database(stack: Stack, host: Host, change: Change, partial: PartialSet, kind: str) -> Copied:
    """Writes the database into a set of this kind."""
    if kind == PHYSICAL:
        change.step("base-backup", "Copying the running cluster", partial=partial.folder.name)
        return copy_cluster(stack, host, change, partial)
    change.step("dump-database", "Dumping the database", partial=partial.folder.name)
    return _dump(stack, host, change, partial)


def _dump(stack: Stack, host: Host, change: Change, partial: PartialSet) -> Copied:
    database = host.processes.run(compose.container(stack, host.compose, DATABASE)).stdout.strip()

    def dumping(snapshot: str, file: Path | None = None) -> Command:
        return commands.dump(stack, database=database, operation=change.opening.id, snapshot=snapshot, file=file)

    def write(snapshot: str) -> None:
        # In clear nothing of an encrypted set goes to disk; what may, takes the short way.
        if partial.encryption.whole:
            return stream_dump(host, partial, dumping(snapshot))
        with partial.filled_by_other(DATABASE_ARTIFACT) as path:
            host.processes.run(dumping(snapshot, path))
        return None

    data, blobs = dump_snapshot(host, commands.snapshot_session(stack, host.compose), write)
    return Copied(None, data, blobs)


def stream_dump(host: Host, partial: PartialSet, dumping: Command) -> None:
    """Writes what a pg_dump says into a set, encrypted where the whole set is."""
    with partial.artifact(DATABASE_ARTIFACT) as file:
        host.processes.save_output(dumping, file.write)


def dump_snapshot(
    host: Host, asking: Command, write: Callable[[str], None], question: str = DIGEST
) -> tuple[DataDigest, dict[str, tuple[int, str]]]:
    """Dump and digest of the same snapshot, and its rows of stored files; the digest is computed meanwhile.

    `asking` is a psql that is told line by line, `write` writes the dump of a snapshot's name.
    """
    with host.processes.session(asking) as session:
        session.send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n" + SEQUENCES)
        low = json.loads(session.read_line())[1]
        session.send("SELECT pg_export_snapshot();\n")
        snapshot = session.read_line()
        session.send(BLOBS + "SELECT json_build_array();\n" + question)
        write(snapshot)
        blobs = read_blobs(session.read_line)
        data = read_digest(session.read_line)
        # pg_dump reads a sequence when it comes to it, so its value lies between these two, however much is written.
        session.send(SEQUENCES)
        high = json.loads(session.read_line())[1]
        session.send("ROLLBACK;\n")
        session.close()
    sequences = {name: (int(low.get(name, value)), int(value)) for name, value in high.items()}
    return replace(data, sequences=sequences), blobs
