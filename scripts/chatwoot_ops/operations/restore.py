"""Puts a backup set into service: proved, built beside the old cluster, proved again, swapped in one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial

from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.set_lock import reading
from chatwoot_ops.commands import staging
from chatwoot_ops.errors import ConfirmationMissingError, OpsError
from chatwoot_ops.model.cluster import LOGICAL, PHYSICAL
from chatwoot_ops.model.intended import Intended
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import require_whole
from chatwoot_ops.operations.building import build_cluster, restore_files
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.encryption import identity_for, identity_of
from chatwoot_ops.operations.loss import loss_of_restore
from chatwoot_ops.operations.lost_files import files_told
from chatwoot_ops.operations.moments import named_source
from chatwoot_ops.operations.nearing import brought_near, opened_near
from chatwoot_ops.operations.newer_rows import export_newer, refuse_export
from chatwoot_ops.operations.opened_sets import opened_source, require_room_to_open
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.readying import make_ready
from chatwoot_ops.operations.restore_result import Restored, RestoreOptions
from chatwoot_ops.operations.restore_settings import (
    BEFORE_RESTORE,
    Given,
    bring_settings,
    keys_given,
    save_settings,
    with_keys,
    write_keys,
)
from chatwoot_ops.operations.source import Source, refuse_unfit
from chatwoot_ops.operations.swapping import drop_staged, end_swapped, old_serves, swap_in
from chatwoot_ops.operations.troubled_files import told
from chatwoot_ops.operations.unpacking import refuse_cluster


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves, where it lies and what lay there before, and the indexes that its dump has."""

    restored: Restored
    target: str
    previous: str
    indexes: Mapping[str, str]


def intended_restore(place: Place, host: Host, where: Mapping[str, str], options: RestoreOptions) -> Intended:
    """What a restore would take away, once its source was verified; needs a stack that is set up.

    Raises what restore raises before it touches anything.
    """
    with brought_near(place, host, where, options.settings) as (near, settings):
        return _intended(place, host, near, replace(options, settings=settings))


def _intended(place: Place, host: Host, where: Mapping[str, str], options: RestoreOptions) -> Intended:
    stack = opened_near(place, host, where, None, options.identity)
    source = named_source(stack, host, where)
    with reading(source.set):
        keys = fitting_keys(stack, host, source, options, opener(host, source, options), dry=True)
        loss = loss_of_restore(stack, host, source)
    brought = (f"keys of the source into .env: {', '.join(sorted(keys))}",) if keys else ()
    return Intended((f"{source.name} in place of the running data", *brought, *loss))


def restore_from(place: Place, host: Host, where: Mapping[str, str], options: RestoreOptions) -> Restored:
    """The same, from a dump where one is named, else from a set; on an empty machine the settings are brought first."""
    with brought_near(place, host, where, options.settings) as (near, settings):
        return _restore_near(place, host, near, replace(options, settings=settings))


def _restore_near(place: Place, host: Host, where: Mapping[str, str], options: RestoreOptions) -> Restored:
    identity = identity_of(host, options.identity) if not place.env_file.exists() else None
    identity = bring_settings(place, host, Given(where["set"], identity, options.settings), ask=not where["dump"])
    stack = opened_near(place, host, where, identity, options.identity)
    source = named_source(stack, host, where)
    with reading(source.set):
        return restore(stack, host, source, options, identity=identity)


def restore(
    stack: Stack,
    host: Host,
    source: Source,
    options: RestoreOptions,
    *,
    resume: Journal | None = None,
    identity: Identity | None = None,
) -> Restored:
    """Replaces the data by the source's; `identity` is a private key that was read already.

    Raises BackupSetInvalidError or ReleaseRefusedError before anything is touched, ConfirmationMissingError without a
    yes, RestoreFailedError (the old data serves), NothingServesError, IndexesMissingError (the new data serves).
    """
    identity = identity or opener(host, source, options)
    keys = fitting_keys(stack, host, source, options, identity)
    if resume is None:
        refuse_export(stack, host, options.export_newer)
        _confirm(stack, host, source, options)
    noted = {"source": source.noted(), **asdict(options)}
    host.processes.secrets = (*host.processes.secrets, *keys.values())
    own = with_keys(stack, keys)
    with changing(stack, host, "restore", noted, resume=resume) as change, host.timed() as spent:
        with host.timed() as until:
            make_ready(stack, host, change)
            with opened_source(stack, change, source, identity) as readable:
                serving = bring_in(own, host, readable, options, change, keys)
        end_swapped(own, host, change, serving.target, serving.previous, serving.indexes)
    seconds, notes = round(spent[0], 1), (*change.changed, *serving.restored.notes)
    return replace(serving.restored, seconds=seconds, notes=notes, serving_seconds=round(until[0], 1))


def opener(host: Host, source: Source, options: RestoreOptions) -> Identity | None:
    """The private key that opens the source, where it needs one or one was named; asked for at a terminal.

    Raises BackupSetInvalidError naming the public keys whose private half it would have to be.
    """
    return identity_for(host, source.set, options.identity) if source.set else identity_of(host, options.identity)


def fitting_keys(
    stack: Stack, host: Host, source: Source, options: RestoreOptions, identity: Identity | None, *, dry: bool = False
) -> dict[str, str]:
    """The keys that the source brings with it, once it was verified and found to fit this stack.

    What is encrypted is opened to its end here only for a `dry` run: else it is opened next, into the work folder.
    """
    if source.set is not None:
        host.reporter.step(f"Verifying {source.name}")
        opened_next = source.set.manifest.encryption.whole and not dry
        require_whole(stack, host, source.set, None if opened_next else identity)
        require_room_to_open(stack, host, source.set)
    set_name = source.set.path if source.set else ""
    keys = keys_given(stack, Given(set_name, identity, options.settings))
    refuse_unfit(with_keys(stack, keys), source, adopt=options.adopt, migrate=options.migrate)
    refuse_cluster(stack, host, source)
    return keys


def _confirm(stack: Stack, host: Host, source: Source, options: RestoreOptions) -> None:
    for line in loss_of_restore(stack, host, source):
        host.reporter.note(line)
    if options.yes:
        return
    answer = host.reporter.confirm("Replace the data?")
    if not answer:
        why = "nobody could be asked" if answer is None else "the answer was no"
        remedy = "Add --yes to confirm. Nothing was changed."
        raise ConfirmationMissingError(f"Nothing was restored: {why}", remedy=remedy)


def bring_in(  # noqa: PLR0917 - one story, told once
    stack: Stack, host: Host, source: Source, options: RestoreOptions, change: Change, keys: dict[str, str]
) -> Serving:
    """The source's data in service, inside an operation that holds the lock; `keys` are those that `.env` lacks.

    `end_swapped` is still to be called. Raises RestoreFailedError when the old data serves, NothingServesError when it
    does not.
    """
    cluster = change.cluster_name()
    previous = host.processes.run(staging.current_cluster(stack)).stdout.strip()
    try:
        staged = build_cluster(stack, host, source, change, cluster, migrate=options.migrate)
        placed = restore_files(stack, host, source, change, staged)
        _bring_keys(stack, change, keys)
    except BaseException as error:
        drop_staged(stack, host, change.opening.id, cluster)
        if isinstance(error, OpsError):
            raise old_serves(error) from error
        raise
    save = partial(export_newer, stack, host, change, source, options.export_newer)
    away = swap_in(stack, host, change, cluster, previous, migrate=options.migrate, save=save)
    rows = sum(table.rows for table in staged.data.tables.values())
    opened = f"{len(staged.samples)} encrypted values opened"
    kind, files = PHYSICAL if source.physical else LOGICAL, files_told(stack, host, placed)
    notes = told(stack, "restore", files)
    restored = Restored(source.name, len(staged.data.tables), rows, placed.proof, opened, 0.0, away, notes, kind, files)
    return Serving(restored, f"clusters/{cluster}", previous, staged.indexes)


def _bring_keys(stack: Stack, change: Change, keys: dict[str, str]) -> None:
    save_settings(stack, BEFORE_RESTORE)
    if keys:
        change.step("keys", "Putting the data's keys into .env", names=sorted(keys))
        write_keys(stack, keys)
