"""What prune never takes: a set that somebody reads, whoever that is, and one that is nowhere else yet."""

import fcntl
import signal
import subprocess
import sys
from threading import Thread

import pytest

from chatwoot_ops.adapters import set_lock
from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.set_lock import nobody_reading, reading
from chatwoot_ops.adapters.set_notes import mark_off_site, off_site_note, remove_set
from chatwoot_ops.console.backup_sets import pruned
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.operations import backup_sets, drilling, key_proof, pushing
from chatwoot_ops.operations import prune as pruning
from chatwoot_ops.operations import restore as restoring
from chatwoot_ops.operations.drill import DrillOptions, drill
from chatwoot_ops.operations.prune import planned, prune
from chatwoot_ops.operations.prune_remote import prune_remote as prune_copies
from chatwoot_ops.operations.pushing import push
from chatwoot_ops.operations.restore import RestoreOptions, intended_restore, restore_from
from keeping import well_keeping
from nightly import SETTINGS, kept_by, nightly, there
from off_site import REMOTE
from sets import sealed_whole
from world import ROOT, stack_in

READ = (set_lock.READ,)


@pytest.fixture
def values():
    return {**SETTINGS, **REMOTE, "CHATWOOT_RELEASE": "v4.15.1-ce"}


@pytest.fixture
def host(well):
    well_keeping(well)
    return well


def off_site(*paths, remote=REMOTE["BACKUP_REMOTE"]):
    for path in paths:
        found = read_set(path)
        where = f"{remote}/{found.manifest.instance}/{found.manifest.name}"
        mark_off_site(found, off_site_note("2026-11-24T07:00:00Z", where))


def test_a_set_that_is_read_stays_and_goes_once_nobody_reads_it(stack, host):
    old, _ = paths = nightly(stack, 2)
    off_site(*paths)
    with reading(read_set(old)):
        assert kept_by(stack)[old.name] == READ
        assert prune(stack, host, yes=True).removed == ()
        assert f"{old.name:<28}" in "".join(pruned(planned(stack)))
    assert prune(stack, host, yes=True).removed == (old.name,)


def test_a_set_that_somebody_began_to_read_after_the_plan_stays_and_that_is_said(stack, host, monkeypatch):
    old, _ = paths = nightly(stack, 2)
    off_site(*paths)
    plan = planned(stack)
    monkeypatch.setattr(pruning, "planned", lambda _: plan)
    with reading(read_set(old)):
        assert prune(stack, host, yes=True).removed == ()
    assert host.reporter.notes[-1] == f"{old.name} stays: {set_lock.READ}"
    assert len(there(stack)) == 2


def test_two_read_at_once(stack):
    (path,) = nightly(stack, 1)
    with reading(read_set(path)), reading(read_set(path)), nobody_reading(path) as why:
        assert why == set_lock.READ


@pytest.mark.parametrize("removed", [True, False])
def test_who_comes_while_a_set_is_looked_at_waits_and_reads_it_unless_it_is_gone_then(stack, removed):
    (path,) = nightly(stack, 1)
    found, done = read_set(path), []

    def read():
        try:
            with reading(found):
                done.append("read")
        except BackupSetInvalidError as error:
            done.append(error.message)

    reader = Thread(target=read)
    with nobody_reading(path) as why:
        assert why == ""
        reader.start()
        reader.join(0.2)
        assert done == []
        if removed:
            remove_set(path)
    reader.join(10)
    assert ("was removed meanwhile" in done[0]) is removed


def test_a_set_whose_name_went_between_finding_and_reading_it_is_said_to_be_gone(stack, monkeypatch):
    (path,) = nightly(stack, 1)
    found, lock = read_set(path), fcntl.flock

    def moved_away(descriptor, operation):
        path.rename(path.with_name("elsewhere"))
        path.mkdir()
        lock(descriptor, operation)

    monkeypatch.setattr(set_lock.fcntl, "flock", moved_away)
    with pytest.raises(BackupSetInvalidError, match="was removed meanwhile"), reading(found):
        pass
    path.rmdir()
    with pytest.raises(BackupSetInvalidError, match="was removed meanwhile"), reading(found):
        pass


def test_where_the_file_system_knows_no_locks_sets_are_read_and_none_is_removed(stack, host, monkeypatch):
    old, _ = paths = nightly(stack, 2)
    off_site(*paths)

    def unable(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(set_lock.fcntl, "flock", unable)
    with reading(read_set(old)):
        pass
    assert kept_by(stack)[old.name] == (set_lock.UNKNOWN,)
    monkeypatch.undo()
    with nobody_reading(stack.backup_folder / "not-there") as why:
        assert why == set_lock.UNKNOWN


HOLD = """
import sys, time
from pathlib import Path
from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.set_lock import reading
with reading(read_set(Path(sys.argv[1]))):
    print("reading", flush=True)
    time.sleep(60)
"""


def test_a_reader_that_was_killed_blocks_nobody(stack, host):
    old, _ = paths = nightly(stack, 2)
    off_site(*paths)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(old)], cwd=ROOT, stdout=subprocess.PIPE) as reader:
        assert reader.stdout.readline() == b"reading\n"
        assert kept_by(stack)[old.name] == READ
        reader.send_signal(signal.SIGKILL)
    assert prune(stack, host, yes=True).removed == (old.name,)


def seen_in(monkeypatch, module, name, stack):
    """What prune says of each set at the moment at which this function is called."""
    seen, real = [], getattr(module, name)

    def look(*given, **named):
        seen.append(kept_by(stack))
        return real(*given, **named)

    monkeypatch.setattr(module, name, look)
    return seen


def test_verify_push_and_restore_read_the_set_that_they_work_on(stack, place, host, monkeypatch):
    old, new = paths = nightly(stack, 2)
    off_site(*paths)
    checked = seen_in(monkeypatch, backup_sets, "checksum_problems", stack)
    backup_sets.verify_set(stack, host, old.name)
    where = {"set": old.name, "dump": "", "storage": ""}
    intended_restore(place, host, where, RestoreOptions())
    restore_from(place, host, where, RestoreOptions(yes=True))
    sent = seen_in(monkeypatch, pushing, "require_sound", stack)
    push(stack, host, old.name)
    assert [each[old.name][-1:] for each in (*checked, *sent)] == [READ] * 4
    assert [set_lock.READ in each[new.name] for each in (*checked, *sent)] == [False] * 4


def test_a_set_that_a_restore_fetched_stays_until_it_is_restored(stack, place, host, monkeypatch):
    old, _ = nightly(stack, 2)
    push(stack, host, old.name)
    opened = seen_in(monkeypatch, restoring, "opened_near", stack)
    where = {"set": old.name, "dump": "", "storage": "", "remote": "yes"}
    intended_restore(place, host, where, RestoreOptions())
    restore_from(place, host, where, RestoreOptions(yes=True))
    assert [set_lock.READ in each[old.name] for each in opened] == [True, True]


def test_a_drill_reads_its_set_while_production_may_prune(stack, place, host, engine, monkeypatch):
    old, _ = paths = nightly(stack, 2)
    off_site(*paths)
    served = seen_in(monkeypatch, drilling, "start_data", stack)
    assert drill(place, host, DrillOptions(set=old.name), lambda *_: "").passed
    assert [each[old.name] for each in served] == [READ]


def test_a_key_that_proves_itself_reads_the_set(stack, place, host, tmp_path, monkeypatch):
    public, private = make_pair()
    (tmp_path / "identity").write_text(private)
    path = sealed_whole(stack.backup_folder, public)
    opened = seen_in(monkeypatch, key_proof, "closed_problems", stack)
    key_proof.prove_key(place, host, path.name, str(tmp_path / "identity"))
    assert set_lock.READ in opened[0][path.name]


def test_a_set_that_is_not_off_site_yet_stays_and_the_plan_says_why(stack, host):
    first, second, _ = nightly(stack, 3)
    off_site(first)
    assert kept_by(stack)[second.name] == ("not off-site yet",)
    assert prune(stack, host, yes=True).removed == (first.name,)
    push(stack, host, second.name)
    assert prune(stack, host, yes=True).removed == (second.name,)


def test_without_a_remote_nothing_waits_for_one(tmp_path, host):
    stack = stack_in(tmp_path, **SETTINGS)
    paths = nightly(stack, 2)
    assert prune(stack, host, yes=True).removed == (paths[0].name,)


def test_what_is_off_site_at_another_remote_than_that_of_the_settings_stays(stack):
    old, _ = nightly(stack, 2)
    off_site(old, remote="s3://the-bucket-before/chatwoot")
    assert kept_by(stack)[old.name] == ("not off-site yet",)


@pytest.mark.parametrize("note", ["no JSON", "[]", "{}", '{"at": ""}', '{"at": "2026-11-24T07:00:00Z"}'])
def test_a_note_that_does_not_say_where_counts_for_nothing(stack, note):
    old, _ = nightly(stack, 2)
    (old / "off-site.json").write_text(note)
    assert kept_by(stack)[old.name] == ("not off-site yet",)


def test_a_copy_that_retention_removed_does_not_keep_the_set_here_for_ever(stack, host):
    old, new = nightly(stack, 2)
    push(stack, host, old.name)
    push(stack, host, new.name)
    assert prune_copies(stack, host, yes=True).removed == (old.name,)
    found = read_set(old)
    assert (found.off_site, found.off_site_ended) == ("", "2026-11-24T08:00:00Z")
    assert prune(stack, host, yes=True).removed == (old.name,)
