"""Health and HTML pages (facts 2.1, 2.2; recordings, Health)."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import redis.exceptions
from aiohttp import web

from chatwoot_fake import environment, keys, redis_client
from chatwoot_fake.pool import Pool
from chatwoot_fake.release import git_sha, release
from chatwoot_fake.web import answers, configs
from chatwoot_fake.web.state import POOL, REDIS

SHELL_CONFIGS = (
    "INSTALLATION_NAME",
    "BRAND_NAME",
    "BRAND_URL",
    "DASHBOARD_SCRIPTS",
    "FACEBOOK_API_VERSION",
    "FB_APP_ID",
    "WHATSAPP_APP_ID",
    "ENABLE_GOOGLE_OAUTH_LOGIN",
)


async def health(_request: web.Request) -> web.Response:
    """Touches neither database nor Redis (facts 2.1)."""
    return answers.data({"status": "woot"})


async def api(request: web.Request) -> web.Response:
    """Always 200 when it completes; `failing` also for a connection that was not used yet (facts 2.2)."""
    if environment.frontend_host() != request.host.rsplit(":", 1)[0]:
        await _portal_lookup(request)
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    queue, data = await _redis_word(), await _database_word(request.app[POOL])
    return answers.data({"version": release(), "timestamp": stamp, "queue_services": queue, "data_services": data})


async def _portal_lookup(request: web.Request) -> None:
    """The lookup of a custom domain, skipped when the Host is FRONTEND_URL's: it opens the connection (facts 2.2)."""
    async with request.app[POOL].session() as session:
        await session.value("SELECT 1")


async def _redis_word() -> str:
    """A new connection and a PING; only a refused connection is caught, a timeout is not (facts 2.2)."""
    client: Any = redis_client.async_client()
    try:
        await client.ping()
    except redis.exceptions.TimeoutError:
        raise
    except redis.exceptions.ConnectionError:
        return "failing"
    finally:
        await client.aclose()
    return "ok"


async def _database_word(pool: Pool) -> str:
    """Asks whether the connection in the pool is active; there may be none although the database is well."""
    connection = pool.idle
    if connection is None and pool.busy:
        async with pool.session() as session:
            await session.value("SELECT 1")
        return "ok"
    if connection is None:
        return "failing"
    try:
        await connection.execute(b"SELECT 1")
    except (psycopg.Error, OSError):
        await pool.forget_idle()
        return "failing"
    return "ok"


async def dashboard(request: web.Request) -> web.Response:
    """`/`, `/app` and everything below: the first-run page while its key is in Redis, then the shell (facts 2.1)."""
    if request.path == "/" and request.headers.get("Accept") == "application/json":
        return answers.data({"error": "Please use API routes instead of dashboard routes for JSON requests"}, 406)
    if await request.app[REDIS].exists(keys.ONBOARDING):
        return answers.redirect(request, "/installation/onboarding")
    async with request.app[POOL].session() as session:
        await session.value("SELECT count(*) FROM accounts")
        found = {name: await configs.value(request.app[REDIS], session, name) for name in SHELL_CONFIGS}
    script = f"window.globalConfig={{APP_VERSION:'{release()}',GIT_SHA:'{git_sha()[:7]}'}};window.chatwootConfig={{}}"
    return answers.page(str(found["INSTALLATION_NAME"] or "Chatwoot"), f"<script>{script}</script>")


async def super_admin(request: web.Request) -> web.Response:
    """Not signed in: to its sign-in page."""
    return answers.redirect(request, "/super_admin/sign_in", answers.COOKIE, bare=True)


async def super_admin_sign_in(_request: web.Request) -> web.Response:
    """The form."""
    return answers.page("SuperAdmin | Chatwoot", "<form></form>")


async def widget_script(_request: web.Request) -> web.Response:
    """A static file that foreign pages load."""
    return web.Response(
        body=b"",
        headers={
            "content-type": "text/javascript",
            "cache-control": "public, max-age=31556952",
            "last-modified": "Mon, 23 Nov 2026 08:06:38 GMT",
        },
    )
