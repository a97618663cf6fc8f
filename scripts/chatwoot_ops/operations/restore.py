"""Puts a backup set into service: proved, built beside the old cluster, proved again, swapped in one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import docker, staging
from chatwoot_ops.errors import (
    BackupSetInvalidError,
    ConfirmationMissingError,
    OpsError,
)
from chatwoot_ops.model.backup_set import STORAGE_ARTIFACT, StorageProof, differences
from chatwoot_ops.model.intended import Intended
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup import require_whole
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.database import versions_of_image
from chatwoot_ops.operations.images import get_images
from chatwoot_ops.operations.instance import RECORD_ANEW
from chatwoot_ops.operations.keys import key_problems
from chatwoot_ops.operations.loss import loss_of_restore
from chatwoot_ops.operations.opening import Place, open_with
from chatwoot_ops.operations.preflight import require
from chatwoot_ops.operations.restore_settings import (
    BEFORE_RESTORE,
    Given,
    bring_settings,
    keys_given,
    save_settings,
    with_keys,
    write_keys,
)
from chatwoot_ops.operations.source import Source, refuse_unfit, source_of_dump, source_of_set
from chatwoot_ops.operations.staging import Staged, foreign_owners, load, read_staged, start_cluster
from chatwoot_ops.operations.storage import files_in_volume, place_archive, prove_files
from chatwoot_ops.operations.swapping import clean_up, drop_staged, old_serves, swap_in
from chatwoot_ops.operations.volumes import create_volume, look_into, mark_volume, volume_checks


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """What an operator asks of a restore beside its source."""

    yes: bool = False
    adopt: bool = False
    migrate: bool = False
    identity: str = ""
    settings: str = ""


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


def intended_restore(place: Place, host: Host, where: Mapping[str, str], options: RestoreOptions) -> Intended:
    """What a restore would take away, once its source was verified; needs a stack that is set up.

    Raises what restore raises before it touches anything.
    """
    stack = open_with(place, host)
    source = named_source(stack, where)
    keys = fitting_keys(stack, host, source, options)
    brought = (f"keys of the source into .env: {', '.join(sorted(keys))}",) if keys else ()
    return Intended((f"{source.name} in place of the running data", *brought, *loss_of_restore(stack, host, source)))


def named_source(stack: Stack, where: Mapping[str, str]) -> Source:
    """The dump that is named, else the set."""
    dump = where["dump"]
    return source_of_dump(dump, where["storage"]) if dump else source_of_set(stack, where["set"])


def restore_from(place: Place, host: Host, where: Mapping[str, str], options: RestoreOptions) -> Restored:
    """The same, from a dump where one is named, else from a set; on an empty machine the settings are brought first."""
    bring_settings(place, Given(where["set"], options.identity, options.settings))
    stack = open_with(place, host)
    return restore(stack, host, named_source(stack, where), options)


def restore(
    stack: Stack, host: Host, source: Source, options: RestoreOptions, *, resume: Journal | None = None
) -> Restored:
    """Replaces the data by the source's.

    Raises BackupSetInvalidError or ReleaseRefusedError before anything is touched, ConfirmationMissingError when the
    loss was not confirmed, RestoreFailedError when the old data serves, NothingServesError when it does not.
    """
    keys = fitting_keys(stack, host, source, options)
    if resume is None:
        _confirm(stack, host, source, options)
    noted = {"source": source.noted(), **asdict(options)}
    host.processes.secrets = (*host.processes.secrets, *keys.values())
    with changing(stack, host, "restore", noted, resume=resume) as change, host.timed() as spent:
        make_ready(stack, host, change)
        restored = _restore(with_keys(stack, keys), host, source, options, change, keys)
    return replace(restored, seconds=round(spent[0], 1))


def fitting_keys(stack: Stack, host: Host, source: Source, options: RestoreOptions) -> dict[str, str]:
    """The keys that the source brings with it, once it was verified and found to fit this stack."""
    if source.set is not None:
        host.reporter.step(f"Verifying {source.name}")
        require_whole(stack, host, source.set)
    set_name = source.set.path if source.set else ""
    keys = keys_given(stack, Given(set_name, options.identity, options.settings))
    refuse_unfit(with_keys(stack, keys), source, adopt=options.adopt, migrate=options.migrate)
    return keys


def make_ready(stack: Stack, host: Host, change: Change) -> None:
    """Network, images and volumes, where a machine has none yet; what is there is left alone."""
    network = stack.settings["CHATWOOT_NETWORK"]
    absent = [service for service in stack.volumes if not look_into(stack, host, service).exists]
    no_network = host.processes.try_run(docker.network(network)).code != 0
    if not absent and not no_network:
        require(volume_checks(stack, host, empty_is_well=True))
        return
    change.step("make-ready", "Making network and volumes", created=[stack.volumes[service] for service in absent])
    if no_network:
        host.processes.run(docker.create_network(network))
    get_images(stack, host)
    for service in absent:
        create_volume(stack, host, service)
        mark_volume(stack, host, service, stack.settings["CHATWOOT_INSTANCE_ID"], fill=False)
    require(volume_checks(stack, host, empty_is_well=True))


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


def _restore(  # noqa: PLR0917 - one story, told once
    stack: Stack, host: Host, source: Source, options: RestoreOptions, change: Change, keys: dict[str, str]
) -> Restored:
    cluster = f"{host.clock.now():%Y%m%dT%H%M%SZ}-{change.opening.id}"
    previous = host.processes.run(staging.current_cluster(stack)).stdout.strip()
    try:
        staged = _stage(stack, host, source, change, cluster, migrate=options.migrate)
        proof = _storage(stack, host, source, change, staged)
    except BaseException as error:
        drop_staged(stack, host, change.opening.id, cluster)
        if isinstance(error, OpsError):
            raise old_serves(error) from error
        raise
    save_settings(stack, BEFORE_RESTORE)
    if keys:
        change.step("keys", "Putting the data's keys into .env", names=sorted(keys))
        write_keys(stack, keys)
    away = swap_in(stack, host, change, cluster, previous, migrate=options.migrate)
    clean_up(stack, host, change, f"clusters/{cluster}", previous)
    rows = sum(table.rows for table in staged.data.tables.values())
    opened = f"{len(staged.samples)} encrypted values opened"
    return Restored(source.name, len(staged.data.tables), rows, proof, opened, 0.0, away)


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
    # An ended container still holds the volume: nobody could remove it then.
    host.processes.run(staging.remove(stack, operation))
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
