"""Whether finished WAL gets off-site in time: from notes for status, from the remote's lists for doctor."""

import pytest

from chatwoot_ops.adapters.wal_note import WalNote
from chatwoot_ops.model.check import Outcome, failures
from chatwoot_ops.operations.budgets import budget_checks
from chatwoot_ops.operations.doctor import doctor
from chatwoot_ops.operations.known import look_at
from chatwoot_ops.operations.pushing import push, push_archive
from chatwoot_ops.operations.wal_off_site import NOTED, THERE, noted_wal_checks, remote_wal_checks
from fake_s3 import failing, refusal
from wal_world import FOLDER, SETTINGS, Archive, segment, set_in_segment_two
from world import SLOT, place_in, stack_in

BUDGET = {**SETTINGS, "BACKUP_MAX_AGE": "26h"}
HOURLY = {**SETTINGS, "PUSH_WAL_SCHEDULE": "hourly 15"}
DAY, HOUR = 24 * 3600, 3600
ALL_THERE = (Outcome.PASS, "all finished segments are there")
ASKS = [noted_wal_checks, remote_wal_checks]


@pytest.fixture
def archive(host):
    return Archive(host, 1, 2, 3, 4)


def stack_with(tmp_path, settings):
    """Its one set begins in segment 2."""
    stack = stack_in(tmp_path, **settings)
    set_in_segment_two(stack)
    return stack


def said(stack, host, ask):
    (check,) = ask(stack, host)
    return check.outcome, check.seen


def finish(archive, number):
    """The segment that was being written is finished, and the next one begins."""
    archive.files[SLOT, segment(number)] = "x"
    archive.partial = segment(number)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("left_out", ["WAL_ARCHIVE", "BACKUP_REMOTE"])
def test_without_an_archive_or_a_remote_nobody_is_asked(tmp_path, host, ask, left_out):
    stack = stack_in(tmp_path, **{**BUDGET, left_out: "off" if left_out == "WAL_ARCHIVE" else ""})
    assert ask(stack, host) == ()
    assert (host.processes.ran, host.remotes.opened) == ([], [])


@pytest.mark.parametrize("ask", ASKS)
def test_what_was_brought_passes_however_long_the_database_is_quiet(tmp_path, host, archive, ask):
    stack = stack_with(tmp_path, BUDGET)
    push(stack, host)
    host.clock.passed += 9 * DAY
    assert said(stack, host, ask) == ALL_THERE


@pytest.mark.parametrize("ask", ASKS)
def test_a_finished_segment_that_waits_longer_than_the_budget_is_a_failure(tmp_path, host, archive, ask):
    stack = stack_with(tmp_path, BUDGET)
    push(stack, host)
    finish(archive, 5)
    assert said(stack, host, ask) == (Outcome.PASS, "1 finished segments wait, the oldest for 6 s")
    host.clock.passed += DAY + 3 * HOUR
    assert said(stack, host, ask) == (
        Outcome.FAIL,
        "1 finished segments wait, the oldest for 1 d 3 h, at most 26h",
    )
    push_archive(stack, host)
    assert said(stack, host, ask) == ALL_THERE


@pytest.mark.parametrize("ask", ASKS)
def test_with_a_schedule_a_push_that_was_due_is_the_limit(tmp_path, host, archive, ask):
    stack = stack_with(tmp_path, HOURLY)
    push(stack, host)
    finish(archive, 5)
    host.clock.passed += 2 * HOUR
    assert said(stack, host, ask)[0] is Outcome.PASS
    host.clock.passed += HOUR
    assert said(stack, host, ask) == (
        Outcome.FAIL,
        "1 finished segments wait, the oldest for 3 h 6 s, a push was due 2026-11-24T08:15:00Z",
    )


@pytest.mark.parametrize("ask", ASKS)
def test_of_budget_and_schedule_the_stricter_one_counts(tmp_path, host, archive, ask):
    stack = stack_with(tmp_path, {**BUDGET, "PUSH_WAL_SCHEDULE": "monthly 1 05:00"})
    push(stack, host)
    finish(archive, 5)
    host.clock.passed += 2 * DAY
    assert said(stack, host, ask)[1].endswith("at most 26h")


@pytest.mark.parametrize("ask", ASKS)
def test_without_a_promise_what_waits_is_told_and_fails_nobody(tmp_path, host, archive, ask):
    stack = stack_with(tmp_path, SETTINGS)
    push(stack, host)
    finish(archive, 5)
    host.clock.passed += 9 * DAY
    assert said(stack, host, ask) == (Outcome.PASS, "1 finished segments wait, the oldest for 9 d 6 s")


@pytest.mark.parametrize("ask", ASKS)
def test_wal_that_no_set_there_goes_on_with_waits_too(tmp_path, host, archive, ask):
    stack = stack_in(tmp_path, **BUDGET)
    host.clock.passed += 2 * DAY
    (check,) = ask(stack, host)
    assert (check.outcome, check.seen[:24]) == (Outcome.FAIL, "3 finished segments wait")
    assert "invoke backup --kind physical" in check.remedy


@pytest.mark.parametrize("ask", ASKS)
def test_an_older_chain_counts_only_where_a_set_there_goes_on_with_it(tmp_path, host, archive, ask):
    stack = stack_with(tmp_path, BUDGET)
    push(stack, host)
    older = archive.listing()
    newer = older.replace(SLOT, f"{SLOT}z").replace("cluster=initial", "cluster=next").split("file=")[0]
    archive.listing = lambda: older + newer
    host.clock.passed += 2 * DAY
    assert said(stack, host, ask) == ALL_THERE
    finish(archive, 5)
    older = Archive.listing(archive)
    assert said(stack, host, ask)[0] is Outcome.FAIL


@pytest.mark.parametrize("ask", ASKS)
def test_an_archive_that_cannot_be_read_is_a_failure(tmp_path, host, archive, ask):
    stack = stack_with(tmp_path, BUDGET)
    host.processes.on("chain=$chain", code=125, stderr="no such image")
    outcome, seen = said(stack, host, ask)
    assert outcome is Outcome.FAIL
    assert seen.startswith("could not check: ")


@pytest.mark.parametrize("ask", ASKS)
def test_a_segment_of_a_time_that_has_not_come_yet_is_a_failure(tmp_path, host, archive, ask):
    stack = stack_with(tmp_path, BUDGET)
    host.clock.passed -= DAY
    assert said(stack, host, ask) == (Outcome.FAIL, "could not check: a segment is of a time that has not come yet")


def test_a_note_that_names_no_segment_is_a_failure(tmp_path, host, archive):
    stack = stack_with(tmp_path, BUDGET)
    WalNote(stack.state_folder, stack.settings["BACKUP_REMOTE"]).add(SLOT, "no segment")
    assert said(stack, host, noted_wal_checks)[1].startswith("could not check: ")


def test_a_note_that_is_lost_counts_nothing_as_there(tmp_path, host, archive):
    stack = stack_with(tmp_path, BUDGET)
    push(stack, host)
    (stack.state_folder / "wal-off-site.json").write_text("{")
    host.clock.passed += 2 * DAY
    assert said(stack, host, noted_wal_checks)[0] is Outcome.FAIL
    assert said(stack, host, remote_wal_checks) == ALL_THERE


def test_status_asks_no_network_and_doctor_asks_the_remote(tmp_path, well):
    Archive(well, 1, 2, 3, 4)
    stack, place = stack_with(tmp_path, BUDGET), place_in(tmp_path, **BUDGET)
    push(stack, well)
    well.remotes.client.asked.clear()
    assert NOTED in {each.name for each in budget_checks(stack, well, look_at(stack))}
    assert well.remotes.client.asked == []
    del well.remotes.client.objects[f"{FOLDER}/{segment(3)}.gz"]
    found = {each.name: each for each in doctor(place, well)}
    assert found[NOTED].outcome is Outcome.PASS
    assert found[THERE].outcome is Outcome.FAIL
    assert found[THERE].seen == f"1 listed segments are not there as they were sent, such as {segment(3)}.gz"


def test_a_list_that_is_gone_or_damaged_at_the_remote_is_seen(tmp_path, host, archive):
    stack = stack_with(tmp_path, BUDGET)
    push(stack, host)
    host.remotes.client.objects[f"{FOLDER}/segments.json"] = b"{}"
    assert said(stack, host, remote_wal_checks)[1].startswith(f"could not check: The list of the WAL of {SLOT}")
    del host.remotes.client.objects[f"{FOLDER}/segments.json"]
    host.clock.passed += 2 * DAY
    assert said(stack, host, remote_wal_checks)[0] is Outcome.FAIL
    assert said(stack, host, noted_wal_checks) == ALL_THERE


def test_a_remote_that_refuses_is_a_failure(tmp_path, host, archive):
    stack = stack_with(tmp_path, BUDGET)
    host.remotes.client.fault("get_object", failing(refusal("AccessDenied", "no")))
    assert failures(remote_wal_checks(stack, host))
    assert host.remotes.quick
