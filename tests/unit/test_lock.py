"""One changing operation per project, whichever checkout it comes from."""

import json
import subprocess
import sys

import pytest

from chatwoot_ops.adapters import lock
from chatwoot_ops.adapters.lock import hold_lock, is_held, lock_path
from chatwoot_ops.errors import StackLockedError

HOLD = (
    "import pathlib, sys; from chatwoot_ops.adapters import lock\n"
    "lock._FOLDERS = (pathlib.Path(sys.argv[1]),)\n"
    "with lock.hold_lock('p', operation='setup', user='grace', since='08:00'):\n"
    "    print('held', flush=True); sys.stdin.read()"
)


def holding(project="p"):
    return hold_lock(project, operation="up", user="ada", since="09:00")


@pytest.fixture
def other(tmp_path):
    """Another process, started in another folder, that holds the lock until told."""
    argv = (sys.executable, "-c", HOLD, lock._FOLDERS[0])
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_and_the_holder_is_named(other):
    with pytest.raises(StackLockedError) as caught, holding():
        pytest.fail("two hold the lock")
    assert caught.value.message == (
        f"Another operation holds the lock: setup by grace (process {other.pid}) since 08:00"
    )
    assert is_held("p")


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_the_kernel_frees_the_lock_of_a_process_that_is_gone(other, end):
    getattr(other, end)()
    other.wait()
    with holding():
        assert json.loads(lock_path("p").read_text())["user"] == "ada"


def test_another_project_is_not_locked(other):
    assert other.poll() is None
    with holding("q"):
        assert is_held("q")


def test_asking_does_not_take_the_lock():
    assert not is_held("p")
    with holding():
        pass
    assert not is_held("p")
    with holding():
        assert is_held("p")


def test_a_holder_that_has_not_written_its_name_is_still_a_holder():
    with holding():
        lock_path("p").write_text("")
        with pytest.raises(StackLockedError, match="its holder has not written its name yet"), holding():
            pytest.fail("two hold the lock")


def test_the_lock_is_freed_by_an_error():
    with pytest.raises(ZeroDivisionError), holding():
        raise ZeroDivisionError
    assert not is_held("p")


def test_members_of_the_docker_group_can_lock_too():
    with holding():
        assert lock_path("p").stat().st_mode & 0o777 == 0o666
