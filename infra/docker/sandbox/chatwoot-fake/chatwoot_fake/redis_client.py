"""How the application reaches Redis: REDIS_URL and, separately, REDIS_PASSWORD (facts 1.2, 2.2)."""

from typing import Any

import redis
import redis.asyncio

from chatwoot_fake import environment

# One second to connect and to answer (facts 2.2).
TIMEOUT = 1.0


def _arguments() -> dict[str, Any]:
    found: dict[str, Any] = {"decode_responses": True, "socket_timeout": TIMEOUT}
    found["socket_connect_timeout"] = TIMEOUT
    password = environment.text("REDIS_PASSWORD")
    return {**found, "password": password} if password else found


def url() -> str:
    """REDIS_URL with Chatwoot's default."""
    return environment.filled("REDIS_URL", "redis://127.0.0.1:6379")


def client() -> redis.Redis:
    """For commands that run once."""
    return redis.Redis.from_url(url(), **_arguments())


def async_client(**overrides: Any) -> redis.asyncio.Redis:  # noqa: ANN401 -- passed through
    """For the web and the worker."""
    return redis.asyncio.Redis.from_url(url(), **{**_arguments(), **overrides})
