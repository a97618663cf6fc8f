"""Which sets and dumps a restore takes, which it refuses, and what it says would be lost."""

import json
from dataclasses import replace

import pytest

from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.errors import BackupSetInvalidError, ReleaseRefusedError
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.model.settings import ENCRYPTION_KEYS, Settings
from chatwoot_ops.operations.loss import loss_of_restore
from chatwoot_ops.operations.source import Source, refuse_unfit, source_again, source_of_dump, source_of_set
from sets import DATA, a_set, sealed
from world import INSTALLED, INSTANCE, stack_in

HEAD = b"--\n-- PostgreSQL database dump\n--\n"


@pytest.fixture
def values():
    return INSTALLED


def source(**changed):
    return Source("a set", None, set=a_set(**changed))


def refused(stack, given, *, adopt=False, migrate=False):
    with pytest.raises((BackupSetInvalidError, ReleaseRefusedError)) as caught:
        refuse_unfit(stack, given, adopt=adopt, migrate=migrate)
    assert caught.value.remedy
    return caught.value


def test_a_set_of_this_installation_release_and_keys_is_taken(stack):
    keys = fingerprints(stack.settings.values, INSTANCE)
    assert len(keys) == 4
    refuse_unfit(stack, source(fingerprints=keys), adopt=False, migrate=False)


def test_a_foreign_set_is_refused_unless_it_is_adopted(stack):
    foreign = source(instance="other")
    error = refused(stack, foreign)
    assert (error.code, error.message) == (13, f"The set belongs to installation other, this one is {INSTANCE}")
    assert "--adopt" in error.remedy
    refuse_unfit(stack, foreign, adopt=True, migrate=False)


@pytest.mark.parametrize(
    ("release", "says"),
    [
        ("v4.14.2-ce", "release v4.14.2-ce, older than v4.15.1-ce"),
        ("v4.8.0-ce", "release v4.8.0-ce, older than v4.15.1-ce"),
        ("v4.15.2-ce", "release v4.15.2-ce, newer than v4.15.1-ce"),
        ("v4.100.0-ce", "release v4.100.0-ce, newer than v4.15.1-ce"),
    ],
)
def test_a_set_of_another_release_is_refused_with_both(stack, release, says):
    error = refused(stack, source(release=release))
    assert error.code == 15
    assert error.message.endswith(says)
    assert release in error.remedy


def test_an_older_set_is_taken_where_it_shall_be_migrated_and_a_newer_one_never(stack):
    refuse_unfit(stack, source(release="v4.14.2-ce"), adopt=False, migrate=True)
    assert "newer" in refused(stack, source(release="v4.16.0-ce"), migrate=True).message


@pytest.mark.parametrize("release", ["", "latest", "sha256:abc"])
def test_a_release_that_nobody_wrote_down_is_left_to_the_comparison_of_migrations(tmp_path, stack, release):
    refuse_unfit(stack, source(release=release), adopt=False, migrate=False)
    unknown = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, CHATWOOT_RELEASE=release)
    refuse_unfit(unknown, source(), adopt=False, migrate=False)


@pytest.mark.parametrize("name", ["SECRET_KEY_BASE", *ENCRYPTION_KEYS])
@pytest.mark.parametrize("now", ["another-value-of-the-key", ""], ids=["changed", "gone"])
def test_each_key_that_is_not_the_sets_is_named_and_not_shown(stack, name, now):
    keys = fingerprints(stack.settings.values, INSTANCE)
    settings = Settings({**stack.settings.values, name: now}, stack.settings.schema)
    error = refused(replace(stack, settings=settings), source(fingerprints=keys))
    assert error.code == 13
    assert error.details == (f"{name}: is not the one the set was made with",)
    assert "--identity" in error.remedy
    assert "--settings" in error.remedy


def test_the_keys_of_an_adopted_set_are_compared_by_its_own_instance(stack):
    keys = fingerprints(stack.settings.values, "other")
    refuse_unfit(stack, source(instance="other", fingerprints=keys), adopt=True, migrate=False)


def test_a_dump_from_elsewhere_has_nothing_to_be_compared(stack):
    refuse_unfit(stack, Source("x", None), adopt=False, migrate=False)


def test_a_set_is_found_and_noted_so_that_it_is_found_again(stack):
    path = sealed(stack.backup_folder)
    found = source_of_set(stack, "latest")
    assert (found.name, found.dump, found.set) == (path.name, path / "database.dump", read_set(path))
    assert source_again(stack, json.loads(json.dumps(found.noted()))) == found


@pytest.mark.parametrize("storage", ["", "s.tar"])
def test_a_dump_is_found_and_noted_so_that_it_is_found_again(stack, tmp_path, storage):
    (tmp_path / "x.sql").write_bytes(HEAD)
    (tmp_path / "s.tar").touch()
    found = source_of_dump(str(tmp_path / "x.sql"), str(tmp_path / storage) if storage else "")
    assert (found.name, found.set) == ("x.sql", None)
    assert found.storage == (tmp_path / storage if storage else None)
    assert source_again(stack, json.loads(json.dumps(found.noted()))) == found


def test_every_missing_file_is_named(tmp_path):
    with pytest.raises(BackupSetInvalidError, match="no such file") as caught:
        source_of_dump(str(tmp_path / "x"), str(tmp_path / "y"))
    assert caught.value.details == (str(tmp_path / "x"), str(tmp_path / "y"))


def test_a_file_that_is_no_dump_is_refused_before_anything_is_touched(tmp_path):
    (tmp_path / "x").write_text("hello")
    with pytest.raises(BackupSetInvalidError, match="no dump that can be read"):
        source_of_dump(str(tmp_path / "x"), "")


COUNTED = {"conversations": 1, "messages": 2, "contacts": 3, "newest": "2026-11-24T07:00:00+00:00"}


def test_what_is_newer_than_the_set_would_be_lost(stack, well):
    well.processes.on("created_at >", json.dumps(COUNTED))
    assert loss_of_restore(stack, well, source()) == (
        (
            f"Would be lost: 1 conversations, 2 messages, 3 contacts newer than the set's newest message "
            f"({DATA.newest_message})."
        ),
        "The newest message now is of 2026-11-24T07:00:00+00:00.",
    )
    assert f"> '{DATA.newest_message}'" in well.processes.ran[-1].stdin


def test_a_set_without_a_message_counts_from_its_own_time(stack, well):
    well.processes.on("created_at >", json.dumps({**COUNTED, "newest": None}))
    lines = loss_of_restore(stack, well, source(data=replace(DATA, newest_message="")))
    assert "(2026-11-24T08:00:00Z)" in lines[0]
    assert lines[1] == "The newest message now is of never."


def test_a_dump_replaces_all_there_is(stack, well):
    well.processes.on("created_at >", json.dumps(COUNTED))
    assert "all of which the dump replaces" in loss_of_restore(stack, well, Source("x", None))[0]
    assert "'-infinity'" in well.processes.ran[-1].stdin


def test_running_data_that_cannot_be_counted_is_said(stack, well):
    well.processes.on("created_at >", code=2)
    (line,) = loss_of_restore(stack, well, source())
    assert "could not be counted" in line
