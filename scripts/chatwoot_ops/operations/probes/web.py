"""The web: pages that tell the truth, the first-run page closed, tokens in both spellings, CORS as configured."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.model.check import Check, Outcome, failed, passed
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.administrator import PAGE
from chatwoot_ops.operations.probes.asking import Identity, direct_headers

OK = 200
PUBLIC = "through FRONTEND_URL"
UNAUTHORIZED = 401
ORIGIN = "https://chatwoot-ops.invalid"
_LOGS = "Type 'invoke logs --service chatwoot-rails'"


def pages(stack: Stack, host: Host) -> list[Check]:
    """/app/login needs the database and Redis; /health and /api are asked too and never believed alone."""
    login = host.http.get(f"{stack.local_url}/app/login", headers=direct_headers(stack))
    health = host.http.get(f"{stack.local_url}/health", headers=direct_headers(stack))
    return [
        _is_ok("/app/login", login, "serves, with database and Redis", _LOGS),
        _is_ok("/health", health, "the web process answers", _LOGS),
        _api(stack, host),
        _first_run(stack, host),
    ]


def _is_ok(name: str, answer: Answer, meaning: str, remedy: str) -> Check:
    return passed(name, meaning) if answer.status == OK else failed(name, answer.said, remedy)


def _api(stack: Stack, host: Host) -> Check:
    """The body counts, the status does not; its first `failing` after a start is a known false alarm (facts, 2.2)."""
    seen = "no answer"
    for attempt in range(3):
        answer = host.http.get(f"{stack.local_url}/api", headers=direct_headers(stack))
        parsed = answer.parsed()
        body = parsed if isinstance(parsed, dict) else {}
        seen = f"{answer.said}, queue {body.get('queue_services', '?')}, data {body.get('data_services', '?')}"
        if answer.status == OK and body.get("queue_services") == body.get("data_services") == "ok":
            again = " (after a false alarm)" if attempt else ""
            return passed("/api", f"release {body.get('version')}, queue and data ok{again}")
        # A request that needs the database opens the connection whose absence was taken for a failure.
        host.http.get(f"{stack.local_url}/app/login", headers=direct_headers(stack))
        host.clock.sleep(1)
    return failed("/api", seen, "See the database and Redis checks below")


def _first_run(stack: Stack, host: Host) -> Check:
    answer = host.http.get(f"{stack.local_url}{PAGE}", headers=direct_headers(stack))
    if answer.status == 302 and not answer.headers.get("Location", "").endswith(PAGE):  # noqa: PLR2004 - HTTP
        return passed("first-run page", "closed")
    if answer.status == OK:
        return failed("first-run page", "open: whoever comes first becomes administrator", "Type 'invoke setup'")
    return failed("first-run page", answer.said, _LOGS)


def tokens(stack: Stack, host: Host, who: Identity) -> list[Check]:
    """The API token in both header spellings, directly and through FRONTEND_URL: a proxy may drop the underscores."""
    places: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("directly", stack.local_url, direct_headers(stack)),
        (PUBLIC, stack.settings["FRONTEND_URL"], {}),
    )
    return [
        _token(
            f"API token, {spelling}, {place}",
            host.http.get(f"{url}/api/v1/profile", headers={**extra, spelling: who.token}),
        )
        for place, url, extra in places
        for spelling in ("api-access-token", "api_access_token")
    ]


def _token(name: str, answer: Answer) -> Check:
    if answer.status == OK:
        return passed(name, "accepted")
    dropped = answer.status == UNAUTHORIZED and "_" in name.split(",")[1]
    remedy = "The proxy drops headers with underscores; clients should send api-access-token" if dropped else _LOGS
    return failed(name, answer.said, remedy)


def cors(stack: Stack, host: Host) -> Check:
    """Whether /api/* answers other origins exactly as ENABLE_API_CORS says (facts, 7)."""
    wanted = stack.settings["ENABLE_API_CORS"] == "true"
    headers = {**direct_headers(stack), "Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    answer = host.http.options(f"{stack.local_url}/api/v1/profile", headers=headers)
    if not answer.status:
        return failed("CORS", answer.said, _LOGS)
    there = "Access-Control-Allow-Origin" in answer.headers
    seen = f"other origins are {'allowed' if there else 'refused'} on /api/*"
    if there != wanted:
        return failed(
            "CORS",
            f"{seen}, ENABLE_API_CORS says otherwise",
            "Type 'invoke up' so that the setting takes effect",
        )
    return passed("CORS", seen)


def without_identity() -> list[Check]:
    """The checks that need an administrator, where there is none."""
    return [Check("API token", Outcome.FAIL, "there is no administrator to ask as", "Type 'invoke setup'")]
