"""The ten cron jobs (facts 3), registered at start only: a flush of Redis silences them (recordings, Flushing)."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis.exceptions

from chatwoot_fake import environment, jobs, keys
from chatwoot_fake.worker.state import Worker


@dataclass(frozen=True)
class Entry:
    """One line of the schedule."""

    name: str
    cron: str
    kind: str
    queue: str = "scheduled_jobs"


ENTRIES = (
    Entry("internal_check_new_versions_job", "0 0 * * *", "Internal::TriggerDailyScheduledItemsJob"),
    Entry("trigger_scheduled_items_job", "*/5 * * * *", "TriggerScheduledItemsJob"),
    Entry("trigger_hourly_scheduled_items_job", "0 * * * *", "Internal::TriggerHourlyScheduledItemsJob"),
    Entry("trigger_imap_email_inboxes_job", "*/1 * * * *", "Inboxes::FetchImapEmailInboxesJob"),
    Entry("remove_stale_contact_inboxes_job.rb", "30 22 * * *", "Internal::RemoveStaleContactInboxesJob"),
    Entry("remove_stale_redis_keys_job.rb", "30 22 * * *", "Internal::RemoveStaleRedisKeysJob"),
    Entry("delete_accounts_job", "0 1 * * *", "Internal::DeleteAccountsJob"),
    Entry("periodic_assignment_job", "*/30 * * * *", "AutoAssignment::PeriodicAssignmentJob"),
    Entry("remove_old_notification_job", "30 22 * * *", "Notification::RemoveOldNotificationJob", "purgable"),
    Entry("remove_orphan_conversations_job", "0 */12 * * *", "Internal::RemoveOrphanConversationsJob", "housekeeping"),
)
EMPTY = ("queue_name_prefix", "queue_name_delimiter", "description", "last_enqueue_time", "retry")


def fields(entry: Entry) -> dict[Any, Any]:
    """The hash of one job (recordings/redis.json)."""
    message = {"queue": entry.queue, "class": entry.kind, "args": []}
    return {
        **dict.fromkeys(EMPTY, ""),
        "symbolize_args": "0",
        "date_as_argument": "0",
        "active_job": "0",
        "message": json.dumps(message, separators=(",", ":")),
        "status": "enabled",
        "cron": entry.cron,
        "klass": entry.kind,
        "namespace": "default",
        "name": entry.name,
        "source": "schedule",
        "args": "[]",
    }


async def register(worker: Worker) -> None:
    """Put all ten into Redis."""
    for entry in ENTRIES:
        await _register(worker, entry)


async def _register(worker: Worker, entry: Entry) -> None:
    key, now = keys.CRON_JOB + entry.name, time.time()
    async with worker.redis.pipeline(transaction=True) as pipe:
        pipe.sadd(keys.CRON_JOBS, key)
        pipe.hset(key, mapping=fields(entry))
        pipe.zadd(f"{key}:enqueued", {_stamp(now - now % 60): now})
        await pipe.execute()


async def fire(worker: Worker) -> None:
    """Each minute (or CHATWOOT_FAKE_CRON_SECONDS) enqueue what is due and still registered."""
    period = environment.number("CHATWOOT_FAKE_CRON_SECONDS", 60)
    while True:
        await asyncio.sleep(period)
        with suppress(redis.exceptions.RedisError):
            registered = await worker.redis.smembers(keys.CRON_JOBS)
            for entry in ENTRIES:
                if keys.CRON_JOB + entry.name in registered and due(entry.cron, datetime.now(UTC)):
                    await _enqueue(worker, entry)


def due(cron: str, now: datetime) -> bool:
    """Whether minute and hour match; the rest of every line is `*`."""
    minute, hour = cron.split()[:2]
    return _matches(minute, now.minute) and _matches(hour, now.hour)


def _matches(word: str, value: int) -> bool:
    if word.startswith("*/"):
        return value % int(word[2:]) == 0
    return word == "*" or int(word) == value


async def _enqueue(worker: Worker, entry: Entry) -> None:
    key, job, now = keys.CRON_JOB + entry.name, jobs.plain(entry.kind, entry.queue, []), time.time()
    spoken = datetime.fromtimestamp(now, UTC)
    history = json.dumps({"jid": job["jid"], "enqueued": f"{spoken:%Y-%m-%d %H:%M:%S} UTC"})
    await worker.redis.hset(key, "last_enqueue_time", f"{spoken:%Y-%m-%d %H:%M:%S} +0000")
    await worker.redis.zadd(f"{key}:enqueued", {_stamp(now - now % 60): now - now % 60})
    await worker.redis.lpush(f"{key}:jid_history", history)
    await worker.redis.ltrim(f"{key}:jid_history", 0, 9)
    await jobs.push(worker.redis, job)


def _stamp(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%dT%H:%M:%SZ}"
