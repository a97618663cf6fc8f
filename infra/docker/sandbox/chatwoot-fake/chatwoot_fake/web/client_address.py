"""The client's address as Rails sees it behind proxies."""

import ipaddress

from aiohttp import web


def of(request: web.Request) -> str:
    """The nearest address that is no private one; the farthest when all are.

    Behind a published port of Docker that is the bridge's gateway for everybody (recordings, API).
    """
    named = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    chain = [part for part in [*named, request.remote or ""] if _address(part)]
    public = [part for part in chain if not _trusted(part)]
    return public[-1] if public else (chain[0] if chain else "")


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _trusted(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return address.is_private or address.is_loopback
