"""Off-site copies that no rule keeps: shown first, the manifest gone first, and nobody else's ever touched."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

import pytest

from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.set_notes import mark_off_site
from chatwoot_ops.errors import CommandFailedError, ConfirmationMissingError, SettingsInvalidError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, MANIFEST
from chatwoot_ops.operations.keep import keep
from chatwoot_ops.operations.prune_remote import planned_remote, prune_remote
from chatwoot_ops.operations.pushing import push
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.remote import list_remote
from fake_s3 import failing, refusal
from off_site import REMOTE
from sets import sealed
from world import INSTANCE, place_in, stack_in

ONE_ONLY = {f"BACKUP_KEEP_{rule}": "0" for rule in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")} | {"BACKUP_KEEP_LAST": "1"}
NAMES = [f"2026110{day}T023000Z-logical" for day in (1, 2, 3)]


@pytest.fixture
def values():
    return {**REMOTE, **ONE_ONLY}


@pytest.fixture
def s3(host):
    host.processes.on("docker ps", "")
    return host.remotes.client


@pytest.fixture
def pushed(stack, host, s3):
    """Three sets that are off-site, oldest first."""
    for day in (1, 2, 3):
        sealed(stack.backup_folder, stamp=f"2026110{day}T023000Z", created=f"2026-11-0{day}T02:30:00Z")
        push(stack, host)
    s3.asked.clear()


def there(stack, host):
    return [each.manifest.name for each in list_remote(stack, host).sets]


def test_what_no_rule_keeps_is_shown_and_nothing_is_touched(stack, host, s3, pushed):
    plan = planned_remote(stack, host)
    assert [each.name for each in plan.going] == NAMES[1::-1]
    assert s3.did("delete_object") == s3.did("put_object") == []


def test_what_no_rule_keeps_goes_and_the_sets_here_stay_and_say_so(stack, host, s3, pushed):
    assert prune_remote(stack, host, yes=True).removed == tuple(NAMES[1::-1])
    assert there(stack, host) == NAMES[2:]
    assert not [name for name in s3.objects if NAMES[0] in name]
    assert [bool(read_set(stack.backup_folder / name).off_site) for name in NAMES] == [False, False, True]


def test_the_manifest_goes_first_and_the_claim_last(stack, host, s3, pushed):
    prune_remote(stack, host, yes=True)
    gone = [given["Key"].rpartition("/")[2] for given in s3.did("delete_object")]
    assert gone[0] == MANIFEST
    assert gone[4] == "claim.json"


def test_nothing_goes_unless_it_was_confirmed(stack, host, s3, pushed):
    with pytest.raises(ConfirmationMissingError):
        prune_remote(stack, host)
    assert there(stack, host) == NAMES


def test_copies_of_another_installation_are_not_even_shown(stack, tmp_path, host, s3, pushed):
    (tmp_path / "b").mkdir()
    other = stack_in(tmp_path / "b", **{**REMOTE, "CHATWOOT_INSTANCE_ID": "other"})
    sealed(other.backup_folder, instance="other", created="2020-01-01T00:00:00Z")
    push(other, host)
    assert {each.name for each in planned_remote(stack, host).sets} == set(NAMES)
    prune_remote(stack, host, yes=True)
    assert "other" in {each.manifest.instance for each in list_remote(stack, host).sets}


def test_the_copy_of_a_set_that_is_marked_here_stays(stack, host, s3, pushed):
    keep(stack, host, NAMES[0])
    prune_remote(stack, host, yes=True)
    assert there(stack, host) == [NAMES[0], NAMES[2]]


def test_the_newest_copy_that_was_read_back_stays(stack, host, s3, pushed):
    for name in NAMES[1:]:
        del s3.objects[f"chatwoot/{INSTANCE}/{name}/off-site.json"]
    prune_remote(stack, host, yes=True)
    assert there(stack, host) == [NAMES[0], NAMES[2]]


def test_what_cannot_be_read_is_named_and_stays(stack, host, s3, pushed):
    s3.objects[f"chatwoot/{INSTANCE}/{NAMES[0]}/{MANIFEST}"] = b"{"
    plan = prune_remote(stack, host, yes=True)
    assert plan.removed == (NAMES[1],)
    assert plan.damaged[0].startswith(f"{INSTANCE}/{NAMES[0]}")
    assert f"chatwoot/{INSTANCE}/{NAMES[0]}/{DATABASE_ARTIFACT}" in s3.objects


def test_a_server_that_says_it_removed_and_did_not_is_found_before_half_of_a_copy_is_gone(stack, host, s3, pushed):
    before = dict(s3.objects)
    s3.delete_object = lambda **_: None
    with pytest.raises(CommandFailedError, match="is there although the server removed it"):
        prune_remote(stack, host, yes=True)
    assert s3.objects == before


def test_a_key_that_may_not_delete_is_said(stack, host, s3, pushed):
    s3.fault("delete_object", failing(refusal("AccessDenied")))
    with pytest.raises(CommandFailedError, match=r"refused removing .*: AccessDenied"):
        prune_remote(stack, host, yes=True)
    assert there(stack, host) == NAMES


def test_without_a_remote_or_a_rule_it_refuses(tmp_path, stack, host, s3):
    for settings in ({**ONE_ONLY}, {**REMOTE, **ONE_ONLY, "BACKUP_KEEP_LAST": "0"}):
        with pytest.raises(SettingsInvalidError):
            planned_remote(stack_in(tmp_path, **settings), host)


@pytest.mark.parametrize("flag", ["finish", "undo"])
def test_a_removal_that_was_killed_is_finished_or_left_as_no_set(tmp_path, stack, host, s3, pushed, flag):
    with s3.killed_at("delete_object", DATABASE_ARTIFACT):
        prune_remote(stack, host, yes=True)
    assert list_remote(stack, host).unfinished == (f"{INSTANCE}/{NAMES[1]}",)
    assert recover(place_in(tmp_path, **REMOTE, **ONE_ONLY), host, **{flag: True}).ended
    assert there(stack, host) == (NAMES[2:] if flag == "finish" else [NAMES[0], NAMES[2]])
    assert list_remote(stack, host).unfinished == (() if flag == "finish" else (f"{INSTANCE}/{NAMES[1]}",))
    mark_off_site(read_set(stack.backup_folder / NAMES[1]), "")
    push(stack, host, NAMES[1])
    assert NAMES[1] in there(stack, host)
