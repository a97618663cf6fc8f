"""A Chatwoot in upstream's own layout is taken over: nothing of it changes, and all of it serves here afterwards."""

import json

import pytest

from chatwoot_ops.adapters.env_file import with_values, write_env_file
from stack.tools import docker
from stack_backup.support import lost
from stack_backup.upstream import KEYS, Upstream

OLD = ("storage_data", "postgres_data", "redis_data")


@pytest.fixture(scope="module")
def source(tmp_path_factory, images):
    made = Upstream.make(tmp_path_factory.mktemp("upstream"))
    try:
        made.serve()
        yield made
    finally:
        made.remove()


@pytest.fixture
def empty(stack_factory, quick):
    """A machine's side that has only said which names and ports it wants."""
    stack = stack_factory(checkout=quick)
    kept = ("COMPOSE_", "CHATWOOT_", "POSTGRES_HOST_PORT", "POSTGRES_IMAGE", "REDIS_HOST_PORT", "REDIS_IMAGE")
    chosen = {key: value for key, value in stack.settings.items() if key.startswith(kept) and "ADMIN" not in key}
    write_env_file(stack.env_file, with_values("", chosen))
    return stack


def adopt(stack, source, *flags, **how):
    named = ("--from-project", source.project, "--env", str(source.env))
    return stack.invoke("adopt", *named, *flags, **how)


def nothing_was_made(stack, before):
    assert stack.env_file.read_bytes() == before
    assert (stack.containers(), stack.volumes(), stack.journal()) == ([], [], "")
    assert not (stack.state / "adopt").exists()


def test_an_installation_of_upstreams_layout_is_taken_over_and_not_changed(source, empty):
    before = empty.env_file.read_bytes()
    said = adopt(empty, source, "--yes", code=11).err
    assert f"docker stop {source.container('rails')} {source.container('sidekiq')}" in said
    nothing_was_made(empty, before)
    source.compose("stop")
    was = source.digest(*OLD)
    answer = adopt(empty, source, "--yes", "--json")
    result = json.loads(answer.out)["result"]
    assert result["rows"] > 0
    assert result["files"] == 1
    assert source.digest(*OLD) == was
    assert not [value for key, value in source.settings.items() if key in KEYS and value in answer.said]
    assert {key: empty.settings[key] for key in ("SECRET_KEY_BASE", *KEYS)} == {
        key: source.settings[key] for key in ("SECRET_KEY_BASE", *KEYS)
    }
    assert empty.env_file.stat().st_mode & 0o777 == 0o600
    assert lost(empty, ["written at the old place"]) == []
    assert docker("volume", "ls", "-q", "--filter", f"name={empty.project}-adopt").out == ""
    assert not (empty.state / "adopt").exists()
    source.compose("start", "postgres")
