"""The database and storage volume of a real, used Chatwoot 4.15.1: taken over, backed up, lost, brought back.

The input lies beside the repository; without it these tests are skipped, saying so.
"""

import json
import shutil
from pathlib import Path

import pytest

from chatwoot_ops.model.size import show_size
from stack.tools import docker, say
from stack_backup.support import key_pair, nobody_writing, rows, structure
from stack_backup.used import LAB, LARGE, NEEDED, STORAGE, USED

KEYS = [
    pytest.param(name, marks=() if name.endswith("PRIMARY_KEY") else pytest.mark.matrix)
    for name in LAB
    if name.startswith("ACTIVE")
]
pytestmark = NEEDED


@pytest.fixture(scope="module")
def laboratory(stack_factory, quick):
    """A stack with the keys of the real one, and an age recipient."""
    stack = stack_factory(checkout=quick, **LAB)
    public, stack.identity = key_pair(stack.env_file.parent)
    stack.set(BACKUP_RECIPIENTS=public)
    stack.set_up()
    return stack


def told(done):
    return json.loads(done.out)["result"]


def lose_volumes(stack):
    stack.compose("down")
    for name in ("CHATWOOT_DB_VOLUME", "CHATWOOT_STORAGE_VOLUME"):
        docker("volume", "rm", stack.settings[name])


def another_set_costs_only_its_dump(stack, first):
    """A set with the same stored files; the first one is removed then, and what is shared stays with the second."""
    second = told(stack.invoke("backup", "--json"))["set"]
    (pack,) = [each for each in second["manifest"]["artifacts"] if each["name"].startswith("storage-")]
    paths = [Path(first["path"]) / "storage.tar", Path(second["path"]) / pack["name"]]
    assert len({path.stat().st_ino for path in paths}) == 1
    assert second["manifest"]["packing"]["whole_because"] == ""
    assert second["manifest"]["storage"] == first["manifest"]["storage"]
    assert second["shared"] == pack["size"] == paths[0].stat().st_size
    shutil.rmtree(first["path"])
    stack.invoke("verify", "--level", "archive")
    return second["shared"]


def there_and_back(stack, *dump):
    """From the dump into the stack, into a set, and out of it after both volumes were lost."""
    taken = stack.invoke("restore", *dump, "--yes", "--json", timeout=600)
    with nobody_writing(stack):
        before, built = rows(stack), structure(stack)
        made = stack.invoke("backup", "--json")
        shared = another_set_costs_only_its_dump(stack, told(made)["set"])
    lose_volumes(stack)
    back = stack.invoke("restore", "--yes", "--json", timeout=600)
    with nobody_writing(stack):
        after, rebuilt = rows(stack), structure(stack)
    for name, lines in before.items():
        assert after.get(name) == lines, f"{name} is not as it was"
    assert after.keys() == before.keys()
    assert rebuilt == built
    say(
        f"\n{Path(dump[1]).name}: {sum(map(len, before.values()))} rows in {len(before)} tables that have any;"
        f" loaded in {told(taken)['seconds']} s, set of {show_size(told(made)['set']['size'])} made in"
        f" {told(made)['seconds']} s, {show_size(shared)} of it shared by the next one,"
        f" which was restored in {told(back)['seconds']} s"
    )
    return told(taken), told(back)


def test_the_used_database_comes_back_row_by_row_with_all_its_files(laboratory):
    taken, back = there_and_back(laboratory, "--dump", str(USED), "--storage", str(STORAGE))
    for result in (taken, back):
        assert result["storage"]["proved"] == 22
        assert result["storage"]["missing"] == result["storage"]["wrong"] == []
        assert result["storage"]["orphaned"] == []
        assert result["keys"] != "0 encrypted values opened"
    assert laboratory.sql("SELECT count(*) FROM messages") == "258"
    assert laboratory.sql("SELECT count(*) FROM conversations") == "56"
    laboratory.invoke("smoke", "--quick")
    a_file_that_is_lost_is_named_by_its_conversation(laboratory)


def a_file_that_is_lost_is_named_by_its_conversation(stack):
    """Message 15 of the used database has one, in conversation 1; an earlier set still holds it."""
    key = stack.sql(
        "SELECT key FROM active_storage_blobs b JOIN active_storage_attachments a ON a.blob_id = b.id"
        " JOIN attachments f ON f.id = a.record_id WHERE f.message_id = 15"
    )
    place = f"/volume/{key[:2]}/{key[2:4]}/{key}"
    volume = f"{stack.settings['CHATWOOT_STORAGE_VOLUME']}:/volume"
    image = stack.settings["POSTGRES_IMAGE"]
    docker("run", "--rm", "--user", "0", "--volume", volume, "--entrypoint", "rm", image, place)
    line = f"{key}, conversation 1 of account 2, message 15, 70 B"
    seen = {check["name"]: check for check in told(stack.invoke("doctor", "--json", code=None))}["stored files"]
    assert (seen["outcome"], f"missing: {line}" in seen["seen"]) == ("warn", True)
    made = told(stack.invoke("backup", "--json"))
    assert made["files"][0]["filename"] == "kep.png"
    assert f"kept: {line}" in made["warnings"]
    assert made["set"]["manifest"]["storage"]["proved"] == 22
    assert told(stack.invoke("restore", "--yes", "--json", timeout=600))["files"] == []


@pytest.mark.parametrize("name", KEYS)
def test_a_dump_whose_keys_are_others_is_refused_and_the_column_named(laboratory, name):
    right = laboratory.settings[name]
    laboratory.set(**{name: right[:-1] + "X"})
    try:
        answer = laboratory.invoke("restore", "--dump", str(USED), "--yes", code=26)
        assert "the encryption keys in .env do not open it" in answer.err
        assert "users.otp_secret" in answer.err or "webhooks.secret" in answer.err
        assert right not in answer.said
        assert laboratory.journal() == ""
    finally:
        laboratory.set(**{name: right})


@pytest.mark.matrix
def test_thirty_thousand_messages_come_back_row_by_row(laboratory):
    there_and_back(laboratory, "--dump", str(LARGE))
    assert laboratory.sql("SELECT count(*) FROM messages") == "30000"
