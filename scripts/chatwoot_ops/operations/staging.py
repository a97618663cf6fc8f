"""Builds the new cluster beside the one that serves, and proves it there, before anything can write to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from chatwoot_ops.adapters.files import is_gzipped, read_unpacked
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import staging
from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError
from chatwoot_ops.model.backup_set import DataDigest
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.indexes import Plan, differences, plan, surplus
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.database import HIGH
from chatwoot_ops.operations.digests import DIGEST, read_digest
from chatwoot_ops.operations.indexes import CATALOG, read_catalog
from chatwoot_ops.operations.instance import RECORD_ANEW
from chatwoot_ops.operations.keys import SAMPLES, read_samples
from chatwoot_ops.operations.plain_sql import plain_sql
from chatwoot_ops.operations.storage import BLOBS, read_blobs

START_TIMEOUT_SECONDS = 180
_ENDED = "is not running"
_LAST_LINES = 12

# A dump is loaded by the superuser; what Chatwoot works with must then belong to Chatwoot's own role.
_OWNERS = """
SELECT format('ALTER %s public.%I OWNER TO %I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW'
  WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, c.relname, :'role')
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S', 'v', 'm')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i', 'e')) \\gexec
SELECT format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, :'role')
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') \\gexec
SELECT format('ALTER TYPE public.%I OWNER TO %I', t.typname, :'role')
FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e') \\gexec
SELECT json_build_array(count(*)) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S') AND r.rolname <> :'role'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e');
"""


@dataclass(frozen=True, slots=True)
class Staged:
    """What the new cluster holds: its digest, its encrypted samples, and its rows of stored files.

    `foreign` are tables and sequences that do not belong to Chatwoot's role though they were given to it.
    `recent` are keys of rows that were written while a physical set was taken: their files may not be in it.
    `indexes` are those of the dump where some are built later, `high` the highest row numbers before it serves, and
    `index_problems` says how the others differ from the dump's.
    """

    data: DataDigest
    samples: list[tuple[str, str]]
    blobs: dict[str, tuple[int, str]]
    foreign: int = 0
    recent: frozenset[str] = frozenset()
    indexes: Mapping[str, str] = field(default_factory=dict)
    high: Mapping[str, int] = field(default_factory=dict)
    index_problems: tuple[str, ...] = ()


def start_cluster(stack: Stack, host: Host, operation: str, cluster: str, folder: Path) -> None:
    """An empty cluster with Chatwoot's role, database and extensions, made exactly as a first start makes it."""
    host.processes.run(staging.start(stack, host.compose, operation=operation, cluster=cluster, folder=folder))
    wait_until_serving(stack, host, operation)


def wait_until_serving(stack: Stack, host: Host, operation: str, timeout: float = START_TIMEOUT_SECONDS) -> None:
    """Returns when the new cluster answers.

    Raises CommandFailedError with its last words when its container ended, or `timeout` seconds are over.
    """
    probe = staging.ask(stack, operation, "SELECT 1;")
    seen: list[Finished] = []

    def decided() -> bool:
        seen.append(host.processes.try_run(probe))
        # Waiting on brings no ended container back; its last words say what the matter is (a full disk, say).
        return seen[-1].code == 0 or _ENDED in seen[-1].stderr

    host.clock.wait_until(decided, timeout=timeout, interval=0.1)
    if seen[-1].code != 0:
        said = host.processes.try_run(staging.last_words(stack, operation))
        lines = host.processes.mask(f"{said.stdout}{said.stderr}").splitlines()
        raise CommandFailedError("The new cluster did not start", details=tuple(lines[-_LAST_LINES:]))


def read_plan(stack: Stack, host: Host, operation: str, dump: Path, *, early: bool) -> Plan:
    """How to load a dump; only one that pg_restore can list tells its indexes. Without `early` none comes later."""
    if form_of(dump) == "plain" or (dump.is_file() and is_gzipped(dump)):
        return Plan()
    said = host.processes.run(staging.outline(stack, operation, dump.name)).stdout
    listing, _, sql = said.partition(f"{staging.LAST_SECTION}\n")
    found = plan(listing, sql)
    return found if early else replace(found, late=(), use_list="")


def load(stack: Stack, host: Host, operation: str, dump: Path, use_list: str = "") -> int:
    """Loads a dump of any form: custom, directory, plain SQL, each of them gzipped or not.

    Returns how many tables and sequences do not belong to Chatwoot's role then.
    """
    if form_of(dump) == "plain":
        host.processes.feed(staging.session(stack, operation), plain_sql(read_unpacked(dump)))
    elif dump.is_file() and is_gzipped(dump):
        # From a pipe pg_restore cannot load in parallel, and a compressed file cannot be read in any other way.
        host.processes.feed(staging.load_from_pipe(stack, operation), read_unpacked(dump))
    else:
        host.processes.run(staging.load(stack, operation, dump.name, use_list))
    purpose = "Giving the tables to Chatwoot's role"
    said = host.processes.run(staging.ask(stack, operation, owners_sql(stack), purpose=purpose)).stdout
    host.processes.run(staging.ask(stack, operation, "ANALYZE;", purpose="Counting the rows for the planner"))
    return foreign_in(said.strip())


def owners_sql(stack: Stack) -> str:
    """What makes Chatwoot's role the owner of all that it works with: a superuser's hand may have made some of it.

    Its answer, for `foreign_in`, is how many tables and sequences are somebody else's still.
    """
    role = stack.settings["POSTGRES_USERNAME"].replace("'", "''")
    return f"\\set role '{role}'\n{_OWNERS}"


def foreign_in(line: str) -> int:
    """The answer of `owners_sql`."""
    row: list[int] = json.loads(line)
    return row[0]


def form_of(dump: Path) -> str:
    """The form of a dump by its first bytes: "custom", "directory" or "plain".

    Raises BackupSetInvalidError for a file that is none of them.
    """
    if dump.is_dir():
        if (dump / "toc.dat").is_file():
            return "directory"
        raise BackupSetInvalidError(f"{dump} is a folder without toc.dat, so no dump of pg_dump")
    head = next(iter(read_unpacked(dump)), b"")
    if head.startswith(b"PGDMP"):
        return "custom"
    if b"PostgreSQL database dump" in head[:4096] or b"CREATE " in head:
        return "plain"
    raise BackupSetInvalidError(
        f"{dump} is no dump that can be read", remedy="pg_dump's custom, directory and plain forms are."
    )


def read_staged(stack: Stack, host: Host, operation: str, question: str = DIGEST) -> Staged:
    """What the new cluster holds, read in one session; `question` says how closely."""
    with host.processes.session(staging.session(stack, operation)) as session:
        session.send(BLOBS + "SELECT json_build_array();\n" + SAMPLES + question)
        session.close()
        blobs = read_blobs(session.read_line)
        samples = read_samples(session.read_line)
        data = read_digest(session.read_line)
    return Staged(data, samples, blobs)


def with_indexes(stack: Stack, host: Host, operation: str, staged: Staged, loaded: Plan) -> Staged:
    """The same with how the new cluster's indexes compare with the dump's: nothing to say where it told none."""
    if not loaded.indexes:
        return staged
    said = host.processes.run(staging.ask(stack, operation, CATALOG)).stdout
    there, wanted, late = read_catalog(said.strip().splitlines()[-1]), loaded.indexes, loaded.late
    problems = (*differences(wanted, there, late=late), *surplus(wanted, there, late=late))
    return replace(staged, indexes=wanted if late else {}, index_problems=problems)


def record_instance(stack: Stack, host: Host, operation: str) -> dict[str, int]:
    """Records in the new cluster whose it is; the highest row numbers before it serves: customers write those above."""
    sql = RECORD_ANEW % {"id": stack.settings["CHATWOOT_INSTANCE_ID"]} + f"{HIGH};"
    said = host.processes.run(staging.ask(stack, operation, sql, purpose="Recording the instance")).stdout
    found: dict[str, int] = json.loads(said.strip().splitlines()[-1])
    return found
