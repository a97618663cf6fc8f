"""Rows that a restore replaces and that its source does not have: saved first, or nothing is replaced."""

import json

import pytest

from chatwoot_ops.errors import RestoreFailedError, SettingsInvalidError
from chatwoot_ops.model.journal import Journal, Opening, Step
from chatwoot_ops.operations.finish_restore import finish_restore
from chatwoot_ops.operations.newer_rows import _ROWS, _since
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_of_dump
from fakes import SPOKEN
from world import INSTALLED

MESSAGE = json.dumps({"table": "messages", "row": {"id": 9, "content": 'back\\slash, "quotes"\n\u00e1'}})
CONTACT = json.dumps({"table": "contacts", "row": {"id": 3}})
SPEAKS = f"-T chatwoot-db psql -X -q -t -A -v ON_ERROR_STOP=1 -U postgres -d chatwoot_production\n{SPOKEN}"


@pytest.fixture
def values():
    return INSTALLED


def saving(path):
    return RestoreOptions(yes=True, export_newer=str(path))


@pytest.mark.usefixtures("volume")
def test_each_newer_row_is_a_line_of_a_private_file_before_the_database_stops(stack, well, source, tmp_path):
    well.processes.on(SPEAKS, f"{MESSAGE}\n{CONTACT}\n{MESSAGE}\nend\n")
    path = tmp_path / "newer.jsonl"
    result = restore(stack, well, source, saving(path))
    assert path.read_text(encoding="utf-8").splitlines() == [MESSAGE, CONTACT, MESSAGE]
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"3 rows that the source does not have are in {path}: 2 of messages, 1 of contacts" in result.notes
    lines = well.processes.lines
    between = lines[lines.index("compose stop chatwoot-sidekiq") : lines.index("compose stop chatwoot-db")]
    assert [line for line in between if SPEAKS.partition("\n")[0] in line]


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("said", ["", f"{MESSAGE}\n", "no json\nend\n"])
def test_rows_that_cannot_be_read_to_the_end_leave_the_old_data_and_no_file(stack, well, source, tmp_path, said):
    well.processes.on(SPEAKS, said)
    with pytest.raises(RestoreFailedError):
        restore(stack, well, source, saving(tmp_path / "newer.jsonl"))
    assert not well.processes.ran_with("FLUSHALL")
    assert not list(tmp_path.glob("*newer*"))


@pytest.mark.usefixtures("volume")
def test_a_file_that_is_there_and_a_folder_that_is_not_are_refused_before_anything(stack, well, source, tmp_path):
    there = tmp_path / "newer.jsonl"
    there.write_text("mine")
    for path, why in ((there, "is there already"), (tmp_path / "no" / "x", "there is no folder")):
        with pytest.raises(SettingsInvalidError) as caught:
            restore(stack, well, source, saving(path))
        assert why in caught.value.details[0]
    assert there.read_text() == "mine"
    assert not well.processes.ran_with("stage.sh")


@pytest.mark.usefixtures("volume")
def test_a_database_that_does_not_answer_cannot_give_its_rows(stack, well, source, tmp_path):
    well.processes.on("-h 127.0.0.1 -U postgres -d chatwoot_production -c SELECT 1", code=2)
    with pytest.raises(SettingsInvalidError) as caught:
        restore(stack, well, source, saving(tmp_path / "newer.jsonl"))
    assert caught.value.details == ("the running database does not answer: restore without --export-newer",)


def test_newer_than_a_set_begins_before_its_snapshot_and_of_a_dump_all_is_newer(stack, source, tmp_path):
    assert _since(source) == "2026-11-24 08:00:00.000000"
    (tmp_path / "x.sql").write_bytes(b"-- PostgreSQL database dump\n")
    assert _since(source_of_dump(str(tmp_path / "x.sql"), "")) == "-infinity"


def test_what_is_asked_copies_without_keeping_and_without_escaping():
    assert "TO STDOUT WITH (FORMAT csv, QUOTE E''\\x01'', DELIMITER E''\\x02'')" in _ROWS
    assert "SINCE" in _ROWS


@pytest.mark.usefixtures("volume")
def test_a_restore_that_is_finished_keeps_what_the_attempt_before_had_saved(stack, well, source, tmp_path):
    well.processes.on(SPEAKS, f"{CONTACT}\nend\n")
    first = tmp_path / "newer.jsonl"
    first.write_text("first")
    options = {"source": source.noted(), "yes": True, "export_newer": str(first)}
    opening = Opening("restore", "abc", "ada", 1, "2026-11-24T08:00:00Z", options)
    finish_restore(stack, well, Journal(opening, (Step("stage", {"cluster": "c", "operation": "o"}),)))
    assert first.read_text() == "first"
    assert (tmp_path / "newer.jsonl.again").read_text() == f"{CONTACT}\n"
