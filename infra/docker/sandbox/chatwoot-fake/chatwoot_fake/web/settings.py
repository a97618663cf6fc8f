"""Agents, labels, teams (recordings/http 033 to 049; facts 4.4)."""

import re
import secrets
from typing import Any

from aiohttp import web

from chatwoot_fake import jobs, tokens
from chatwoot_fake.pool import Row
from chatwoot_fake.web import answers, onboarding, people
from chatwoot_fake.web.scope import Scope

LABEL = re.compile(r"^[\w-]+$")


async def agents(scope: Scope) -> web.Response:
    """All members."""
    rows = await scope.session.all(people.AGENTS + " ORDER BY u.id", scope.account)
    return answers.data([await people.agent(scope.redis, row) for row in rows])


async def create_agent(scope: Scope) -> web.Response:
    """An unconfirmed user and an invitation, which without a mail server nobody gets (recordings, Mail)."""
    given = await scope.body()
    given = given.get("agent") or given
    email = str(given.get("email") or "").lower()
    if await scope.session.value(
        "SELECT 1 FROM users u JOIN account_users m ON m.user_id = u.id WHERE m.account_id = %s AND u.email = %s",
        scope.account,
        email,
    ):
        return answers.invalid("User has already been taken", "user_id")
    async with scope.session.connection.transaction():
        user = await _user(scope, str(given.get("name") or ""), email)
        role = people.ROLES.index(given.get("role", "agent"))
        await onboarding.join(scope.session, scope.account, user, role, scope.who.user["id"])
    await jobs.push(scope.redis, _invitation(scope.account, user))
    row = await scope.session.row(people.AGENTS + " AND u.id = %s", scope.account, user)
    return answers.data(await people.agent(scope.redis, row))


async def _user(scope: Scope, name: str, email: str) -> int:
    found = await scope.session.value("SELECT id FROM users WHERE email = %s", email)
    password = f"1!aA{secrets.token_urlsafe(12)}"
    return int(found or await onboarding.add_user(scope.session, name, email, password, None))


def _invitation(account: int, user: int) -> jobs.Job:
    options = {"client_config": "default", "redirect_url": None, "_aj_symbol_keys": ["client_config", "redirect_url"]}
    globals_ = [{"_aj_globalid": f"gid://chatwoot/User/{user}"}, tokens.secure_token(20), options]
    return jobs.active_job(
        "ActionMailer::MailDeliveryJob",
        "default",
        [
            "Devise::Mailer",
            "confirmation_instructions",
            "deliver_now",
            {
                "params": {"account": {"_aj_globalid": f"gid://chatwoot/Account/{account}"}},
                "args": globals_,
                "_aj_ruby2_keywords": ["params", "args"],
            },
        ],
    )


async def labels(scope: Scope) -> web.Response:
    """All labels."""
    rows = await scope.session.all("SELECT * FROM labels WHERE account_id = %s ORDER BY id", scope.account)
    return answers.data({"payload": [_label(row) for row in rows]})


async def create_label(scope: Scope) -> web.Response:
    """Down-cased; letters, digits, `-` and `_` only."""
    given: dict[str, Any] = (await scope.body()).get("label") or {}
    title = str(given.get("title") or "").lower()
    if not LABEL.match(title):
        return answers.invalid("Title is invalid", "title")
    if await scope.session.value("SELECT 1 FROM labels WHERE account_id = %s AND title = %s", scope.account, title):
        return answers.invalid("Title has already been taken", "title")
    row = await scope.session.row(
        "INSERT INTO labels (title, description, color, show_on_sidebar, account_id, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, %s, now(), now()) RETURNING *",
        title,
        given.get("description"),
        given.get("color") or "#1f93ff",
        given.get("show_on_sidebar"),
        scope.account,
    )
    return answers.data(_label(row))


async def teams(scope: Scope) -> web.Response:
    """All teams."""
    rows = await scope.session.all("SELECT * FROM teams WHERE account_id = %s ORDER BY id", scope.account)
    return answers.data([team(row) for row in rows])


async def create_team(scope: Scope) -> web.Response:
    """A team of nobody yet."""
    given = await scope.body()
    given = given.get("team") or given
    name = str(given.get("name") or "").lower()
    if await scope.session.value("SELECT 1 FROM teams WHERE account_id = %s AND name = %s", scope.account, name):
        return answers.invalid("Name has already been taken", "name")
    row = await scope.session.row(
        "INSERT INTO teams (name, description, allow_auto_assign, account_id, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, now(), now()) RETURNING *",
        name,
        given.get("description"),
        given.get("allow_auto_assign", True),
        scope.account,
    )
    return answers.data(team(row))


def team(row: Row) -> Row:
    """A team as lists show it."""
    found = {name: row[name] for name in ("id", "name", "description", "allow_auto_assign", "account_id")}
    return {**found, "is_member": False}


def _label(row: Row) -> Row:
    return {name: row[name] for name in ("id", "title", "description", "color", "show_on_sidebar")}
