"""Recovering backup, restore, upgrade and rollback: cut off at any step, the old data serves or one command away."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

import json
from dataclasses import asdict

import pytest

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.errors import ReleaseRefusedError, StackLockedError
from chatwoot_ops.model.journal import Opening, Step
from chatwoot_ops.model.upgrade import WAY_BACK, WayBack, to_json
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.restore_settings import BEFORE_RESTORE, BEFORE_UPGRADE, save_settings
from keeping import COUNTS
from sets import sealed
from world import INSTALLED

FIRST, SECOND = "clusters/first", "clusters/second"
BACK = WayBack("v4.14.2-ce", "v4.15.1-ce", FIRST, COUNTS)
STAGE = Step("stage", "t", {"cluster": "second", "operation": "abc"})
STOP = Step("stop", "t", {"previous": FIRST, "target": SECOND})
UPGRADE_STOP = Step("stop", "t", {"previous": FIRST, "cluster": "second", "way_back": asdict(BACK)})
PIN, START = Step("pin", "t"), Step("start", "t")
WAYS = pytest.mark.parametrize("how", [{"finish": True}, {"undo": True}], ids=["finish", "undo"])


@pytest.fixture
def values():
    return INSTALLED


def cut_off(store, operation, *steps, **options):
    store.open(Opening(operation, "abc", "ada", 7, "t0", options), steps)


def new_values(place, **values):
    write_env_file(place.env_file, with_values(read_env_file(place.env_file).text, values))


def values_of(place):
    return read_env_file(place.env_file).values


@WAYS
@pytest.mark.parametrize("operation", ["backup", "undo-backup"])
def test_of_a_backup_that_was_cut_off_no_half_of_a_set_stays(place, stack, well, store, volume, operation, how):
    stack.backup_folder.mkdir()
    (stack.backup_folder / "x.partial").mkdir()
    cut_off(store, operation, Step("dump-database", "t"))
    assert recover(place, well, **how).ended
    left = [each.name for each in stack.backup_folder.iterdir()]
    assert left == (["20261124T080000Z-logical"] if (operation, how) == ("backup", {"finish": True}) else [])
    assert store.read() is None
    assert volume.swaps == []


@WAYS
def test_a_restore_that_was_cut_off_before_the_swap_leaves_the_old_cluster(place, stack, well, store, volume, how):
    path = sealed(stack.backup_folder)
    cut_off(store, "restore", STAGE, source={"set": str(path)}, yes=True)
    assert recover(place, well, **how).ended
    assert well.processes.ran_with("docker rm --force chatwoot-restore-abc")
    assert well.processes.ran_with("rm -rf /volume/clusters/second /volume/clusters/second.partial")
    assert len(volume.swaps) == (1 if "finish" in how else 0)


@pytest.mark.parametrize("operation", ["restore", "undo-restore"])
def test_undoing_a_restore_after_the_swap_puts_cluster_keys_and_an_empty_queue_back(
    place, stack, well, store, volume, operation
):
    save_settings(stack, BEFORE_RESTORE)
    new_values(place, SECRET_KEY_BASE="of-the-set-0123456789")
    volume.current = SECOND
    cut_off(store, operation, STAGE, Step("keys", "t"), STOP, Step("swap", "t"))
    recover(place, well, undo=True)
    assert volume.swaps == [FIRST]
    assert well.processes.ran_with("redis-cli FLUSHALL")
    assert values_of(place)["SECRET_KEY_BASE"] == stack.settings["SECRET_KEY_BASE"]
    assert not (stack.state_folder / BEFORE_RESTORE).exists()


def test_undoing_a_restore_cut_off_in_the_base_backup_of_its_new_chain_leaves_no_half_of_a_set(
    place, stack, well, store, volume
):
    (stack.backup_folder / "x.partial").mkdir(parents=True)
    volume.current = SECOND
    cut_off(store, "restore", STAGE, STOP, Step("swap", "t"), Step("new-chain", "t"), Step("base-backup", "t"))
    assert recover(place, well, undo=True).ended
    assert volume.swaps == [FIRST]
    assert list(stack.backup_folder.iterdir()) == []


def test_undoing_a_restore_that_had_only_changed_the_keys_puts_them_back(place, stack, well, store, volume):
    save_settings(stack, BEFORE_RESTORE)
    new_values(place, SECRET_KEY_BASE="of-the-set-0123456789")
    cut_off(store, "restore", STAGE, Step("keys", "t"))
    recover(place, well, undo=True)
    assert values_of(place)["SECRET_KEY_BASE"] == stack.settings["SECRET_KEY_BASE"]
    assert volume.swaps == []


def test_undoing_a_restore_leaves_the_settings_alone_that_an_upgrade_keeps(place, stack, well, store, volume):
    save_settings(stack, BEFORE_UPGRADE)
    new_values(place, CHATWOOT_RELEASE="v4.15.2-ce")
    cut_off(store, "restore", STAGE)
    recover(place, well, undo=True)
    assert values_of(place)["CHATWOOT_RELEASE"] == "v4.15.2-ce"
    assert (stack.state_folder / BEFORE_UPGRADE).exists()
    assert volume.swaps == []


def test_an_undo_whose_cluster_serves_already_flushes_no_queue(place, well, store, volume):
    cut_off(store, "restore", STAGE, STOP)
    recover(place, well, undo=True)
    assert volume.swaps == []
    assert not well.processes.ran_with("FLUSHALL")


def test_an_upgrade_that_was_cut_off_before_it_stopped_anything_only_drops_its_half_set(place, well, store, volume):
    cut_off(store, "upgrade", Step("dump-database", "t"), to="v4.15.1-ce")
    assert recover(place, well, undo=True).ended
    assert volume.swaps == []
    assert not well.processes.ran_with("compose stop")


@pytest.mark.parametrize("steps", [(UPGRADE_STOP,), (UPGRADE_STOP, PIN), (UPGRADE_STOP, PIN, START)])
def test_undoing_an_upgrade_puts_cluster_and_release_back(place, stack, well, store, volume, steps):
    save_settings(stack, BEFORE_UPGRADE)
    new_values(place, CHATWOOT_RELEASE="v4.15.2-ce")
    (stack.state_folder / WAY_BACK).write_text(to_json(BACK))
    volume.current = SECOND
    cut_off(store, "upgrade", *steps)
    assert recover(place, well, undo=True).ended
    assert volume.swaps == [FIRST]
    assert values_of(place)["CHATWOOT_RELEASE"] == "v4.15.1-ce"
    # There is nothing to roll back any more.
    assert not (stack.state_folder / WAY_BACK).exists()
    assert not (stack.state_folder / BEFORE_UPGRADE).exists()


def test_undoing_an_upgrade_to_which_customers_wrote_is_refused(place, well, store, volume):
    well.processes.on("coalesce(max(id), 0)", json.dumps({**COUNTS, "messages": 12}))
    cut_off(store, "upgrade", UPGRADE_STOP, PIN, START)
    with pytest.raises(StackLockedError, match=r"wrote to the new release \(up to 3 messages\)") as caught:
        recover(place, well, undo=True)
    assert caught.value.code == 12
    assert volume.swaps == []
    assert store.read()


def test_the_database_is_started_before_it_is_asked_whether_somebody_wrote_to_the_new_release(
    place, well, store, volume
):
    cut_off(store, "upgrade", UPGRADE_STOP, PIN, START)
    assert recover(place, well, undo=True).ended
    lines = [f"{line}\n{each.stdin}" for line, each in zip(well.processes.lines, well.processes.ran, strict=True)]
    started = next(number for number, line in enumerate(lines) if line.startswith("compose up"))
    asked = next(number for number, line in enumerate(lines) if "coalesce(max(id), 0)" in line)
    assert started < asked


def test_an_undo_that_was_begun_is_ended_and_the_rows_are_not_asked_about_again(place, stack, well, store, volume):
    save_settings(stack, BEFORE_UPGRADE)
    well.processes.on("coalesce(max(id), 0)", code=2)
    volume.current = SECOND
    cut_off(store, "undo-upgrade", UPGRADE_STOP, PIN, START, Step("put-back", "t"))
    assert recover(place, well, finish=True).ended
    assert volume.swaps == [FIRST]


def test_finishing_an_upgrade_that_was_pinned_goes_forward_and_keeps_the_way_back(place, stack, well, store, volume):
    cut_off(store, "upgrade", UPGRADE_STOP, PIN)
    assert recover(place, well, finish=True).ended
    assert volume.swaps == []
    assert (stack.state_folder / WAY_BACK).read_text() == to_json(BACK)
    (line,) = [each for each in well.processes.lines if "find ./clusters" in each]
    assert "! -path './clusters/second' ! -path './clusters/first'" in line


def test_finishing_an_upgrade_that_was_being_undone_undoes_it(place, stack, well, store, volume):
    save_settings(stack, BEFORE_UPGRADE)
    volume.current = SECOND
    cut_off(store, "upgrade", UPGRADE_STOP, PIN, START, Step("put-back", "t"))
    assert recover(place, well, finish=True).ended
    assert volume.swaps == [FIRST]


def test_finishing_an_upgrade_that_had_not_pinned_begins_again(place, stack, well, store, volume):
    save_settings(stack, BEFORE_UPGRADE)
    volume.current = SECOND
    cut_off(store, "upgrade", UPGRADE_STOP, to="v4.15.1-ce")
    assert recover(place, well, finish=True).ended
    assert volume.swaps[0] == FIRST


@WAYS
def test_a_rollback_that_was_cut_off_is_rolled_back_to_the_end(place, stack, well, store, volume, how):
    save_settings(stack, BEFORE_UPGRADE)
    (stack.state_folder / WAY_BACK).write_text(to_json(BACK))
    volume.current = SECOND
    cut_off(store, "rollback")
    assert recover(place, well, **how).ended
    assert volume.swaps == [FIRST]
    assert not list(stack.state_folder.glob("*before-upgrade*"))


def test_a_rollback_that_lost_its_file_already_can_still_be_ended(place, well, store, volume):
    cut_off(store, "rollback", Step("put-back", "t", {"way_back": asdict(BACK)}))
    assert recover(place, well, finish=True).ended
    assert store.read() is None
    assert volume.swaps == []


def test_a_rollback_without_any_way_back_says_so(place, well, store):
    cut_off(store, "rollback")
    with pytest.raises(ReleaseRefusedError, match="no upgrade to roll back"):
        recover(place, well, finish=True)
