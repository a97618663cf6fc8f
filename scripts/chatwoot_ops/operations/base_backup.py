"""The running cluster as files: pg_basebackup, with what was true before it and after it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.partial_set import PartialSet
from chatwoot_ops.adapters.pipes import Session
from chatwoot_ops.commands import backup as commands
from chatwoot_ops.commands import compose, physical
from chatwoot_ops.errors import CommandFailedError, PreflightFailedError
from chatwoot_ops.model.backup_set import CLUSTER_ARTIFACT, DataDigest
from chatwoot_ops.model.cluster import COMPRESSIONS, ClusterFacts, Compression
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.digests import OUTLINE, SEQUENCES, read_digest
from chatwoot_ops.operations.storage import BLOBS, read_blobs

# A slot of a session goes with it. Without one a busy server may recycle WAL that the backup fetches at its end.
_SLOT = """
SELECT json_build_array(slot_name)
FROM pg_create_physical_replication_slot('chatwoot_ops_' || pg_backend_pid(), true, true);
"""
# A sequence writes this many values ahead into the WAL (SEQ_LOG_VALS), and recovery goes on from there.
AHEAD = 32
_START = re.compile(r"write-ahead log start point: (?P<lsn>[0-9A-F]+/[0-9A-F]+) on timeline (?P<timeline>\d+)")
_STOP = re.compile(r"write-ahead log end point: (?P<lsn>[0-9A-F]+/[0-9A-F]+)")
# What the server asks of the library in its image, for the text indexes depend on its version.
FACTS = """
SELECT json_build_object(
  'able', json_build_object(
    'wal_level', current_setting('wal_level'),
    'max_wal_senders', current_setting('max_wal_senders')::int,
    'max_replication_slots', current_setting('max_replication_slots')::int,
    'replication', (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user),
    'tablespaces', (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))),
  'cluster', json_build_object(
    'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
    'major', current_setting('server_version_num')::int / 10000,
    'superuser', current_user,
    'database', d.datname,
    'encoding', pg_encoding_to_char(d.encoding),
    'collation_provider', CASE d.datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' ELSE 'builtin' END,
    'collation', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate),
    'collation_version', coalesce(pg_database_collation_actual_version(d.oid), ''),
    'data_checksums', current_setting('data_checksums') = 'on',
    'folder', regexp_replace(current_setting('data_directory'), '^.*/', ''),
    'began', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
FROM pg_database d WHERE d.datname = current_database();
"""
_BLOBS_AND_OUTLINE = BLOBS + "SELECT json_build_array();\n" + OUTLINE
_BLOBS_AND_SEQUENCES = BLOBS + "SELECT json_build_array();\n" + SEQUENCES


@dataclass(frozen=True, slots=True)
class Copied:
    """A database that was copied: what it held, and the rows of its stored files; facts where it is a whole cluster."""

    facts: ClusterFacts | None
    data: DataDigest
    blobs: dict[str, tuple[int, str]]


def copy_cluster(stack: Stack, host: Host, change: Change, partial: PartialSet) -> Copied:
    """Writes the running cluster into a set; the database serves meanwhile.

    Raises PreflightFailedError naming all that keeps the database from it, CommandFailedError where it fails.
    """
    with host.processes.session(commands.snapshot_session(stack, host.compose)) as session:
        # It starts while the others are asked: each call takes as long as copying many megabytes.
        raw, compression = _require_able(stack, host)
        session.send(_SLOT + _BLOBS_AND_OUTLINE)
        database = host.processes.run(compose.container(stack, host.compose, DATABASE)).stdout.strip()
        session.read_line()
        blobs, before = read_blobs(session.read_line), read_digest(session.read_line)
        command = physical.base_backup(stack, database=database, operation=change.opening.id, compression=compression)
        with partial.artifact(f"{CLUSTER_ARTIFACT}{compression.ending}") as file:
            said = host.processes.save_output(command, file.write)
        session.send(_BLOBS_AND_SEQUENCES)
        # A file whose row went or came meanwhile is looked for too: the cluster stands between the two.
        blobs |= read_blobs(session.read_line)
        data = _with_ranges(before, session)
        session.close()
    facts = ClusterFacts(**raw, **_points(said))
    return Copied(facts, data, blobs)


def _with_ranges(before: DataDigest, session: Session) -> DataDigest:
    high = json.loads(session.read_line())[1]
    ranges = {name: (before.sequences.get(name, (0, 0))[0], int(value) + AHEAD) for name, value in high.items()}
    return replace(before, sequences=ranges)


def _points(said: str) -> dict[str, Any]:
    start, stop = _START.search(said), _STOP.search(said)
    if not (start and stop):
        lines = tuple(said.splitlines()[-5:])
        raise CommandFailedError("pg_basebackup did not say where its backup starts and stops", details=lines)
    return {"start_lsn": start["lsn"], "timeline": int(start["timeline"]), "stop_lsn": stop["lsn"]}


def _require_able(stack: Stack, host: Host) -> tuple[dict[str, Any], Compression]:
    """What the server says of its cluster, and how an archive of it is packed."""
    packing, *_, told = host.processes.run(physical.able(stack, host.compose, FACTS)).stdout.strip().splitlines()
    raw, (program, architecture) = json.loads(told), packing.split()
    _refuse_unable(raw["able"])
    compression = next(each for each in COMPRESSIONS if each.program == program)
    return {**raw["cluster"], "architecture": architecture}, compression


def _refuse_unable(able: dict[str, Any]) -> None:
    problems = (
        ("wal_level is minimal; it must be replica", able["wal_level"] == "minimal"),
        ("max_wal_senders is 0", able["max_wal_senders"] == 0),
        ("max_replication_slots is 0", able["max_replication_slots"] == 0),
        ("POSTGRES_SUPERUSER is no superuser and has no right to replicate", not able["replication"]),
        ("it has tablespaces, which a single archive cannot hold", able["tablespaces"] > 0),
    )
    if found := tuple(text for text, wrong in problems if wrong):
        remedy = "Put that right in the database's configuration, or take a logical set: --kind logical."
        raise PreflightFailedError("The database cannot be copied while it runs", details=found, remedy=remedy)
