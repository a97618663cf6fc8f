"""Files that must be whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_CHUNK = 1024 * 1024


def write_atomically(path: Path, content: str, mode: int = PRIVATE_FILE) -> None:
    """Replaces a file in one step: after a crash it has the old content or the new one, never a mix.

    Raises CommandFailedError where it cannot be written; the old content is still there.
    """
    with _said(path):
        _replace(path, (content,), mode)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """The same for a private file of many lines, one after the other; memory stays flat."""
    with _said(path):
        _replace(path, lines, PRIVATE_FILE)


def _replace(path: Path, content: Iterable[str], mode: int) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(file.fileno(), mode)
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_new(path: Path, content: str) -> None:
    """A new private file, on disk when this returns; one that is there already is never replaced.

    Raises CommandFailedError where it cannot be written or is there already; nothing new is left then.
    """
    with _said(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_stream(path: Path, chunks: Iterable[bytes]) -> None:
    """A new private file with these chunks as its content.

    Raises CommandFailedError where it cannot be written or is there already, and what the chunks raise.
    """
    with _said(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)


def append_line(path: Path, line: str) -> None:
    """Adds a line of its own, also after one that a crash cut off, and returns only when it is on disk.

    Raises CommandFailedError where it cannot be written.
    """
    with _said(path):
        _append(path, line)


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
    size = os.fstat(descriptor).st_size
    cut_off = size and os.pread(descriptor, 1, size - 1) != b"\n"
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(("\n" if cut_off else "") + line + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Puts a folder's entries on disk: a rename is durable only then."""
    sync_file(folder)


def sync_file(path: Path) -> None:
    """Puts on disk what was written to a file, by whomever."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ensure_private_folder(folder: Path) -> None:
    """Makes a folder that only its owner can enter, or takes the others' rights away."""
    with _said(folder):
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        folder.chmod(PRIVATE_FOLDER)


def remove_file(path: Path) -> None:
    """Takes a file away, durably; one that is not there is no error.

    Raises CommandFailedError where its folder cannot be written.
    """
    with _said(path.parent):
        path.unlink(missing_ok=True)
        sync_folder(path.parent)


def remove_folder(folder: Path, going: Path) -> None:
    """Takes a folder's name away in one step, then what is in it, under the name `going`.

    Raises CommandFailedError where that cannot be done.
    """
    with _said(folder):
        folder.rename(going)
        sync_folder(folder.parent)
        shutil.rmtree(going)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """A full disk or a missing right, said as what it is instead of as a bug of ours."""
    try:
        yield
    except OSError as error:
        remedy = "Free space on its disk (docs/runbooks/disk-full.md) or correct its rights, then run this again."
        raise CommandFailedError(f"Cannot write {path}: {error.strerror}", remedy=remedy) from error


def read_chunks(path: Path) -> Iterator[bytes]:
    """The file's content in chunks; memory stays flat."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def is_gzipped(path: Path) -> bool:
    """Whether a file begins as gzip files do."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def read_unpacked(path: Path) -> Iterator[bytes]:
    """The file's content in chunks, unpacked where it is gzipped; memory stays flat.

    Raises BackupSetInvalidError for a gzipped file that is damaged or cut off.
    """
    try:
        with (gzip.open if is_gzipped(path) else Path.open)(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BackupSetInvalidError(f"{path} is damaged or cut off", remedy="Nothing was changed.") from error
