"""A backup set: one consistent snapshot of the database, then the storage volume, then settings and keys, sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chatwoot_ops.adapters.backup_store import BackupStore
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.partial_set import PartialSet
from chatwoot_ops.commands import backup as commands
from chatwoot_ops.errors import BackupFailedError, OpsError, PreflightFailedError, SettingsInvalidError
from chatwoot_ops.model.backup_set import (
    ENCRYPTED,
    SETTINGS_ARTIFACT,
    BackupSet,
    Manifest,
)
from chatwoot_ops.model.cluster import KINDS, LOGICAL, PHYSICAL
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.model.troubled_file import TroubledFile
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.base_backup import Copied
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.dumping import write_database
from chatwoot_ops.operations.encryption import encryption_of
from chatwoot_ops.operations.held_files import ASKED, Earlier, earlier_set
from chatwoot_ops.operations.storage_copy import CopiedFiles, copy_storage
from chatwoot_ops.operations.troubled_files import ask_where, told, troubled, with_rows
from chatwoot_ops.operations.wal import prune_archive

TOOL = "chatwoot-ops 0.1.0"
LEFT_OUT = "settings and keys are not in this set (BACKUP_RECIPIENTS is empty): a restore needs --settings FILE"
# Dumps came out at a sixth of the database and more, archives at a third (facts/perf.md); this leaves room for what
# compresses badly.
SHARES = {LOGICAL: 3, PHYSICAL: 2}
SPARE_BYTES = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A set that was sealed now, with the seconds it took and what an operator must know of it.

    `files` are the stored files with which something is wrong, by conversation.
    """

    set: BackupSet
    seconds: float
    warnings: tuple[str, ...]
    files: tuple[TroubledFile, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a set is to be: its note, its kind, and whether it shares nothing with an earlier one."""

    note: str
    kind: str
    whole: bool


@dataclass(frozen=True, slots=True)
class _Contents:
    """What went into a set, for its manifest."""

    kind: str
    copied: Copied
    storage: CopiedFiles
    settings_included: bool


def back_up(
    stack: Stack,
    host: Host,
    *,
    resume: Journal | None = None,
    note: str = "",
    kind: str = "",
    whole: bool = False,
) -> BackedUp:
    """Takes a set while the stack serves, of the kind that is named, else of BACKUP_KIND.

    A `whole` one shares no stored file with an earlier set.

    Raises SettingsInvalidError for a kind that does not exist, PreflightFailedError when there is no room,
    BackupFailedError when no set was sealed; nothing is left then.
    """
    wanted = kind or stack.settings["BACKUP_KIND"]
    if wanted not in KINDS:
        remedy = f"The kinds are {' and '.join(KINDS)}. Nothing was changed."
        raise SettingsInvalidError(f"There is no kind of backup set called '{wanted}'", remedy=remedy)
    _require_room(stack, host, wanted)
    with changing(stack, host, "backup", {"kind": wanted, "whole": whole}, resume=resume) as change:
        made = make_set(stack, host, change, note=note, kind=wanted, whole=whole)
        prune_archive(stack, host, change)
    return made


def make_set(
    stack: Stack, host: Host, change: Change, *, note: str = "", kind: str = LOGICAL, whole: bool = False
) -> BackedUp:
    """The same inside an operation that holds the lock already, such as an upgrade.

    Raises BackupFailedError; the partial set is removed then, also after Ctrl-C.
    """
    store = store_of(stack)
    try:
        store.drop_partials()
        with host.timed() as spent:
            backup_set, storage = _write_set(stack, host, change, store, _Asked(note, kind, whole))
    except (OSError, OpsError) as error:
        store.drop_partials()
        details = error.details if isinstance(error, OpsError) else (str(error),)
        why = error.message if isinstance(error, OpsError) else type(error).__name__
        remedy = getattr(error, "remedy", "") or "The stack was not touched; put that right and run it again."
        raise BackupFailedError(f"No backup set was made: {why}", details=details, remedy=remedy) from error
    except BaseException:
        store.drop_partials()
        raise
    files = troubled(storage.proof, storage.sizes, ask_where(stack, host, with_rows(storage.proof)))
    lines = told(stack, "backup", files)
    # A file without a row is no loss, and no warning.
    warnings = (*storage.warnings, *_warnings(backup_set.manifest), *(lines if with_rows(storage.proof) else ()))
    return BackedUp(backup_set, round(spent[0], 1), warnings, files)


def _write_set(
    stack: Stack, host: Host, change: Change, store: BackupStore, asked: _Asked
) -> tuple[BackupSet, CopiedFiles]:
    partial = store.begin(host.clock.compact_stamp(), asked.kind, encryption_of(stack))
    copied = write_database(stack, host, change, partial, asked.kind)
    change.step("copy-storage", "Copying the storage volume")
    earlier = Earlier(refusal=ASKED) if asked.whole else earlier_set(stack, store, partial.encryption)
    storage = copy_storage(stack, host, change, partial, earlier, copied.blobs)
    change.step("seal-settings", "Sealing settings and keys")
    included = _write_settings(stack, partial)
    change.step("seal", "Sealing the set")
    contents = _Contents(asked.kind, copied, storage, included)
    path = store.seal(partial, _manifest(stack, partial, contents, host.clock.stamp(), asked.note))
    return store.find(str(path)), storage


def _write_settings(stack: Stack, partial: PartialSet) -> bool:
    if not partial.encryption.recipients:
        return False
    with partial.artifact(SETTINGS_ARTIFACT.removesuffix(ENCRYPTED), secret=True) as file:
        file.write(stack.env_file.read_bytes())
    return True


def _manifest(stack: Stack, partial: PartialSet, contents: _Contents, created: str, note: str) -> Manifest:
    settings: Mapping[str, str] = stack.settings.values
    return Manifest(
        name=partial.name,
        kind=contents.kind,
        sequence=partial.sequence,
        created=created,
        instance=stack.settings["CHATWOOT_INSTANCE_ID"],
        release=stack.settings["CHATWOOT_RELEASE"],
        image=stack.images[RAILS],
        data=contents.copied.data,
        storage=contents.storage.proof,
        packing=contents.storage.packing,
        settings_included=contents.settings_included,
        fingerprints=fingerprints(settings, stack.settings["CHATWOOT_INSTANCE_ID"]),
        artifacts=tuple(partial.artifacts),
        tool=TOOL,
        note=note,
        cluster=contents.copied.facts,
        encryption=partial.encryption,
    )


def _warnings(manifest: Manifest) -> tuple[str, ...]:
    storage = manifest.storage
    found = [] if manifest.settings_included else [LEFT_OUT]
    if storage.missing:
        found.append(f"{len(storage.missing)} stored files were missing already")
    if storage.wrong:
        found.append(f"{len(storage.wrong)} stored files do not match their rows")
    if storage.kept:
        said = "stored files are gone or damaged in the volume; this set has them from an earlier one"
        found.append(f"{len(storage.kept)} {said}")
    return tuple(found)


def _require_room(stack: Stack, host: Host, kind: str) -> None:
    size = int(host.processes.run(commands.space(stack, host.compose)).stdout.strip())
    wanted, free = size // SHARES[kind] + SPARE_BYTES, host.machine.free_disk(stack.backup_folder)
    if free < wanted:
        text = f"{show_size(free)} free in {stack.backup_folder}, a backup needs about {show_size(wanted)}"
        raise PreflightFailedError(
            "There is no room for a backup set", details=(text,), remedy="Free some, or set BACKUP_FOLDER."
        )
