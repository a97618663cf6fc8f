"""Contacts as the API shows them (recordings/http 050)."""

import uuid

from chatwoot_fake import tokens
from chatwoot_fake.pool import Row, Session
from chatwoot_fake.web import inboxes
from chatwoot_fake.web.scope import Scope
from chatwoot_fake.web.times import epoch

KNOWN = ("email", "id", "name", "phone_number", "blocked", "identifier")


async def one(scope: Scope, contact: int) -> Row:
    """A contact with its inboxes, or 404."""
    row = await scope.find("SELECT * FROM contacts WHERE account_id = %s AND id = %s", scope.account, contact)
    places = await scope.session.all(
        "SELECT p.source_id, i.* FROM contact_inboxes p JOIN inboxes i ON i.id = p.inbox_id WHERE p.contact_id = %s"
        " ORDER BY p.id",
        contact,
    )
    shown = [{"source_id": place["source_id"], "inbox": inboxes.short(place)} for place in places]
    return {**base(row), "contact_inboxes": shown}


def base(row: Row) -> Row:
    """The contact without its inboxes."""
    return {
        "additional_attributes": row["additional_attributes"] or {},
        "availability_status": "offline",
        **{name: row[name] for name in KNOWN},
        "thumbnail": "",
        "custom_attributes": row["custom_attributes"] or {},
        **({"last_activity_at": epoch(row["last_activity_at"])} if row["last_activity_at"] else {}),
        "created_at": epoch(row["created_at"]),
    }


def as_sender(row: Row) -> Row:
    """The contact as the sender of a message."""
    found = {name: row[name] for name in ("email", "id", "identifier", "name", "phone_number", "blocked")}
    return {
        "additional_attributes": row["additional_attributes"] or {},
        "thumbnail": "",
        "type": "contact",
        "custom_attributes": row["custom_attributes"] or {},
        **found,
    }


async def place(session: Session, contact: int, inbox: Row, source: object) -> Row:
    """The contact's row in an inbox: found or made. A foreign source id breaks the unique index (recordings, API)."""
    wanted = str(source) if source else str(uuid.uuid4())
    found = await session.one(
        "SELECT * FROM contact_inboxes WHERE inbox_id = %s AND source_id = %s AND contact_id = %s",
        inbox["id"],
        wanted,
        contact,
    )
    return found or await session.row(
        "INSERT INTO contact_inboxes (contact_id, inbox_id, source_id, pubsub_token, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, now(), now()) RETURNING *",
        contact,
        inbox["id"],
        wanted,
        tokens.secure_token(),
    )
