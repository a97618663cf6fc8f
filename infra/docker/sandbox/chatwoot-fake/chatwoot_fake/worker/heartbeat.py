"""The heartbeat: a hash of 60 s, beaten every 10 s, and the counters (facts 3; recordings/redis.json)."""

import asyncio
import json
import os
import resource
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import redis.exceptions

from chatwoot_fake.worker.state import Worker

PERIOD, LIFE = 10, 60
FIVE_YEARS = 157_680_000


async def beat(worker: Worker) -> None:
    """Beat for ever. When Redis is away the beat is lost and the worker goes on."""
    while True:
        with suppress(redis.exceptions.RedisError):
            await once(worker)
        await asyncio.sleep(PERIOD)


async def once(worker: Worker) -> None:
    """One beat."""
    start = time.monotonic()
    await worker.redis.ping()
    rtt = int((time.monotonic() - start) * 1_000_000)
    fields: dict[Any, Any] = {
        "info": json.dumps(info(worker)),
        "busy": str(len(worker.running)),
        "beat": str(time.time()),
        "quiet": "true" if worker.quiet else "false",
        "rtt_us": str(rtt),
        "rss": str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss),
    }
    processed, failed = worker.processed, worker.failed
    async with worker.redis.pipeline(transaction=True) as pipe:
        pipe.sadd("processes", worker.identity)
        pipe.hset(worker.identity, mapping=fields)
        pipe.expire(worker.identity, LIFE)
        _count(pipe, "processed", processed)
        _count(pipe, "failed", failed)
        await pipe.execute()
    worker.processed -= processed
    worker.failed -= failed


def info(worker: Worker) -> dict[str, Any]:
    """What the process says of itself."""
    return {
        "hostname": worker.hostname,
        "started_at": worker.started,
        "pid": os.getpid(),
        "tag": "app",
        "concurrency": worker.concurrency + 2,
        "queues": worker.queues,
        "weights": [dict.fromkeys(worker.queues[:-1], 0), {worker.alive_queue: 0}],
        "labels": [],
        "identity": worker.identity,
        "version": "7.3.1",
        "embedded": False,
    }


async def clear(worker: Worker) -> None:
    """Leave the set of processes; the hash runs out by itself."""
    with suppress(redis.exceptions.RedisError):
        await once(worker)
        await worker.redis.srem("processes", worker.identity)
        await worker.redis.delete(f"{worker.identity}:work")


def _count(pipe: Any, name: str, amount: int) -> None:  # noqa: ANN401 -- a pipeline of redis-py
    """The total and the day's own counter."""
    if not amount:
        return
    day = f"stat:{name}:{datetime.now(UTC):%Y-%m-%d}"
    pipe.incrby(f"stat:{name}", amount)
    pipe.incrby(day, amount)
    pipe.expire(day, FIVE_YEARS)
