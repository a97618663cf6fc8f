"""The disk of sets and state is full, at every level of fullness: refused in clear words, and nothing half passes.

Needs root, because it mounts; part of `nox -s faults`, which runs as root.
"""

import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from chatwoot_ops.adapters.backup_store import checksum_problems
from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.model.cluster import LOGICAL, PHYSICAL
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import list_sets, verify_set
from chatwoot_ops.operations.changing import store_of as journal_of
from chatwoot_ops.operations.keep import keep
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.prune import prune
from chatwoot_ops.operations.pulling import pull
from chatwoot_ops.operations.pushing import push
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.restore import RestoreOptions, restore
from chatwoot_ops.operations.source import source_of_set
from fault_table import record, refusal_of
from faults.forms import PRIVATE, PUBLIC
from faults.machine import SETTINGS, a_host
from power import Disk, mounted
from sets import sealed_whole
from world import place_in

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]
KILOBYTE = 1024
# From nothing free, past all that an operation writes here.
LEVELS = (*range(24), *range(24, 80, 8), 120, 200)
CODES = {13, 20, 22, 26}


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path, "full", 0, 0)
    with mounted(disk.image, disk.root):
        yield disk.root


@contextmanager
def only(root, kilobytes):
    """So much is free while the block runs."""
    filler = root / "filler"
    with _opened(filler) as file:
        while (free := os.statvfs(root).f_bavail) > 0:
            try:
                file.write(bytes(min(free, 64) * KILOBYTE))
                file.flush()
            except OSError:
                break
        os.fsync(file.fileno())
    os.truncate(filler, max(0, filler.stat().st_size - kilobytes * KILOBYTE))
    os.sync()
    try:
        yield
    finally:
        filler.unlink()
        os.sync()


def _opened(path):
    # What was removed just now may not be free yet.
    for _ in range(50):
        with suppress(OSError):
            return path.open("wb")
        os.sync()
        time.sleep(0.1)
    raise AssertionError("the disk stays full")


@dataclass
class Case:
    """A machine whose disk can be full."""

    place: Place
    host: object
    kind: str = LOGICAL

    @property
    def stack(self):
        return unchecked_stack(self.place, read_env_file(self.place.env_file))

    def names(self):
        """The sets that are there, all of them whole."""
        found = list_sets(self.stack, self.host)
        assert found.damaged == ()
        assert [problem for each in found.sets for problem in checksum_problems(each)] == []
        return {each.manifest.name for each in found.sets}


def sweep(root, case, act, *, may_go=lambda _: set()):
    """Acts at every level; returns at how many it failed, and at how many it was done."""
    failed = done = 0
    for level in LEVELS:
        case.host.clock.sleep(60)
        before = case.names()
        allowed = may_go(case)
        settings = case.place.env_file.read_bytes()
        with only(root, level):
            error = refusal_of(lambda: act(case))
            assert error is None or (error.code in CODES and error.remedy), error
            failed, done = failed + bool(error), done + (not error)
            assert case.place.env_file.read_bytes() == settings
            assert before - allowed <= case.names()
        recover(case.place, case.host, undo=True)
        assert journal_of(case.stack, case.host).read() is None
        back_up(case.stack, case.host, kind=case.kind)
        left = [each.name for each in case.stack.backup_folder.iterdir()]
        assert [name for name in left if name.endswith((".partial", ".removing"))] == []
        prune(case.stack, case.host, yes=True)
    assert failed, "the disk was never too full"
    assert done, "the disk was never empty enough"
    return failed + done


@pytest.mark.parametrize("kind", [LOGICAL, PHYSICAL])
def test_for_a_backup(disk, kind):
    case = Case(place_in(disk, **SETTINGS), a_host(kind), kind)
    back_up(case.stack, case.host, kind=kind)
    tried = sweep(disk, case, lambda it: back_up(it.stack, it.host, kind=kind))
    record("disk full", "at every level, in the backup folder", f"{kind} backup", cases=tried)


def test_for_a_pull(disk, tmp_path):
    (tmp_path / "origin").mkdir()
    case, origin = Case(place_in(disk, **SETTINGS), a_host()), Case(place_in(tmp_path / "origin", **SETTINGS), a_host())
    back_up(case.stack, case.host)
    origin.host.clock.sleep(-3600)
    pushed = back_up(origin.stack, origin.host).set
    push(origin.stack, origin.host)
    case.host.remotes.client = origin.host.remotes.client
    tried = sweep(
        disk, case, lambda it: pull(it.place, it.host, pushed.manifest.name), may_go=lambda _: {pushed.manifest.name}
    )
    record("disk full", "at every level, in the backup folder", "pull", cases=tried)


def test_for_marks_verification_and_pruning(disk):
    case = Case(place_in(disk, **SETTINGS), a_host())
    back_up(case.stack, case.host)

    def act(it):
        keep(it.stack, it.host, "latest")
        verify_set(it.stack, it.host)
        keep(it.stack, it.host, "latest", off=True)
        prune(it.stack, it.host, yes=True)

    tried = sweep(disk, case, act, may_go=lambda it: set(sorted(it.names())[:-1]))
    record("disk full", "at every level, in the backup and state folders", "keep, verify and prune", cases=tried)


def test_for_settings_that_are_written(disk):
    place = place_in(disk, **SETTINGS)
    tried = failed = 0
    for level in LEVELS:
        text = place.env_file.read_text()
        changed = with_values(text, {"BACKUP_KEEP_LAST": str(level + 1)}) + "#" * level * 100 + "\n"
        with only(disk, level):
            error = refusal_of(lambda changed=changed: write_env_file(place.env_file, changed))
            assert error is None or error.remedy
            assert place.env_file.read_text() == (text if error else changed)
            failed += bool(error)
        tried += 1
    assert 0 < failed < tried
    record("disk full", "at every level", "`.env`", cases=tried)


def test_for_an_encrypted_set_that_is_opened_for_a_restore(disk, tmp_path):
    case = Case(place_in(disk, **SETTINGS), a_host())
    (tmp_path / "key").write_text(PRIVATE)
    path = sealed_whole(tmp_path / "sets", PUBLIC, settings=case.place.env_file.read_text(), settings_included=True)

    def act(it):
        try:
            options = RestoreOptions(yes=True, identity=str(tmp_path / "key"))
            restore(it.stack, it.host, source_of_set(it.stack, str(path)), options)
        finally:
            assert list(it.stack.state_folder.glob("opened-*")) == []

    tried = sweep(disk, case, act)
    built, served = (len(case.host.processes.ran_with(part)) for part in ("pg_restore --jobs", "mv -T current.new"))
    assert 0 < served < built
    assert len(case.host.processes.ran_with("rm -rf /volume/clusters/")) == built - served
    record("disk full", "at every level, in the state folder", "restore of an encrypted set", cases=tried)
