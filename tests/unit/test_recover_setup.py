"""Finishing a set-up that was cut off: a password that is made on the way is shown, because nobody else ever would."""

from types import SimpleNamespace

from chatwoot_ops.model.journal import Journal, Opening, Step
from chatwoot_ops.model.settings import Settings
from chatwoot_ops.operations import recover
from chatwoot_ops.operations.setup import SetUp

VOLUMES = Step("volumes", "2026-01-01T00:00:00Z", {"created": ["db"]})


def finished(monkeypatch, password):
    journal = Journal(Opening("setup", "id", "ada", 1, "2026-01-01T00:00:00Z"), (VOLUMES,))
    result = SetUp((), "http://x.example", "v4.15.1-ce", "ada@kgc.example", 7, password, ())
    monkeypatch.setattr(recover, "existing_or_example", lambda *_: None)
    monkeypatch.setattr(recover, "unchecked_stack", lambda *_: SimpleNamespace(project="x", settings=Settings({}, ())))
    monkeypatch.setattr(recover, "store_of", lambda *_: SimpleNamespace(read=lambda: journal))
    monkeypatch.setattr(recover, "is_held", lambda _: False)
    monkeypatch.setattr(recover, "end_one_offs", lambda *_: None)
    monkeypatch.setattr(recover, "set_up", lambda *_, **__: result)
    host = SimpleNamespace(processes=SimpleNamespace(secrets=()), reporter=SimpleNamespace(step=lambda _: None))
    return recover.recover(None, host, finish=True).text


def test_a_password_that_was_made_while_finishing_is_shown(monkeypatch):
    assert "account 7" in finished(monkeypatch, "Made-up-9")
    assert finished(monkeypatch, "Made-up-9").endswith("Made-up-9")


def test_a_password_that_the_operator_chose_is_not_shown(monkeypatch):
    assert finished(monkeypatch, "") == "'setup' was finished."
