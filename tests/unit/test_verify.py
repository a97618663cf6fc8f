"""Verification at three levels: each sees what it looks at, notes itself in the set, and an unknown one is refused."""

import pytest

from chatwoot_ops.adapters.backup_store import BackupStore, read_set
from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.errors import BackupSetInvalidError, SettingsInvalidError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, STORAGE_ARTIFACT, StorageProof
from chatwoot_ops.operations import verify as module
from chatwoot_ops.operations.drill import DrillOptions
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.verify import verify
from sets import DUMP, FILES, certificate, manifest, sealed, tar_of
from world import INSTANCE


@pytest.fixture
def values():
    return {"CHATWOOT_INSTANCE_ID": INSTANCE}


@pytest.fixture
def folder(place):
    return unchecked_stack(place, read_env_file(place.env_file)).backup_folder


@pytest.fixture
def run(place, host):
    def act(level, **options):
        return verify(place, host, DrillOptions(**options), level, lambda *_: "")

    host.processes.on("--entrypoint pg_restore", "; a dump")
    return act


def with_storage(folder, content, **changed):
    """A sealed set whose storage archive is not what its manifest says, though its checksum is."""
    store = BackupStore(folder)
    partial = store.begin("20261124T080000Z", "logical")
    for name, data in {DATABASE_ARTIFACT: DUMP, STORAGE_ARTIFACT: content}.items():
        with partial.artifact(name) as file:
            file.write(data)
    return store.seal(partial, manifest(artifacts=tuple(partial.artifacts), **changed))


@pytest.mark.parametrize("level", ["checksums", "archive"])
def test_a_whole_set_is_noted_with_time_and_level(run, folder, level):
    path = sealed(folder)
    found = run(level)
    assert (found.verified, found.level) == ("2026-11-24T08:00:00Z", level)
    assert read_set(path) == found


def test_checksums_alone_start_no_container(run, folder, host):
    sealed(folder)
    run("checksums")
    assert host.processes.ran == []


@pytest.mark.parametrize("level", ["checksums", "archive"])
@pytest.mark.parametrize("name", [DATABASE_ARTIFACT, STORAGE_ARTIFACT])
def test_a_changed_artifact_is_found_at_each_level(run, folder, level, name):
    path = sealed(folder)
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BackupSetInvalidError, match="is damaged") as caught:
        run(level)
    assert caught.value.details == (f"{name}: its content is not what was written",)
    assert read_set(path).verified == ""


def test_a_dump_that_pg_restore_cannot_read_is_found_at_level_archive_only(run, folder, host):
    sealed(folder)
    host.processes.on("--entrypoint pg_restore", code=1, stderr="input file is not a valid archive")
    assert run("checksums").level == "checksums"
    with pytest.raises(BackupSetInvalidError) as caught:
        run("archive")
    assert "not a valid archive" in caught.value.details[0]


@pytest.mark.parametrize(
    ("content", "changed", "said"),
    [
        (tar_of(FILES)[:700], {}, "cannot be read to its end"),
        (b"no tar at all" * 100, {}, "cannot be read to its end"),
        (tar_of(FILES), {"storage": StorageProof(3, 15, 3)}, "2 files, 15 bytes; the manifest says 3 files, 15 bytes"),
        (tar_of(FILES), {"storage": StorageProof(2, 16, 2)}, "2 files, 15 bytes; the manifest says 2 files, 16 bytes"),
    ],
    ids=["cut off", "no archive", "a file too few", "a byte too few"],
)
def test_a_storage_archive_that_was_sealed_wrong_is_found_at_level_archive_only(run, folder, content, changed, said):
    with_storage(folder, content, **changed)
    assert run("checksums").level == "checksums"
    with pytest.raises(BackupSetInvalidError) as caught:
        run("archive")
    assert said in caught.value.details[0]


def test_level_restore_is_a_drill_of_the_set(run, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "drill", lambda *given: (asked.append(given), certificate())[1])
    assert run("restore", set="a-set", identity="key") == certificate()
    assert asked[0][2] == DrillOptions("a-set", "key", "")


@pytest.mark.parametrize("level", ["", "all", "Archive"])
def test_an_unknown_level_is_refused_and_those_that_there_are_named(run, level):
    with pytest.raises(SettingsInvalidError, match="must be one of checksums, archive, restore") as caught:
        run(level)
    assert caught.value.code == 10


@pytest.mark.parametrize("level", ["checksums", "archive"])
def test_a_set_that_is_not_there_is_refused(run, level):
    with pytest.raises(BackupSetInvalidError, match="There is no backup set"):
        run(level)


def test_a_note_of_an_older_version_has_no_level(folder):
    path = sealed(folder)
    (path / "verified.json").write_text('{"at": "2026-11-24T09:00:00Z"}\n')
    assert (read_set(path).verified, read_set(path).level) == ("2026-11-24T09:00:00Z", "")
