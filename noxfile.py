"""The developer's command line: what CI runs by default, and the long sessions whose results are committed as data."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import nox

# Found beside this Python, also where the environment was not activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

nox.needs_version = ">=2026.10.20"
# One environment, made by scripts/bootstrap from the hashed lock: a session that made its own could differ from it.
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "layers", "tests", "docs", "stack", "smoke"]
nox.options.stop_on_first_error = False

TESTS_FAILED = 1
LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
PYTHON = [
    *("scripts/chatwoot_ops", "tests", "tasks.py", "noxfile.py", "tools", "benchmarks"),
    "infra/docker/sandbox/chatwoot-fake/chatwoot_fake",
]


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.run("ruff", "check", *PYTHON, external=True)
    session.run("ruff", "format", "--check", *PYTHON, external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict, over the package, the tasks and this file."""
    session.run("mypy", external=True)


@nox.session
def layers(session: nox.Session) -> None:
    """The architecture's contracts; a broken one names file and line."""
    session.run("lint-imports", "--no-cache", external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Unit and integration tests: no engine."""
    session.run("pytest", "tests/unit", "tests/integration", "tests/faults", *session.posargs, external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation held to the code: tasks, settings, journal steps, exit codes, links, translations."""
    session.run("pytest", "tests/test_docs.py", "tests/test_docs_reference.py", *session.posargs, external=True)


@nox.session
def stack(session: nox.Session) -> None:
    """Stacks on a real engine, and the fake's contract with the recordings; builds the sandbox images first."""
    session.run("infra/docker/sandbox/build", external=True)
    # One instance answers all recorded exchanges in their order, and the keys that they leave are looked at afterwards.
    if not session.posargs:
        session.run("pytest", "tests/contract", external=True)
    # Files, not tests, are shared out: a file's tests share a stack.
    two = ("--cache-clear", "--numprocesses", "2", "--dist", "loadfile")
    places = session.posargs or ["tests/stack", "tests/stack_backup"]
    session.run("pytest", *two, *places, external=True, success_codes=[0, TESTS_FAILED])
    if LAST_FAILED.exists() and json.loads(LAST_FAILED.read_text(encoding="utf-8")):
        session.log(
            "What failed beside another stack is tried once more with the machine to itself; failing again counts."
        )
        session.run("pytest", "--last-failed", *places, external=True)


@nox.session
def smoke(session: nox.Session) -> None:
    """A throwaway stack: set up, proved by the smoke check, removed."""
    session.run("invoke", "rehearse", "--quick", *session.posargs, external=True)


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """The whole matrix of kills, faults and bad sets, over an hour; writes the tables of both, data and pages."""
    session.run("infra/docker/sandbox/build", external=True)
    servers = ("tests/integration/test_s3_server.py", "tests/integration/test_remote_faults.py")
    arguments = session.posargs or ["tests/stack_backup", "tests/faults", *servers]
    machine = f"{platform.system()}, {os.cpu_count()} cores, sandbox images"
    table = {"KILL_TABLE": machine, "FAULT_TABLE": machine}
    session.run("pytest", "-m", "matrix or not matrix", *arguments, external=True, env=table)
    session.run("python", "tools/kill_table.py", external=True)
    session.run("python", "tools/fault_table.py", external=True)


@nox.session(default=False)
def reference(session: nox.Session) -> None:
    """Writes what is made from other files: the settings tables and the page of benchmarks. The tests compare."""
    session.run("python", "tools/settings_table.py", external=True)
    session.run("python", "benchmarks/page.py", external=True)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The benchmarks, all or `-- NAME... --size SIZE --rounds N --add`; results are committed, and the page of them."""
    session.run("python", "benchmarks/run.py", *session.posargs, external=True)
