"""Tasks that run by themselves, for real: Debian's cron reads our file, and a stack's runs are told and seen."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chatwoot_ops.model.timetable import jitter, parse_times
from chatwoot_ops.model.units import CRON, Runner, files_for
from stack.tools import docker, new_project, run, say, wait_for

BASE = "chatwoot-sandbox/base:bookworm"
CHECKOUT, SETTINGS = "/srv/chatwoot ops", "/srv/settings of ours/.env"
ROOTLESS = "unix:///run/user/1000/docker.sock"
# What the stand-in writes shows who ran it, where and how; what it prints must come to the log.
BOOTSTRAP = """#!/bin/sh
echo "$(id -un)|$PWD|$CHATWOOT_ENV_FILE|$DOCKER_HOST|$*" >>/srv/ran/list
echo "said by $3"
echo "and by standard error" >&2
"""
BEGIN = f"""useradd --create-home ada && mkdir -p '{CHECKOUT}/scripts' /srv/ran /var/spool/cron/crontabs
chown ada /srv/ran
cp /seed/bootstrap '{CHECKOUT}/scripts/' && chmod 755 '{CHECKOUT}/scripts/bootstrap'
cp /seed/files/usr/sbin/cron /usr/sbin/ && cp /seed/files/etc/pam.d/cron /etc/pam.d/
cp /seed/cron.d/* /etc/cron.d/ && chmod 644 /etc/cron.d/*
busybox syslogd -O /srv/log && exec cron -f"""
UNTIL_CRON_RUNS_SECONDS = 150


@pytest.fixture
def seed(tmp_path):
    """A folder with Debian's own cron, as its package has it."""
    done = run("apt-get", "download", "cron", cwd=tmp_path)
    if done.code:
        # A fresh machine's list of packages may be older than what its mirror has.
        run("apt-get", "update", "-q")
        done = run("apt-get", "download", "cron", cwd=tmp_path)
    assert done.code == 0, f"Debian's cron cannot be had, so nobody knows whether it reads our file: {done.err}"
    (package,) = tmp_path.glob("cron_*.deb")
    run("dpkg", "-x", str(package), str(tmp_path / "files"), check=True)
    (tmp_path / "bootstrap").write_text(BOOTSTRAP)
    (tmp_path / "cron.d").mkdir()
    return tmp_path


def due_soon():
    """Times that are due in a minute or two, and an installation whose tasks have no jitter then."""
    times = parse_times(f"hourly {(datetime.now(UTC) + timedelta(seconds=70)).minute:02}")
    timetable = dict.fromkeys(("backup", "prune"), times)
    names = (f"instance-{number}" for number in range(100_000))
    instance = next(name for name in names if not any(jitter(times, name, task) for task in timetable))
    return timetable, instance


@contextmanager
def machine(seed, name):
    """A machine with cron and nothing else that runs."""
    try:
        docker("run", "-d", "--name", name, "--network", "none", "-v", f"{seed}:/seed:ro", BASE, "sh", "-c", BEGIN)
        yield lambda *argv: docker("exec", name, *argv, check=False).out
    finally:
        docker("rm", "--force", "--volumes", name, check=False)


def test_debians_cron_runs_each_task_as_its_owner_in_its_folder_and_logs_what_it_says(seed):
    timetable, instance = due_soon()
    runner = Runner("stacktest.cron", CHECKOUT, "ada", SETTINGS, instance, {"DOCKER_HOST": ROOTLESS})
    ((path, content),) = files_for(CRON, runner, timetable).items()
    (seed / "cron.d" / path.name).write_text(content)
    with machine(seed, new_project("cron")) as inside:
        waited = wait_for(lambda: inside("cat", "/srv/ran/list").count("\n") == 2, "cron", UNTIL_CRON_RUNS_SECONDS)
        say(f"cron ran both tasks after {waited:.0f} s")
        ran = sorted(inside("cat", "/srv/ran/list").splitlines())
        wait_for(lambda: inside("cat", "/srv/log").count("standard error") == 2, "the log", 20)
        log = inside("cat", "/srv/log")
    assert ran == [f"ada|{CHECKOUT}|{SETTINGS}|{ROOTLESS}|schedule --run {task}" for task in ("backup", "prune")]
    for task in ("backup", "prune"):
        assert f"stacktest.cron-ops-{task}: said by {task}" in log


class Told(BaseHTTPRequestHandler):
    """A dead-man service: keeps the paths that it was asked for."""

    def do_GET(self):
        self.server.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def dead_man():
    with ThreadingHTTPServer(("127.0.0.1", 0), Told) as server:
        server.paths = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_scheduled_runs_of_a_stack_are_told_and_a_failed_one_is_seen_until_a_good_one(standing, dead_man):
    secret = "a-name-that-nobody-guesses"
    standing.set(BACKUP_PING_URL=f"http://127.0.0.1:{dead_man.server_port}/{secret}", BACKUP_MAX_AGE="1h")
    try:
        done = standing.invoke("schedule", "--run", "backup")
        assert "rows in" in done.out
        assert dead_man.paths == [f"/{secret}"]
        assert standing.invoke("status").out.count("watched    backup age: pass, newest set ") == 1
        newest = json.loads(standing.invoke("backups", "--json").out)["result"]["sets"][-1]
        damage = run("sh", "-c", f"printf x | dd of='{newest['path']}/database.dump' bs=1 seek=99 conv=notrunc")
        assert damage.code == 0
        failed = standing.invoke("schedule", "--run", "verify", code=20)
        assert "its content is not what was written" in failed.out
        assert "watched    scheduled verify: fail" in standing.invoke("status", code=25).out
        standing.invoke("schedule", "--run", "backup")
        assert dead_man.paths[1:] == [f"/{secret}/fail"] * 2, "the backup was good, and the verification still is not"
        standing.invoke("schedule", "--run", "verify")
        standing.invoke("schedule", "--run", "backup")
        assert dead_man.paths[3:] == [f"/{secret}"]
        standing.invoke("status")
        assert secret not in done.said + failed.said
    finally:
        standing.set(BACKUP_PING_URL="", BACKUP_MAX_AGE="")
        run("rm", "-rf", newest["path"])
