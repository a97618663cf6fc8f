"""The worker, asked where it cannot lie: its heartbeat, its cron jobs, its queues, and a job that really ran."""

from __future__ import annotations

import json
from typing import Any

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import redis
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.check import Check, Outcome, failed, passed, warned
from chatwoot_ops.model.stack import Stack

OLDEST_BEAT_SECONDS = 60
OLDEST_JOB_SECONDS = 300
JOB_TIMEOUT_SECONDS = 90
CRON_JOBS = 10
_RESTART = (
    "Type 'docker compose restart chatwoot-sidekiq' in infra/docker/chatwoot, or see docs/runbooks/worker-dead.md"
)

# The set `processes` keeps names of dead workers; only the hash's beat tells (recordings/README.md, Health).
# Redis's own clock is used, so that a wrong clock on this machine is no alarm.
_LUA = """
local now = tonumber(redis.call('TIME')[1])
local beats, oldest = {}, {}
for _, identity in ipairs(redis.call('SMEMBERS', 'processes')) do
  local beat = redis.call('HGET', identity, 'beat')
  if beat then
    beats[#beats + 1] = {age = now - tonumber(beat), quiet = redis.call('HGET', identity, 'quiet')}
  end
end
for _, queue in ipairs(redis.call('SMEMBERS', 'queues')) do
  local job = redis.call('LINDEX', 'queue:' .. queue, -1)
  if job then
    local enqueued = tonumber(cjson.decode(job)['enqueued_at'] or now)
    if enqueued > 100000000000 then enqueued = enqueued / 1000 end
    oldest[#oldest + 1] = {queue = queue, age = now - enqueued, size = redis.call('LLEN', 'queue:' .. queue)}
  end
end
return cjson.encode({
  beats = beats, oldest = oldest, cron = redis.call('SCARD', 'cron_jobs:default'),
  retry = redis.call('ZCARD', 'retry'), dead = redis.call('ZCARD', 'dead'),
  processed = tonumber(redis.call('GET', 'stat:processed') or '0')
})
"""


def queue_facts(stack: Stack, host: Host) -> dict[str, Any]:
    """What Redis says of the worker, in one answer.

    Raises CommandFailedError when Redis does not answer.
    """
    text = host.processes.run(redis.script(stack, host.compose, _LUA)).stdout.strip()
    try:
        facts: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise CommandFailedError("Redis gave no answer that can be read", details=(text[:200],)) from error
    return facts


def worker(facts: dict[str, Any]) -> list[Check]:
    """Heartbeat, cron jobs, waiting jobs, and jobs that gave up."""
    return [_heartbeat(facts), _cron(facts), _waiting(facts), _given_up(facts)]


def _heartbeat(facts: dict[str, Any]) -> Check:
    name, beats = "worker heartbeat", list(facts["beats"])
    if not beats:
        return failed(name, "no worker has a heartbeat", _RESTART)
    youngest = min(beats, key=lambda beat: beat["age"])
    seen = f"{youngest['age']:.0f} s ago"
    if youngest["age"] > OLDEST_BEAT_SECONDS:
        return failed(name, seen, _RESTART)
    if youngest["quiet"] == "true":
        return failed(name, f"{seen}, but told to take no more jobs", _RESTART)
    return passed(name, seen)


def _cron(facts: dict[str, Any]) -> Check:
    there = int(facts["cron"])
    if there < CRON_JOBS:
        return failed("cron jobs", f"{there} of {CRON_JOBS}: no mail is fetched, nothing is reopened", _RESTART)
    return passed("cron jobs", f"{there} registered")


def _waiting(facts: dict[str, Any]) -> Check:
    late = [each for each in facts["oldest"] if each["age"] > OLDEST_JOB_SECONDS]
    if late:
        seen = ", ".join(f"{each['queue']}: {each['size']} jobs, oldest {each['age']:.0f} s" for each in late)
        return failed("waiting jobs", seen, "The worker is too slow or stuck; see docs/runbooks/worker-dead.md")
    return passed("waiting jobs", f"none older than {OLDEST_JOB_SECONDS} s")


def _given_up(facts: dict[str, Any]) -> Check:
    seen = f"{facts['retry']} to be tried again, {facts['dead']} given up"
    if facts["dead"]:
        return warned("failed jobs", seen, "Look at them in the super admin's Sidekiq page (/monitoring/sidekiq)")
    return passed("failed jobs", seen)


def job_ran(stack: Stack, host: Host, before: int) -> Check:
    """Waits until the counter of processed jobs moves: mail is polled every minute, so it must (facts, 3)."""
    name = "a job that ran"
    host.reporter.step(f"Waiting up to {JOB_TIMEOUT_SECONDS} s for the worker to run a job")
    with host.timed() as spent:
        moved = host.clock.wait_until(
            lambda: int(queue_facts(stack, host)["processed"]) > before,
            timeout=JOB_TIMEOUT_SECONDS,
            interval=2,
        )
    if moved:
        return passed(name, f"within {spent[0]:.0f} s")
    return failed(name, f"none within {JOB_TIMEOUT_SECONDS} s", _RESTART)


def job_left_out() -> Check:
    """The same, left out because it must wait."""
    return Check("a job that ran", Outcome.LEFT_OUT, "left out by --quick: it must wait for a minute")


def mail(stack: Stack, facts: dict[str, Any]) -> Check:
    """Without a mail server Chatwoot loses invitations and password resets without a word (recordings, Mail)."""
    if stack.settings["SMTP_ADDRESS"]:
        return passed("mail server", stack.settings["SMTP_ADDRESS"])
    seen = f"none: invitations and password resets are lost; {facts['dead']} jobs have given up"
    return warned("mail server", seen, "Set SMTP_ADDRESS and the rest of its group in .env, then 'invoke up'")
