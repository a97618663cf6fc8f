"""Contacts (recordings/http 050 to 066; facts 6)."""

import json
import re
from typing import Any

from aiohttp import web

from chatwoot_fake.web import answers, inboxes, tagging
from chatwoot_fake.web.contact_views import one, place
from chatwoot_fake.web.scope import Scope

PAGE = 15
COLUMNS = ("name", "email", "phone_number", "identifier")
E164 = re.compile(r"^\+[1-9]\d{1,14}$")
# Only contacts that can be found again are listed.
LISTED = "account_id = %s AND (email <> '' OR phone_number <> '' OR identifier <> '')"


async def create(scope: Scope) -> web.Response:
    """A contact, and its place in an inbox when one is named."""
    given = await scope.body()
    problem = await _problem(scope, given, 0)
    if problem is not None:
        return problem
    inbox = None
    if given.get("inbox_id"):
        inbox = await scope.find(inboxes.QUERY + " AND i.id = %s", scope.account, int(given["inbox_id"]))
    async with scope.session.connection.transaction():
        made = await _write(scope, given)
        source = await place(scope.session, made, inbox, given.get("source_id")) if inbox else None
    await scope.event("contact_created", contact=made)
    place_shown = {"inbox": inboxes.raw(inbox) if inbox else None, "source_id": source and source["source_id"]}
    return answers.data({"payload": {"contact": await one(scope, made), "contact_inbox": place_shown}})


async def show(scope: Scope) -> web.Response:
    """One contact."""
    return answers.data({"payload": await one(scope, scope.number("contact"))})


async def update(scope: Scope) -> web.Response:
    """Custom attributes are merged, other fields replaced (facts 6)."""
    given, contact = await scope.body(), scope.number("contact")
    row = await scope.find("SELECT * FROM contacts WHERE account_id = %s AND id = %s", scope.account, contact)
    problem = await _problem(scope, given, contact)
    if problem is not None:
        return problem
    merged = {**(row["custom_attributes"] or {}), **(given.get("custom_attributes") or {})}
    values = [given.get(name, row[name]) for name in COLUMNS]
    await scope.session.run(
        "UPDATE contacts SET name = %s, email = %s, phone_number = %s, identifier = %s, custom_attributes = %s,"
        " updated_at = now() WHERE id = %s",
        *values,
        json.dumps(merged),
        contact,
    )
    await scope.event("contact_updated", contact=contact)
    return answers.data({"payload": await one(scope, contact)})


async def index(scope: Scope) -> web.Response:
    """15 a page; `current_page` comes back as it was asked."""
    page = scope.request.query.get("page")
    order = {"name": "name", "-name": "name DESC"}.get(scope.request.query.get("sort", ""), "id DESC")
    rows = await scope.session.all(
        f"SELECT id FROM contacts WHERE {LISTED} ORDER BY {order} LIMIT {PAGE} OFFSET %s",  # noqa: S608 -- own words
        scope.account,
        _offset(page),
    )
    count = await scope.session.value(f"SELECT count(*) FROM contacts WHERE {LISTED}", scope.account)  # noqa: S608
    payload = [await one(scope, row["id"]) for row in rows]
    return answers.data({"meta": {"count": count, "current_page": page or 1}, "payload": payload})


async def search(scope: Scope) -> web.Response:
    """Substring of name, email, phone or identifier; case does not matter, accents do (recordings, API)."""
    query = scope.request.query.get("q")
    if not query:
        return answers.failure("Specify search string with parameter q", 422)
    page = scope.request.query.get("page")
    rows = await scope.session.all(
        "SELECT id FROM contacts WHERE account_id = %s AND (name ILIKE %s OR email ILIKE %s OR phone_number ILIKE %s"
        " OR identifier ILIKE %s) ORDER BY id LIMIT %s OFFSET %s",
        scope.account,
        *[f"%{query.strip()}%"] * 4,
        PAGE + 1,
        _offset(page),
    )
    payload = [await one(scope, row["id"]) for row in rows[:PAGE]]
    meta = {"count": len(payload), "current_page": page or 1, "has_more": len(rows) > PAGE}
    return answers.data({"meta": meta, "payload": payload})


async def set_labels(scope: Scope) -> web.Response:
    """Replaces the list."""
    labels = list((await scope.body()).get("labels") or ())
    await tagging.replace(scope.session, "Contact", scope.number("contact"), labels)
    return answers.data({"payload": labels})


async def labels(scope: Scope) -> web.Response:
    """The list."""
    return answers.data({"payload": await tagging.of(scope.session, "Contact", scope.number("contact"))})


async def _problem(scope: Scope, given: dict[str, Any], own: int) -> web.Response | None:
    """The first validation that fails, in Chatwoot's words (recordings/http 051 to 053)."""
    phone = given.get("phone_number")
    if phone and not E164.match(str(phone)):
        return answers.invalid("Phone number should be in e164 format", "phone_number")
    for name, title in (("email", "Email"), ("identifier", "Identifier"), ("phone_number", "Phone number")):
        if given.get(name) and await scope.session.value(
            f"SELECT 1 FROM contacts WHERE account_id = %s AND lower({name}) = lower(%s) AND id <> %s",  # noqa: S608
            scope.account,
            given[name],
            own,
        ):
            return answers.invalid(f"{title} has already been taken", name)
    return None


async def _write(scope: Scope, given: dict[str, Any]) -> int:
    email = given.get("email")
    return int(
        await scope.session.value(
            "INSERT INTO contacts (account_id, name, email, phone_number, identifier, custom_attributes,"
            " additional_attributes, contact_type, created_at, updated_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, 1, now(), now()) RETURNING id",
            scope.account,
            given.get("name") or "",
            str(email).lower() if email else None,
            given.get("phone_number") or None,
            given.get("identifier"),
            json.dumps(given.get("custom_attributes") or {}),
            json.dumps(given.get("additional_attributes") or {}),
        )
    )


def _offset(page: str | None) -> int:
    number = int(page) if page and page.isdigit() else 1
    return (max(number, 1) - 1) * PAGE
