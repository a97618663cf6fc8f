"""A backup set that is being written: each file is hashed, and encrypted where that was asked for, on its way."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from chatwoot_ops.adapters.age import Sink, encrypting
from chatwoot_ops.model.backup_set import ENCRYPTED, Artifact, Encryption


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
    """A set that is being written; what is encrypted goes to disk in no other form, and is hashed as it lies there."""

    folder: Path
    name: str
    sequence: int
    artifacts: list[Artifact]
    encryption: Encryption = field(default_factory=Encryption)

    @contextmanager
    def artifact(self, name: str, *, secret: bool = False, clear: bool = False) -> Iterator[Sink]:
        """A file of the set; on disk and noted with its checksum when the block ends well.

        It is encrypted, and its name says so, where the whole set is or where it is `secret`, but never if `clear`.
        """
        if secret or (self.encryption.whole and not clear):
            with self._file(f"{name}{ENCRYPTED}") as file, encrypting(file, self.encryption.recipients) as sink:
                yield sink
        else:
            with self._file(name) as file:
                yield file

    @contextmanager
    def filled_by_other(self, name: str) -> Iterator[Path]:
        """An empty file of the set for another program to fill; hashed, on disk and noted when the block ends well.

        Raises OSError where it is still empty then: the program wrote somewhere else.
        """
        path = self.folder / name
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield path
        size = path.stat().st_size
        if not size:
            raise OSError(
                errno.ENODATA, "nothing arrived; the engine may see another folder under this name", str(path)
            )
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        self.artifacts.append(Artifact(name, size, checksum))

    def link(self, path: Path, artifact: Artifact) -> None:
        """The file of an earlier set as this artifact of this one; both are one file on the disk.

        Raises OSError where the filesystem refuses that.
        """
        os.link(path, self.folder / artifact.name)
        self.artifacts.append(artifact)

    def drop(self, name: str) -> None:
        """Takes an artifact out again, encrypted or not."""
        gone = [each for each in self.artifacts if each.name.removesuffix(ENCRYPTED) == name]
        for each in gone:
            (self.folder / each.name).unlink()
            self.artifacts.remove(each)

    @contextmanager
    def _file(self, name: str) -> Iterator[HashingFile]:
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            hashing = HashingFile(file)
            yield hashing
            file.flush()
            os.fsync(file.fileno())
        self.artifacts.append(Artifact(name, hashing.size, hashing.sha256()))
