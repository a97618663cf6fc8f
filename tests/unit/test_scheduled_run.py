"""A scheduled run's end is known however it ends: noted, told to the dead-man URL, and seen by status."""

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.adapters.lock import hold_lock
from chatwoot_ops.adapters.run_notes import RunNotes
from chatwoot_ops.errors import CommandFailedError, SettingsInvalidError, StackLockedError
from chatwoot_ops.model.check import Outcome
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.run_note import RunNote, parse_note, to_json
from chatwoot_ops.operations import scheduled_run
from chatwoot_ops.operations.schedule import wanted_files
from chatwoot_ops.operations.schedule_install import install_schedule
from chatwoot_ops.operations.scheduled_run import run_scheduled
from chatwoot_ops.operations.watching import scheduled_checks, troubles
from fakes import NOW, OK, REFUSED, fake_host
from world import INSTANCE, SECRETS, place_in, stack_in

URL = "https://ping.example/a-secret-name"
HALF_PAST_TWO = "2026-11-24T02:30:00Z"


@pytest.fixture
def values():
    return {"CHATWOOT_INSTANCE_ID": INSTANCE, "BACKUP_PING_URL": URL}


@pytest.fixture
def notes(stack):
    return RunNotes(stack.state_folder)


@pytest.fixture
def host():
    made = fake_host()
    made.http.on("ping.example", OK)
    return made


def run(place, host, task="backup", heard=None):
    return run_scheduled(place, host, task, (heard if heard is not None else []).append)


def asked(host):
    return [url for _, url, *_ in host.http.asked]


def test_a_good_run_is_noted_and_told(place, host, notes):
    host.processes.on("-m invoke", "Sealed\n")
    heard = []
    note = run(place, host, heard=heard)
    stamp = "2026-11-24T08:00:00Z"
    assert note == notes.read("backup") == RunNote("backup", stamp, stamp, last_good=stamp)
    assert heard == ["Sealed"]
    assert asked(host) == [URL]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("backup", "backup"),
        ("verify", "verify"),
        ("drill", "drill"),
        ("prune", "prune --yes"),
        ("push-wal", "push --wal"),
        ("prune-remote", "prune --remote --yes"),
    ],
)
def test_each_task_is_the_one_that_an_operator_would_type(place, host, task, words):
    host.processes.on("-m invoke", "")
    run(place, host, task)
    (command,) = host.processes.ran
    assert " ".join(command.argv) == f"/x/python -m invoke --search-root {place.compose_folder.parents[2]} {words}"
    assert command.environment == {"CHATWOOT_ENV_FILE": str(place.env_file)}


@pytest.mark.parametrize(("task", "flag"), [("drill", ["--from-remote"]), ("verify", [])])
def test_a_drill_takes_its_set_from_the_remote_where_the_settings_say_so(tmp_path, host, task, flag):
    host.processes.on("-m invoke", "")
    run(place_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, DRILL_SOURCE="remote"), host, task)
    assert list(host.processes.ran[0].argv[5:]) == [task, *flag]


def test_a_failed_run_is_noted_with_what_it_said_last_and_told_as_failed(place, host, notes):
    notes.write(RunNote("backup", "2026-11-23T02:30:00Z", "2026-11-23T02:31:00Z", last_good="2026-11-23T02:31:00Z"))
    output = f"first\nNo room\n  2 GB free, {SECRETS['POSTGRES_PASSWORD']}\nFree some.\n"
    host.processes.on("-m invoke", output, code=11)
    with pytest.raises(CommandFailedError, match="The scheduled backup failed with 11") as caught:
        run(place, host)
    note = notes.read("backup")
    assert (note.code, note.text) == (11, "No room / 2 GB free, ******** / Free some.")
    assert note.last_good == "2026-11-23T02:31:00Z"
    assert caught.value.details == (note.text,)
    assert asked(host) == [f"{URL}/fail"]


@pytest.mark.parametrize("task", ["verify", "prune"])
def test_only_backups_are_told_as_good_and_every_task_as_failed(place, host, task):
    host.processes.on("-m invoke", "")
    run(place, host, task)
    assert asked(host) == []
    host.processes.on("-m invoke", code=20)
    with pytest.raises(CommandFailedError):
        run(place, host, task)
    assert asked(host) == [f"{URL}/fail"]


def test_a_good_backup_does_not_take_back_the_alarm_of_another_task(place, host, notes):
    notes.write(RunNote("verify", HALF_PAST_TWO, HALF_PAST_TWO, code=13, text="damaged"))
    host.processes.on("-m invoke", "")
    run(place, host)
    assert asked(host) == [f"{URL}/fail"]
    assert host.reporter.notes == [f"scheduled verify: failed {HALF_PAST_TWO} with 13: damaged; last good run never"]
    notes.write(RunNote("verify", HALF_PAST_TWO, HALF_PAST_TWO, last_good=HALF_PAST_TWO))
    run(place, host)
    assert asked(host)[1:] == [URL]


def test_the_question_in_a_url_stays_behind_the_path(place, host):
    place_in(place.env_file.parent, BACKUP_PING_URL=f"{URL}?create=1")
    host.processes.on("-m invoke", code=20)
    with pytest.raises(CommandFailedError):
        run(place, host)
    assert asked(host) == [f"{URL}/fail?create=1"]


def test_without_a_url_nobody_is_told(place, host):
    place_in(place.env_file.parent)
    host.processes.on("-m invoke", "")
    run(place, host)
    assert asked(host) == []


@pytest.mark.parametrize("answer", [REFUSED, Answer(404), Answer(500), Answer(302)])
def test_a_ping_that_fails_is_tried_again_then_a_warning_and_never_fails_the_backup(place, answer, notes):
    host = fake_host()
    host.http.on("ping.example", answer)
    host.processes.on("-m invoke", "")
    assert run(place, host).code == 0
    assert asked(host) == [URL] * 3
    (warning,) = host.reporter.notes
    assert warning.startswith("warning: the dead-man URL")
    assert urlsplit(URL).netloc not in warning
    assert notes.read("backup").last_good


def test_a_ping_that_was_not_heard_at_first_is_heard_the_second_time(place):
    host = fake_host()
    host.http.on("ping.example", REFUSED, OK)
    host.processes.on("-m invoke", "")
    run(place, host)
    assert (asked(host), host.reporter.notes) == ([URL] * 2, [])


def test_it_waits_for_the_task_before_it(place, host, stack, monkeypatch):
    host.processes.on("-m invoke", "")
    held = iter([True, True, False])
    monkeypatch.setattr(scheduled_run, "is_held", lambda _project: next(held))
    run(place, host)
    assert host.clock.passed == 2 * scheduled_run.LOOK_EVERY_SECONDS


def test_the_same_task_twice_at_once_is_refused_and_the_first_ones_note_stays(place, host, stack, notes):
    note = RunNote("backup", HALF_PAST_TWO)
    notes.write(note)
    with (
        hold_lock(f"{stack.project}.run-backup", operation="scheduled backup", user="ada", since="t"),
        pytest.raises(StackLockedError, match="scheduled backup by ada"),
    ):
        run(place, host)
    assert notes.read("backup") == note
    assert asked(host) == []


def test_a_task_that_is_none_is_refused(place, host):
    with pytest.raises(SettingsInvalidError, match="No scheduled task is called 'restore'") as caught:
        run(place, host, "restore")
    assert caught.value.code == 10


def test_what_cannot_be_started_is_noted_and_told_too(place, host, notes):
    def broken(_command):
        raise CommandFailedError("Failed while running backup: no such file")

    host.processes.on_call("-m invoke", broken)
    with pytest.raises(CommandFailedError, match="failed with 20"):
        run(place, host)
    assert notes.read("backup").text == "Failed while running backup: no such file"
    assert asked(host) == [f"{URL}/fail"]


def test_a_state_folder_that_cannot_be_written_is_told(place, host, stack):
    stack.state_folder.write_text("in the way")
    with pytest.raises(CommandFailedError, match="failed with 20"):
        run(place, host)
    assert asked(host) == [f"{URL}/fail"]


def test_a_run_that_is_ended_by_a_signal_is_noted_and_told(place, host, notes):
    def ended(_command):
        os.kill(os.getpid(), signal.SIGTERM)
        return Finished(0, "", "")

    host.processes.on_call("-m invoke", ended)
    with pytest.raises(KeyboardInterrupt):
        run(place, host)
    assert (notes.read("backup").code, notes.read("backup").text) == (130, "interrupted")
    assert asked(host) == [f"{URL}/fail"]


@pytest.mark.parametrize("text", ["", "{}", "[]", "7", '{"task": "backup"}', '{"task": "b", "started": "x"}'])
def test_a_damaged_note_is_none_and_status_fails(stack, host, notes, text):
    notes.write(RunNote("backup", HALF_PAST_TWO))
    (stack.state_folder / "runs/backup.json").write_text(text)
    with pytest.raises(ValueError, match=r".+"):
        notes.read("backup")
    assert outcome(stack, host, "scheduled backup")[0] is Outcome.FAIL
    assert "could not check" in outcome(stack, host, "scheduled backup")[1]


def test_a_note_is_read_as_it_was_written_and_one_of_another_format_is_refused():
    note = RunNote("backup", HALF_PAST_TWO, HALF_PAST_TWO, 11, "no room", HALF_PAST_TWO)
    assert parse_note(to_json(note)) == note
    with pytest.raises(ValueError, match="another format"):
        parse_note(json.dumps({**json.loads(to_json(note)), "format": 2}))
    with pytest.raises(ValueError, match="no time zone"):
        parse_note(to_json(RunNote("backup", "2026-11-24T02:30:00")))


def test_a_damaged_note_does_not_keep_the_next_run_from_running(place, stack, host, notes):
    notes.write(RunNote("backup", HALF_PAST_TWO))
    (stack.state_folder / "runs/backup.json").write_text("{")
    host.processes.on("-m invoke", "")
    assert run(place, host).code == 0


def install(stack, host, since="2026-11-01T00:00:00Z"):
    for path, text in wanted_files(stack, host).items():
        path.write_text(text)
    RunNotes(stack.state_folder).installed(since)


def outcome(stack, host, name):
    (found,) = [(each.outcome, each.seen) for each in scheduled_checks(stack, host) if each.name == name]
    return found


def test_where_there_is_no_schedule_that_is_all_that_is_said(stack, host):
    (only,) = scheduled_checks(stack, host)
    assert (only.name, only.outcome, only.seen) == ("schedule", Outcome.NOT_CONFIGURED, "not installed")


def test_a_schedule_whose_tasks_ran_as_they_should_passes(stack, host, notes):
    install(stack, host)
    for task, at in (("backup", "02:40"), ("verify", "04:31"), ("prune", "05:30")):
        notes.write(RunNote(task, f"2026-11-24T{at}:00Z", f"2026-11-24T{at}:30Z"))
    assert {each.outcome for each in scheduled_checks(stack, host)} == {Outcome.PASS}
    assert outcome(stack, host, "scheduled backup")[1] == "ended well 2026-11-24T02:40:30Z"


@pytest.mark.parametrize(
    ("note", "says"),
    [
        (None, "missed: due 2026-11-24T02:30:00Z and never begun"),
        (RunNote("backup", "2026-11-23T02:31:00Z", "2026-11-23T02:32:00Z"), "missed: due 2026-11-24T02:30:00Z, last"),
        (RunNote("backup", "2026-11-24T02:31:00Z"), "cut off: began 2026-11-24T02:31:00Z and did not end"),
        (RunNote("backup", HALF_PAST_TWO, HALF_PAST_TWO, 22, "x"), f"failed {HALF_PAST_TWO} with 22: x; last good run"),
        (RunNote("backup", HALF_PAST_TWO, HALF_PAST_TWO, -9, ""), "with -9"),
        (RunNote("backup", "2027-01-01T00:00:00Z", "2027-01-01T00:01:00Z"), "the clock went back"),
    ],
)
def test_a_run_that_was_missed_cut_off_or_failed_is_a_failure(stack, host, notes, note, says):
    install(stack, host)
    if note:
        notes.write(note)
    found, seen = outcome(stack, host, "scheduled backup")
    assert found is Outcome.FAIL
    assert says in seen
    assert f"scheduled backup: {seen}" in troubles(stack, host, but="prune")
    assert not [line for line in troubles(stack, host, but="backup") if "backup:" in line]


def test_a_failure_is_seen_also_where_the_schedule_is_somebody_elses(stack, host, notes):
    notes.write(RunNote("backup", HALF_PAST_TWO, HALF_PAST_TWO, 22, "x"))
    assert outcome(stack, host, "scheduled backup")[0] is Outcome.FAIL


@pytest.mark.parametrize(("hours", "missed"), [(1.9, False), (2.1, True)])
def test_a_run_may_be_two_hours_late(stack, host, notes, hours, missed):
    install(stack, host)
    notes.write(RunNote("backup", "2026-11-23T02:31:00Z", "2026-11-23T02:32:00Z"))
    host.clock.passed = (datetime(2026, 11, 24, 2, 30, tzinfo=UTC) + timedelta(hours=hours) - NOW).total_seconds()
    assert (outcome(stack, host, "scheduled backup")[0] is Outcome.FAIL) is missed


def test_what_was_due_before_the_schedule_was_installed_was_not_missed(stack, host):
    install(stack, host, since="2026-11-24T07:00:00Z")
    assert outcome(stack, host, "scheduled backup") == (Outcome.PASS, "not due yet")


def test_a_run_that_is_at_work_is_neither_cut_off_nor_missed(stack, host, notes):
    install(stack, host)
    notes.write(RunNote("backup", "2026-11-24T02:29:00Z"))
    with hold_lock(f"{stack.project}.run-backup", operation="scheduled backup", user="ada", since="t"):
        assert outcome(stack, host, "scheduled backup") == (Outcome.PASS, "at work since 2026-11-24T02:29:00Z")


def test_a_task_that_is_off_is_not_looked_at(tmp_path, host, notes, stack):
    install(stack, host)
    notes.write(RunNote("verify", HALF_PAST_TWO, HALF_PAST_TWO, 22, "x"))
    off = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, VERIFY_SCHEDULE="off")
    assert "scheduled verify" not in {each.name for each in scheduled_checks(off, host)}


def test_a_schedule_that_differs_from_the_settings_is_a_warning(tmp_path, stack, host):
    install(stack, host)
    changed = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, BACKUP_SCHEDULE="daily 03:30")
    assert outcome(changed, host, "schedule")[0] is Outcome.WARN


def test_a_schedule_that_was_removed_leaves_no_failure_behind(stack, host, notes):
    install(stack, host)
    notes.write(RunNote("verify", HALF_PAST_TWO, HALF_PAST_TWO, code=13, text="damaged"))
    host.processes.on("sudo -n", "").on_call("rm -f", lambda command: remove(command.argv[4:]))
    install_schedule(stack, host, remove=True, yes=True)
    assert [(each.name, each.outcome) for each in scheduled_checks(stack, host)] == [
        ("schedule", Outcome.NOT_CONFIGURED)
    ]


def remove(paths):
    for path in paths:
        Path(path).unlink()
    return Finished(0, "", "")


def test_a_schedule_whose_files_are_gone_is_a_failure(stack, host, notes):
    notes.installed("2026-11-01T00:00:00Z")
    assert outcome(stack, host, "schedule") == (Outcome.FAIL, "was installed 2026-11-01 and its files are gone")


@pytest.mark.parametrize("text", ["", "x", "2026-11-01T00:00:00"])
def test_a_damaged_note_of_the_installation_is_a_failure(stack, host, notes, text):
    install(stack, host)
    (stack.state_folder / "runs/schedule-installed").write_text(text)
    assert outcome(stack, host, "schedule")[0] is Outcome.FAIL
    assert outcome(stack, host, "scheduled backup")[0] is Outcome.FAIL
