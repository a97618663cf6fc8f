"""Budgets: the age of the newest backup and of the last drill, and the recovery it measured; unknown is a failure."""

import json

import pytest

from chatwoot_ops.errors import ChecksFailedError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT
from chatwoot_ops.model.certificate import to_json
from chatwoot_ops.model.check import Outcome, failures
from chatwoot_ops.model.duration import parse_duration, show_duration
from chatwoot_ops.operations import budgets
from chatwoot_ops.operations.doctor import doctor
from chatwoot_ops.operations.known import look_at
from chatwoot_ops.operations.status import status
from sets import certificate, sealed
from world import INSTANCE, place_in, stack_in

SETTINGS = {
    "CHATWOOT_INSTANCE_ID": INSTANCE,
    "BACKUP_MAX_AGE": "26h",
    "DRILL_MAX_AGE": "35d",
    "RESTORE_TIME_TARGET": "30m",
}
DRILLED = {"set": "a-set", "ended": "2026-11-01T06:00:00Z", "recovery_seconds": 93.2}
GOOD = json.loads(to_json(certificate(**DRILLED)))


@pytest.fixture
def values():
    return SETTINGS


def budget_checks(stack, host):
    return budgets.budget_checks(stack, host, look_at(stack))


def drilled(stack, name="one", **changed):
    folder = stack.state_folder / "drills"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(to_json(certificate(**{**DRILLED, **changed})))


def seen(stack, host, name):
    (found,) = [(each.outcome, each.seen) for each in budget_checks(stack, host) if each.name == name]
    return found


def test_without_budgets_nothing_is_configured_and_nothing_fails(tmp_path, host):
    checks = budget_checks(stack_in(tmp_path), host)
    assert {each.outcome for each in checks} == {Outcome.NOT_CONFIGURED}
    assert [each.name for each in checks] == ["backup age", "drill age", "restore time", "off-site age", "schedule"]


def test_budgets_that_are_kept_pass_with_what_was_measured(stack, host):
    sealed(stack.backup_folder, created="2026-11-24T02:30:00Z")
    drilled(stack)
    name = "20261124T080000Z-logical"
    assert seen(stack, host, "backup age") == (Outcome.PASS, f"newest set {name} 5 h 30 m old, at most 26h")
    assert seen(stack, host, "drill age")[1] == "last drill that passed, of a-set, 23 d 2 h old, at most 35d"
    assert seen(stack, host, "restore time") == (Outcome.PASS, "a-set was back in 1 m 33 s, at most 30m")
    assert failures(budget_checks(stack, host)) == ()


@pytest.mark.parametrize(("created", "outcome"), [("23T06:00:01", Outcome.PASS), ("23T05:59:59", Outcome.FAIL)])
def test_a_backup_that_is_older_than_its_budget_fails(stack, host, created, outcome):
    sealed(stack.backup_folder, created=f"2026-11-{created}Z")
    assert seen(stack, host, "backup age")[0] is outcome


def test_the_newest_set_counts_not_the_latest_date(stack, host):
    sealed(stack.backup_folder, created="2026-11-24T07:00:00Z")
    sealed(stack.backup_folder, created="2019-01-01T00:00:00Z")
    assert seen(stack, host, "backup age")[0] is Outcome.FAIL


def no_set(_stack):
    pass


def only_a_foreign_set(stack):
    sealed(stack.backup_folder, created="2026-11-24T07:00:00Z", instance="another")


def only_a_set_without_its_dump(stack):
    (sealed(stack.backup_folder, created="2026-11-24T07:00:00Z") / DATABASE_ARTIFACT).unlink()


def only_a_damaged_set(stack):
    (sealed(stack.backup_folder, created="2026-11-24T07:00:00Z") / "manifest.json").write_text("{")


@pytest.mark.parametrize("there", [no_set, only_a_foreign_set, only_a_set_without_its_dump, only_a_damaged_set])
def test_what_is_no_whole_set_of_this_installation_is_none(stack, host, there):
    there(stack)
    assert seen(stack, host, "backup age") == (Outcome.FAIL, "no whole set, at most 26h is allowed")


@pytest.mark.parametrize("created", ["2026-11-24T08:06:00Z", "yesterday"])
def test_a_set_of_a_time_that_cannot_be_is_a_failure(stack, host, created):
    sealed(stack.backup_folder, created=created)
    outcome, text = seen(stack, host, "backup age")
    assert (outcome, text[:15]) == (Outcome.FAIL, "could not check")


def test_without_a_drill_that_passed_both_of_its_budgets_fail(stack, host):
    drilled(stack, passed=False, ended="2026-11-24T06:00:00Z")
    assert seen(stack, host, "drill age") == (Outcome.FAIL, "no drill has passed, at most 35d is allowed")
    assert seen(stack, host, "restore time") == (Outcome.FAIL, "not measured yet, at most 30m is allowed")


def test_the_last_drill_that_passed_counts_whatever_its_file_is_called(stack, host):
    drilled(stack, "b", ended="2026-10-01T06:00:00Z", recovery_seconds=1)
    drilled(stack, "a", ended="2026-11-20T06:00:00+00:00", recovery_seconds=1801)
    drilled(stack, "c", ended="2026-11-23T06:00:00Z", passed=False, recovery_seconds=1)
    assert seen(stack, host, "drill age")[1] == "last drill that passed, of a-set, 4 d 2 h old, at most 35d"
    assert seen(stack, host, "restore time") == (Outcome.FAIL, "a-set was back in 30 m 1 s, at most 30m")


@pytest.mark.parametrize("edit", [{"ended": "2026-11-24T06:00:00Z"}, {"passed": False}, {"seal": "0" * 64}])
def test_a_certificate_that_was_edited_counts_for_nothing_and_is_said(stack, host, edit):
    drilled(stack, "a", ended="2026-11-20T06:00:00Z")
    (stack.state_folder / "drills/edited.json").write_text(json.dumps({**GOOD, **edit}))
    for name in ("drill age", "restore time"):
        assert seen(stack, host, name)[0] is Outcome.FAIL
    assert look_at(stack).torn == ("edited.json",)


def test_a_certificate_of_before_they_had_a_checksum_counts_and_says_so(stack, host):
    before = {key: value for key, value in GOOD.items() if key != "seal"}
    drilled(stack, "a", ended="2026-10-01T06:00:00Z")
    (stack.state_folder / "drills/b.json").write_text(json.dumps({**before, "format": 1}))
    said = "last drill that passed, of a-set (no checksum: an earlier version made it), 23 d 2 h old, at most 35d"
    assert seen(stack, host, "drill age") == (Outcome.PASS, said)


def test_a_drill_that_is_too_long_ago_fails(stack, host):
    drilled(stack, ended="2026-10-20T07:59:00Z")
    assert seen(stack, host, "drill age")[0] is Outcome.FAIL


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps({**GOOD, "ended": "x"}), json.dumps({**GOOD, "recovery_seconds": None})]
)
def test_a_certificate_that_cannot_be_read_is_a_failure(stack, host, text):
    drilled(stack)
    (stack.state_folder / "drills/two.json").write_text(text)
    for name in ("drill age", "restore time"):
        outcome, shown = seen(stack, host, name)
        assert (outcome, shown[:47]) == (Outcome.FAIL, "could not check: The certificate two.json canno")


def test_every_failure_says_what_to_type(stack, host):
    assert [each for each in failures(budget_checks(stack, host)) if not each.remedy] == []


def test_status_and_doctor_fail_when_a_budget_is_exceeded(tmp_path, stack, well):
    found = status(stack, well)
    assert {each.name for each in failures(found.checks)} == {"backup age", "drill age", "restore time"}
    checks = doctor(place_in(tmp_path, **SETTINGS), well)
    assert {"backup age", "drill age", "restore time"} <= {each.name for each in failures(checks)}
    assert ChecksFailedError.code == 25


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("0s", 0, "0 s"),
        ("45s", 45, "45 s"),
        ("90m", 5400, "1 h 30 m"),
        ("26h", 93600, "1 d 2 h"),
        ("35d", 3024000, "35 d"),
        ("3601s", 3601, "1 h 1 s"),
    ],
)
def test_a_length_of_time_is_read_and_shown(text, seconds, shown):
    assert parse_duration(text) == seconds
    assert show_duration(seconds) == shown
