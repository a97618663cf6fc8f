"""Two hosts that write a set of one name to one remote, in every order of their requests: one copy, and it is whole."""

import threading
from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT
from chatwoot_ops.operations import changing
from chatwoot_ops.operations.pushing import push
from fake_s3 import FakeS3, refusal
from fault_table import record, refusal_of
from keeping import well_keeping
from off_site import FOLDER, REMOTE
from sets import sealed
from world import healthy_host, stack_in

HOSTS = 2
STEP = 5
WAIT = 30


@dataclass
class Turns:
    """Lets one host make some requests, then the other some, then each the rest."""

    plan: list
    left: int = 0

    def __post_init__(self):
        self.changed, self.over, self.asleep = threading.Condition(), set(), set()
        self._next()

    def _next(self):
        self.who, self.left = self.plan.pop(0) if self.plan else (None, 0)

    def _may(self, who):
        return self.who in {None, who} or self.who in self.over or self.who in self.asleep

    def take(self, who):
        """Waits for this host's turn; it counts as one request."""
        with self.changed:
            assert self.changed.wait_for(lambda: self._may(who), WAIT)
            if self.who == who:
                self.left -= 1
                if self.left <= 0:
                    self._next()
            self.changed.notify_all()

    def sleep(self, who):
        """Long enough for the other host to do what it is about to, until it sleeps itself or has ended."""
        with self.changed:
            self.asleep.add(who)
            if self.who == who:
                self._next()
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.over or len(self.asleep) == HOSTS, WAIT)

    def done(self, who):
        with self.changed:
            self.over.add(who)
            while self.who in self.over:
                self._next()
            self.changed.notify_all()


class Shared:
    """One host's way to the bucket: every request waits for its turn."""

    def __init__(self, bucket, turns, who):
        self.bucket, self.turns, self.who = bucket, turns, who

    def __getattr__(self, name):
        real = getattr(self.bucket, name)

        def asked(**given):
            self.turns.take(self.who)
            return real(**given)

        return asked


@dataclass
class Twin:
    """A host with a set of the same name and instance as the other's, and other content."""

    who: str
    stack: object
    host: object
    path: object
    error: object = None

    @classmethod
    def of(cls, folder, who):
        (folder / who).mkdir()
        stack = stack_in(folder / who, **REMOTE, COMPOSE_PROJECT_NAME=f"chatwoot-{who}")
        host = healthy_host()
        well_keeping(host)
        content = {DATABASE_ARTIFACT: f"PGDMP of {who}".encode()}
        return cls(who, stack, host, sealed(stack.backup_folder, extra=content, note=f"of {who}"))

    def meet(self, bucket, turns):
        (self.path / "off-site.json").unlink(missing_ok=True)
        self.host.remotes.client = Shared(bucket, turns, self.who)
        self.host.clock.sleep = lambda _: turns.sleep(self.who)
        try:
            self.error = refusal_of(lambda: push(self.stack, self.host))
        finally:
            turns.done(self.who)

    def is_there(self, bucket):
        mine = {each.name: each.read_bytes() for each in self.path.iterdir() if each.name != "off-site.json"}
        return {name: _bytes(bucket.objects.get(f"{FOLDER}/{name}")) for name in mine} == mine


def _bytes(content):
    return content if content is None else bytes(content)


@pytest.fixture(autouse=True)
def _threads(monkeypatch):
    # A handler of a signal can be set by the main thread only.
    monkeypatch.setattr(changing, "terminable", nullcontext)


@pytest.fixture
def twins(tmp_path):
    return Twin.of(tmp_path, "one"), Twin.of(tmp_path, "other")


def refusing_conditions(given):
    if given.get("IfNoneMatch"):
        raise refusal("NotImplemented")


class Ignoring(FakeS3):
    """A server of the kind that does not know the condition and does not say so."""

    def put_object(self, **given):
        super().put_object(**{key: value for key, value in given.items() if key != "IfNoneMatch"})


def knowing():
    return FakeS3()


def refusing():
    bucket = FakeS3()
    bucket.fault("put_object", refusing_conditions)
    return bucket


SERVERS = {
    "a server that knows conditions": knowing,
    "a server that refuses conditions": refusing,
    "a server that ignores conditions": Ignoring,
}


def requests_of_one(twin, bucket):
    # Nobody else is there to be waited for.
    turns = Turns([])
    turns.over.add("nobody")
    twin.meet(bucket, turns)
    assert twin.is_there(bucket)
    return len(bucket.asked)


def meeting(twins, plan, bucket):
    turns = Turns(plan)
    threads = [threading.Thread(target=each.meet, args=(bucket, turns)) for each in twins]
    for each in threads:
        each.start()
    for each in threads:
        each.join(WAIT)
        assert not each.is_alive()
    return bucket


def all_is_right(twins, bucket):
    """Whoever was told that its set is off-site has it there, whole; whoever was not was told why."""
    for each in twins:
        if each.error is None:
            assert each.is_there(bucket), f"{each.who} was told that its set is off-site"
            assert read_set(each.path).off_site
        else:
            assert each.error.code in {13, 22}
            assert read_set(each.path).off_site == ""
    assert any(each.error is None for each in twins), "neither could bring its set off-site"


def orders(count, step):
    """One host stops after so many requests, the other after so many, and then they end one after the other."""
    for first in range(0, count, step):
        for second in range(1, count, step):
            yield [("one", first), ("other", second), ("one", 99), ("other", 99)] if first else [("other", second)]


@pytest.fixture(params=SERVERS)
def server(request):
    return request.param


def test_in_a_sample_of_orders_there_is_one_whole_copy(twins, server):
    for plan in orders(requests_of_one(twins[0], SERVERS[server]()), STEP):
        all_is_right(twins, meeting(twins, plan, SERVERS[server]()))


@pytest.mark.matrix
@pytest.mark.timeout(1800)
def test_in_every_order_of_two_switches_there_is_one_whole_copy(twins, server):
    plans = list(orders(requests_of_one(twins[0], SERVERS[server]()), 1))
    for plan in plans:
        all_is_right(twins, meeting(twins, list(plan), SERVERS[server]()))
    record("remote", "two hosts that write a set of one name at once, in every order", server, cases=len(plans))
