"""Proves the storage volume's files against `active_storage_blobs`, by size and MD5, both directions."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import stored_files
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import StorageProof
from chatwoot_ops.model.command import Command
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.stored_files import StoredFile

# Only rows of the local service have files here; other services keep theirs elsewhere (facts, 8).
BLOBS = """
SELECT json_build_array(key, byte_size, checksum) FROM active_storage_blobs WHERE service_name = 'local' ORDER BY key;
"""
BROKEN = (tarfile.TarError, EOFError, zlib.error)
_CHUNK = 1024 * 1024


def read_blobs(next_line: Callable[[], str]) -> dict[str, tuple[int, str]]:
    """The answers of BLOBS, up to an empty list."""
    found: dict[str, tuple[int, str]] = {}
    while blob := json.loads(next_line()):
        found[str(blob[0])] = (int(blob[1]), str(blob[2]))
    return found


@dataclass(slots=True)
class Proving:
    """What rows say and what was found, by key."""

    blobs: Mapping[str, tuple[int, str]]
    found: Mapping[str, StoredFile]

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
                yield name, read_file(tar.extractfile(member))


def read_file(content: IO[bytes] | None) -> StoredFile:
    """A file's size and MD5, read to its end."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
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
    except BROKEN as error:
        raise BackupSetInvalidError("The storage archive is damaged or cut off", details=(str(error),)) from error


def prove_files(found: Mapping[str, StoredFile], blobs: Mapping[str, tuple[int, str]]) -> StorageProof:
    """The proof of files that were listed already."""
    return Proving(blobs, found).proof()


def files_in_volume(stack: Stack, host: Host) -> dict[str, StoredFile]:
    """Every file of the storage volume by its key, each read whole."""
    return read_listing(host, stored_files.list_files(stack))


def read_listing(host: Host, command: Command) -> dict[str, StoredFile]:
    """What such a command lists, by key."""
    rows = (line.split() for line in host.processes.run(command).stdout.splitlines())
    return {key: StoredFile(int(size), b64encode(bytes.fromhex(md5)).decode()) for key, size, md5 in rows}
