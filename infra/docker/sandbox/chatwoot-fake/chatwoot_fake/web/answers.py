"""Answers with the headers that Rails gives them (recordings/http)."""

import json
from typing import Any

from aiohttp import web

STANDARD = {
    "x-frame-options": "SAMEORIGIN",
    "x-xss-protection": "0",
    "x-content-type-options": "nosniff",
    "x-download-options": "noopen",
    "x-permitted-cross-domain-policies": "none",
    "referrer-policy": "strict-origin-when-cross-origin",
}
FRESH = "max-age=0, private, must-revalidate"
JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
COOKIE = {"set-cookie": "_chatwoot_session=fake; path=/; HttpOnly; SameSite=Lax"}


def dump(body: object) -> bytes:
    """Compact JSON, as Rails writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str).encode()


def data(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer of a controller: cacheable after revalidation when it went well."""
    cache = FRESH if status == 200 else "no-cache"  # noqa: PLR2004
    given = {**STANDARD, "content-type": JSON, "cache-control": cache, **(headers or {})}
    return web.Response(body=dump(body), status=status, headers=given)


def nothing(status: int = 200) -> web.Response:
    """`head :ok` and the like."""
    return web.Response(
        status=status, headers={**STANDARD, "content-type": "application/json", "cache-control": "no-cache"}
    )


def page(title: str, body: str = "", cookie: dict[str, str] | None = None) -> web.Response:
    """An HTML page of a controller."""
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>"
    headers = {**STANDARD, "content-type": HTML, "cache-control": FRESH, **(COOKIE if cookie is None else cookie)}
    return web.Response(text=text, headers=headers)


def redirect(
    request: web.Request, path: str, headers: dict[str, str] | None = None, *, bare: bool = False
) -> web.Response:
    """302 to a path of this server, with the host that the client named, as Rails builds it."""
    given = {} if bare else STANDARD
    place = f"{scheme(request)}://{request.host}{path}"
    return web.Response(
        status=302,
        headers={**given, "content-type": HTML, "cache-control": "no-cache", "location": place, **(headers or {})},
    )


def scheme(request: web.Request) -> str:
    """Https only when a proxy said so."""
    return "https" if secure(request) else "http"


def secure(request: web.Request) -> bool:
    """Whether a proxy in front spoke https with the client."""
    return request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip() == "https"


def failure(problem: str, status: int) -> web.Response:
    """`{"error": ...}`."""
    return data({"error": problem}, status)


def not_found() -> web.Response:
    """A record that is not there (facts 6)."""
    return failure("Resource could not be found", 404)


def invalid(message: str, *attributes: str) -> web.Response:
    """A validation that failed (facts 6)."""
    return data({"message": message, "attributes": list(attributes)}, 422)


def bare(status: int, reason: str) -> web.Response:
    """What Rails answers for JSON when nothing rescued the error: no header of a controller."""
    return web.Response(
        body=dump({"status": status, "error": reason}),
        status=status,
        headers={"content-type": "application/json; charset=UTF-8"},
    )


def broken(request: web.Request) -> web.Response:
    """500, as JSON below the API and as a page elsewhere (facts 6)."""
    if request.path.startswith(("/api/", "/public/", "/platform/", "/auth/")):
        return bare(500, "Internal Server Error")
    return static_page(500, "We're sorry, but something went wrong (500)")


def static_page(status: int, title: str) -> web.Response:
    """One of the files in public/: no header of a controller."""
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body></body></html>"
    return web.Response(text=text, status=status, headers={"content-type": "text/html; charset=UTF-8"})


def refused(request: web.Request) -> web.Response:
    """What the fake does not do it says, with its name."""
    text = f"chatwoot-fake does not implement {request.method} {request.path}"
    return web.json_response({"error": text}, status=501)


async def json_body(request: web.Request) -> dict[str, Any]:
    """The parameters of a request, whatever form they came in."""
    if request.content_type == "application/json":
        text = await request.text()
        found = json.loads(text) if text.strip() else {}
        return found if isinstance(found, dict) else {}
    form = await request.post()
    return {key.removesuffix("[]"): (form.getall(key) if key.endswith("[]") else form[key]) for key in form}
