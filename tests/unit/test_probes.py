"""Each probe passes on a stack that is well, and fails when one thing in it is broken."""
# ruff: noqa: PLR0917 - pytest hands a table's columns over by name

import json

import pytest

from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.errors import ChecksFailedError
from chatwoot_ops.model.check import Outcome, failed, passed, warned
from chatwoot_ops.operations.smoke import require_smoke, smoke
from fakes import OK, REFUSED
from world import (
    container,
    containers,
    database_answer,
    image,
    queue_answer,
    schema_answer,
    stack_in,
)

URL = "https://support.example"
SERVICES = ("chatwoot-db", "chatwoot-redis", "chatwoot-rails", "chatwoot-sidekiq")
CORS_HEADER = Answer(200, headers={"Access-Control-Allow-Origin": "*"})


def asked(stack, host, *, quick=True):
    return {check.name: check for check in smoke(stack, host, quick=quick)}


def with_service(host, **broken):
    described = [container(name) for name in SERVICES if name != "chatwoot-sidekiq"]
    containers(host, *described, container("chatwoot-sidekiq", **broken))


def without_service(host):
    containers(host, *(container(name) for name in SERVICES[:3]))


def disk_of(percent):
    return f"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 9 9 9 {percent}% /app/storage\n"


def api(**body):
    return Answer(200, json.dumps({"version": "4.15.1", "queue_services": "ok", "data_services": "ok", **body}))


def test_a_stack_that_is_well_passes_every_probe(stack, well):
    checks = asked(stack, well)
    assert {name for name, check in checks.items() if check.outcome is Outcome.FAIL} == set()
    odd = {name: check.outcome.value for name, check in checks.items() if check.outcome is not Outcome.PASS}
    assert odd == {
        "a job that ran": "left out",
        "mail server": "warn",
        "webhook to KGC": "not configured",
    }
    assert len(checks) == 32


BROKEN = {
    "exited": (lambda h: with_service(h, state="exited"), "chatwoot-sidekiq", "exited, healthy, 0 restarts"),
    "unhealthy": (lambda h: with_service(h, health="unhealthy"), "chatwoot-sidekiq", "unhealthy"),
    "no health check": (lambda h: with_service(h, health=""), "chatwoot-sidekiq", "running, no health check"),
    "restarting": (lambda h: with_service(h, restarts=4), "chatwoot-sidekiq", "4 restarts"),
    "out of memory": (lambda h: with_service(h, oom=True), "chatwoot-sidekiq", "killed for lack of memory"),
    "no container": (without_service, "chatwoot-sidekiq", "has no container"),
    "login 500": (lambda h: h.http.on("/app/login", Answer(500)), "/app/login", "answered 500"),
    "login silent": (lambda h: h.http.on("/app/login", REFUSED), "/app/login", "no answer (ConnectionError)"),
    "health down": (lambda h: h.http.on("/health", Answer(503)), "/health", "answered 503"),
    "api lies": (lambda h: h.http.on("GET http://127.0.0.1:3002/api", api(queue_services="failing")), "/api",
                 "answered 200, queue failing, data ok"),
    "api no JSON": (lambda h: h.http.on("GET http://127.0.0.1:3002/api", OK), "/api", "queue ?, data ?"),
    "api a list": (lambda h: h.http.on("GET http://127.0.0.1:3002/api", Answer(200, "[1]")), "/api", "queue ?"),
    "page open": (lambda h: h.http.on("/installation/onboarding", OK), "first-run page", "open: whoever comes first"),
    "page to itself": (lambda h: h.http.on("/installation/onboarding", Answer(302, headers={
        "Location": "http://127.0.0.1:3002/installation/onboarding"})), "first-run page", "answered 302"),
    "page 500": (lambda h: h.http.on("/installation/onboarding", Answer(500)), "first-run page", "answered 500"),
    "no administrator": (lambda h: h.processes.on("access_tokens", "null"), "API token", "there is no administrator"),
    "no database for it": (lambda h: h.processes.on("access_tokens", code=2, stderr="FATAL: x"),
                           "API token and live updates", "could not check: Failed while looking for an administrator"),
    "cors on": (lambda h: h.http.on("OPTIONS", CORS_HEADER), "CORS", "are allowed on /api/*, ENABLE_API_CORS says oth"),
    "cors silent": (lambda h: h.http.on("OPTIONS", REFUSED), "CORS", "no answer"),
    "no beat": (lambda h: h.processes.on("EVAL", queue_answer(beats={})), "worker heartbeat", "no worker has a heart"),
    "old beat": (lambda h: h.processes.on("EVAL", queue_answer(beats=[{"age": 61, "quiet": "false"}])),
                 "worker heartbeat", "61 s ago"),
    "quiet": (lambda h: h.processes.on("EVAL", queue_answer(beats=[{"age": 1, "quiet": "true"}])),
              "worker heartbeat", "told to take no more jobs"),
    "nine cron jobs": (lambda h: h.processes.on("EVAL", queue_answer(cron=9)), "cron jobs", "9 of 10"),
    "late job": (lambda h: h.processes.on("EVAL", queue_answer(oldest=[{"queue": "low", "age": 301, "size": 4}])),
                 "waiting jobs", "low: 4 jobs, oldest 301 s"),
    "redis down": (lambda h: h.processes.on("EVAL", code=1, stderr="Connection refused"), "worker", "could not check"),
    "redis nonsense": (lambda h: h.processes.on("EVAL", "NOAUTH"), "worker", "no answer that can be read NOAUTH"),
    "no vector": (lambda h: h.processes.on("'lagging'", schema_answer(extensions=["pgcrypto", "pg_trgm"])),
                  "extensions", "pg_stat_statements, vector"),
    "no extensions": (lambda h: h.processes.on("'lagging'", schema_answer(extensions=None)), "extensions", "pgcrypto"),
    "trigger gone": (lambda h: h.processes.on("'lagging'", schema_answer(triggers=3)), "triggers", "3 of 4"),
    "sequence lags": (lambda h: h.processes.on("'lagging'", schema_answer(lagging=[3, 7])), "conversation numbers",
                      "3, 7"),
    "pending": (lambda h: h.processes.on("invalid_indexes", database_answer(versions=[])), "migrations", "2023"),
    "invalid index": (lambda h: h.processes.on("invalid_indexes", database_answer(invalid_indexes=["index_a"])),
                      "indexes", "index_a"),
    "database down": (lambda h: h.processes.on("'lagging'", code=2, stderr="refused"), "database", "could not check"),
    "another volume": (lambda h: h.processes.on("chatwoot-sidekiq cat", code=1), "storage", "does not see"),
    "read-only": (lambda h: h.processes.on("cat > /app/storage", code=1), "storage", "could not check"),
    "disk full": (lambda h: h.processes.on("df -Pk /app/storage", disk_of(95)), "disk of chatwoot-storage",
                  "95 % full"),
    "disk unreadable": (lambda h: h.processes.on("df -Pk", ""), "disk", "could not check"),
}  # fmt: skip


@pytest.mark.parametrize(("break_it", "name", "seen"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_fails_its_probe_with_a_remedy(stack, well, break_it, name, seen):
    break_it(well)
    check = asked(stack, well)[name]
    assert check.outcome is Outcome.FAIL
    assert seen in check.seen
    assert check.remedy


WARNED = {
    "dead jobs": (lambda h: h.processes.on("EVAL", queue_answer(dead=2, retry=1)), "failed jobs",
                  "1 to be tried again, 2"),
    "superuser": (lambda h: h.processes.on("invalid_indexes", database_answer(role_is_superuser=True)),
                  "database role", "chatwoot is a superuser"),
    "fake": (lambda h: h.processes.on("image inspect", image(labels={"chatwoot-ops.fake": "4.15.1"})),
             "Chatwoot itself", "a fake of 4.15.1 runs, not a real Chatwoot"),
    "disk nearly full": (lambda h: h.processes.on("df -Pk /data", disk_of(85)), "disk of chatwoot-redis-data", "85 %"),
    "no mail server": (lambda h: h.processes.on("EVAL", queue_answer(dead=5)), "mail server", "5 jobs have given up"),
}  # fmt: skip


@pytest.mark.parametrize(("break_it", "name", "seen"), WARNED.values(), ids=WARNED)
def test_what_an_operator_should_know_is_a_warning(stack, well, break_it, name, seen):
    break_it(well)
    check = asked(stack, well)[name]
    assert (check.outcome, seen in check.seen, bool(check.remedy)) == (Outcome.WARN, True, True)


def test_smoke_collects_all_failures_and_stops_at_none(stack, well):
    well.http.on("", REFUSED)
    well.processes.on("compose exec", code=1)
    well.cable.answers = {"": "no handshake (x)"}
    bad = [name for name, check in asked(stack, well).items() if check.outcome is Outcome.FAIL]
    assert bad == [
        "/app/login",
        "/health",
        "/api",
        "first-run page",
        "API token and live updates",
        "worker",
        "database",
        "storage",
        "CORS",
        "disk",
    ]


def test_a_false_alarm_of_api_passes_at_the_second_look_and_is_said(stack, well):
    well.http.on("GET http://127.0.0.1:3002/api", api(data_services="failing"), api())
    well.http.on("/app/login", OK).on("/api/v1/profile", OK)
    assert asked(stack, well)["/api"].seen == "release 4.15.1, queue and data ok (after a false alarm)"


def test_a_proxy_that_drops_underscores_is_named_and_only_there(tmp_path, well):
    well.http.on(URL, lambda headers: OK if "api-access-token" in headers else Answer(401))
    checks = asked(stack_in(tmp_path, FRONTEND_URL=URL), well)
    bad = {name: check.remedy for name, check in checks.items() if check.outcome is Outcome.FAIL}
    assert list(bad) == ["API token, api_access_token, through FRONTEND_URL"]
    assert "The proxy drops headers with underscores" in bad[next(iter(bad))]


def test_a_proxy_that_does_not_pass_websockets_is_named(tmp_path, well):
    well.http.on(URL, OK)
    well.cable.answers = {"": "confirmed", "wss://support.example/cable": "no handshake (x)"}
    checks = asked(stack_in(tmp_path, FRONTEND_URL=URL), well)
    assert checks["live updates, directly"].outcome is Outcome.PASS
    assert checks["live updates, through FRONTEND_URL"].outcome is Outcome.FAIL
    assert "Upgrade" in checks["live updates, through FRONTEND_URL"].remedy


def test_the_subscription_is_the_administrators_own_and_its_tokens_are_masked_from_then_on(stack, well):
    asked(stack, well)
    url, identifier, _, _ = well.cable.asked[0]
    assert url == "ws://127.0.0.1:3002/cable"
    assert identifier == {
        "channel": "RoomChannel",
        "pubsub_token": "pubsub-of-ada-123456",
        "account_id": 3,
        "user_id": 5,
    }
    assert well.processes.mask("token-of-ada-123456 pubsub-of-ada-123456") == "******** ********"


@pytest.mark.parametrize(("force_ssl", "headers"), [("true", {"X-Forwarded-Proto": "https"}), ("false", {})])
def test_with_force_ssl_a_request_past_the_proxy_says_that_it_came_by_https(tmp_path, well, force_ssl, headers):
    asked(stack_in(tmp_path, FORCE_SSL=force_ssl), well)
    assert {tuple(sent.items()) for _, url, sent, _ in well.http.asked if url.endswith("/app/login")} == {
        tuple(headers.items())
    }


def test_smoke_never_signs_in(stack, well):
    asked(stack, well)
    assert {method for method, *_ in well.http.asked} <= {"GET", "OPTIONS"}
    assert not [url for _, url, *_ in well.http.asked if "sign_in" in url]


@pytest.mark.parametrize(
    ("counters", "outcome", "waited"), [([7, 7, 8], "pass", 2), ([7], "fail", 90)], ids=["runs", "stands still"]
)
def test_a_job_must_have_run_within_90_seconds(stack, well, counters, outcome, waited):
    well.processes.in_turn("EVAL", *(queue_answer(processed=count) for count in counters))
    assert asked(stack, well, quick=False)["a job that ran"].outcome == outcome
    assert well.clock.passed == waited


def test_the_probes_file_is_taken_away_even_when_it_cannot_be_read(stack, well):
    well.processes.on("chatwoot-sidekiq cat", code=1)
    asked(stack, well)
    assert well.processes.ran_with("chatwoot-rails rm -f /app/storage/.chatwoot-ops-probe-")


def test_cors_that_is_asked_for_must_be_there(tmp_path, well):
    stack = stack_in(tmp_path, ENABLE_API_CORS="true")
    assert asked(stack, well)["CORS"].outcome is Outcome.FAIL
    well.http.on("OPTIONS", CORS_HEADER)
    assert asked(stack, well)["CORS"].outcome is Outcome.PASS


def test_a_mail_server_that_is_set_is_named(tmp_path, well):
    assert asked(stack_in(tmp_path, SMTP_ADDRESS="smtp.kgc.example"), well)["mail server"].seen == "smtp.kgc.example"


@pytest.mark.parametrize(
    ("addresses", "allowed", "listens", "ends"),
    [
        ("", "true", True, "fail: the worker cannot resolve kgc"),
        ("10.0.0.5", "false", True, "fail: kgc is private (10.0.0.5) and Chatwoot refuses it"),
        ("10.0.0.5", "true", True, "pass: kgc port 3000 is private and allowed and listens"),
        ("8.8.8.8", "", True, "pass: kgc port 3000 is public and listens"),
        ("8.8.8.8", "", False, "fail: nothing listens at kgc (8.8.8.8) port 3000"),
        ("8.8.8.8 9.9.9.9", "", True, "warn: kgc port 3000 is public and listens; 2 addresses, Chatwoot picks one"),
        ("fd00::1", "false", True, "fail: kgc is private (fd00::1)"),
    ],
    ids=["unresolved", "private", "private and allowed", "public", "closed", "two addresses", "private IPv6"],
)
def test_a_webhook_is_judged_inside_the_worker(tmp_path, well, addresses, allowed, listens, ends):
    settings = {"KGC_WEBHOOK_URL": "http://kgc:3000/hook", "SAFE_FETCH_ALLOW_PRIVATE_NETWORK": allowed}
    lines = [f"{address} {kind} kgc\n" for address in addresses.split() for kind in ("STREAM", "DGRAM")]
    well.processes.on("chatwoot-sidekiq getent ahosts kgc", "".join(lines))
    well.processes.on("nc -w 5", "open\n" if listens else "")
    check = asked(stack_in(tmp_path, **settings), well)["webhook to KGC"]
    assert f"{check.outcome}: {check.seen}".startswith(ends)


@pytest.mark.parametrize(("url", "port"), [("https://kgc/x", "443"), ("http://kgc/x", "80"), ("http://kgc:9/x", "9")])
def test_a_webhooks_port_is_its_schemes_unless_named(tmp_path, well, url, port):
    well.processes.on("getent", "8.8.8.8 STREAM kgc").on("nc -w 5", "open")
    asked(stack_in(tmp_path, KGC_WEBHOOK_URL=url), well)
    assert well.processes.ran_with("nc -w 5")[0].argv[-2:] == ("8.8.8.8", port)


def test_failed_probes_become_one_error_with_exit_code_25():
    with pytest.raises(ChecksFailedError, match="2 of 4 checks failed") as caught:
        require_smoke((failed("a", "s", "r"), passed("b", ""), warned("c", "", ""), failed("d", "t", "q")))
    assert caught.value.code == 25
    assert caught.value.details == ("a: s\n    r", "d: t\n    q")
    require_smoke((passed("b", ""), warned("c", "", "")))
