"""Boot, prepare and upgrades: traps of Chatwoot that the fake imitates, each seen to snap (recordings, Starting)."""

import time

import pytest

from fake_stack import docker, throwaway

ONBOARDING = "alfred:CHATWOOT_INSTALLATION_ONBOARDING"


@pytest.fixture
def stack():
    with throwaway() as found:
        yield found


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
    assert stack.sign_in().status_code == 500
    stack.remove("web")
    assert stack.prepare("4.15.1").returncode == 0
    assert stack.redis("LLEN", "queue:async_database_migration") == "1"
    stack.web("4.14.2")
    assert stack.sign_in().status_code == 200
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
