"""Journal and ledger on disk."""

import json

import pytest

from chatwoot_ops.adapters import journal_store
from chatwoot_ops.adapters.journal_store import JournalStore
from chatwoot_ops.model.journal import Opening, Step
from fakes import FakeClock

OPENING = Opening("setup", "abc", "ada", 7, "2026-11-24T08:00:00Z")


@pytest.fixture
def store(tmp_path):
    return JournalStore(tmp_path / "state", FakeClock())


def test_bytes_that_are_no_text_in_a_last_line_are_a_line_that_was_cut_off(tmp_path):
    # So a file system may leave a line that was being written when the power went.
    store = JournalStore(tmp_path, FakeClock())
    opening = Opening("backup", "abc", "ada", 7, "t0")
    store.open(opening)
    store.step("seal")
    for path in (tmp_path / "journal.jsonl", tmp_path / "ledger.jsonl"):
        with path.open("ab") as file:
            file.write(b"\x00\xff\xfe garbage")
    assert store.read().last_step == "seal"
    assert store.entries() == ()
    store.close(opening, "done")
    assert [each.outcome for each in store.entries()] == ["done"]


def test_nothing_in_progress_is_no_journal(store):
    assert store.read() is None


def test_a_step_is_on_disk_when_it_is_announced(store):
    store.open(OPENING)
    store.step("network", {"name": "kgc"})
    assert store.read().steps == (Step("network", "2026-11-24T08:00:00Z", {"name": "kgc"}),)


def test_the_operation_that_finishes_another_carries_its_steps(store):
    store.open(OPENING, (Step("network", "t"),))
    store.step("images")
    assert [step.step for step in store.read().steps] == ["network", "images"]


def test_closing_writes_the_ledger_and_takes_the_journal_away(store):
    store.open(OPENING)
    store.close(OPENING, "done")
    assert store.read() is None
    entry = json.loads(store.ledger.read_text())
    assert (entry["operation"], entry["outcome"], entry["user"]) == ("setup", "done", "ada")


def test_a_crash_between_ledger_and_journal_leaves_the_journal(store, monkeypatch):
    store.open(OPENING)
    monkeypatch.setattr("pathlib.Path.unlink", lambda *_args, **_how: (_ for _ in ()).throw(OSError("crash")))
    with pytest.raises(OSError, match="crash"):
        store.close(OPENING, "done")
    assert store.read()
    assert len(store.ledger.read_text().splitlines()) == 1


def test_a_step_that_cannot_be_written_is_not_made(store, monkeypatch):
    store.open(OPENING)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal_store, "append_line", full)
    with pytest.raises(OSError, match="No space left"):
        store.step("network")


def test_only_the_owner_reads_the_state(store):
    store.open(OPENING)
    store.close(OPENING, "done")
    store.open(OPENING)
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in store.folder.iterdir()} == {0o600}
