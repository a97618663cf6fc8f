"""Sign-in sessions: tokens in `users.tokens`, and since 4.15.0 rows of `user_sessions` (facts 2.3)."""

import base64
import json
import secrets
import time
from typing import Any

from chatwoot_fake import environment, tokens
from chatwoot_fake.pool import Row, Session
from chatwoot_fake.release import has_user_sessions

TWO_MONTHS = 61 * 86_400
NAMES = ("access-token", "client", "uid")
Headers = dict[str, str]


def held(user: Row) -> dict[str, Any]:
    """`users.tokens`: a JSON text inside a JSON value, or plain JSON."""
    found = user["tokens"]
    found = json.loads(found) if isinstance(found, str) else found
    return dict(found or {})


async def open_session(session: Session, user: Row, address: str, agent: str | None) -> Headers:
    """A new session; the headers that the client must send back."""
    token, client = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    expiry = int(time.time()) + TWO_MONTHS
    kept = held(user)
    kept[client] = {"token": tokens.digest(token, tokens.TOKEN_ROUNDS), "expiry": expiry}
    if has_user_sessions():
        await _record(session, user["id"], client, address, agent)
        for gone in await _evict(session, user["id"]):
            kept.pop(gone, None)
    await _keep(session, user["id"], kept)
    await session.run(
        "UPDATE users SET sign_in_count = sign_in_count + 1, last_sign_in_at = coalesce(current_sign_in_at, now()),"
        " current_sign_in_at = now(), current_sign_in_ip = %s, last_sign_in_ip = %s WHERE id = %s",
        address,
        address,
        user["id"],
    )
    return headers(token, client, expiry, user["uid"])


def headers(token: str, client: str, expiry: int, uid: str) -> Headers:
    """The session as headers, single and packed into one."""
    found = {"access-token": token, "token-type": "Bearer", "client": client, "expiry": str(expiry), "uid": uid}
    packed = base64.b64encode(json.dumps(found, separators=(",", ":")).encode()).decode()
    return {**found, "authorization": f"Bearer {packed}"}


def check(user: Row, token: str, client: str) -> int | None:
    """The expiry of a valid session, else nothing."""
    entry = held(user).get(client)
    if not entry or entry["expiry"] < time.time() or not tokens.matches(token, entry["token"]):
        return None
    return int(entry["expiry"])


async def close_session(session: Session, user: Row, client: str) -> None:
    """Sign out."""
    kept = held(user)
    kept.pop(client, None)
    if has_user_sessions():
        await session.run("DELETE FROM user_sessions WHERE user_id = %s AND client_id = %s", user["id"], client)
    await _keep(session, user["id"], kept)


async def _keep(session: Session, user: int, kept: dict[str, Any]) -> None:
    await session.run(
        "UPDATE users SET tokens = %s::json, updated_at = now() WHERE id = %s",
        json.dumps(json.dumps(kept, separators=(",", ":"))),
        user,
    )


async def _record(session: Session, user: int, client: str, address: str, agent: str | None) -> None:
    """On a schema without the table this is the 500 of 4.15.1 on 4.14.2's (recordings, Upgrades)."""
    shown = agent if agent and "Mozilla" in agent else None
    await session.run(
        "INSERT INTO user_sessions (user_id, client_id, ip_address, user_agent, browser_name, browser_version,"
        " device_name, platform_name, platform_version, last_activity_at, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, 'Unknown Browser', '0.0', 'Unknown', 'Unknown', '0', now(), now(), now())",
        user,
        client,
        address,
        shown,
    )


async def _evict(session: Session, user: int) -> list[str]:
    """The oldest ones beyond MAX_USER_SESSIONS, silently (facts 2.3)."""
    limit = int(environment.number("MAX_USER_SESSIONS", 25))
    rows = await session.all(
        "DELETE FROM user_sessions WHERE id IN (SELECT id FROM user_sessions WHERE user_id = %s"
        " ORDER BY last_activity_at DESC, id DESC OFFSET %s) RETURNING client_id",
        user,
        limit,
    )
    return [row["client_id"] for row in rows]
