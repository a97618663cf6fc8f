"""Volumes: whose they are, and what must not be started on them."""

import pytest

from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.check import failures
from chatwoot_ops.model.stack import DATABASE, REDIS
from chatwoot_ops.operations.volumes import create_volume, look_into, mark_volume, volume_checks, volume_sizes
from world import INSTANCE, stack_in, volume_answer

GONE = f"is gone, but this installation ({INSTANCE}) has data"


def seen(folder, host, *, instance, **answer):
    if answer.get("exists", True):
        answer.pop("exists", None)
        host.processes.on("volume inspect", "{}").on("--volume", volume_answer(**answer))
    else:
        host.processes.on("volume inspect", code=1)
    stack = stack_in(folder, CHATWOOT_INSTANCE_ID=instance)
    return [check for check in volume_checks(stack, host) if "chatwoot-db-data" in check.name]


@pytest.mark.parametrize(
    ("instance", "answer", "ends"),
    [
        ("", {"exists": False}, "pass: not there yet"),
        ("", {"marker": ""}, "pass: not marked yet"),
        (INSTANCE, {}, "pass: this installation's own"),
        (INSTANCE, {"exists": False}, f"fail: {GONE}"),
        ("", {}, f"fail: belongs to another installation ({INSTANCE})"),
        (INSTANCE, {"marker": "other"}, f"fail: belongs to installation other, not to {INSTANCE}"),
        (INSTANCE, {"marker": ""}, f"fail: carries no installation's mark, not to {INSTANCE}"),
        (INSTANCE, {"postgres": "15"}, "fail: holds PostgreSQL 15, the image is PostgreSQL 16"),
        ("", {"marker": "", "postgres": "17"}, "fail: holds PostgreSQL 17, the image is PostgreSQL 16"),
        (INSTANCE, {"empty": True, "postgres": ""}, "fail: holds no database, but this installation has data"),
        (INSTANCE, {"empty": True, "postgres": "", "beginning": True}, "pass: this installation's own"),
    ],
    ids=["new", "taken over", "own", "gone", "foreign, nothing set up", "foreign", "unmarked", "other major",
         "other major, taken over", "empty", "empty, being filled"],
)  # fmt: skip
def test_a_volume_is_ours_or_the_check_says_why_not(tmp_path, host, instance, answer, ends):
    last = seen(tmp_path, host, instance=instance, **answer)[-1]
    assert f"{last.outcome}: {last.seen}" == ends
    assert bool(last.remedy) != ends.startswith("pass")


def test_a_foreign_volumes_remedy_names_the_line_for_env(tmp_path, host):
    assert f"CHATWOOT_INSTANCE_ID={INSTANCE}" in seen(tmp_path, host, instance="")[0].remedy


def test_while_set_up_is_finished_the_noted_id_counts(stack, well):
    assert failures(volume_checks(stack, well))
    assert not failures(volume_checks(stack, well, expected=INSTANCE))


def test_a_volume_that_cannot_be_looked_into_is_an_error(stack, host):
    host.processes.on("volume inspect", "{}").on("docker run", code=125, stderr="no such image")
    with pytest.raises(CommandFailedError, match="looking into the volume chatwoot-db-data"):
        look_into(stack, host, DATABASE)


def test_looking_never_writes(stack, well):
    look_into(stack, well, DATABASE)
    assert "chatwoot-db-data:/volume:ro" in well.processes.lines[-1]


def test_a_volume_is_made_so_that_compose_takes_it_for_its_own(stack, host):
    host.processes.on("docker volume create", "")
    create_volume(stack, host, REDIS)
    assert host.processes.lines == [
        (
            "docker volume create --label com.docker.compose.project=chatwoot "
            "--label com.docker.compose.volume=redis-data chatwoot-redis-data"
        )
    ]


@pytest.mark.parametrize(
    ("service", "empty", "may_be_filled"), [(DATABASE, True, True), (DATABASE, False, False), (REDIS, True, False)]
)
def test_only_an_empty_database_volume_may_be_filled(stack, host, service, empty, may_be_filled):
    host.processes.on("volume inspect", "{}").on("--volume", volume_answer(marker="", empty=empty))
    mark_volume(stack, host, service, INSTANCE)
    write = host.processes.ran[-1]
    assert write.stdin == f"{INSTANCE}\n"
    assert (".initializing" in write.argv[-1]) is may_be_filled
    assert f"{stack.volumes[service]}:/volume" in write.argv


def test_sizes_are_the_engines(well):
    assert volume_sizes(well)["chatwoot-db-data"] == "1.2GB"


@pytest.mark.parametrize("answer", ["", "{}", "[]", '{"Volumes": null}', '{"Volumes": [{}]}'])
def test_sizes_that_cannot_be_read_are_an_error(host, answer):
    host.processes.on("system df", answer)
    with pytest.raises(CommandFailedError, match="disk usage cannot be read"):
        volume_sizes(host)
