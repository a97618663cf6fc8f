"""A stack that is well, in fakes: a test breaks one thing in it and looks who notices."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from chatwoot_ops.adapters.env_file import read_env_file, with_values
from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.stack import SERVICES
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.secrets import GENERATED
from fakes import NOW, OK, SPOKEN, fake_host

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "infra/docker/chatwoot"
INSTANCE = "11111111-2222-3333-4444-555555555555"
# What `.env` says beside its secrets once a stack was set up.
INSTALLED = {"CHATWOOT_INSTANCE_ID": INSTANCE, "CHATWOOT_RELEASE": "v4.15.1-ce"}
SECRETS = {name: f"S{index}abcdefghijklmnopqrstuvwxyz0123456789" for index, name in enumerate(GENERATED)}
VERSIONS = ("20230426130150", "20231211010807")
IMAGE_ID = "sha256:" + "a" * 64
DIGEST = "sha256:" + "d" * 64
LOGIN_CLOSED = Answer(302, headers={"Location": "http://127.0.0.1:3002/app/login"})


@cache
def _filled():
    return with_values((FOLDER / ".env.example").read_text(encoding="utf-8"), SECRETS)


def place_in(folder, **values):
    """A place whose `.env` is the example with its secrets filled and these values."""
    place = Place(FOLDER, folder / ".env")
    place.env_file.write_text(with_values(_filled(), values) if values else _filled(), encoding="utf-8")
    place.env_file.chmod(0o600)
    return place


def stack_in(folder, **values):
    place = place_in(folder, **values)
    return unchecked_stack(place, read_env_file(place.env_file))


def container(service, *, state="running", health="healthy", restarts=0, oom=False, one_off=False):
    """What `docker inspect` says of one container, as far as it is read."""
    return {
        "Id": f"id-of-{service}",
        "RestartCount": restarts,
        "Config": {
            "Image": "an-image",
            "Labels": {
                "com.docker.compose.service": service,
                "com.docker.compose.oneoff": "True" if one_off else "False",
            },
        },
        "State": {"Status": state, "Health": {"Status": health}, "ExitCode": 0, "OOMKilled": oom},
    }


def containers(host, *described):
    """Scripts the engine to have these containers."""
    ids = " ".join(each["Id"] for each in described)
    host.processes.on("label=com.docker.compose.project=chatwoot", ids)
    host.processes.on("docker ps -aq --filter label=com.docker.compose.project=chatwoot --filter", "")
    host.processes.on("docker inspect", json.dumps(list(described)))


def image(*, digests=("chatwoot/chatwoot@" + DIGEST,), env=("CW_EDITION=ce",), labels=None):
    """What `docker image inspect` says of an image, as far as it is read."""
    return json.dumps(
        {"Id": IMAGE_ID, "RepoDigests": list(digests), "Config": {"Env": list(env), "Labels": labels or {}}}
    )


def database_answer(**changed):
    answer = {
        "prepared": True,
        "versions": list(VERSIONS),
        "configs": 40,
        "users": 1,
        "administrators": 1,
        "invalid_indexes": [],
        "role_is_superuser": False,
    }
    return json.dumps({**answer, **changed})


def schema_answer(**changed):
    answer = {"extensions": ["plpgsql", "pg_stat_statements", "pg_trgm", "pgcrypto", "vector"]}
    return json.dumps({**answer, "triggers": 4, "lagging": [], **changed})


def queue_answer(**changed):
    answer = {"beats": [{"age": 2, "quiet": "false"}], "oldest": {}, "cron": 10, "retry": 0, "dead": 0}
    return json.dumps({**answer, "processed": 7, **changed})


def volume_answer(*, marker=INSTANCE, empty=False, postgres="16", of_image="16", beginning=False):
    lines = [f"marker={marker}", f"empty={'0' if empty else '1'}", f"beginning={'yes' if beginning else ''}"]
    lines += [f"postgres={postgres}"] if postgres else []
    return "\n".join([*lines, f"image={of_image}"])


SLOT = "chatwoot_wal_20261124t070000z"
SYSTEM = "7570000000000000001"


def wal_answer(*, slots=({},), receivers=({},), **changed):
    """What the server says of its WAL receiver; of one that is well unless told otherwise."""
    slot = {"name": SLOT, "active": True, "status": "reserved", "held": 1000}
    receiver = {"slot": SLOT, "state": "streaming", "behind": 0, "seconds": 0.0, "silent": 1.0}
    answer = {"system": SYSTEM, "cluster": "initial", "synchronous": False, "waiting": 0, "waited": 0.0}
    answer |= changed
    answer["slots"] = [{**slot, **each} for each in slots]
    answer["receivers"] = [{**receiver, **each} for each in receivers]
    return json.dumps(answer)


def archive_listing(*segments, name=SLOT, cluster="initial", begun="2026-11-24T07:00:00Z", at=1795507190):
    """What the archive's listing says of one chain: its segments by number, the last one partial."""
    lines = [f"chain={name}", f"system={SYSTEM}", f"cluster={cluster}", "timeline=00000001", f"begun={begun}"]
    lines += ["lsn=0/1000028", "segment_size=16777216"]
    files = [f"0000000100000000{number:08X}" for number in segments]
    files[-1:] = [f"{each}.partial" for each in files[-1:]]
    return "\n".join([*lines, *(f"file={each} 16777216 {at}.5" for each in files), ""])


def well_engine(host):
    """An engine that answers, with all images, volumes and containers there."""
    engine = host.processes
    engine.on("docker version", "29.0.1\n").on("docker info --format {{.DockerRootDir}}", "/var/lib/docker\n")
    engine.on("docker info --format {{.SystemTime}}", NOW.strftime("%Y-%m-%dT%H:%M:%S.123456789Z"))
    engine.on("docker image inspect", image()).on("docker manifest", "{}").on("docker pull", "")
    engine.on("docker volume inspect", "{}").on("docker network inspect", "id").on("--volume", volume_answer())
    engine.on("/app/config/app.yml", "shared:\n  version: '4.15.1'\n")
    engine.on("/app/db/migrate", "\n".join(f"{version}_a.rb" for version in VERSIONS))
    sizes = [{"Name": name, "Size": "1.2GB"} for name in ("chatwoot-db-data", "chatwoot-redis-data")]
    engine.on("docker system df", json.dumps({"Volumes": sizes}))
    containers(host, *(container(service) for service in SERVICES))


def well_stack(host):
    """A running stack of which every probe is content."""
    well_engine(host)
    engine = host.processes
    for verb in ("up", "down", "stop", "config", "restart", "version"):
        engine.on(f"compose {verb}", "")
    engine.on("exec psql -X -q -w -h chatwoot-db", "1\n").on("pg_database_size", "9000000\n")
    engine.on("compose logs", "the last line\n").on("invalid_indexes", database_answer())
    engine.on("pg_drop_replication_slot", "[0]").on("pg_stat_replication", wal_answer(slots=(), receivers=()))
    engine.on("PGPASSWORD=", "").on("'lagging'", schema_answer()).on("chatwoot_ops.instance", json.dumps([INSTANCE]))
    who = {"token": "token-of-ada-123456", "user": 5, "pubsub": "pubsub-of-ada-123456", "account": 3}
    engine.on("access_tokens", json.dumps(who))
    engine.on("redis-cli EVAL", queue_answer()).on("redis-cli EXISTS", "0\n").on("redis-cli LLEN", "0\n")
    engine.on(f"ON_ERROR_STOP=1 -U postgres -d chatwoot_production\n{SPOKEN}", "[]").on("-printf '%f %s", "")
    engine.on("json_array_elements_text", "{}")
    engine.on("df -Pk", "Filesystem 1 2 3 Use Mounted\n/dev/x 100 40 60 40% /data\n")
    engine.on("table_name || '.' || column_name", '["end"]\n')
    stored = []
    engine.on_call("cat > /app/storage", lambda command: (stored.append(command.stdin), _done(""))[1])
    engine.on_call("chatwoot-sidekiq cat /app/storage", lambda _: _done(stored[-1])).on("rm -f /app/storage", "")
    host.http.on("/app/login", OK).on("/health", OK).on("/installation/onboarding", LOGIN_CLOSED)
    body = {"version": "4.15.1", "queue_services": "ok", "data_services": "ok"}
    host.http.on("/api", Answer(200, json.dumps(body))).on("/api/v1/profile", OK).on("OPTIONS", OK)


def _done(stdout):
    return Finished(0, stdout, "")


def healthy_host(*answers):
    """A host with a stack that is well."""
    host = fake_host(*answers)
    well_stack(host)
    return host
