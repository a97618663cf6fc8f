"""Backup sets on disk: written under a temporary name, sealed by fsync and rename, listed, verified, dropped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatwoot_ops.adapters.files import ensure_private_folder, sync_folder, write_atomically
from chatwoot_ops.adapters.set_notes import REMOVING, finish_removals, is_kept
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import MANIFEST, Artifact, BackupSet, Manifest
from chatwoot_ops.model.manifest import parse_manifest, to_json
from chatwoot_ops.model.remote import OFF_SITE

PARTIAL = ".partial"
_CHUNK = 1024 * 1024
_VERIFIED = "verified.json"


class HashingFile:
    """A file that is hashed while it is written, so that its checksum costs no second reading."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Writes and hashes."""
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def sha256(self) -> str:
        """The checksum of what was written."""
        return self._hash.hexdigest()


@dataclass(slots=True)
class PartialSet:
    """A set that is being written."""

    folder: Path
    name: str
    sequence: int
    artifacts: list[Artifact]

    @contextmanager
    def artifact(self, name: str) -> Iterator[HashingFile]:
        """A file of the set; on disk and noted with its checksum when the block ends well."""
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            hashing = HashingFile(file)
            yield hashing
            file.flush()
            os.fsync(file.fileno())
        self.artifacts.append(Artifact(name, hashing.size, hashing.sha256()))


@dataclass(frozen=True, slots=True)
class BackupStore:
    """The sets in one folder."""

    folder: Path

    def begin(self, stamp: str, kind: str) -> PartialSet:
        """An empty set under its temporary name.

        Raises CommandFailedError or OSError when the folder cannot be written.
        """
        ensure_private_folder(self.folder)
        sequence = max((each.manifest.sequence for each in self.sets()), default=0) + 1
        name = f"{stamp}-{kind}"
        if (self.folder / name).exists():
            name = f"{stamp}-{kind}-{sequence}"
        partial = self.folder / f"{name}{PARTIAL}"
        partial.mkdir(mode=0o700)
        return PartialSet(partial, name, sequence, [])

    def seal(self, partial: PartialSet, manifest: Manifest) -> Path:
        """Writes the manifest last, then gives the set its name in one step."""
        write_atomically(partial.folder / MANIFEST, to_json(manifest))
        sealed = self.folder / partial.name
        partial.folder.rename(sealed)
        sync_folder(self.folder)
        return sealed

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
        except (BackupSetInvalidError, OSError):
            return None


def read_set(path: Path) -> BackupSet:
    """The sealed set in a folder.

    Raises BackupSetInvalidError when its manifest is damaged or of a newer format.
    """
    # Bytes that are no UTF-8 become text that is no manifest.
    manifest = parse_manifest((path / MANIFEST).read_text(encoding="utf-8", errors="replace"))
    size = sum(each.size for each in manifest.artifacts)
    return BackupSet(
        str(path), manifest, _noted(path / _VERIFIED), size, kept=is_kept(path), off_site=_noted(path / OFF_SITE)
    )


def _noted(path: Path) -> str:
    """The time in a small note beside the manifest, "" where there is none that can be read."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def checksum_problems(backup_set: BackupSet) -> tuple[str, ...]:
    """Reads every artifact back; a line for each that is missing, of another size or of other content."""
    return tuple(
        problem for each in backup_set.manifest.artifacts if (problem := _problem(Path(backup_set.path), each))
    )


def _problem(folder: Path, artifact: Artifact) -> str:
    path = folder / artifact.name
    try:
        size = path.stat().st_size
        if size != artifact.size:
            return f"{artifact.name}: {size} bytes, the manifest says {artifact.size}"
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{artifact.name}: cannot be read ({error.strerror})"
    return "" if found == artifact.sha256 else f"{artifact.name}: its content is not what was written"


def mark_verified(backup_set: BackupSet, at: str) -> None:
    """Notes when a set was last found whole."""
    write_atomically(Path(backup_set.path) / _VERIFIED, json.dumps({"at": at}) + "\n")


def mark_off_site(backup_set: BackupSet, note: str) -> None:
    """Notes when and where a set was read back off-site; an empty note takes that back."""
    path = Path(backup_set.path) / OFF_SITE
    if note:
        write_atomically(path, note)
    else:
        path.unlink(missing_ok=True)
