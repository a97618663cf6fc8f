"""The stored files of a set held against its list, in clear or opened by a private key; memory stays flat."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatwoot_ops.adapters.age import Identity, read_sealed
from chatwoot_ops.errors import BackupSetInvalidError, OpsError
from chatwoot_ops.model.backup_set import ENCRYPTED, LIST_ARTIFACT, STORAGE_ARTIFACT, StorageProof
from chatwoot_ops.model.stored_files import Packing, StoredFile, parse_list
from chatwoot_ops.operations.storage import BROKEN, read_file
from chatwoot_ops.operations.stored_archives import listed_files, members_in, members_of

Tell = Callable[[list[str]], tuple[str, ...]]
Files = dict[str, StoredFile]


@dataclass(frozen=True, slots=True)
class Contents:
    """The folder of a set, how its files are packed, and the private key where all of it is encrypted."""

    folder: Path
    packing: Packing
    identity: Identity | None = None

    @property
    def packs(self) -> tuple[str, ...]:
        """The archives of stored files by their names in clear, the oldest first."""
        return tuple(each.name for each in self.packing.packs) or (STORAGE_ARTIFACT,)

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The names of the artifacts that are opened here."""
        names = (*self.packs, *((LIST_ARTIFACT,) if self.packing.packs else ()))
        return tuple(self.path(name).name for name in names)

    def path(self, name: str) -> Path:
        """Where an artifact lies."""
        return self.folder / (f"{name}{ENCRYPTED}" if self.identity else name)

    def files_in(self, name: str) -> Files:
        """Every file of an archive; raises what is wrong with it."""
        path = self.path(name)
        if self.identity:
            return read_sealed(path, _read_stream, self.identity)
        return {key: read_file(content) for key, _, content in members_in(path)}

    def listed(self) -> Files:
        """The files of the set's list; raises BackupSetInvalidError where it cannot be read."""
        path = self.path(LIST_ARTIFACT)
        if not self.identity:
            return listed_files(path)
        try:
            return read_sealed(path, _read_list, self.identity)
        except (OSError, ValueError) as error:
            raise BackupSetInvalidError(f"{path.name} cannot be read", details=(str(error),)) from error


def _read_stream(file: IO[bytes]) -> Files:
    with tarfile.open(fileobj=file, mode="r|") as pack:
        return {key: read_file(content) for key, _, content in members_of(pack)}


def _read_list(file: IO[bytes]) -> Files:
    return parse_list(line.decode("ascii") for line in file)


def archive_problems(contents: Contents, wanted: StorageProof, tell: Tell) -> tuple[str, ...]:
    """Reads a set's archives to their end; a line for each that cannot be, and for each difference.

    `tell` makes lines of the keys of files that are not as the set's list says.
    """
    problems, held = list[str](), Files()
    said = {each.name: (each.files, each.bytes) for each in contents.packing.packs} or {
        STORAGE_ARTIFACT: (wanted.files, wanted.bytes)
    }
    for name in contents.packs:
        try:
            files = contents.files_in(name)
        except (OSError, OpsError, *BROKEN) as error:
            return (f"{contents.path(name).name}: cannot be read to its end ({error})",)
        problems += _difference(contents.path(name).name, said[name], files)
        held |= files
    return (*problems, *(_unlike_list(contents, held, wanted, tell) if contents.packing.packs else ()))


def _difference(name: str, said: tuple[int, int], files: Files) -> list[str]:
    found = (len(files), sum(each.size for each in files.values()))
    if found == said:
        return []
    return [f"{name}: {found[0]} files, {found[1]} bytes; the manifest says {said[0]} files, {said[1]} bytes"]


def _unlike_list(contents: Contents, held: Files, wanted: StorageProof, tell: Tell) -> tuple[str, ...]:
    path = contents.path(LIST_ARTIFACT)
    if not path.exists():
        return (f"{path.name}: is not there",)
    try:
        listed = contents.listed()
    except BackupSetInvalidError as error:
        return (f"{error.message}: {'; '.join(error.details)}",)
    said = (wanted.files, wanted.bytes)
    lacking = [key for key in listed if held.get(key) != listed[key]]
    lines = (f"{path.name}: in no pack as it is listed: {line}" for line in tell(lacking))
    return (*_difference(path.name, said, listed), *lines)
