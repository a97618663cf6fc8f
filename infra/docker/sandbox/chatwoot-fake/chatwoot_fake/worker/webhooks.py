"""Delivery of webhooks (facts 4.5, 5; recordings, Webhooks): once, signed, to public addresses only.

Whatever goes wrong is one line of level WARN; the job counts as processed, and there is no second attempt.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from chatwoot_fake import environment, log
from chatwoot_fake.web import configs
from chatwoot_fake.worker.state import Worker

REDIRECTS = 10
MULTIPLE, ERRORS = 300, 400


class DeliveryError(Exception):
    """Why nothing arrived, in Chatwoot's words."""


async def deliver(worker: Worker, arguments: list[Any]) -> None:
    """One attempt."""
    url, payload, _, options = arguments
    try:
        seconds = await _timeout(worker)
        await _post(url, json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(), options, seconds)
    except DeliveryError as problem:
        log.write("warn", f"Exception: Invalid webhook URL {url} : {problem}")


async def _timeout(worker: Worker) -> float:
    """WEBHOOK_TIMEOUT of the installation configs, 5 s by default."""
    async with worker.pool.session() as session:
        return float(await configs.value(worker.redis, session, "WEBHOOK_TIMEOUT") or 5)


def signed(secret: str, delivery: str, body: bytes) -> dict[str, str]:
    """The headers of a delivery: HMAC-SHA256 over `<timestamp>.<raw body>` (facts 4.5)."""
    stamp = str(int(time.time()))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Chatwoot-Delivery": delivery, "X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": f"sha256={digest}"}


async def _post(url: str, body: bytes, options: dict[str, Any], seconds: float) -> None:
    headers = {"Accept": "application/json", "User-Agent": "Ruby", "Content-Type": "application/json"}
    if options.get("secret"):
        headers |= signed(options["secret"], options["delivery_id"], body)
    limit = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(timeout=limit) as client:
        for _ in range(REDIRECTS):
            await _allowed(url)
            status, reason, place = await _attempt(client, _without_credentials(url), body, headers)
            if status < MULTIPLE:
                return
            if status >= ERRORS or not place:
                raise DeliveryError(f"{status} {reason}")
            url = urljoin(url, place)
    raise DeliveryError(f"Got {REDIRECTS} redirects fetching {url}")


async def _attempt(
    client: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: dict[str, str],
) -> tuple[int, str, str | None]:
    parts = urlsplit(url)
    try:
        async with client.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.reason or "", answer.headers.get("Location")
    except TimeoutError as problem:
        raise DeliveryError("Net::ReadTimeout") from problem
    except aiohttp.ClientError as problem:
        where = f"{parts.hostname}:{parts.port or 80}"
        raise DeliveryError(f"Failed to open TCP connection to {where} (Connection refused: {problem})") from problem


async def _allowed(url: str) -> None:
    """A name without a public address is refused unless SAFE_FETCH_ALLOW_PRIVATE_NETWORK is on for the worker."""
    host = urlsplit(url).hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as problem:
        raise DeliveryError(f"Could not resolve hostname '{host}'") from problem
    public = [row[4][0] for row in found if ipaddress.ip_address(row[4][0]).is_global]
    if not public and not environment.flag("SAFE_FETCH_ALLOW_PRIVATE_NETWORK"):
        raise DeliveryError(f"Hostname '{host}' has no public ip addresses")


def _without_credentials(url: str) -> str:
    """A user name and password in the address are accepted and not sent (recordings, Webhooks)."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
