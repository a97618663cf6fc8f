"""The probe on port 7433 (recordings, Health): alive while a key, renewed by a job of its own, is in Redis.

It lies twice: after Redis was flushed it is 404 until the worker is restarted although jobs run, and after the last
renewal it stays alive for the rest of 600 s although none runs. A frozen process does not answer at all.
"""

import time

import redis.exceptions
from aiohttp import web

from chatwoot_fake import environment, jobs, keys
from chatwoot_fake.release import release
from chatwoot_fake.worker.state import Worker

LIFE, RENEW, REGISTERED = 600, 300, 1800


async def start(worker: Worker) -> None:
    """Register, then serve the probe."""
    await renew(worker)
    app = web.Application()
    app.router.add_get(environment.filled("SIDEKIQ_ALIVE_PATH", "/"), _probe(worker))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = int(environment.filled("SIDEKIQ_ALIVE_PORT", "7433"))
    await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 -- inside its container


async def renew(worker: Worker) -> None:
    """Write the key and put the next renewal into the schedule."""
    now = int(time.time())
    await worker.redis.set(keys.ALIVE_PREFIX + worker.hostname, now, ex=LIFE)
    await worker.redis.zadd(keys.ALIVE_HOSTS, {keys.ALIVE_HOST_PREFIX + worker.hostname: now + REGISTERED})
    await jobs.later(worker.redis, jobs.plain("SidekiqAlive::Worker", worker.alive_queue, [worker.hostname]), RENEW)


def _probe(worker: Worker):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- a handler of aiohttp
    async def handle(_request: web.Request) -> web.Response:
        named = {"X-Chatwoot-Fake": release()}
        try:
            found = await worker.redis.exists(keys.ALIVE_PREFIX + worker.hostname)
        except redis.exceptions.RedisError:
            return web.Response(status=500, text="Internal Server Error", headers=named)
        if found:
            return web.Response(text="Alive!", headers=named)
        return web.Response(status=404, text="Can't find the alive key", headers=named)

    return handle
