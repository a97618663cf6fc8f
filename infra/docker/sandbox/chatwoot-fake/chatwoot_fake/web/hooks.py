"""Account webhooks (recordings/http 120 to 132; facts 4.4, 4.5)."""

import json
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from chatwoot_fake import encryption, tokens
from chatwoot_fake.pool import Row
from chatwoot_fake.web import answers
from chatwoot_fake.web.scope import Scope

EVENTS = frozenset(
    {
        "conversation_status_changed",
        "conversation_updated",
        "conversation_created",
        "contact_created",
        "contact_updated",
        "message_created",
        "message_updated",
        "webwidget_triggered",
        "inbox_created",
        "inbox_updated",
        "conversation_typing_on",
        "conversation_typing_off",
    }
)
DEFAULT = [
    "conversation_status_changed",
    "conversation_updated",
    "conversation_created",
    "contact_created",
    "contact_updated",
    "message_created",
    "message_updated",
    "webwidget_triggered",
]
KNOWN = frozenset({"url", "name", "subscriptions", "inbox_id"})


async def index(scope: Scope) -> web.Response:
    """All webhooks, their secrets in clear."""
    rows = await scope.session.all("SELECT * FROM webhooks WHERE account_id = %s ORDER BY id", scope.account)
    return answers.data({"payload": {"webhooks": [_shown(row) for row in rows]}})


async def create(scope: Scope) -> web.Response:
    """The secret of the call is ignored; Chatwoot makes one (recordings, Webhooks)."""
    given = _parameters(await scope.body())
    if given is None:
        return answers.failure("param is missing or the value is empty: webhook", 422)
    problem = await _problem(scope, given, 0)
    if problem is not None:
        return problem
    row = await scope.session.row(
        "INSERT INTO webhooks (account_id, url, name, subscriptions, secret, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, %s, now(), now()) RETURNING *",
        scope.account,
        given["url"],
        given.get("name"),
        json.dumps(given.get("subscriptions", DEFAULT)),
        encryption.seal(tokens.secure_token()),
    )
    return answers.data({"payload": {"webhook": _shown(row)}})


async def update(scope: Scope) -> web.Response:
    """Fields that are named change; the secret stays."""
    row = await scope.find(
        "SELECT * FROM webhooks WHERE account_id = %s AND id = %s", scope.account, scope.number("hook")
    )
    given = _parameters(await scope.body())
    if given is None:
        return answers.failure("param is missing or the value is empty: webhook", 422)
    merged = {"url": row["url"], "name": row["name"], "subscriptions": row["subscriptions"], **given}
    problem = await _problem(scope, merged, row["id"])
    if problem is not None:
        return problem
    changed = await scope.session.row(
        "UPDATE webhooks SET url = %s, name = %s, subscriptions = %s, updated_at = now() WHERE id = %s RETURNING *",
        merged["url"],
        merged["name"],
        json.dumps(merged["subscriptions"]),
        row["id"],
    )
    return answers.data({"payload": {"webhook": _shown(changed)}})


async def delete(scope: Scope) -> web.Response:
    """200 without a body."""
    row = await scope.find(
        "SELECT id FROM webhooks WHERE account_id = %s AND id = %s", scope.account, scope.number("hook")
    )
    await scope.session.run("DELETE FROM webhooks WHERE id = %s", row["id"])
    return answers.nothing()


def _parameters(body: dict[str, Any]) -> dict[str, Any] | None:
    """The wrapped form, or the fields themselves (facts 4.4)."""
    wrapped = body.get("webhook")
    return wrapped if isinstance(wrapped, dict) and wrapped else ({**body} if KNOWN & set(body) else None)


async def _problem(scope: Scope, given: dict[str, Any], own: int) -> web.Response | None:
    """The first validation that fails (recordings/http 126 to 128)."""
    address = urlsplit(str(given.get("url") or ""))
    if address.scheme not in ("http", "https") or not address.hostname or " " in str(given["url"]):
        return answers.invalid("Url is invalid", "url")
    if await scope.session.value(
        "SELECT 1 FROM webhooks WHERE account_id = %s AND url = %s AND id <> %s", scope.account, given["url"], own
    ):
        return answers.invalid("Url has already been taken", "url")
    wanted = given.get("subscriptions", DEFAULT)
    if not isinstance(wanted, list) or not wanted or not EVENTS.issuperset(wanted):
        return answers.invalid("Subscriptions Invalid events", "subscriptions")
    return None


def _shown(row: Row) -> Row:
    found = {name: row[name] for name in ("id", "name", "url", "account_id", "subscriptions")}
    return {**found, "secret": encryption.unseal(row["secret"])}
