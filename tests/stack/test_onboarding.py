"""A newcomer's first hour: every block of docs/onboarding.md, in order, against a throwaway stack."""

import os

import pytest

from stack.blocks import commands_of
from stack.tools import REPOSITORY, run

PAGE = REPOSITORY / "docs" / "onboarding.md"
TOKEN = "SELECT token FROM access_tokens WHERE owner_type = 'User' ORDER BY id LIMIT 1"


@pytest.fixture(scope="module")
def stack(stack_factory, quick):
    # Made without an environment of its own, bootstrap would build a new one under the feet of these very tests.
    assert (REPOSITORY / ".venv" / "bootstrap-stamp").exists(), "Type 'scripts/bootstrap --list' once before this test"
    stack = stack_factory(checkout=quick)
    stack.set_up()
    return stack


@pytest.fixture(scope="module")
def hour(stack):
    environment = {
        **stack.environment,
        "CHATWOOT_URL": stack.url,
        "CHATWOOT_API_KEY": stack.sql(TOKEN),
        "PATH": os.environ["PATH"],
    }
    return run("sh", "-eu", "-c", commands_of(PAGE), env=environment, cwd=REPOSITORY)


def test_every_block_runs_and_the_answer_is_read_back(hour):
    assert hour.code == 0, hour.said
    assert "in  The drill is broken" in hour.out
    assert "out A new one is on its way" in hour.out


@pytest.mark.usefixtures("hour")
def test_the_conversation_is_still_there_at_the_end(stack):
    assert stack.sql("SELECT content FROM messages WHERE message_type = 1") == "A new one is on its way"
    assert stack.health("chatwoot-rails") == "healthy"
