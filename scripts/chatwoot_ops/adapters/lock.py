"""One changing operation per Compose project at a time, whichever checkout it comes from."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatwoot_ops.errors import StackLockedError

_FOLDERS = (Path("/run/lock"), Path(tempfile.gettempdir()))


def lock_path(project: str) -> Path:
    """The lock's place: one path on this host per project, not per checkout."""
    folder = next(folder for folder in _FOLDERS if folder.is_dir() and os.access(folder, os.W_OK))
    return folder / f"chatwoot-ops-{project}.lock"


@contextmanager
def hold_lock(project: str, *, operation: str, user: str, since: str) -> Iterator[None]:
    """Holds the project's lock; the kernel frees it when the process ends, however it ends.

    Raises StackLockedError naming the holder when another process has it.
    """
    path = lock_path(project)
    descriptor = _open(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            remedy = "Wait for it to end, then run this again."
            raise StackLockedError(f"Another operation holds the lock: {_holder(descriptor)}", remedy=remedy) from error
        _write_holder(descriptor, {"operation": operation, "user": user, "since": since, "process": os.getpid()})
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    # Without O_CREAT first: fs.protected_regular forbids opening others' files with it in a sticky folder.
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        os.fchmod(descriptor, 0o666)
        return descriptor


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"{holder['operation']} by {holder['user']} (process {holder['process']}) since {holder['since']}"
    except (ValueError, KeyError):
        return "its holder has not written its name yet"


def _write_holder(descriptor: int, holder: dict[str, object]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def is_held(project: str) -> bool:
    """Whether a living process holds the project's lock now."""
    try:
        descriptor = os.open(lock_path(project), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
