"""Recovering: every operation that can be cut off can be finished and undone."""

import json
import re

import pytest

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.adapters.lock import hold_lock
from chatwoot_ops.errors import OpsError, RefusedError, StackLockedError
from chatwoot_ops.model.journal import Opening, Step
from chatwoot_ops.operations import recover as module
from chatwoot_ops.operations.changing import KEPT, changing, store_of
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.recover import FINISH, UNDO, recover
from chatwoot_ops.operations.setup import SetUp
from world import INSTALLED, INSTANCE, ROOT, container, containers, database_answer, healthy_host, image, place_in

OPERATIONS = ROOT / "scripts/chatwoot_ops/operations"
# These need a backup set or an upgrade to speak of; the stack tests cut them off.
NEED_A_SET = {"backup", "keep", "restore", "rollback", "upgrade", "undo-backup", "undo-restore", "undo-upgrade"}
NEED_A_SET |= {"push", "push-wal", "pull", "prune-remote", "adopt", "leave"}
MADE = Step("volumes", "t", {"created": ["chatwoot-db-data"], "instance": INSTANCE})


@pytest.fixture
def values():
    return {**INSTALLED, "COMPOSE_PROJECT_NAME": "chatwoot"}


@pytest.fixture
def _nothing_thrown_away(well):
    for part in ("docker ps -a --format", "docker volume ls", "docker network ls"):
        well.processes.on(part, "")


def cut_off(store, operation, *steps, **options):
    store.open(Opening(operation, "abc", "ada", 7, "t0", options), steps)


def outcome(store):
    entry = json.loads(store.ledger.read_text().splitlines()[-1])
    return entry["operation"], entry["outcome"]


def test_every_operation_that_keeps_a_journal_can_be_finished_and_undone():
    text = "".join(path.read_text(encoding="utf-8") for path in OPERATIONS.rglob("*.py"))
    names = set(re.findall(r'\bchanging\([^"]*?, f?"([^"]+)"', text))
    assert {"setup", "secrets", "up", "down", "migrate", "undo-setup", "undo-up"} <= names
    closed = {f"undo-{name.removeprefix('undo-')}" for name, action in UNDO.items() if action.__name__ == "close"}
    assert names | closed == set(FINISH) == set(UNDO)


@pytest.mark.usefixtures("_nothing_thrown_away")
@pytest.mark.parametrize("how", [{"finish": True}, {"undo": True}, {}])
def test_nothing_cut_off_is_nothing_to_recover(place, well, how):
    result = recover(place, well, **how)
    assert (result.ended, result.text) == (False, "No operation was cut off; there is nothing to recover.")
    assert not well.processes.ran_with(" rm ")


@pytest.mark.usefixtures("_nothing_thrown_away")
def test_what_a_killed_drill_left_is_removed(place, well):
    well.processes.on("docker ps -a --format", "chatwoot\nchatwoot-drill-0a1b2c3d\n").on("docker network rm", "")
    well.processes.on("docker volume ls --quiet", "chatwoot-drill-0a1b2c3d-db-data").on("docker volume rm", "")
    well.processes.on("docker ps -aq", "")
    result = recover(place, well, undo=True)
    assert (result.ended, result.text.rpartition(" ")[2]) == (True, "chatwoot-drill-0a1b2c3d")
    assert well.processes.ran_with("docker volume rm --force chatwoot-drill-0a1b2c3d-db-data")


def test_without_a_flag_it_only_shows(place, well, store):
    cut_off(store, "setup", Step("network", "t"), Step("images", "t"))
    result = recover(place, well)
    assert (result.operation, result.step, result.ended) == ("setup", "images", False)
    assert "steps begun: network, images" in result.text
    assert well.processes.ran == []
    assert store.read()


def test_both_flags_are_refused(place, well, store):
    cut_off(store, "up")
    with pytest.raises(StackLockedError, match="Choose one of"):
        recover(place, well, finish=True, undo=True)


@pytest.mark.parametrize("how", [{"finish": True}, {"undo": True}, {}])
def test_an_operation_that_still_runs_is_left_alone(place, well, store, how):
    cut_off(store, "migrate")
    with (
        hold_lock("chatwoot", operation="migrate", user="ada", since="t"),
        pytest.raises(StackLockedError, match="runs"),
    ):
        recover(place, well, **how)
    assert well.processes.ran == []


def test_an_operation_of_a_newer_version_is_refused(place, well, store):
    cut_off(store, "teleport")
    with pytest.raises(StackLockedError, match="'teleport' is not known to this version"):
        recover(place, well, undo=True)
    assert well.processes.ran == []
    assert store.read()


@pytest.mark.usefixtures("_nothing_thrown_away")
@pytest.mark.parametrize("how", [{"finish": True}, {"undo": True}], ids=["finish", "undo"])
@pytest.mark.parametrize("operation", sorted(set(FINISH) - NEED_A_SET))
def test_each_operation_ends_and_its_journal_is_gone(place, well, store, operation, how):
    well.processes.on("db:chatwoot_prepare", "").on("docker volume rm", "").on("docker rm --force left", "")
    well.processes.on("--filter label=chatwoot-ops.operation", "left\n").on("sudo -n", "")
    cut_off(store, operation, MADE, quick=True)
    result = recover(place, well, **how)
    assert result.ended
    assert store.read() is None
    assert outcome(store)[1] == "done"
    assert well.processes.lines[1] == "docker rm --force left"


def test_finishing_set_up_goes_on_with_the_instance_that_was_noted(tmp_path, well):
    place = place_in(tmp_path)
    store = store_of(unchecked_stack(place, read_env_file(place.env_file)), well)
    cut_off(store, "setup", MADE, quick=True)
    recover(place, well, finish=True)
    assert read_env_file(place.env_file).values["CHATWOOT_INSTANCE_ID"] == INSTANCE


def test_undoing_set_up_removes_only_the_volumes_that_it_made(place, well, store):
    well.processes.on("docker volume rm", "").on("invalid_indexes", database_answer(users=0))
    cut_off(store, "setup", MADE)
    recover(place, well, undo=True)
    assert well.processes.lines[-1] == "docker volume rm --force chatwoot-db-data"
    assert read_env_file(place.env_file).values["CHATWOOT_INSTANCE_ID"] == ""


def test_undoing_set_up_that_made_no_volume_removes_none(place, well, store):
    cut_off(store, "setup", Step("network", "t"))
    recover(place, well, undo=True)
    assert not well.processes.ran_with("volume rm")
    assert read_env_file(place.env_file).values["CHATWOOT_INSTANCE_ID"] == INSTANCE


def test_set_up_that_people_may_use_already_is_not_undone(place, well, store):
    cut_off(store, "setup", MADE, Step("start", "t"))
    with pytest.raises(RefusedError, match="has users already") as caught:
        recover(place, well, undo=True)
    assert caught.value.code == 12
    assert not well.processes.ran_with("volume rm")
    assert store.read()


@pytest.mark.parametrize("step", ["forget-instance", "remove-volumes"])
def test_volumes_that_may_be_gone_cannot_be_put_back(place, well, store, step):
    cut_off(store, "down", Step("down", "t"), Step(step, "t"), volumes=True)
    with pytest.raises(StackLockedError, match="may be gone already"):
        recover(place, well, undo=True)
    assert store.read()


def test_a_finished_down_removes_the_volumes_that_were_given_up(place, well, store):
    well.processes.on("docker volume rm", "")
    cut_off(store, "down", Step("down", "t"), volumes=True)
    recover(place, well, finish=True)
    assert well.processes.lines[-1].startswith("docker volume rm --force chatwoot-db-data")
    assert well.reporter.questions == []


def test_a_recovery_of_up_that_fails_leaves_nothing_cut_off_since_up_can_be_run_again(place, store):
    host = healthy_host()
    host.processes.on("docker image inspect", image(env=["CW_EDITION=ee"]))
    containers(host, container("chatwoot-db"), container("chatwoot-redis"))
    cut_off(store, "up")
    with pytest.raises(Exception, match="Not healthy"):
        recover(place, host, finish=True)
    assert outcome(store) == ("up", "failed with 21")
    assert store.read() is None


@pytest.mark.parametrize("operation", sorted(KEPT))
def test_a_failed_recovery_whose_journal_alone_knows_the_way_back_can_be_tried_again(stack, well, store, operation):
    cut_off(store, operation, MADE)
    with pytest.raises(OpsError), changing(stack, well, operation, resume=store.read()):
        raise OpsError("again")
    assert store.read().facts(MADE.step) == MADE.facts


def test_an_undo_that_was_cut_off_after_its_guard_is_not_asked_again(place, well, store):
    well.processes.on("docker volume rm", "")
    cut_off(store, "undo-setup", MADE, Step("start", "t"), Step("down", "t"), Step("remove-volumes", "t"))
    assert recover(place, well, undo=True).ended
    assert not well.processes.ran_with("invalid_indexes")


def test_undoing_set_up_goes_on_where_the_web_ran_and_nobody_has_an_account(place, well, store):
    well.processes.on("docker volume rm", "").on("invalid_indexes", database_answer(users=0))
    cut_off(store, "setup", MADE, Step("start", "t"))
    assert recover(place, well, undo=True).ended


@pytest.mark.parametrize("password", ["Made-up-9", ""], ids=["made", "chosen"])
def test_a_password_that_was_made_while_finishing_is_shown_and_no_other(monkeypatch, place, well, store, password):
    cut_off(store, "setup")
    result = SetUp((), "http://x.example", "v4.15.1-ce", "ada@kgc.example", 7, password, ())
    monkeypatch.setattr(module, "set_up", lambda *_, **__: result)
    text = recover(place, well, finish=True).text
    assert text.startswith("'setup' was finished.")
    assert ("account 7" in text, text.endswith("Made-up-9")) == (bool(password), bool(password))
