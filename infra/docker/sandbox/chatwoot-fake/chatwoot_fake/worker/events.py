"""Events of records: to the cable and to the account's webhooks (facts 5)."""

import json
import uuid
from typing import Any

from chatwoot_fake import encryption, jobs, keys
from chatwoot_fake.worker import payloads
from chatwoot_fake.worker.state import Worker


async def dispatch(worker: Worker, arguments: list[Any]) -> None:
    """One cable job, and one webhook job for each webhook that subscribed."""
    kind, _, ids = arguments
    async with worker.pool.session() as session:
        payload = await payloads.webhook(worker, session, kind, ids)
        frame = await payloads.frame(worker, session, kind, ids)
        hooks = await session.all(
            "SELECT url, secret, subscriptions FROM webhooks WHERE account_id = %s", ids["account"]
        )
        readers = await session.all(
            "SELECT u.pubsub_token FROM users u JOIN account_users m ON m.user_id = u.id WHERE m.account_id = %s",
            ids["account"],
        )
    if frame is not None:
        tokens = [row["pubsub_token"] for row in readers]
        await jobs.push(
            worker.redis,
            jobs.active_job("ActionCableBroadcastJob", "critical", [tokens, kind.replace("_", ".", 1), frame]),
        )
    for hook in hooks if payload is not None else ():
        if kind in (hook["subscriptions"] or ()):
            options = {"secret": encryption.unseal(hook["secret"]), "delivery_id": str(uuid.uuid4())}
            await jobs.push(
                worker.redis,
                jobs.active_job("WebhookJob", "medium", [hook["url"], payload, "account_webhook", options]),
            )


async def broadcast(worker: Worker, arguments: list[Any]) -> None:
    """To every reader's own stream."""
    tokens, event, data = arguments
    body = json.dumps({"event": event, "data": data}, ensure_ascii=False)
    for token in tokens:
        await worker.redis.publish(keys.CABLE_PREFIX + token, body)
