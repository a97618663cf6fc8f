"""Jobs as they lie in Redis (recordings/redis.json; facts 3 and 5)."""

import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import redis.asyncio

from chatwoot_fake import keys

WRAPPER = "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper"
Job = dict[str, Any]


def active_job(kind: str, queue: str, arguments: list[Any]) -> Job:
    """A job of Rails inside a job of Sidekiq."""
    stamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    inner: dict[str, Any] = {
        "job_class": kind,
        "job_id": str(uuid.uuid4()),
        "provider_job_id": None,
        "queue_name": queue,
        "priority": None,
        "arguments": arguments,
        "executions": 0,
        "exception_executions": {},
        "locale": "en",
        "timezone": "UTC",
        "enqueued_at": stamp,
        "scheduled_at": None,
    }
    return {
        "retry": True,
        "queue": queue,
        "wrapped": kind,
        "args": [inner],
        "class": WRAPPER,
        "jid": uuid.uuid4().hex[:24],
        "created_at": time.time(),
    }


def plain(kind: str, queue: str, arguments: list[Any], *, retry: bool = False) -> Job:
    """A job of Sidekiq itself."""
    return {
        "retry": retry,
        "queue": queue,
        "class": kind,
        "args": arguments,
        "jid": uuid.uuid4().hex[:24],
        "created_at": time.time(),
    }


def name(job: Job) -> str:
    """The class that does the work."""
    return str(job.get("wrapped") or job["class"])


def arguments(job: Job) -> list[Any]:
    """What the class is called with."""
    return list(job["args"][0]["arguments"] if job["class"] == WRAPPER else job["args"])


async def push(client: redis.asyncio.Redis, job: Job) -> None:
    """To the head of its queue; the oldest is at the tail (facts 3)."""
    async with client.pipeline(transaction=False) as pipe:
        pipe.sadd("queues", job["queue"])
        pipe.lpush(keys.queue(job["queue"]), json.dumps({**job, "enqueued_at": time.time()}, ensure_ascii=False))
        await pipe.execute()


async def later(client: redis.asyncio.Redis, job: Job, seconds: float) -> None:
    """Into the schedule."""
    await client.zadd("schedule", {json.dumps(job, ensure_ascii=False): time.time() + seconds})


async def event(client: redis.asyncio.Redis, kind: str, **data: Any) -> None:  # noqa: ANN401 -- ids and names
    """A change of a record, for the worker's listeners (facts 5)."""
    await push(client, active_job("EventDispatcherJob", "critical", [kind, time.time(), data]))
