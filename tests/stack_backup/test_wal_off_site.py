"""Back to before an upgrade, then everything lost but the bucket and the key: one stack, gone through in order."""

import json
import shutil
import time

import pytest

from s3_server import SECRET_KEY, s3_server
from stack.tools import Stack, invoke, new_project
from stack_backup.conftest import NEW, OLD
from stack_backup.support import key_pair

pytestmark = pytest.mark.matrix


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory, quick, images):
    """A stack of the older release that archives its WAL, with a base backup."""
    folder = tmp_path_factory.mktemp("wal")
    stack = Stack.make(folder, quick, new_project("walfar"), WAL_ARCHIVE="async", CHATWOOT_IMAGE=OLD)
    public, stack.identity = key_pair(tmp_path_factory.mktemp("safe"))
    stack.set(BACKUP_RECIPIENTS=public, BACKUP_ENCRYPT="all")
    try:
        stack.set_up()
        # A restore looks whether everything belongs to Chatwoot's role.
        stack.write_row("first")
        stack.sql("ALTER TABLE kept OWNER TO chatwoot")
        stack.invoke("backup", "--kind", "physical")
        time.sleep(1.1)  # a set's own second is not the first moment that it reaches
        yield stack
    finally:
        stack.remove()


def test_a_restore_to_before_the_upgrade_has_what_was_written_before_it_and_nothing_since(stack):
    stack.write_row("before the upgrade")
    stack.invoke("upgrade", "--to", NEW, "--yes")
    stack.write_row("after the upgrade")
    task = ("restore", "--to-before", "last", "--migrate", "--identity", str(stack.identity), "--yes")
    said = stack.invoke(*task).out
    assert "Recovered up to the last change of" in said
    assert "before the upgrade" in stack.rows()
    assert "after the upgrade" not in stack.rows()
    assert stack.settings["CHATWOOT_RELEASE"] == "v4.15.1-ce"


def test_an_empty_machine_reaches_the_last_moment_that_was_pushed_with_the_key_alone(stack, server):
    stack.set(**server.settings())
    assert "segments of WAL were brought" in stack.invoke("push").out
    drilled = stack.invoke("drill", "--from-remote", "--identity", str(stack.identity), "--json").out
    found = json.loads(drilled)["result"]
    assert (found["passed"], found["kind"]) == (True, "physical")
    assert found["origin"].startswith("s3://")
    assert (found["rows"] > 0, found["tables"] > 20) == (True, True)
    stack.write_row("pushed")
    said = stack.invoke("push", "--wal")
    assert "What is written from now on is not." in said.out
    stack.write_row("never pushed")
    assert SECRET_KEY not in said.said
    known = stack.settings
    stack.remove()
    shutil.rmtree(stack.env_file.parent)
    stack.env_file.parent.mkdir()
    way = {**stack.environment, **server.settings()}
    task = ("restore", "--from-remote", "--to", "latest", "--identity", str(stack.identity), "--yes")
    done = invoke(*task, env=way, checkout=stack.checkout)
    assert done.code == 0, done.said
    assert SECRET_KEY not in done.said
    # The set is of a time before there was a remote, and so are its settings.
    assert stack.settings == {key: value for key, value in known.items() if not key.startswith("BACKUP_REMOTE")}
    assert "pushed" in stack.rows()
    assert "never pushed" not in stack.rows()
    assert "A new WAL chain has begun" in done.out
