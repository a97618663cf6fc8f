"""Who reads a set that is sealed: a shared lock on its folder, which no prune gets past and no kill leaves behind.

Nothing is written, so a set on a medium that cannot be written can be read all the same. Where the file system knows no
locks, reading goes on, and removing is refused: it could not be checked.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import BackupSet

READ, UNKNOWN = "a task is reading it", "could not check whether a task reads it"


@contextmanager
def reading(backup_set: BackupSet | None) -> Iterator[None]:
    """While the block runs no prune removes this set; without a set it does nothing.

    Raises BackupSetInvalidError where it was removed a moment ago.
    """
    if backup_set is None:
        yield
        return
    folder = Path(backup_set.path)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _gone(folder) from error
    try:
        _share(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _share(descriptor: int, folder: Path) -> None:
    try:
        # Waits for a prune that only looks, or that is just removing this set.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        return
    # Then its name is gone.
    if not (folder.exists() and folder.stat().st_ino == os.fstat(descriptor).st_ino):
        raise _gone(folder)


def _gone(folder: Path) -> BackupSetInvalidError:
    remedy = "Take another set ('invoke backups'). Nothing was changed."
    return BackupSetInvalidError(f"The set {folder.name} was removed meanwhile, or cannot be entered", remedy=remedy)


@contextmanager
def nobody_reading(folder: Path) -> Iterator[str]:
    """Why the set in this folder cannot be removed now, "" where nobody reads it or begins to while the block runs."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield UNKNOWN
        return
    try:
        yield _alone(descriptor)
    finally:
        os.close(descriptor)


def _alone(descriptor: int) -> str:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return READ
    except OSError:
        return UNKNOWN
    return ""
