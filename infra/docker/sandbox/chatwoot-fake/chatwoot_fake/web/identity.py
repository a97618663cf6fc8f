"""Who asks: the API token in both spellings, or session headers (facts 2.3)."""

import base64
import binascii
import json
from dataclasses import dataclass, field

from aiohttp import web

from chatwoot_fake.pool import Row, Session
from chatwoot_fake.web import answers, sessions

SIGN_IN_FIRST = "You need to sign in or sign up before continuing."


class Refused(Exception):  # noqa: N818 -- an answer, not an error
    """Carries the answer that ends the request."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True)
class Caller:
    """The user and, for a session, the headers that go back."""

    user: Row
    headers: sessions.Headers = field(default_factory=dict)


async def caller(request: web.Request, session: Session) -> Caller:
    """The caller, or a refusal with the text of the recordings (008, 025)."""
    token = request.headers.get("api_access_token") or request.headers.get("api-access-token")
    if token:
        return Caller(await _by_token(session, token))
    given = _session_headers(request)
    user = await session.one("SELECT * FROM users WHERE uid = %s", given.get("uid", "")) if given else None
    expiry = sessions.check(user, given["access-token"], given["client"]) if user else None
    if user is None or expiry is None:
        raise Refused(answers.data({"errors": [SIGN_IN_FIRST]}, 401))
    return Caller(user, sessions.headers(given["access-token"], given["client"], expiry, user["uid"]))


async def member(request: web.Request, session: Session) -> tuple[Caller, int]:
    """The caller and the account of the path; foreign accounts are refused with 401 (recordings, API)."""
    who = await caller(request, session)
    account = int(request.match_info["account"])
    if not await session.value("SELECT 1 FROM accounts WHERE id = %s", account):
        raise Refused(answers.not_found())
    if not await role(session, account, who):
        raise Refused(answers.failure("You are not authorized to access this account", 401))
    return who, account


async def administrator(request: web.Request, session: Session) -> tuple[Caller, int]:
    """The same, and the caller may change the account's settings."""
    who, account = await member(request, session)
    if await role(session, account, who) != "administrator":
        raise Refused(answers.failure("You are not authorized to do this action", 401))
    return who, account


async def role(session: Session, account: int, who: Caller) -> str | None:
    """The caller's role in the account, if any."""
    found = await session.value(
        "SELECT role FROM account_users WHERE account_id = %s AND user_id = %s", account, who.user["id"]
    )
    return None if found is None else ("agent", "administrator")[int(found)]


async def _by_token(session: Session, token: str) -> Row:
    user = await session.one(
        "SELECT u.* FROM users u JOIN access_tokens t ON t.owner_type = 'User' AND t.owner_id = u.id"
        " WHERE t.token = %s",
        token,
    )
    if user is None:
        raise Refused(answers.failure("Invalid Access Token", 401))
    return user


def _session_headers(request: web.Request) -> dict[str, str]:
    packed = request.headers.get("Authorization", "")
    given = {name: request.headers.get(name, "") for name in sessions.NAMES}
    if packed.startswith("Bearer ") and not all(given.values()):
        try:
            found = json.loads(base64.b64decode(packed.removeprefix("Bearer ")))
            given = {name: str(found.get(name, "")) for name in sessions.NAMES}
        except (ValueError, binascii.Error, AttributeError):
            return {}
    return given if all(given.values()) else {}
