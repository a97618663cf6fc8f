"""Waiting until services answer: as soon as they do, and no longer than there is hope."""

import pytest

from chatwoot_ops.errors import StackUnhealthyError
from chatwoot_ops.operations.containers import wait_until_answering
from world import container, containers

DATABASE = ("chatwoot-db",)


def test_services_that_answer_are_not_waited_for_and_the_engine_is_not_asked(stack, host):
    wait_until_answering(stack, host, DATABASE, lambda: True)
    assert host.processes.ran == []
    assert host.clock.passed == 0


def test_it_returns_as_soon_as_they_answer_whatever_their_health_check_says(stack, well):
    containers(well, container("chatwoot-db", health="starting"))
    answers = iter((False, False, False, True))
    wait_until_answering(stack, well, DATABASE, lambda: next(answers))
    assert well.clock.passed < 1


def test_services_that_never_answer_are_unhealthy_in_the_end(stack, well):
    containers(well, container("chatwoot-db", health="starting"))
    with pytest.raises(StackUnhealthyError) as caught:
        wait_until_answering(stack, well, DATABASE, lambda: False)
    assert "chatwoot-db: running, starting, 0 restarts" in caught.value.details
    assert well.clock.passed == pytest.approx(300, abs=1)


def test_a_service_that_keeps_ending_is_given_up_early(stack, well):
    ended = iter(range(0, 60, 2))

    def answering():
        containers(well, container("chatwoot-db", state="restarting", restarts=next(ended)))
        return False

    with pytest.raises(StackUnhealthyError):
        wait_until_answering(stack, well, DATABASE, answering)
    assert well.clock.passed < 10
