"""The worker and its probe (recordings, Health, Logs, Mail)."""

import time

import pytest

from fake_stack import docker, throwaway, wait_for


@pytest.fixture
def stack():
    with throwaway() as found:
        yield found


@pytest.fixture(scope="module")
def served():
    with throwaway(serve=True) as found:
        yield found


def test_a_frozen_worker_or_one_without_redis_fails_its_probe_and_a_flush_silences_cron(served):
    served.worker(CHATWOOT_FAKE_CRON_SECONDS="1")
    docker("pause", served.name("worker"))
    assert asked_from_outside(served) == ""
    docker("unpause", served.name("worker"))
    assert served.probe() == "Alive!"
    docker("network", "disconnect", served.prefix, served.name("worker"))
    assert served.probe() == ""
    docker("network", "connect", served.prefix, served.name("worker"))
    wait_for(lambda: served.probe() == "Alive!", 15, "probe")
    served.redis("FLUSHALL")
    time.sleep(2.5)
    assert served.redis("EXISTS", "cron_jobs:default") == "0"
    assert served.probe() == ""
    docker("restart", served.name("worker"))
    wait_for(lambda: served.probe() == "Alive!", 15, "probe after restart")
    assert served.redis("SCARD", "cron_jobs:default") == "10"
    served.remove("worker")


def asked_from_outside(stack):
    """A container beside the frozen one asks: exec does not work in a frozen one."""
    address = docker(
        "inspect",
        "--format",
        f'{{{{(index .NetworkSettings.Networks "{stack.prefix}").IPAddress}}}}',
        stack.name("worker"),
    ).stdout.strip()
    done = docker("exec", stack.name("web"), "wget", "-q", "-T", "2", "-O", "-", f"http://{address}:7433/", check=False)
    return done.stdout if done.returncode == 0 else ""


@pytest.mark.parametrize(("level", "leaks"), [("info", True), ("warn", False)])
def test_the_workers_log_tells_secrets_and_messages_at_info_and_not_at_warn(stack, level, leaks):
    stack.prepare()
    stack.web()
    token = stack.onboard()
    inbox = stack.post("/api/v1/accounts/1/inboxes", {"name": "A", "channel": {"type": "api"}}, token).json()
    hook = {"webhook": {"url": "http://db:1/x", "subscriptions": ["message_created"]}}
    secret = stack.post("/api/v1/accounts/1/webhooks", hook, token).json()["payload"]["webhook"]["secret"]
    person = stack.post("/api/v1/accounts/1/contacts", {"name": "Z", "inbox_id": inbox["id"]}, token).json()
    stack.worker(LOG_LEVEL=level)
    ticket = {
        "inbox_id": inbox["id"],
        "contact_id": person["payload"]["contact"]["id"],
        "message": {"content": "my card number", "message_type": "incoming"},
    }
    stack.post("/api/v1/accounts/1/conversations", ticket, token)
    wait_for(lambda: "has no public ip addresses" in stack.logs("worker"), 20, "failed delivery in the log")
    log = stack.logs("worker")
    assert (secret in log, "my card number" in log) == (leaks, leaks)


def test_without_a_mail_server_an_invitation_dies_silently(served):
    served.post("/api/v1/accounts/1/agents", {"name": "B", "email": "b@kgc.example", "role": "agent"}, served.token)
    served.worker(CHATWOOT_FAKE_RETRY_SECONDS="0")
    wait_for(lambda: served.redis("ZCARD", "dead") == "1", 30, "dead job")
    assert "No such file or directory - /usr/sbin/sendmail" in served.redis("ZRANGE", "dead", "0", "-1")
    served.remove("worker")


def test_a_worker_that_finds_no_redis_at_its_start_ends(stack):
    stack.prepare()
    stack.stop("redis")
    done = stack.run("4.15.1", "bundle exec sidekiq -C config/sidekiq.yml")
    assert (done.returncode, "CannotConnectError" in done.stderr) == (1, True)


def test_a_worker_told_to_be_quiet_says_so_and_one_told_to_stop_pushes_back_what_it_cannot_finish(stack):
    stack.prepare()
    stack.worker(CHATWOOT_FAKE_CRON_SECONDS="1", CHATWOOT_FAKE_JOB_SECONDS="60", SIDEKIQ_TIMEOUT="1")
    wait_for(lambda: "queue:scheduled_jobs" not in stack.redis("KEYS", "queue:*"), 5, "a job in hand")
    time.sleep(1.5)
    docker("kill", "--signal", "TSTP", stack.name("worker"))
    identity = stack.redis("SMEMBERS", "processes")
    wait_for(lambda: stack.redis("HGET", identity, "quiet") == "true", 15, "quiet")
    docker("stop", "--time", "10", stack.name("worker"))
    assert int(stack.redis("LLEN", "queue:scheduled_jobs")) >= 1
    assert stack.redis("SMEMBERS", "processes") == ""
