"""What can go wrong on the machine, each guard seen to fire: clear words, the documented code, nothing lost."""

import os
import signal
import socket
import subprocess

import pytest

from stack.tools import COMPOSE_FOLDER, Stack, copy_checkout, docker, wait_for

POSTGRES = "chatwoot-sandbox/postgres:pg16"


@pytest.fixture
def fresh(stack_factory, quick):
    """A stack of which only the settings exist."""
    stack = stack_factory(checkout=quick)
    yield stack
    stack.remove()


@pytest.fixture(scope="module")
def standing(stack_factory, quick):
    """A stack that works, with a row in its database that must outlive every test here."""
    stack = stack_factory(checkout=quick)
    stack.set_up()
    stack.write_row("precious")
    return stack


@pytest.fixture(autouse=True)
def kept(request):
    """After each test on the standing stack the row is there and nothing waits for recovery."""
    yield
    if "standing" in request.fixturenames and "gone" not in request.node.name:
        stack = request.getfixturevalue("standing")
        assert stack.rows() == ["precious"]
        assert stack.journal() == ""


def make_volume(stack, name, script, *options):
    """A volume as Compose would have made it, with what the script puts into it."""
    label = ("--label", f"com.docker.compose.project={stack.project}")
    docker("volume", "create", *label, *options, stack.settings[name])
    inside = ("run", "--rm", "-u", "0", "-v", f"{stack.settings[name]}:/v", "--entrypoint", "sh", POSTGRES)
    docker(*inside, "-c", f"cd /v && {script}")


def refused_untouched(stack, code, *words):
    before = stack.env_file.read_bytes(), stack.containers(), stack.volumes()
    answer = stack.invoke("setup", "--quick", code=code)
    for word in words:
        assert word in answer.err
    assert (stack.env_file.read_bytes(), stack.containers(), stack.volumes()) == before
    return answer


# --- refused before anything is touched ---------------------------------------------------------------------


def test_a_port_that_another_program_holds(fresh):
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(fresh.settings["CHATWOOT_PORT"])))
        other.listen()
        refused_untouched(fresh, 11, fresh.settings["CHATWOOT_PORT"], "used by another program")


def test_a_database_volume_of_another_installation(fresh):
    make_volume(fresh, "CHATWOOT_DB_VOLUME", "echo 00000000-0000-4000-8000-000000000000 > .chatwoot-instance")
    refused_untouched(fresh, 11, "belongs to another installation (00000000-0000-4000-8000-000000000000)")


def test_a_database_volume_of_another_postgresql(fresh):
    make_volume(fresh, "CHATWOOT_DB_VOLUME", "mkdir -p clusters/initial && echo 15 > clusters/initial/PG_VERSION")
    inside = ("run", "--rm", "-u", "0", "-v", f"{fresh.settings['CHATWOOT_DB_VOLUME']}:/v", "--entrypoint", "sh")
    docker(*inside, POSTGRES, "-c", "ln -s clusters/initial /v/current")
    refused_untouched(fresh, 11, "holds PostgreSQL 15, the image is PostgreSQL 16", "POSTGRES_IMAGE")


@pytest.mark.parametrize("image", ["chatwoot-sandbox/absent:v4.15.1-ce", "127.0.0.1:9/absent:v4.15.1-ce"])
def test_an_image_that_is_nowhere_or_behind_a_registry_that_does_not_answer(fresh, image):
    fresh.set(CHATWOOT_IMAGE=image)
    refused_untouched(fresh, 11, f"image {image}", "CHATWOOT_IMAGE")


def test_an_enterprise_image(fresh):
    docker("tag", fresh.settings["CHATWOOT_IMAGE"], "chatwoot-sandbox/enterprise:v4.15.1")
    fresh.set(CHATWOOT_IMAGE="chatwoot-sandbox/enterprise:v4.15.1")
    try:
        refused_untouched(fresh, 15, "not Chatwoot's Community Edition", "-ce")
    finally:
        docker("rmi", "chatwoot-sandbox/enterprise:v4.15.1")


# --- failures in the middle of set-up -----------------------------------------------------------------------


def test_redis_dies_during_the_first_preparation_and_the_next_setup_repairs_it(fresh):
    fresh.set(CHATWOOT_FAKE_BOOT_SECONDS="4")
    with fresh.in_background("setup", "--quick") as task:
        wait_for(fresh.one_offs, "preparation begins")
        docker("kill", fresh.container("chatwoot-redis"))
        out, _ = task.communicate(timeout=120)
    assert task.returncode == 20, out
    assert "Preparing the database" in out
    assert fresh.sql("SELECT count(*) FROM installation_configs") == "0"
    assert fresh.journal() == ""
    fresh.set(CHATWOOT_FAKE_BOOT_SECONDS="0")
    assert "Administrator: ada@kgc.example" in fresh.set_up().out
    assert fresh.sign_in() == 200


def test_ctrl_c_during_setup_cleans_up_and_setup_can_be_run_again(fresh):
    fresh.set(CHATWOOT_FAKE_BOOT_SECONDS="30")
    with fresh.in_background("setup", "--quick") as task:
        wait_for(fresh.one_offs, "preparation begins")
        os.killpg(task.pid, signal.SIGINT)
        out, _ = task.communicate(timeout=90)
    assert task.returncode == 130, out
    assert fresh.one_offs() == []
    assert fresh.journal() == ""
    assert '"outcome": "interrupted"' in (fresh.state / "ledger.jsonl").read_text()
    fresh.set(CHATWOOT_FAKE_BOOT_SECONDS="0")
    fresh.set_up()


@pytest.fixture
def small_disk(tmp_path):
    """A filesystem of a few megabytes, never the machine's own; `grow` makes it large enough."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def grow(folder, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


@pytest.mark.parametrize("size", ["30m", "46m"])
def test_a_disk_that_fills_during_setup(stack_factory, quick, small_disk, size):
    grow(small_disk, size)
    stack = stack_factory(checkout=quick)
    bound = ("--opt", "type=none", "--opt", "o=bind", "--opt", f"device={small_disk}")
    make_volume(stack, "CHATWOOT_DB_VOLUME", "true", *bound, "--label", "com.docker.compose.volume=db-data")
    try:
        answer = stack.invoke("setup", "--quick", code=None)
        assert answer.code in {20, 21}, answer.said
        assert "No space left on device" in answer.err
        assert stack.journal() == ""
        secrets = stack.secrets
        grow(small_disk, "900m")
        stack.set_up()
        assert stack.secrets == secrets
        assert stack.sign_in() == 200
    finally:
        stack.remove()


# --- a stack that stands ------------------------------------------------------------------------------------


def test_two_tasks_at_once_from_two_checkouts(standing, tmp_path):
    other = copy_checkout(tmp_path / "other checkout")
    theirs = other / COMPOSE_FOLDER / ".env"
    theirs.write_bytes(standing.env_file.read_bytes())
    theirs.chmod(0o600)
    standing.set(CHATWOOT_FAKE_BOOT_SECONDS="3")
    with standing.in_background("migrate") as task:
        wait_for(standing.one_offs, "the migration begins")
        answer = Stack(theirs, other, standing.project).invoke("down", code=12)
        assert "Another operation holds the lock: migrate by" in answer.err
        out, _ = task.communicate(timeout=120)
    standing.set(CHATWOOT_FAKE_BOOT_SECONDS="0")
    assert task.returncode == 0, out


def test_a_container_that_never_gets_healthy_shows_its_last_lines(standing):
    standing.set(SIDEKIQ_MEMORY_LIMIT="8m")
    try:
        answer = standing.invoke("up", code=21)
        assert "chatwoot-sidekiq: restarting" in answer.err
        assert "pg_isready" in answer.err
        assert "Data was not touched" in answer.err
    finally:
        standing.set(SIDEKIQ_MEMORY_LIMIT="1g")
        standing.invoke("up")


def test_a_wrong_database_password_is_named_at_once(standing):
    right = standing.settings["POSTGRES_PASSWORD"]
    standing.set(POSTGRES_PASSWORD="Wrong" + right)
    try:
        answer = standing.invoke("up", code=20)
        assert "POSTGRES_PASSWORD" in answer.err
        assert answer.seconds < 60
        assert right not in answer.said
    finally:
        standing.set(POSTGRES_PASSWORD=right)
        standing.invoke("up")


def test_a_database_volume_that_is_gone_is_never_replaced_by_an_empty_one(standing):
    standing.invoke("down")
    docker("volume", "rm", standing.settings["CHATWOOT_DB_VOLUME"])
    answer = standing.invoke("up", code=11)
    assert f"volume {standing.settings['CHATWOOT_DB_VOLUME']}: is gone" in answer.err
    assert standing.containers() == []
    standing.compose("up", "-d", "chatwoot-db")
    refusal = "this installation has data elsewhere"
    wait_for(lambda: refusal in docker("logs", standing.container("chatwoot-db")).err, "the database refuses", 30)
    look = ("run", "--rm", "-v", f"{standing.settings['CHATWOOT_DB_VOLUME']}:/v", "--entrypoint", "ls", POSTGRES)
    assert docker(*look, "-A", "/v").out.split() == []
