"""The health checks tell the truth: the web's in each state of its life, the worker's within 90 seconds.

Run with `-s` to see the seconds that were measured.
"""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from stack.tools import docker, run, say, wait_for

KILL_AT = str(Path(__file__).with_name("kill_at.py"))
LONGEST = 90


@pytest.fixture(scope="module")
def stack(stack_factory):
    """Everything runs, and nobody is administrator yet: set-up was cut off just before."""
    stack = stack_factory()
    task = ("administrator", "setup", "--quick")
    done = run(sys.executable, KILL_AT, *task, env=stack.environment, cwd=stack.checkout)
    assert done.code == -signal.SIGKILL, done.said
    return stack


def check(stack, service):
    """The service's own health check, run now."""
    kind, command = stack.described(service)["Config"]["Healthcheck"]["Test"]
    assert kind == "CMD-SHELL"
    return docker("exec", stack.container(service), "sh", "-c", command, check=False)


def rails_tells_the_truth(stack, needed=("chatwoot-redis", "chatwoot-db")):
    """It holds, fails in time without each of these services, and holds again when they are back."""
    assert check(stack, "chatwoot-rails").code == 0
    for service in needed:
        docker("stop", stack.container(service))
        answer = check(stack, "chatwoot-rails")
        say(f"rails check without {service}: fails after {answer.seconds:.1f} s")
        docker("start", stack.container(service))
        assert answer.code != 0
        assert answer.seconds < 10
        stack.wait_healthy(service)
        wait_for(lambda: check(stack, "chatwoot-rails").code == 0, f"rails after {service} is back")


def test_the_rails_check_before_the_first_administrator_exists(stack):
    # The fake redirects to the first-run page without a look at its database; whether Chatwoot does is not recorded.
    rails_tells_the_truth(stack, needed=("chatwoot-redis",))


def test_the_rails_check_after_the_first_administrator_was_made(stack):
    stack.invoke("recover", "--finish")
    rails_tells_the_truth(stack)


def test_the_rails_check_where_every_request_is_sent_to_https(stack):
    stack.set(FORCE_SSL="true")
    stack.invoke("up")
    rails_tells_the_truth(stack)


def unhealthy_after(container, began):
    state = "{{.State.Health.Status}}"
    wait_for(
        lambda: docker("inspect", "-f", state, container).out.strip() == "unhealthy",
        f"{container} unhealthy",
        LONGEST - (time.monotonic() - began),
    )
    return time.monotonic() - began


def test_a_worker_that_is_frozen_or_cut_off_from_redis_is_unhealthy_within_90_s(stack):
    stack.compose("up", "-d", "--wait", "--scale", "chatwoot-sidekiq=2")
    frozen, cut_off = (f"{stack.project}-chatwoot-sidekiq-{number}" for number in (1, 2))
    began = time.monotonic()
    # Not by `docker kill`, after which the engine would not start the container again.
    main_process = int(docker("inspect", "-f", "{{.State.Pid}}", frozen).out)
    os.kill(main_process, signal.SIGSTOP)
    docker("network", "disconnect", f"{stack.project}_stack", cut_off)
    try:
        say(f"frozen worker: unhealthy after {unhealthy_after(frozen, began):.0f} s")
        say(f"worker without Redis: unhealthy after {unhealthy_after(cut_off, began):.0f} s")
    finally:
        os.kill(main_process, signal.SIGCONT)
        docker("rm", "-f", cut_off)


def test_a_worker_that_dies_is_started_again(stack):
    before = stack.described("chatwoot-sidekiq")
    os.kill(before["State"]["Pid"], signal.SIGKILL)

    def back():
        now = stack.described("chatwoot-sidekiq")
        return now["RestartCount"] > before["RestartCount"] and now["State"]["Running"]

    say(f"killed worker: runs again after {wait_for(back, 'the worker runs again', LONGEST):.1f} s")
    assert stack.described("chatwoot-sidekiq")["Id"] == before["Id"]
    stack.wait_healthy("chatwoot-sidekiq")
