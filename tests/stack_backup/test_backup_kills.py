"""Backup, restore and upgrade killed at their steps: seen, refused, ended both ways, and no row is lost.

A sample runs by default; `nox -s faults` kills at every step and writes the kill table.
"""

import json
import os
import signal

import pytest

from stack.tools import docker, wait_for
from stack_backup.kills import (
    BACKUP,
    RESTORE,
    UPGRADE,
    Killed,
    kill_and_end,
    leaves_nothing_half,
    matrix,
    note,
    state_of,
)
from stack_backup.support import cluster, kill_at, lost, sets

BACKUP_SAMPLE = {("dump-database", "undo")}
RESTORE_SAMPLE = {("load", "undo"), ("stop", "undo"), ("swap", "undo"), ("start", "finish")}
UPGRADE_SAMPLE = {("copy-cluster", "undo"), ("prepare", "undo"), ("start", "finish")}
TARGET = ("upgrade", "--to", "v4.15.1-ce", "--yes")


@pytest.mark.parametrize(("step", "way"), matrix(BACKUP, BACKUP_SAMPLE))
def test_a_backup_that_was_killed(standing, step, way):
    before = sets(standing)
    kill_and_end(standing, ("backup",), step, way)
    assert len(sets(standing)) == len(before) + (way == "finish")
    standing.invoke("backup", "--verify")


@pytest.mark.parametrize(("step", "way"), matrix(RESTORE, RESTORE_SAMPLE))
def test_a_restore_that_was_killed(standing, step, way):
    kill_and_end(standing, ("restore", "--set", sets(standing)[0].name, "--yes"), step, way)


@pytest.mark.parametrize(("step", "way"), matrix(UPGRADE, UPGRADE_SAMPLE))
def test_an_upgrade_that_was_killed(old_standing, step, way):
    kill_and_end(old_standing, TARGET, step, way)
    after = {"finish": "v4.15.1-ce", "undo": "v4.14.2-ce"}[way]
    assert old_standing.settings["CHATWOOT_RELEASE"] == after
    if way == "finish":
        old_standing.invoke("rollback", "--yes")
        assert lost(old_standing, old_standing.in_set) == []


def killed_in_the_middle(stack, task, container, code):
    """The container that the task works with is killed while it works."""
    written = stack.client.write(f"before the container of {task[0]} was killed")
    before = cluster(stack)
    with stack.in_background(*task) as running:
        wait_for(lambda: docker("inspect", container(), check=False).code == 0 if container() else False, "it works")
        victim = container()
        docker("kill", victim)
        out, _ = running.communicate(timeout=300)
    assert running.returncode in code, out
    assert stack.journal() == ""
    assert cluster(stack) == before
    state = state_of(stack)
    ended = stack.invoke("up")
    stack.invoke("smoke", "--quick")
    leaves_nothing_half(stack)
    missing = lost(stack, [*stack.in_set, written])
    assert missing == []
    command = "nothing had to" if state == "web answers 200" else "invoke up"
    serves = f"{stack.settings['CHATWOOT_RELEASE']}, data from before"
    seconds = round(ended.seconds, 1) if command == "invoke up" else 0.0
    seen = (state, command, running.returncode, len(missing), serves, seconds)
    note(Killed(task[0], "its container", *seen))


def test_the_one_off_container_of_a_restore_is_killed(standing):
    def one_off():
        name = f"name={standing.project}-restore-"
        return "".join(docker("ps", "-q", "--filter", name).out.split()[:1])

    killed_in_the_middle(standing, ("restore", "--yes"), one_off, {26})


def test_the_database_is_killed_during_a_backup(standing):
    def dumping():
        busy = standing.journal() and standing.last_step() == "dump-database"
        return standing.container("chatwoot-db") if busy else ""

    before = sets(standing)
    killed_in_the_middle(standing, ("backup",), dumping, {0, 22})
    assert all(not path.name.endswith(".partial") for path in sets(standing))
    assert sets(standing)[: len(before)] == before


@pytest.mark.matrix
def test_the_one_off_container_of_an_upgrade_is_killed(old_standing):
    old_standing.set(CHATWOOT_FAKE_BOOT_SECONDS="5")
    try:
        killed_in_the_middle(old_standing, TARGET, lambda: "".join(old_standing.one_offs()[:1]), {23})
    finally:
        old_standing.set(CHATWOOT_FAKE_BOOT_SECONDS="0")
    assert old_standing.settings["CHATWOOT_RELEASE"] == "v4.14.2-ce"


@pytest.mark.parametrize("step", ["load", pytest.param("start", marks=pytest.mark.matrix)])
def test_ctrl_c_during_a_restore_leaves_the_old_data_in_service(standing, step):
    written = standing.client.write(f"before Ctrl-C at {step}")
    before = cluster(standing)
    with standing.in_background("restore", "--yes") as task:
        wait_for(lambda: standing.journal() and standing.last_step() == step, f"{step} begins")
        os.killpg(task.pid, signal.SIGINT)
        out, _ = task.communicate(timeout=120)
    assert task.returncode == 130, out
    assert standing.journal() == ""
    assert cluster(standing) == before
    standing.invoke("smoke", "--quick")
    leaves_nothing_half(standing)
    assert lost(standing, [*standing.in_set, written]) == []


def test_a_kill_is_reported_by_tasks_that_only_read(standing):
    kill_at(standing, "copy-storage", "backup")
    assert "at step 'copy-storage'" in json.loads(standing.invoke("status", "--json").out)["result"]["cut_off"]
    assert "cut off at step 'copy-storage'" in standing.invoke("recover").out
    standing.invoke("recover", "--undo")
    assert json.loads(standing.invoke("status", "--json").out)["result"]["cut_off"] == ""
