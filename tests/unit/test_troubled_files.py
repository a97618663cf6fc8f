"""Stored files with which something is wrong are named by conversation, and their file names in private only."""

import json
import stat
from pathlib import Path

import pytest

from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError, RestoreFailedError
from chatwoot_ops.model.backup_set import LIST_ARTIFACT, StorageProof
from chatwoot_ops.model.troubled_file import SHOWN, TroubledFile, lines_of
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import verify_set
from chatwoot_ops.operations.doctor import doctor
from chatwoot_ops.operations.probes import files as probe
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_of_set
from chatwoot_ops.operations.troubled_files import ask_where, list_file, told, troubled, where_question
from keeping import well_keeping
from stored import StorageVolume
from world import INSTALLED, INSTANCE, place_in

ONE, TWO, THREE = "abcdefghij", "klmnopqrst", "uvwxyzabcd"
ROW = {"size": 3056, "filename": "invoice of Ada.pdf", "account": 2, "message": 126, "conversation": 54, "young": False}
ROWS = {ONE: {**ROW, "record": "Attachment 8"}}
LINE = f"{ONE}, conversation 54 of account 2, message 126, 3.0 kB"
LOST = TroubledFile(ONE, "missing", 3056, 2, 54, 126, "Attachment 8", "invoice of Ada.pdf")
WHERE = "json_array_elements_text"


@pytest.fixture
def values():
    return INSTALLED


@pytest.fixture
def stored(well, tmp_path):
    """A volume with two files whose rows are known to the database."""
    well_keeping(well)
    stored = StorageVolume(tmp_path / "files", tmp_path / "work").attach(well)
    stored.write(ONE, "one file")
    stored.write(TWO, "another")
    well.processes.on(WHERE, json.dumps(ROWS))
    return stored


def listed(stack, operation):
    path = list_file(stack, operation)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_they_come_by_account_conversation_and_message_and_those_without_a_row_last():
    rows = {
        "b": {**ROW, "conversation": 3, "record": "Attachment 1"},
        "a": {**ROW, "conversation": 9, "record": "Attachment 2"},
        "c": {**ROW, "conversation": 0, "message": 0, "record": "avatar of Contact 7"},
    }
    found = troubled(StorageProof(0, 0, 0, ("a", "c"), ("b",), ("z",)), {"z": 77}, rows)
    assert [(each.key, each.trouble, each.size) for each in found] == [
        ("c", "missing", 3056),
        ("b", "wrong", 3056),
        ("a", "missing", 3056),
        ("z", "orphaned", 77),
    ]
    assert found[0].line == "missing: c, avatar of Contact 7 of account 2, 3.0 kB"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (LOST, f"missing: {LINE}"),
        (
            TroubledFile(ONE, "wrong", 5, record="logo of Account 1", filename="x"),
            f"wrong: {ONE}, logo of Account 1, 5 B",
        ),
        (TroubledFile(ONE, "kept", 5, filename="x"), f"kept: {ONE}, of no record, 5 B"),
        (TroubledFile(ONE, "missing", 0), f"missing: {ONE}"),
    ],
)
def test_a_line_says_whose_it_is_in_numbers_and_no_file_name(file, line):
    assert file.line == line


def test_of_many_the_first_are_shown_and_orphaned_ones_are_no_loss():
    many = tuple(TroubledFile(str(number), "missing", 1) for number in range(SHOWN + 2))
    assert lines_of((*many, TroubledFile("z", "orphaned", 1))) == (*(each.line for each in many[:SHOWN]), "and 2 more")
    assert lines_of(many[:SHOWN])[-1] == many[SHOWN - 1].line


def test_a_quote_in_a_key_stays_inside_the_question():
    assert "json_array_elements_text('[\"o''x\"]')" in where_question(["o'x"])


def test_a_backup_names_them_by_conversation_and_lists_all_with_file_names_in_a_private_file(stored, stack, well):
    stored.lose(ONE)
    stored.damage("zzzzzzzzzz", "nobody's")
    made = back_up(stack, well)
    assert made.files == (LOST, TroubledFile("zzzzzzzzzz", "orphaned", 8))
    assert made.warnings[-2:] == (
        f"missing: {LINE}",
        f"All 2 of them, with their file names: {list_file(stack, 'backup')}",
    )
    assert [each["filename"] for each in listed(stack, "backup")] == ["invoice of Ada.pdf", ""]
    said = "".join((*made.warnings, *well.reporter.steps, *well.reporter.notes))
    journals = "".join(
        each.read_text() for each in stack.state_folder.glob("*") if each.name != "stored-files-backup.jsonl"
    )
    assert "invoice" not in said + journals


def test_once_all_are_well_the_list_goes(stored, stack, well):
    stored.lose(ONE)
    back_up(stack, well)
    stored.write(ONE, "one file")
    well.clock.passed += 60
    assert back_up(stack, well).files == ()
    assert not list_file(stack, "backup").exists()


def test_a_database_that_does_not_answer_leaves_the_keys(stored, stack, well):
    well.processes.on(WHERE, code=1, stderr="no server")
    stored.lose(ONE)
    assert f"missing: {ONE}" in back_up(stack, well).warnings
    assert ask_where(stack, well, ()) == {}


def test_a_list_that_cannot_be_written_is_said_and_undoes_nothing(stored, stack, well):
    stored.lose(ONE)
    list_file(stack, "backup").mkdir(parents=True)
    (list_file(stack, "backup") / "x").touch()
    made = back_up(stack, well)
    assert made.warnings[-1].startswith(f"Cannot write {list_file(stack, 'backup')}")
    assert Path(made.set.path).is_dir()


def test_a_set_that_does_not_hold_a_file_of_its_rows_is_refused_before_the_volume_is_touched(stored, stack, well):
    back_up(stack, well)
    stored.rows[THREE] = (7, "rL0Y20zC+Fzt72VPzMSk2A==")
    well.processes.on("docker exec -i chatwoot-restore-", "1\n")
    well_keeping(well)
    stored.attach(well)
    well.processes.on(WHERE, json.dumps({THREE: ROWS[ONE]}))
    before = stored.files()
    with pytest.raises(RestoreFailedError, match="Stored files do not match") as caught:
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert caught.value.details == (f"missing: {LINE.replace(ONE, THREE)}",)
    assert (stored.files(), well.processes.ran_with("mkdir .restore")) == (before, [])
    (asked,) = [command for command in well.processes.ran if WHERE in (command.stdin or "")]
    assert "docker exec" in " ".join(asked.argv)


def test_a_restore_says_which_are_lost_since_the_set_and_lists_what_has_no_row(stored, stack, well):
    stored.lose(ONE)
    back_up(stack, well)
    stored.damage("zzzzzzzzzz", "nobody's")
    result = restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert result.files == (LOST, TroubledFile("zzzzzzzzzz", "orphaned", 8))
    assert f"missing: {LINE}" in result.notes
    assert [each["trouble"] for each in listed(stack, "restore")] == ["missing", "orphaned"]


def test_verify_names_the_conversation_of_a_file_that_no_pack_holds(stored, stack, well, monkeypatch):
    lines = "chatwoot_ops.operations.storage_copy.list_lines"
    monkeypatch.setattr(lines, lambda found: (f"{'0' * 32} {each.size} ./x/{key}\n" for key, each in found.items()))
    back_up(stack, well)
    with pytest.raises(BackupSetInvalidError) as caught:
        verify_set(stack, well)
    assert f"{LIST_ARTIFACT}: in no pack as it is listed: missing: {LINE}" in caught.value.details
    assert stored.files()


def seen(stack, well):
    return probe.stored(stack, well)


def rows_of(stored, well):
    """A database that tells the rows of the volume to whoever asks for them alone."""
    lines = [json.dumps([key, *row]) for key, row in stored.rows.items()]
    well.processes.on("ON_ERROR_STOP=1 -U postgres -d chatwoot_production\n(a session)", "\n".join([*lines, "[]"]))


def test_doctor_is_content_with_a_file_for_each_row(stored, stack, well):
    rows_of(stored, well)
    check = seen(stack, well)
    assert (check.outcome, check.seen) == ("pass", "2 there, 0 missing, 0 of another size, 0 without a row (0 B)")


def test_doctor_names_the_conversation_and_the_size_of_what_has_no_row(stored, stack, well):
    rows_of(stored, well)
    stored.lose(ONE)
    stored.damage("zzzzzzzzzz", "nobody's")
    check = seen(stack, well)
    assert check.outcome == "warn"
    assert check.seen.startswith(
        f"2 there, 1 missing, 0 of another size, 1 without a row (8 B); missing: {LINE}; All 2"
    )
    assert listed(stack, "doctor")[0]["filename"] == "invoice of Ada.pdf"
    assert check.remedy


def test_doctor_sees_a_file_of_another_size_without_reading_any(stored, stack, well):
    rows_of(stored, well)
    stored.damage(ONE, "one fi")
    assert f"wrong: {LINE}" in seen(stack, well).seen
    assert not well.processes.ran_with("md5sum")


@pytest.mark.parametrize("now", [{}, {ONE: {**ROWS[ONE], "young": True}}], ids=["deleted meanwhile", "uploading"])
def test_doctor_takes_what_came_or_went_meanwhile_for_no_loss(stored, stack, well, now):
    rows_of(stored, well)
    stored.lose(ONE)
    well.processes.on(WHERE, json.dumps(now))
    assert seen(stack, well).outcome == "pass"


def test_doctor_takes_a_file_whose_row_came_meanwhile_for_no_orphan(stored, stack, well):
    rows_of(stored, well)
    stored.damage(THREE, "new")
    well.processes.on(WHERE, json.dumps({THREE: {**ROWS[ONE], "young": True}}))
    assert "0 without a row" in seen(stack, well).seen


@pytest.mark.parametrize("part", ["-printf '%f %s", WHERE])
def test_doctor_that_could_not_look_fails(stored, stack, well, tmp_path, part):
    rows_of(stored, well)
    stored.lose(ONE)
    well.processes.on(part, code=1, stderr="Input/output error")
    with pytest.raises(CommandFailedError):
        seen(stack, well)
    (tmp_path / "d").mkdir()
    checks = doctor(place_in(tmp_path / "d", CHATWOOT_INSTANCE_ID=INSTANCE), well)
    (check,) = (each for each in checks if each.name == "stored files")
    assert (check.outcome, check.seen.partition(":")[0]) == ("fail", "could not check")


def test_nothing_to_tell_makes_no_folder(stack):
    assert told(stack, "doctor", ()) == ()
    assert not stack.state_folder.exists()
