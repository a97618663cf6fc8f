"""Writes a line of activity into a conversation (recordings/http 107)."""

from typing import Any

from chatwoot_fake import jobs
from chatwoot_fake.web.times import now
from chatwoot_fake.worker.state import Worker


async def write(worker: Worker, arguments: list[Any]) -> None:
    """A message without a sender; it reaches the cable and no webhook (facts 5)."""
    conversation = int(arguments[0]["_aj_globalid"].rsplit("/", 1)[1])
    given, when = arguments[1], now()
    async with worker.pool.session() as session:
        message = await session.value(
            "INSERT INTO messages (content, account_id, inbox_id, conversation_id, message_type,"
            " processed_message_content, created_at, updated_at) VALUES (%s, %s, %s, %s, 2, %s, %s, %s) RETURNING id",
            given["content"],
            given["account_id"],
            given["inbox_id"],
            conversation,
            given["content"],
            when,
            when,
        )
        await session.run("UPDATE conversations SET last_activity_at = %s WHERE id = %s", when, conversation)
        display = await session.value("SELECT display_id FROM conversations WHERE id = %s", conversation)
    await jobs.event(
        worker.redis, "message_created", account=given["account_id"], user=None, message=message, conversation=display
    )
