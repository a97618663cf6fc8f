"""What is done to a sealed set without touching what was sealed: a mark that keeps it, and its removal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from chatwoot_ops.adapters.files import remove_file, remove_folder, write_atomically
from chatwoot_ops.model.backup_set import BackupSet

REMOVING = ".removing"
_KEPT = "kept.json"


def is_kept(folder: Path) -> bool:
    """Whether the set in this folder is marked; a damaged mark is one."""
    return (folder / _KEPT).exists()


def mark_kept(backup_set: BackupSet, *, at: str, by: str) -> None:
    """Marks a set: no prune removes it."""
    write_atomically(Path(backup_set.path) / _KEPT, json.dumps({"at": at, "by": by}) + "\n")


def unmark_kept(backup_set: BackupSet) -> None:
    """Takes the mark away.

    Raises CommandFailedError where the folder cannot be written.
    """
    remove_file(Path(backup_set.path) / _KEPT)


def lacking(backup_set: BackupSet) -> tuple[str, ...]:
    """Artifacts that are not there or not of their size: what can be seen of a damage without reading the set."""
    artifacts = backup_set.manifest.artifacts
    return tuple(each.name for each in artifacts if _size(Path(backup_set.path) / each.name) != each.size)


def is_shared(path: Path) -> bool:
    """Whether another set holds the very same file."""
    try:
        return path.stat().st_nlink > 1
    except OSError:
        return False


def bytes_on_disk(sets: Iterable[BackupSet]) -> int:
    """What the artifacts of these sets take together, a file that several of them share counted once."""
    found = {}
    for path in (Path(each.path) / artifact.name for each in sets for artifact in each.manifest.artifacts):
        with suppress(OSError):
            seen = path.stat()
            found[seen.st_dev, seen.st_ino] = seen.st_size
    return sum(found.values())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def remove_set(folder: Path) -> None:
    """Takes a set's name away in one step, then its files: a kill leaves a whole set or none.

    Raises CommandFailedError where that cannot be done; what is left is no set; the next backup or prune removes it.
    """
    remove_folder(folder, folder.with_name(f"{folder.name}{REMOVING}"))


def finish_removals(folder: Path) -> tuple[str, ...]:
    """Ends the removals that were cut off below a folder of sets; returns what could not be removed, by set."""
    left = list(folder.glob(f"*{REMOVING}")) if folder.is_dir() else []
    for each in left:
        shutil.rmtree(each, ignore_errors=True)
    return tuple(sorted(each.name.removesuffix(REMOVING) for each in left if each.exists()))
