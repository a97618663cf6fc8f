"""A stack that is well and can be backed up, restored and upgraded, in fakes."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import asdict, replace

from chatwoot_ops.model.command import Finished
from chatwoot_ops.operations.base_backup import AHEAD
from fakes import SPOKEN
from sets import (
    ARCHIVE,
    BLOBS,
    CLUSTER,
    DATA,
    DUMP,
    FILES,
    OUTLINED,
    blob_lines,
    checksum,
    digest_lines,
    tar_of,
)

SNAPSHOT = "00000003-0000001B-1"
COUNTS = {"conversations": 5, "messages": 9, "contacts": 2}
LOW = json.dumps(["sequences", {name: low for name, (low, _) in DATA.sequences.items()}])
HIGH_VALUES = {name: high for name, (_, high) in DATA.sequences.items()}


def finished(stdout="", code=0, stderr=""):
    return Finished(code, stdout, stderr)


PAGES = {
    "/app/login": (0, "  HTTP/1.1 200 OK\n  Content-Type: text/html\n", "<html>"),
    "/health": (0, "  HTTP/1.1 200 OK\n", "{}"),
    "/api": (0, "  HTTP/1.1 200 OK\n", '{"version":"4.15.1","queue_services":"ok","data_services":"ok"}'),
    "/installation/onboarding": (1, "  HTTP/1.1 302 Found\n  Location: http://x/app/login\n  HTTP/1.1 200 OK\n", ""),
}


def well_inside(engine, pages=None):
    """Scripts a web that is asked from inside its container: code, what wget says and the body, by path."""

    def ask(command):
        code, said, body = (pages or PAGES)[command.argv[-1].partition(":3000")[2]]
        return finished(body, code, said)

    return engine.on_call("wget -q -S", ask)


class Volume:
    """The link of a database volume, and what is done to its clusters."""

    def __init__(self, current="clusters/first"):
        self.current = current
        self.swaps = []

    def swap(self, command):
        script = command.argv[-1]
        self.current = script.partition("ln -sfn ")[2].partition(" ")[0]
        self.swaps.append(self.current)
        return finished()


def well_keeping(host, *, data=DATA, blobs=BLOBS, samples=(), high=HIGH_VALUES):
    """Scripts all that backup, restore and upgrade ask; returns the volume."""
    engine, volume = host.processes, Volume()
    engine.on("--snapshot=", DUMP.decode()).on("ps --quiet chatwoot-db", "abc\n").on(
        "-h 127.0.0.1 -U postgres -d chatwoot_production -c SELECT 1", "1\n"
    )
    engine.on("redis-cli PING", "PONG\n")
    engine.on(f"ON_ERROR_STOP=1 -U postgres -d chatwoot_production\n{SPOKEN}", _spoken(data, blobs, high))
    engine.on("--entrypoint tar", tar_of(FILES).decode()).on("pg_restore --list", "").on("--entrypoint pg_restore", "")
    engine.on("coalesce(max(id), 0)", json.dumps(COUNTS)).on("'-infinity'", json.dumps({**COUNTS, "newest": None}))
    engine.on("created_at >", json.dumps({**COUNTS, "newest": "2026-11-24T07:00:00+00:00"}))
    engine.on("redis-cli FLUSHALL", "OK\n").on("redis-cli KEYS queue:*", "queue:low\n")
    engine.on("redis-cli LRANGE", "").on("redis-cli ZRANGE", "")
    for script in ("cp -a --reflink", "mv -T /volume/clusters/", "find ./clusters", "rm -rf /volume/clusters/"):
        engine.on(script, "")
    engine.on_call("readlink /volume/current", lambda _: finished(f"{volume.current}\n"))
    engine.on_call("mv -T current.new current", volume.swap).on_call("rm -f current", volume.swap)
    _well_staging(engine, data, blobs, samples)
    engine.on("db:chatwoot_prepare", "").on("docker rm --force", "")
    return volume


ABLE = {
    "wal_level": "replica",
    "max_wal_senders": 10,
    "max_replication_slots": 10,
    "replication": True,
    "tablespaces": 0,
}
SAID = """pg_basebackup: initiating base backup, waiting for checkpoint to complete
pg_basebackup: write-ahead log start point: 0/2000028 on timeline 1
pg_basebackup: write-ahead log end point: 0/2000100
pg_basebackup: base backup completed
"""
TOLD_BY_OTHERS = ("architecture", "timeline", "start_lsn", "stop_lsn", "backup_manifest")
PROBE = 'echo "$method $(uname -m)"'
SLOT = '["chatwoot_ops_77"]'


def facts_answer(*, able=None, **changed):
    """What a server says of its own cluster."""
    told = {key: value for key, value in asdict(CLUSTER).items() if key not in TOLD_BY_OTHERS}
    return json.dumps({"able": {**ABLE, **(able or {})}, "cluster": {**told, **changed}})


def probed(program="zstd", able=None):
    """What a database's container says before it is copied."""
    return f"{program} x86_64\n{facts_answer(able=able)}\n"


def well_physical(host, *, after=BLOBS, samples=()):
    """Scripts what a physical backup and restore ask beside; returns the volume."""
    volume, engine = well_keeping(host, data=OUTLINED, samples=samples), host.processes
    well_base_backup(engine, after)
    engine.on("uname -m; postgres --version", "x86_64\n16\nzstd\ngzip\n").on("/chatwoot-ops/unpack.sh", "id")
    engine.on("tar --extract --directory=/var/lib", "").on("pg_verifybackup", "backup successfully verified\n")
    engine.on("echo > /tmp/serve", "").on("interval '1 minute'", "[0]\n[]\n")
    return volume


def well_base_backup(engine, after=BLOBS):
    """The same for the backup alone."""
    engine.on("'able'", facts_answer()).on(PROBE, probed())
    engine.on("pg_basebackup", ARCHIVE.decode(), stderr=SAID)
    high = json.dumps(["sequences", {name: high - AHEAD for name, (_, high) in OUTLINED.sequences.items()}])
    low = replace(OUTLINED, sequences={name: (low, low) for name, (low, _) in OUTLINED.sequences.items()})
    spoken = [SLOT, *blob_lines(BLOBS), *digest_lines(low), *blob_lines(after), high]
    engine.on(f"ON_ERROR_STOP=1 -U postgres -d chatwoot_production\n{SPOKEN}", "\n".join(spoken))


def _spoken(data, blobs, high):
    return "\n".join([LOW, SNAPSHOT, *blob_lines(blobs), *digest_lines(data), json.dumps(["sequences", high])])


def _well_staging(engine, data, blobs, samples):
    engine.on("/chatwoot-ops/stage.sh", "id").on("docker exec -i chatwoot-", "1\n")
    engine.on("-h 127.0.0.1 -U postgres -d chatwoot_production\n\nCREATE SCHEMA", json.dumps(COUNTS))
    engine.on("pg_restore --jobs", "").on("docker stop --time", "").on("r.rolname <>", "[0]\n")
    engine.on("tar --extract", "").on("join -1 2", "".join(listed(key) for key in blobs))
    rows = [json.dumps(sample) for sample in samples]
    spoken = "\n".join([*blob_lines(blobs), *rows, '["end"]', *digest_lines(data)])
    engine.on(f"-h 127.0.0.1 -U postgres -d chatwoot_production\n{SPOKEN}", spoken)


def listed(key):
    content = FILES[key]
    return f"{key} {len(content)} {b64decode(checksum(content)).hex()}\n"
