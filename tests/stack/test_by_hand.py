"""The quick start of the stack's page, run by plain Docker Compose; set-up then takes that stack over."""

import os
import stat

import pytest
import requests

from stack.blocks import commands_of
from stack.tools import BIN, COMPOSE_FOLDER, REPOSITORY, Stack, copy_checkout, new_project, run, throwaway_values

PAGE = REPOSITORY / COMPOSE_FOLDER / "README.md"
NAMES = ("COMPOSE_PROJECT_NAME", "_IMAGE", "_PORT", "_NETWORK", "_VOLUME", "FRONTEND_URL", "_FAKE_")


@pytest.fixture(scope="module")
def plain_docker(tmp_path_factory):
    """A Docker client that finds the locked Compose as `docker compose`, as a user's own would be found."""
    plugins = tmp_path_factory.mktemp("docker") / "cli-plugins"
    plugins.mkdir()
    (plugins / "docker-compose").symlink_to(BIN / "docker-compose")
    return str(plugins.parent)


@pytest.fixture(scope="module")
def values():
    """What a user would write into `.env`; exported variables win over the file in Compose."""
    return {k: v for k, v in throwaway_values(new_project("hand")).items() if any(name in k for name in NAMES)}


@pytest.fixture(scope="module")
def stack(values, plain_docker, tmp_path_factory, request):
    """A copy of the checkout in which the blocks of the section were run."""
    request.getfixturevalue("images")
    checkout = copy_checkout(tmp_path_factory.mktemp("by hand"))
    stack = Stack(checkout / COMPOSE_FOLDER / ".env", checkout, values["COMPOSE_PROJECT_NAME"])
    fill_in(checkout / COMPOSE_FOLDER / ".env.example", values)
    environment = {"DOCKER_CONFIG": plain_docker, "CHATWOOT_URL": values["FRONTEND_URL"], "PATH": os.environ["PATH"]}
    environment["CHATWOOT_NETWORK"] = values["CHATWOOT_NETWORK"]
    said = run("sh", "-eu", "-c", commands_of(PAGE, "Quick start"), env=environment, cwd=checkout)
    yield stack, said
    stack.remove()


def fill_in(example, values):
    """Throwaway names in place of the defaults, so that the stack of this machine's user is not the one that starts."""
    lines = [
        next((f"{k}={v}" for k, v in values.items() if line.startswith(f"{k}=")), line)
        for line in example.read_text().splitlines()
    ]
    described = "\n# How quick the fake is.\n# type: text; secret: no; change: restart; needed: no\n"
    lines += [f"{described}{key}={value}" for key, value in values.items() if "_FAKE_" in key]
    example.write_text("\n".join(lines) + "\n")


def test_the_quick_start_ends_with_a_stack_that_serves_and_is_closed(stack):
    stack, said = stack
    assert said.code == 0, said.said
    assert "The first-run page is closed." in said.out
    assert requests.get(f"{stack.url}/app/login", timeout=20).status_code == 200
    assert stat.S_IMODE(stack.env_file.stat().st_mode) == 0o600
    password = (stack.env_file.parent / "admin-password").read_text()
    form = {"email": "ada@kgc.example", "password": password}
    assert requests.post(f"{stack.url}/auth/sign_in", json=form, timeout=20).status_code == 200


def test_the_smoke_check_passes_on_it(stack):
    stack[0].invoke("smoke", "--quick")


def test_setup_takes_it_over_without_losing_a_row(stack):
    stack, _ = stack
    stack.write_row("written by hand")
    secrets, volumes = stack.secrets, stack.volumes()
    answer = stack.set_up()
    assert "Administrator:" not in answer.out
    assert stack.rows() == ["written by hand"]
    assert stack.secrets == secrets
    assert stack.volumes() == volumes
    assert stack.sql("SELECT id FROM chatwoot_ops.instance") == stack.settings["CHATWOOT_INSTANCE_ID"]
    assert "nothing: everything was there already" in stack.set_up().out
