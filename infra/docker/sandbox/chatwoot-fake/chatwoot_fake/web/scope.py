"""A request inside an account: who asks, where, with which database session."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from aiohttp import web

from chatwoot_fake import jobs
from chatwoot_fake.pool import Row, Session
from chatwoot_fake.web import answers, identity
from chatwoot_fake.web.state import POOL, REDIS


@dataclass(frozen=True)
class Scope:
    """What a handler below /api/v1/accounts/:id needs."""

    request: web.Request
    session: Session
    who: identity.Caller
    account: int

    @property
    def redis(self) -> redis.asyncio.Redis:
        """The shared client."""
        return self.request.app[REDIS]

    def number(self, name: str) -> int:
        """A number of the path."""
        return int(self.request.match_info[name])

    async def body(self) -> dict[str, Any]:
        """The parameters of the request."""
        return await answers.json_body(self.request)

    async def event(self, kind: str, **ids: Any) -> None:  # noqa: ANN401 -- ids and names
        """Tell the worker what changed (facts 5)."""
        await jobs.event(self.redis, kind, account=self.account, user=self.who.user["id"], **ids)

    async def find(self, query: str, *values: object) -> Row:
        """A row, or the 404 of a record that is not there."""
        row = await self.session.one(query, *values)
        if row is None:
            raise identity.Refused(answers.not_found())
        return row


Inside = Callable[[Scope], Awaitable[web.Response]]


def inside(handler: Inside, *, admin: bool = False) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler of aiohttp that first finds out who asks."""
    check = identity.administrator if admin else identity.member

    async def handle(request: web.Request) -> web.Response:
        async with request.app[POOL].session() as session:
            who, account = await check(request, session)
            answer = await handler(Scope(request, session, who, account))
        answer.headers.update(who.headers)
        return answer

    return handle
