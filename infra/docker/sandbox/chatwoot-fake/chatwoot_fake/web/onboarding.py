"""The first-run page (facts 4.1). It asks only the key in Redis, not whether anybody can sign in."""

from datetime import UTC, datetime

from aiohttp import web

from chatwoot_fake import keys, tokens
from chatwoot_fake.pool import Session
from chatwoot_fake.web import answers
from chatwoot_fake.web.state import POOL, REDIS

FLAGS = 1_442_282_865_939_709_831


async def show(request: web.Request) -> web.Response:
    """The form, or `/` when it is closed."""
    if not await request.app[REDIS].exists(keys.ONBOARDING):
        return answers.redirect(request, "/")
    return answers.page("SuperAdmin | Chatwoot", "<form action='/installation/onboarding' method='post'></form>")


async def create(request: web.Request) -> web.Response:
    """302 to `/` whether it worked or not: only the key tells (facts 4.1)."""
    if not await request.app[REDIS].exists(keys.ONBOARDING):
        return answers.redirect(request, "/")
    form = {key: str(value) for key, value in (await request.post()).items()}
    if await _build(request, form):
        await request.app[REDIS].delete(keys.ONBOARDING)
        return answers.redirect(request, "/")
    return answers.redirect(request, "/", answers.COOKIE)


async def _build(request: web.Request, form: dict[str, str]) -> bool:
    """Account, user, membership and token in one transaction.

    A weak password rolls back but has consumed the numbers: never assume account 1 (recordings, Starting).
    """
    email, password = form.get("user[email]", "").lower(), form.get("user[password]", "")
    async with request.app[POOL].session() as session:
        taken = await session.value("SELECT 1 FROM users WHERE lower(email) = %s", email)
        good = tokens.strong(password) and "@" in email and not taken
        if not good:
            await session.all(
                "SELECT nextval(pg_get_serial_sequence(name, 'id')) FROM"
                " unnest(ARRAY['accounts', 'users', 'access_tokens']) AS name"
            )
            return False
        async with session.connection.transaction():
            await _write(session, form.get("user[company]") or "", form.get("user[name]") or "", email, password)
    return True


async def _write(session: Session, company: str, name: str, email: str, password: str) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    account = await session.value(
        "INSERT INTO accounts (name, feature_flags, custom_attributes, created_at, updated_at)"
        ' VALUES (%s, %s, \'{"onboarding_step": "account_details"}\', %s, %s) RETURNING id',
        company,
        FLAGS,
        now,
        now,
    )
    user = await add_user(session, name, email, password, "SuperAdmin")
    await join(session, int(account), user, 1, None)


async def add_user(session: Session, name: str, email: str, password: str, kind: str | None) -> int:
    """A confirmed user with an access token."""
    now = datetime.now(UTC).replace(tzinfo=None)
    user = int(
        await session.value(
            "INSERT INTO users (name, email, uid, encrypted_password, confirmed_at, pubsub_token, type,"
            " created_at, updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
            name,
            email,
            email,
            tokens.digest(password),
            now if kind else None,
            tokens.secure_token(),
            kind,
            now,
            now,
        )
    )
    await session.run(
        "INSERT INTO access_tokens (owner_type, owner_id, token, created_at, updated_at)"
        " VALUES ('User', %s, %s, now(), now())",
        user,
        tokens.secure_token(),
    )
    return user


async def join(session: Session, account: int, user: int, role: int, inviter: int | None) -> None:
    """Membership and notification settings."""
    await session.run(
        "INSERT INTO account_users (account_id, user_id, role, inviter_id, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, now(), now())",
        account,
        user,
        role,
        inviter,
    )
    await session.run(
        "INSERT INTO notification_settings (account_id, user_id, email_flags, push_flags, created_at,"
        " updated_at) VALUES (%s, %s, 2, 2, now(), now())",
        account,
        user,
    )
