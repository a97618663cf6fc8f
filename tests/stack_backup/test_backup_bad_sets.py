"""Sets that must not be used: damaged, foreign, of another release or format. Live data is never touched."""

import json
import random
import shutil
from dataclasses import replace

import pytest

from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.files import write_atomically
from sets import rewrite
from stack_backup.support import live, lost, sets

ARTIFACTS = ("database.dump", "storage.tar", "settings.env.age")
SAMPLE = [pytest.param(name, marks=() if name == "storage.tar" else pytest.mark.matrix) for name in ARTIFACTS]
EVERY_FLIP = 150


@pytest.fixture
def copy(standing, tmp_path):
    """A copy of the first set, to be damaged."""
    return shutil.copytree(sets(standing)[0], tmp_path / sets(standing)[0].name)


@pytest.fixture
def untouched(standing):
    before = live(standing)
    yield
    assert live(standing) == before
    assert lost(standing, standing.in_set) == []


@pytest.fixture
def refused(standing, copy, untouched):
    """Checks that a restore of the copy is refused with a code and words."""

    def check(code, *words, flags=()):
        answer = standing.invoke("restore", "--set", str(copy), "--yes", *flags, code=code)
        for word in words:
            assert word in answer.err
        assert "Traceback" not in answer.said

    return check


@pytest.mark.parametrize("name", SAMPLE)
def test_a_truncated_artifact(copy, refused, name):
    path = copy / name
    path.write_bytes(path.read_bytes()[:-1])
    refused(13, f"{name}: {path.stat().st_size} bytes, the manifest says")


def test_a_truncated_manifest(copy, refused):
    path = copy / "manifest.json"
    path.write_bytes(path.read_bytes()[:-20])
    refused(13, "The manifest is damaged")


def flip(path, chance):
    content = bytearray(path.read_bytes())
    place = chance.randrange(len(content))
    content[place] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return place


@pytest.mark.parametrize("name", [*ARTIFACTS, "manifest.json"])
def test_a_flipped_bit(copy, refused, name):
    flip(copy / name, random.Random(name))  # noqa: S311 - the same place each time
    refused(13, "damaged")


@pytest.mark.matrix
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [*ARTIFACTS, "manifest.json"])
def test_a_flipped_bit_at_many_places_is_seen_by_verify(standing, copy, untouched, name):
    path, chance = copy / name, random.Random(f"many {name}")  # noqa: S311 - the same places each time
    whole = path.read_bytes()
    for _ in range(EVERY_FLIP):
        place = flip(path, chance)
        answer = standing.invoke("backup", "--verify", "--set", str(copy), code=None)
        assert answer.code == 13, f"{name}, byte {place}: {answer.said}"
        path.write_bytes(whole)


@pytest.mark.parametrize("name", SAMPLE)
def test_an_artifact_that_is_missing(copy, refused, name):
    (copy / name).unlink()
    refused(13, f"{name}: cannot be read")


def test_a_set_that_was_never_sealed(standing, untouched):
    whole = sets(standing)[0]
    partial = shutil.copytree(whole, whole.parent / "20990101T000000Z-logical.partial")
    try:
        (partial / "manifest.json").unlink()
        assert "no sealed backup set" in standing.invoke("restore", "--set", partial.name, "--yes", code=13).err
        assert partial.name not in standing.invoke("backups").out
    finally:
        shutil.rmtree(partial)


def test_a_damaged_set_in_the_folder_is_listed_as_such_and_is_not_the_latest(standing, untouched):
    whole = sets(standing)[0]
    damaged = shutil.copytree(whole, whole.parent / "20990101T000000Z-logical")
    try:
        flip(damaged / "manifest.json", random.Random(1))  # noqa: S311 - the same place each time
        listed = standing.invoke("backups", "--json")
        assert json.loads(listed.out)["result"]["damaged"] == [damaged.name]
        standing.invoke("backup", "--verify")
    finally:
        shutil.rmtree(damaged)


def test_a_set_that_is_not_there(standing, untouched):
    standing.invoke("restore", "--set", "20200101T000000Z-logical", "--yes", code=13)


def test_a_set_of_another_installation_unless_it_is_adopted(copy, refused):
    other = "00000000-0000-4000-8000-000000000000"
    rewrite(copy, instance=other)
    refused(13, f"belongs to installation {other}", "--adopt")


def test_a_set_of_a_newer_release(copy, refused):
    rewrite(copy, release="v4.16.0-ce")
    refused(15, "newer than v4.15.1-ce", "invoke upgrade")


def test_a_set_of_a_newer_format(copy, refused):
    raw = json.loads((copy / "manifest.json").read_text())
    write_atomically(copy / "manifest.json", json.dumps({**raw, "format": 99, "unknown": True}))
    refused(13, "format 99, this version knows")


def test_a_set_that_promises_other_data_than_it_holds_is_found_before_it_serves(standing, copy, refused):
    data = read_set(copy).manifest.data
    tables = {**data.tables, "public.messages": data.tables["public.users"]}
    rewrite(copy, data=replace(data, tables=tables))
    refused(26, "public.messages")
    assert standing.one_offs() == []


def test_one_changed_character_in_a_key_is_refused_by_its_fingerprint(standing, refused):
    for name in ("SECRET_KEY_BASE", "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY"):
        right = standing.settings[name]
        before = standing.env_file.read_bytes()
        standing.set(**{name: ("b" if right[0] == "a" else "a") + right[1:]})
        try:
            answer = standing.invoke("restore", "--yes", code=13)
            assert f"{name}: is not the one the set was made with" in answer.err
            assert right not in answer.said
        finally:
            standing.env_file.write_bytes(before)
    assert refused


def test_an_adopted_set_serves_under_this_installations_id(old_standing, standing):
    foreign = sets(old_standing)[0]
    ours = standing.settings["CHATWOOT_INSTANCE_ID"]
    flags = ("--identity", str(old_standing.identity), "--yes")
    refusal = standing.invoke("restore", "--set", str(foreign), *flags, code=13)
    assert "--adopt" in refusal.err
    older = standing.invoke("restore", "--set", str(foreign), "--adopt", *flags, code=15)
    assert "older than v4.15.1-ce" in older.err
    assert "--migrate" in older.err
    keys = standing.settings["SECRET_KEY_BASE"]
    standing.invoke("backup")
    standing.invoke("restore", "--set", str(foreign), "--adopt", "--migrate", *flags)
    assert standing.settings["CHATWOOT_INSTANCE_ID"] == ours
    assert standing.settings["SECRET_KEY_BASE"] == old_standing.settings["SECRET_KEY_BASE"] != keys
    assert standing.sql("SELECT id FROM chatwoot_ops.instance") == ours
    assert standing.sql("SELECT count(*) FROM schema_migrations") == "138"
    assert lost(standing, old_standing.in_set) == []
    standing.invoke("smoke", "--quick")
    standing.invoke("restore", "--identity", str(standing.identity), "--yes")
    assert lost(standing, standing.in_set) == []
    assert standing.settings["SECRET_KEY_BASE"] == keys
