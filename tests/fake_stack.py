"""A throwaway stack of the sandbox images for tests of the fake: plain `docker run`, free ports, removed at the end."""

import contextlib
import json
import os
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, field

import pytest
import requests

POSTGRES, REDIS = "chatwoot-sandbox/postgres:pg16", "chatwoot-sandbox/redis:7"
FAKE = os.environ.get("CHATWOOT_FAKE_TEST_IMAGE", "chatwoot-sandbox/chatwoot-fake") + ":v{}-ce"
EXTENSIONS = ("pg_stat_statements", "pg_trgm", "pgcrypto", "vector")
ENTRYPOINT = "docker/entrypoints/rails.sh"
WEB = "bundle exec rails s -p 3000 -b 0.0.0.0"
WORKER = "bundle exec sidekiq -C config/sidekiq.yml"
PASSWORD = "Str0ng!pass"
PREPARE = "bundle exec rails db:chatwoot_prepare"


def docker(*words, check=True, stdin=None):
    """Run docker; what it printed, or an assertion with its complaint."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, input=stdin)
    if check:
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
    return done


def images_missing():
    """Sandbox images that are not built on this machine."""
    wanted = [POSTGRES, REDIS, FAKE.format("4.14.2"), FAKE.format("4.15.1"), FAKE.format("4.15.2")]
    try:
        return [name for name in wanted if docker("image", "inspect", name, check=False).returncode]
    except FileNotFoundError:
        return wanted


def wait_for(condition, seconds, what):
    """Ask until the answer is true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(requests.RequestException, AssertionError):
            found = condition()
            if found:
                return found
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s")


def free_port():
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@dataclass
class FakeStack:
    """Names, ports and ways to ask."""

    prefix: str = field(default_factory=lambda: f"fake-test-{os.getpid()}-{uuid.uuid4().hex[:6]}")
    port: int = field(default_factory=free_port)
    extra: dict = field(default_factory=dict)
    token: str = ""

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def name(self, part):
        return f"{self.prefix}-{part}"

    def environment(self, **changes):
        given = {
            "POSTGRES_HOST": "db",
            "POSTGRES_USERNAME": "chatwoot",
            "POSTGRES_PASSWORD": "pw",
            "POSTGRES_DATABASE": "chatwoot_production",
            "REDIS_URL": "redis://redis:6379",
            "REDIS_PASSWORD": "rp",
            "SECRET_KEY_BASE": "testsecret",
            "FRONTEND_URL": self.base,
            "CHATWOOT_FAKE_BOOT_SECONDS": "0",
            **self.extra,
            **changes,
        }
        return [word for key, value in given.items() for word in ("--env", f"{key}={value}")]

    def up(self):
        """Network, database with role and extensions, Redis."""
        docker("network", "create", self.prefix)
        self.start("db", POSTGRES, "--env", "POSTGRES_PASSWORD=super")
        self.start("redis", REDIS, command="redis-server --requirepass rp")
        wait_for(lambda: self.sql("SELECT 1", database="postgres", check=False) == "1" and self.ready(), 60, "database")
        self.sql("CREATE ROLE chatwoot LOGIN PASSWORD 'pw'", database="postgres")
        self.sql("CREATE DATABASE chatwoot_production OWNER chatwoot", database="postgres")
        for name in EXTENSIONS:
            self.sql(f"CREATE EXTENSION {name}")
        return self

    def ready(self):
        """The final server listens on TCP; the one that runs init scripts does not."""
        return docker("exec", self.name("db"), "pg_isready", "-h", "127.0.0.1", check=False).returncode == 0

    def start(self, part, image, *options, command="", entrypoint=None):
        words = ["run", "--detach", "--name", self.name(part), "--network", self.prefix, "--network-alias", part]
        words += ["--entrypoint", entrypoint] if entrypoint else []
        docker(*words, *options, image, *command.split())

    def fake(self, part, release, command, *options, **changes):
        self.start(
            part, FAKE.format(release), *self.environment(**changes), *options, command=command, entrypoint=ENTRYPOINT
        )

    def web(self, release="4.15.1", part="web", **changes):
        """Start the web on the published port and wait until it answers."""
        self.fake(
            part,
            release,
            WEB,
            "--publish",
            f"127.0.0.1:{self.port}:3000",
            "--volume",
            f"{self.prefix}:/app/storage",
            **changes,
        )
        wait_for(lambda: requests.get(f"{self.base}/health", timeout=2, allow_redirects=False), 30, "web")

    def worker(self, release="4.15.1", part="worker", **changes):
        """Start the worker and wait for its probe."""
        self.fake(part, release, WORKER, "--volume", f"{self.prefix}:/app/storage", **changes)
        wait_for(lambda: self.probe(part) == "Alive!", 30, "worker")

    def run(self, release, command, **changes):
        """A one-off container; its exit code and output."""
        return docker(
            "run",
            "--rm",
            "--network",
            self.prefix,
            *self.environment(**changes),
            "--entrypoint",
            ENTRYPOINT,
            FAKE.format(release),
            *command.split(),
            check=False,
        )

    def prepare(self, release="4.15.1", **changes):
        return self.run(release, PREPARE, **changes)

    def probe(self, part="worker", seconds=4):
        """What the worker's probe says, asked from inside with BusyBox; empty when it fails."""
        done = docker(
            "exec", self.name(part), "wget", "-q", "-T", str(seconds), "-O", "-", "http://127.0.0.1:7433/", check=False
        )
        return done.stdout if done.returncode == 0 else ""

    def sql(self, query, database="chatwoot_production", check=True):
        done = docker(
            "exec", "-i", self.name("db"), "psql", "-U", "postgres", "-d", database, "-Atq", "-c", query, check=check
        )
        return done.stdout.strip()

    def redis(self, *words):
        return docker("exec", "--env", "REDISCLI_AUTH=rp", self.name("redis"), "redis-cli", *words).stdout.strip()

    def settle(self, seconds=20):
        """Wait until the worker has nothing left to do."""
        count = "for _, k in ipairs(redis.call('keys', 'queue:*')) do n = n + redis.call('llen', k) end"
        script = f"local n = 0 {count} return n"
        wait_for(lambda: self.redis("EVAL", script, "0") == "0", seconds, "empty queues")
        time.sleep(0.3)

    def logs(self, part):
        done = docker("logs", self.name(part))
        return done.stdout + done.stderr

    def stop(self, part):
        docker("stop", "--time", "5", self.name(part))

    def remove(self, part):
        docker("rm", "--force", "--volumes", self.name(part), check=False)

    def down(self):
        found = docker("ps", "--all", "--quiet", "--filter", f"name=^{self.prefix}-").stdout.split()
        if found:
            docker("rm", "--force", "--volumes", *found)
        docker("volume", "rm", "--force", self.prefix, check=False)
        docker("network", "rm", self.prefix, check=False)

    def onboard(self, password=PASSWORD):
        """Make the first administrator; the API token."""
        form = {
            "user[name]": "Ada",
            "user[company]": "KGC",
            "user[email]": "ada@kgc.example",
            "user[password]": password,
        }
        requests.post(f"{self.base}/installation/onboarding", data=form, timeout=20, allow_redirects=False)
        return self.sql("SELECT token FROM access_tokens WHERE owner_type = 'User' ORDER BY id LIMIT 1")

    def sign_in(self, password=PASSWORD):
        body = {"email": "ada@kgc.example", "password": password}
        return requests.post(f"{self.base}/auth/sign_in", json=body, timeout=20)

    def forget_rates(self):
        """Start all rate limits afresh."""
        script = "for _, k in ipairs(redis.call('keys', 'velma:*')) do redis.call('del', k) end"
        self.redis("EVAL", script, "0")

    def get(self, path, token=None, seconds=25, **options):
        headers = {"api_access_token": token} if token else {}
        return requests.get(self.base + path, headers=headers, timeout=seconds, allow_redirects=False, **options)

    def post(self, path, body, token):
        headers = {"api_access_token": token, "Content-Type": "application/json"}
        return requests.post(self.base + path, data=json.dumps(body), headers=headers, timeout=25)


@contextlib.contextmanager
def throwaway(*, serve=False):
    """Database and Redis; with `serve` also prepared, served and with an administrator. Fails without images."""
    missing = images_missing()
    if missing:
        pytest.fail(f"sandbox images are not built: {', '.join(missing)} (infra/docker/sandbox/build)")
    stack = FakeStack()
    try:
        stack.up()
        if serve:
            stack.prepare()
            stack.web()
            stack.token = stack.onboard()
        yield stack
    finally:
        stack.down()
