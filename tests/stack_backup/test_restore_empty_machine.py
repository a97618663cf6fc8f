"""Everything of a stack is gone but the backup set and the private key, which lie on another disk."""

import shutil

import pytest

from chatwoot_ops.adapters.age import make_pair
from stack.tools import docker
from stack_backup.support import Client, key_pair, lost, nobody_writing, rows, structure


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def machine(stack_factory, quick, elsewhere):
    """A stack with data, whose set and key are kept elsewhere, and of which then nothing is left."""
    stack = stack_factory(checkout=quick)
    public, stack.identity = key_pair(elsewhere)
    stack.set(BACKUP_RECIPIENTS=public, BACKUP_FOLDER=str(elsewhere / "sets"))
    stack.set_up()
    client = Client.of(stack)
    stack.in_set = [client.write(f"kept {number}") for number in range(3)]
    client.attach("kept.bin", b"kept" * 1000)
    with nobody_writing(stack):
        stack.before = rows(stack), structure(stack)
        stack.invoke("backup")
    (stack.kept,) = (elsewhere / "sets").iterdir()
    stack.known = stack.settings
    forget(stack)
    return stack


def forget(stack):
    stack.remove()
    shutil.rmtree(stack.state, ignore_errors=True)
    stack.env_file.unlink(missing_ok=True)


def nothing_was_made(stack):
    assert not stack.env_file.exists()
    assert not stack.state.exists()
    assert (stack.containers(), stack.volumes()) == ([], [])
    assert docker("network", "ls", "-q", "--filter", f"name={stack.project}").out == ""


def test_the_wrong_private_key_is_refused_and_nothing_is_made(machine, tmp_path):
    (tmp_path / "wrong.txt").write_text(make_pair()[1] + "\n")
    wrong = ("restore", "--set", str(machine.kept), "--identity", str(tmp_path / "wrong.txt"), "--yes")
    assert "does not open the set" in machine.invoke(*wrong, code=13).err
    nothing_was_made(machine)


def test_a_file_that_is_no_key_is_refused_and_nothing_is_made(machine, tmp_path):
    (tmp_path / "no-key.txt").write_text("not a key\n")
    wrong = ("restore", "--set", str(machine.kept), "--identity", str(tmp_path / "no-key.txt"), "--yes")
    machine.invoke(*wrong, code=13)
    nothing_was_made(machine)


def test_without_any_private_key_it_is_said_what_is_missing(machine):
    answer = machine.invoke("restore", "--set", str(machine.kept), "--yes", code=10)
    assert ".env" in answer.err
    nothing_was_made(machine)


def test_the_set_and_the_private_key_alone_bring_everything_back(machine):
    machine.invoke("restore", "--set", str(machine.kept), "--identity", str(machine.identity), "--yes")
    assert machine.settings == machine.known
    assert machine.env_file.stat().st_mode & 0o777 == 0o600
    with nobody_writing(machine):
        now, built = rows(machine), structure(machine)
    then, structure_then = machine.before
    assert {name: lines for name, lines in now.items() if then.get(name) != lines} == {}
    assert now.keys() == then.keys()
    assert built == structure_then
    assert lost(machine, machine.in_set) == []
    machine.invoke("up")
    machine.invoke("smoke", "--quick")
    assert machine.sign_in() == 200
