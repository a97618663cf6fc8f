"""Customers go on while a backup is taken and while it is put back."""

import json
import os
import re
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from stack.tools import docker, say, wait_for
from stack_backup.support import lost, probing, sets, structure, writing

MOST_FAILED = 2


def test_every_message_acknowledged_before_a_backup_is_in_its_set_and_the_web_serves_through_the_restore(
    standing, tmp_path
):
    with writing(standing) as people:
        time.sleep(3)
        began = time.monotonic()
        standing.invoke("backup")
        ended = time.monotonic()
        time.sleep(1)
    logged = {text: at for person in people for text, at in person.acknowledged.items()}
    before = {text for text, at in logged.items() if at < began}
    after = {text for text, at in logged.items() if at > ended}
    assert [refused for person in people for refused in person.refused] == []
    assert len(before) > 5
    assert lost(standing, logged) == []
    assert after
    standing.invoke("backup", "--verify")
    # Of a queue that no worker reads: it waits for sure.
    waiting = json.dumps({"class": "WebhookJob", "args": ["http://kgc.example/hook"]})
    redis(standing, "LPUSH", "queue:nobody", waiting)
    indexes = structure(standing)["indexes"]
    with probing(standing, standing.client.token) as asked:
        saved = tmp_path / "newer.jsonl"
        task = ("restore", "--set", sets(standing)[-1].name, "--yes", "--export-newer", str(saved))
        with standing.in_background(*task) as running:
            with held_up(standing):
                waiting_for, meanwhile = serving_without_an_index(standing, asked)
            restored, _ = running.communicate(timeout=120)
        time.sleep(2)
    assert running.returncode == 0, restored
    assert "Chatwoot serves since" in restored
    assert [name for name in waiting_for if f"Built {name} in " not in restored] == []
    assert structure(standing)["indexes"] == indexes
    assert lost(standing, [meanwhile]) == []
    say(f"\n{len(asked.seen)} requests, {len(asked.failed)} failed {asked.failed}, slowest {asked.slowest:.2f} s")
    assert "the database was away for" in restored
    assert len(asked.failed) <= MOST_FAILED
    kept_jobs = re.search(r"they are kept in (\S+\.jsonl): .*WebhookJob", restored)
    assert json.loads(waiting) in [json.loads(line)["job"] for line in Path(kept_jobs[1]).read_text().splitlines()]
    assert redis(standing, "EXISTS", "queue:nobody") == "0\n"
    assert set(lost(standing, before)) == set()
    assert after <= set(lost(standing, after)), "what was written after the backup is not in its set"
    kept_rows = [json.loads(line) for line in saved.read_text(encoding="utf-8").splitlines()]
    contents = {each["row"]["content"] for each in kept_rows if each["table"] == "messages"}
    assert after <= contents, "what was written after the backup is saved before it is replaced"
    nothing_is_half(standing)
    standing.invoke("smoke", "--quick")


@contextmanager
def held_up(stack):
    """A writer that goes on for long: an index that is built while rows are written waits for it."""
    wait_for(lambda: stack.journal() and stack.last_step() == "smoke", "the restored data is asked", 120)
    writer = "BEGIN; LOCK TABLE contacts IN ROW EXCLUSIVE MODE; SELECT pg_sleep(60);"
    where = ("-U", "postgres", "-d", "chatwoot_production")
    docker("exec", "-d", "-e", "PGAPPNAME=held-up", stack.container("chatwoot-db"), "psql", *where, "-c", writer)
    try:
        yield
    finally:
        stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'held-up'")


def serving_without_an_index(stack, asked):
    """What a customer and an operator see while it waits: the indexes to come, and the message written meanwhile."""
    wait_for(lambda: stack.last_step() == "build-indexes", "the index is begun", 60)
    before = len(asked.seen) if asked else 0
    status = json.loads(stack.invoke("status", "--json", code=None).out)["result"]
    assert [name for name in status["missing_indexes"] if name.startswith("public.index_contacts_")]
    assert status["cut_off"] == ""
    written = stack.client.write("while an index was built")
    assert not asked or [code for code, _ in asked.seen[before:]].count(200) > 5
    assert stack.last_step() == "build-indexes"
    return status["missing_indexes"], written


def nothing_is_half(stack):
    """No message without its conversation, no attachment without its message, no conversation without its contact."""
    for table, key, other in (
        ("messages", "conversation_id", "conversations"),
        ("attachments", "message_id", "messages"),
        ("conversations", "contact_id", "contacts"),
    ):
        orphans = f"SELECT count(*) FROM {table} t WHERE NOT EXISTS (SELECT FROM {other} o WHERE o.id = t.{key})"  # noqa: S608 - our own words
        assert stack.sql(orphans) == "0"


def redis(stack, *words):
    return docker("exec", stack.container("chatwoot-redis"), "redis-cli", *words).out


@pytest.mark.matrix
@pytest.mark.parametrize("how", ["killed", "killed with the machine"])
def test_a_build_that_was_cut_off_in_the_middle_serves_and_is_finished(standing, how):
    indexes = structure(standing)["indexes"]
    with standing.in_background("restore", "--yes") as running, held_up(standing):
        serving_without_an_index(standing, None)
        os.killpg(running.pid, signal.SIGKILL)
        if how == "killed with the machine":
            docker("kill", standing.container("chatwoot-db"))
            docker("start", standing.container("chatwoot-db"))
            standing.wait_healthy("chatwoot-db")
    invalid = standing.sql("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
    assert standing.invoke("up", code=12)
    refused = standing.invoke("recover", "--undo", code=12)
    assert "wrote to the restored data (up to " in refused.err
    if how == "killed with the machine":
        assert invalid == "1"
    standing.invoke("recover", "--finish")
    assert structure(standing)["indexes"] == indexes
    assert standing.sql("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0"
    assert standing.journal() == ""
    assert len(lost(standing, ["while an index was built"])) == 0
    standing.invoke("smoke", "--quick")
