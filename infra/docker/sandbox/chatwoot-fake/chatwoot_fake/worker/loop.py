"""Fetch, run, retry (facts 1.1, 3)."""

import asyncio
import json
import time
from contextlib import suppress

import redis.exceptions

from chatwoot_fake import environment, jobs, keys, log
from chatwoot_fake.worker import retry, work
from chatwoot_fake.worker.state import Worker

FETCH_SECONDS, DRAIN_SECONDS = 1, 25


async def run(worker: Worker) -> None:
    """Fetch until told to stop, then give what runs 25 s and push the rest back."""
    fetchers = [asyncio.create_task(_fetch_for_ever(worker)) for _ in range(worker.concurrency)]
    await worker.stopping.wait()
    drain = environment.number("SIDEKIQ_TIMEOUT", DRAIN_SECONDS)
    _, late = await asyncio.wait(fetchers, timeout=drain)
    for task in late:
        task.cancel()
    for job in worker.running.values():
        with suppress(redis.exceptions.RedisError):
            await worker.redis.rpush(keys.queue(job["queue"]), json.dumps(job, ensure_ascii=False))


async def _fetch_for_ever(worker: Worker) -> None:
    while not worker.stopping.is_set():
        if worker.quiet:
            await asyncio.sleep(0.2)
            continue
        try:
            await _fetch(worker)
        except redis.exceptions.RedisError as problem:
            log.write("error", f"heartbeat: {problem}")
            await asyncio.sleep(1)


async def _fetch(worker: Worker) -> None:
    """The oldest job of the first queue that has one. What is in hand when the process is killed is lost."""
    found = await worker.blocking.brpop([keys.queue(name) for name in worker.queues], timeout=FETCH_SECONDS)
    if found is None:
        return
    job = json.loads(found[1])
    worker.running[job["jid"]] = job
    # Not in a `finally`: a job that is cut off at the end of the drain stays here and goes back to its queue.
    await _perform(worker, job)
    worker.running.pop(job["jid"], None)


async def _perform(worker: Worker, job: jobs.Job) -> None:
    worker.processed += 1
    started = time.time()
    log.write("info", _announcement(job))
    try:
        await work.perform(worker, job)
    except asyncio.CancelledError:
        raise
    except Exception as problem:  # noqa: BLE001 -- any failure of a job is a retry
        worker.failed += 1
        await retry.after(worker, job, problem)
        return
    log.write("debug", f"Performed {jobs.name(job)} in {time.time() - started:.3f}s")


def _announcement(job: jobs.Job) -> str:
    """At `info` the arguments are in the log: webhook secrets and customers' messages (recordings, Logs)."""
    shown = ", ".join(_ruby(argument) for argument in jobs.arguments(job))
    return f"Performing {jobs.name(job)} (Job ID: {job['jid']}) from Sidekiq({job['queue']}) with arguments: {shown}"


def _ruby(value: object) -> str:
    """A value as Ruby prints it."""
    if isinstance(value, dict):
        inner = ", ".join(f":{key}=>{_ruby(item)}" for key, item in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_ruby(item) for item in value) + "]"
    return "nil" if value is None else json.dumps(value, ensure_ascii=False)
