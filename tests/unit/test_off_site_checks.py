"""Whether sets get off-site: from notes for status, asked of the remote for doctor; unknown is a failure."""

import shutil

import pytest
from botocore.exceptions import ConnectTimeoutError

from chatwoot_ops.adapters import remote_store, remotes
from chatwoot_ops.adapters.backup_store import BackupStore
from chatwoot_ops.adapters.remotes import Remotes
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, MANIFEST
from chatwoot_ops.model.check import Outcome, failures
from chatwoot_ops.model.remote import Remote
from chatwoot_ops.operations.doctor import doctor
from chatwoot_ops.operations.known import look_at
from chatwoot_ops.operations.off_site_checks import off_site_checks, remote_checks
from chatwoot_ops.operations.pushing import push
from chatwoot_ops.operations.status import status
from fake_s3 import failing, refusal
from off_site import FOLDER, NAME, REMOTE
from sets import sealed
from world import place_in, stack_in

AGED = {**REMOTE, "BACKUP_MAX_AGE": "26h"}
URL = REMOTE["BACKUP_REMOTE"]


@pytest.fixture
def values():
    return AGED


def made(stack, day=24, hour=2):
    stamp, created = f"202611{day}T{hour:02}0000Z", f"2026-11-{day}T{hour:02}:00:00Z"
    return sealed(stack.backup_folder, stamp=stamp, created=created)


def told(stack, host):
    return [(each.outcome, each.seen) for each in off_site_checks(stack, host, look_at(stack))]


def asked(stack, host):
    (found,) = remote_checks(stack, host)
    return found.outcome, found.seen


def test_without_a_remote_both_are_not_configured_and_nothing_is_asked(tmp_path, host):
    stack = stack_in(tmp_path)
    assert [each.outcome for each in (*off_site_checks(stack, host, look_at(stack)), *remote_checks(stack, host))] == [
        Outcome.NOT_CONFIGURED
    ] * 2
    assert host.remotes.opened == []


def test_a_newest_set_that_is_there_in_time_passes_both(stack, host):
    path = made(stack)
    push(stack, host)
    age = "6 h old, at most 26h"
    assert told(stack, host) == [
        (Outcome.PASS, f"newest copy {path.name} {age}"),
        (Outcome.PASS, f"{path.name} is there"),
    ]
    assert asked(stack, host) == (Outcome.PASS, f"answers, 1 sets, newest {path.name} {age}")


def test_without_a_budget_the_age_is_told_and_fails_nobody(tmp_path, host):
    stack = stack_in(tmp_path, **REMOTE)
    path = made(stack, day=10)
    assert told(stack, host)[0] == (Outcome.WARN, "no set has a copy there")
    assert asked(stack, host)[0] is Outcome.WARN
    push(stack, host)
    assert told(stack, host)[0] == (Outcome.PASS, f"newest copy {path.name} 14 d 6 h old")
    assert asked(stack, host)[0] is Outcome.PASS


def test_a_newest_copy_that_is_too_old_fails_both_whatever_is_here(stack, host):
    old = made(stack, day=22)
    push(stack, host)
    new = made(stack)
    assert told(stack, host) == [
        (Outcome.FAIL, f"newest copy {old.name} 2 d 6 h old, at most 26h"),
        (Outcome.WARN, f"{new.name} is not there yet, 1 sets in all"),
    ]
    assert asked(stack, host)[0] is Outcome.FAIL


def test_an_older_set_that_never_got_there_is_told(stack, host):
    made(stack, day=23)
    new = made(stack)
    push(stack, host)
    assert told(stack, host)[1] == (Outcome.WARN, f"{new.name} is there; 1 older sets are not, and prune keeps them")


def test_with_a_budget_no_copy_at_all_is_a_failure(stack, host):
    made(stack)
    assert told(stack, host)[0] == (Outcome.FAIL, "no set has a copy there, at most 26h is allowed")
    seen = f"{URL} answers and holds no set of this installation that was read back"
    assert asked(stack, host) == (Outcome.FAIL, seen)


@pytest.mark.parametrize("part", [MANIFEST, "off-site.json"])
def test_what_was_never_read_back_there_is_no_copy(stack, host, part):
    path = made(stack)
    push(stack, host)
    del host.remotes.client.objects[f"{FOLDER.replace(NAME, path.name)}/{part}"]
    assert "holds no set of this installation" in asked(stack, host)[1]


def test_a_copy_that_was_cut_short_there_is_seen_without_reading_it(stack, host):
    path = made(stack)
    push(stack, host)
    name = f"{FOLDER.replace(NAME, path.name)}/{DATABASE_ARTIFACT}"
    host.remotes.client.objects[name] = host.remotes.client.objects[name][:-1]
    assert asked(stack, host) == (Outcome.FAIL, f"the copy of {path.name} is not whole any more: {DATABASE_ARTIFACT}")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refusal("InvalidAccessKeyId", "no such key"), "could not check: The remote refused listing"),
        (ConnectTimeoutError(endpoint_url="http://x"), "could not check: The remote failed at listing"),
    ],
)
def test_a_remote_that_refuses_or_is_silent_fails_and_says_what_to_do(stack, host, error, said):
    host.remotes.client.fault("list_objects_v2", failing(error))
    (found,) = remote_checks(stack, host)
    assert found.outcome is Outcome.FAIL
    assert found.seen.startswith(said)
    assert found.remedy
    assert host.remotes.quick


def test_a_manifest_there_that_is_damaged_is_not_believed(stack, host):
    path = made(stack)
    push(stack, host)
    host.remotes.client.objects[f"{FOLDER.replace(NAME, path.name)}/{MANIFEST}"] = b"{}"
    assert asked(stack, host)[1].startswith("could not check: The manifest is damaged")


def test_a_time_that_is_none_is_a_failure_in_both(stack, host):
    sealed(stack.backup_folder, created="yesterday")
    push(stack, host)
    assert told(stack, host)[0][1].startswith("could not check")
    assert asked(stack, host)[1].startswith("could not check")


def test_a_folder_that_cannot_be_read_is_said_by_every_check_and_by_status(stack, well, monkeypatch):
    def unreadable(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(BackupStore, "sets", unreadable)
    known = look_at(stack)
    assert told(stack, well)[0][1] == f"could not check: {stack.backup_folder} cannot be read: Permission denied"
    found = status(stack, well)
    assert found.last_backup == f"unknown: {known.unread}"
    assert {"backup age", "off-site age"} <= {each.name for each in failures(found.checks)}


def test_status_tells_from_notes_and_doctor_asks(tmp_path, stack, well):
    place = place_in(tmp_path, **AGED)
    made(stack)
    push(stack, well)
    well.remotes.client.asked.clear()
    assert failures(each for each in status(stack, well).checks if each.name == "off-site age") == ()
    assert well.remotes.client.asked == []
    shutil.rmtree(stack.backup_folder)
    found = {each.name: each for each in doctor(place, well)}
    assert found["off-site remote"].outcome is Outcome.PASS
    assert found["off-site age"].outcome is Outcome.FAIL


def test_status_reads_each_manifest_and_certificate_once(stack, well, monkeypatch):
    made(stack)
    push(stack, well)
    read, real = [], BackupStore.sets
    monkeypatch.setattr(BackupStore, "sets", lambda store: read.append(1) or real(store))
    status(stack, well)
    assert read == [1]


def test_a_quick_question_is_given_up_within_seconds(monkeypatch):
    given = []
    monkeypatch.setattr(remote_store, "client_of", lambda _, **limits: given.append(limits))
    readings = [Remotes().open(Remote("b", ""), quick=quick).readings for quick in (True, False)]
    assert (readings[0], readings[1] > 1) == (1, True)
    assert given == [dict(remotes.QUICK), {}]
    assert (remotes.QUICK["connect"] + remotes.QUICK["silent"]) * remotes.QUICK["attempts"] <= 10
