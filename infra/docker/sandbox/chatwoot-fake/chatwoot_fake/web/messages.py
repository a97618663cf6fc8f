"""Messages (recordings/http 096 to 108; facts 6)."""

from typing import Any

import redis.exceptions
from aiohttp import web

from chatwoot_fake.web import answers, contact_views, conversations, message_views, message_writes, tagging
from chatwoot_fake.web.message_views import STATES
from chatwoot_fake.web.message_writes import InvalidMessageError, Upload
from chatwoot_fake.web.scope import Scope
from chatwoot_fake.web.times import moment

PAGE, FORWARD = 20, 100
OF_CONVERSATION = "SELECT * FROM messages WHERE conversation_id = %s"


async def create(scope: Scope) -> web.Response:
    """JSON, or a form with files. Whatever goes wrong is a 422, also when the message is written already."""
    conversation = await conversations.find(scope)
    given, files = await _parameters(scope)
    try:
        made = await message_writes.write(scope, conversation, given, files)
    except InvalidMessageError as problem:
        return answers.failure(str(problem), 422)
    except redis.exceptions.RedisError as problem:
        return answers.failure(f"Error connecting to Redis: {problem}", 422)
    return answers.data({**await _one(scope, made), **_echo(given)})


async def update(scope: Scope) -> web.Response:
    """A delivery report of an API channel (recordings/http 106)."""
    conversation, given = await conversations.find(scope), await scope.body()
    row = await scope.find(
        "SELECT id FROM messages WHERE conversation_id = %s AND id = %s", conversation["id"], scope.number("message")
    )
    await scope.session.run(
        "UPDATE messages SET status = %s, updated_at = now() WHERE id = %s",
        STATES.index(str(given.get("status"))),
        row["id"],
    )
    await scope.event("message_updated", message=row["id"], conversation=conversation["display_id"])
    return answers.data(await _one(scope, row["id"]))


async def index(scope: Scope) -> web.Response:
    """The 20 newest, 20 before an id, or up to 100 after one; oldest first."""
    conversation, query = await conversations.find(scope), scope.request.query
    where, order, limit = "", "DESC", PAGE
    values: list[Any] = [conversation["id"]]
    if query.get("after"):
        where, order, limit = " AND id > %s", "ASC", FORWARD
        values.append(int(query["after"]))
    elif query.get("before"):
        where = " AND id < %s"
        values.append(int(query["before"]))
    narrowed = f"{where} ORDER BY id {order} LIMIT {limit}"
    rows = await scope.session.all(OF_CONVERSATION + narrowed, *values)
    rows.sort(key=lambda row: row["id"])
    display = conversation["display_id"]
    payload = [await message_views.brief(scope.redis, scope.session, row, display) for row in rows]
    contact = await scope.session.row("SELECT * FROM contacts WHERE id = %s", conversation["contact_id"])
    seen = {name: moment(conversation[name]) for name in ("agent_last_seen_at", "assignee_last_seen_at")}
    meta = {
        "labels": await tagging.of(scope.session, "Conversation", conversation["id"]),
        "contact": contact_views.as_sender(contact),
        "additional_attributes": conversation["additional_attributes"] or {},
        **seen,
    }
    return answers.data({"meta": meta, "payload": payload})


def _echo(given: dict[str, Any]) -> dict[str, Any]:
    """What a client sent to recognize its own message."""
    return {"echo_id": given["echo_id"]} if given.get("echo_id") else {}


async def _one(scope: Scope, message: int) -> dict[str, Any]:
    row = await scope.session.row(
        "SELECT m.*, c.display_id FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = %s",
        message,
    )
    return await message_views.brief(scope.redis, scope.session, row, row["display_id"])


async def _parameters(scope: Scope) -> tuple[dict[str, Any], list[Upload]]:
    given = await scope.body()
    files = [part for part in given.pop("attachments", None) or () if isinstance(part, web.FileField)]
    return given, [Upload(part.filename, part.file.read()) for part in files]
