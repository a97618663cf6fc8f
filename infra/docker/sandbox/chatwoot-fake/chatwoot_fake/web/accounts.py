"""Profile and account (recordings/http 022 to 027)."""

from aiohttp import web

from chatwoot_fake.prepare.features import FEATURES
from chatwoot_fake.web import answers, identity, people
from chatwoot_fake.web.state import POOL, REDIS
from chatwoot_fake.web.times import moment

PLAN = ("plan_name", "subscribed_quantity", "subscription_status", "subscription_ends_on")
CACHED = ("label", "inbox", "team")


async def profile(request: web.Request) -> web.Response:
    """The cheapest call that needs a token (facts 2.3)."""
    async with request.app[POOL].session() as session:
        who = await identity.caller(request, session)
        body = await people.profile(request.app[REDIS], session, who.user)
    return answers.data(body, headers={**who.headers, **(answers.COOKIE if who.headers else {})})


async def show(request: web.Request) -> web.Response:
    """The account; 404 where the caller is no member (recordings, API)."""
    account = int(request.match_info["account"])
    async with request.app[POOL].session() as session:
        who = await identity.caller(request, session)
        row = await session.one("SELECT * FROM accounts WHERE id = %s", account)
        if row is None or await identity.role(session, account, who) is None:
            return answers.not_found()
        cached = {name: await _cache_key(request, account, name) for name in CACHED}
    attributes = {**dict.fromkeys(PLAN), **(row["custom_attributes"] or {})}
    return answers.data(
        {
            "settings": row["settings"] or {},
            "created_at": moment(row["created_at"]),
            "custom_attributes": attributes,
            "domain": row["domain"],
            "features": dict.fromkeys(FEATURES, True),
            "id": row["id"],
            "locale": "en",
            "name": row["name"],
            "support_email": row["support_email"] or "Support <support@example.com>",
            "status": people.STATUSES[row["status"]],
            "cache_keys": cached,
            "latest_chatwoot_version": None,
        },
        headers=who.headers,
    )


async def _cache_key(request: web.Request, account: int, name: str) -> str:
    return str(await request.app[REDIS].get(f"alfred:idb-cache-key-account-{account}-{name}") or "0000000000")


async def sign_up(_request: web.Request) -> web.Response:
    """Closed on a prepared installation, whatever ENABLE_ACCOUNT_SIGNUP says (facts 4.2)."""
    return answers.bare(404, "Not Found")
