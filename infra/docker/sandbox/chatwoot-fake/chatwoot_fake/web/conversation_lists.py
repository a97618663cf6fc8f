"""Lists and counts of conversations (recordings/http 077 to 081; facts 6)."""

from typing import Any

from aiohttp import web

from chatwoot_fake.pool import Row
from chatwoot_fake.web import answers, conversation_views
from chatwoot_fake.web.conversation_views import QUERY, STATUSES
from chatwoot_fake.web.scope import Scope

PAGE = 25
ORDERS = {
    "last_activity_at_asc": "c.last_activity_at, c.id",
    "last_activity_at_desc": "c.last_activity_at DESC, c.id DESC",
    "created_at_asc": "c.created_at, c.id",
    "created_at_desc": "c.created_at DESC, c.id DESC",
}
COUNTS = (
    "SELECT count(*) FILTER (WHERE c.assignee_id = %s) AS mine_count,"
    " count(*) FILTER (WHERE c.assignee_id IS NOT NULL) AS assigned_count,"
    " count(*) FILTER (WHERE c.assignee_id IS NULL) AS unassigned_count, count(*) AS all_count FROM conversations c"
    " JOIN contact_inboxes p ON p.id = c.contact_inbox_id WHERE c.account_id = %s"
)


async def index(scope: Scope) -> web.Response:
    """25 a page, open ones unless asked otherwise; `updated_within` is not paged (facts 6)."""
    where, values = _where(scope)
    narrowed, more = _assignee(scope)
    query = scope.request.query
    order = ORDERS.get(query.get("sort_by", ""), ORDERS["last_activity_at_desc"])
    paged = "" if query.get("updated_within") else f" LIMIT {PAGE} OFFSET {_offset(query.get('page'))}"
    rows = await scope.session.all(f"{QUERY}{where}{narrowed} ORDER BY {order}{paged}", scope.account, *values, *more)
    payload = [await conversation_views.one(scope.redis, scope.session, row) for row in rows]
    return answers.data({"data": {"meta": await _counts(scope, where, values), "payload": payload}})


async def meta(scope: Scope) -> web.Response:
    """The counts alone."""
    where, values = _where(scope)
    return answers.data({"meta": await _counts(scope, where, values)})


async def _counts(scope: Scope, where: str, values: list[Any]) -> Row:
    return await scope.session.row(COUNTS + where, scope.who.user["id"], scope.account, *values)


def _where(scope: Scope) -> tuple[str, list[Any]]:
    """What the parameters of the query ask for."""
    query = scope.request.query
    parts: list[str] = []
    values: list[Any] = []
    status = query.get("status", "open")
    if status != "all":
        parts.append("c.status = %s")
        values.append(STATUSES.index(status))
    for name, column in (("inbox_id", "c.inbox_id"), ("team_id", "c.team_id")):
        if query.get(name):
            parts.append(f"{column} = %s")
            values.append(int(query[name]))
    if query.get("source_id"):
        parts.append("p.source_id = %s")
        values.append(query["source_id"])
    if query.get("updated_within"):
        parts.append("c.updated_at > (now() AT TIME ZONE 'UTC') - make_interval(secs => %s)")
        values.append(int(query["updated_within"]))
    return "".join(f" AND {part}" for part in parts), values


def _assignee(scope: Scope) -> tuple[str, list[Any]]:
    """The tab: mine, unassigned, assigned, all. The counts do not depend on it."""
    kind = scope.request.query.get("assignee_type", "all")
    if kind == "me":
        return " AND c.assignee_id = %s", [scope.who.user["id"]]
    return {"unassigned": " AND c.assignee_id IS NULL", "assigned": " AND c.assignee_id IS NOT NULL"}.get(kind, ""), []


def _offset(page: str | None) -> int:
    number = int(page) if page and page.isdigit() else 1
    return (max(number, 1) - 1) * PAGE
