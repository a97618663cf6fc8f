"""A set that the server writes and cannot read: taken, restored with the key from a file; nothing stays in clear."""

import json
import shutil

import pytest

from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.backup_store import read_set
from stack_backup.kills import WAYS, leaves_nothing_half
from stack_backup.support import kill_at, live, lost, sets

# The sample runs by default: while the set lies in clear, and after the swap.
STEPS = ("open", "stage", "load", "prove", "storage", "stop", "swap", "start", "smoke", "clean")
SAMPLE = {("open", "undo"), ("load", "finish")}
KILLS = [
    pytest.param(step, way, marks=() if (step, way) in SAMPLE else pytest.mark.matrix) for step in STEPS for way in WAYS
]


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
    assert all(each.name.endswith((".age", ".json")) for each in path.iterdir())
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


@pytest.mark.parametrize(("step", "way"), KILLS)
def test_what_a_killed_restore_left_in_clear_is_removed_by_recover(encrypting, encrypted_set, tmp_path, step, way):
    key = shutil.copy(encrypting.identity, tmp_path / "key")
    kill_at(encrypting, step, "restore", "--yes", "--identity", str(key))
    opened = in_clear(encrypting)
    assert step == "open" or len(opened) == 1
    shutil.move(key, tmp_path / "moved")
    if way == "finish" and step in STEPS[: STEPS.index("swap")]:
        # Nothing was swapped in yet: it begins again, for which it needs the key.
        refused = encrypting.invoke("recover", "--finish", code=13)
        assert "--identity FILE" in refused.err
        assert encrypting.journal()
    given = ("--identity", str(tmp_path / "moved")) if way == "finish" else ()
    encrypting.invoke("recover", f"--{way}", *given)
    assert (in_clear(encrypting), encrypting.journal()) == ([], "")
    leaves_nothing_half(encrypting)
    assert lost(encrypting, [*encrypting.in_set, encrypting.in_clear]) == []
    encrypting.invoke("smoke", "--quick")
