"""`dockerd`, one of the tests' own, killed in the middle of a task and started again: recover ends it; no row lost."""

import sys
from contextlib import contextmanager

import pytest

from fault_table import record
from stack.tools import SANDBOX_IMAGES, Stack, docker, new_project, run
from stack_backup.kills import leaves_nothing_half
from stack_backup.own_engine import own_engine
from stack_backup.support import FAKE, KILL_AT, Client, lost, sets

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]
OLD, NEW = f"{FAKE}:v4.14.2-ce", f"{FAKE}:v4.15.1-ce"
UPGRADE = ("upgrade", "--to", "v4.15.1-ce", "--yes")


@pytest.fixture(scope="module")
def engine(images, tmp_path_factory):
    wanted = sorted({OLD, NEW, *SANDBOX_IMAGES.values()})
    with (
        pytest.MonkeyPatch.context() as environment,
        own_engine(tmp_path_factory.mktemp("dockerd"), wanted, environment) as own,
    ):
        yield own


@pytest.fixture(scope="module")
def stack(engine, quick, tmp_path_factory):
    stack = Stack.make(tmp_path_factory.mktemp("own"), quick, new_project("dockerd"), CHATWOOT_IMAGE=OLD)
    stack.set_up()
    stack.client = Client.of(stack)
    stack.in_set = [stack.client.write(f"in the set {number}") for number in range(3)]
    stack.client.attach("stored.bin", b"stored" * 5000)
    stack.invoke("backup")
    yield stack
    stack.remove()


@contextmanager
def engine_killed(engine, stack, step, *task):
    """The task went on without an engine and ended by itself; the block runs before there is one again."""
    victim = {"KILL_VICTIM": str(engine.daemon.pid)}
    done = run(sys.executable, KILL_AT, step, *task, env=stack.environment | victim, cwd=stack.checkout)
    engine.ended()
    yield done
    engine.start()


def test_the_tasks_speak_to_the_engine_that_docker_host_names(engine, stack):
    assert docker("info", "--format", "{{.DockerRootDir}}").out.strip() == str(engine.folder / "data")
    assert stack.container("chatwoot-db") in docker("ps", "--format", "{{.Names}}").out


def test_during_a_backup_there_is_no_half_of_a_set_and_up_brings_the_stack_back(engine, stack):
    written = stack.client.write("before the engine was killed during a backup")
    before = sets(stack)
    with engine_killed(engine, stack, "dump-database", "backup") as done:
        assert done.code == 22, done.said
        assert (sets(stack), stack.journal()) == (before, "")
    ended_well(stack, written, "backup", "dump-database")
    stack.invoke("backup")
    stack.invoke("backup", "--verify")


@pytest.mark.parametrize(
    ("step", "way"), [("load", "undo"), ("load", "finish"), ("swap", "undo"), ("swap", "finish"), ("start", "undo")]
)
def test_during_a_restore(engine, stack, step, way):
    written = stack.client.write(f"before the engine was killed at {step} of a restore, {way}")
    with engine_killed(engine, stack, step, "restore", "--set", sets(stack)[0].name, "--yes") as done:
        assert done.code in {26, 30}, done.said
        assert "The Docker Engine does not answer" in done.err
        assert "invoke recover --undo" in done.err
        assert "Traceback" not in done.said
    stack.invoke("recover", f"--{way}")
    ended_well(stack, written, "restore", step, replaced=way == "finish")


@pytest.mark.parametrize(
    ("step", "way"), [("copy-cluster", "undo"), ("prepare", "undo"), ("start", "undo"), ("start", "finish")]
)
def test_during_an_upgrade(engine, stack, step, way):
    written = stack.client.write(f"before the engine was killed at {step} of an upgrade, {way}")
    with engine_killed(engine, stack, step, *UPGRADE) as done:
        assert done.code in {20, 21, 31}, done.said
        assert "The Docker Engine does not answer" in done.err
    stack.invoke("recover", f"--{way}")
    ended_well(stack, written, "upgrade", step)
    assert stack.settings["CHATWOOT_RELEASE"] == {"undo": "v4.14.2-ce", "finish": "v4.15.1-ce"}[way]


def ended_well(stack, written, task, step, *, replaced=False):
    """Proved, and nothing lost: of a restore that was finished the set's rows, else every one."""
    assert stack.journal() == ""
    # This engine takes containers that it finds running when it starts for stopped by hand (unless-stopped).
    stack.invoke("up")
    stack.invoke("smoke", "--quick")
    leaves_nothing_half(stack)
    missing = lost(stack, stack.in_set if replaced else [*stack.in_set, written])
    assert missing == []
    record("kills", "SIGKILL of dockerd", f"{task}, step `{step}`", rows_lost=len(missing))
