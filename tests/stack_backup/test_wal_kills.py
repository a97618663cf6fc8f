"""The database killed under writers, its disk taken for lost: how many acknowledged rows the archive has not got."""

import json
import os
import platform
import random
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from chatwoot_ops.commands.physical import recovering
from chatwoot_ops.model.wal import Recovery
from stack.tools import BIN, COMPOSE_FOLDER, Stack, docker, new_project, run, say, wait_for

RESULTS = Path(__file__).parents[1] / "stack/results/wal-kills.json"
KILLS = int(os.environ.get("WAL_KILLS", "50"))
WRITERS = 4
PSQL = ("psql", "-XqtA", "-U", "postgres", "-d", "chatwoot_production")
# A cluster from the base backup and the archive alone; prints how many rows it holds, and removes it.
RECOVER = """
rm -rf /tmp/new && mkdir -m 700 /tmp/new && tar -C /tmp/new -xf /tmp/base.tar && touch /tmp/new/recovery.signal
pg_ctl -D /tmp/new -w -s -l /tmp/log -o "$0" start >/dev/null || { cat /tmp/log >&2; exit 1; }
ask() { psql -XqtA -h /tmp -U postgres -d chatwoot_production -c "$1"; }
until ask 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
ask 'SELECT id FROM killed'
pg_ctl -D /tmp/new -s -m immediate stop
"""


class Archiving(Stack):
    """Database and receiver alone, by plain Compose and both files."""

    def both(self, *argv):
        folder = self.checkout / COMPOSE_FOLDER
        files = [part for name in ("", ".wal") for part in ("-f", str(folder / f"docker-compose{name}.yml"))]
        base = (str(BIN / "docker-compose"), "-p", self.project, "--env-file", str(self.env_file), *files)
        return run(*base, *argv, env=self.environment, check=True)

    def start(self):
        self.both("up", "-d", "--wait", "chatwoot-db", "chatwoot-wal")

    def chain(self):
        return docker("exec", self.container("chatwoot-wal"), "ls", "/wal").out.split()[-1]

    def receiving(self):
        sql = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        done = docker("exec", self.container("chatwoot-db"), *PSQL, "-c", sql, check=False)
        return done.out.strip() == "1"


@contextmanager
def archiving(folder, checkout, mode):
    stack = Archiving.make(folder, checkout, new_project("kills"), WAL_ARCHIVE=mode)
    values = dict.fromkeys(("SECRET_KEY_BASE", "POSTGRES_PASSWORD", "REDIS_PASSWORD"), "x" * 40)
    stack.set(**values, POSTGRES_SUPERUSER_PASSWORD="y" * 40)
    with ExitStack() as undo:
        undo.callback(stack.remove)
        docker("network", "create", f"{stack.project}-shared")
        stack.start()
        stack.sql("CREATE TABLE killed (id bigint)")
        yield stack


@contextmanager
def recoverer(stack):
    """A container beside, with the archive for reading and the base backup in it."""
    name, image = stack.container("recoverer"), stack.settings["POSTGRES_IMAGE"]
    copy = ("pg_basebackup", "-U", "postgres", "-D", "-", "-Ft", "-X", "fetch", "-c", "fast")
    mount = ("-v", f"{stack.settings['CHATWOOT_WAL_VOLUME']}:/wal:ro", "--entrypoint", "sleep")
    label = ("--label", f"com.docker.compose.project={stack.project}")
    docker("run", "-d", "--name", name, *label, "--network", "none", "--user", "postgres", *mount, image, "600")
    save = f"docker exec -i {name} sh -c 'cat > /tmp/base.tar'"
    script = f"docker exec {stack.container('chatwoot-db')} {' '.join(copy)} | {save}"
    run("bash", "-o", "pipefail", "-c", script, check=True)
    yield name


def writes(stack, number, stop, acknowledged):
    """One row after the other; a row counts when the server has answered."""
    argv = ("docker", "exec", "-i", stack.container("chatwoot-db"), *PSQL)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    # The pipe breaks with the server, perhaps only when it is closed.
    with suppress(BrokenPipeError), subprocess.Popen(argv, text=True, **pipes) as one:
        while not stop.is_set():
            one.stdin.write(f"INSERT INTO killed VALUES ({number}) RETURNING id;\n")  # noqa: S608 - a number of ours
            one.stdin.flush()
            if one.stdout.readline().strip() != str(number):
                break
            acknowledged.append(number)
            number += WRITERS
        one.kill()


def kill_under_writers(stack, first):
    """The numbers of rows that were acknowledged before the kill."""
    acknowledged, stop = [], Event()
    people = [Thread(target=writes, args=(stack, first + each, stop, acknowledged)) for each in range(WRITERS)]
    for person in people:
        person.start()
    wait_for(lambda: len(acknowledged) > WRITERS, "the writers at work")
    time.sleep(random.uniform(0.3, 1.0))  # noqa: S311 - a moment, not a secret
    docker("kill", stack.container("chatwoot-db"))
    stop.set()
    for person in people:
        person.join()
    return acknowledged


def recovered(stack, name):
    """The rows that base backup and archive give together."""
    options = recovering(Recovery(stack.chain(), "", "", "the end"))
    pairs = [f"-c '{option}'" for option in options[1::2]]
    server = " ".join(
        (*pairs, "-c listen_addresses=", "-c unix_socket_directories=/tmp", "-c synchronous_standby_names=")
    )
    return set(map(int, docker("exec", name, "sh", "-c", RECOVER, server).out.split()))


def lost_in(stack, name, first):
    acknowledged = kill_under_writers(stack, first)
    there = recovered(stack, name)
    docker("start", stack.container("chatwoot-db"))
    wait_for(stack.receiving, "the receiver back")
    return len(acknowledged), len(set(acknowledged) - there), max(acknowledged)


@pytest.mark.matrix
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_after_each_kill_the_archive_has_every_row_that_sync_acknowledged(mode, tmp_path, quick, images):
    acknowledged, lost, first = 0, [], 0
    with archiving(tmp_path, quick, mode) as stack, recoverer(stack) as name:
        for _ in range(KILLS):
            answered, missing, highest = lost_in(stack, name, first)
            acknowledged, first = acknowledged + answered, highest + 10 * WRITERS
            lost.append(missing)
    say(f"{mode}: {KILLS} kills, {acknowledged} rows acknowledged, {sum(lost)} lost, at most {max(lost)} in one")
    note(mode, acknowledged, lost)
    assert mode == "async" or sum(lost) == 0


def note(mode, acknowledged, lost):
    """Adds a session to the results where that is asked for."""
    if "WAL_KILLS" not in os.environ:
        return
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    machine = f"{platform.system()}, {os.cpu_count()} cores, sandbox images"
    session = {"mode": mode, "kills": len(lost), "acknowledged": acknowledged, "lost": sum(lost), "worst": max(lost)}
    found.append({"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, **session})
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
