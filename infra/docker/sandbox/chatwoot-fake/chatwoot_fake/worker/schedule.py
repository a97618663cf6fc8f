"""Moves jobs whose time has come from `schedule` and `retry` to their queues (facts 3)."""

import asyncio
import json
import time
from contextlib import suppress

import redis.exceptions

from chatwoot_fake import jobs
from chatwoot_fake.worker.state import Worker

PERIOD = 2.0


async def move(worker: Worker) -> None:
    """Look every two seconds."""
    while True:
        with suppress(redis.exceptions.RedisError):
            for name in ("retry", "schedule"):
                for text in map(str, await worker.redis.zrangebyscore(name, "-inf", time.time())):
                    if await worker.redis.zrem(name, text):
                        await jobs.push(worker.redis, json.loads(text))
        await asyncio.sleep(PERIOD)
