"""What a webhook or a frame of the cable says (facts 5; recordings/webhooks, cable.json)."""

from typing import Any

from chatwoot_fake.pool import Row, Session
from chatwoot_fake.web import contact_views, conversation_views, message_views, people, storage, tagging
from chatwoot_fake.web.times import epoch, fine_epoch, moment
from chatwoot_fake.worker.state import Worker

Ids = dict[str, Any]
ACTIVITY = 2
SEEN = ("agent_last_seen_at", "contact_last_seen_at", "last_activity_at")


async def webhook(worker: Worker, session: Session, kind: str, ids: Ids) -> Row | None:
    """The body of a delivery; nothing for events that webhooks do not hear."""
    account = await session.row("SELECT id, name FROM accounts WHERE id = %s", ids["account"])
    if kind.startswith("contact_"):
        found: Row | None = await _contact(session, ids, account)
    elif kind.startswith("message_"):
        found = await _message(worker, session, ids, account)
    else:
        found = await conversation(worker, session, ids, account)
        changed = {"changed_attributes": None} if kind != "conversation_created" else {}
        found = {**found, **changed}
    return None if found is None else {**found, "event": kind}


async def frame(worker: Worker, session: Session, kind: str, ids: Ids) -> Row | None:
    """The data of a frame, made for messages only: that is what a client waits for."""
    if not kind.startswith("message_"):
        return None
    message, parent = await _rows(session, ids)
    shown = await message_views.full(worker.redis, session, message, parent)
    user = ids.get("user") and await session.one("SELECT * FROM users WHERE id = %s", ids["user"])
    performer = await people.sender(worker.redis, user, ids["account"]) if user else None
    return {**shown, **({"performer": performer} if performer else {})}


async def conversation(worker: Worker, session: Session, ids: Ids, account: Row) -> Row:
    """A conversation as events carry it; `id` is the number in the account (facts 5)."""
    row = await session.row(conversation_views.QUERY + " AND c.display_id = %s", ids["account"], ids["conversation"])
    last = await conversation_views.last_message(worker.redis, session, row, conversation_views.SPOKEN)
    return {
        "additional_attributes": row["additional_attributes"] or {},
        "can_reply": True,
        "channel": row["channel_type"],
        "contact_inbox": await _contact_inbox(session, row),
        "id": row["display_id"],
        "inbox_id": row["inbox_id"],
        "messages": [last] if last else [],
        "labels": await tagging.of(session, "Conversation", row["id"]),
        "meta": await _meta(worker, session, row),
        "status": conversation_views.STATUSES[row["status"]],
        "custom_attributes": row["custom_attributes"] or {},
        "snoozed_until": moment(row["snoozed_until"]),
        "unread_count": await message_views.unread(session, row),
        "first_reply_created_at": moment(row["first_reply_created_at"]),
        "priority": conversation_views.priority(row),
        "waiting_since": epoch(row["waiting_since"]),
        **{name: epoch(row[name]) for name in SEEN},
        "timestamp": epoch(row["last_activity_at"]),
        "created_at": epoch(row["created_at"]),
        "updated_at": fine_epoch(row["updated_at"]),
        "account": dict(account),
    }


async def _contact_inbox(session: Session, row: Row) -> Row:
    """Where the contact reaches the inbox of a conversation."""
    place = await session.row("SELECT * FROM contact_inboxes WHERE id = %s", row["contact_inbox_id"])
    names = ("id", "contact_id", "inbox_id", "source_id", "hmac_verified", "pubsub_token")
    moments = {name: moment(place[name]) for name in ("created_at", "updated_at")}
    return {**{name: place[name] for name in names}, **moments}


async def _meta(worker: Worker, session: Session, row: Row) -> Row:
    contact = await session.row("SELECT * FROM contacts WHERE id = %s", row["contact_id"])
    user = await session.one("SELECT * FROM users WHERE id = %s", row["assignee_id"])
    team = await session.one("SELECT id, name FROM teams WHERE id = %s", row["team_id"])
    assignee = await people.sender(worker.redis, user, row["account_id"]) if user else None
    return {
        "sender": contact_views.as_sender(contact),
        "assignee": assignee,
        "assignee_type": user and "User",
        "team": team,
        "hmac_verified": row["hmac_verified"],
    }


async def _message(worker: Worker, session: Session, ids: Ids, account: Row) -> Row | None:
    """Private notes are delivered, activity is not (facts 5)."""
    message, parent = await _rows(session, ids)
    if message["message_type"] == ACTIVITY:
        return None
    inbox = await session.row("SELECT id, name FROM inboxes WHERE id = %s", message["inbox_id"])
    files = await storage.of_message(session, message["id"])
    return {
        "account": dict(account),
        "additional_attributes": message["additional_attributes"] or {},
        "content_attributes": message["content_attributes"] or {},
        "content_type": message_views.CONTENT_TYPES[message["content_type"]],
        "content": message["content"],
        "conversation": await conversation(worker, session, {**ids, "conversation": parent["display_id"]}, account),
        "created_at": moment(message["created_at"]),
        "id": message["id"],
        "inbox": inbox,
        "message_type": message_views.KINDS[message["message_type"]],
        "private": message["private"],
        "sender": await _sender(session, message, account),
        "source_id": message["source_id"],
        **({"attachments": files} if files else {}),
    }


async def _sender(session: Session, message: Row, account: Row) -> Row:
    if message["sender_type"] == "User":
        user = await session.row("SELECT id, name, email FROM users WHERE id = %s", message["sender_id"])
        return {**user, "type": "user"}
    row = await session.row("SELECT * FROM contacts WHERE id = %s", message["sender_id"])
    return _contact_fields(row, account)


async def _contact(session: Session, ids: Ids, account: Row) -> Row:
    return _contact_fields(await session.row("SELECT * FROM contacts WHERE id = %s", ids["contact"]), account)


def _contact_fields(row: Row, account: Row) -> Row:
    found = {name: value for name, value in contact_views.as_sender(row).items() if name != "type"}
    return {"account": dict(account), **found, "avatar": ""}


async def _rows(session: Session, ids: Ids) -> tuple[Row, Row]:
    message = await session.row("SELECT * FROM messages WHERE id = %s", ids["message"])
    parent = await session.row(conversation_views.QUERY + " AND c.id = %s", ids["account"], message["conversation_id"])
    return message, parent
