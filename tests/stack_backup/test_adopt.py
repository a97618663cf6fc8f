"""A Chatwoot in upstream's own layout is taken over: nothing of it changes, and all of it serves here afterwards."""

import gzip
import json
import shutil
import signal
import sys

import pytest
import requests

from chatwoot_ops.adapters.env_file import with_values, write_env_file
from stack.tools import docker, run, say
from stack_backup.support import FAKE, KILL_AT, lost, rows
from stack_backup.upstream import KEYS, Upstream
from stack_backup.used import LAB, NEEDED, STORAGE, USED

VOLUMES = ("storage_data", "postgres_data", "redis_data")
WRITTEN = "written at the old place"
# With the step that the stack's own journal is at then: a rehearsal keeps one of its own.
KILLS = [
    ("images", "images"),
    ("copy-database", "copy-database"),
    ("dump-database", "dump-database"),
    ("copy-storage", "copy-storage"),
    ("rehearse", "rehearse"),
    ("load", "rehearse"),
    ("ask", "rehearse"),
    ("seal", "rehearse"),
    ("settings", "settings"),
    ("stop", "stop"),
    ("swap", "swap"),
    ("start", "start"),
    ("smoke", "smoke"),
    ("clean", "clean"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory, images):
    made = Upstream.make(tmp_path_factory.mktemp("upstream"))
    try:
        made.client = made.serve()
        yield made
    finally:
        made.remove()


@pytest.fixture
def empty(stack_factory, quick):
    """A machine's side that has only said which names and ports it wants."""
    stack = stack_factory(checkout=quick)
    chosen = ("COMPOSE_", "CHATWOOT_", "POSTGRES_HOST_PORT", "POSTGRES_IMAGE", "REDIS_HOST_PORT", "REDIS_IMAGE")
    values = {key: value for key, value in stack.settings.items() if key.startswith(chosen) and "ADMIN" not in key}
    del values["CHATWOOT_IMAGE"]
    write_env_file(stack.env_file, with_values("", values))
    stack.before = stack.env_file.read_bytes()
    yield stack
    # Some thirty stacks that nobody asks any more would take the machine from those that follow.
    stack.remove()


def adopt(stack, source, *flags, **how):
    return stack.invoke("adopt", "--from-project", source.project, "--env", str(source.env), *flags, **how)


def told(done):
    return json.loads(done.out)["result"]


def nothing_was_made(stack):
    assert stack.env_file.read_bytes() == stack.before
    assert (stack.containers(), stack.volumes(), stack.journal()) == ([], [], "")
    assert not (stack.state / "adopt").exists()
    assert docker("ps", "-aq", "--filter", "name=chatwoot-adopt-").out == ""


def serves_what_was_written(stack, *texts):
    assert lost(stack, texts) == []
    assert requests.get(f"http://127.0.0.1:{stack.settings['CHATWOOT_PORT']}/app/login", timeout=20).status_code == 200
    assert not (stack.state / "adopt").exists()
    assert stack.journal() == ""


def test_an_installation_of_upstreams_layout_is_taken_over_and_not_changed(source, empty):
    said = adopt(empty, source, "--yes", code=11).err
    assert f"docker stop {source.container('rails')} {source.container('sidekiq')}" in said
    nothing_was_made(empty)
    source.compose("stop")
    was = source.digest(*VOLUMES)
    answer = adopt(empty, source, "--yes", "--json")
    assert source.digest(*VOLUMES) == was
    say(f"\n{answer.err}")
    result = told(answer)
    assert (result["files"], result["rehearsed"]) == (1, False)
    assert not [key for key, value in source.settings.items() if key in KEYS and value in answer.said]
    kept = ("SECRET_KEY_BASE", *KEYS)
    assert {key: empty.settings[key] for key in kept} == {key: source.settings[key] for key in kept}
    assert empty.env_file.stat().st_mode & 0o777 == 0o600
    serves_what_was_written(empty, WRITTEN)


@pytest.mark.matrix
def test_a_rehearsal_lets_the_source_serve_and_leaves_nothing(source, empty):
    source.compose("start")
    source.wait()
    storage = source.digest("storage_data")
    result = told(adopt(empty, source, "--rehearse", "--json"))
    assert result["rehearsed"]
    assert source.digest("storage_data") == storage
    assert requests.get(f"{source.url}/app/login", timeout=20).status_code == 200
    nothing_was_made(empty)


@pytest.mark.matrix
def test_a_database_that_runs_is_dumped_where_it_runs(source, empty):
    source.compose("start")
    source.wait()
    source.client.write("written last")
    source.compose("stop", "rails", "sidekiq")
    before = source.rows()
    adopt(empty, source, "--yes")
    assert source.rows() == before
    taken = rows(empty)
    changing = {"ar_internal_metadata", "installation_configs"}
    assert {name: lines for name, lines in before.items() if name not in changing and taken.get(name) != lines} == {}
    serves_what_was_written(empty, WRITTEN, "written last")
    left = told(empty.invoke("down", "--backup", "--json"))
    assert left["last"]["set"]["manifest"]["note"] == "the last one before a move"
    assert empty.containers() == []
    assert empty.volumes()


@pytest.mark.matrix
def test_keys_of_another_installation_are_refused_before_anything_is_made(source, empty, tmp_path):
    source.compose("start", "postgres")
    source.compose("stop", "rails", "sidekiq")
    source.wait_database()
    source.sql(
        """UPDATE webhooks SET secret = secret; INSERT INTO webhooks (account_id, url, secret, created_at, updated_at)
        SELECT id, 'http://n8n:5678/hook', '{"p":"AAAA","h":{"iv":"AAAAAAAAAAAAAAAA","at":"AAAAAAAAAAAAAAAAAAAAAA=="}}',
        now(), now() FROM accounts LIMIT 1"""
    )
    assert "encryption keys: webhooks.secret" in adopt(empty, source, "--yes", code=11).err
    source.sql("DELETE FROM webhooks WHERE url = 'http://n8n:5678/hook'")
    nothing_was_made(empty)


@pytest.mark.matrix
@NEEDED
@pytest.mark.parametrize("form", ["gzipped", "plain"])
def test_the_dump_of_a_used_chatwoot_is_taken_over_with_all_its_files(empty, tmp_path, form):
    env = tmp_path / "their.env"
    write_env_file(env, "".join(f"{key}={value}\n" for key, value in LAB.items()) + "FRONTEND_URL=https://x.example\n")
    dump = USED
    if form == "plain":
        dump = tmp_path / "used.sql"
        with gzip.open(USED) as packed, dump.open("wb") as file:
            shutil.copyfileobj(packed, file)
    flags = ("--dump", str(dump), "--storage", str(STORAGE), "--env", str(env), "--image", f"{FAKE}:v4.15.1-ce")
    result = told(empty.invoke("adopt", *flags, "--yes", "--json"))
    assert result["files"] == 22
    assert empty.sql("SELECT count(*) FROM messages") == "258"
    assert "x.example has to lead to" in result["next"][0]


@pytest.mark.matrix
def test_data_of_an_older_release_comes_in_migrated(tmp_path, empty, images):
    older = Upstream.make(tmp_path, SOURCE_IMAGE=f"{FAKE}:v4.14.2-ce")
    try:
        older.serve()
        older.compose("stop", "rails", "sidekiq")
        newer = ("--image", f"{FAKE}:v4.15.1-ce", "--yes")
        assert "add --migrate" in adopt(empty, older, *newer, code=11).err
        nothing_was_made(empty)
        adopt(empty, older, *newer, "--migrate")
        serves_what_was_written(empty, WRITTEN)
        assert empty.settings["CHATWOOT_RELEASE"] == "v4.15.1-ce"
    finally:
        older.remove()


@pytest.mark.matrix
@pytest.mark.parametrize("way", ["undo", "finish"])
@pytest.mark.parametrize(("step", "last"), KILLS)
def test_a_takeover_that_was_killed_is_ended_and_the_source_not_changed(source, empty, step, last, way):
    source.compose("stop")
    was = source.digest(*VOLUMES)
    task = ("adopt", "--from-project", source.project, "--env", str(source.env), "--yes")
    done = run(sys.executable, KILL_AT, step, *task, env=empty.environment, cwd=empty.checkout)
    assert done.code == -signal.SIGKILL, done.said
    assert empty.last_step() == last
    empty.invoke("recover", f"--{way}")
    if way == "undo":
        nothing_was_made(empty)
    else:
        serves_what_was_written(empty, WRITTEN)
    assert source.digest(*VOLUMES) == was
