"""Off-site is what was read back: each way in which a remote can fail or lie is seen, and the set here stays."""

import json

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from chatwoot_ops.adapters import remote_upload
from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.set_notes import mark_off_site_ended
from chatwoot_ops.errors import (
    BackupFailedError,
    BackupSetInvalidError,
    InterruptedByOperatorError,
    SettingsInvalidError,
    StackLockedError,
)
from chatwoot_ops.model.backup_set import (
    DATABASE_ARTIFACT,
    KNOWN_ARTIFACT,
    LIST_ARTIFACT,
    MANIFEST,
    SETTINGS_ARTIFACT,
    STORAGE_ARTIFACT,
)
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import list_sets
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.pushing import back_up_off_site, push
from chatwoot_ops.operations.pushing_all import push_all, push_since
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.remote import list_remote
from chatwoot_ops.operations.status import status
from fake_s3 import failing, refusal
from keeping import well_keeping
from off_site import FOLDER, NAME, REMOTE, flipped
from sets import DUMP, sealed
from world import INSTANCE, place_in, stack_in

ALL = sorted([DATABASE_ARTIFACT, STORAGE_ARTIFACT, MANIFEST, "claim.json", "off-site.json"])


@pytest.fixture
def values():
    return REMOTE


@pytest.fixture
def path(stack):
    return sealed(stack.backup_folder)


@pytest.fixture
def host(well):
    well_keeping(well)
    return well


@pytest.fixture
def s3(host):
    return host.remotes.client


def there(s3):
    return sorted(name.removeprefix(f"{FOLDER}/") for name in s3.objects)


def not_off_site(stack, host, s3, match):
    with pytest.raises(BackupFailedError, match=match) as caught:
        push(stack, host)
    error = caught.value
    assert error.code == 22
    assert "The set is kept here: type 'invoke push" in error.remedy
    assert read_set(stack.backup_folder / NAME).off_site == ""
    assert store_of(stack, host).read() is None
    assert f"{FOLDER}/off-site.json" not in s3.objects
    return error


def test_a_pushed_set_is_there_whole_and_marked_here_and_there(stack, path, host, s3):
    result = push(stack, host)
    assert there(s3) == ALL
    for name in (DATABASE_ARTIFACT, STORAGE_ARTIFACT, MANIFEST):
        assert s3.objects[f"{FOLDER}/{name}"] == (path / name).read_bytes()
    note = {"at": "2026-11-24T08:00:00Z", "remote": f"s3://kgc/chatwoot/{INSTANCE}/{NAME}"}
    assert json.loads(s3.objects[f"{FOLDER}/off-site.json"]) == json.loads((path / "off-site.json").read_text()) == note
    assert (result.remote, result.sent) == (note["remote"], read_set(path).size)
    assert list_sets(stack, host).sets[0].off_site == note["at"]
    assert (path / "off-site.json").stat().st_mode & 0o777 == 0o600


def test_the_manifest_goes_out_only_after_every_artifact_was_read_back(stack, path, host, s3):
    push(stack, host)
    asked = [(name, given["Key"].rpartition("/")[2]) for name, given in s3.asked if "Key" in given]
    published = asked.index(("put_object", MANIFEST))
    for name in (DATABASE_ARTIFACT, STORAGE_ARTIFACT):
        assert asked.index(("put_object", name)) < asked.index(("get_object", name)) < published
    assert ("get_object", MANIFEST) in asked[published:]
    assert asked[-1] == ("put_object", "off-site.json")


def test_a_second_push_sends_nothing_and_reads_everything_back(stack, path, host, s3):
    push(stack, host)
    s3.asked.clear()
    assert push(stack, host).sent == 0
    assert [given["Key"].rpartition("/")[2] for given in s3.did("put_object")] == ["off-site.json"]
    assert {DATABASE_ARTIFACT, STORAGE_ARTIFACT} <= {given["Key"].rpartition("/")[2] for given in s3.did("get_object")}


def linked(stack, path):
    """A second set that shares its storage pack with the first."""
    second = sealed(stack.backup_folder, stamp="20261124T090000Z", extra={DATABASE_ARTIFACT: DUMP + b" of later"})
    assert (second / STORAGE_ARTIFACT).read_bytes() == (path / STORAGE_ARTIFACT).read_bytes()
    return second


def test_what_another_set_has_there_is_copied_by_the_server_and_read_back_all_the_same(stack, path, host, s3):
    push(stack, host)
    second = linked(stack, path)
    s3.asked.clear()
    result = push(stack, host)
    (copied,) = s3.did("copy_object")
    there_now = copied["Key"]
    assert copied["CopySource"] == {"Bucket": "kgc", "Key": f"{FOLDER}/{STORAGE_ARTIFACT}"}
    assert result.sent == (second / DATABASE_ARTIFACT).stat().st_size
    assert s3.objects[there_now] == (second / STORAGE_ARTIFACT).read_bytes()
    assert there_now in {given["Key"] for given in s3.did("get_object")}


@pytest.mark.parametrize("fault", ["refused", "damaged there"])
def test_what_the_server_does_not_copy_well_is_sent(stack, path, host, s3, fault):
    push(stack, host)
    second = linked(stack, path)
    if fault == "refused":
        s3.fault("copy_object", failing(refusal("NotImplemented")))
    else:
        s3.objects[f"{FOLDER}/{STORAGE_ARTIFACT}"] = b"x" * (second / STORAGE_ARTIFACT).stat().st_size
    result = push(stack, host)
    assert result.name == second.name
    name = f"chatwoot/{INSTANCE}/{second.name}/{STORAGE_ARTIFACT}"
    assert s3.objects[name] == (second / STORAGE_ARTIFACT).read_bytes()


def test_what_the_owner_of_the_bucket_could_read_is_a_warning(stack, host):
    sealed(stack.backup_folder, extra={SETTINGS_ARTIFACT: b"sealed"})
    (warning,) = push(stack, host).warnings
    assert f"can read {DATABASE_ARTIFACT}, {STORAGE_ARTIFACT}: they are not encrypted" in warning


def test_a_way_without_tls_is_a_warning(tmp_path, host):
    stack = stack_in(tmp_path, **REMOTE, BACKUP_REMOTE_ENDPOINT="http://s3.example")
    sealed(stack.backup_folder)
    assert "is not https" in push(stack, host).warnings[1]


def test_without_a_remote_there_is_nothing_to_push_to(tmp_path, host):
    stack = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE)
    sealed(stack.backup_folder)
    with pytest.raises(SettingsInvalidError, match="No place for off-site copies") as caught:
        push(stack, host)
    assert caught.value.code == 10


FAULTS = {
    "gone": EndpointConnectionError(endpoint_url="https://s3.example"),
    "slow": ReadTimeoutError(endpoint_url="https://s3.example"),
    "full": refusal("InsufficientStorage"),
    "no rights": refusal("AccessDenied"),
}


@pytest.fixture
def failed_push(stack, path, host, s3):
    """Pushes while one kind of request fails."""

    def attempt(operation, fault):
        s3.fault(operation, failing(FAULTS[fault]))
        return not_off_site(stack, host, s3, r"The set .* is not off-site: The remote (failed|refused)")

    return attempt


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["list_objects_v2", "put_object", "get_object"])
def test_a_remote_that_fails_leaves_the_set_sealed_and_the_next_ends_it(failed_push, stack, host, operation, fault):
    error, s3 = failed_push(operation, fault), host.remotes.client
    assert "AKIAEXAMPLE" not in str(error)
    assert MANIFEST not in there(s3)
    s3.faults.clear()
    push(stack, host)
    assert there(s3) == ALL


def test_a_remote_that_takes_an_object_and_does_not_have_it_is_found(stack, path, host, s3):
    s3.fault("put_object", lambda given: given.update(lost=given["Key"].endswith(".tar")))
    error = not_off_site(stack, host, s3, "what the remote holds is not what was sent")
    assert error.details == ("storage.tar: is not there although the server took it",)
    assert MANIFEST not in there(s3)


def test_a_remote_that_loses_the_manifest_is_found(stack, path, host, s3):
    s3.fault("put_object", lambda given: given.update(lost=given["Key"].endswith(MANIFEST)))
    not_off_site(stack, host, s3, "the manifest at the remote is not what was sent")


def cut_short(given):
    if given["Key"].endswith(".dump"):
        given["Body"] = given["Body"][:-1]


def test_a_remote_that_keeps_less_than_it_took_is_found(stack, path, host, s3):
    s3.fault("put_object", cut_short)
    error = not_off_site(stack, host, s3, "what the remote holds is not what was sent")
    assert error.details == (f"{DATABASE_ARTIFACT}: {len(DUMP) - 1} bytes, the manifest says {len(DUMP)}",)


def test_a_flipped_bit_is_found_by_the_next_push_which_sends_the_object_again_and_says_so(stack, path, host, s3):
    push(stack, host)
    flipped(s3, STORAGE_ARTIFACT)
    assert "storage.tar: its content is not what was written; it was sent again" in push(stack, host).warnings[0]
    assert s3.objects[f"{FOLDER}/{STORAGE_ARTIFACT}"] == (path / STORAGE_ARTIFACT).read_bytes()


def test_a_flipped_bit_in_the_manifest_there_is_found_and_mended(stack, path, host, s3):
    push(stack, host)
    flipped(s3, MANIFEST)
    push(stack, host)
    assert s3.objects[f"{FOLDER}/{MANIFEST}"] == (path / MANIFEST).read_bytes()


def test_a_copy_that_goes_bad_for_good_counts_as_off_site_no_longer(stack, path, host, s3):
    push(stack, host)
    s3.objects[f"{FOLDER}/{DATABASE_ARTIFACT}"] = b""
    s3.fault("put_object", cut_short)
    not_off_site(stack, host, s3, "what the remote holds is not what was sent")
    assert list_remote(stack, host).sets == ()
    assert list_remote(stack, host).unfinished == (f"{INSTANCE}/{NAME}",)


def test_a_set_that_is_damaged_here_is_not_sent(stack, path, host, s3):
    (path / DATABASE_ARTIFACT).write_bytes(b"?" * len(DUMP))
    with pytest.raises(BackupSetInvalidError, match="is damaged"):
        push(stack, host)
    assert s3.objects == {}


def test_a_set_of_the_same_name_from_another_host_is_never_overwritten(tmp_path, stack, path, host, s3):
    push(stack, host)
    before = dict(s3.objects)
    (tmp_path / "twin").mkdir()
    twin = stack_in(tmp_path / "twin", **REMOTE)
    sealed(twin.backup_folder, note="of the other host")
    with pytest.raises(BackupSetInvalidError, match="Another set of the name") as caught:
        push(twin, host)
    assert caught.value.code == 13
    assert "its own prefix" in caught.value.remedy
    assert s3.objects == before


def test_a_set_that_somebody_put_there_by_hand_is_not_taken_over(stack, path, host, s3):
    s3.objects[f"{FOLDER}/{MANIFEST}"] = b"another"
    with pytest.raises(BackupSetInvalidError, match="Another set of the name"):
        push(stack, host)
    assert s3.objects == {f"{FOLDER}/{MANIFEST}": b"another"}


def test_two_hosts_that_begin_at_once_do_not_both_get_the_name(tmp_path, stack, path, host, s3):
    (tmp_path / "twin").mkdir()
    twin = stack_in(tmp_path / "twin", **REMOTE, COMPOSE_PROJECT_NAME="twin")
    sealed(twin.backup_folder, note="of the other host")

    def meanwhile(given):
        s3.faults.clear()
        push(twin, host)

    s3.fault("put_object", meanwhile)
    with pytest.raises(BackupSetInvalidError, match="Another set of the name"):
        push(stack, host)
    assert b"of the other host" in s3.objects[f"{FOLDER}/{MANIFEST}"]


def test_sets_of_two_installations_lie_side_by_side(tmp_path, stack, path, host, s3):
    push(stack, host)
    (tmp_path / "b").mkdir()
    other = stack_in(tmp_path / "b", **{**REMOTE, "CHATWOOT_INSTANCE_ID": "other"})
    sealed(other.backup_folder, instance="other")
    push(other, host)
    assert sorted(each.manifest.instance for each in list_remote(stack, host).sets) == [INSTANCE, "other"]


def test_an_upload_that_was_cut_off_is_finished_and_others_of_the_set_are_ended(stack, path, host, s3, monkeypatch):
    monkeypatch.setattr(remote_upload, "part_size", lambda _: 10)
    s3.create_multipart_upload(Bucket="kgc", Key=f"{FOLDER}/{DATABASE_ARTIFACT}")

    def cut(given):
        if given["PartNumber"] == 3:
            raise EndpointConnectionError(endpoint_url="x")

    s3.fault("upload_part", cut)
    not_off_site(stack, host, s3, "failed at sending")
    s3.faults.clear()
    assert push(stack, host).sent == read_set(path).size - 20
    assert s3.uploads == {}
    assert there(s3) == ALL


def test_uploads_that_cannot_be_ended_are_a_warning(stack, path, host, s3):
    s3.fault("list_multipart_uploads", failing(refusal("AccessDenied")))
    assert "may still take room" in push(stack, host).warnings[0]


def test_ctrl_c_is_no_failure_of_the_set(stack, path, host, s3):
    s3.fault("put_object", failing(KeyboardInterrupt()))
    with pytest.raises(InterruptedByOperatorError):
        push(stack, host)
    assert read_set(path).off_site == ""


@pytest.fixture
def killed_push(stack, path, host, s3):
    """A push that came to no end of its own."""
    with s3.killed_at("put_object", ""):
        push(stack, host)


@pytest.mark.parametrize("flag", ["finish", "undo"])
def test_a_push_that_was_killed_is_finished_or_left(tmp_path, killed_push, stack, host, flag):
    with pytest.raises(StackLockedError, match=r"'push' of .* was cut off"):
        push(stack, host)
    place = place_in(tmp_path, **REMOTE)
    assert recover(place, host, **{flag: True}).ended
    assert store_of(stack, host).read() is None
    assert there(host.remotes.client) == (ALL if flag == "finish" else [])


def test_a_backup_is_pushed_where_a_remote_is_set(stack, host, s3):
    result = back_up_off_site(stack, host)
    assert result.set.off_site == "2026-11-24T08:00:00Z"
    assert "not encrypted" in result.warnings[-1]
    assert there(s3) == sorted([*ALL, LIST_ARTIFACT, KNOWN_ARTIFACT])


def test_a_backup_stays_here_when_told_to_or_when_no_remote_is_set(tmp_path, stack, host, s3):
    assert back_up_off_site(stack, host, push_it=False).set.off_site == ""
    (tmp_path / "b").mkdir()
    assert back_up_off_site(stack_in(tmp_path / "b", CHATWOOT_INSTANCE_ID=INSTANCE), host).set.off_site == ""
    assert s3.asked == []


def test_the_kind_that_was_asked_for_is_handed_on(stack, host):
    with pytest.raises(SettingsInvalidError):
        back_up_off_site(stack, host, kind="imagined")


def test_a_backup_whose_push_fails_is_kept_and_said(stack, host, s3):
    s3.fault("put_object", failing(FAULTS["gone"]))
    with pytest.raises(BackupFailedError, match=f"The set {NAME} is not off-site") as caught:
        back_up_off_site(stack, host)
    assert f"invoke push --set {NAME}" in caught.value.remedy
    assert list_sets(stack, host).sets[0].manifest.name == NAME


def test_a_push_needs_no_engine(stack, path, host):
    push(stack, host)
    assert host.processes.ran == []


def test_a_push_that_fails_where_there_is_no_docker_says_why_it_failed(stack, path, host, s3):
    host.processes.programs = set()
    s3.fault("put_object", failing(FAULTS["gone"]))
    not_off_site(stack, host, s3, "EndpointConnectionError")
    assert host.processes.ran == []


def test_what_is_there_is_listed_with_ages_and_what_cannot_be_read(stack, path, host, s3):
    push(stack, host)
    s3.objects[f"chatwoot/{INSTANCE}/torn/manifest.json"] = b"{"
    s3.objects[f"chatwoot/{INSTANCE}/moved/manifest.json"] = (path / MANIFEST).read_bytes()
    found = list_remote(stack, host)
    assert [(each.manifest.name, each.off_site, each.age) for each in found.sets] == [
        (NAME, "2026-11-24T08:00:00Z", 0.0)
    ]
    assert len(found.damaged) == 2
    s3.objects[f"{FOLDER}/off-site.json"] = b"[]"
    assert list_remote(stack, host).sets[0].off_site == ""


def test_backing_up_itself_never_asks_the_remote(stack, host, s3):
    back_up(stack, host)
    assert s3.asked == []


def test_status_says_whether_the_newest_set_is_off_site(tmp_path, stack, path, host):
    assert status(stack, host).last_backup == f"{NAME}, 0.0 hours old, never verified, not off-site: type invoke push"
    push(stack, host)
    assert status(stack, host).last_backup.endswith("never verified, off-site 2026-11-24T08:00:00Z")
    off = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE)
    assert status(off, host).last_backup.endswith("never verified")


def test_every_set_that_is_not_there_yet_is_brought_oldest_first_and_no_other(stack, host, s3):
    paths = [sealed(stack.backup_folder, stamp=f"202611{day}T020000Z") for day in (21, 22, 23)]
    sealed(stack.backup_folder, stamp="20261124T020000Z", instance="another")
    push(stack, host, paths[1].name)
    assert [each.name for each in push_all(stack, host).sets] == [paths[0].name, paths[2].name]
    s3.asked.clear()
    assert push_all(stack, host).sets == ()
    assert s3.asked == []


def test_what_retention_removed_there_is_not_brought_there_again(stack, path, host):
    push(stack, host)
    mark_off_site_ended(read_set(path), "2026-11-24T09:00:00Z")
    assert push_all(stack, host).sets == ()


def test_the_first_that_fails_is_said_and_those_before_it_are_there(stack, host, s3):
    first, second = (sealed(stack.backup_folder, stamp=f"202611{day}T020000Z") for day in (21, 22))
    (second / DATABASE_ARTIFACT).write_bytes(b"damaged")
    with pytest.raises(BackupSetInvalidError, match=second.name):
        push_all(stack, host)
    assert read_set(first).off_site


def test_what_an_upgrade_made_is_brought_there_and_a_failure_is_a_line(stack, host, s3):
    before, made, base = (sealed(stack.backup_folder, stamp=f"202611{day}T020000Z") for day in (21, 22, 23))
    (base / DATABASE_ARTIFACT).write_bytes(b"damaged")
    found = push_since(stack, host, made.name)
    assert [bool(read_set(each).off_site) for each in (before, made, base)] == [False, True, False]
    assert "are not encrypted" in found[0]
    assert f"The set {base.name} is damaged" in found[1]
    s3.fault("list_objects_v2", failing(FAULTS["gone"]))
    assert "is not off-site: The remote failed" in push_since(stack, host, made.name)[0]


def test_without_a_remote_or_a_set_of_this_name_nothing_is_brought(tmp_path, stack, host, s3):
    (tmp_path / "b").mkdir()
    assert push_since(stack_in(tmp_path / "b", CHATWOOT_INSTANCE_ID=INSTANCE), host, "any") == ()
    assert push_since(stack, host, "gone meanwhile") == ()
    assert s3.asked == []
