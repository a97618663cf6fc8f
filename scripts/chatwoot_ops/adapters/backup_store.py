"""Backup sets on disk: written under a temporary name, sealed by fsync and rename, listed, verified, dropped."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.files import ensure_private_folder, sync_folder, write_atomically
from chatwoot_ops.adapters.partial_set import PartialSet
from chatwoot_ops.adapters.set_notes import REMOVING, finish_removals, is_shared, notes_of
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import MANIFEST, Artifact, BackupSet, Encryption, Manifest
from chatwoot_ops.model.manifest import parse_manifest, to_json

PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class BackupStore:
    """The sets in one folder."""

    folder: Path

    def begin(self, stamp: str, kind: str, encryption: Encryption | None = None) -> PartialSet:
        """An empty set under its temporary name, to be encrypted to these public keys.

        Raises CommandFailedError or OSError when the folder cannot be written.
        """
        ensure_private_folder(self.folder)
        sequence = max((each.manifest.sequence for each in self.sets()), default=0) + 1
        name = f"{stamp}-{kind}"
        if (self.folder / name).exists():
            name = f"{stamp}-{kind}-{sequence}"
        partial = self.folder / f"{name}{PARTIAL}"
        partial.mkdir(mode=0o700)
        return PartialSet(partial, name, sequence, [], encryption or Encryption())

    def seal(self, partial: PartialSet, manifest: Manifest) -> Path:
        """Writes the manifest last, then gives the set its name in one step."""
        return seal_folder(partial.folder, self.folder / partial.name, to_json(manifest))

    def drop_partials(self) -> tuple[str, ...]:
        """Removes sets that were never sealed, and what removals that were cut off left; returns the former's names."""
        finish_removals(self.folder)
        partials = sorted(self.folder.glob(f"*{PARTIAL}")) if self.folder.is_dir() else []
        for each in partials:
            shutil.rmtree(each, ignore_errors=True)
        return tuple(each.name for each in partials)

    def sets(self) -> tuple[BackupSet, ...]:
        """The sealed sets, oldest first; folders whose manifest cannot be read are left out (see `damaged`)."""
        found = [each for path in self._folders() if (each := self._read(path)) is not None]
        return tuple(sorted(found, key=lambda each: each.manifest.sequence))

    def damaged(self) -> tuple[str, ...]:
        """Names of folders that look like sets and whose manifest cannot be read."""
        return tuple(path.name for path in self._folders() if self._read(path) is None)

    def find(self, name: str) -> BackupSet:
        """The set of this name, the newest for "latest", or the set in the folder at this path.

        Raises BackupSetInvalidError when there is none, or it is not sealed or damaged.
        """
        sets = self.sets()
        if name == "latest":
            if not sets:
                raise BackupSetInvalidError(f"There is no backup set in {self.folder}", remedy="Type 'invoke backup'.")
            return sets[-1]
        path = Path(name) if "/" in name else self.folder / name
        if not (path / MANIFEST).is_file():
            known = ", ".join(each.manifest.name for each in sets) or "none"
            raise BackupSetInvalidError(
                f"There is no sealed backup set {name}", remedy=f"Sets that there are: {known}."
            )
        return read_set(path)

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        unfinished = (PARTIAL, REMOVING)
        return [path for path in sorted(self.folder.iterdir()) if path.is_dir() and not path.name.endswith(unfinished)]

    @staticmethod
    def _read(path: Path) -> BackupSet | None:
        try:
            return read_set(path)
        except BackupSetInvalidError:
            return None


def seal_folder(partial: Path, sealed: Path, manifest: str) -> Path:
    """Writes the manifest last, then gives the folder its name in one step; returns it."""
    write_atomically(partial / MANIFEST, manifest)
    partial.rename(sealed)
    sync_folder(sealed.parent)
    return sealed


def read_set(path: Path) -> BackupSet:
    """The sealed set in a folder.

    Raises BackupSetInvalidError when its manifest is damaged, cannot be read, or is of a newer format.
    """
    try:
        # Bytes that are no UTF-8 become text that is no manifest.
        text = (path / MANIFEST).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        why = f"{MANIFEST}: cannot be read ({error.strerror})"
        raise BackupSetInvalidError(f"The set {path.name} is damaged", details=(why,)) from error
    manifest = parse_manifest(text)
    size = sum(each.size for each in manifest.artifacts)
    shared = sum(each.size for each in manifest.artifacts if is_shared(path / each.name))
    return BackupSet(path=str(path), manifest=manifest, size=size, shared=shared, **notes_of(path))


def checksum_problems(backup_set: BackupSet) -> tuple[str, ...]:
    """Reads every artifact back; a line for each that is missing, of another size or of other content."""
    folder = Path(backup_set.path)
    return tuple(problem for each in backup_set.manifest.artifacts if (problem := artifact_problem(folder, each)))


def artifact_problem(folder: Path, artifact: Artifact) -> str:
    """What is wrong with one artifact, "" where it is what was written."""
    path = folder / artifact.name
    try:
        size = path.stat().st_size
        found = _sha256(path) if size == artifact.size else ""
    except OSError as error:
        return f"{artifact.name}: cannot be read ({error.strerror})"
    return artifact.difference(size, found)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
