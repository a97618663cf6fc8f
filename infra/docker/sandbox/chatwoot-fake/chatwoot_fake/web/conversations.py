"""Conversations (recordings/http 067 to 113; facts 6)."""

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from chatwoot_fake.pool import Row
from chatwoot_fake.web import (
    activities,
    answers,
    contact_views,
    conversation_views,
    inboxes,
    message_writes,
    people,
    tagging,
)
from chatwoot_fake.web.conversation_views import PRIORITIES, QUERY, STATUSES
from chatwoot_fake.web.scope import Scope
from chatwoot_fake.web.times import moment, now


async def create(scope: Scope) -> web.Response:
    """No idempotency: the same call twice makes two (recordings, API). A wrong status is a 500."""
    given = await scope.body()
    status = STATUSES.index(given.get("status") or "open")
    contact = await scope.find(
        "SELECT * FROM contacts WHERE account_id = %s AND id = %s", scope.account, int(given.get("contact_id") or 0)
    )
    inbox = await scope.find(inboxes.QUERY + " AND i.id = %s", scope.account, int(given.get("inbox_id") or 0))
    async with scope.session.connection.transaction():
        place = await contact_views.place(scope.session, contact["id"], inbox, given.get("source_id"))
        made = await _write(scope, given, place, status)
    first = given.get("message")
    if isinstance(first, dict):
        await message_writes.write(scope, await find(scope, made), first, [])
    shown = await _shown(scope, made)
    await scope.event("conversation_created", conversation=made)
    await _announce_assignee(scope, made)
    return answers.data(shown)


async def _announce_assignee(scope: Scope, display: int) -> None:
    row = await find(scope, display)
    if row["assignee_id"]:
        agent = await scope.session.one(people.AGENTS + " AND u.id = %s", scope.account, row["assignee_id"])
        await activities.assigned(scope, row, agent)


async def _write(scope: Scope, given: dict[str, Any], place: Row, status: int) -> int:
    when = now()
    row = await scope.session.row(
        "INSERT INTO conversations (account_id, inbox_id, contact_id, contact_inbox_id, status, assignee_id, team_id,"
        " custom_attributes, additional_attributes, waiting_since, last_activity_at, display_id, created_at,"
        " updated_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, %s, %s) RETURNING display_id",
        scope.account,
        place["inbox_id"],
        place["contact_id"],
        place["id"],
        status,
        given.get("assignee_id"),
        given.get("team_id"),
        json.dumps(given.get("custom_attributes") or {}),
        json.dumps(given.get("additional_attributes") or {}),
        when,
        when,
        when,
        when,
    )
    return int(row["display_id"])


async def find(scope: Scope, display: int | None = None) -> Row:
    """The conversation of the path (or of a number), or 404."""
    wanted = scope.number("conversation") if display is None else display
    return await scope.find(QUERY + " AND c.display_id = %s", scope.account, wanted)


async def show(scope: Scope) -> web.Response:
    """One conversation."""
    return answers.data(await _shown(scope, scope.number("conversation")))


async def update(scope: Scope) -> web.Response:
    """Only the priority; an unknown one is a 500 (recordings/http 075, 076)."""
    await _set_priority(scope, await scope.body())
    return answers.data(await _shown(scope, scope.number("conversation")))


async def toggle_priority(scope: Scope) -> web.Response:
    """200 without a body (recordings/http 095)."""
    await _set_priority(scope, await scope.body())
    return answers.nothing()


async def _set_priority(scope: Scope, given: dict[str, Any]) -> None:
    row, word = await find(scope), given.get("priority")
    await _change(scope, row, "priority = %s", None if word is None else PRIORITIES.index(word))
    await activities.priority(scope, row, conversation_views.priority(row), word)


async def toggle_status(scope: Scope) -> web.Response:
    """To the named status, or between open and resolved without one (facts 6)."""
    given, row = await scope.body(), await find(scope)
    word = given.get("status") or ("open" if row["status"] == STATUSES.index("resolved") else "resolved")
    until = given.get("snoozed_until") if word == "snoozed" else None
    when = datetime.fromtimestamp(int(until), UTC).replace(tzinfo=None) if until else None
    await _change(scope, row, "status = %s, snoozed_until = %s", STATUSES.index(word), when)
    await scope.event("conversation_status_changed", conversation=row["display_id"])
    await activities.status(scope, row, word)
    return answers.data(
        {
            "payload": {
                "success": True,
                "conversation_id": row["display_id"],
                "current_status": word,
                "snoozed_until": moment(when),
            }
        }
    )


async def set_labels(scope: Scope) -> web.Response:
    """Replaces the list."""
    row, labels = await find(scope), list((await scope.body()).get("labels") or ())
    before = await tagging.of(scope.session, "Conversation", row["id"])
    await tagging.replace(scope.session, "Conversation", row["id"], labels)
    await _change(scope, row, "cached_label_list = %s", ", ".join(labels))
    await activities.labeled(scope, row, before, labels)
    return answers.data({"payload": labels})


async def labels(scope: Scope) -> web.Response:
    """The list."""
    return answers.data({"payload": await tagging.of(scope.session, "Conversation", (await find(scope))["id"])})


async def set_attributes(scope: Scope) -> web.Response:
    """Replaces all of them, unlike a contact's (recordings, API)."""
    row, given = await find(scope), (await scope.body()).get("custom_attributes")
    await _change(scope, row, "custom_attributes = %s", json.dumps(given))
    return answers.data({"custom_attributes": given})


async def assign(scope: Scope) -> web.Response:
    """An unknown user unassigns and answers `null` (recordings, API)."""
    row, given = await find(scope), await scope.body()
    if "assignee_id" in given:
        agent = await scope.session.one(people.AGENTS + " AND u.id = %s", scope.account, int(given["assignee_id"] or 0))
        await _change(scope, row, "assignee_id = %s", agent and agent["id"])
        if row["assignee_id"] != (agent and agent["id"]):
            await activities.assigned(scope, row, agent)
        return answers.data(await people.agent(scope.redis, agent) if agent else None)
    team = await scope.session.one(
        "SELECT * FROM teams WHERE account_id = %s AND id = %s", scope.account, int(given.get("team_id") or 0)
    )
    await _change(scope, row, "team_id = %s", team and team["id"])
    if team:
        await activities.write(scope, row, f"Assigned to {team['name']} by {scope.who.user['name']}")
    times = {name: moment(team[name]) for name in ("created_at", "updated_at")} if team else {}
    return answers.data({**team, **times} if team else None)


async def of_contact(scope: Scope) -> web.Response:
    """All conversations of a contact."""
    rows = await scope.session.all(
        QUERY + " AND c.contact_id = %s ORDER BY c.last_activity_at DESC LIMIT 20",
        scope.account,
        scope.number("contact"),
    )
    return answers.data({"payload": [await conversation_views.one(scope.redis, scope.session, row) for row in rows]})


async def _change(scope: Scope, row: Row, assignments: str, *values: object) -> None:
    """Every change here moves `updated_at` (recordings, API)."""
    await scope.session.run(
        f"UPDATE conversations SET {assignments}, updated_at = %s WHERE id = %s",  # noqa: S608
        *values,
        now(),
        row["id"],
    )
    await scope.event("conversation_updated", conversation=row["display_id"])


async def _shown(scope: Scope, display: int) -> Row:
    return await conversation_views.one(scope.redis, scope.session, await find(scope, display))
