"""Starts the parts of the worker and ends them in order (facts 1.1; recordings, Starting)."""

import asyncio
import signal
from collections.abc import Callable

import redis.exceptions

from chatwoot_fake import log, redis_client
from chatwoot_fake.errors import BootError
from chatwoot_fake.pool import Pool
from chatwoot_fake.release import release
from chatwoot_fake.worker import alive, cron, heartbeat, loop, schedule
from chatwoot_fake.worker.state import Worker


def work() -> int:
    """Run until SIGTERM or SIGINT. Without Redis at the start it ends: the restart policy tries again (facts 1.1)."""
    try:
        asyncio.run(_run())
    except redis.exceptions.RedisError as problem:
        raise BootError(f"RedisClient::CannotConnectError: {problem}") from problem
    return 0


async def _run() -> None:
    worker = Worker(redis_client.async_client(), redis_client.async_client(socket_timeout=10), Pool())
    _listen(worker)
    log.write("warn", f"chatwoot-fake {release()}: worker {worker.identity} starts")
    await cron.register(worker)
    await alive.start(worker)
    parts = [asyncio.create_task(part(worker)) for part in (heartbeat.beat, cron.fire, schedule.move)]
    await loop.run(worker)
    for part in parts:
        part.cancel()
    await heartbeat.clear(worker)
    log.write("warn", "bye")


def _listen(worker: Worker) -> None:
    """SIGTSTP stops fetching and shows `quiet`; SIGTERM and SIGINT drain (recordings, Health)."""

    def silence() -> None:
        worker.quiet = True

    def stop() -> None:
        worker.quiet = True
        worker.stopping.set()

    handlers: dict[signal.Signals, Callable[[], None]] = {
        signal.SIGTSTP: silence,
        signal.SIGTERM: stop,
        signal.SIGINT: stop,
    }
    for number, handler in handlers.items():
        asyncio.get_running_loop().add_signal_handler(number, handler)
