"""Messages as the API, the cable and webhooks show them (recordings/http 067, 096; cable.json)."""

import redis.asyncio

from chatwoot_fake.pool import Row, Session
from chatwoot_fake.web import contact_views, people, storage
from chatwoot_fake.web.times import epoch, moment

KINDS = ("incoming", "outgoing", "activity", "template")
STATES = ("sent", "delivered", "read", "failed")
CONTENT_TYPES = (
    "text",
    "input_text",
    "input_textarea",
    "input_email",
    "input_select",
    "cards",
    "form",
    "article",
    "incoming_email",
    "input_csat",
    "integrations",
    "sticker",
    "voice_call",
)


async def brief(client: redis.asyncio.Redis, session: Session, row: Row, display: int) -> Row:
    """The form of lists and of a created message."""
    shown = {
        "id": row["id"],
        "content": row["content"],
        "inbox_id": row["inbox_id"],
        "conversation_id": display,
        "message_type": row["message_type"],
        "content_type": CONTENT_TYPES[row["content_type"]],
        "status": STATES[row["status"] or 0],
        "content_attributes": row["content_attributes"] or {},
        "created_at": epoch(row["created_at"]),
        "private": row["private"],
        "source_id": row["source_id"],
    }
    return {**shown, **await _extras(client, session, row)}


async def full(client: redis.asyncio.Redis, session: Session, row: Row, conversation: Row) -> Row:
    """The form inside conversations, frames and deliveries: all columns."""
    shown = {
        "id": row["id"],
        "content": row["content"],
        "account_id": row["account_id"],
        "inbox_id": row["inbox_id"],
        "conversation_id": conversation["display_id"],
        "message_type": row["message_type"],
        "created_at": epoch(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "private": row["private"],
        "status": STATES[row["status"] or 0],
        "source_id": row["source_id"],
        "content_type": CONTENT_TYPES[row["content_type"]],
        "content_attributes": row["content_attributes"] or {},
        "sender_type": row["sender_type"],
        "sender_id": row["sender_id"],
        "external_source_ids": row["external_source_ids"] or {},
        "additional_attributes": row["additional_attributes"] or {},
        "processed_message_content": row["processed_message_content"],
        "sentiment": row["sentiment"] or {},
        "conversation": {
            "assignee_id": conversation["assignee_id"],
            "unread_count": await unread(session, conversation),
            "last_activity_at": epoch(conversation["last_activity_at"]),
            "contact_inbox": {"source_id": conversation["place_source_id"]},
        },
    }
    return {**shown, **await _extras(client, session, row)}


async def _extras(client: redis.asyncio.Redis, session: Session, row: Row) -> Row:
    """Sender and attachments, where there are any."""
    found: Row = {}
    files = await storage.of_message(session, row["id"])
    if files:
        found["attachments"] = files
    if row["sender_type"] == "Contact":
        contact = await session.one("SELECT * FROM contacts WHERE id = %s", row["sender_id"])
        found |= {"sender": contact_views.as_sender(contact)} if contact else {}
    elif row["sender_type"] == "User":
        user = await session.one("SELECT * FROM users WHERE id = %s", row["sender_id"])
        found |= {"sender": await people.sender(client, user, row["account_id"])} if user else {}
    return found


async def unread(session: Session, conversation: Row) -> int:
    """Incoming messages since an agent looked."""
    return int(
        await session.value(
            "SELECT count(*) FROM messages WHERE conversation_id = %s AND message_type = 0"
            " AND created_at > coalesce(%s, '-infinity'::timestamp)",
            conversation["id"],
            conversation["agent_last_seen_at"],
        )
    )
