"""Builds what a restore puts into service: the new cluster and the stored files, both proved before anything serves."""

from __future__ import annotations

from dataclasses import replace

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import staging
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.data_differences import differences
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.database import versions_of_image
from chatwoot_ops.operations.keys import key_problems
from chatwoot_ops.operations.lost_files import PlacedFiles, ask_staged, lost_in_set, lost_of, refuse_lost
from chatwoot_ops.operations.source import Source
from chatwoot_ops.operations.staging import (
    Staged,
    load,
    read_plan,
    read_staged,
    record_instance,
    start_cluster,
    with_indexes,
)
from chatwoot_ops.operations.storage import files_in_volume, prove_files
from chatwoot_ops.operations.stored_archives import place_archives
from chatwoot_ops.operations.troubled_files import ask_where
from chatwoot_ops.operations.unpacking import unpack_cluster


def build_cluster(stack: Stack, host: Host, source: Source, change: Change, cluster: str, *, migrate: bool) -> Staged:
    """A cluster under its final name that holds what the source promises, and no container that holds the volume.

    Indexes that take long are left for when it serves; not where migrations follow, which may name any index.
    Raises BackupSetInvalidError naming every way in which it does not.
    """
    operation, known = change.opening.id, versions_of_image(stack, host)
    change.step("stage", "Making a cluster beside the one that serves", cluster=cluster, operation=operation)
    if source.physical:
        staged = unpack_cluster(stack, host, source, change, cluster)
    else:
        staged = _load_dump(stack, host, source, change, cluster, early=not migrate)
    problems = (
        *_problems(source, staged),
        *key_problems(staged.samples, stack.settings.values),
    )
    if problems:
        raise BackupSetInvalidError("The new cluster is not what the source promises", details=problems)
    _require_release(known, staged, migrate=migrate)
    refuse_lost(lost_in_set(source, staged), lambda keys: ask_staged(stack, host, operation, keys))
    staged = replace(staged, high=record_instance(stack, host, operation))
    host.processes.run(staging.end(stack, operation))
    # An ended container still holds the volume: nobody could remove it then.
    host.processes.run(staging.remove(stack, operation))
    host.processes.run(staging.name_cluster(stack, cluster))
    return staged


def _load_dump(stack: Stack, host: Host, source: Source, change: Change, cluster: str, *, early: bool) -> Staged:
    operation = change.opening.id
    start_cluster(stack, host, operation, cluster, source.dump.parent)
    change.step("load", "Loading the dump")
    plan = read_plan(stack, host, operation, source.dump, early=early)
    foreign = load(stack, host, operation, source.dump, plan.use_list)
    change.step("prove", "Proving the new cluster")
    staged = replace(read_staged(stack, host, operation), foreign=foreign)
    return with_indexes(stack, host, operation, staged, plan)


def _problems(source: Source, staged: Staged) -> tuple[str, ...]:
    found = [f"{staged.foreign} tables or sequences do not belong to Chatwoot's role"] if staged.foreign else []
    found += staged.index_problems
    wanted = source.set.manifest.data if source.set else source.promised
    if wanted is not None:
        # What came after the set moved its sequences on.
        moved = tuple(wanted.sequences) if source.recovery else ()
        found += differences(wanted, staged.data, tables=not source.physical, ignore=moved)
    return tuple(found)


def _require_release(known: frozenset[str], staged: Staged, *, migrate: bool) -> None:
    there = set(staged.data.migrations)
    newer, lacking = sorted(there - known), sorted(known - there)
    if newer:
        text = f"The data is of a newer release than the image: {len(newer)} migrations are unknown to it"
        raise BackupSetInvalidError(text, details=tuple(newer), remedy="Restore it with its own release.")
    if lacking and not migrate:
        text = f"The data is of an older release than the image: {len(lacking)} migrations are missing"
        raise BackupSetInvalidError(
            text, details=tuple(lacking), remedy="Restore it with its own release, or add --migrate."
        )


def restore_files(stack: Stack, host: Host, source: Source, change: Change, staged: Staged) -> PlacedFiles:
    """What is in the storage volume once the source's files are in it.

    Raises BackupSetInvalidError when a file is missing or wrong that was neither when the set was made.
    """
    change.step("storage", "Restoring the stored files", indexes=staged.indexes, high=staged.high)
    if (archives := source.archives) is not None:
        place_archives(stack, host, archives)
    found = files_in_volume(stack, host)
    proof = prove_files(found, staged.blobs)
    if archives is not None and not source.as_found:
        refuse_lost(lost_of(source, staged, proof), lambda keys: ask_where(stack, host, keys))
    return PlacedFiles(proof, {key: found[key].size for key in proof.orphaned})
