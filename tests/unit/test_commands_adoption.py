"""Golden command lines of a takeover: what names the source is mounted read-only, and SQL can only read."""

from pathlib import Path

import pytest

from chatwoot_ops.commands import adoption, backup
from chatwoot_ops.commands.adoption import Server
from fakes import shown

IMAGE, COPY = "pgvector/pgvector:pg16", "chatwoot-adopt-op1"
LABELS = "--label com.docker.compose.project=chatwoot --label chatwoot-ops.operation=op1"
BESIDE = (
    f"docker run --rm -i --log-driver none {LABELS} --network container:abc --env PGHOST=127.0.0.1 --env PGPASSWORD "
    "--env PGOPTIONS=-c default_transaction_read_only=on --env PGUSER=postgres --entrypoint"
)
PSQL = f"{BESIDE} psql {IMAGE} -X -q -t -A -v ON_ERROR_STOP=1 -U postgres -d chatwoot"
LOOK = f"docker run --rm --network none --user 0 --volume old_data:/volume:ro --entrypoint sh {IMAGE} -c"
SERVER = Server("abc", "postgres", "of-the-source-0123456789")


@pytest.fixture
def values():
    return {"POSTGRES_IMAGE": IMAGE}


def of_the_source(stack):
    return {
        PSQL: adoption.ask(stack, SERVER, "op1", "chatwoot", "SELECT 1;"),
        f"{PSQL} ": adoption.session(stack, SERVER, "op1", "chatwoot"),
        f"{BESIDE} sh {IMAGE} -c {backup._DUMP} sh -Fc --snapshot=0-1 -U postgres -d chatwoot": adoption.dump(
            stack, SERVER, "op1", "chatwoot", "0-1"
        ),
    }


def built(stack):
    return {
        **of_the_source(stack),
        f"{LOOK} {adoption._CLUSTER}": adoption.cluster_in(stack, "old_data"),
        f"{LOOK} du -sk /volume | cut -f1": adoption.kilobytes_of(stack, "old_data"),
        f"docker volume create --label com.docker.compose.project=chatwoot {COPY}": adoption.make_copy_volume(
            stack, "op1"
        ),
        f"docker run --rm {LABELS} --network none --user 0 --volume old_data:/source:ro --volume {COPY}:/copy "
        f"--entrypoint sh {IMAGE} -c cp -a --reflink=auto /source/. /copy/ && "
        "find /copy -name postmaster.pid -delete && sync": adoption.copy(stack, "old_data", "op1"),
        f"docker run -d --name {COPY} {LABELS} --network none --volume {COPY}:/var/lib/postgresql/data "
        f"--env PGDATA=/var/lib/postgresql/data/./pgdata --entrypoint sh postgres:14 -c {adoption._SERVE}": (
            adoption.serve_copy(stack, "postgres:14", "./pgdata", "op1")
        ),
        f"docker logs --tail 12 {adoption.copy_name(stack, 'op1')}": adoption.last_words(COPY),
        "docker volume ls --filter label=com.docker.compose.project=old --format "
        '{{.Name}} {{.Label "com.docker.compose.volume"}}': adoption.volumes_of_project("old"),
        "docker ps -aq --filter volume=old_data": adoption.containers_with("old_data"),
    }


def test_each_is_called_so(stack):
    for line, command in built(stack).items():
        assert shown(command).rstrip() == line.rstrip()
    assert [shown(each) for each in adoption.drop_copy(stack, "op1")] == [
        f"docker rm --force {COPY}",
        f"docker volume rm --force {COPY}",
    ]


def test_a_cluster_in_the_root_of_its_volume_is_served_from_there(stack):
    served = adoption.serve_copy(stack, "postgres:14", ".", "op1")
    assert "PGDATA=/var/lib/postgresql/data" in served.argv


def test_every_public_builder_is_seen_here():
    text = Path(__file__).read_text(encoding="utf-8")
    own = [name for name, each in vars(adoption).items() if getattr(each, "__module__", "") == adoption.__name__]
    assert [name for name in own if name[0].islower() and f"adoption.{name}(" not in text] == []


def test_the_password_travels_in_the_environment_alone(stack):
    for command in of_the_source(stack).values():
        assert command.environment == {"PGPASSWORD": SERVER.password}
        assert SERVER.password not in " ".join((*command.argv, command.purpose, repr(SERVER)))
