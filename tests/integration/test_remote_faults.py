"""A real S3 server behind a line that breaks, delays, truncates or lies: at every request of a push and of a pull."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import lying_line
from chatwoot_ops.adapters import lock
from chatwoot_ops.adapters.backup_store import checksum_problems, read_set
from chatwoot_ops.adapters.clock import Clock
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.remote_store import RemoteStore, client_of
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.pulling import pull
from chatwoot_ops.operations.pushing import push
from fault_table import record, refusal_of
from lying_line import FAULTS, LyingLine, possible
from s3_server import SECRET_KEY, s3_server
from sets import sealed
from world import FOLDER, INSTANCE, stack_in

CODES = {"push": {13, 22}, "pull": {13, 20}}
CASES_OF_EACH = 2
SAMPLE = [
    ("push", "saying yes and doing nothing"),
    ("push", "answering with a changed bit"),
    ("pull", "cut off in an answer"),
    ("pull", "answering with half an object"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(autouse=True)
def _own_locks(monkeypatch, tmp_path_factory):
    monkeypatch.setattr(lock, "_FOLDERS", (tmp_path_factory.mktemp("locks"),))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Retries wait no time."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def line(server):
    line = LyingLine(server.port)
    yield line
    line.close()


class Remotes:
    """Buckets of which nobody waits long for an answer; a client is made once, which takes longer than a case."""

    def __init__(self):
        self.client = None

    def open(self, remote, **_):
        self.client = self.client or client_of(remote, connect=1, silent=1, attempts=2)
        return RemoteStore(self.client, remote.bucket)


@dataclass
class Machine:
    """A machine with one set; each case has a prefix of its own at the server."""

    folder: object
    server: object
    line: LyingLine
    host: Host
    number: int = 0

    def begin(self, task):
        """A fresh prefix; for a pull the set is there and gone here."""
        self.number += 1
        folder = self.folder / f"case-{self.number}"
        folder.mkdir()
        values = self.server.settings(f"{self.folder.name}-{self.number}", self.line.endpoint)
        self.stack = stack_in(folder, CHATWOOT_INSTANCE_ID=INSTANCE, **values)
        self.place = Place(FOLDER, self.stack.env_file)
        self.line.set()
        self.path = sealed(self.stack.backup_folder, note=f"case {self.number}")
        self.before = {each.name: each.read_bytes() for each in self.path.iterdir()}
        if task == "pull":
            push(self.stack, self.host)
            shutil.rmtree(self.path)

    def act(self, task):
        return push(self.stack, self.host) if task == "push" else pull(self.place, self.host)

    def content(self):
        found = {each.name: each.read_bytes() for each in self.path.iterdir()}
        return {name: data for name, data in found.items() if name != "off-site.json"}

    def at_the_server(self):
        """The objects of the set as the server holds them, asked by a way that does not lie."""
        store = self.server.store()
        prefix = f"{self.folder.name}-{self.number}/"
        return {name.rpartition("/")[2]: b"".join(store.read(name)) for name in store.sizes(prefix.rstrip("/"))}

    def right_there(self):
        there = self.at_the_server()
        return {name: there.get(name) for name in self.before} == self.before


@pytest.fixture
def machine(tmp_path, server, line):
    return Machine(tmp_path, server, line, Host(Path("no-compose"), remotes=Remotes(), clock=Clock()))


def survives(machine, task, fault, when):
    """Plays one case: what comes of it is right or is refused, nothing passes that is not, and the next try ends it."""
    machine.begin(task)
    machine.line.set(fault, when)
    error = refusal_of(lambda: machine.act(task))
    if error:
        assert error.code in CODES[task], error
        assert error.remedy or error.details
        assert SECRET_KEY not in f"{error.message}{error.details}{error.remedy}"
        _nothing_passes(machine, task)
    else:
        assert machine.right_there()
        assert machine.content() == machine.before
    assert store_of(machine.stack, machine.host).read() is None
    machine.line.set()
    machine.act(task)
    assert machine.right_there()
    assert machine.content() == machine.before
    assert read_set(machine.path).off_site


def _nothing_passes(machine, task):
    if task == "push":
        assert machine.content() == machine.before
        assert read_set(machine.path).off_site == "" or machine.right_there()
        assert checksum_problems(read_set(machine.path)) == ()
    else:
        assert not machine.path.exists() or not checksum_problems(read_set(machine.path))


def moments(machine, task, fault):
    """Each request of the task by itself, and from each one on for ever."""
    machine.begin(task)
    machine.line.set()
    machine.act(task)
    asked = [each for each in machine.line.asked if possible(fault, each)]
    for each in asked:
        yield lambda other, number=each.number: other.number == number and possible(fault, other)
        yield lambda other, number=each.number: other.number >= number and possible(fault, other)


@pytest.mark.parametrize(("task", "fault"), SAMPLE)
def test_a_remote_that_fails_at_a_sample_of_requests_passes_nothing_that_is_not_right(machine, task, fault):
    found = list(moments(machine, task, FAULTS[fault]))
    for when in found[:: len(found) // CASES_OF_EACH][:CASES_OF_EACH]:
        survives(machine, task, FAULTS[fault], when)


def test_a_pull_writes_nothing_at_the_server_that_could_be_left_undone(machine):
    assert list(moments(machine, "pull", lying_line.dropped)) == []


@pytest.mark.matrix
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("task", ["push", "pull"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_remote_that_fails_at_any_request_passes_nothing_that_is_not_right(machine, task, fault):
    tried = 0
    for when in moments(machine, task, FAULTS[fault]):
        survives(machine, task, FAULTS[fault], when)
        tried += 1
    if tried:
        record("remote", f"remote {fault}, at one request and from each one on", task, cases=tried)


def test_a_line_that_lies_about_nothing_changes_nothing(machine):
    machine.begin("push")
    machine.act("push")
    assert machine.right_there()
