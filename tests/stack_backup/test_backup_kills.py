"""Backup, restore and upgrade killed at their steps: seen, refused, ended both ways, and no row is lost.

A sample runs by default; `nox -s faults` kills at every step and writes the kill table.
"""

import json
import os
import signal

import pytest

from fault_table import record
from kill_kinds import WAYS, kills_of
from stack.tools import docker, wait_for
from stack_backup.kills import Kill, Killed, end, kill_and_end, leaves_nothing_half, matrix, note, state_of
from stack_backup.support import answers, cluster, kill_at, lost, sets

TARGET = ("upgrade", "--to", "v4.15.1-ce", "--yes")


@pytest.mark.parametrize(("step", "way"), matrix("backup"))
def test_a_backup_that_was_killed(standing, step, way):
    before = sets(standing)
    kill_and_end(standing, Kill("backup", step, way, ("backup",)))
    assert len(sets(standing)) == len(before) + (way == "finish")
    standing.invoke("backup", "--verify")


@pytest.mark.parametrize(("step", "way"), matrix("restore"))
def test_a_restore_that_was_killed(standing, step, way):
    kill_and_end(standing, Kill("restore", step, way, ("restore", "--set", sets(standing)[0].name, "--yes")))


@pytest.mark.parametrize(("step", "way"), matrix("upgrade"))
def test_an_upgrade_that_was_killed(old_standing, step, way):
    kill_and_end(old_standing, Kill("upgrade", step, way, TARGET))
    after = {"finish": "v4.15.1-ce", "undo": "v4.14.2-ce"}[way]
    assert old_standing.settings["CHATWOOT_RELEASE"] == after
    if way == "finish":
        old_standing.invoke("rollback", "--yes")
        assert lost(old_standing, old_standing.in_set) == []


@pytest.mark.parametrize(("step", "way"), matrix("rollback"))
def test_a_rollback_that_was_killed_goes_back_either_way(old_standing, step, way):
    written = old_standing.client.write(f"before the upgrade whose rollback is ended by {way}")
    old_standing.invoke(*TARGET)
    end(old_standing, Kill("rollback", step, way, ("rollback", "--yes")), written)
    assert old_standing.settings["CHATWOOT_RELEASE"] == "v4.14.2-ce"


@pytest.mark.parametrize(("step", "way"), matrix("restore --migrate"))
def test_a_restore_of_an_older_release_that_was_killed_while_it_migrated(old_standing, step, way):
    older = sets(old_standing)[0].name
    old_standing.invoke(*TARGET)
    task = ("restore", "--set", older, "--migrate", "--yes")
    try:
        kill_and_end(old_standing, Kill("restore --migrate", step, way, task))
        assert old_standing.settings["CHATWOOT_RELEASE"] == "v4.15.1-ce"
    finally:
        # The next test wants the older release.
        old_standing.remove()


@pytest.mark.parametrize(("step", "way"), matrix("restore with keys"))
def test_a_restore_that_was_killed_as_it_put_the_keys_of_the_data_into_the_settings(standing, step, way):
    known = standing.settings["SECRET_KEY_BASE"]
    standing.set(SECRET_KEY_BASE="another" * 10)
    task = ("restore", "--set", sets(standing)[0].name, "--identity", str(standing.identity), "--yes")
    try:
        kill_and_end(standing, Kill("restore with keys", step, way, task))
        assert (standing.settings["SECRET_KEY_BASE"] == known) == (way == "finish")
    finally:
        standing.set(SECRET_KEY_BASE=known)
        standing.invoke("up")


@pytest.mark.parametrize(("step", "way"), matrix("restore on an empty machine"))
def test_a_restore_that_was_killed_as_it_made_network_and_volumes(standing, step, way):
    written = standing.client.write(f"in no set, before all was lost, {way}")
    task = ("restore", "--set", sets(standing)[0].name, "--yes")
    standing.remove()
    kill_at(standing, step, *task)
    state = state_of(standing)
    ended = standing.invoke("recover", f"--{way}")
    served = "nothing, as before" if way == "undo" else f"{standing.settings['CHATWOOT_RELEASE']}, data of the set"
    assert (standing.journal(), answers(standing)) == ("", 0 if way == "undo" else 200)
    if way == "undo":
        standing.invoke(*task)
    standing.invoke("smoke", "--quick")
    missing = lost(standing, [*standing.in_set, written])
    assert missing == [written]
    command, seconds = f"invoke recover --{way}", round(ended.seconds, 1)
    note(Killed("restore on an empty machine", step, state, command, ended.code, len(missing) - 1, served, seconds))


@pytest.mark.parametrize(("step", "way"), matrix("up"))
def test_an_up_that_was_killed(standing, step, way):
    written = standing.client.write(f"before the stack was stopped, {step} {way}")
    standing.compose("stop", "-t", "5")
    end(standing, Kill("up", step, way, ("up",)), written)


@pytest.mark.parametrize(("kind", "task"), [("down", ("down",)), ("migrate", ("migrate",))])
@pytest.mark.matrix
def test_other_tasks_that_were_killed(standing, kind, task):
    for step, way in kills_of(kind):
        kill_and_end(standing, Kill(kind, step, way, task))


@pytest.mark.matrix
def test_tasks_that_change_one_file_and_were_killed(standing, tmp_path):
    for number, way in enumerate(WAYS):
        name = sets(standing)[0].name
        kill_and_end(standing, Kill("keep", "mark", way, ("keep", "--set", name)))
        assert (sets(standing)[0] / "kept.json").exists() == (way == "finish")
        standing.invoke("keep", "--set", name, "--off")
        known = standing.settings["BACKUP_RECIPIENTS"]
        task = ("backup.keys", "--to", str(tmp_path / f"key-{number}"), "--add")
        kill_and_end(standing, Kill("backup.keys", "add-recipient", way, task))
        assert (standing.settings["BACKUP_RECIPIENTS"] != known) == (way == "finish")
        standing.set(BACKUP_RECIPIENTS=known)


UNDONE = {
    "undo of a backup": ("seal", ("backup",)),
    "undo of a restore": ("start", ("restore", "--yes")),
    "undo of an up": ("start", ("up",)),
}


@pytest.mark.parametrize("kind", UNDONE)
@pytest.mark.matrix
def test_an_undo_that_was_killed_too(standing, kind):
    """Either way it is undone: that it was to be undone is in the journal."""
    begun, task = UNDONE[kind]
    for step, way in kills_of(kind):
        written = standing.client.write(f"before {kind} was killed at {step} {way}")
        kill_at(standing, begun, *task)
        end(standing, Kill(kind, step, way, ("recover", "--undo")), written)


@pytest.mark.parametrize(("step", "way"), matrix("undo of an upgrade"))
def test_an_undo_of_an_upgrade_that_was_killed_too(old_standing, step, way):
    written = old_standing.client.write(f"before the undo of an upgrade was killed, {way}")
    kill_at(old_standing, "prepare", *TARGET)
    end(old_standing, Kill("undo of an upgrade", step, way, ("recover", "--undo")), written)
    assert old_standing.settings["CHATWOOT_RELEASE"] == "v4.14.2-ce"


def killed_in_the_middle(stack, kind, task, container, code):
    """The container that the task works with is killed while it works."""
    written = stack.client.write(f"before the container of a {kind} was killed")
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
    note(Killed(kind, "its container", *seen))


KINDS = [("", "logical"), pytest.param("physical ", "physical", marks=pytest.mark.matrix)]


def set_of(stack, kind):
    """The first set of a kind, made where there is none yet."""
    if not [path for path in sets(stack) if path.name.endswith(kind)]:
        stack.invoke("backup", "--kind", kind)
    return next(path.name for path in sets(stack) if path.name.endswith(kind))


@pytest.mark.parametrize(("prefix", "kind"), KINDS)
def test_the_one_off_container_of_a_restore_is_killed(standing, prefix, kind):
    def one_off():
        name = f"name={standing.project}-restore-"
        return "".join(docker("ps", "-q", "--filter", name).out.split()[:1])

    task = ("restore", "--set", set_of(standing, kind), "--yes")
    killed_in_the_middle(standing, f"{prefix}restore", task, one_off, {26})
    record("kills", "SIGKILL of the one-off database container", f"restore, {kind}", rows_lost=0)


@pytest.mark.matrix
@pytest.mark.parametrize(("prefix", "kind"), KINDS)
def test_the_database_that_serves_is_killed_during_a_restore_and_is_replaced_all_the_same(standing, prefix, kind):
    task = ("restore", "--set", set_of(standing, kind), "--yes")
    written = standing.client.write(f"before the database was killed during a {kind} restore")
    with standing.in_background(*task) as running:
        wait_for(lambda: standing.journal() and standing.last_step() in {"load", "prove"}, "it loads")
        docker("kill", standing.container("chatwoot-db"))
        state = state_of(standing)
        out, _ = running.communicate(timeout=300)
    assert running.returncode == 0, out
    standing.invoke("smoke", "--quick")
    leaves_nothing_half(standing)
    assert lost(standing, [*standing.in_set, written]) == [written]
    served = f"{standing.settings['CHATWOOT_RELEASE']}, data of the set"
    note(Killed(f"{prefix}restore", "the database", state, "nothing had to", 0, 0, served, 0.0))
    record("kills", "SIGKILL of the database container", f"restore, {kind}", rows_lost=0)


@pytest.mark.parametrize(("prefix", "kind"), KINDS)
def test_the_database_is_killed_during_a_backup(standing, prefix, kind):
    def dumping():
        busy = standing.journal() and standing.last_step() in {"dump-database", "base-backup"}
        return standing.container("chatwoot-db") if busy else ""

    before = sets(standing)
    killed_in_the_middle(standing, f"{prefix}backup", ("backup", "--kind", kind), dumping, {0, 22})
    assert all(not path.name.endswith(".partial") for path in sets(standing))
    assert sets(standing)[: len(before)] == before
    record("kills", "SIGKILL of the database container", f"backup, {kind}", rows_lost=0)


@pytest.mark.matrix
def test_the_one_off_container_of_an_upgrade_is_killed(old_standing):
    old_standing.set(CHATWOOT_FAKE_BOOT_SECONDS="5")
    try:
        killed_in_the_middle(old_standing, "upgrade", TARGET, lambda: "".join(old_standing.one_offs()[:1]), {23})
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
