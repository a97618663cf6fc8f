"""/auth: sign in, validate, sign out (facts 2.3)."""

from aiohttp import web

from chatwoot_fake import tokens
from chatwoot_fake.web import answers, client_address, identity, people, sessions
from chatwoot_fake.web.state import POOL, REDIS

WRONG = "Invalid login credentials. Please try again."


async def sign_in(request: web.Request) -> web.Response:
    """200 with the user and session headers, 401 for anything wrong (recordings/http 020, 021)."""
    given = await answers.json_body(request)
    email, password = str(given.get("email", "")).lower(), str(given.get("password", ""))
    async with request.app[POOL].session() as session:
        user = await session.one("SELECT * FROM users WHERE lower(email) = %s", email)
        if user is None or not tokens.matches(password, user["encrypted_password"]):
            return answers.data({"success": False, "errors": [WRONG]}, 401)
        if user["confirmed_at"] is None:
            return answers.data({"success": False, "errors": ["unconfirmed"], "error_code": "user_not_confirmed"}, 401)
        agent = request.headers.get("User-Agent")
        headers = await sessions.open_session(session, user, client_address.of(request), agent)
        body = await people.profile(request.app[REDIS], session, user)
    return answers.data({"data": body}, headers={**headers, "set-cookie": "user.expires_at=fake; path=/"})


async def validate(request: web.Request) -> web.Response:
    """Whether the session headers still hold."""
    async with request.app[POOL].session() as session:
        try:
            who = await identity.caller(request, session)
        except identity.Refused:
            return answers.data({"success": False, "errors": ["Invalid login credentials"]}, 401)
        body = await people.profile(request.app[REDIS], session, who.user)
    return answers.data({"payload": {"success": True, "data": body}}, headers=who.headers)


async def sign_out(request: web.Request) -> web.Response:
    """Ends the session of the headers."""
    async with request.app[POOL].session() as session:
        try:
            who = await identity.caller(request, session)
        except identity.Refused:
            problem = "User was not found or was not logged in."
            return answers.data({"success": False, "errors": [problem]}, 404)
        await sessions.close_session(session, who.user, who.headers.get("client", ""))
    return answers.data({"success": True})
