"""What every request passes through, outermost first."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import psycopg
import redis.exceptions
from aiohttp import web

from chatwoot_fake import environment, log
from chatwoot_fake.release import release
from chatwoot_fake.web import answers, cors, throttle

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# A request that takes longer is cut (recordings, Health: 500 after 15 s with the database stopped or frozen).
REQUEST_LIMIT = 15.0
# Reconnecting makes the API's 500 late when Redis is away (recordings, Health: up to 5 s).
REDIS_PATIENCE = 2.0
LEFT_OUT = ("/health", "/cable")


@web.middleware
async def name_the_fake(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer says who gave it, and the log says what was asked."""
    start = time.monotonic()
    answer = await handler(request)
    if not answer.prepared:
        answer.headers["X-Chatwoot-Fake"] = release()
    took = round((time.monotonic() - start) * 1000, 2)
    log.write("info", f"{request.method} {request.path}", status=answer.status, duration=took)
    return answer


@web.middleware
async def force_ssl(request: web.Request, handler: Handler) -> web.StreamResponse:
    """FORCE_SSL sends plain HTTP to https, `/health` included (facts 2.2)."""
    if not environment.flag("FORCE_SSL"):
        return await handler(request)
    if answers.secure(request):
        answer = await handler(request)
        if not answer.prepared:
            answer.headers["strict-transport-security"] = "max-age=63072000; includeSubDomains"
        return answer
    host = request.host.rsplit(":", 1)[0]
    status = 301 if request.method in ("GET", "HEAD") else 307
    return web.Response(
        status=status,
        headers={"location": f"https://{host}{request.path_qs}", "content-type": "text/html; charset=utf-8"},
    )


@web.middleware
async def cross_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Preflights are answered here, other answers get their headers."""
    answer = cors.preflight(request) or await handler(request)
    if not answer.prepared and cors.covered(request.path):
        if request.headers.get("Origin"):
            answer.headers.update(cors.headers(request.path))
        if request.method != "OPTIONS":
            answer.headers["vary"] = "Origin"
    return answer


@web.middleware
async def rate_limit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """429 when a counter is full."""
    if not throttle.safe(request) and await throttle.full(request):
        return throttle.later()
    return await handler(request)


@web.middleware
async def rescue(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nobody waits longer than the limit, and what nothing rescued is a 500."""
    if request.path in LEFT_OUT:
        return await handler(request)
    task = asyncio.ensure_future(_tried(request, handler))
    done, _ = await asyncio.wait({task}, timeout=REQUEST_LIMIT)
    if done:
        return task.result()
    task.cancel()
    log.write("error", "Rack::Timeout::RequestTimeoutException", path=request.path)
    return answers.broken(request)


async def _tried(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except redis.exceptions.RedisError as problem:
        log.write("error", f"RedisClient::CannotConnectError: {problem}", path=request.path)
        if request.path.startswith("/api/"):
            await asyncio.sleep(REDIS_PATIENCE)
    except (psycopg.Error, LookupError, ValueError, TypeError) as problem:
        log.write("error", f"{type(problem).__name__}: {problem}", path=request.path)
    return answers.broken(request)


LAYERS = (name_the_fake, force_ssl, cross_origin, rescue, rate_limit)
