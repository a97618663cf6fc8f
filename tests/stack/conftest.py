"""Throwaway stacks. The images are built beforehand (`nox -s stack` does it); nothing here builds one."""

import pytest

from stack.tools import SANDBOX_IMAGES, Stack, docker, new_project, quick_checkout

NEEDED = "These tests need a Docker Engine; type scripts/install-docker"


@pytest.fixture(scope="session", autouse=True)
def engine():
    """A run without an engine fails: a stack test that was skipped proves nothing."""
    try:
        answer = docker("version", "--format", "{{.Server.Version}}", check=False)
    except FileNotFoundError:
        pytest.fail(f"{NEEDED}. There is no docker program", pytrace=False)
    if answer.code != 0:
        pytest.fail(f"{NEEDED}. None answers: {answer.err}", pytrace=False)


@pytest.fixture(scope="session")
def images():
    missing = [name for name in SANDBOX_IMAGES.values() if docker("image", "inspect", name, check=False).code]
    if missing:
        pytest.fail(f"{', '.join(missing)}: not here. Type infra/docker/sandbox/build, or nox -s stack", pytrace=False)


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """A checkout with quick health checks."""
    return quick_checkout(tmp_path_factory.mktemp("quick"))


@pytest.fixture(scope="module")
def stack_factory(tmp_path_factory, request):
    """Makes throwaway stacks, of which nothing is left when the module is over."""
    request.getfixturevalue("images")
    made = []
    kind = request.module.__name__.rpartition("test_")[2].replace("_", "-")[:12]

    def make(**how):
        project = how.pop("project", "") or new_project(kind)
        made.append(Stack.make(tmp_path_factory.mktemp("stack"), project=project, **how))
        return made[-1]

    yield make
    for stack in made:
        stack.remove()
