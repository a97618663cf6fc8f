"""What the tests of backup, restore and upgrade share: customers who write and log, a prober, and the data compared."""

import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event, Thread

import requests

from chatwoot_ops.adapters.files import write_atomically
from stack.tools import ADMIN_EMAIL, ADMIN_PASSWORD, docker, run

KILL_AT = str(Path(__file__).parents[1] / "stack" / "kill_at.py")
FAKE = "chatwoot-sandbox/chatwoot-fake"
POSTGRES = "chatwoot-sandbox/postgres:pg16"
# Chatwoot takes 200 messages a minute into one conversation.
PER_CONVERSATION = 100
SUFFIX = count()

# One line a row, `name of the table <tab> row`, in an order that depends on nothing but the content.
ROWS = r"""
SET TimeZone = 'UTC'; SET extra_float_digits = 1;
SELECT format('COPY (SELECT %L, t.* FROM public.%I t ORDER BY t::text COLLATE "C") TO STDOUT', relname, relname)
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname \gexec
"""
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1;"
_TRIGGERS = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1;"
_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1;"


def ask(stack, script):
    """The lines that psql answers to a script, as superuser."""
    inside = ("psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "chatwoot_production")
    return docker("exec", "-i", stack.container("chatwoot-db"), *inside, stdin=script).out.splitlines()


def rows(stack):
    """Every row of every table, as text."""
    found = {}
    for line in ask(stack, ROWS):
        table, _, row = line.partition("\t")
        found.setdefault(table, []).append(row)
    return found


def structure(stack):
    """Sequences with their values, triggers and indexes."""
    return {"sequences": ask(stack, _SEQUENCES), "triggers": ask(stack, _TRIGGERS), "indexes": ask(stack, _INDEXES)}


@contextmanager
def nobody_writing(stack):
    """Web and worker stopped, so that two looks at the data can be compared."""
    stack.compose("stop", "-t", "5", "chatwoot-rails", "chatwoot-sidekiq")
    try:
        yield
    finally:
        stack.compose("start", "chatwoot-rails", "chatwoot-sidekiq")
    for service in ("chatwoot-rails", "chatwoot-sidekiq"):
        stack.wait_healthy(service)


def cluster(stack):
    """Where the database volume's link points."""
    look = ("run", "--rm", "-u", "0", "--network", "none", "-v", f"{stack.settings['CHATWOOT_DB_VOLUME']}:/v:ro")
    return docker(*look, "--entrypoint", "readlink", POSTGRES, "/v/current").out.strip()


def clusters(stack):
    """The clusters that lie in the database volume, half-made ones too; looking makes no volume that is gone."""
    if docker("volume", "inspect", stack.settings["CHATWOOT_DB_VOLUME"], check=False).code:
        return []
    look = ("run", "--rm", "-u", "0", "--network", "none", "-v", f"{stack.settings['CHATWOOT_DB_VOLUME']}:/v:ro")
    return sorted(docker(*look, "--entrypoint", "ls", POSTGRES, "/v/clusters").out.split())


def live(stack):
    """What must not change when something is refused: containers, clusters, settings and the number of rows."""
    look = (
        "cd /var/lib/postgresql/data && readlink current && ls clusters && psql -XqtA -U postgres chatwoot_production"
    )
    count = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM conversations)"
    inside = docker("exec", stack.container("chatwoot-db"), "sh", "-c", f"{look} -c '{count}'").out
    return stack.containers(), inside.split(), stack.env_file.read_bytes(), stack.journal()


def sets(stack):
    """The folders of the backup sets, the newest name last."""
    folder = stack.env_file.parent / "backups"
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def answers(stack, seconds=5):
    """The status of the page that tells the truth, 0 for none."""
    try:
        return requests.get(f"{stack.url}/app/login", timeout=seconds, allow_redirects=False).status_code
    except requests.RequestException:
        return 0


@dataclass
class Client:
    """An agent with a token, who writes into conversations of an inbox of its own."""

    stack: object
    token: str
    account: int
    inbox: int = 0
    contact: int = 0
    conversation: int = 0
    written: int = 0

    @classmethod
    def of(cls, stack):
        """Signs in, makes an inbox, a contact and a conversation."""
        form = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
        found = requests.post(f"{stack.url}/auth/sign_in", json=form, timeout=20).json()["data"]
        client = cls(stack, found["access_token"], found["account_id"])
        name = f"faults {next(SUFFIX)}"
        client.inbox = client.post("inboxes", {"name": name, "channel": {"type": "api", "webhook_url": ""}})["id"]
        person = client.post("contacts", {"inbox_id": client.inbox, "name": name})
        client.contact = person["payload"]["contact"]["id"]
        return client

    def post(self, path, body=None, **how):
        url = f"{self.stack.url}/api/v1/accounts/{self.account}/{path}"
        given = {"json": body} if body is not None else {}
        answer = requests.post(url, headers={"api-access-token": self.token}, timeout=20, **given, **how)
        answer.raise_for_status()
        return answer.json()

    def write(self, text):
        """A message; it was acknowledged when this returns."""
        if self.written % PER_CONVERSATION == 0:
            self.conversation = self.post("conversations", {"inbox_id": self.inbox, "contact_id": self.contact})["id"]
        self.written += 1
        self.post(f"conversations/{self.conversation}/messages", {"content": text, "message_type": "incoming"})
        return text

    def attach(self, name, content):
        """A message with a file."""
        self.write(f"before {name}")
        form = {"content": name, "message_type": "outgoing"}
        path = f"conversations/{self.conversation}/messages"
        return self.post(path, data=form, files={"attachments[]": (name, content, "application/octet-stream")})


def lost(stack, texts):
    """Which of these messages are not in the database."""
    there = set(ask(stack, "SELECT content FROM messages;"))
    return sorted(set(texts) - there)


@dataclass
class Writer:
    """Writes message after message and logs when each was sent and acknowledged."""

    client: Client
    name: str
    acknowledged: dict = field(default_factory=dict)
    refused: list = field(default_factory=list)
    stop: Event = field(default_factory=Event)

    def run(self):
        for number in count():
            if self.stop.is_set():
                return
            text = f"{self.name} {number}"
            try:
                self.client.write(text)
                self.acknowledged[text] = time.monotonic()
            except requests.RequestException:
                self.refused.append(text)
            self.stop.wait(0.1)


@contextmanager
def writing(stack, writers=2):
    """Customers who write while the block runs."""
    people = [Writer(Client.of(stack), f"writer {next(SUFFIX)}") for _ in range(writers)]
    threads = [Thread(target=person.run, daemon=True) for person in people]
    for thread in threads:
        thread.start()
    try:
        yield people
    finally:
        for person in people:
            person.stop.set()
        for thread in threads:
            thread.join(30)


@dataclass
class Asked:
    """What a prober saw: the status and the seconds of each request, status 0 where none came."""

    seen: list = field(default_factory=list)

    @property
    def failed(self):
        return [status for status, _ in self.seen if status != 200]

    @property
    def slowest(self):
        return max(seconds for _, seconds in self.seen)


def _ask_once(session, url, token, asked):
    began = time.monotonic()
    try:
        status = session.get(url, headers={"api-access-token": token}, timeout=20).status_code
    except requests.RequestException:
        status = 0
    asked.seen.append((status, time.monotonic() - began))


@contextmanager
def probing(stack, token, a_second=10):
    """Asks on time, whether the answers before have come or not."""
    asked, stop, session = Asked(), Event(), requests.Session()

    def ask_on():
        with ThreadPoolExecutor(64) as pool:
            while not stop.wait(1 / a_second):
                pool.submit(_ask_once, session, f"{stack.url}/api/v1/profile", token, asked)

    thread = Thread(target=ask_on)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join()
        session.close()


def kill_at(stack, step, *task):
    """The task, killed by SIGKILL when the journal line of the step is on disk."""
    done = run(sys.executable, KILL_AT, step, *task, env=stack.environment, cwd=stack.checkout)
    assert done.code == -signal.SIGKILL, done.said
    assert stack.last_step() == step
    return done


def key_pair(folder):
    """A public key, and the file that holds its private one."""
    from chatwoot_ops.adapters.age import make_pair  # noqa: PLC0415 - loads a library that few tests need

    public, private = make_pair()
    write_atomically(folder / "identity.txt", private + "\n")
    return public, folder / "identity.txt"
