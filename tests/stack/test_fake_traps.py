"""The traps that the fake imitates, each seen to snap. Facts: recordings/README.md of the recorded instance."""

import time

import pytest
import requests

from fake_stack import PASSWORD, FakeStack, docker, images_missing, wait_for

ONBOARDING = "alfred:CHATWOOT_INSTALLATION_ONBOARDING"


@pytest.fixture(scope="module")
def _images():
    missing = images_missing()
    if missing:
        pytest.skip(f"sandbox images are not built: {', '.join(missing)} (infra/docker/sandbox/build)")


@pytest.fixture
def stack(_images):
    found = FakeStack()
    try:
        yield found.up()
    finally:
        found.down()


@pytest.fixture(scope="module")
def served(_images):
    """A prepared 4.15.1 with web, worker and an administrator."""
    found = FakeStack()
    try:
        found.up()
        found.prepare()
        found.web()
        found.token = found.onboard()
        yield found
    finally:
        found.down()


def test_a_first_prepare_without_redis_leaves_a_schema_without_seeds_for_ever(stack):
    stack.stop("redis")
    first = stack.prepare()
    assert first.returncode == 1
    assert "CannotConnectError" in first.stderr
    assert stack.sql("SELECT count(*) FROM schema_migrations") == "138"
    assert stack.sql("SELECT count(*) FROM installation_configs") == "0"
    docker("start", stack.name("redis"))
    assert stack.prepare().returncode == 0
    assert stack.sql("SELECT count(*) FROM installation_configs") == "100"
    assert stack.redis("EXISTS", ONBOARDING) == "0"


def test_a_role_that_is_no_superuser_fails_at_the_first_extension(stack):
    stack.sql("CREATE DATABASE bare OWNER chatwoot", database="postgres")
    done = stack.prepare(POSTGRES_DATABASE="bare")
    assert done.returncode == 1
    assert "permission denied to create extension" in done.stderr
    assert stack.sql("SELECT to_regclass('users') IS NULL", database="bare") == "t"


def test_new_code_on_an_old_schema_serves_until_somebody_signs_in_and_old_code_runs_on_the_new_schema(stack):
    assert stack.prepare("4.14.2").returncode == 0
    stack.web("4.15.1")
    stack.onboard()
    assert stack.get("/app/login").status_code == 200
    assert sign_in(stack).status_code == 500
    stack.remove("web")
    assert stack.prepare("4.15.1").returncode == 0
    assert stack.redis("LLEN", "queue:async_database_migration") == "1"
    stack.web("4.14.2")
    assert sign_in(stack).status_code == 200
    assert stack.get("/api").json()["version"] == "4.14.2"


def test_the_invented_release_leaves_half_of_its_work_behind(stack):
    assert stack.prepare("4.15.1").returncode == 0
    done = stack.prepare("4.15.2")
    assert done.returncode == 1
    assert "made to fail here" in done.stderr
    assert stack.sql("SELECT count(*) FROM schema_migrations") == "138"
    assert stack.sql("SELECT count(*) FROM information_schema.columns WHERE column_name = 'invented_by_fake'") == "1"


def test_a_migration_cut_by_the_statement_timeout_leaves_an_invalid_index_that_the_next_run_takes_for_done(stack):
    assert stack.prepare("4.14.2").returncode == 0
    slow = {"CHATWOOT_FAKE_SLOW_MIGRATION_SECONDS": "4", "POSTGRES_STATEMENT_TIMEOUT": "1s"}
    done = stack.prepare("4.15.1", **slow)
    assert done.returncode == 1
    assert "statement timeout" in done.stderr
    invalid = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid"
    assert stack.sql(invalid) == "index_messages_on_invented_by_fake"
    time.sleep(3)
    assert stack.prepare("4.15.1", **slow).returncode == 0
    assert stack.sql(invalid) == "index_messages_on_invented_by_fake"


def test_an_empty_secret_key_or_an_unknown_storage_service_ends_the_boot(stack):
    for changes in ({"SECRET_KEY_BASE": ""}, {"ACTIVE_STORAGE_SERVICE": "nowhere"}):
        done = stack.run("4.15.1", "bundle exec rails runner ", **changes)
        assert done.returncode == 1
        assert "Error" in done.stderr


def test_an_unknown_command_is_refused_by_name(stack):
    done = stack.run("4.15.1", "bundle exec rails stats")
    assert (done.returncode, "chatwoot-fake does not implement" in done.stderr) == (1, True)


def sign_in(stack, password=PASSWORD):
    return requests.post(
        f"{stack.base}/auth/sign_in", json={"email": "ada@kgc.example", "password": password}, timeout=20
    )


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
    assert [sign_in(served, "Wrong1!x").status_code for _ in range(5)] == [401] * 5
    answer = sign_in(served)
    assert (answer.status_code, answer.text.strip()) == (429, "Retry later")
    assert answer.headers["Content-Type"].startswith("text/plain")
    served.redis("EVAL", "for _, k in ipairs(redis.call('keys', 'velma:*')) do redis.call('del', k) end", "0")


def test_more_than_25_sessions_evict_the_oldest(served):
    for _ in range(27):
        assert sign_in(served).status_code == 200
        served.redis("EVAL", "for _, k in ipairs(redis.call('keys', 'velma:*')) do redis.call('del', k) end", "0")
    assert served.sql("SELECT count(*) FROM user_sessions") == "25"


def test_force_ssl_sends_even_health_to_https_unless_a_proxy_says_it_was(stack):
    stack.prepare()
    stack.web(FORCE_SSL="true")
    answer = stack.get("/health")
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://127.0.0.1/health")
    headers = {"X-Forwarded-Proto": "https"}
    assert requests.get(f"{stack.base}/health", headers=headers, timeout=5).status_code == 200


def test_a_frozen_worker_or_one_without_redis_fails_its_probe_and_a_flush_silences_cron(served):
    served.worker(CHATWOOT_FAKE_CRON_SECONDS="1")
    docker("pause", served.name("worker"))
    assert asked_from_outside(served) == ""
    docker("unpause", served.name("worker"))
    assert served.probe() == "Alive!"
    docker("network", "disconnect", served.prefix, served.name("worker"))
    assert served.probe() == ""
    docker("network", "connect", served.prefix, served.name("worker"))
    wait_for(lambda: served.probe() == "Alive!", 15, "probe")
    served.redis("FLUSHALL")
    time.sleep(2.5)
    assert served.redis("EXISTS", "cron_jobs:default") == "0"
    assert served.probe() == ""
    docker("restart", served.name("worker"))
    wait_for(lambda: served.probe() == "Alive!", 15, "probe after restart")
    assert served.redis("SCARD", "cron_jobs:default") == "10"
    served.remove("worker")


def asked_from_outside(stack):
    """A container beside the frozen one asks: exec does not work in a frozen one."""
    address = docker(
        "inspect",
        "--format",
        f'{{{{(index .NetworkSettings.Networks "{stack.prefix}").IPAddress}}}}',
        stack.name("worker"),
    ).stdout.strip()
    done = docker("exec", stack.name("web"), "wget", "-q", "-T", "2", "-O", "-", f"http://{address}:7433/", check=False)
    return done.stdout if done.returncode == 0 else ""


@pytest.mark.parametrize(("level", "leaks"), [("info", True), ("warn", False)])
def test_the_workers_log_tells_secrets_and_messages_at_info_and_not_at_warn(stack, level, leaks):
    stack.prepare()
    stack.web()
    token = stack.onboard()
    inbox = stack.post("/api/v1/accounts/1/inboxes", {"name": "A", "channel": {"type": "api"}}, token).json()
    hook = {"webhook": {"url": "http://db:1/x", "subscriptions": ["message_created"]}}
    secret = stack.post("/api/v1/accounts/1/webhooks", hook, token).json()["payload"]["webhook"]["secret"]
    person = stack.post("/api/v1/accounts/1/contacts", {"name": "Z", "inbox_id": inbox["id"]}, token).json()
    stack.worker(LOG_LEVEL=level)
    ticket = {
        "inbox_id": inbox["id"],
        "contact_id": person["payload"]["contact"]["id"],
        "message": {"content": "my card number", "message_type": "incoming"},
    }
    stack.post("/api/v1/accounts/1/conversations", ticket, token)
    wait_for(lambda: "has no public ip addresses" in stack.logs("worker"), 20, "failed delivery in the log")
    log = stack.logs("worker")
    assert (secret in log, "my card number" in log) == (leaks, leaks)


def test_without_a_mail_server_an_invitation_dies_silently(served):
    served.post("/api/v1/accounts/1/agents", {"name": "B", "email": "b@kgc.example", "role": "agent"}, served.token)
    served.worker(CHATWOOT_FAKE_RETRY_SECONDS="0")
    wait_for(lambda: served.redis("ZCARD", "dead") == "1", 30, "dead job")
    assert "No such file or directory - /usr/sbin/sendmail" in served.redis("ZRANGE", "dead", "0", "-1")
    served.remove("worker")


def test_a_worker_that_finds_no_redis_at_its_start_ends(stack):
    stack.prepare()
    stack.stop("redis")
    done = stack.run("4.15.1", "bundle exec sidekiq -C config/sidekiq.yml")
    assert (done.returncode, "CannotConnectError" in done.stderr) == (1, True)


def test_a_worker_told_to_be_quiet_says_so_and_one_told_to_stop_pushes_back_what_it_cannot_finish(stack):
    stack.prepare()
    stack.worker(CHATWOOT_FAKE_CRON_SECONDS="1", CHATWOOT_FAKE_JOB_SECONDS="60", SIDEKIQ_TIMEOUT="1")
    wait_for(lambda: "queue:scheduled_jobs" not in stack.redis("KEYS", "queue:*"), 5, "a job in hand")
    time.sleep(1.5)
    docker("kill", "--signal", "TSTP", stack.name("worker"))
    identity = stack.redis("SMEMBERS", "processes")
    wait_for(lambda: stack.redis("HGET", identity, "quiet") == "true", 15, "quiet")
    docker("stop", "--time", "10", stack.name("worker"))
    assert int(stack.redis("LLEN", "queue:scheduled_jobs")) >= 1
    assert stack.redis("SMEMBERS", "processes") == ""
