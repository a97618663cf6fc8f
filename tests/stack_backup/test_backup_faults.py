"""The machine fails while a set is made or put back: clear words, the documented code, and nothing half is left."""

import subprocess
import sys
from pathlib import Path

import pytest

from fault_table import record
from stack.tools import COMPOSE_FOLDER, Stack, copy_checkout, docker, run, wait_for
from stack_backup.support import POSTGRES, Client, ask, cluster, live, lost, sets

CLOCK_AT = str(Path(__file__).with_name("clock_at.py"))


@pytest.fixture
def backup_folder(standing, tmp_path):
    """Another folder for the sets, given back afterwards."""
    before = standing.settings["BACKUP_FOLDER"]
    standing.set(BACKUP_FOLDER=str(tmp_path / "sets"))
    (tmp_path / "sets").mkdir()
    yield tmp_path / "sets"
    standing.set(BACKUP_FOLDER=before)


def mounted(folder, *options):
    subprocess.run(["mount", *options, str(folder)], check=True)


@pytest.fixture
def unmount(backup_folder):
    """Takes the mount of the test away, also when it failed."""
    yield
    subprocess.run(["umount", str(backup_folder)], check=True)


@pytest.mark.usefixtures("unmount")
def test_a_backup_folder_that_cannot_be_written(standing, backup_folder):
    # Root may write where the permissions forbid it; a file system that is read-only stops root too.
    mounted(backup_folder, "-t", "tmpfs", "-o", "ro", "tmpfs")
    before = live(standing)
    answer = standing.invoke("backup", code=None)
    assert answer.code in {11, 22}, answer.said
    assert "Traceback" not in answer.said
    assert list(backup_folder.iterdir()) == []
    assert live(standing) == before


def test_a_file_where_the_backup_folder_should_be(standing, backup_folder):
    backup_folder.rmdir()
    backup_folder.write_text("not a folder")
    before = live(standing)
    answer = standing.invoke("backup", code=22)
    assert "No backup set was made" in answer.err
    assert backup_folder.read_text() == "not a folder"
    assert live(standing) == before
    backup_folder.unlink()


@pytest.mark.usefixtures("unmount")
def test_a_disk_without_room_is_seen_before_the_backup_begins(standing, backup_folder):
    mounted(backup_folder, "-t", "tmpfs", "-o", "size=1m", "tmpfs")
    answer = standing.invoke("backup", code=11)
    assert "There is no room for a backup set" in answer.err
    assert list(backup_folder.iterdir()) == []


@pytest.mark.usefixtures("unmount")
def test_a_disk_that_fills_during_a_backup_leaves_no_half_set(standing, backup_folder):
    # Room as the tool estimates it, and files in the storage volume that no estimate of the database can know of.
    mounted(backup_folder, "-t", "tmpfs", "-o", "size=300m", "tmpfs")
    filling = ("dd", "if=/dev/zero", "of=/app/storage/zz/zz/large", "bs=1M", "count=320", "status=none")
    docker(
        "exec",
        standing.container("chatwoot-sidekiq"),
        "sh",
        "-c",
        f"mkdir -p /app/storage/zz/zz && {' '.join(filling)}",
    )
    try:
        answer = standing.invoke("backup", code=22)
        assert "No backup set was made" in answer.err
        assert "No space left on device" in answer.err
        assert list(backup_folder.iterdir()) == []
        assert standing.journal() == ""
    finally:
        docker("exec", standing.container("chatwoot-sidekiq"), "rm", "-r", "/app/storage/zz")
    standing.invoke("backup")
    assert len(list(backup_folder.iterdir())) == 1
    record("disk full", "in the backup folder, on a real engine", "logical backup", rows_lost=0)


def test_a_disk_that_fills_during_a_restore_leaves_the_old_data_in_service(stack_factory, quick):
    stack = stack_factory(checkout=quick)
    volume = stack.settings["CHATWOOT_DB_VOLUME"]
    labels = ("--label", f"com.docker.compose.project={stack.project}", "--label", "com.docker.compose.volume=db-data")
    small = ("--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=96m")
    docker("volume", "create", *labels, *small, volume)
    # A tmpfs volume lives as long as a container holds it: this one holds it through all restarts of the database.
    holder = f"{stack.project}-holder"
    docker("run", "-d", "--name", holder, "-v", f"{volume}:/v", "--entrypoint", "sleep", POSTGRES, "3600")
    stack.extra.append(lambda: docker("rm", "-f", holder, check=False))
    try:
        stack.set_up()
        client = Client.of(stack)
        written = client.write("before the disk was full")
        stack.invoke("backup")
        before = cluster(stack)
        answer = stack.invoke("restore", "--yes", code=26)
        assert "No space left on device" in answer.said
        assert cluster(stack) == before
        missing = lost(stack, [written, client.write("and after")])
        assert missing == []
        stack.invoke("smoke", "--quick")
        assert stack.journal() == ""
        record("disk full", "in the database's volume, on a real engine", "restore", rows_lost=len(missing))
    finally:
        docker("rm", "-f", holder, check=False)
        stack.remove()


def test_a_clock_that_jumps_back_between_two_backups(standing, backup_folder):
    standing.invoke("backup")
    (first,) = backup_folder.iterdir()
    written = standing.client.write("between the two backups")
    done = run(
        sys.executable, CLOCK_AT, "2020-01-01T00:00:00", "backup", env=standing.environment, cwd=standing.checkout
    )
    assert done.code == 0, done.said
    earlier, later = sorted(backup_folder.iterdir())
    assert later == first
    assert earlier.name.startswith("20200101T00")
    listed = standing.invoke("backups").out
    assert listed.index(first.name) < listed.index(earlier.name), "the newest is not listed last"
    assert earlier.name in standing.invoke("backup", "--verify").out
    standing.invoke("restore", "--yes")
    missing = lost(standing, [written])
    assert missing == []
    fault = "put back between two backups, then restored on a real engine"
    record("clock", fault, "logical set", rows_lost=len(missing))


def test_two_tasks_at_once_from_two_checkouts(standing, tmp_path):
    other = copy_checkout(tmp_path / "another checkout")
    theirs = other / COMPOSE_FOLDER / ".env"
    theirs.write_bytes(standing.env_file.read_bytes())
    theirs.chmod(0o600)
    second = Stack(theirs, other, standing.project)
    with standing.in_background("restore", "--yes") as task:
        wait_for(lambda: standing.journal() and standing.last_step() == "load", "the restore loads")
        for tried in (("backup",), ("migrate",), ("down",)):
            answer = second.invoke(*tried, code=12)
            assert "Another operation holds the lock: restore by" in answer.err
        out, _ = task.communicate(timeout=300)
    assert task.returncode == 0, out
    assert lost(standing, standing.in_set) == []


def test_one_changed_character_in_a_key_is_seen_by_the_value_where_no_set_tells(standing, tmp_path):
    dump = tmp_path / "elsewhere.dump"
    inside = ("pg_dump", "-U", "postgres", "-Fp", "chatwoot_production")
    dump.write_text(docker("exec", standing.container("chatwoot-db"), *inside).out)
    encrypted = ask(standing, "SELECT count(*) FROM channel_api WHERE secret LIKE '{\"p\":%';") != ["0"]
    if not encrypted:
        pytest.skip("this stack encrypts nothing; the used database is what proves it (test_backup_used.py)")
    name = "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY"
    right = standing.env_file.read_bytes()
    value = standing.settings[name]
    standing.set(**{name: ("b" if value[0] == "a" else "a") + value[1:]})
    try:
        before = cluster(standing)
        answer = standing.invoke("restore", "--dump", str(dump), "--yes", code=26)
        assert "channel_api.secret: the encryption keys in .env do not open it" in answer.err
        assert cluster(standing) == before
    finally:
        standing.env_file.write_bytes(right)


def test_the_sets_of_these_tests_are_whole_at_the_end(standing):
    assert all(not path.name.endswith(".partial") for path in sets(standing))
    standing.invoke("backup", "--verify")
