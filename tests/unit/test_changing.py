"""What every changing operation does first and last."""

import json
import os
import signal

import pytest

from chatwoot_ops.adapters.lock import hold_lock, is_held
from chatwoot_ops.errors import CommandFailedError, InterruptedByOperatorError, OpsError, StackLockedError
from chatwoot_ops.model.journal import Opening, Step
from chatwoot_ops.operations.changing import changing, store_of


def ledger(stack, host):
    return [json.loads(line) for line in store_of(stack, host).ledger.read_text().splitlines()]


@pytest.fixture
def engine(host):
    host.processes.on("chatwoot-ops.operation", "one two\n").on("docker rm --force one two", "")
    return host.processes


def test_a_change_holds_the_lock_and_leaves_a_line_in_the_ledger(stack, host):
    with changing(stack, host, "up", {"quick": True}) as change:
        assert is_held("chatwoot")
        change.step("start", "Starting", name="web")
        found = store_of(stack, host).read()
        assert (found.opening.operation, found.opening.user, found.opening.options) == ("up", "ada", {"quick": True})
        assert found.steps[0].facts == {"name": "web"}
    assert not is_held("chatwoot")
    assert store_of(stack, host).read() is None
    assert [entry["outcome"] for entry in ledger(stack, host)] == ["done"]
    assert host.reporter.steps == ["Starting"]


def test_a_second_change_is_refused_while_one_runs(stack, host):
    with (
        hold_lock("chatwoot", operation="setup", user="grace", since="t"),
        pytest.raises(StackLockedError, match="setup by grace") as caught,
        changing(stack, host, "up"),
    ):
        pytest.fail("two changes at once")
    assert caught.value.code == 12
    assert not stack.state_folder.exists()


def test_a_change_after_one_that_was_cut_off_is_refused_and_says_how_to_end_it(stack, host):
    store_of(stack, host).open(Opening("setup", "abc", "ada", 7, "t0"), (Step("images", "t1"),))
    with pytest.raises(StackLockedError, match="'setup' of t0 was cut off at step 'images'") as caught:
        changing(stack, host, "up").__enter__()
    assert "invoke recover --finish" in caught.value.remedy
    assert store_of(stack, host).read().opening.id == "abc"


def test_the_change_that_ends_it_is_let_in_with_its_steps_and_facts(stack, host):
    store = store_of(stack, host)
    store.open(Opening("setup", "abc", "ada", 7, "t0"), (Step("volumes", "t1", {"instance": "i"}),))
    with changing(stack, host, "setup", resume=store.read()) as change:
        assert change.resumed_facts("volumes") == {"instance": "i"}
        assert change.resumed_facts("never") == {}
        assert [step.step for step in store.read().steps] == ["volumes"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(KeyboardInterrupt(), "interrupted"), (CommandFailedError("broken"), "failed with 20")],
    ids=["Ctrl-C", "error"],
)
def test_what_cuts_a_change_off_ends_one_offs_and_goes_to_the_ledger(stack, host, engine, error, outcome):
    with pytest.raises(OpsError), changing(stack, host, "migrate"):
        raise error
    assert engine.lines[-1] == "docker rm --force one two"
    assert [entry["outcome"] for entry in ledger(stack, host)] == [outcome]
    assert store_of(stack, host).read() is None


def test_ctrl_c_exits_with_130_and_says_that_it_can_be_run_again(stack, host, engine):
    with (
        pytest.raises(InterruptedByOperatorError, match="Interrupted during up; cleaned up") as caught,
        changing(stack, host, "up"),
    ):
        raise KeyboardInterrupt
    assert caught.value.code == 130
    assert "'invoke up' can be run again" in caught.value.remedy
    assert engine.ran


def broken_after_a_step(stack, host, operation, error):
    with changing(stack, host, operation) as change:
        change.step("swap", "Swapping")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CommandFailedError("broken", details=("why",))], ids=repr)
def test_where_the_engine_is_gone_the_journal_waits_for_it_and_it_is_said(stack, host, engine, error):
    engine.on("docker version", code=1)
    with pytest.raises(OpsError) as caught:
        broken_after_a_step(stack, host, "restore", error)
    assert store_of(stack, host).read().last_step == "swap"
    assert caught.value.details[-1].startswith("The Docker Engine does not answer")
    assert "invoke recover --undo" in caught.value.remedy
    assert "cleaned up" not in caught.value.message


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("operation", "answers"), [("restore", 0), ("push", 1)])
def test_where_it_answers_or_is_not_needed_the_journal_is_ended(stack, host, operation, answers):
    host.processes.on("docker version", code=answers)
    with pytest.raises(CommandFailedError):
        broken_after_a_step(stack, host, operation, CommandFailedError("broken"))
    assert store_of(stack, host).read() is None


@pytest.mark.usefixtures("engine")
def test_sigterm_means_the_same_as_ctrl_c(stack, host):
    with pytest.raises(InterruptedByOperatorError), changing(stack, host, "up"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_bug_of_ours_leaves_the_journal_for_recover(stack, host):
    with pytest.raises(ZeroDivisionError), changing(stack, host, "up") as change:
        change.step("start", "Starting", fact=1 / 0)
    assert store_of(stack, host).read().last_step == "nothing yet"
