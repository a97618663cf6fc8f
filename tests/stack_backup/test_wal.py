"""The continuous archive on a real engine: one stack, gone through in order."""

import shutil
import time

import pytest

from kill_kinds import CHAIN
from stack.tools import docker, say, wait_for
from stack_backup.archiving import (
    NOW,
    PHYSICAL,
    RECEIVER,
    a_write,
    archive_line,
    archiving_stack,
    chains,
    checks,
    lose_the_database,
    signal,
    writes,
)
from stack_backup.kills import Kill, kill_and_end, matrix
from stack_backup.support import sets


@pytest.fixture(scope="module")
def stack(tmp_path_factory, quick, images):
    """A stack that archives synchronously, with a base backup."""
    with archiving_stack(tmp_path_factory.mktemp("wal"), quick) as stack:
        yield stack


def test_every_part_of_it_is_well_and_says_what_can_be_reached(stack):
    found = checks(stack)
    assert {each["outcome"] for each in found.values()} == {"pass"}, found
    assert "any moment from" in found["WAL chain"]["seen"]
    assert "sync, streaming" in stack.invoke("status").out
    assert stack.sql("SHOW max_slot_wal_keep_size") == "2GB"


def test_a_frozen_receiver_makes_writes_wait_is_found_within_90_s_and_keeps_no_look_from_answering(stack):
    stack.write_row("before the freeze")
    signal(stack, "STOP")
    began = time.monotonic()
    with a_write(stack, "waited") as writer:
        try:
            wait_for(lambda: stack.health(RECEIVER) == "unhealthy", "the frozen receiver found", 90)
            say(f"frozen receiver: unhealthy after {time.monotonic() - began:.0f} s")
            assert writer.poll() is None
            found = checks(stack)["WAL receiver"]
            assert found["outcome"] == "fail"
            assert "1 writes WAIT" in found["seen"]
            assert "WAL_ARCHIVE=async" in found["remedy"]
            assert "1 writes WAIT" in archive_line(stack)
            assert "wait for the WAL receiver" in writes(stack)["seen"]
        finally:
            signal(stack, "CONT")
        assert writer.wait(30) == 0
    stack.wait_healthy(RECEIVER)
    assert "waited" in stack.rows()


def test_a_receiver_that_is_killed_goes_on_where_it_was(stack):
    signal(stack, "KILL")
    stack.write_row("after the kill")
    stack.wait_healthy(RECEIVER)
    assert checks(stack)["WAL chain"]["outcome"] == "pass"


def test_a_restore_hits_the_moment_between_two_writes_and_a_new_chain_begins(stack):
    stack.write_row("wanted")
    moment = stack.sql(NOW)
    stack.write_row("mistake")
    stack.sql("SELECT pg_switch_wal()")
    (old,) = chains(stack)
    said = stack.invoke("restore", "--to", moment, "--yes").out
    assert "wanted" in stack.rows()
    assert "mistake" not in stack.rows()
    assert "Recovered up to the last change of" in said
    assert "A new WAL chain has begun" in said
    assert chains(stack)[0] == old
    assert len(chains(stack)) == 2
    assert {each["outcome"] for each in checks(stack).values()} == {"pass"}


def test_a_moment_outside_is_refused_and_nothing_is_touched(stack):
    before = (stack.containers(), stack.rows())
    said = stack.invoke("restore", "--to", "2020-01-01 00:00:00Z", "--yes", code=13).said
    assert "-physical: 20" in said
    assert (stack.containers(), stack.rows()) == before


@pytest.mark.parametrize(("step", "way"), matrix("restore --to"))
def test_a_restore_to_a_moment_that_was_killed(stack, step, way):
    kill_and_end(stack, Kill("restore --to", step, way, ("restore", "--to", stack.moment, "--yes")))
    if step in CHAIN:
        assert {each["outcome"] for each in checks(stack).values()} == {"pass"}


@pytest.mark.parametrize(("step", "way"), matrix("up, archive switched off"))
def test_an_up_that_was_killed_as_it_ended_the_archive(stack, step, way):
    stack.set(WAL_ARCHIVE="off")
    try:
        kill_and_end(stack, Kill("up, archive switched off", step, way, ("up",)))
        assert stack.sql("SELECT count(*) FROM pg_replication_slots") == "0"
    finally:
        stack.set(WAL_ARCHIVE="sync")
        stack.invoke("up")
        stack.invoke(*PHYSICAL)


@pytest.mark.parametrize(("step", "way"), matrix("physical backup, WAL archived"))
def test_a_backup_that_was_killed_as_it_removed_wal(stack, step, way):
    for _ in range(2):
        stack.sql("SELECT pg_switch_wal()")
    stack.invoke(*PHYSICAL)
    # Nothing needs the WAL before the newest set any more.
    elsewhere, folder = stack.env_file.parent / f"elsewhere-{way}", sets(stack)[0].parent
    elsewhere.mkdir()
    for path in sets(stack)[:-1]:
        shutil.move(path, elsewhere)
    try:
        kill_and_end(stack, Kill("physical backup, WAL archived", step, way, PHYSICAL))
        assert {each["outcome"] for each in checks(stack).values()} == {"pass"}
    finally:
        for path in elsewhere.iterdir():
            shutil.move(path, folder)


def test_the_database_is_lost_and_no_acknowledged_row_with_it(stack):
    written = [f"row {number}" for number in range(20)]
    for text in written:
        stack.write_row(text)
    lose_the_database(stack)
    stack.invoke("restore", "--to", "latest", "--yes")
    assert set(written) <= set(stack.rows())


def test_switched_off_it_leaves_no_receiver_no_slot_and_the_archive(stack):
    stack.set(WAL_ARCHIVE="off")
    stack.invoke("up")
    assert stack.sql("SELECT count(*) FROM pg_replication_slots") == "0"
    assert not docker("ps", "-aq", "--filter", f"name={stack.container(RECEIVER)}").out
    assert f"{stack.project}-wal" in stack.volumes()
    assert stack.invoke("doctor", code=None).out.count("WAL_ARCHIVE is off") == 1
