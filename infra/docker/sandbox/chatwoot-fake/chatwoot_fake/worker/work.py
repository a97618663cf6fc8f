"""What each kind of job does. Most of Chatwoot's jobs have nothing to do in the fake and end at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from chatwoot_fake import environment, jobs
from chatwoot_fake.worker import activity, alive, analysis, events, mail, webhooks
from chatwoot_fake.worker.state import Worker

Work = Callable[[Worker, list[Any]], Awaitable[None]]


async def _renew(worker: Worker, _arguments: list[Any]) -> None:
    await alive.renew(worker)


WORK: dict[str, Work] = {
    "SidekiqAlive::Worker": _renew,
    "ActionMailer::MailDeliveryJob": mail.deliver,
    "EventDispatcherJob": events.dispatch,
    "ActionCableBroadcastJob": events.broadcast,
    "ActiveStorage::AnalyzeJob": analysis.analyze,
    "WebhookJob": webhooks.deliver,
    "Conversations::ActivityMessageJob": activity.write,
}


async def perform(worker: Worker, job: jobs.Job) -> None:
    """Do it; CHATWOOT_FAKE_JOB_SECONDS makes every job of the application take that long."""
    name = jobs.name(job)
    seconds = environment.number("CHATWOOT_FAKE_JOB_SECONDS", 0)
    if seconds and name != "SidekiqAlive::Worker":
        await asyncio.sleep(seconds)
    if name in WORK:
        await WORK[name](worker, jobs.arguments(job))
