"""Users and agents as the API shows them (recordings/http 021, 033)."""

import time

import redis.asyncio

from chatwoot_fake import keys
from chatwoot_fake.pool import Row, Session

ROLES = ("agent", "administrator")
AVAILABILITY = ("online", "offline", "busy")
STATUSES = ("active", "suspended")
# A client that has not been heard for longer is offline.
PRESENCE_SECONDS = 20

MEMBERSHIPS = (
    "SELECT a.id, a.name, a.status, a.custom_attributes, m.role, m.active_at, m.availability, m.auto_offline"
    " FROM account_users m JOIN accounts a ON a.id = m.account_id WHERE m.user_id = %s ORDER BY m.id"
)
AGENTS = (
    "SELECT u.*, m.account_id, m.role, m.availability AS chosen, m.auto_offline FROM users u"
    " JOIN account_users m ON m.user_id = u.id WHERE m.account_id = %s"
)


async def online(client: redis.asyncio.Redis, account: int, user: int, *, auto_offline: bool) -> str:
    """Presence lies in Redis: without Redis no user can be shown (recordings, Health)."""
    seen = await client.zscore(keys.presence(account), str(user))
    if auto_offline and (seen is None or float(seen) < time.time() - PRESENCE_SECONDS):
        return "offline"
    return str(await client.hget(keys.status(account), str(user)) or "online")


async def token_of(session: Session, user: int) -> str | None:
    """The permanent API token."""
    found = await session.value("SELECT token FROM access_tokens WHERE owner_type = 'User' AND owner_id = %s", user)
    return str(found) if found else None


async def profile(client: redis.asyncio.Redis, session: Session, user: Row) -> Row:
    """The user with everything that belongs to it: the body of sign-in and profile."""
    rows = await session.all(MEMBERSHIPS, user["id"])
    accounts = [await _membership(client, user["id"], row) for row in rows]
    first = accounts[0] if accounts else None
    shown = {name: user[name] for name in ("display_name", "message_signature", "email", "id")}
    return {
        "access_token": await token_of(session, user["id"]),
        "account_id": first and first["id"],
        "available_name": user["display_name"] or user["name"],
        "avatar_url": "",
        "confirmed": user["confirmed_at"] is not None,
        **shown,
        "inviter_id": None,
        "name": user["name"],
        "provider": user["provider"],
        "pubsub_token": user["pubsub_token"],
        "role": first and first["role"],
        "ui_settings": user["ui_settings"] or {},
        "uid": user["uid"],
        "type": user["type"],
        "accounts": accounts,
    }


async def _membership(client: redis.asyncio.Redis, user: int, row: Row) -> Row:
    role = ROLES[row["role"]]
    return {
        "id": row["id"],
        "name": row["name"],
        "status": STATUSES[row["status"]],
        "onboarding_step": (row["custom_attributes"] or {}).get("onboarding_step"),
        "active_at": row["active_at"],
        "role": role,
        "permissions": [role],
        "availability": AVAILABILITY[row["availability"]],
        "availability_status": await online(client, row["id"], user, auto_offline=row["auto_offline"]),
        "auto_offline": row["auto_offline"],
    }


async def agent(client: redis.asyncio.Redis, row: Row) -> Row:
    """A member of an account, from a row of AGENTS."""
    return {
        "id": row["id"],
        "account_id": row["account_id"],
        "availability_status": await online(client, row["account_id"], row["id"], auto_offline=row["auto_offline"]),
        "auto_offline": row["auto_offline"],
        "confirmed": row["confirmed_at"] is not None,
        "email": row["email"],
        "provider": row["provider"],
        "available_name": row["display_name"] or row["name"],
        "name": row["name"],
        "role": ROLES[row["role"]],
        "thumbnail": "",
    }


async def sender(client: redis.asyncio.Redis, user: Row, account: int) -> Row:
    """A user as the sender of a message."""
    name = user["display_name"] or user["name"]
    return {
        "id": user["id"],
        "name": user["name"],
        "available_name": name,
        "avatar_url": "",
        "type": "user",
        "availability_status": await online(client, account, user["id"], auto_offline=True),
        "thumbnail": "",
    }
