"""How a message gets into the database (facts 6)."""

import json
from dataclasses import dataclass
from typing import Any

from chatwoot_fake import environment, jobs
from chatwoot_fake.pool import Row
from chatwoot_fake.web import storage
from chatwoot_fake.web.message_views import CONTENT_TYPES, KINDS
from chatwoot_fake.web.scope import Scope
from chatwoot_fake.web.times import now

LONGEST, PER_MINUTE = 150_000, 200


class InvalidMessageError(Exception):
    """A validation that failed; the text is Chatwoot's."""


@dataclass(frozen=True)
class Upload:
    """A file that came with a message."""

    name: str
    content: bytes


async def write(scope: Scope, conversation: Row, given: dict[str, Any], files: list[Upload]) -> int:
    """Message, files and the conversation's times in one transaction; then the worker hears of it.

    The message is committed before the job is pushed: without Redis the call fails and the message is there all the
    same (recordings, Webhooks: a client that simply tries again makes a second one).
    """
    content = str(given.get("content") or "")
    await _check(scope, conversation, content)
    async with scope.session.connection.transaction():
        message = await _insert(scope, conversation, given, content)
        blobs = [await storage.store(scope.session, message, scope.account, file.name, file.content) for file in files]
        await _touch(scope, conversation, given)
    await scope.event("message_created", message=message, conversation=conversation["display_id"])
    for blob in blobs:
        await jobs.push(
            scope.redis,
            jobs.active_job(
                "ActiveStorage::AnalyzeJob",
                "active_storage_analysis",
                [{"_aj_globalid": f"gid://chatwoot/ActiveStorage::Blob/{blob}"}],
            ),
        )
    return message


async def _check(scope: Scope, conversation: Row, content: str) -> None:
    if len(content) > LONGEST:
        raise InvalidMessageError(f"Validation failed: Content is too long (maximum is {LONGEST} characters)")
    limit = environment.number("CONVERSATION_MESSAGE_PER_MINUTE_LIMIT", PER_MINUTE)
    recent = await scope.session.value(
        "SELECT count(*) FROM messages WHERE conversation_id = %s AND created_at > %s - interval '1 minute'",
        conversation["id"],
        now(),
    )
    if recent >= limit:
        raise InvalidMessageError("Validation failed: Base Too many messages")


async def _insert(scope: Scope, conversation: Row, given: dict[str, Any], content: str) -> int:
    kind, when = given.get("message_type") or "outgoing", now()
    sender = ("Contact", conversation["contact_id"]) if kind == "incoming" else ("User", scope.who.user["id"])
    private = str(given.get("private", False)).lower() in ("true", "1")
    return int(
        await scope.session.value(
            "INSERT INTO messages (content, account_id, inbox_id, conversation_id, message_type, private, source_id,"
            " content_type, content_attributes, sender_type, sender_id, processed_message_content, created_at,"
            " updated_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
            content,
            scope.account,
            conversation["inbox_id"],
            conversation["id"],
            KINDS.index(kind),
            private,
            given.get("source_id"),
            CONTENT_TYPES.index(given.get("content_type") or "text"),
            json.dumps(given.get("content_attributes") or {}),
            *sender,
            content,
            when,
            when,
        )
    )


async def _touch(scope: Scope, conversation: Row, given: dict[str, Any]) -> None:
    """Any new message moves the conversation's times; an incoming one reopens it (facts 6)."""
    when, incoming = now(), given.get("message_type") == "incoming"
    reopened = 0 if incoming and conversation["status"] == 1 else conversation["status"]
    reply = not incoming and str(given.get("private", False)).lower() not in ("true", "1")
    await scope.session.run(
        "UPDATE conversations SET last_activity_at = %s, updated_at = %s, status = %s, first_reply_created_at ="
        " CASE WHEN %s THEN coalesce(first_reply_created_at, %s) ELSE first_reply_created_at END,"
        " waiting_since = CASE WHEN %s THEN NULL WHEN %s THEN coalesce(waiting_since, %s) ELSE waiting_since END"
        " WHERE id = %s",
        when,
        when,
        reopened,
        reply,
        when,
        reply,
        incoming,
        when,
        conversation["id"],
    )
    if incoming:
        await scope.session.run(
            "UPDATE contacts SET last_activity_at = %s, updated_at = %s WHERE id = %s",
            when,
            when,
            conversation["contact_id"],
        )
