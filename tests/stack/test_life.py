"""The life of one stack, in the order of the tests: made, looked at, stopped, started, given up, made again."""

import json
import os
import pty
import select
import subprocess
import termios
import time
from contextlib import contextmanager

import pytest

from stack.tools import BIN, SERVICES, docker


@pytest.fixture(scope="module")
def stack(stack_factory, quick):
    return stack_factory(checkout=quick)


@pytest.fixture(scope="module")
def first(stack):
    """The very first set-up."""
    return stack.invoke("setup")


@pytest.fixture
def running(stack, request):
    request.getfixturevalue("first")
    return stack


def test_setup_from_nothing_ends_in_a_stack_that_passed_its_smoke_check(stack, first):
    assert "0 fail" not in first.out
    assert "pass            a job that ran" in first.out
    assert f"Chatwoot v4.15.1-ce serves at {stack.url}" in first.out
    assert "Administrator: ada@kgc.example" in first.out
    assert stack.env_file.stat().st_mode & 0o777 == 0o600
    assert stack.sign_in() == 200


def test_a_second_setup_changes_nothing_and_says_so(running):
    def everything():
        return running.env_file.read_bytes(), running.containers(), running.volumes()

    before = everything()
    assert "nothing: everything was there already" in running.set_up().out
    assert everything() == before


def test_status_says_for_machines_what_runs(running):
    result = json.loads(running.invoke("status", "--json").out)["result"]
    assert result["healthy"]
    assert sorted(each["service"] for each in result["services"]) == list(SERVICES)
    assert result["fake"] == "4.15.1"
    assert result["pending_migrations"] == []
    assert result["cut_off"] == ""
    assert sorted(result["volumes"]) == running.volumes()
    assert "not there" not in result["volumes"].values()


def test_smoke_passes_and_writes_junit(running, tmp_path):
    answer = running.invoke("smoke", "--quick", "--junit", str(tmp_path / "smoke.xml"))
    assert "left out by --quick" in answer.out
    assert 'failures="0"' in (tmp_path / "smoke.xml").read_text()


def test_logs_hide_a_secret_that_a_container_wrote(running):
    secret = running.settings["REDIS_PASSWORD"]
    told = "echo before $WORD after > /proc/1/fd/1"
    docker("exec", "-e", f"WORD={secret}", running.container("chatwoot-sidekiq"), "sh", "-c", told)
    answer = running.invoke("logs", "--service", "chatwoot-sidekiq", "--tail", "5")
    assert "before ******** after" in answer.out
    assert secret not in answer.said


def test_migrate_twice_finds_nothing_to_do(running):
    for _ in range(2):
        assert "0 migrations ran, 138 are applied" in running.invoke("migrate").out
    assert running.invoke("smoke", "--quick").code == 0


def read_until(terminal, wanted):
    """What a terminal shows until it has shown this; where nothing comes Enter is pressed, as a person would."""
    shown, deadline = "", time.monotonic() + 90
    while wanted not in shown and time.monotonic() < deadline:
        if select.select([terminal], [], [], 10)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
        elif not shown:
            os.write(terminal, b"\n")
        # psql shows even one row in a pager while Docker has not told it yet how large the terminal is.
        elif "(END)" in shown:
            os.write(terminal, b"q")
    assert wanted in shown, shown
    return shown


@contextmanager
def at_a_terminal(stack, task):
    """A task whose terminal is ours; Ctrl-D must end it, and well."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 160))
    with subprocess.Popen(
        ("setsid", "--ctty", str(BIN / "invoke"), task),
        cwd=stack.checkout,
        env={**os.environ, **stack.environment, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as shell:
        os.close(theirs)
        try:
            yield ours
            os.write(ours, b"\x04")
            assert shell.wait(30) == 0
        finally:
            shell.kill()
    os.close(ours)


def test_psql_at_a_terminal_asks_as_chatwoots_own_role(running):
    with at_a_terminal(running, "psql") as terminal:
        read_until(terminal, "=> ")
        os.write(terminal, b"SELECT 'I am ' || current_user;\n")
        read_until(terminal, "I am chatwoot")
        read_until(terminal, "=> ")


def test_console_opens_the_fakes_console_and_says_it_is_one(running):
    with at_a_terminal(running, "console") as terminal:
        assert "this is not a Rails console" in read_until(terminal, ">>> ")


def test_doctor_passes_and_then_names_what_is_wrong(running):
    running.invoke("doctor")
    running.compose("stop", "chatwoot-sidekiq")
    answer = running.invoke("doctor", code=25)
    assert "fail            chatwoot-sidekiq" in answer.out
    running.invoke("up")


def test_down_and_up_keep_the_data(running):
    running.write_row("written before down")
    assert "all data is kept" in running.invoke("down").out
    assert running.containers() == []
    running.invoke("up")
    assert running.rows() == ["written before down"]
    assert running.sign_in() == 200


def test_down_with_volumes_is_refused_where_nobody_can_be_asked(running):
    before = running.env_file.read_bytes(), running.containers(), running.volumes()
    answer = running.invoke("down", "--volumes", code=14)
    assert "It holds" in answer.err
    assert "Nothing was changed" in answer.err
    assert (running.env_file.read_bytes(), running.containers(), running.volumes()) == before
    assert running.rows() == ["written before down"]


def test_confirmed_it_removes_all_data_and_a_new_setup_begins_from_nothing(running):
    running.invoke("down", "--volumes", "--yes")
    assert (running.containers(), running.volumes()) == ([], [])
    assert running.settings.get("CHATWOOT_INSTANCE_ID", "") == ""
    answer = running.set_up()
    assert "Administrator: ada@kgc.example" in answer.out
    assert running.sql("SELECT to_regclass('kept') IS NULL") == "t"
