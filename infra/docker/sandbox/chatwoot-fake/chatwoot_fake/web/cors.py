"""Cross-origin answers (facts 7; recordings/http 121 to 124)."""

from aiohttp import web

from chatwoot_fake import environment

ALL_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
EXPOSED = "access-token, client, uid, expiry"


def rule(path: str) -> tuple[str, str] | None:
    """Methods and exposed headers for a path; nothing where no origin is allowed."""
    if path.startswith(("/packs/", "/audio/")):
        return "GET, OPTIONS", ""
    if path.startswith("/public/api/"):
        return ALL_METHODS, ""
    if path.startswith("/api/") and environment.flag("ENABLE_API_CORS"):
        return ALL_METHODS, EXPOSED
    return None


def covered(path: str) -> bool:
    """Whether the answer says `vary: Origin`."""
    return rule(path) is not None


def headers(path: str) -> dict[str, str]:
    """What a foreign page is told."""
    found = rule(path)
    if found is None:
        return {}
    return {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": found[0],
        "access-control-expose-headers": found[1],
        "access-control-max-age": "7200",
    }


def preflight(request: web.Request) -> web.Response | None:
    """The answer to a preflight, or nothing when the request is none."""
    asked = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or not asked:
        return None
    allowed = headers(request.path)
    if allowed and request.headers.get("Access-Control-Request-Headers"):
        allowed["access-control-allow-headers"] = request.headers["Access-Control-Request-Headers"]
    return web.Response(status=200, headers=allowed)
