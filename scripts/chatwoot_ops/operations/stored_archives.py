"""The archives that stored files come from: a set's packs with their list, or a tar from elsewhere."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatwoot_ops.adapters.bridge import pulled
from chatwoot_ops.adapters.files import read_unpacked
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import stored_files
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import LIST_ARTIFACT, STORAGE_ARTIFACT
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.stored_files import Packing, StoredFile, parse_list, place_of
from chatwoot_ops.operations.storage import BROKEN

_CHUNK = 1024 * 1024
_END_BLOCKS = 2 * tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class Archives:
    """Tars, the oldest first, and the list of what of them belongs to the set; without one all of it does."""

    paths: tuple[Path, ...]
    list: Path | None = None


def archives_in(folder: Path, packing: Packing | None = None) -> Archives:
    """The archives of a set in its folder, in clear; by their names where no manifest tells of them."""
    if packing is None:
        # Sorted, the packs of earlier sets come first and the set's own last.
        paths = tuple(sorted(folder.glob("storage*.tar")))
    else:
        paths = tuple(folder / each.name for each in packing.packs) or (folder / STORAGE_ARTIFACT,)
    listed = folder / LIST_ARTIFACT
    return Archives(paths, listed if listed.exists() else None)


def place_archives(stack: Stack, host: Host, archives: Archives) -> None:
    """Unpacks archives into the storage volume, each file in place by rename; of a set what belongs to it and no more.

    Raises BackupSetInvalidError for one that is damaged, CommandFailedError where it cannot be unpacked.
    """
    host.processes.feed(stored_files.place_files(stack), _as_one(archives))


def _as_one(archives: Archives) -> Iterator[bytes]:
    if archives.list is None and len(archives.paths) == 1:
        return read_unpacked(archives.paths[0])
    wanted = frozenset(listed_files(archives.list)) if archives.list else None
    return pulled(lambda sink: _merge(archives.paths, wanted, sink))


def listed_files(path: Path) -> dict[str, StoredFile]:
    """The files of a set's list by key.

    Raises BackupSetInvalidError where it cannot be read.
    """
    try:
        with path.open(encoding="ascii") as lines:
            return parse_list(lines)
    except (OSError, ValueError) as error:
        raise BackupSetInvalidError(f"{path.name} cannot be read", details=(str(error),)) from error


def _merge(paths: tuple[Path, ...], wanted: frozenset[str] | None, sink: IO[bytes]) -> None:
    """One tar of several: each file under the place of its key, so that unpacked the youngest wins."""
    try:
        for path in paths:
            _append(path, wanted, sink)
    except BROKEN as error:
        raise BackupSetInvalidError("The storage archive is damaged or cut off", details=(str(error),)) from error
    sink.write(bytes(_END_BLOCKS))


def _append(path: Path, wanted: frozenset[str] | None, sink: IO[bytes]) -> None:
    for key, member, content in members_in(path):
        if wanted is None or key in wanted:
            member.name = place_of(key)
            # The library's own writer copies its whole buffer for each piece: it was ten times slower.
            sink.write(member.tobuf(tarfile.GNU_FORMAT))
            while chunk := content.read(_CHUNK):
                sink.write(chunk)
            sink.write(bytes(-member.size % tarfile.BLOCKSIZE))


def members_in(path: Path) -> Iterator[tuple[str, tarfile.TarInfo, IO[bytes]]]:
    """Each stored file of a plain tar on the disk; as a stream it would take twice the processor time."""
    with tarfile.open(path, mode="r:") as pack:
        yield from members_of(pack)


def members_of(pack: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo, IO[bytes]]]:
    """Each stored file of an open tar."""
    while (member := pack.next()) is not None:
        # Else it remembers each, and memory grows with their number.
        vars(pack)["members"].clear()
        key = Path(member.name).name
        content = pack.extractfile(member) if member.isfile() else None
        if content is not None and not key.startswith("."):
            yield key, member, content
