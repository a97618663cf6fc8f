"""Set-up killed by SIGKILL at each of its steps: it is seen, refused, and ended both ways.

`KILL_MATRIX=full pytest -s tests/stack/test_kills.py` tries both at each step; with -s a table of it is shown.
"""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import requests

from stack.tools import ADMIN_EMAIL, ADMIN_PASSWORD, docker, run, say, wait_for

KILL_AT = str(Path(__file__).with_name("kill_at.py"))
STEPS = (
    "write-secrets",
    "network",
    "images",
    "pin-images",
    "volumes",
    "instance",
    "start-data-services",
    "prepare",
    "start",
    "administrator",
)
# Each step is killed at in every run; both ways out of each are tried where KILL_MATRIX=full is set.
FULL = os.environ.get("KILL_MATRIX") == "full"
FINISHED = STEPS if FULL else ("pin-images", "instance", "prepare", "administrator")
UNDONE = STEPS if FULL else (*(step for step in STEPS if step not in FINISHED), "instance")
ROWS = []


@pytest.fixture
def stack(stack_factory, quick):
    stack = stack_factory(checkout=quick)
    yield stack
    stack.remove()


@pytest.fixture(autouse=True, scope="module")
def table():
    yield
    say("\n| operation | killed at | containers, volumes then | ended by |\n|---|---|---|---|")
    say("\n".join(ROWS))


def kill_setup_at(stack, step, *task):
    task = task or ("setup", "--quick")
    done = run(sys.executable, KILL_AT, step, *task, env=stack.environment, cwd=stack.checkout)
    assert done.code == -signal.SIGKILL, done.said
    assert stack.last_step() == step


def cut_off_is_seen(stack, step):
    """A reading task reports it; a changing one refuses and names the way out."""
    assert f"cut off at step '{step}'" in stack.invoke("recover").out
    # Before that step .env has no secrets, and up has that to say first.
    refused = stack.invoke("setup" if step == "write-secrets" else "up", code=12)
    assert "invoke recover --finish" in refused.err


def nothing_is_left(stack):
    assert (stack.containers(), stack.volumes()) == ([], [])
    assert stack.settings.get("CHATWOOT_INSTANCE_ID", "") == ""
    assert stack.journal() == ""


def note(stack, step, way):
    there = f"{len(stack.containers())}, {len(stack.volumes())}"
    ROWS.append(f"| setup | {step} | {there} | recover --{way} |")


@pytest.mark.parametrize("step", FINISHED)
def test_killed_at_any_step_it_is_finished_and_the_stack_works(stack, step):
    kill_setup_at(stack, step)
    note(stack, step, "finish")
    cut_off_is_seen(stack, step)
    # Finishing ends in the quick smoke check, and its exit code is that of the check.
    assert "'setup' was finished" in stack.invoke("recover", "--finish").out
    assert stack.journal() == ""
    assert stack.sign_in() == 200


@pytest.mark.parametrize("step", UNDONE)
def test_killed_it_is_undone_and_nothing_is_left(stack, step):
    kill_setup_at(stack, step)
    note(stack, step, "undo")
    assert "'setup' was undone" in stack.invoke("recover", "--undo").out
    nothing_is_left(stack)


def test_status_reports_what_was_cut_off(stack):
    kill_setup_at(stack, "instance")
    assert "at step 'instance'" in json.loads(stack.invoke("status", "--json").out)["result"]["cut_off"]


def test_undo_refuses_once_somebody_can_have_used_the_stack(stack):
    kill_setup_at(stack, "administrator")
    form = {"user[name]": "Ada", "user[company]": "KGC", "user[email]": ADMIN_EMAIL, "user[password]": ADMIN_PASSWORD}
    requests.post(f"{stack.url}/installation/onboarding", data=form, allow_redirects=False, timeout=20)
    before = stack.containers(), stack.volumes(), stack.journal()
    assert "has users already" in stack.invoke("recover", "--undo", code=12).err
    assert (stack.containers(), stack.volumes(), stack.journal()) == before
    stack.invoke("recover", "--finish")
    assert stack.sign_in() == 200


def test_an_undo_that_is_killed_too_is_undone_again(stack):
    kill_setup_at(stack, "start")
    kill_setup_at(stack, "remove-volumes", "recover", "--undo")
    stack.invoke("recover", "--undo")
    nothing_is_left(stack)
    stack.set_up()


def test_a_one_off_container_that_outlived_the_kill_is_ended_first(stack):
    stack.set(CHATWOOT_FAKE_BOOT_SECONDS="30")
    with stack.in_background("setup", "--quick") as task:
        wait_for(stack.one_offs, "preparation begins", 60)
        os.killpg(task.pid, signal.SIGKILL)
        task.wait()
    (outlived,) = stack.one_offs()
    stack.set(CHATWOOT_FAKE_BOOT_SECONDS="0")
    stack.invoke("recover", "--finish")
    assert outlived not in stack.one_offs()
    assert docker("inspect", outlived, check=False).code != 0
    stack.invoke("smoke", "--quick")
