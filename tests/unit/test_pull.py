"""A set from off-site: whole or not there, on a machine that has nothing but the way to it."""

import dataclasses
import io

import pytest
from botocore.exceptions import ReadTimeoutError

from chatwoot_ops.adapters.age import encrypting, make_pair
from chatwoot_ops.adapters.backup_store import checksum_problems, read_set
from chatwoot_ops.adapters.files import write_atomically
from chatwoot_ops.errors import (
    BackupSetInvalidError,
    CommandFailedError,
    PreflightFailedError,
    SettingsInvalidError,
    StackLockedError,
)
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, MANIFEST, SETTINGS_ARTIFACT, STORAGE_ARTIFACT, Artifact
from chatwoot_ops.model.manifest import to_json
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.pulling import SPARE_BYTES, pull
from chatwoot_ops.operations.pushing import push
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.restore import intended_restore, restore_from
from chatwoot_ops.operations.restore_result import RestoreOptions
from fake_s3 import failing
from keeping import well_keeping
from off_site import FOLDER, NAME, REMOTE, flipped
from sets import sealed, sealed_whole
from world import FOLDER as COMPOSE_FOLDER
from world import INSTANCE, place_in, stack_in

WAY = {key: value for key, value in REMOTE.items() if key.startswith("BACKUP_")}
LATEST = {"set": "latest", "dump": "", "storage": "", "remote": "yes"}


@pytest.fixture
def host(well):
    well_keeping(well)
    return well


@pytest.fixture
def s3(host):
    return host.remotes.client


@pytest.fixture
def pair():
    return make_pair()


@pytest.fixture
def origin(tmp_path, host, pair):
    """A set of another machine, off-site, its settings sealed in it."""
    (tmp_path / "origin").mkdir()
    stack = stack_in(tmp_path / "origin", **REMOTE, CHATWOOT_RELEASE="v4.15.1-ce", BACKUP_RECIPIENTS=pair[0])
    settings = io.BytesIO()
    with encrypting(settings, (pair[0],)) as sink:
        sink.write(stack.env_file.read_bytes())
    path = sealed(stack.backup_folder, extra={SETTINGS_ARTIFACT: settings.getvalue()}, settings_included=True)
    push(stack, host)
    host.remotes.client.asked.clear()
    return path


@pytest.fixture
def here(tmp_path, origin):
    """A machine of the same installation that has lost its sets."""
    (tmp_path / "here").mkdir()
    return place_in(tmp_path / "here", **REMOTE, CHATWOOT_RELEASE="v4.15.1-ce")


@pytest.fixture
def nothing(tmp_path, origin):
    """A machine that has a clone of the repository and nothing else."""
    return Place(COMPOSE_FOLDER, tmp_path / "nothing" / ".env")


def test_a_pulled_set_is_what_was_pushed(here, host, origin):
    result = pull(here, host)
    path = here.env_file.parent / "backups" / NAME
    assert result.set.path == str(path)
    assert checksum_problems(result.set) == ()
    assert (path / MANIFEST).read_bytes() == (origin / MANIFEST).read_bytes()
    assert result.fetched == result.set.size
    assert result.set.off_site == "2026-11-24T08:00:00Z"
    assert {each.stat().st_mode & 0o777 for each in path.iterdir()} == {0o600}
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_set_that_is_here_is_not_fetched_again(here, host, s3):
    pull(here, host)
    s3.asked.clear()
    assert pull(here, host).fetched == 0
    assert {given["Key"].rpartition("/")[2] for given in s3.did("get_object")} == {MANIFEST}


def test_another_set_of_the_name_that_is_here_is_not_replaced(here, host):
    path = sealed(here.env_file.parent / "backups", note="mine")
    with pytest.raises(BackupSetInvalidError, match="Another set of the name"):
        pull(here, host)
    assert read_set(path).manifest.note == "mine"


@pytest.mark.parametrize("name", [DATABASE_ARTIFACT, STORAGE_ARTIFACT, SETTINGS_ARTIFACT])
def test_a_flipped_bit_is_found_and_the_set_does_not_come_to_be(here, host, s3, name):
    flipped(s3, name)
    with pytest.raises(BackupSetInvalidError, match="is damaged") as caught:
        pull(here, host)
    assert caught.value.details == (f"{name}: its content is not what was written",)
    assert not (here.env_file.parent / "backups" / NAME).exists()


def test_a_truncated_object_and_one_without_an_end_are_found(here, host, s3):
    s3.objects[f"{FOLDER}/{DATABASE_ARTIFACT}"] = s3.objects[f"{FOLDER}/{DATABASE_ARTIFACT}"][:-1]
    s3.objects[f"{FOLDER}/{STORAGE_ARTIFACT}"] += b"\0" * 5_000_000
    with pytest.raises(BackupSetInvalidError) as caught:
        pull(here, host)
    assert [line.split()[0] for line in caught.value.details] == [f"{DATABASE_ARTIFACT}:", f"{STORAGE_ARTIFACT}:"]


def test_a_flipped_bit_in_the_manifest_is_found(here, host, s3):
    flipped(s3, MANIFEST)
    with pytest.raises(BackupSetInvalidError, match="manifest is damaged"):
        pull(here, host)


def test_the_manifest_that_was_checked_is_the_one_that_is_sealed(here, host, s3):
    # A second reading of it could be another one.
    seen = []

    def second(given):
        if given["Key"].endswith(MANIFEST):
            seen.append(given)
        if len(seen) > 1:
            s3.objects[f"{FOLDER}/{MANIFEST}"] = b"{}"

    s3.fault("get_object", second)
    assert checksum_problems(pull(here, host, NAME).set) == ()


@pytest.mark.parametrize("whole", [True, False])
def test_what_an_earlier_pull_left_is_on_disk_before_it_counts(here, host, s3, monkeypatch, whole):
    with s3.killed_at("get_object", STORAGE_ARTIFACT):
        pull(here, host)
    path = here.env_file.parent / "backups" / f"{NAME}.partial" / DATABASE_ARTIFACT
    if not whole:
        path.write_bytes(b"cut off")
    synced = []
    monkeypatch.setattr("chatwoot_ops.adapters.pulled_set.sync_file", synced.append)
    recover(here, host, finish=True)
    assert (path in synced) == whole


def test_an_object_that_is_gone_is_said(here, host, s3):
    del s3.objects[f"{FOLDER}/{STORAGE_ARTIFACT}"]
    with pytest.raises(CommandFailedError, match=r"refused reading .*storage.tar: NoSuchKey"):
        pull(here, host)


def test_a_remote_that_goes_silent_leaves_what_arrived_and_the_next_pull_goes_on(here, host, s3):
    def silent(given):
        if given["Key"].endswith(STORAGE_ARTIFACT):
            raise ReadTimeoutError(endpoint_url="x")

    s3.fault("get_object", silent)
    with pytest.raises(CommandFailedError, match="ReadTimeoutError"):
        pull(here, host)
    assert [each.name for each in (here.env_file.parent / "backups").iterdir()] == [f"{NAME}.partial"]
    s3.faults.clear()
    s3.asked.clear()
    pull(here, host)
    assert f"{FOLDER}/{DATABASE_ARTIFACT}" not in [given["Key"] for given in s3.did("get_object")]


def test_without_room_nothing_is_fetched(here, host, s3, origin):
    size = read_set(origin).size
    host.machine.disk = size + SPARE_BYTES - 1
    with pytest.raises(PreflightFailedError, match="no room for the set") as caught:
        pull(here, host)
    assert caught.value.code == 11
    assert not (here.env_file.parent / "backups").exists()
    host.machine.disk += 1
    assert pull(here, host).fetched == size


def test_a_disk_that_fills_on_the_way_is_said(here, host, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chatwoot_ops.adapters.pulled_set.PulledSet.write", full)
    with pytest.raises(CommandFailedError, match="No space left on device"):
        pull(here, host)


def test_a_manifest_that_would_write_elsewhere_is_refused(here, host, s3, origin):
    manifest = dataclasses.replace(read_set(origin).manifest, artifacts=(Artifact("../../.env", 1, "0"),))
    s3.objects[f"{FOLDER}/{MANIFEST}"] = to_json(manifest).encode()
    with pytest.raises(BackupSetInvalidError, match="manifest is damaged") as caught:
        pull(here, host)
    assert "../../.env" in caught.value.details[0]


def test_a_manifest_that_is_another_sets_is_refused(here, host, s3, origin):
    manifest = dataclasses.replace(read_set(origin).manifest, name="../elsewhere")
    s3.objects[f"{FOLDER}/{MANIFEST}"] = to_json(manifest).encode()
    with pytest.raises(BackupSetInvalidError, match="is that of"):
        pull(here, host)


def test_the_newest_is_the_one_with_the_highest_number_whatever_its_name_says(here, host, tmp_path):
    (tmp_path / "o2").mkdir()
    other = stack_in(tmp_path / "o2", **REMOTE)
    sealed(other.backup_folder, stamp="20200101T000000Z", sequence=9)
    push(other, host)
    assert pull(here, host).set.manifest.name == "20200101T000000Z-logical"
    assert pull(here, host, NAME).set.manifest.name == NAME


def test_a_set_that_is_not_there_is_said_with_those_that_are(here, host):
    with pytest.raises(BackupSetInvalidError, match="There is no set other") as caught:
        pull(here, host, "other")
    assert f"{INSTANCE}/{NAME}" in caught.value.remedy


def test_a_set_without_its_manifest_is_none(here, host, s3):
    del s3.objects[f"{FOLDER}/{MANIFEST}"]
    with pytest.raises(BackupSetInvalidError, match="There is no set latest"):
        pull(here, host)


def test_a_machine_with_nothing_gets_there_by_the_environment(nothing, host):
    host.machine.environment = WAY
    assert pull(nothing, host).set.manifest.name == NAME
    assert WAY["BACKUP_REMOTE_SECRET_KEY"] in host.processes.secrets
    assert host.remotes.opened[-1].secret_key == WAY["BACKUP_REMOTE_SECRET_KEY"]


def test_a_machine_with_nothing_gets_there_by_a_settings_file_which_wins_over_the_environment(nothing, host, tmp_path):
    host.machine.environment = {**WAY, "BACKUP_REMOTE": "s3://other"}
    write_atomically(tmp_path / "way", "".join(f"{key}={value}\n" for key, value in WAY.items()))
    assert pull(nothing, host, settings=str(tmp_path / "way")).set.manifest.name == NAME


def test_a_machine_with_nothing_and_no_way_is_told(nothing, host):
    with pytest.raises(SettingsInvalidError, match="No place for off-site copies"):
        pull(nothing, host)


def test_half_a_way_is_told_before_anything_is_asked(nothing, host, s3):
    host.machine.environment = {"BACKUP_REMOTE": "kgc", "BACKUP_REMOTE_ACCESS_KEY": "AK"}
    with pytest.raises(SettingsInvalidError, match="settings for the remote") as caught:
        pull(nothing, host)
    assert [line.partition(":")[0] for line in caught.value.details] == ["BACKUP_REMOTE", "BACKUP_REMOTE_SECRET_KEY"]
    assert s3.asked == []


def test_the_settings_of_a_stack_win_over_the_environment(here, host):
    host.machine.environment = {**WAY, "BACKUP_REMOTE": "s3://other"}
    pull(here, host)
    assert host.remotes.opened[-1].bucket == "kgc"


def test_whose_set_is_meant_must_be_clear_where_several_keep_theirs(nothing, host, tmp_path):
    (tmp_path / "o2").mkdir()
    other = stack_in(tmp_path / "o2", **{**REMOTE, "CHATWOOT_INSTANCE_ID": "other"})
    sealed(other.backup_folder, instance="other")
    push(other, host)
    host.machine.environment = WAY
    with pytest.raises(BackupSetInvalidError, match="Sets of 2 installations") as caught:
        pull(nothing, host)
    assert caught.value.details == (INSTANCE, "other")
    assert pull(nothing, host, "other/latest").set.manifest.instance == "other"


def test_a_stack_gets_its_own_sets_unless_told_otherwise(here, host, tmp_path):
    (tmp_path / "o2").mkdir()
    other = stack_in(tmp_path / "o2", **{**REMOTE, "CHATWOOT_INSTANCE_ID": "other"})
    sealed(other.backup_folder, instance="other", sequence=99)
    push(other, host)
    assert pull(here, host).set.manifest.instance == INSTANCE


@pytest.mark.parametrize("flag", ["finish", "undo"])
def test_a_pull_that_was_killed_is_finished_or_removed(here, host, s3, flag):
    with s3.killed_at("get_object", STORAGE_ARTIFACT):
        pull(here, host)
    with pytest.raises(StackLockedError, match=r"'pull' of .* was cut off"):
        pull(here, host)
    assert recover(here, host, **{flag: True}).ended
    left = [each.name for each in (here.env_file.parent / "backups").iterdir()]
    assert left == ([NAME] if flag == "finish" else [])


def test_a_restore_from_off_site_fetches_the_set_first(here, host):
    lines = intended_restore(here, host, LATEST, RestoreOptions()).lines
    assert lines[0] == f"{NAME} in place of the running data"
    assert (here.env_file.parent / "backups" / NAME / MANIFEST).is_file()


def test_a_restore_has_one_source(here, host, s3):
    with pytest.raises(SettingsInvalidError, match="has one source"):
        restore_from(here, host, {**LATEST, "dump": "x.dump"}, RestoreOptions(yes=True))
    assert s3.asked == []


def test_an_empty_machine_restores_with_the_private_key_and_the_way_alone(nothing, host, tmp_path, pair, origin):
    write_atomically(tmp_path / "key.txt", pair[1] + "\n")
    write_atomically(tmp_path / "way", "".join(f"{key}={value}\n" for key, value in WAY.items()))
    options = RestoreOptions(yes=True, identity=str(tmp_path / "key.txt"), settings=str(tmp_path / "way"))
    result = restore_from(nothing, host, LATEST, options)
    assert result.source == NAME
    assert nothing.env_file.read_text() == (tmp_path / "origin" / ".env").read_text()


def test_an_empty_machine_restores_with_a_whole_copy_of_the_settings(nothing, host, tmp_path):
    options = RestoreOptions(yes=True, settings=str(tmp_path / "origin" / ".env"))
    assert restore_from(nothing, host, LATEST, options).source == NAME
    assert nothing.env_file.read_text() == (tmp_path / "origin" / ".env").read_text()


def test_a_set_that_is_encrypted_as_a_whole_comes_back_on_an_empty_machine_too(tmp_path, host, pair):
    (tmp_path / "origin").mkdir()
    stack = stack_in(tmp_path / "origin", **REMOTE, CHATWOOT_RELEASE="v4.15.1-ce", BACKUP_RECIPIENTS=pair[0])
    sealed_whole(stack.backup_folder, pair[0], settings=stack.env_file.read_text(), settings_included=True)
    assert push(stack, host).warnings == ()
    assert not [name for name, content in host.remotes.client.objects.items() if b"PGDMP" in content]
    write_atomically(tmp_path / "key.txt", pair[1] + "\n")
    host.machine.environment = WAY
    nothing = Place(COMPOSE_FOLDER, tmp_path / "nothing" / ".env")
    result = restore_from(nothing, host, LATEST, RestoreOptions(yes=True, identity=str(tmp_path / "key.txt")))
    assert result.source == NAME
    assert nothing.env_file.read_text() == stack.env_file.read_text()


def test_a_restore_of_a_set_from_off_site_that_is_damaged_touches_nothing(here, host, s3):
    flipped(s3, DATABASE_ARTIFACT)
    with pytest.raises(BackupSetInvalidError):
        restore_from(here, host, LATEST, RestoreOptions(yes=True))
    assert host.processes.ran_with("docker stop") == []


def test_a_remote_that_is_gone_ends_a_restore_before_it_begins(here, host, s3):
    s3.fault("list_objects_v2", failing(ReadTimeoutError(endpoint_url="x")))
    with pytest.raises(CommandFailedError, match="ReadTimeoutError"):
        restore_from(here, host, LATEST, RestoreOptions(yes=True))
