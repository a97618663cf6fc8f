"""Failed jobs: three more tries, then the dead set (facts 1.1; recordings, Mail)."""

import json
import random
import time

from chatwoot_fake import environment, jobs, log
from chatwoot_fake.worker.state import Worker

MAX_RETRIES = 3


async def after(worker: Worker, job: jobs.Job, problem: Exception) -> None:
    """Into `retry`, or into `dead` when the tries are used up; without retry it is gone."""
    kind, text = getattr(problem, "ruby_class", type(problem).__name__), str(problem)
    log.write("warn", f"{jobs.name(job)}: {kind}: {text}")
    if not job.get("retry"):
        return
    now = time.time()
    count = job["retry_count"] + 1 if "retry_count" in job else 0
    noted = {**job, "error_message": text, "error_class": kind, "failed_at": job.get("failed_at", now)}
    noted["retry_count"] = count
    if "retry_count" in job:
        noted["retried_at"] = now
    body = json.dumps(noted, ensure_ascii=False)
    if count >= MAX_RETRIES:
        await worker.redis.zadd("dead", {body: now})
    else:
        await worker.redis.zadd("retry", {body: now + delay(count)})


def delay(count: int) -> float:
    """Sidekiq's own formula, or CHATWOOT_FAKE_RETRY_SECONDS."""
    usual = count**4 + 15 + random.randint(0, 9) * (count + 1)  # noqa: S311 -- spreads retries, guards nothing
    return environment.number("CHATWOOT_FAKE_RETRY_SECONDS", usual)
