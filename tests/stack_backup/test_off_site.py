"""A stack of which nothing is left but a bucket at a real S3 server, its credentials, and the private key."""

import json
import shutil

import pytest

from s3_server import BUCKET, SECRET_KEY, s3_server
from stack.tools import docker, invoke
from stack_backup.support import Client, key_pair, lost, nobody_writing, rows, sets, structure


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def machine(stack_factory, quick, server, tmp_path_factory):
    """A stack with data and one set, which `invoke backup` brought off-site."""
    stack = stack_factory(checkout=quick)
    public, stack.identity = key_pair(tmp_path_factory.mktemp("safe"))
    stack.set(BACKUP_RECIPIENTS=public, **server.settings())
    stack.set_up()
    client = Client.of(stack)
    stack.in_set = [client.write(f"kept {number}") for number in range(3)]
    client.attach("kept.bin", b"kept" * 5_000_000)
    with nobody_writing(stack):
        stack.before = rows(stack), structure(stack)
        stack.made = stack.invoke("backup", "--json")
    stack.known = stack.settings
    return stack


def result_of(done):
    return json.loads(done.out)["result"]


def test_a_backup_is_off_site_when_it_was_read_back_and_the_list_says_so(machine, server):
    made = result_of(machine.made)["set"]
    assert made["off_site"]
    assert machine.made.out.count(SECRET_KEY) == machine.made.err.count(SECRET_KEY) == 0
    (there,) = result_of(machine.invoke("backups", "--remote", "--json"))["sets"]
    assert (there["manifest"]["name"], bool(there["off_site"])) == (made["manifest"]["name"], True)
    assert len(server.store().sizes("chatwoot")) == len(made["manifest"]["artifacts"]) + 3


def test_a_set_lost_here_is_pulled_and_a_dry_restore_is_content_with_it(machine):
    (path,) = sets(machine)
    shutil.rmtree(path)
    lines = result_of(machine.invoke("restore", "--from-remote", "--dry-run", "--json"))["lines"]
    assert lines[0].startswith(path.name)
    assert sets(machine) == [path]
    assert result_of(machine.invoke("pull", "--json"))["fetched"] == 0


def test_a_drill_takes_the_newest_copy_straight_from_there_and_leaves_nothing_of_it(machine):
    found = result_of(machine.invoke("drill", "--from-remote", "--json"))
    assert (found["passed"], found["origin"]) == (True, f"s3://{BUCKET}/chatwoot/{found['instance']}/{found['set']}")
    assert found["rows"] > len(machine.in_set)
    assert not (sets(machine)[0] / "verified.json").exists()
    assert list(machine.state.glob("drilled-*")) == []


def test_an_empty_machine_comes_back_from_the_bucket_and_the_private_key_alone(machine, server):
    machine.remove()
    shutil.rmtree(machine.env_file.parent)
    machine.env_file.parent.mkdir()
    way = {**machine.environment, **server.settings()}
    task = ("restore", "--from-remote", "--identity", str(machine.identity), "--yes")
    done = invoke(*task, env=way, checkout=machine.checkout)
    assert done.code == 0, done.said
    assert SECRET_KEY not in done.said
    assert machine.settings == machine.known
    with nobody_writing(machine):
        now, built = rows(machine), structure(machine)
    then, structure_then = machine.before
    assert {name: lines for name, lines in now.items() if then.get(name) != lines} == {}
    assert (now.keys(), built) == (then.keys(), structure_then)
    assert lost(machine, machine.in_set) == []


def test_a_copy_that_was_flipped_there_touches_nothing_here(machine, server):
    store = server.store()
    (dump,) = (name for name in store.sizes("chatwoot") if name.endswith("database.dump"))
    found = bytearray(b"".join(store.read(dump)))
    found[len(found) // 2] ^= 1
    store.client.put_object(Bucket=BUCKET, Key=dump, Body=bytes(found))
    shutil.rmtree(sets(machine)[0])
    before = docker("ps", "-q", "--filter", f"name={machine.project}").out
    answer = machine.invoke("restore", "--from-remote", "--yes", code=13)
    assert "database.dump: its content is not what was written" in answer.err
    assert docker("ps", "-q", "--filter", f"name={machine.project}").out == before
