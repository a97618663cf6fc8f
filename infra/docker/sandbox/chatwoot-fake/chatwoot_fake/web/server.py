"""The web process."""

import asyncio
import logging

import redis.asyncio
from aiohttp import web

from chatwoot_fake import environment, log, redis_client
from chatwoot_fake.errors import BootError
from chatwoot_fake.pool import Pool
from chatwoot_fake.release import release
from chatwoot_fake.web import layers, routes
from chatwoot_fake.web.refusals import answer_refusals
from chatwoot_fake.web.state import POOL, REDIS, SOCKETS

LARGEST_BODY = 64 * 2**20


def serve(address: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT; no look at pending migrations (facts 1.3)."""
    if environment.text("CW_API_ONLY_SERVER") == "true":
        raise BootError("NotImplementedError: chatwoot-fake does not implement CW_API_ONLY_SERVER")
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    log.write("warn", f"chatwoot-fake {release()}: Puma it is not, listening on http://{address}:{port}")
    web.run_app(application(), host=address, port=port, print=None, access_log=None, shutdown_timeout=1.0)
    return 0


def application() -> web.Application:
    """The application with its layers and routes."""
    app = web.Application(middlewares=[*layers.LAYERS, answer_refusals], client_max_size=LARGEST_BODY)
    nobody: set[web.WebSocketResponse] = set()
    app[SOCKETS] = nobody
    app.cleanup_ctx.append(_resources)
    app.on_shutdown.append(_close_sockets)
    routes.add(app)
    return app


async def _resources(app: web.Application):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- aiohttp's own protocol
    app[POOL] = Pool()
    client: redis.asyncio.Redis = redis_client.async_client()
    app[REDIS] = client
    yield
    await client.aclose()
    await asyncio.wait_for(app[POOL].forget_idle(), 1)


async def _close_sockets(app: web.Application) -> None:
    opened = app[SOCKETS]
    for socket in [*opened]:
        await socket.close()
