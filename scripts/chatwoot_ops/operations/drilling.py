"""What a drill does inside its throwaway stack: restore, start the web without a worker, and prove what came back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from uuid import uuid4

from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, database, staging
from chatwoot_ops.model.backup_set import BackupSet, StorageProof
from chatwoot_ops.model.check import Check, Outcome, failed, passed, warned
from chatwoot_ops.model.command import COPY_TIMEOUT
from chatwoot_ops.model.journal import Opening
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.model.troubled_file import lines_of
from chatwoot_ops.operations.building import build_cluster, restore_files
from chatwoot_ops.operations.changing import Change, store_of
from chatwoot_ops.operations.containers import wait_until_answering
from chatwoot_ops.operations.digests import ROWS
from chatwoot_ops.operations.indexes import build
from chatwoot_ops.operations.instance import instances
from chatwoot_ops.operations.lost_files import files_told
from chatwoot_ops.operations.migrate import prepare
from chatwoot_ops.operations.opened_sets import opened_source
from chatwoot_ops.operations.probes import data, web
from chatwoot_ops.operations.probes.asking import asked, direct_headers
from chatwoot_ops.operations.probes.inside import InsideHttp
from chatwoot_ops.operations.readying import make_ready
from chatwoot_ops.operations.smoke import Ask
from chatwoot_ops.operations.source import Source
from chatwoot_ops.operations.staging import Staged
from chatwoot_ops.operations.swapping import start_data

OVERLAY = "docker-compose.drill.yml"
LOGIN = "/app/login"
_THEN = "were missing or wrong already when the set was made"
_REMEDY = "See docs/how-to/drill.md, section What a failed drill means"


@dataclass(frozen=True, slots=True)
class Proved:
    """What came back: rows, tables and stored files that were compared one by one, and every check.

    `building_seconds` were spent on indexes, once the stack could be used.
    """

    rows: int
    tables: int
    files: int
    checks: tuple[Check, ...]
    building_seconds: float = 0.0


def isolated(stack: Stack) -> Stack:
    """The stack on an internal network, with no published port."""
    return replace(stack, overlays=(OVERLAY,))


def opened(stack: Stack, host: Host, set_name: str) -> Change:
    """The throwaway stack's own journal, which goes when it goes."""
    opening = Opening("drill", uuid4().hex[:12], host.machine.user(), 0, host.clock.stamp(), {"set": set_name})
    store = store_of(stack, host)
    store.open(opening)
    return Change(opening, store, host, None)


def bring_back(stack: Stack, host: Host, source: Source, backup_set: BackupSet, identity: Identity | None) -> Proved:
    """The set restored as onto an empty machine, served by the database and the web alone, and proved.

    Raises the errors of the restore; StackUnhealthyError where the web does not serve.
    """
    change = opened(stack, host, backup_set.manifest.name)
    return serve_and_prove(stack, host, source, change, backup_set.manifest.instance, identity)


def serve_and_prove(  # noqa: PLR0917 - one story, told once
    stack: Stack,
    host: Host,
    source: Source,
    change: Change,
    instance: str,
    identity: Identity | None = None,
    *,
    migrate: bool = False,
) -> Proved:
    """The same of any source, for the installation that it shall belong to; with `migrate` brought to the release."""
    make_ready(stack, host, change)
    cluster = change.cluster_name()
    with opened_source(stack, change, source, identity) as readable:
        staged = build_cluster(stack, host, readable, change, cluster, migrate=migrate)
        placed = restore_files(stack, host, readable, change, staged)
    inside = _serve(stack, host, change, cluster, migrate=migrate)
    change.step("ask", "Asking the restored stack")
    counted = _rows(staged) or _counted(stack, host)
    lost = lines_of(files_told(stack, host, placed))
    checks = (
        *_restored(source, staged, placed.proof, counted, lost),
        *_running(stack, replace(host, http=inside), instance),
    )
    with host.timed() as spent:
        checks = (*checks, *_indexes(stack, host, change, staged))
    return Proved(sum(counted.values()), len(counted), placed.proof.proved, checks, spent[0])


def _serve(stack: Stack, host: Host, change: Change, cluster: str, *, migrate: bool) -> InsideHttp:
    change.step("serve", "Starting the restored database and the web, without the worker")
    host.processes.run(staging.swap(stack, f"clusters/{cluster}"))
    start_data(stack, host)
    if migrate:
        prepare(stack, host, change)
    host.processes.run(compose.up_alone(stack, host.compose, RAILS))
    inside, headers = InsideHttp(stack, host), direct_headers(stack)
    wait_until_answering(stack, host, (RAILS,), lambda: inside.get(LOGIN, headers=headers).status == web.OK)
    return inside


def _indexes(stack: Stack, host: Host, change: Change, staged: Staged) -> tuple[Check, ...]:
    """Proof that what a restore leaves for later can be built; a physical set left nothing."""
    if not staged.indexes:
        return ()
    change.step("build-indexes", "Building the indexes that searching needs")
    took = ", ".join(f"{name} in {seconds} s" for name, seconds in build(stack, host, staged.indexes))
    return (passed("later indexes", f"all {len(staged.indexes)} are as in the dump; built: {took}"),)


def _rows(staged: Staged) -> dict[str, int]:
    """The rows of each table that were compared with the manifest; none of a set of the cluster's own files."""
    return {name: table.rows for name, table in staged.data.tables.items()}


def _counted(stack: Stack, host: Host) -> dict[str, int]:
    """The rows of each table of the database that serves, counted one by one."""
    command = database.query(stack, host.compose, ROWS, purpose="Counting the rows", timeout=COPY_TIMEOUT)
    return dict(json.loads(line) for line in host.processes.run(command).stdout.splitlines() if line)


def _running(stack: Stack, host: Host, instance: str) -> tuple[Check, ...]:
    parts: tuple[tuple[str, Ask], ...] = (
        ("instance", lambda: _instance(stack, host, instance)),
        ("web pages", lambda: web.pages(stack, host)),
        ("database", lambda: data.database(stack, host)),
    )
    return tuple(check for name, ask in parts for check in asked(name, ask, _REMEDY))


def _restored(
    source: Source, staged: Staged, proof: StorageProof, rows: dict[str, int], lost: tuple[str, ...]
) -> tuple[Check, ...]:
    """Each of these was compared while the cluster was built; a difference would have ended the drill."""
    wrong = (*(set(proof.missing) - staged.recent), *proof.wrong)
    # A set of the cluster's own files is proved by those; its manifest counts no rows.
    compared = _promise(source) if staged.data.tables else ", counted; the cluster's files were verified"
    files = f"{proof.proved} proved by size and MD5"
    return (
        passed("rows", f"{sum(rows.values())} in {len(rows)} tables{compared}"),
        passed("sequences", f"{len(staged.data.sequences)}{', each where it was' if _promise(source) else ''}"),
        passed("triggers and extensions", f"{staged.data.triggers} and {len(staged.data.extensions)}"),
        warned("stored files", f"{files}; {len(wrong)} {_THEN}: {'; '.join(lost)}", _REMEDY)
        if wrong
        else passed("stored files", files),
        passed("encrypted rows", f"{len(staged.samples)} opened with the keys at hand")
        if staged.samples
        else Check("encrypted rows", Outcome.NOT_CONFIGURED, "the data holds none yet"),
    )


def _promise(source: Source) -> str:
    """How closely the rows were compared with what they were where they come from."""
    if source.set is not None:
        return ", their content as in the manifest"
    if source.promised is None:
        return ""
    hashed = any(table.digest for table in source.promised.tables.values())
    return ", their content as in the source" if hashed else ", as many in each as in the source"


def _instance(stack: Stack, host: Host, wanted: str) -> Check:
    there = instances(stack, host)
    if there != [wanted]:
        return failed("instance", f"the database says {', '.join(there) or 'nothing'}, the set {wanted}", _REMEDY)
    return passed("instance", wanted)
