"""ActionCable (facts 2.4; recordings/cable.json)."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

from chatwoot_fake import keys, log, redis_client
from chatwoot_fake.pool import Row
from chatwoot_fake.web.state import POOL, REDIS, SOCKETS

PING_SECONDS = 3
PROTOCOLS = ("actioncable-v1-json", "actioncable-unsupported")


async def connect(request: web.Request) -> web.StreamResponse:
    """A socket for whoever asks, from any origin; a plain GET is a 404."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return web.Response(
            status=404,
            text="Page not found",
            headers={"content-type": "text/plain; charset=utf-8", "cache-control": "no-cache"},
        )
    socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=None)
    await socket.prepare(request)
    request.app[SOCKETS].add(socket)
    tasks: set[asyncio.Task[None]] = {asyncio.create_task(_ping(socket))}
    try:
        # `welcome` needs no Redis and proves nothing about it (facts 2.4).
        await socket.send_json({"type": "welcome"})
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                tasks.add(asyncio.create_task(_heard(request, socket, message.data)))
    finally:
        request.app[SOCKETS].discard(socket)
        for task in tasks:
            task.cancel()
    return socket


async def _ping(socket: web.WebSocketResponse) -> None:
    while not socket.closed:
        await asyncio.sleep(PING_SECONDS)
        with suppress(ConnectionError):
            await socket.send_json({"type": "ping", "message": int(time.time())}, dumps=_dumps)


async def _heard(request: web.Request, socket: web.WebSocketResponse, text: str) -> None:
    """A command of the client. What goes wrong is in the log only: no answer, no reject (facts 2.4)."""
    try:
        command = json.loads(text)
        identifier = command["identifier"]
        if command["command"] == "subscribe":
            await _subscribe(request, socket, identifier)
        elif command["command"] == "message":
            await _presence(request, json.loads(identifier))
    except asyncio.CancelledError:
        raise
    except Exception as problem:  # noqa: BLE001 -- as in Rails: logged, nobody is told
        log.write("error", f"{type(problem).__name__}: {problem}")


async def _subscribe(request: web.Request, socket: web.WebSocketResponse, identifier: str) -> None:
    """Confirmed only after Redis has subscribed: that is what a subscription proves."""
    wanted = json.loads(identifier)
    if wanted.get("channel") != "RoomChannel" or not await _owner(request, wanted):
        raise LookupError("ActiveRecord::RecordNotFound: no owner of this pubsub_token")
    client = redis_client.async_client(socket_timeout=None)
    subscription = client.pubsub()
    channel = keys.CABLE_PREFIX + wanted["pubsub_token"]
    try:
        await subscription.subscribe(channel, keys.CABLE_PREFIX + f"account_{wanted.get('account_id')}")
        await subscription.get_message(timeout=5)
        await socket.send_str(_dumps({"identifier": identifier, "type": "confirm_subscription"}))
        await _presence(request, wanted)
        async for heard in subscription.listen():
            if heard["type"] == "message":
                message = json.loads(heard["data"])
                await socket.send_str(_dumps({"identifier": identifier, "message": message}))
    finally:
        await subscription.aclose()  # type: ignore[no-untyped-call]
        await client.aclose()


async def _owner(request: web.Request, wanted: dict[str, Any]) -> Row | None:
    token = str(wanted.get("pubsub_token", ""))
    async with request.app[POOL].session() as session:
        user = await session.one(
            "SELECT id FROM users WHERE pubsub_token = %s AND id = %s", token, int(wanted.get("user_id") or 0)
        )
        return user or await session.one("SELECT id FROM contact_inboxes WHERE pubsub_token = %s", token)


async def _presence(request: web.Request, wanted: dict[str, Any]) -> None:
    """Mark the user as seen and tell it who is there."""
    account, user = int(wanted["account_id"]), str(wanted["user_id"])
    client = request.app[REDIS]
    await client.zadd(keys.presence(account), {user: int(time.time())})
    await client.hsetnx(keys.status(account), user, "online")
    since = time.time() - 20
    seen = await client.zrangebyscore(keys.presence(account), since, "+inf")
    users = {name: await client.hget(keys.status(account), name) or "online" for name in map(str, seen)}
    body = {"event": "presence.update", "data": {"account_id": account, "users": users, "contacts": {}}}
    await client.publish(keys.CABLE_PREFIX + wanted["pubsub_token"], _dumps(body))


def _dumps(body: object) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
