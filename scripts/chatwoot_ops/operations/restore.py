"""Puts a backup set into service: proved, built beside the old cluster, proved again, swapped in one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, redis, staging
from chatwoot_ops.errors import (
    BackupSetInvalidError,
    ConfirmationMissingError,
    NothingServesError,
    OpsError,
    RestoreFailedError,
)
from chatwoot_ops.model.backup_set import STORAGE_ARTIFACT, StorageProof, differences
from chatwoot_ops.model.check import failures
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import DATABASE, REDIS, SERVICES, SIDEKIQ, Stack
from chatwoot_ops.operations.backup import require_whole
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.containers import wait_until_healthy
from chatwoot_ops.operations.database import versions_of_image
from chatwoot_ops.operations.instance import RECORD_ANEW
from chatwoot_ops.operations.keys import key_problems
from chatwoot_ops.operations.loss import loss_of_restore
from chatwoot_ops.operations.migrate import prepare
from chatwoot_ops.operations.smoke import smoke
from chatwoot_ops.operations.source import Source, refuse_unfit, source_of_dump, source_of_set
from chatwoot_ops.operations.staging import Staged, foreign_owners, load, read_staged, start_cluster
from chatwoot_ops.operations.storage import files_in_volume, place_archive, prove_files


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """What an operator asks of a restore beside its source."""

    yes: bool = False
    adopt: bool = False
    migrate: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What serves now: the source, rows and tables, the proof of the stored files, and seconds per step."""

    source: str
    tables: int
    rows: int
    storage: StorageProof
    keys: str
    seconds: float
    away_seconds: float


def restore_from(stack: Stack, host: Host, where: Mapping[str, str], options: RestoreOptions) -> Restored:
    """The same, from a dump where one is named, else from a set."""
    dump = where["dump"]
    source = source_of_dump(dump, where["storage"]) if dump else source_of_set(stack, where["set"])
    return restore(stack, host, source, options)


def restore(
    stack: Stack, host: Host, source: Source, options: RestoreOptions, *, resume: Journal | None = None
) -> Restored:
    """Replaces the data by the source's.

    Raises BackupSetInvalidError or ReleaseRefusedError before anything is touched, ConfirmationMissingError when the
    loss was not confirmed, RestoreFailedError when the old data serves, NothingServesError when it does not.
    """
    if source.set is not None:
        host.reporter.step(f"Verifying {source.name}")
        require_whole(stack, host, source.set)
    refuse_unfit(stack, source, adopt=options.adopt, migrate=options.migrate)
    if resume is None:
        _confirm(stack, host, source, options)
    noted = {"source": source.noted(), **asdict(options)}
    with changing(stack, host, "restore", noted, resume=resume) as change, host.timed() as spent:
        restored = _restore(stack, host, source, options, change)
    return replace(restored, seconds=round(spent[0], 1))


def _confirm(stack: Stack, host: Host, source: Source, options: RestoreOptions) -> None:
    for line in loss_of_restore(stack, host, source):
        host.reporter.note(line)
    if options.yes:
        return
    answer = host.reporter.confirm("Replace the data?")
    if not answer:
        why = "nobody could be asked" if answer is None else "the answer was no"
        raise ConfirmationMissingError(
            f"Nothing was restored: {why}", remedy="Add --yes to confirm. Nothing was changed."
        )


def _restore(stack: Stack, host: Host, source: Source, options: RestoreOptions, change: Change) -> Restored:
    cluster = f"{host.clock.now():%Y%m%dT%H%M%SZ}-{change.opening.id}"
    previous = host.processes.run(staging.current_cluster(stack)).stdout.strip()
    try:
        staged = _stage(stack, host, source, change, cluster, migrate=options.migrate)
        proof = _storage(stack, host, source, change, staged)
    except BaseException as error:
        _drop_staged(stack, host, change.opening.id, cluster)
        if isinstance(error, OpsError):
            raise _old_serves(error) from error
        raise
    away = _swap(stack, host, change, cluster, previous, migrate=options.migrate)
    change.step("clean", "Removing clusters older than the one before")
    host.processes.run(staging.remove_clusters_but(stack, f"clusters/{cluster}", previous))
    rows = sum(table.rows for table in staged.data.tables.values())
    keys = f"{len(staged.samples)} encrypted values opened"
    return Restored(source.name, len(staged.data.tables), rows, proof, keys, 0.0, away)


def _stage(stack: Stack, host: Host, source: Source, change: Change, cluster: str, *, migrate: bool) -> Staged:
    operation = change.opening.id
    change.step("stage", "Making a cluster beside the one that serves", cluster=cluster, operation=operation)
    start_cluster(stack, host, operation, cluster, source.dump.parent)
    change.step("load", "Loading the dump")
    load(stack, host, operation, source.dump)
    change.step("prove", "Proving the new cluster")
    staged = read_staged(stack, host, operation)
    problems = (
        *_problems(source, staged, foreign_owners(stack, host, operation)),
        *key_problems(staged.samples, stack.settings.values),
    )
    if problems:
        raise BackupSetInvalidError("The new cluster is not what the source promises", details=problems)
    _require_release(stack, host, staged, migrate=migrate)
    anew = RECORD_ANEW % {"id": stack.settings["CHATWOOT_INSTANCE_ID"]}
    host.processes.run(staging.ask(stack, operation, anew, purpose="Recording the instance"))
    host.processes.run(staging.end(stack, operation))
    host.processes.run(staging.name_cluster(stack, cluster))
    return staged


def _problems(source: Source, staged: Staged, foreign: int) -> tuple[str, ...]:
    found = [f"{foreign} tables or sequences do not belong to Chatwoot's role"] if foreign else []
    if source.set is not None:
        found += differences(source.set.manifest.data, staged.data)
    return tuple(found)


def _require_release(stack: Stack, host: Host, staged: Staged, *, migrate: bool) -> None:
    known, there = versions_of_image(stack, host), set(staged.data.migrations)
    newer, lacking = sorted(there - known), sorted(known - there)
    if newer:
        text = f"The data is of a newer release than the image: {len(newer)} migrations are unknown to it"
        raise BackupSetInvalidError(text, details=tuple(newer), remedy="Restore it with its own release.")
    if lacking and not migrate:
        text = f"The data is of an older release than the image: {len(lacking)} migrations are missing"
        raise BackupSetInvalidError(
            text, details=tuple(lacking), remedy="Restore it with its own release, or add --migrate."
        )


def _storage(stack: Stack, host: Host, source: Source, change: Change, staged: Staged) -> StorageProof:
    change.step("storage", "Restoring the stored files")
    archive = source.storage or (Path(source.set.path) / STORAGE_ARTIFACT if source.set else None)
    if archive is not None:
        place_archive(stack, host, archive)
    proof = prove_files(files_in_volume(stack, host), staged.blobs)
    known = source.set.manifest.storage if source.set else None
    missing = set(proof.missing) - set(known.missing if known else ())
    wrong = set(proof.wrong) - set(known.wrong if known else ())
    if archive is not None and (missing or wrong):
        details = (*(f"missing: {key}" for key in sorted(missing)), *(f"wrong: {key}" for key in sorted(wrong)))
        raise BackupSetInvalidError("Stored files do not match the rows", details=details[:20])
    return proof


def _swap(stack: Stack, host: Host, change: Change, cluster: str, previous: str, *, migrate: bool) -> float:
    """Returns the seconds the database was away; the web stays up meanwhile and its requests wait.

    The worker stops before Redis is flushed: running, it would lose its cron jobs (recordings/README.md).
    """
    target = f"clusters/{cluster}"
    stopped = SERVICES[2:] if migrate else (SIDEKIQ,)
    change.step("stop", "Stopping worker and database", previous=previous, target=target)
    try:
        host.processes.run(compose.stop(stack, host.compose, *stopped))
        began = host.clock.monotonic()
        host.processes.run(compose.stop(stack, host.compose, DATABASE))
        change.step("swap", "Putting the new cluster in place", previous=previous, target=target)
        _flush(stack, host)
        host.processes.run(staging.swap(stack, target))
        change.step("start", "Starting database and worker")
        start_data(stack, host)
        away = round(host.clock.monotonic() - began, 1)
        if migrate:
            prepare(stack, host, change)
        start_rest(stack, host)
        change.step("smoke", "Asking the running stack")
        _require_well(stack, host)
    except OpsError as error:
        _put_back_or_give_up(stack, host, change, previous, error)
        raise _old_serves(error) from error
    return away


def start_data(stack: Stack, host: Host) -> None:
    """Database and Redis, healthy."""
    host.processes.run(compose.up(stack, host.compose, DATABASE, REDIS))
    wait_until_healthy(stack, host, (DATABASE, REDIS))


def start_rest(stack: Stack, host: Host) -> None:
    """Every service, healthy."""
    host.processes.run(compose.up(stack, host.compose))
    wait_until_healthy(stack, host, SERVICES)


def _flush(stack: Stack, host: Host) -> None:
    # Jobs and caches of the old data must not meet the new: ids now mean other records (facts, 11).
    host.processes.run(compose.up(stack, host.compose, REDIS))
    wait_until_healthy(stack, host, (REDIS,))
    host.processes.run(redis.ask(stack, host.compose, "FLUSHALL", purpose="Flushing Redis"))


def _require_well(stack: Stack, host: Host) -> None:
    bad = failures(smoke(stack, host, quick=True))
    if bad:
        details = tuple(f"{check.name}: {check.seen}" for check in bad)
        raise RestoreFailedError("The restored stack does not pass the smoke check", details=details)


def _old_serves(error: OpsError) -> OpsError:
    remedy = error.remedy or "The data from before the restore is in service; nothing of it was changed."
    return RestoreFailedError(f"The restore failed: {error.message}", details=error.details, remedy=remedy)


def _drop_staged(stack: Stack, host: Host, operation: str, cluster: str) -> None:
    host.processes.try_run(staging.remove(stack, operation))
    host.processes.try_run(staging.remove_partial(stack, cluster))


def _put_back_or_give_up(stack: Stack, host: Host, change: Change, previous: str, error: OpsError) -> None:
    change.step("put-back", "Putting the old cluster back", previous=previous)
    try:
        put_back(stack, host, previous)
    except OpsError as second:
        details = (*error.details, f"putting the old data back: {second.message}", *second.details)
        place = previous or "its root"
        remedy = f"The old cluster is in the volume as {place}. Type 'invoke doctor'; see docs/runbooks/volume-lost.md."
        raise NothingServesError(f"The restore failed: {error.message}", details=details, remedy=remedy) from error


def put_back(stack: Stack, host: Host, previous: str) -> None:
    """The cluster from before in service again, its queue empty, and the stack healthy."""
    host.processes.run(compose.stop(stack, host.compose, SIDEKIQ, DATABASE))
    if host.processes.run(staging.current_cluster(stack)).stdout.strip() != previous:
        _flush(stack, host)
        host.processes.run(staging.swap(stack, previous))
    start_data(stack, host)
    start_rest(stack, host)


def undo_restore(stack: Stack, host: Host, journal: Journal) -> None:
    """What `recover --undo` does: the old cluster serves, and what was built beside it is gone."""
    with changing(stack, host, "undo-restore", resume=journal) as change:
        facts = journal.facts("stage")
        stopped = journal.facts("stop")
        if stopped:
            change.step("put-back", "Putting the old cluster back", previous=stopped["previous"])
            put_back(stack, host, str(stopped["previous"]))
        if facts:
            change.step("drop-staged", "Removing what was built beside it", cluster=facts["cluster"])
            _drop_staged(stack, host, str(facts["operation"]), str(facts["cluster"]))
