"""Where a restore takes its data from: a backup set, or what a Chatwoot that lives elsewhere can give."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chatwoot_ops.errors import BackupSetInvalidError, ReleaseRefusedError
from chatwoot_ops.model.backup_set import BackupSet, DataDigest
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.model.release import order_of
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.wal import Recovery
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.staging import form_of
from chatwoot_ops.operations.stored_archives import Archives, archives_in


@dataclass(frozen=True, slots=True)
class Source:
    """A dump or a cluster's archive, with its storage archive where there is one; `set` where both come from a set.

    With a `recovery` the set is only where it begins: the WAL of a chain follows. `opened` is the folder where the
    files of an encrypted set lie in clear for now. `promised` is what the database was seen to hold where it is no
    set's. From a Chatwoot elsewhere (`as_found`) stored files may be missing or wrong.
    """

    name: str
    dump: Path
    storage: Path | None = None
    set: BackupSet | None = None
    recovery: Recovery | None = None
    opened: Path | None = None
    promised: DataDigest | None = None
    as_found: bool = False

    @property
    def physical(self) -> bool:
        """Whether it is a cluster's own files."""
        return self.set is not None and self.set.manifest.physical

    @property
    def archives(self) -> Archives | None:
        """Where its stored files come from, None where it brings none."""
        if self.set is not None:
            return archives_in(self.opened or Path(self.set.path), self.set.manifest.packing)
        if self.storage is None:
            return None
        return archives_in(self.storage) if self.storage.is_dir() else Archives((self.storage,))

    def noted(self) -> dict[str, str]:
        """What the journal needs to find it again."""
        if self.set is not None:
            return {"set": self.set.path, **(asdict(self.recovery) if self.recovery else {})}
        return {"dump": str(self.dump), "storage": str(self.storage or "")}


def source_of_set(stack: Stack, name: str) -> Source:
    """The source that is a backup set.

    Raises BackupSetInvalidError when there is no such sealed set.
    """
    found = store_of(stack).find(name)
    return Source(found.manifest.name, Path(found.path).resolve() / found.manifest.database_artifact, set=found)


def source_of_dump(dump: str, storage: str) -> Source:
    """The source that is a dump file or folder, and perhaps a tar of a storage folder.

    Raises BackupSetInvalidError when a file is missing or no dump.
    """
    path, archive = Path(dump).resolve(), Path(storage).resolve() if storage else None
    missing = tuple(str(each) for each in (path, archive) if each is not None and not each.exists())
    if missing:
        raise BackupSetInvalidError("There is no such file", details=missing, remedy="Nothing was changed.")
    if archive is not None and archive.is_dir() and not archives_in(archive).paths:
        text = f"There is no pack of stored files in clear in {archive}"
        raise BackupSetInvalidError(text, remedy="Open what is encrypted first. Nothing was changed.")
    form_of(path)
    return Source(path.name, path, archive)


def source_again(stack: Stack, noted: dict[str, Any]) -> Source:
    """The source that a journal noted."""
    if "set" in noted:
        found = source_of_set(stack, str(noted["set"]))
        recovery = {key: str(value) for key, value in noted.items() if key != "set"}
        return replace(found, recovery=Recovery(**recovery)) if recovery else found
    return source_of_dump(str(noted["dump"]), str(noted["storage"]))


def refuse_unfit(stack: Stack, source: Source, *, adopt: bool, migrate: bool) -> None:
    """Raises before anything is touched when the set is foreign, of another release, or sealed with other keys."""
    if source.set is None:
        return
    manifest = source.set.manifest
    instance = stack.settings["CHATWOOT_INSTANCE_ID"]
    if manifest.instance != instance and not adopt:
        text = f"The set belongs to installation {manifest.instance}, this one is {instance}"
        raise BackupSetInvalidError(text, remedy="Add --adopt to take its data over. Nothing was changed.")
    _refuse_release(stack.settings["CHATWOOT_RELEASE"], manifest.release, migrate=migrate)
    mine = fingerprints(stack.settings.values, manifest.instance)
    other = tuple(
        f"{name}: is not the one the set was made with"
        for name in manifest.fingerprints
        if mine.get(name) != manifest.fingerprints[name]
    )
    if other:
        remedy = "Give the set's own: --identity FILE (its private key) or --settings FILE. Nothing was changed."
        raise BackupSetInvalidError("The keys in .env are not the keys of this set", details=other, remedy=remedy)


def _refuse_release(mine: str, theirs: str, *, migrate: bool) -> None:
    one, other = order_of(mine), order_of(theirs)
    if not (one and other):
        # A stack that was made by hand need not say its release; the sets of migrations are compared in any case.
        return
    if other > one:
        raise ReleaseRefusedError(
            f"The set is of release {theirs}, newer than {mine}", remedy=f"Type 'invoke upgrade --to {theirs}' first."
        )
    if other < one and not migrate:
        remedy = f"Restore it with {theirs}, or add --migrate to bring its data to {mine}. Nothing was changed."
        raise ReleaseRefusedError(f"The set is of release {theirs}, older than {mine}", remedy=remedy)
