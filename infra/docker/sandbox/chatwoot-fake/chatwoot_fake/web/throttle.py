"""Rate limits (facts 2.5): counters in Redis, `Retry later` when one is full."""

import time

import redis.exceptions
from aiohttp import web

from chatwoot_fake import environment, keys
from chatwoot_fake.web import client_address
from chatwoot_fake.web.state import REDIS

LOCAL = frozenset({"127.0.0.1", "::1"})
TOO_MANY = 429


def safe(request: web.Request) -> bool:
    """Whether nothing is counted: switched off, `/health`, or an address on the list."""
    if not environment.flag("ENABLE_RACK_ATTACK", default=True) or request.path == "/health":
        return True
    allowed = {part.strip() for part in environment.text("RACK_ATTACK_ALLOWED_IPS").split(",")}
    return client_address.of(request) in LOCAL | allowed


def rules(request: web.Request) -> list[tuple[str, int, int]]:
    """Counter name, limit, seconds: what this request counts for."""
    address = client_address.of(request)
    found = [(f"req/ip:{address}", int(environment.number("RACK_ATTACK_LIMIT", 3000)), 60)]
    posts = {
        "/auth/sign_in": ("login/ip", 5, 300),
        "/super_admin/sign_in": ("super_admin_login/ip", 5, 300),
        "/api/v1/accounts": ("accounts/ip", 5, 1800),
        "/auth/password": ("reset_password/ip", 5, 1800),
    }
    if request.method == "POST" and request.path in posts:
        name, limit, seconds = posts[request.path]
        found.append((f"{name}:{address}", limit, seconds))
    return found


async def full(request: web.Request) -> bool:
    """Count the request; whether one of its counters is over its limit. Without Redis nothing is counted."""
    try:
        return any([await _count(request, *rule) for rule in rules(request)])
    except redis.exceptions.RedisError:
        return False


async def _count(request: web.Request, name: str, limit: int, seconds: int) -> bool:
    now = int(time.time())
    key = f"{keys.THROTTLE}{now // seconds}:{name}"
    count = int(await request.app[REDIS].incr(key))
    if count == 1:
        await request.app[REDIS].expire(key, seconds - now % seconds + 1)
    return count > limit


def later() -> web.Response:
    """429, plain text (facts 2.5)."""
    return web.Response(text="Retry later\n", status=TOO_MANY, headers={"content-type": "text/plain"})
