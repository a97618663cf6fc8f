"""Conversations as the API shows them (recordings/http 067)."""

import redis.asyncio

from chatwoot_fake.pool import Row, Session
from chatwoot_fake.web import contact_views, message_views, people, settings, tagging
from chatwoot_fake.web.times import epoch, fine_epoch

STATUSES = ("open", "resolved", "pending", "snoozed")
PRIORITIES = ("low", "medium", "high", "urgent")
QUERY = (
    "SELECT c.*, p.source_id AS place_source_id, p.hmac_verified, i.channel_type FROM conversations c"
    " JOIN contact_inboxes p ON p.id = c.contact_inbox_id JOIN inboxes i ON i.id = c.inbox_id WHERE c.account_id = %s"
)
_LAST = "SELECT * FROM messages WHERE conversation_id = %s{} ORDER BY id DESC LIMIT 1"
SPOKEN = " AND message_type <> 2"


async def one(client: redis.asyncio.Redis, session: Session, row: Row) -> Row:
    """The whole conversation, from a row of QUERY."""
    last = await last_message(client, session, row)
    return {
        "meta": await _meta(client, session, row),
        "id": row["display_id"],
        "messages": [last] if last else [],
        "account_id": row["account_id"],
        "uuid": str(row["uuid"]),
        "additional_attributes": row["additional_attributes"] or {},
        "can_reply": True,
        **{name: epoch(row[name]) for name in ("agent_last_seen_at", "assignee_last_seen_at", "contact_last_seen_at")},
        "custom_attributes": row["custom_attributes"] or {},
        "inbox_id": row["inbox_id"],
        "labels": await tagging.of(session, "Conversation", row["id"]),
        "muted": False,
        "snoozed_until": row["snoozed_until"] and epoch(row["snoozed_until"]),
        "status": STATUSES[row["status"]],
        "created_at": epoch(row["created_at"]),
        "updated_at": fine_epoch(row["updated_at"]),
        "timestamp": epoch(row["last_activity_at"]),
        "first_reply_created_at": epoch(row["first_reply_created_at"]),
        "unread_count": await message_views.unread(session, row),
        "last_non_activity_message": await last_message(client, session, row, SPOKEN),
        "last_activity_at": epoch(row["last_activity_at"]),
        "priority": priority(row),
        "waiting_since": epoch(row["waiting_since"]),
        "sla_policy_id": row["sla_policy_id"],
    }


async def last_message(client: redis.asyncio.Redis, session: Session, row: Row, which: str = "") -> Row | None:
    """The newest message in full, of all or only of SPOKEN ones."""
    found = await session.one(_LAST.format(which), row["id"])
    return await message_views.full(client, session, found, row) if found else None


async def _meta(client: redis.asyncio.Redis, session: Session, row: Row) -> Row:
    """Contact, assignee and team; what is not there has no key."""
    contact = await session.row("SELECT * FROM contacts WHERE id = %s", row["contact_id"])
    found: Row = {"sender": contact_views.base(contact), "channel": row["channel_type"]}
    if row["assignee_id"]:
        agent = await session.one(people.AGENTS + " AND u.id = %s", row["account_id"], row["assignee_id"])
        found |= {"assignee": await people.agent(client, agent), "assignee_type": "User"} if agent else {}
    if row["team_id"]:
        team = await session.one("SELECT * FROM teams WHERE id = %s", row["team_id"])
        found |= {"team": settings.team(team)} if team else {}
    return {**found, "hmac_verified": row["hmac_verified"]}


def priority(row: Row) -> str | None:
    """The word for the number."""
    return None if row["priority"] is None else PRIORITIES[row["priority"]]
