"""API inboxes (recordings/http 028 to 032; facts 4.4)."""

import json
from typing import Any

from aiohttp import web

from chatwoot_fake import encryption, tokens
from chatwoot_fake.pool import Row, Session
from chatwoot_fake.web import answers, people
from chatwoot_fake.web.scope import Scope
from chatwoot_fake.web.times import moment

QUERY = (
    "SELECT i.*, c.webhook_url, c.identifier, c.hmac_token, c.hmac_mandatory, c.secret,"
    " c.additional_attributes AS channel_attributes FROM inboxes i JOIN channel_api c ON c.id = i.channel_id"
    " WHERE i.account_id = %s"
)
SAME = (
    "id",
    "channel_id",
    "name",
    "channel_type",
    "greeting_enabled",
    "greeting_message",
    "working_hours_enabled",
    "enable_email_collect",
    "csat_survey_enabled",
    "csat_config",
    "enable_auto_assignment",
    "auto_assignment_config",
    "out_of_office_message",
    "timezone",
    "allow_messages_after_resolved",
    "lock_to_single_conversation",
    "business_name",
    "hmac_mandatory",
    "hmac_token",
    "webhook_url",
)
OTHER_CHANNELS = (
    "callback_webhook_url",
    "allowed_domains",
    "widget_color",
    "website_url",
    "welcome_title",
    "welcome_tagline",
    "web_widget_script",
    "website_token",
    "selected_feature_flags",
    "reply_time",
    "messaging_service_sid",
    "phone_number",
    "provider",
)
HOURS = ("day_of_week", "closed_all_day", "open_hour", "open_minutes", "close_hour", "close_minutes", "open_all_day")
WEEKEND = (0, 6)


async def create(scope: Scope) -> web.Response:
    """Only the API channel; the others need a provider."""
    given = await scope.body()
    channel: dict[str, Any] = given.get("channel") or {}
    if channel.get("type") != "api":
        return answers.refused(scope.request)
    async with scope.session.connection.transaction():
        made = await _write(scope, str(given.get("name") or ""), channel)
    return answers.data(await shown(scope, made))


async def index(scope: Scope) -> web.Response:
    """All inboxes of the account."""
    rows = await scope.session.all(QUERY + " ORDER BY i.id", scope.account)
    return answers.data({"payload": [await _present(scope.session, row) for row in rows]})


async def show(scope: Scope) -> web.Response:
    """One inbox."""
    return answers.data(await shown(scope, scope.number("inbox")))


async def reset_secret(scope: Scope) -> web.Response:
    """A new secret for signed deliveries (facts 4.4)."""
    row = await scope.find(QUERY + " AND i.id = %s", scope.account, scope.number("inbox"))
    await scope.session.run(
        "UPDATE channel_api SET secret = %s, updated_at = now() WHERE id = %s",
        encryption.seal(tokens.secure_token()),
        row["channel_id"],
    )
    return answers.data(await shown(scope, row["id"]))


async def add_members(scope: Scope) -> web.Response:
    """Agents see an inbox only after this."""
    given = await scope.body()
    inbox = await scope.find(QUERY + " AND i.id = %s", scope.account, int(given.get("inbox_id") or 0))
    for user in given.get("user_ids") or ():
        await scope.session.run(
            "INSERT INTO inbox_members (user_id, inbox_id, created_at, updated_at) VALUES (%s, %s, now(), now())"
            " ON CONFLICT DO NOTHING",
            user,
            inbox["id"],
        )
    among = " AND u.id IN (SELECT user_id FROM inbox_members WHERE inbox_id = %s) ORDER BY u.id"
    rows = await scope.session.all(
        people.AGENTS + among,
        scope.account,
        inbox["id"],
    )
    return answers.data({"payload": [await people.agent(scope.redis, row) for row in rows]})


async def _write(scope: Scope, name: str, channel: dict[str, Any]) -> int:
    made = await scope.session.value(
        "INSERT INTO channel_api (account_id, webhook_url, identifier, hmac_token, hmac_mandatory,"
        " additional_attributes, secret, created_at, updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, now(), now())"
        " RETURNING id",
        scope.account,
        channel.get("webhook_url"),
        tokens.secure_token(),
        tokens.secure_token(),
        bool(channel.get("hmac_mandatory")),
        json.dumps(channel.get("additional_attributes") or {}),
        encryption.seal(tokens.secure_token()),
    )
    inbox = int(
        await scope.session.value(
            "INSERT INTO inboxes (channel_id, account_id, name, channel_type, created_at, updated_at)"
            " VALUES (%s, %s, %s, 'Channel::Api', now(), now()) RETURNING id",
            made,
            scope.account,
            name,
        )
    )
    for day in range(7):
        await _write_day(scope, inbox, day)
    return inbox


async def _write_day(scope: Scope, inbox: int, day: int) -> None:
    hours = (None,) * 4 if day in WEEKEND else (9, 0, 17, 0)
    await scope.session.run(
        "INSERT INTO working_hours (inbox_id, account_id, day_of_week, closed_all_day, open_hour, open_minutes,"
        " close_hour, close_minutes, created_at, updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, now(), now())",
        inbox,
        scope.account,
        day,
        day in WEEKEND,
        *hours,
    )


async def shown(scope: Scope, inbox: int) -> Row:
    """The inbox as the API shows it, or 404."""
    row = await scope.find(QUERY + " AND i.id = %s", scope.account, inbox)
    return await _present(scope.session, row)


async def _present(session: Session, row: Row) -> Row:
    days = await session.all("SELECT * FROM working_hours WHERE inbox_id = %s ORDER BY day_of_week", row["id"])
    return {
        **dict.fromkeys(OTHER_CHANNELS),
        **{name: row[name] for name in SAME},
        "avatar_url": "",
        "working_hours": [{name: day[name] for name in HOURS} for day in days],
        "sender_name_type": "friendly",
        "secret": encryption.unseal(row["secret"]),
        "inbox_identifier": row["identifier"],
        "additional_attributes": row["channel_attributes"] or {},
    }


def short(row: Row) -> Row:
    """The inbox inside a contact."""
    return {
        "id": row["id"],
        "avatar_url": "",
        "channel_id": row["channel_id"],
        "name": row["name"],
        "channel_type": row["channel_type"],
        "provider": None,
    }


def raw(row: Row) -> Row:
    """The inbox as its columns, as a created contact shows it."""
    left_out = {"webhook_url", "identifier", "hmac_token", "hmac_mandatory", "secret", "channel_attributes"}
    found = {name: value for name, value in row.items() if name not in left_out}
    return {
        **found,
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "sender_name_type": "friendly",
    }
