"""Pages that lie, and what locks people out (recordings, Health and API)."""

import time

import pytest
import requests

from fake_stack import docker, throwaway, wait_for

ONBOARDING = "alfred:CHATWOOT_INSTALLATION_ONBOARDING"


@pytest.fixture
def stack():
    with throwaway() as found:
        yield found


@pytest.fixture(scope="module")
def served():
    with throwaway(serve=True) as found:
        yield found


def test_a_failed_first_run_form_consumes_the_account_number(stack):
    stack.prepare()
    stack.web()
    stack.onboard("weak")
    assert stack.sql("SELECT count(*) FROM accounts") == "0"
    stack.onboard()
    assert stack.sql("SELECT id FROM accounts") == "2"
    assert stack.get("/installation/onboarding").headers["Location"] == f"{stack.base}/"


def test_a_restored_onboarding_key_opens_the_first_run_page_again(served):
    served.redis("SET", ONBOARDING, "true")
    assert served.get("/installation/onboarding").status_code == 200
    assert served.get("/app/login").status_code == 302
    served.redis("DEL", ONBOARDING)
    assert served.get("/app/login").status_code == 200


def test_with_redis_stopped_two_pages_lie_and_the_login_page_fails_at_once(served):
    served.stop("redis")
    try:
        assert served.get("/health").status_code == 200
        assert served.get("/api").json()["queue_services"] == "failing"
        start = time.monotonic()
        assert served.get("/app/login").status_code == 500
        assert time.monotonic() - start < 6
        assert served.get("/api/v1/profile", served.token).status_code == 500
        assert time.monotonic() - start < 15
    finally:
        docker("start", served.name("redis"))
    wait_for(lambda: served.get("/app/login").status_code == 200, 20, "login page")


def test_with_the_database_stopped_two_pages_lie_and_the_login_page_fails_after_fifteen_seconds(served):
    served.stop("db")
    try:
        assert served.get("/health").status_code == 200
        answer = served.get("/api")
        assert (answer.status_code, answer.json()["data_services"]) == (200, "failing")
        start = time.monotonic()
        assert served.get("/app/login").status_code == 500
        assert 14 < time.monotonic() - start < 17
    finally:
        docker("start", served.name("db"))
    wait_for(served.ready, 30, "database")
    assert served.get("/api").json()["data_services"] == "failing"
    assert served.get("/app/login").status_code == 200
    assert served.get("/api").json()["data_services"] == "ok"


def test_with_the_database_frozen_pages_wait_and_answer_after_the_thaw(served):
    assert served.get("/app/login").status_code == 200
    docker("pause", served.name("db"))
    try:
        assert served.get("/health").status_code == 200
        with pytest.raises(requests.Timeout):
            served.get("/app/login", seconds=2)
        with pytest.raises(requests.Timeout):
            served.get("/api", seconds=2)
    finally:
        docker("unpause", served.name("db"))
    assert served.get("/app/login").status_code == 200


def test_the_sixth_wrong_sign_in_locks_everybody_behind_one_address_out(served):
    assert [served.sign_in("Wrong1!x").status_code for _ in range(5)] == [401] * 5
    answer = served.sign_in()
    assert (answer.status_code, answer.text.strip()) == (429, "Retry later")
    assert answer.headers["Content-Type"].startswith("text/plain")
    served.forget_rates()


def test_more_than_25_sessions_evict_the_oldest(served):
    for _ in range(27):
        assert served.sign_in().status_code == 200
        served.forget_rates()
    assert served.sql("SELECT count(*) FROM user_sessions") == "25"


def test_force_ssl_sends_even_health_to_https_unless_a_proxy_says_it_was(stack):
    stack.prepare()
    stack.web(FORCE_SSL="true")
    answer = stack.get("/health")
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://127.0.0.1/health")
    headers = {"X-Forwarded-Proto": "https"}
    assert requests.get(f"{stack.base}/health", headers=headers, timeout=5).status_code == 200
