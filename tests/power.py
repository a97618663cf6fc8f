"""Power that is lost: a file system on a loop file, copied at moments between two calls, and the copy mounted.

What the file system has not written to its device is not in the copy, as it is not on a disk whose machine went dark.
A copy is taken only when two readings agree, so it is a state that the device was in. The file system is mounted such
that the kernel helps least: no order between data and metadata, no flush of its own before a rename.
"""

import os
import random
import subprocess
import sys
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

MEGABYTES = 12
READINGS = 200
OPTIONS = "loop,data=writeback,noauto_da_alloc"
EVENTS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"})


def _run(*argv):
    done = subprocess.run([str(each) for each in argv], capture_output=True, text=True, check=False)
    # Where nothing can be mounted, power loss was not tried: that is a failure and no skip.
    assert done.returncode == 0, f"power loss cannot be played here (it needs root and loop devices): {done.stderr}"


@contextmanager
def mounted(image, at):
    """The file system of an image, mounted while the block runs; its journal is replayed first, as after a crash."""
    at.mkdir(exist_ok=True)
    _run("mount", "-o", OPTIONS, image, at)
    try:
        yield at
    finally:
        _run("umount", at)


@dataclass
class Disk:
    """A disk whose power may be lost; `known` is what had been acknowledged, and is kept with each copy.

    A `deaf` one does nothing when a program asks for what it wrote to be on disk: so it is seen what these tests find.
    """

    folder: Path
    seed: str
    wanted: int
    chance: float
    deaf: bool = False
    known: dict = field(default_factory=dict)
    copies: list = field(default_factory=list)
    events: int = 0
    _busy: bool = True

    def __post_init__(self):
        self._dice = random.Random(self.seed)  # noqa: S311 - the same moments each time
        self.image, self.root = self.folder / "disk", self.folder / "mounted"
        with self.image.open("wb") as file:
            file.truncate(MEGABYTES * 1024**2)
        _run("mkfs.ext4", "-q", "-m", 0, "-b", 1024, "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)

    @contextmanager
    def at_risk(self, monkeypatch):
        """Mounts the disk; `record` says from when on its power may be lost."""
        real = os.fsync

        def fsync(descriptor):
            self._moment()
            if not self.deaf:
                real(descriptor)
            self._moment()

        with mounted(self.image, self.root), monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            self._fsync, self._alive = real, True
            sys.addaudithook(self._heard)
            try:
                yield self
            finally:
                # A hook cannot be taken away again.
                self._alive = False

    def record(self):
        """From here on the power may be lost at any moment; all that was written before is on the disk."""
        os.sync()
        self._busy = False

    @contextmanager
    def safe(self):
        """The power stays on while the block runs."""
        self._busy = True
        yield
        self._busy = False

    def _heard(self, event, arguments):
        if event in EVENTS and self._alive and not self._busy and str(self.root) in str(arguments[0]):
            self._moment()

    def _moment(self):
        if self._busy or not self._alive:
            return
        self.events += 1
        if len(self.copies) < self.wanted and self._dice.random() < self.chance:
            self._busy = True
            try:
                self._kernel_writes_something()
                self.copies.append((self._copy(), deepcopy(self.known)))
            finally:
                self._busy = False

    def _kernel_writes_something(self):
        """Nothing, the metadata of everything, or the data of one file: the kernel may do each at any time."""
        files = sorted(each for each in self.root.rglob("*") if each.is_file())
        choice = self._dice.randrange(3)
        if choice == 0 or not files:
            return
        target = self.root if choice == 1 else self._dice.choice(files)
        descriptor = os.open(target, os.O_RDONLY)
        try:
            self._fsync(descriptor)
        finally:
            os.close(descriptor)

    def _copy(self):
        before = self.image.read_bytes()
        for _ in range(READINGS):
            now = self.image.read_bytes()
            if now == before:
                path = self.folder / f"copy-{len(self.copies)}"
                path.write_bytes(now)
                return path
            before = now
        raise AssertionError("the disk never held still")

    def survivors(self):
        """Each copy mounted, with what had been acknowledged when it was taken; it is gone afterwards."""
        self._busy = True
        for path, known in self.copies:
            with mounted(path, self.folder / "survivor") as root:
                yield root, known
            path.unlink()
