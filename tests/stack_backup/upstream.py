"""A Chatwoot in upstream's own layout, on the sandbox images, that is taken over by the tests."""

import os
from dataclasses import dataclass
from pathlib import Path

import requests

from chatwoot_ops.adapters.env_file import read_env_file, write_env_file
from chatwoot_ops.operations.secrets import make_secret
from stack.tools import ADMIN_EMAIL, ADMIN_PASSWORD, BIN, COLD, docker, free_port, new_project, run, wait_for
from stack_backup.support import POSTGRES, ROWS, Client

COMPOSE = Path(__file__).with_name("upstream-compose.yml")
KEYS = (
    "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY",
    "ACTIVE_RECORD_ENCRYPTION_DETERMINISTIC_KEY",
    "ACTIVE_RECORD_ENCRYPTION_KEY_DERIVATION_SALT",
)
# Every name, size, time, owner and mode, then every content.
_DIGEST = "cd /v && find . -printf '%p %s %T@ %m %u:%g\\n' | sort && find . -type f -exec sha256sum {} + | sort -k2"


@dataclass
class Upstream:
    """The project, its `.env`, and ways to ask it."""

    folder: Path
    project: str
    port: int

    @classmethod
    def make(cls, folder, **values):
        """Writes its `.env`; starts nothing."""
        port = free_port()
        given = {
            "SECRET_KEY_BASE": make_secret(64),
            **{key: make_secret(32) for key in KEYS},
            "FRONTEND_URL": f"http://127.0.0.1:{port}/",
            "REDIS_URL": "redis://redis:6379",
            "REDIS_PASSWORD": make_secret(20),
            "REDIS_SENTINELS": "",
            "POSTGRES_HOST": "postgres",
            "POSTGRES_USERNAME": "postgres",
            "POSTGRES_PASSWORD": make_secret(20),
            "RAILS_ENV": "development",
            "RAILS_LOG_TO_STDOUT": "true",
            "MAILER_SENDER_EMAIL": "Chatwoot <accounts@chatwoot.example>",
            "FB_APP_ID": "",
            "IG_VERIFY_TOKEN": "a token of instagram",
            "SOURCE_PORT": str(port),
            **COLD,
            **values,
        }
        write_env_file(folder / ".env", "".join(f"{key}={value}\n" for key, value in given.items()))
        return cls(folder, new_project("upstream"), port)

    @property
    def env(self):
        return self.folder / ".env"

    @property
    def settings(self):
        return read_env_file(self.env).values

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *argv):
        base = (str(BIN / "docker-compose"), "-p", self.project, "--env-file", str(self.env), "-f", str(self.copied()))
        return run(*base, *argv, check=True)

    def copied(self):
        """The compose file beside its `.env`, as upstream has it."""
        (self.folder / "docker-compose.yml").write_text(COMPOSE.read_text())
        return self.folder / "docker-compose.yml"

    def serve(self):
        """All services, the first administrator, a message and an attachment."""
        self.compose("up", "-d", "postgres", "redis")
        self.wait_database()
        prepare = ("bundle", "exec", "rails", "db:chatwoot_prepare")
        self.compose("run", "--rm", "-T", "rails", *prepare)
        self.compose("up", "-d", "rails", "sidekiq")
        self.wait()
        form = {"name": "Ada", "company": "KGC", "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
        page = {f"user[{key}]": value for key, value in form.items()}
        requests.post(f"{self.url}/installation/onboarding", data=page, timeout=20, allow_redirects=False)
        client = Client.of(self)
        client.write("written at the old place")
        client.attach("kept.bin", os.urandom(5000))
        return client

    def wait_database(self):
        wait_for(lambda: self.sql("SELECT 1", "postgres", check=False) == "1", "the source's database")

    def wait(self):
        wait_for(self._answers, "the source's web")

    def rows(self):
        """Every row of every table, as text."""
        inside = ("psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres")
        command = ("exec", "-i", self.container("postgres"), *inside, "-d", "chatwoot_production")
        found = {}
        for line in docker(*command, stdin=ROWS).out.splitlines():
            table, _, row = line.partition("\t")
            found.setdefault(table, []).append(row)
        return found

    def _answers(self):
        try:
            return requests.get(f"{self.url}/health", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def container(self, service):
        return f"{self.project}-{service}-1"

    def sql(self, statement, database="chatwoot_production", check=True):
        inside = ("psql", "-XqtA", "-h", "127.0.0.1", "-U", "postgres", "-d", database, "-c", statement)
        return docker("exec", self.container("postgres"), *inside, check=check).out.strip()

    def volume(self, name):
        return f"{self.project}_{name}"

    def digest(self, *names):
        """Everything about the files in these volumes."""
        found = {}
        for name in names:
            mount = f"{self.volume(name)}:/v:ro"
            found[name] = docker("run", "--rm", "-v", mount, "--entrypoint", "sh", POSTGRES, "-c", _DIGEST).out
        return found

    def remove(self):
        ids = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}").out.split()
        if ids:
            docker("rm", "-f", "-v", *ids, check=False)
        names = docker("volume", "ls", "-q", "--filter", f"name={self.project}_").out.split()
        if names:
            docker("volume", "rm", "-f", *names, check=False)
        docker("network", "rm", f"{self.project}_default", check=False)
