"""A throwaway stack on the real engine, and the operator's commands as processes of their own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.lock import lock_path
from chatwoot_ops.operations.rehearse import SANDBOX

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SANDBOX_IMAGES = {"CHATWOOT_IMAGE": SANDBOX.newer, **SANDBOX.others}
COMPOSE_FOLDER = Path("infra", "docker", "chatwoot")
SERVICES = ("chatwoot-db", "chatwoot-rails", "chatwoot-redis", "chatwoot-sidekiq")
ADMIN_EMAIL, ADMIN_PASSWORD = "ada@kgc.example", "Aa1!aaaa-made-up"
COLD = {"CHATWOOT_FAKE_BOOT_SECONDS": "0", "CHATWOOT_FAKE_CRON_SECONDS": "2"}
# Tests that a shell runs in the background ignore SIGINT, and so would all that they start.
HEEDING_CTRL_C = ("env", "--default-signal=INT")
_PROJECT_FILTER = "label=com.docker.compose.project="


@dataclass(frozen=True)
class Done:
    """A process that ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def said(self):
        return self.out + self.err


def run(*argv, env=None, cwd=None, timeout=300, stdin=None, check=False):
    """Runs a process to its end; `env` is laid over the environment of the tests."""
    began = time.monotonic()
    ended = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}),
    )
    done = Done(ended.returncode, ended.stdout, ended.stderr, time.monotonic() - began)
    assert not check or done.code == 0, f"{argv} exited with {done.code}:\n{done.said}"
    return done


def docker(*argv, check=True, timeout=120, stdin=None):
    return run("docker", *argv, check=check, timeout=timeout, stdin=stdin)


def say(text):
    """A measurement, for whoever runs pytest with -s."""
    print(text)  # noqa: T201 - seen only where it is asked for


def wait_for(condition, what, seconds=120):
    """Asks until the condition holds and returns the seconds that took; fails once they are over."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: did not happen within {seconds} s"
        time.sleep(0.1)
    return time.monotonic() - began


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def invoke(*argv, env, checkout=REPOSITORY, timeout=420, stdin=None):
    """One of the operator's tasks, as a process of its own."""
    return run(str(BIN / "invoke"), *argv, env=env, cwd=checkout, timeout=timeout, stdin=stdin)


def copy_checkout(target):
    """A second checkout: the tasks and the stack's folder, as git would give them."""
    ignored = shutil.ignore_patterns(".env", ".env.new", "admin-password", "state")
    shutil.copytree(REPOSITORY / COMPOSE_FOLDER, target / COMPOSE_FOLDER, ignore=ignored)
    shutil.copy(REPOSITORY / "tasks.py", target)
    return target


def quick_checkout(target):
    """A checkout whose health checks ask every second: for tests that are not about health."""
    file = copy_checkout(target) / COMPOSE_FOLDER / "docker-compose.yml"
    file.write_text(re.sub(r"interval: \d+s", "interval: 1s", file.read_text()))
    return target


def throwaway_values(project):
    """Names, ports and images that no other stack has."""
    port = free_port()
    return {
        **SANDBOX_IMAGES,
        **COLD,
        "COMPOSE_PROJECT_NAME": project,
        "CHATWOOT_PORT": str(port),
        "POSTGRES_HOST_PORT": str(free_port()),
        "REDIS_HOST_PORT": str(free_port()),
        "FRONTEND_URL": f"http://127.0.0.1:{port}",
        "CHATWOOT_NETWORK": f"{project}-shared",
        "CHATWOOT_DB_VOLUME": f"{project}-db",
        "CHATWOOT_REDIS_VOLUME": f"{project}-redis",
        "CHATWOOT_STORAGE_VOLUME": f"{project}-storage",
        "CHATWOOT_WAL_VOLUME": f"{project}-wal",
        "CHATWOOT_ADMIN_EMAIL": ADMIN_EMAIL,
        "CHATWOOT_ADMIN_PASSWORD": ADMIN_PASSWORD,
    }


def new_project(kind):
    return f"stacktest-{kind}-{uuid.uuid4().hex[:8]}"


@dataclass
class Stack:
    """A throwaway stack: where its settings lie, which checkout its tasks come from."""

    env_file: Path
    checkout: Path
    project: str
    extra: list = field(default_factory=list)

    @classmethod
    def make(cls, folder, checkout=REPOSITORY, project="", **values):
        """Writes a new `.env` of throwaway names; starts nothing."""
        project = project or new_project("s")
        folder.mkdir(parents=True, exist_ok=True)
        example = (checkout / COMPOSE_FOLDER / ".env.example").read_text()
        write_env_file(folder / ".env", with_values(example, {**throwaway_values(project), **values}))
        return cls(folder / ".env", checkout, project)

    @property
    def environment(self):
        return {"CHATWOOT_ENV_FILE": str(self.env_file), "COLUMNS": "200"}

    @property
    def state(self):
        return self.env_file.parent / "state"

    @property
    def settings(self):
        return read_env_file(self.env_file).values

    @property
    def url(self):
        return self.settings["FRONTEND_URL"]

    @property
    def secrets(self):
        keys = re.compile(r"PASSWORD|SECRET|ENCRYPTION")
        return {key: value for key, value in self.settings.items() if keys.search(key) and len(value) > 8}

    def set(self, **values):
        write_env_file(self.env_file, with_values(self.env_file.read_text(), values))

    def invoke(self, *argv, code=0, **how):
        """Runs a task and checks its exit code; None checks nothing."""
        done = invoke(*argv, env=self.environment, checkout=self.checkout, **how)
        assert code is None or done.code == code, f"{argv} exited with {done.code}, not {code}:\n{done.said}"
        return done

    def set_up(self, *argv):
        return self.invoke("setup", "--quick", *argv)

    @contextmanager
    def in_background(self, *argv):
        """A task that goes on while the block runs, in a process group of its own; killed at the end."""
        with subprocess.Popen(
            (*HEEDING_CTRL_C, str(BIN / "invoke"), *argv),
            cwd=self.checkout,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as task:
            try:
                yield task
            finally:
                if task.poll() is None:
                    os.killpg(task.pid, signal.SIGKILL)

    def compose(self, *argv, check=True):
        """Plain Compose on this stack, as somebody without the tasks would type it."""
        file = self.checkout / COMPOSE_FOLDER / "docker-compose.yml"
        base = (str(BIN / "docker-compose"), "-p", self.project, "--env-file", str(self.env_file), "-f", str(file))
        return run(*base, *argv, env=self.environment, check=check)

    def container(self, service):
        return f"{self.project}-{service}-1"

    def described(self, service):
        return json.loads(docker("inspect", self.container(service)).out)[0]

    def health(self, service):
        return self.described(service)["State"]["Health"]["Status"]

    def wait_healthy(self, service, seconds=120):
        return wait_for(lambda: self.health(service) == "healthy", f"{service} healthy", seconds)

    def containers(self):
        """The ids of all containers of the project, running or not, one-off ones too."""
        return sorted(docker("ps", "-aq", "--no-trunc", "--filter", _PROJECT_FILTER + self.project).out.split())

    def one_offs(self):
        label = "label=com.docker.compose.oneoff=True"
        return docker("ps", "-q", "--filter", label, "--filter", _PROJECT_FILTER + self.project).out.split()

    def volumes(self):
        return sorted(docker("volume", "ls", "-q", "--filter", f"name={self.project}").out.split())

    def sql(self, statement):
        inside = ("psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "chatwoot_production")
        return docker("exec", self.container("chatwoot-db"), *inside, "-c", statement).out.strip()

    def write_row(self, text):
        self.sql(f"CREATE TABLE IF NOT EXISTS kept (text text); INSERT INTO kept VALUES ('{text}')")  # noqa: S608 - our own words

    def rows(self):
        return self.sql("SELECT text FROM kept ORDER BY text").split("\n")

    def sign_in(self):
        form = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
        return requests.post(f"{self.url}/auth/sign_in", json=form, timeout=20).status_code

    def journal(self):
        try:
            return (self.state / "journal.jsonl").read_text()
        except FileNotFoundError:
            return ""

    def last_step(self):
        lines = self.journal().splitlines()
        return json.loads(lines[-1]).get("step", "") if lines else ""

    def remove(self):
        """Takes away everything of this project, however far it came."""
        if ids := self.containers():
            docker("rm", "-f", "-v", *ids, check=False)
        if names := self.volumes():
            docker("volume", "rm", "-f", *names, check=False)
        for network in (f"{self.project}_stack", f"{self.project}-shared"):
            docker("network", "rm", network, check=False)
        lock_path(self.project).unlink(missing_ok=True)
        for undo in self.extra:
            undo()
