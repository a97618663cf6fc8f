"""The last set before a move: nothing is written any more when it is taken, and after a failure the stack serves."""

import pytest

from chatwoot_ops.console.moving import left
from chatwoot_ops.errors import BackupFailedError, SettingsInvalidError
from chatwoot_ops.model.journal import Opening
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.leaving import leave
from chatwoot_ops.operations.recover import recover
from world import INSTALLED


@pytest.fixture
def values():
    return INSTALLED


def in_order(engine, *parts):
    at = [next(number for number, line in enumerate(engine.lines) if part in line) for part in parts]
    return at == sorted(at)


def test_web_and_worker_stop_then_the_set_is_taken_then_the_stack_goes_down(stack, well, volume):
    result = leave(stack, well)
    writers = "compose stop chatwoot-rails chatwoot-sidekiq"
    assert in_order(well.processes, writers, "--snapshot=", "compose down --remove-orphans")
    assert not result.sent
    assert result.last.set.manifest.note == "the last one before a move"
    said = "\n".join(left(result))
    assert f"--set FOLDER, a copy of {result.last.set.path}, --settings FILE" in said


def test_without_a_set_the_stack_serves_again(stack, well, volume):
    well.processes.on("--snapshot=", code=1, stderr="no space left")
    with pytest.raises(BackupFailedError):
        leave(stack, well)
    assert not well.processes.ran_with("compose down")
    assert in_order(well.processes, "compose stop chatwoot-rails", "--snapshot=", "compose up -d")
    assert store_of(stack, well).read() is None


@pytest.mark.parametrize("flag", ["volumes", "dry_run"])
def test_it_neither_removes_the_data_nor_only_looks(stack, well, flag):
    with pytest.raises(SettingsInvalidError):
        leave(stack, well, **{flag: True})
    assert well.processes.ran == []


class Killed(BaseException):
    """Stands for a process that is gone."""


@pytest.mark.usefixtures("volume")
def test_after_a_kill_undo_lets_the_stack_serve_again(place, stack, well):
    store = store_of(stack, well)
    store.open(Opening("leave", "77", "ada", 1, "2026-11-24T08:00:00Z"))
    store.step("stop-writers", {})
    recover(place, well, undo=True)
    assert well.processes.ran_with("compose up -d")
    assert store.read() is None


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("step", ["stop-writers", "down"])
def test_after_a_kill_finish_ends_with_one_set_and_the_stack_down(place, stack, well, monkeypatch, step):
    store = type(store_of(stack, well))
    announce = store.step

    def last(self, name, facts):
        announce(self, name, facts)
        if name == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store, "step", last)
        patch.setattr(store, "close", lambda *_, **__: None)
        with pytest.raises(Killed):
            leave(stack, well)
    before = len(well.processes.ran)
    recover(place, well, finish=True)
    assert len(list(stack.backup_folder.glob("*-logical*"))) == 1
    assert any("compose down" in line for line in well.processes.lines[before:])
