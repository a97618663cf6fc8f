"""A set that the server writes and cannot read: taken, restored with the key from a file; nothing stays in clear."""

import json
import shutil

import pytest

from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.backup_store import read_set
from kill_kinds import RESTORE
from stack_backup.kills import Kill, kill_and_end, matrix
from stack_backup.support import live, lost, sets

BEFORE_SWAP = ("open", *RESTORE[: RESTORE.index("swap")])


@pytest.fixture
def encrypting(standing):
    """The stack while its sets are encrypted as a whole; those sets are gone afterwards."""
    before = set(sets(standing))
    standing.set(BACKUP_ENCRYPT="all")
    yield standing
    standing.set(BACKUP_ENCRYPT="settings")
    for path in set(sets(standing)) - before:
        shutil.rmtree(path)


@pytest.fixture
def encrypted_set(encrypting):
    encrypting.in_clear = encrypting.client.write("a sentence that must be in no file of the set")
    encrypting.invoke("backup")
    return sets(encrypting)[-1]


def in_clear(stack):
    return [path.name for path in stack.state.glob("opened-*")]


def check(stack, name):
    """What the doctor says of one thing; its exit code is about all of them."""
    found = json.loads(stack.invoke("doctor", "--json", code=None).out)["result"]
    return next(each for each in found if each["name"] == name)


def test_the_set_is_unreadable_without_the_key_and_the_key_from_a_file_restores_it(encrypting, encrypted_set, tmp_path):
    names = sorted(path.name for path in encrypted_set.iterdir())
    ours = ["storage.known", "storage.list.age", "storage.tar.age"]
    assert names == ["database.dump.age", "manifest.json", "settings.env.age", *ours]
    content = {path.name: path.read_bytes() for path in encrypted_set.iterdir()}
    known = [encrypting.in_clear, "storedstored", *encrypting.secrets.values(), "PGDMP", "ustar"]
    assert [(text, name) for name, raw in content.items() for text in known if text.encode() in raw] == []
    assert read_set(encrypted_set).manifest.storage.wrong == read_set(encrypted_set).manifest.storage.missing == ()

    assert "were NOT read" in encrypting.invoke("backup", "--verify").out
    identity = ("--identity", str(encrypting.identity))
    assert (
        "Read back: every checksum, the dump's table of contents"
        in encrypting.invoke("backup", "--verify", *identity).out
    )
    assert check(encrypting, "backup keys")["outcome"] == "warn"
    encrypting.invoke("backup.keys", "--prove", *identity)
    assert check(encrypting, "backup keys")["outcome"] == "pass"
    assert check(encrypting, "encryption keys")["outcome"] in {"pass", "not configured"}

    (tmp_path / "wrong").write_text(make_pair()[1])
    before = live(encrypting)
    for wrong in ((), ("--identity", str(tmp_path / "wrong"))):
        refused = encrypting.invoke("restore", "--yes", *wrong, code=13)
        assert f"encrypted to {encrypting.settings['BACKUP_RECIPIENTS']}" in refused.err
    assert live(encrypting) == before

    later = encrypting.client.write("after the set")
    done = encrypting.invoke("restore", "--yes", *identity)
    private = encrypting.identity.read_text().strip()
    assert private not in done.said
    assert private not in "".join(path.read_text(errors="replace") for path in encrypting.state.iterdir())
    assert lost(encrypting, [*encrypting.in_set, encrypting.in_clear]) == []
    assert lost(encrypting, [later]) == [later]
    assert in_clear(encrypting) == []
    encrypting.invoke("smoke", "--quick")


@pytest.mark.matrix
def test_a_physical_set_is_encrypted_and_restored_in_the_same_way(encrypting):
    known = encrypting.client.write("a sentence in a physical set")
    encrypting.invoke("backup", "--kind", "physical")
    path = sets(encrypting)[-1]
    assert all(each.name.endswith((".age", ".json", ".known")) for each in path.iterdir())
    assert "were NOT read" in encrypting.invoke("backup", "--verify").out
    encrypting.invoke("backup.keys", "--prove", "--identity", str(encrypting.identity))
    later = encrypting.client.write("after the physical set")
    encrypting.invoke("restore", "--yes", "--identity", str(encrypting.identity))
    assert (lost(encrypting, [*encrypting.in_set, known]), lost(encrypting, [later])) == ([], [later])
    assert in_clear(encrypting) == []
    encrypting.invoke("smoke", "--quick")


def test_settings_of_the_backups_replace_no_container(encrypting):
    before = encrypting.containers()
    encrypting.set(BACKUP_ENCRYPT="settings")
    encrypting.invoke("up")
    assert encrypting.containers() == before


@pytest.mark.parametrize(("step", "way"), matrix("encrypted backup"))
def test_an_encrypted_backup_that_was_killed(encrypting, step, way):
    before = sets(encrypting)
    kill_and_end(encrypting, Kill("encrypted backup", step, way, ("backup",)))
    assert len(sets(encrypting)) == len(before) + (way == "finish")
    if way == "finish":
        encrypting.invoke("backup", "--verify", "--identity", str(encrypting.identity))


@pytest.mark.parametrize(("step", "way"), matrix("encrypted restore"))
def test_what_a_killed_restore_left_in_clear_is_removed_by_recover(encrypting, encrypted_set, tmp_path, step, way):
    key = shutil.copy(encrypting.identity, tmp_path / "key")
    task = ("restore", "--set", encrypted_set.name, "--yes", "--identity", str(key))
    given = ("--identity", str(tmp_path / "moved")) if way == "finish" else ()

    def its_key_is_elsewhere_now():
        # Once the data is in place nothing is needed in clear any more.
        assert step == "open" or len(in_clear(encrypting)) == (step not in {"clean", "build-indexes"})
        shutil.move(key, tmp_path / "moved")
        if way == "finish" and step in BEFORE_SWAP:
            # Nothing was swapped in yet: it begins again, for which it needs the key.
            refused = encrypting.invoke("recover", "--finish", code=13)
            assert "--identity FILE" in refused.err
            assert encrypting.journal()

    kill_and_end(encrypting, Kill("encrypted restore", step, way, task, given, (its_key_is_elsewhere_now,)))
    assert lost(encrypting, [encrypting.in_clear]) == []
