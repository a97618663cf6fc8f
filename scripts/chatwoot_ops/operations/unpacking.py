"""A physical set's cluster on its way into service: fit for the image, unpacked, verified, recovered, compared."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import physical, staging
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.cluster import ClusterFacts, compression_of
from chatwoot_ops.model.reach import moment_of
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.model.wal import Recovery
from chatwoot_ops.operations.base_backup import FACTS
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.digests import OUTLINE
from chatwoot_ops.operations.source import Source
from chatwoot_ops.operations.staging import Staged, foreign_in, owners_sql, read_staged, wait_until_serving

# Recovery reads all WAL that was written while the backup ran, after it has put every file on disk.
RECOVERY_TIMEOUT_SECONDS = 4 * 3600.0
_LAST_LINES = 12
_COMPARED = ("system_identifier", "major", "database", "encoding", "collation_provider", "collation", "data_checksums")
# No statement with a password reaches the server's log, whatever the restored configuration says.
_PASSWORDS = """
SET log_statement = 'none'; SET log_min_error_statement = 'panic'; SET log_min_duration_statement = -1;
SET standard_conforming_strings = on;
"""
_REACHED = """
SELECT json_build_array(to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"'),
  pg_last_wal_replay_lsn());
"""
# Rows that came and went, or whose file was not yet written, while the backup ran; a minute for clocks and commits.
_RECENT = """
SELECT coalesce(json_agg(key), '[]') FROM active_storage_blobs
WHERE created_at >= '{began}'::timestamp - interval '1 minute';
"""


def refuse_cluster(stack: Stack, host: Host, source: Source) -> None:
    """Raises BackupSetInvalidError, before anything is touched, where this stack's image cannot run the cluster."""
    cluster = source.set.manifest.cluster if source.set else None
    if cluster is None:
        return
    lines = host.processes.run(physical.image_abilities(stack.images[DATABASE])).stdout.split()
    architecture, major, *programs = lines
    superuser, database = stack.settings["POSTGRES_SUPERUSER"], stack.settings["POSTGRES_DATABASE"]
    found = (
        _other("processor architecture", cluster.architecture, architecture),
        _other("PostgreSQL major version", str(cluster.major), major),
        _other("POSTGRES_SUPERUSER", cluster.superuser, superuser),
        _other("POSTGRES_DATABASE", cluster.database, database),
        _unpacker(source.dump.name, programs),
    )
    if problems := tuple(each for each in found if each):
        remedy = "A logical set goes anywhere; a physical one needs its own kind of server. Nothing was changed."
        raise BackupSetInvalidError("The set's cluster cannot run here", details=problems, remedy=remedy)


def _other(what: str, theirs: str, mine: str) -> str:
    return "" if theirs == mine else f"{what}: {theirs} in the set, {mine} here"


def _unpacker(archive: str, programs: list[str]) -> str:
    try:
        program = compression_of(archive).program
    except KeyError:
        return f"{archive}: packed in a way that this version does not know"
    return "" if program in programs else f"{archive}: the database image has no {program} to unpack it"


def unpack_cluster(stack: Stack, host: Host, source: Source, change: Change, cluster: str) -> Staged:
    """A server on the set's own files, recovered, that is what the set promises; no index is built.

    Raises BackupSetInvalidError naming every file or fact that is not, CommandFailedError where it does not start.
    """
    operation, archive = change.opening.id, source.dump
    how = {"operation": operation, "cluster": cluster}
    command = physical.start(stack, host.compose, **how, folder=archive.parent, recovery=source.recovery)
    host.processes.run(command)
    change.step("load", "Unpacking the cluster")
    packed = compression_of(archive.name)
    host.processes.run(physical.unpack(stack, operation, cluster, archive.name, packed))
    change.step("prove", "Proving the new cluster")
    _verify(stack, host, operation, cluster, serve=not source.recovery)
    if source.recovery:
        change.step("recover", f"Recovering to {source.recovery.moment}")
        host.processes.run(physical.recover(stack, operation, cluster))
    wait_until_serving(stack, host, operation, timeout=RECOVERY_TIMEOUT_SECONDS)
    if source.recovery:
        change.made(_reached(stack, host, operation, source.recovery))
    return _prove(stack, host, source, operation)


def _reached(stack: Stack, host: Host, operation: str, recovery: Recovery) -> str:
    at, lsn = json.loads(host.processes.run(staging.ask(stack, operation, _REACHED)).stdout.strip())
    # Recovery takes WAL that is damaged for the end of it and says nothing.
    if recovery.newest and (not at or moment_of(at) < moment_of(recovery.newest)):
        text = f"Recovery ended at {at or 'the base backup itself'}, before the last change of {recovery.newest}"
        remedy = f"The WAL of {recovery.chain} is damaged there; choose an earlier moment, or a later set."
        raise BackupSetInvalidError(text, remedy=remedy)
    return f"Recovered up to the last change of {at or 'the base backup itself'}, at {lsn} in the WAL."


def _verify(stack: Stack, host: Host, operation: str, cluster: str, *, serve: bool) -> None:
    seen = host.processes.try_run(physical.verify(stack, operation, cluster, serve=serve))
    if seen.code != 0:
        details = tuple(host.processes.mask(f"{seen.stdout}{seen.stderr}").splitlines()[-_LAST_LINES:])
        raise BackupSetInvalidError("The unpacked cluster is not what was backed up", details=details)


def _prove(stack: Stack, host: Host, source: Source, operation: str) -> Staged:
    wanted = source.set.manifest.cluster if source.set else None
    assert wanted is not None  # noqa: S101 - for the type checker: nothing else is unpacked
    found = json.loads(host.processes.run(staging.ask(stack, operation, FACTS)).stdout.strip().splitlines()[-1])
    if problems := cluster_problems(wanted, found["cluster"]):
        remedy = "Set POSTGRES_IMAGE to the image the set was made with, or restore a logical set."
        raise BackupSetInvalidError("The new cluster is not fit for this image", details=problems, remedy=remedy)
    # In one call: each takes as long as copying many megabytes.
    making = passwords_sql(stack) + owners_sql(stack) + _RECENT.format(began=wanted.began)
    purpose = "Giving the roles the passwords of .env, and the tables to Chatwoot's"
    said = host.processes.run(staging.ask(stack, operation, making, purpose=purpose)).stdout
    foreign, recent = said.splitlines()[-2:]
    staged = read_staged(stack, host, operation, OUTLINE)
    return replace(staged, foreign=foreign_in(foreign), recent=frozenset(json.loads(recent)))


def cluster_problems(wanted: ClusterFacts, found: dict[str, Any]) -> tuple[str, ...]:
    """Every fact that differs, a line each; a collation of another version sorts text otherwise than its indexes do."""
    lines = [
        f"{name}: {getattr(wanted, name)} in the set, {found[name]} here"
        for name in _COMPARED
        if getattr(wanted, name) != found[name]
    ]
    if wanted.collation_version != found["collation_version"]:
        versions = f"{wanted.collation_version or 'none'} in the set, {found['collation_version'] or 'none'} here"
        lines.append(f"collation version: {versions}; indexes of text would miss rows")
    return tuple(lines)


def passwords_sql(stack: Stack) -> str:
    """What brings both roles' passwords to what `.env` says; it may travel by standard input only."""
    roles = {
        stack.settings["POSTGRES_SUPERUSER"]: stack.settings["POSTGRES_SUPERUSER_PASSWORD"],
        stack.settings["POSTGRES_USERNAME"]: stack.settings["POSTGRES_PASSWORD"],
    }
    return _PASSWORDS + "".join(
        f"ALTER ROLE {_quoted(role, chr(34))} PASSWORD {_quoted(password, chr(39))};\n"
        for role, password in roles.items()
    )


def _quoted(text: str, mark: str) -> str:
    return f"{mark}{text.replace(mark, mark * 2)}{mark}"
