"""Builds the indexes that a restore left for later, one after the other, while Chatwoot serves and writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.lock import is_held
from chatwoot_ops.adapters.pipes import Session
from chatwoot_ops.commands import database
from chatwoot_ops.errors import IndexesMissingError, OpsError
from chatwoot_ops.model.check import Check, failed, passed, warned
from chatwoot_ops.model.indexes import Index, build_memory, concurrently, differences, lacking
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import Change, store_of
from chatwoot_ops.operations.database import ask_database

BUILD = "build-indexes"
REMEDY = "The restored data serves; searching is slow. Type 'invoke recover --finish' to build the rest."
POLL_SECONDS, TELL_SECONDS = 0.2, 20.0
# What a definition says of schemas depends on the search path; pg_dump's is empty.
CATALOG = """
SET search_path = pg_catalog;
SELECT coalesce(json_object_agg(n.nspname || '.' || c.relname,
  json_build_array(pg_get_indexdef(c.oid), i.indisvalid, c.oid::regclass)), '{}')
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'chatwoot_ops')
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = i.indrelid AND d.deptype = 'e');
"""
# No commit waits for a dead receiver of the WAL, and no setting of the role ends a long statement. Parallel workers
# would take the processor from customers, and shared memory that the container may not have.
_SETTINGS = """
SET search_path = pg_catalog; SET statement_timeout = 0; SET lock_timeout = 0; SET synchronous_commit = local;
SET max_parallel_maintenance_workers = 0; SET maintenance_work_mem = '{memory}kB'; SELECT json_build_array('ready');
"""
_OURS = f"application_name = '{database.BUILDER}'"
# A killed run's server process goes on building, statement after statement, until its input is at an end.
_BUSY = "a.state = 'active'"
_LEFT = f"({_BUSY} OR a.state_change > now() - interval '3 seconds')"
_PROGRESS = f"""
SELECT coalesce((SELECT json_build_array(coalesce(p.phase, 'beginning'),
  coalesce(100 * p.blocks_done / nullif(p.blocks_total, 0), 0))
FROM pg_stat_activity a LEFT JOIN pg_stat_progress_create_index p USING (pid)
WHERE a.{_OURS} AND {{condition}} LIMIT 1), 'null');
"""  # noqa: S608 - our own words
_STOP = f"SELECT json_agg(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {_OURS};"  # noqa: S608 - our own words


def read_catalog(line: str) -> dict[str, Index]:
    """The answer of CATALOG."""
    found: dict[str, tuple[str, bool, str]] = json.loads(line)
    return {name: Index(*values) for name, values in found.items()}


def build_while_serving(stack: Stack, host: Host, change: Change, wanted: Mapping[str, str], since: str) -> None:
    """Builds what is lacking of a dump's indexes; `change` owes them already, for only the journal knows of them.

    `since` is when the restored data began to serve. Raises IndexesMissingError where one cannot be built, or is not
    what the dump says.
    """
    if not wanted:
        return
    change.step("build-indexes", "Building the indexes that searching needs")
    for name, seconds in build(stack, host, wanted, since=since):
        change.made(f"Built {name} in {seconds} s while Chatwoot served")


def build(stack: Stack, host: Host, wanted: Mapping[str, str], *, since: str = "") -> list[tuple[str, float]]:
    """The indexes that were built, with the seconds each took; all of the dump are there and whole then.

    Raises IndexesMissingError.
    """
    try:
        with host.processes.session(database.session(stack, host.compose)) as watcher:
            _watch(host, watcher, _LEFT, "what an earlier run began")
            built = _build_all(stack, host, watcher, wanted, since)
            problems = differences(wanted, _look(watcher))
            watcher.close()
    except KeyboardInterrupt:
        # The server would go on without us, and who pressed Ctrl-C wants the processor back.
        host.processes.try_run(database.query(stack, host.compose, _STOP, purpose="Ending the build"))
        raise
    except OpsError as error:
        text = f"The indexes could not be built: {error.message}"
        raise IndexesMissingError(text, details=error.details, remedy=REMEDY) from error
    if problems:
        raise IndexesMissingError("The indexes are not those of the dump", details=tuple(problems), remedy=REMEDY)
    return built


def _look(watcher: Session) -> dict[str, Index]:
    watcher.send(CATALOG)
    return read_catalog(watcher.read_line())


def _build_all(
    stack: Stack, host: Host, watcher: Session, wanted: Mapping[str, str], since: str
) -> list[tuple[str, float]]:
    there = _look(watcher)
    waiting = lacking(wanted, there)
    if since:
        host.reporter.note(
            f"Chatwoot serves since {since}. Searching is slow until built: {', '.join(waiting) or 'none'}"
        )
    if not waiting:
        return []
    memory = build_memory(stack.settings["POSTGRES_MEMORY_LIMIT"], stack.settings["POSTGRES_SHARED_BUFFERS"])
    built = []
    with host.processes.session(database.session(stack, host.compose, name=database.BUILDER)) as builder:
        builder.send(_SETTINGS.format(memory=memory // 1024))
        builder.read_line()
        for name in waiting:
            half = f"DROP INDEX CONCURRENTLY {there[name].identity};\n" if name in there else ""
            with host.timed() as spent:
                host.reporter.step(f"Building {name}")
                builder.send(f"{half}{concurrently(wanted[name])};\nSELECT json_build_array('built');\n")
                host.clock.sleep(POLL_SECONDS)
                _watch(host, watcher, _BUSY, name)
                builder.read_line()
            built.append((name, round(spent[0], 1)))
        builder.close()
    return built


def _watch(host: Host, watcher: Session, condition: str, name: str) -> None:
    """Returns when the server builds nothing of ours; tells now and then how far it is."""
    began = told = host.clock.monotonic()
    while (found := _progress(watcher, condition)) is not None:
        if host.clock.monotonic() - told >= TELL_SECONDS:
            told = host.clock.monotonic()
            host.reporter.note(f"{name}: {found[0]}, {found[1]} % after {told - began:.0f} s")
        host.clock.sleep(POLL_SECONDS)


def _progress(watcher: Session, condition: str) -> Any:  # noqa: ANN401 - JSON has no narrower type
    watcher.send(_PROGRESS.format(condition=condition))
    return json.loads(watcher.read_line())


def wanted_of(journal: Journal | None) -> Mapping[str, str]:
    """The indexes of the dump that a restore of this journal brings; empty where none was left for later."""
    found: Mapping[str, str] = journal.facts("storage").get("indexes", {}) if journal else {}
    return found


def _there(stack: Stack, host: Host) -> dict[str, Index]:
    return read_catalog(json.dumps(ask_database(stack, host, CATALOG, purpose="Listing the indexes")))


def missing_indexes(stack: Stack, host: Host) -> tuple[str, ...]:
    """The indexes that a restore in progress, or one that was cut off, has still to build in the database that serves.

    Raises CommandFailedError where the database cannot be asked.
    """
    journal = store_of(stack, host).read()
    if journal is None or not journal.reached("start") or journal.reached("put-back"):
        return ()
    wanted = wanted_of(journal)
    return lacking(wanted, _there(stack, host)) if wanted else ()


def indexes_check(stack: Stack, host: Host) -> Check:
    """Whether the restored database has all indexes of its dump; one that is still being built is a warning."""
    name = "indexes of the restore"
    try:
        missing = missing_indexes(stack, host)
    except OpsError as error:
        return failed(name, f"could not check: {error.message}", "Type 'invoke recover'")
    if not missing:
        return passed(name, "none is missing")
    seen = f"searching is slow without {', '.join(missing)}"
    if is_held(stack.project):
        return warned(name, f"{seen}; the restore is building them", "Wait for it to end")
    return failed(name, seen, "Type 'invoke recover --finish'")
