"""The continuous archive on a real engine: one stack, gone through in order."""

import json
import subprocess
import time

import pytest

from stack.tools import Stack, docker, new_project, say, wait_for

RECEIVER = "chatwoot-wal"
NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'"


@pytest.fixture(scope="module")
def stack(tmp_path_factory, quick, images):
    """A stack that archives synchronously, with a base backup."""
    stack = Stack.make(tmp_path_factory.mktemp("wal"), quick, new_project("wal"), WAL_ARCHIVE="sync")
    try:
        stack.set_up()
        # A restore looks whether everything belongs to Chatwoot's role.
        stack.write_row("first")
        stack.sql("ALTER TABLE kept OWNER TO chatwoot")
        stack.invoke("backup", "--kind", "physical")
        yield stack
    finally:
        stack.remove()


def checks(stack):
    """Doctor's answers about the archive, by name."""
    found = json.loads(stack.invoke("doctor", "--json", code=None).out)["result"]
    return {each["name"]: each for each in found if each["name"].startswith("WAL")}


SIGNAL = """
for each in /proc/[0-9]*; do
  case $(tr '\\0' ' ' < "$each/cmdline" 2>/dev/null) in pg_receivewal*) kill -"$0" "${each#/proc/}" ;; esac
done
"""


def signal(stack, name):
    """Sends a signal to the receiving program itself, not to the script that would start another."""
    docker("exec", stack.container(RECEIVER), "sh", "-c", SIGNAL, name)


def chains(stack):
    return docker("exec", stack.container(RECEIVER), "ls", "/wal").out.split()


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
    inside = ("psql", "-XqtA", "-U", "postgres", "-d", "chatwoot_production")
    write = ("docker", "exec", stack.container("chatwoot-db"), *inside, "-c", "INSERT INTO kept VALUES ('waited')")
    with subprocess.Popen(write) as writer:
        try:
            wait_for(lambda: stack.health(RECEIVER) == "unhealthy", "the frozen receiver found", 90)
            say(f"frozen receiver: unhealthy after {time.monotonic() - began:.0f} s")
            assert writer.poll() is None
            found = checks(stack)["WAL receiver"]
            assert found["outcome"] == "fail"
            assert "1 writes WAIT" in found["seen"]
            assert "WAL_ARCHIVE=async" in found["remedy"]
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


def test_the_database_is_lost_and_no_acknowledged_row_with_it(stack):
    written = [f"row {number}" for number in range(20)]
    for text in written:
        stack.write_row(text)
    docker("kill", stack.container("chatwoot-db"))
    volume = f"{stack.settings['CHATWOOT_DB_VOLUME']}:/v"
    image = stack.settings["POSTGRES_IMAGE"]
    docker("run", "--rm", "-u", "0", "-v", volume, "--entrypoint", "sh", image, "-c", "rm -rf /v/clusters/*/base")
    stack.invoke("restore", "--to", "latest", "--yes")
    assert set(written) <= set(stack.rows())


def test_switched_off_it_leaves_no_receiver_no_slot_and_the_archive(stack):
    stack.set(WAL_ARCHIVE="off")
    stack.invoke("up")
    assert stack.sql("SELECT count(*) FROM pg_replication_slots") == "0"
    assert not docker("ps", "-aq", "--filter", f"name={stack.container(RECEIVER)}").out
    assert f"{stack.project}-wal" in stack.volumes()
    assert stack.invoke("doctor", code=None).out.count("WAL_ARCHIVE is off") == 1
