"""Key pairs: made into a file that is never overwritten and lies in no wrong place, and proved on a set to its end."""

import json
from pathlib import Path

import pytest

from chatwoot_ops.adapters.age import identity_file, make_pair, public_half
from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.errors import (
    BackupSetInvalidError,
    CommandFailedError,
    PreflightFailedError,
    RefusedError,
    SettingsInvalidError,
)
from chatwoot_ops.model.backup_settings import backup_problems, recipients_in
from chatwoot_ops.model.check import Outcome
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.model.journal import Opening, Step
from chatwoot_ops.operations.backup_keys import make_keys
from chatwoot_ops.operations.backup_sets import store_of as sets_of
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.key_proof import prove_key, recipients_check
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.recover import recover
from sets import sealed, sealed_whole
from world import FOLDER, INSTANCE, ROOT, place_in, stack_in

PUBLIC, PRIVATE = make_pair()
OTHER = make_pair()[0]


@pytest.fixture
def values():
    return {"CHATWOOT_INSTANCE_ID": INSTANCE}


@pytest.fixture
def stick(tmp_path):
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def named(place):
    return recipients_in(read_env_file(place.env_file).values)


def test_the_private_half_goes_into_a_private_file_and_only_the_public_one_is_told(place, host, stick):
    made = make_keys(place, host, str(stick / "key"))
    (private,) = identity_file(stick / "key").keys
    assert public_half(private) == made.public
    assert (stick / "key").stat().st_mode & 0o777 == 0o600
    assert private not in repr(made)
    assert host.processes.mask(private) == "********"
    assert named(place) == ()


def test_with_add_the_public_half_joins_those_in_the_settings_and_nothing_else_changes(tmp_path, host, stick):
    place = place_in(tmp_path, BACKUP_RECIPIENTS=PUBLIC)
    before = dict(read_env_file(place.env_file).values)
    made = make_keys(place, host, str(stick / "key"), add=True)
    after = read_env_file(place.env_file)
    assert recipients_in(after.values) == (PUBLIC, made.public)
    assert {**after.values, "BACKUP_RECIPIENTS": PUBLIC} == before
    assert after.mode == 0o600
    entry = json.loads(store_of(unchecked_stack(place, after), host).ledger.read_text())
    assert (entry["operation"], entry["outcome"]) == ("backup.keys", "done")
    (private,) = identity_file(stick / "key").keys
    assert private not in store_of(unchecked_stack(place, after), host).ledger.read_text()


def test_with_add_it_works_where_everything_is_to_be_encrypted_and_nobody_is_named_yet(tmp_path, host, stick):
    place = place_in(tmp_path, BACKUP_ENCRYPT="all")
    assert make_keys(place, host, str(stick / "key"), add=True).added
    assert len(named(place)) == 1


def test_without_any_settings_a_pair_can_be_made_and_none_be_added(place, host, stick):
    place.env_file.unlink()
    assert make_keys(place, host, str(stick / "key")).public.startswith("age1")
    with pytest.raises(SettingsInvalidError, match="no settings file"):
        make_keys(place, host, str(stick / "other"), add=True)
    assert not (stick / "other").exists()


def test_a_file_that_is_there_is_never_overwritten(place, host, stick):
    (stick / "key").write_text("a key")
    with pytest.raises(PreflightFailedError, match="is there already"):
        make_keys(place, host, str(stick / "key"), add=True)
    assert (stick / "key").read_text() == "a key"
    assert named(place) == ()


def test_a_file_that_comes_between_the_look_and_the_writing_is_not_overwritten_either(place, host, stick, monkeypatch):
    monkeypatch.setattr("chatwoot_ops.operations.backup_keys._refuse_place", lambda *_: None)
    host.processes.on("docker ps -aq", "")
    (stick / "key").write_text("a key")
    with pytest.raises(CommandFailedError, match="File exists"):
        make_keys(place, host, str(stick / "key"), add=True)
    assert (stick / "key").read_text() == "a key"
    assert named(place) == ()


def test_a_place_from_which_it_would_be_copied_with_the_sets_is_refused_also_by_a_link(place, stack, host, stick):
    stack.backup_folder.mkdir()
    (stick / "link").symlink_to(stack.backup_folder)
    for where in (stack.backup_folder / "key", stick / "link" / "key", ROOT / "key", FOLDER / "key"):
        with pytest.raises(PreflightFailedError, match="lies in the"):
            make_keys(place, host, str(where))
        assert not where.exists()


def test_no_file_and_no_folder_are_refused(place, host, stick):
    with pytest.raises(RefusedError, match="Say where") as caught:
        make_keys(place, host, "")
    assert caught.value.code == 1
    with pytest.raises(PreflightFailedError, match="There is no folder"):
        make_keys(place, host, str(stick / "none" / "key"))


def test_settings_that_are_read_in_two_ways_are_not_written_into(place, host, stick):
    place.env_file.write_text(place.env_file.read_text() + "BACKUP_RECIPIENTS=a\nBACKUP_RECIPIENTS=b\n")
    with pytest.raises(SettingsInvalidError, match="cannot be read reliably"):
        make_keys(place, host, str(stick / "key"), add=True)
    assert not (stick / "key").exists()


@pytest.mark.parametrize(("how", "added"), [({"finish": True}, (PUBLIC,)), ({"undo": True}, ())])
def test_killed_between_the_files_it_is_finished_or_left(place, stack, host, how, added):
    host.processes.on("docker ps -aq", "")
    opening = Opening("backup.keys", "abc", "ada", 7, "t0", {"to": "x"})
    store_of(stack, host).open(opening, (Step("add-recipient", "t", {"public": PUBLIC}),))
    assert recover(place, host, **how).ended
    assert named(place) == added


def test_killed_before_the_settings_were_to_change_there_is_nothing_to_finish(place, stack, host):
    host.processes.on("docker ps -aq", "")
    store_of(stack, host).open(Opening("backup.keys", "abc", "ada", 7, "t0", {"to": "x"}))
    assert recover(place, host, finish=True).ended
    assert named(place) == ()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, ()),
        ({"BACKUP_RECIPIENTS": f"{PUBLIC}, {OTHER}", "BACKUP_ENCRYPT": "all"}, ()),
        ({"BACKUP_ENCRYPT": "all"}, ("BACKUP_ENCRYPT: all, and BACKUP_RECIPIENTS is empty",)),
        ({"BACKUP_RECIPIENTS": PRIVATE}, ("BACKUP_RECIPIENTS: key 1 is a PRIVATE key",)),
        ({"BACKUP_RECIPIENTS": f"{PUBLIC} {PRIVATE.lower()}"}, ("BACKUP_RECIPIENTS: key 2 is a PRIVATE key",)),
        ({"BACKUP_RECIPIENTS": "age1example"}, ("BACKUP_RECIPIENTS: key 1 is no age public key",)),
        ({"BACKUP_RECIPIENTS": PUBLIC[:-1]}, ("BACKUP_RECIPIENTS: key 1 is no age public key",)),
    ],
)
def test_settings_that_cannot_work_are_said_and_no_private_key_is_shown(values, said):
    found = tuple(backup_problems(values))
    assert [line.startswith(start) for line, start in zip(found, said, strict=True)] == [True] * len(said)
    assert PRIVATE.lower()[:20] not in "".join(found).lower()


@pytest.fixture
def key(tmp_path):
    (tmp_path / "key").write_text(PRIVATE)
    return str(tmp_path / "key")


def a_whole_set(stack, **changed):
    keys = fingerprints(stack.settings.values, INSTANCE)
    given = {"settings": stack.env_file.read_text(), "fingerprints": keys, **changed}
    return sealed_whole(stack.backup_folder, PUBLIC, **given)


def test_a_key_that_opens_the_newest_set_has_proved_itself_and_that_is_noted(place, stack, host, key):
    path = a_whole_set(stack)
    proved = prove_key(place, host, "latest", key)
    assert (proved.set, proved.key, proved.at) == (path.name, PUBLIC, "2026-11-24T08:00:00Z")
    (found,) = sets_of(stack).sets()
    assert (found.proved, found.proved_key) == (proved.at, PUBLIC)
    assert PRIVATE not in "".join(each.read_text(errors="replace") for each in path.iterdir())


def test_a_key_can_be_typed(place, stack, host):
    a_whole_set(stack)
    host.reporter.answers.append(PRIVATE)
    assert prove_key(place, host, "latest", "").key == PUBLIC
    assert [secret for _, secret in host.reporter.questions] == [True]


def test_a_key_that_is_wrong_missing_or_no_key_proves_nothing(place, stack, host, tmp_path):
    a_whole_set(stack)
    (tmp_path / "wrong").write_text(make_pair()[1])
    (tmp_path / "none").write_text("no key")
    for given in (str(tmp_path / "wrong"), str(tmp_path / "none"), str(tmp_path / "gone"), ""):
        with pytest.raises(BackupSetInvalidError) as caught:
            prove_key(place, host, "latest", given)
        assert caught.value.code == 13
    assert sets_of(stack).sets()[0].proved == ""


def test_a_set_with_nothing_encrypted_in_it_proves_nothing(place, stack, host, key):
    sealed(stack.backup_folder)
    with pytest.raises(BackupSetInvalidError, match="Nothing in the set"):
        prove_key(place, host, "latest", key)


def test_a_set_that_is_damaged_or_whose_settings_are_others_proves_nothing(place, stack, host, key):
    path = a_whole_set(stack)
    whole = (path / "storage.tar.age").read_bytes()
    (path / "storage.tar.age").write_bytes(whole[:-1])
    with pytest.raises(BackupSetInvalidError, match="does not open whole"):
        prove_key(place, host, "latest", key)
    a_whole_set(stack, settings=stack.env_file.read_text().replace("SECRET_KEY_BASE=S", "SECRET_KEY_BASE=X"))
    with pytest.raises(BackupSetInvalidError) as caught:
        prove_key(place, host, "latest", key)
    assert caught.value.details == ("settings.env.age: SECRET_KEY_BASE is not the one that the set needs",)


def test_the_doctor_says_whether_anybody_could_open_a_set_and_when_that_was_proved_last(place, tmp_path, host, key):
    nobody = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE)
    assert recipients_check(nobody).outcome is Outcome.NOT_CONFIGURED
    stack = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, BACKUP_RECIPIENTS=f"{PUBLIC},{OTHER}")
    path = a_whole_set(stack)
    unproved = recipients_check(stack)
    assert unproved.outcome is Outcome.WARN
    assert "invoke backup.keys --prove" in unproved.remedy
    prove_key(place, host, "latest", key)
    proved = recipients_check(stack)
    assert proved.outcome is Outcome.PASS
    assert f"a private key opened {path.name} at 2026-11-24T08:00:00Z" in proved.seen
    # A proof of a key that is named no longer is none.
    assert recipients_check(stack_in(tmp_path, BACKUP_RECIPIENTS=OTHER)).outcome is Outcome.WARN


def test_where_the_key_is_kept_there_need_be_no_settings(place, stack, host, key):
    path = a_whole_set(stack)
    place.env_file.unlink()
    assert prove_key(place, host, str(path), key).key == PUBLIC


def test_what_is_noted_beside_a_set_and_cannot_be_read_is_no_proof(stack):
    path = a_whole_set(stack)
    for text in ("{", "[]", "null"):
        Path(path, "proved.json").write_text(text)
        assert sets_of(stack).sets()[0].proved == ""
