"""Drills beside a stack that serves: nobody notices, nobody is reached, and nothing is left but the certificate."""

import json
import shutil
import signal
import socket
import sys
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread

import pytest

from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.lock import hold_lock
from chatwoot_ops.model.certificate import parse_certificate
from sets import rewrite
from stack.tools import docker, run, wait_for
from stack_backup.support import KILL_AT, live, probing, sets

PREFIX = "chatwoot-drill-"


def objects(*prefixes):
    """Every container, volume and network of the engine whose name begins so; others come and go beside these tests."""
    asked = (
        ("ps", "-a", "--format", "{{.Names}} {{.ID}}"),
        ("volume", "ls", "-q"),
        ("network", "ls", "--format", "{{.Name}} {{.ID}}"),
    )
    found = [line for words in asked for line in docker(*words).out.splitlines()]
    return sorted(line for line in found if any(name in line for name in prefixes))


@pytest.fixture
def nothing_left(standing, tmp_path_factory):
    """What the engine had before is all that it has afterwards, and production's own is as it was."""
    before, lived = objects(PREFIX, standing.project), live(standing)
    assert before == objects(standing.project) != []
    yield
    assert objects(PREFIX, standing.project) == before
    assert live(standing) == lived
    assert [path for path in tmp_path_factory.getbasetemp().glob(f"{PREFIX}*") if path.is_dir()] == []


@pytest.fixture(autouse=True)
def _own_temporary_folder(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.getbasetemp()))


def certificates(stack):
    """What each says, below a seal that fits."""
    texts = [path.read_text() for path in sorted((stack.state / "drills").glob("*.json"))]
    assert all(parse_certificate(text) for text in texts)
    return [{name: value for name, value in json.loads(text).items() if name != "seal"} for text in texts]


@contextmanager
def listening():
    """A server of this machine's own on all its addresses, which says what it is to whoever connects; its port."""
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - so that every address of the machine has it

        def serve():
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"reached\n")

        Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def reaches(container, host, port):
    """Whether a program in this container gets an answer from there."""
    done = docker("exec", container, "sh", "-c", f"nc -w 3 {host} {port} </dev/null", check=False)
    return done.out.startswith(("reached", "SSH", "HTTP"))


def address(container):
    networks = json.loads(docker("inspect", container).out)[0]["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))["IPAddress"]


def gateways():
    """The addresses that this machine has on each of the engine's networks."""
    names = docker("network", "ls", "-q", "--filter", "driver=bridge").out.split()
    described = json.loads(docker("network", "inspect", *names).out)
    return {entry["Gateway"] for each in described for entry in each["IPAM"]["Config"] if "Gateway" in entry}


def nothing_is_reached(web, production):
    """The drill's web serves, and gets no answer from whom production's web gets one."""
    assert "4.15.1" in docker("exec", web, "wget", "-q", "-O", "-", "http://127.0.0.1:3000/api").out
    with listening() as port:
        machine = {"host.docker.internal", *gateways()}
        assert len([host for host in machine if reaches(production, host, port)]) > 1
        assert [host for host in machine if reaches(web, host, port)] == []
    assert not reaches(web, address(production), 3000)
    ports = json.loads(docker("inspect", web).out)[0]["NetworkSettings"]["Ports"]
    assert not any(ports.values())


@pytest.mark.usefixtures("nothing_left")
def test_production_answers_all_the_time_and_the_certificate_says_what_came_back(standing):
    standing.invoke("backup", "--kind", "logical")
    with probing(standing, standing.client.token) as asked:
        answer = json.loads(standing.invoke("drill", "--json").out)["result"]
    assert len(asked.seen) > 20
    assert asked.failed == []
    kept = certificates(standing)[-1]
    assert answer == kept
    newest = json.loads((sets(standing)[-1] / "manifest.json").read_text())
    tables = newest["data"]["tables"]
    assert (kept["passed"], kept["fake"], kept["why"]) == (True, True, "")
    assert (kept["set"], kept["instance"]) == (newest["name"], standing.settings["CHATWOOT_INSTANCE_ID"])
    assert (kept["tables"], kept["rows"]) == (len(tables), sum(table["rows"] for table in tables.values()))
    assert kept["files_proved"] == newest["storage"]["proved"] > 0
    assert 1 < kept["recovery_seconds"] < 120
    assert {check["name"] for check in kept["checks"]} >= {"rows", "instance", "/app/login", "/api", "migrations"}
    page = (standing.state / "drills" / "index.html").read_text()
    assert f"{kept['recovery_seconds']} s" in page
    assert not [secret for secret in standing.secrets.values() if secret in page or secret in json.dumps(kept)]
    assert "passed, recovery time" in standing.invoke("status").out
    assert "(restore)" in standing.invoke("backups").out


@pytest.mark.usefixtures("nothing_left")
def test_from_the_drills_web_nothing_is_reached_and_what_a_kill_leaves_is_removed(standing):
    """The drill is killed while its stack serves, so that there is time to try every way out."""
    killed = run(sys.executable, KILL_AT, "ask", "drill", env=standing.environment, cwd=standing.checkout)
    assert killed.code == -signal.SIGKILL, killed.said
    names = docker("ps", "-a", "--filter", f"name={PREFIX}", "--format", "{{.Names}}").out.split()
    (web,) = (name for name in names if "chatwoot-rails" in name)
    project = web.partition("-chatwoot-rails")[0]
    assert sorted(names) == [
        f"{project}-{service}-1" for service in ("chatwoot-db", "chatwoot-rails", "chatwoot-redis")
    ]
    # A rehearsal of another test would take it for what it is: left over.
    with hold_lock(f"{project}.run", operation="test", user="test", since="now"):
        nothing_is_reached(web, standing.container("chatwoot-rails"))
    assert "cut off    nothing" in standing.invoke("status").out
    assert project in standing.invoke("recover", "--undo").out


@pytest.mark.usefixtures("nothing_left")
def test_a_damaged_set_is_refused_with_13_and_the_certificate_says_so(standing, tmp_path):
    copy = shutil.copytree(sets(standing)[0], tmp_path / sets(standing)[0].name)
    dump = copy / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-1])
    answer = standing.invoke("drill", "--set", str(copy), code=13)
    assert "database.dump" in answer.err
    assert certificates(standing)[-1]["passed"] is False
    assert "FAILED" in standing.invoke("status").out


@pytest.mark.matrix
@pytest.mark.usefixtures("nothing_left")
def test_ctrl_c_removes_everything(standing):
    with standing.in_background("drill") as task:
        wait_for(lambda: docker("ps", "-q", "--filter", f"name={PREFIX}").out, "the drill's first container")
        task.send_signal(signal.SIGINT)
        said, _ = task.communicate(timeout=120)
    assert task.returncode == 130, said


@pytest.mark.matrix
@pytest.mark.usefixtures("nothing_left")
def test_a_set_that_cannot_be_restored_fails_with_25(standing, tmp_path):
    copy = shutil.copytree(sets(standing)[0], tmp_path / sets(standing)[0].name)
    rewrite(copy, data=replace(read_set(copy).manifest.data, triggers=5))
    assert "triggers: 5 expected, 4 found" in standing.invoke("drill", "--set", str(copy), code=25).err
    assert "triggers: 5 expected" in certificates(standing)[-1]["why"]
