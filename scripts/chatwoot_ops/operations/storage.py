"""Proves the storage volume's files against `active_storage_blobs`, by size and MD5, both directions."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatwoot_ops.adapters.files import read_unpacked
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import staging
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import StorageProof
from chatwoot_ops.model.stack import Stack

# Only rows of the local service have files here; other services keep theirs elsewhere (facts, 8).
BLOBS = """
SELECT json_build_array(key, byte_size, checksum) FROM active_storage_blobs WHERE service_name = 'local' ORDER BY key;
"""
_CHUNK = 1024 * 1024


def read_blobs(next_line: Callable[[], str]) -> dict[str, tuple[int, str]]:
    """The answers of BLOBS, up to an empty list."""
    found: dict[str, tuple[int, str]] = {}
    while blob := json.loads(next_line()):
        found[str(blob[0])] = (int(blob[1]), str(blob[2]))
    return found


@dataclass(slots=True)
class StoredFile:
    """A file found in the volume: its size in bytes and its MD5 in base64, as Active Storage writes it."""

    size: int
    md5: str


@dataclass(slots=True)
class Proving:
    """What rows say and what was found, by key."""

    blobs: dict[str, tuple[int, str]]
    found: dict[str, StoredFile]

    def proof(self) -> StorageProof:
        """The verdict: each row's file there and right, and files without a row."""
        missing = sorted(set(self.blobs) - set(self.found))
        wrong = sorted(
            key
            for key, (size, md5) in self.blobs.items()
            if key in self.found and self.found[key] != StoredFile(size, md5)
        )
        orphaned = sorted(set(self.found) - set(self.blobs))
        return StorageProof(
            files=len(self.found),
            bytes=sum(each.size for each in self.found.values()),
            proved=len(self.blobs) - len(missing) - len(wrong),
            missing=tuple(missing),
            wrong=tuple(wrong),
            orphaned=tuple(orphaned),
        )


def files_in_archive(archive: IO[bytes]) -> Iterator[tuple[str, StoredFile]]:
    """Each regular file of a tar stream (plain or compressed) with its key; memory stays flat.

    Raises tarfile.TarError for an archive that is damaged or cut off.
    """
    with tarfile.open(fileobj=archive, mode="r|*") as tar:
        for member in tar:
            name = Path(member.name).name
            if member.isfile() and not name.startswith("."):
                yield name, _read(tar, member)


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> StoredFile:
    digest, size = hashlib.md5(usedforsecurity=False), 0
    content = tar.extractfile(member)
    while content and (chunk := content.read(_CHUNK)):
        digest.update(chunk)
        size += len(chunk)
    return StoredFile(size, b64encode(digest.digest()).decode())


def read_archive(archive: IO[bytes]) -> dict[str, StoredFile]:
    """Every file of a tar stream by its key.

    Raises BackupSetInvalidError for an archive that is damaged or cut off.
    """
    try:
        return dict(files_in_archive(archive))
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BackupSetInvalidError("The storage archive is damaged or cut off", details=(str(error),)) from error


def archive_problems(path: Path, wanted: StorageProof) -> tuple[str, ...]:
    """Reads an archive to its end; a line where it cannot be, or does not hold what its set's manifest says."""
    try:
        with path.open("rb") as file:
            sizes = [found.size for found in dict(files_in_archive(file)).values()]
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        return (f"{path.name}: cannot be read to its end ({error})",)
    found = f"{len(sizes)} files, {sum(sizes)} bytes"
    if found != f"{wanted.files} files, {wanted.bytes} bytes":
        return (f"{path.name}: {found}; the manifest says {wanted.files} files, {wanted.bytes} bytes",)
    return ()


def prove_files(found: dict[str, StoredFile], blobs: dict[str, tuple[int, str]]) -> StorageProof:
    """The proof of files that were listed already."""
    return Proving(blobs, found).proof()


def files_in_volume(stack: Stack, host: Host) -> dict[str, StoredFile]:
    """Every file of the storage volume by its key, each read whole."""
    lines = host.processes.run(staging.list_files(stack)).stdout.splitlines()
    rows = (line.split() for line in lines)
    return {key: StoredFile(int(size), b64encode(bytes.fromhex(md5)).decode()) for key, size, md5 in rows}


def place_archive(stack: Stack, host: Host, archive: Path) -> None:
    """Unpacks an archive (plain or gzipped tar) into the storage volume, each file in place by rename.

    Raises BackupSetInvalidError for an archive that is damaged, CommandFailedError where it cannot be unpacked.
    """
    host.processes.feed(staging.place_files(stack), read_unpacked(archive))
