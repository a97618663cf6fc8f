"""The WAL receiver dead, frozen and cut off: the disk stays bounded, what waits is said, and nothing is lost."""

import os
import signal
import time

import pytest

from fault_table import record
from stack.tools import docker, wait_for
from stack_backup.archiving import (
    PHYSICAL,
    RECEIVER,
    a_write,
    archive_line,
    archiving_stack,
    chains,
    checks,
    lose_the_database,
    writes,
)
from stack_backup.kills import Kill, kill_and_end, matrix
from stack_backup.support import FAKE, lost, sets, writing

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]
KEPT = 64 * 1024**2
SEGMENT = 16 * 1024**2
# Some 20 MB of WAL, of which nothing stays.
LOAD = """
CREATE TABLE IF NOT EXISTS load (text text); TRUNCATE load;
INSERT INTO load SELECT repeat(md5(random()::text), 30) FROM generate_series(1, 20000)
"""
SMALL = ("min_wal_size = '32MB'", "max_wal_size = '64MB'")
RECEIVING = "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'chatwoot_wal'"
SOCKET = "/chatwoot-socket/.s.PGSQL.5432"


@pytest.fixture(scope="module")
def stack(tmp_path_factory, quick, images):
    with archiving_stack(tmp_path_factory.mktemp("wal"), quick, "async", WAL_KEEP_SIZE="64MB") as stack:
        stack.acknowledged = []
        yield stack


def switch(stack, mode):
    if stack.settings["WAL_ARCHIVE"] != mode:
        stack.set(WAL_ARCHIVE=mode)
        stack.invoke("up")


def all_well(stack):
    found = checks(stack)
    return {each["outcome"] for each in found.values()} == {"pass"}, found


def test_a_dead_receiver_under_write_load_cannot_fill_the_disk_and_a_new_chain_begins(stack):
    for setting in SMALL:
        stack.sql(f"ALTER SYSTEM SET {setting}")
    begun = stack.sql("SELECT pg_current_wal_lsn() FROM (SELECT pg_reload_conf()) reloaded")
    docker("kill", stack.container(RECEIVER))
    sizes, written = [], 0
    while written < 6 * KEPT:
        stack.sql(LOAD)
        sizes.append(int(stack.sql("SELECT sum(size) FROM pg_ls_waldir()")))
        stack.sql("CHECKPOINT")
        written = int(stack.sql(f"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '{begun}')::bigint"))
    stack.write_row("while it was dead")
    stack.sql("DROP TABLE load")
    assert max(sizes) <= KEPT + 64 * 1024**2 + 3 * SEGMENT < written
    assert stack.sql("SELECT wal_status FROM pg_replication_slots") == "lost"
    said = archive_line(stack)
    assert "NO RECEIVER" in said
    assert "is LOST" in said
    slot = checks(stack)["WAL slot"]
    assert slot["outcome"] == "fail"
    assert "'invoke up'" in slot["remedy"]
    assert "'invoke backup --kind physical'" in slot["remedy"]

    stack.invoke("up")
    stack.invoke(*PHYSICAL)
    assert all_well(stack)[0], all_well(stack)[1]
    assert len(chains(stack)) == 2
    stack.write_row("in the new chain")
    time.sleep(3)  # async: the receiver may be a moment behind
    lose_the_database(stack)
    stack.invoke("restore", "--to", "latest", "--yes")
    missing = {"while it was dead", "in the new chain"} - set(stack.rows())
    assert missing == set()
    record("kills", "WAL receiver dead under write load until its slot is lost", "async", rows_lost=len(missing))


def cut(stack):
    """Its connection ends, and it cannot make another."""
    docker("exec", stack.container("chatwoot-db"), "mv", SOCKET, f"{SOCKET}.cut")
    stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = 'chatwoot_wal'")


FAULTS = {
    "SIGKILL of the WAL receiver": (
        lambda stack: docker("kill", stack.container(RECEIVER)),
        lambda stack: stack.invoke("up"),
    ),
    "WAL receiver frozen until it is cut off": (
        lambda stack: docker("pause", stack.container(RECEIVER)),
        lambda stack: docker("unpause", stack.container(RECEIVER)),
    ),
    "WAL receiver's connection cut": (
        cut,
        lambda stack: docker("exec", stack.container("chatwoot-db"), "mv", f"{SOCKET}.cut", SOCKET),
    ),
}


def said_while_it_waits(stack, writer):
    time.sleep(11)
    assert writer.poll() is None
    assert "1 writes WAIT for it" in archive_line(stack)
    said = writes(stack)
    assert (said["outcome"], said["seen"].partition(":")[0]) == ("fail", "wait for the WAL receiver")
    assert "1 writes WAIT for it" in said["seen"]
    assert "WAL_ARCHIVE=async" in said["remedy"]


@pytest.mark.parametrize("mode", ["async", "sync"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_receiver_that_is_away_is_said_and_goes_on_when_it_is_back(stack, mode, fault):
    switch(stack, mode)
    breaks, mends = FAULTS[fault]
    text = f"written during {fault}, {mode}".replace("'", "")
    breaks(stack)
    with a_write(stack, text) as writer:
        try:
            if mode == "sync":
                said_while_it_waits(stack, writer)
            else:
                assert writer.wait(30) == 0
            wait_for(lambda: stack.sql(RECEIVING) == "0", "the receiver is cut off", 60)
            assert checks(stack)["WAL receiver"]["outcome"] == "fail"
        finally:
            mends(stack)
        assert writer.wait(60) == 0
    stack.wait_healthy(RECEIVER)
    assert all_well(stack)[0], all_well(stack)[1]
    stack.acknowledged.append(text)
    record("kills", fault, mode)


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_a_receiver_whose_process_is_killed_comes_back_by_itself(stack, mode):
    switch(stack, mode)
    os.kill(stack.described(RECEIVER)["State"]["Pid"], signal.SIGKILL)
    with a_write(stack, f"written while it came back, {mode}") as writer:
        assert writer.wait(60) == 0
    stack.wait_healthy(RECEIVER)
    assert all_well(stack)[0], all_well(stack)[1]
    stack.acknowledged.append(f"written while it came back, {mode}")
    record("kills", "SIGKILL of the WAL receiver's process", mode)


def test_what_was_acknowledged_meanwhile_is_in_the_archive(stack):
    switch(stack, "sync")
    lose_the_database(stack)
    stack.invoke("restore", "--to", "latest", "--yes")
    missing = set(stack.acknowledged) - set(stack.rows())
    assert missing == set()
    record("kills", "loss of the database after the WAL receiver was away", "sync", rows_lost=len(missing))


def test_no_row_is_missing_that_was_acknowledged_while_both_kinds_of_backup_were_taken(stack):
    """Customers write all the while, until the database is killed under them and its disk is taken for lost."""
    switch(stack, "sync")
    with writing(stack) as people:
        people[0].stop.wait(2)
        stack.invoke(*PHYSICAL)
        physical, before = sets(stack)[-1].name, acknowledged(people)
        stack.invoke("backup")
        logical = sets(stack)[-1].name
        people[0].stop.wait(2)
        docker("kill", stack.container("chatwoot-db"))
    told = acknowledged(people)
    assert 5 < len(before) < len(told)
    lose_the_database(stack)
    stack.invoke("restore", "--set", physical, "--to", "latest", "--yes")
    missing = lost(stack, told)
    assert missing == []
    record("write load", "database killed and its disk lost", "physical set and WAL, sync", rows_lost=len(missing))
    stack.invoke("restore", "--set", logical, "--yes")
    missing = lost(stack, before)
    assert missing == []
    record("write load", "set taken while customers wrote", "logical", rows_lost=len(missing))


def acknowledged(people):
    return [text for person in people for text in list(person.acknowledged)]


@pytest.fixture(scope="module")
def old_stack(tmp_path_factory, quick, images):
    with archiving_stack(tmp_path_factory.mktemp("old"), quick, CHATWOOT_IMAGE=f"{FAKE}:v4.14.2-ce") as stack:
        yield stack


@pytest.mark.parametrize(("step", "way"), matrix("upgrade, WAL archived"))
def test_an_upgrade_that_was_killed_as_its_new_chain_began(old_stack, step, way):
    task = ("upgrade", "--to", "v4.15.1-ce", "--yes")
    kill_and_end(old_stack, Kill("upgrade, WAL archived", step, way, task))
    assert all_well(old_stack)[0], all_well(old_stack)[1]
    if way == "finish":
        old_stack.invoke("rollback", "--yes")
        assert lost(old_stack, old_stack.in_set) == []
    assert old_stack.settings["CHATWOOT_RELEASE"] == "v4.14.2-ce"
