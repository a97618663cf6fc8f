"""Sets on disk: sealed last and in one step, listed in order, and nothing damaged is taken for whole."""

import os
import random
from pathlib import Path

import pytest

from chatwoot_ops.adapters.backup_store import BackupStore, checksum_problems, read_set
from chatwoot_ops.adapters.set_notes import mark_verified
from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, FORMAT, MANIFEST, STORAGE_ARTIFACT
from chatwoot_ops.model.verification import Level
from killed import KilledError
from sets import sealed


@pytest.fixture
def store(tmp_path):
    return BackupStore(tmp_path / "backups")


def spied(monkeypatch, *names, kill_at=0):
    """Notes these calls of the operating system in order; the one with this number never happens."""
    done = []

    def noting(name, real):
        def call(*args, **kwargs):
            if kill_at == len(done) + 1:
                raise KilledError
            done.append(name)
            return real(*args, **kwargs)

        return call

    for name in names:
        monkeypatch.setattr(os, name, noting(name, getattr(os, name)))
    for name in ("rename", "replace", "mkdir"):
        monkeypatch.setattr(Path, name, noting(name, getattr(Path, name)))
    return done


def test_a_sealed_set_has_all_that_was_written_and_can_be_read_by_its_owner_only(store):
    path = sealed(store.folder)
    assert sorted(each.name for each in path.iterdir()) == [DATABASE_ARTIFACT, MANIFEST, STORAGE_ARTIFACT]
    assert {each.stat().st_mode & 0o777 for each in path.iterdir()} == {0o600}
    assert path.stat().st_mode & 0o777 == store.folder.stat().st_mode & 0o777 == 0o700
    assert checksum_problems(store.find("latest")) == ()


def test_the_manifest_is_written_last_and_the_name_given_after_all_is_on_disk(store, monkeypatch):
    store.folder.mkdir()
    done = spied(monkeypatch, "fsync")
    sealed(store.folder)
    # Two artifacts, the manifest's content, its name, its folder, the set's name, the folder of sets.
    wanted = ["fsync", "fsync", "fsync", "replace", "fsync", "rename", "fsync"]
    assert [name for name in done if name != "mkdir"] == wanted


def test_killed_at_any_write_there_is_no_set_or_a_whole_one(tmp_path, monkeypatch):
    whole = 0
    for number in range(1, 30):
        store = BackupStore(tmp_path / str(number))
        with monkeypatch.context() as patch:
            spied(patch, "fsync", "open", kill_at=number)
            try:
                sealed(store.folder)
            except KilledError:
                pass
            else:
                whole += 1
        names = [each.name for each in store.folder.iterdir()] if store.folder.exists() else []
        assert store.damaged() == ()
        assert all(name.endswith(".partial") for name in names) or checksum_problems(store.find("latest")) == ()
        assert len(store.sets()) == sum(not name.endswith(".partial") for name in names)
    assert 0 < whole < 29


def test_sets_that_were_never_sealed_are_dropped_and_sealed_ones_are_not(store):
    path = sealed(store.folder)
    begun = store.begin("20261124T090000Z", "logical")
    with begun.artifact("database.dump") as file:
        file.write(b"half")
    assert store.drop_partials() == ("20261124T090000Z-logical.partial",)
    assert [each.path for each in store.sets()] == [str(path)]
    assert store.drop_partials() == ()


def test_no_folder_is_no_set(store):
    assert (store.sets(), store.damaged(), store.drop_partials()) == ((), (), ())
    with pytest.raises(BackupSetInvalidError, match="no backup set in") as caught:
        store.find("latest")
    assert caught.value.remedy == "Type 'invoke backup'."


def test_the_newest_set_is_the_one_made_last_whatever_the_clock_said(store):
    stamps = ("20261124T080000Z", "20261124T090000Z", "20190101T000000Z")
    paths = [sealed(store.folder, stamp=stamp) for stamp in stamps]
    assert [each.path for each in store.sets()] == [str(path) for path in paths]
    assert [each.manifest.sequence for each in store.sets()] == [1, 2, 3]
    assert store.find("latest").manifest.name == "20190101T000000Z-logical"


def test_two_sets_of_the_same_second_have_two_names(store):
    one, other = sealed(store.folder), sealed(store.folder)
    assert (one.name, other.name) == ("20261124T080000Z-logical", "20261124T080000Z-logical-2")
    assert store.find(other.name).manifest.sequence == 2


def test_a_set_is_found_by_name_and_by_path(store, tmp_path):
    path = sealed(tmp_path / "elsewhere")
    assert store.find(str(path)).path == str(path)
    named = sealed(store.folder)
    assert store.find(named.name).path == str(named)


@pytest.mark.parametrize("name", ["none", "./none", "x.partial"])
def test_a_set_that_is_not_there_or_not_sealed_is_refused_with_those_that_are(store, name):
    known = sealed(store.folder)
    (store.folder / "x.partial").mkdir()
    with pytest.raises(BackupSetInvalidError, match="no sealed backup set") as caught:
        store.find(name)
    assert known.name in caught.value.remedy
    assert caught.value.code == 13


DAMAGE = [b"", b"{", b"\xff\xfe\x00", b"[]", b'{"format": 1}']


@pytest.mark.parametrize("content", DAMAGE)
def test_a_set_with_a_damaged_manifest_is_listed_as_damaged_and_refused_by_name(store, content):
    whole, torn = sealed(store.folder), sealed(store.folder)
    (torn / MANIFEST).write_bytes(content)
    assert store.damaged() == (torn.name,)
    assert store.find("latest").path == str(whole)
    with pytest.raises(BackupSetInvalidError):
        store.find(torn.name)


def test_a_set_of_a_newer_format_is_refused_by_name_and_does_not_hide_the_others(store):
    whole, newer = sealed(store.folder), sealed(store.folder)
    text = (newer / MANIFEST).read_text().replace(f'"format": {FORMAT}', '"format": 99')
    (newer / MANIFEST).write_text(text)
    assert [each.path for each in store.sets()] == [str(whole)]
    with pytest.raises(BackupSetInvalidError, match="format 99"):
        store.find(newer.name)


def test_a_manifest_that_the_disk_does_not_give_back_is_a_damaged_set(store, monkeypatch):
    path = sealed(store.folder)

    def broken(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_text", broken)
    with pytest.raises(BackupSetInvalidError, match="is damaged") as caught:
        store.find(path.name)
    assert caught.value.details == ("manifest.json: cannot be read (Input/output error)",)
    assert (store.sets(), store.damaged()) == ((), (path.name,))


def test_other_folders_and_files_are_no_sets(store):
    sealed(store.folder)
    (store.folder / "notes.txt").write_text("x")
    (store.folder / "old").mkdir()
    assert len(store.sets()) == 1
    assert store.damaged() == ("old",)


def test_a_flipped_bit_is_found_at_every_place(store):
    path = sealed(store.folder)
    chosen = random.Random(4)  # noqa: S311 - a sample that is the same each time
    for name in (DATABASE_ARTIFACT, STORAGE_ARTIFACT):
        content = (path / name).read_bytes()
        for place in {0, len(content) - 1, *(chosen.randrange(len(content)) for _ in range(150))}:
            broken = bytearray(content)
            broken[place] ^= 1 << chosen.randrange(8)
            (path / name).write_bytes(broken)
            assert checksum_problems(store.find("latest")) == (f"{name}: its content is not what was written",)
        (path / name).write_bytes(content)
    assert checksum_problems(store.find("latest")) == ()


def test_a_truncated_a_longer_a_swapped_and_a_missing_artifact_are_found_all_at_once(store):
    path = sealed(store.folder, extra={"more": b"x" * 10, "gone": b"y"})
    (path / DATABASE_ARTIFACT).write_bytes(b"PGD")
    (path / "more").write_bytes(b"x" * 11)
    (path / "gone").unlink()
    problems = checksum_problems(store.find("latest"))
    assert problems == (
        f"{DATABASE_ARTIFACT}: 3 bytes, the manifest says 37",
        "more: 11 bytes, the manifest says 10",
        "gone: cannot be read (No such file or directory)",
    )


def test_two_artifacts_of_the_same_size_that_changed_places_are_found(store):
    path = sealed(store.folder, extra={"a": b"1234", "b": b"5678"})
    (path / "a").rename(path / "c")
    (path / "b").rename(path / "a")
    (path / "c").rename(path / "b")
    assert [line.partition(":")[0] for line in checksum_problems(store.find("latest"))] == ["a", "b"]


def test_a_set_that_was_found_whole_says_when(store):
    sealed(store.folder)
    assert store.find("latest").verified == ""
    mark_verified(store.find("latest"), "2026-11-24T09:00:00Z", Level.CHECKSUMS)
    assert (store.find("latest").verified, store.find("latest").level) == ("2026-11-24T09:00:00Z", "checksums")


@pytest.mark.parametrize("content", ["", "{}", "[]", "7", '{"at": null'])
def test_a_damaged_note_of_the_verification_is_none(store, content):
    path = sealed(store.folder)
    (path / "verified.json").write_text(content)
    assert read_set(path).verified == ""


def test_the_size_of_a_set_is_that_of_its_artifacts(store):
    path = sealed(store.folder)
    parts = [(path / name).stat().st_size for name in (DATABASE_ARTIFACT, STORAGE_ARTIFACT)]
    assert read_set(path).size == sum(parts)


def test_an_artifact_whose_writing_failed_is_not_noted(store):
    partial = store.begin("s", "logical")
    with pytest.raises(ZeroDivisionError), partial.artifact("x") as file:
        file.write(b"x" * (1 // 0))
    assert partial.artifacts == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandFailedError, match=r"Cannot write .*/file"):
        BackupStore(tmp_path / "file").begin("s", "logical")
