"""Ending a set-up that was cut off: no data is taken that people may have made, and no password is lost."""

from types import SimpleNamespace

import pytest

from chatwoot_ops.errors import StackLockedError
from chatwoot_ops.model.journal import Journal, Opening, Step
from chatwoot_ops.model.settings import Settings
from chatwoot_ops.operations import recover
from chatwoot_ops.operations.setup import SetUp

VOLUMES = Step("volumes", "2026-01-01T00:00:00Z", {"created": ["db"]})
START = Step("start", "2026-01-01T00:01:00Z")


class TakenDownError(Exception):
    """The undo went past its guard."""


def undo(monkeypatch, *steps, operation="setup", users=1):
    def went_on(*_, **__):
        raise TakenDownError

    monkeypatch.setattr(recover, "_has_users", lambda *_: users > 0)
    monkeypatch.setattr(recover, "changing", went_on)
    opening = Opening(operation, "id", "ada", 1, "2026-01-01T00:00:00Z")
    recover._undo_setup(None, None, None, Journal(opening, steps))


def test_undo_refuses_once_somebody_can_have_made_an_account_and_has(monkeypatch):
    with pytest.raises(recover.RefusedInUseError) as refused:
        undo(monkeypatch, VOLUMES, START)
    assert refused.value.code == StackLockedError.code


def test_undo_goes_on_where_nobody_has_an_account(monkeypatch):
    with pytest.raises(TakenDownError):
        undo(monkeypatch, VOLUMES, START, users=0)
    with pytest.raises(TakenDownError):
        undo(monkeypatch, VOLUMES)


def test_an_undo_that_was_cut_off_is_not_asked_again(monkeypatch):
    with pytest.raises(TakenDownError):
        undo(monkeypatch, VOLUMES, START, Step("down", "2026-01-01T00:02:00Z"), operation="undo-setup")


@pytest.mark.parametrize("operation", ["setup", "up", "secrets", "migrate"])
def test_an_undo_that_was_cut_off_can_be_finished_and_undone(operation):
    assert {f"undo-{operation}"} <= set(recover.FINISH) & set(recover.UNDO)


def finished(monkeypatch, password):
    journal = Journal(Opening("setup", "id", "ada", 1, "2026-01-01T00:00:00Z"), (VOLUMES,))
    result = SetUp((), "http://x.example", "v4.15.1-ce", "ada@kgc.example", 7, password, ())
    monkeypatch.setattr(recover, "existing_or_example", lambda *_: None)
    monkeypatch.setattr(
        recover, "unchecked_stack", lambda *_: SimpleNamespace(settings=Settings({}, ()), project="p-r-setup")
    )
    monkeypatch.setattr(recover, "store_of", lambda *_: SimpleNamespace(read=lambda: journal))
    monkeypatch.setattr(recover, "end_one_offs", lambda *_: None)
    monkeypatch.setattr(recover, "set_up", lambda *_, **__: result)
    host = SimpleNamespace(processes=SimpleNamespace(secrets=()), reporter=SimpleNamespace(step=lambda _: None))
    return recover.recover(None, host, finish=True).text


def test_a_password_that_was_made_while_finishing_is_shown(monkeypatch):
    assert "account 7" in finished(monkeypatch, "Made-up-9")
    assert finished(monkeypatch, "Made-up-9").endswith("Made-up-9")


def test_a_password_that_the_operator_chose_is_not_shown(monkeypatch):
    assert finished(monkeypatch, "") == "'setup' was finished."
