"""What all handlers share."""

import redis.asyncio
from aiohttp import web

from chatwoot_fake.pool import Pool

POOL = web.AppKey("pool", Pool)
REDIS: web.AppKey[redis.asyncio.Redis] = web.AppKey("redis", redis.asyncio.Redis)
SOCKETS: web.AppKey[set[web.WebSocketResponse]] = web.AppKey("sockets", set[web.WebSocketResponse])
