"""Migrating: prepared in a one-off container, then proved; half-done first preparations are repaired."""
# ruff: noqa: PLR0917 - pytest hands a table's columns over by name

import json

import pytest

from chatwoot_ops.errors import CommandFailedError, ProvisioningFailedError, StackUnhealthyError
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.containers import wait_until_healthy
from chatwoot_ops.operations.database import database_state, versions_of_image
from chatwoot_ops.operations.migrate import migrate, needs_preparing
from chatwoot_ops.operations.running import up
from world import INSTANCE, VERSIONS, container, containers, database_answer, stack_in

PREPARE = "bundle exec rails db:chatwoot_prepare"
EMPTY = database_answer(prepared=False, versions=[], configs=0, users=0, administrators=0, role_is_superuser=None)


@pytest.fixture
def engine(well):
    return well.processes.on(PREPARE, "")


def test_a_migration_says_what_ran_and_compares_the_whole_set(stack, well, engine):
    engine.in_turn("invalid_indexes", database_answer(versions=VERSIONS[:1]), database_answer())
    result = migrate(stack, well)
    assert (result.applied, result.total, result.repaired, result.data_migrations_waiting) == (
        VERSIONS[1:],
        2,
        False,
        0,
    )


def test_the_one_off_container_carries_the_operations_id_and_a_long_statement_timeout(stack, well, engine):
    migrate(stack, well)
    (line,) = [line for line in engine.lines if PREPARE in line]
    entry = json.loads(store_of(stack, well).ledger.read_text())
    assert f"--label chatwoot-ops.operation={entry['id']} -e POSTGRES_STATEMENT_TIMEOUT=600s" in line


def test_database_and_redis_are_healthy_before_anything_is_prepared(stack, well, engine):
    containers(well, container("chatwoot-db"), container("chatwoot-redis", health="starting"))
    with pytest.raises(StackUnhealthyError, match="Not healthy after 300 s") as caught:
        migrate(stack, well)
    assert caught.value.details[0] == "chatwoot-redis: running, starting, 0 restarts"
    assert "  the last line" in caught.value.details
    assert not engine.ran_with(PREPARE)


def test_a_container_that_keeps_ending_is_given_up_early(stack, well, engine):
    ending = [json.dumps([container("chatwoot-db", state="restarting", health="", restarts=n)]) for n in (0, 0, 9)]
    engine.in_turn("docker inspect", *ending)
    with pytest.raises(StackUnhealthyError, match="Not healthy after 0 s"):
        migrate(stack, well)


def test_restarts_of_an_earlier_trouble_do_not_count(stack, well, engine):
    states = [json.dumps([container("chatwoot-db", health=state, restarts=9)]) for state in ("starting", "healthy")]
    engine.in_turn("docker inspect", states[0], *states)
    wait_until_healthy(stack, well, ("chatwoot-db",))


@pytest.mark.parametrize(
    ("after", "error", "says"),
    [
        ({"versions": VERSIONS[1:]}, CommandFailedError, "Migrations are still missing"),
        ({"versions": []}, CommandFailedError, "Migrations are still missing"),
        ({"invalid_indexes": ["index_a"]}, CommandFailedError, "its index is invalid"),
        ({"configs": 0}, ProvisioningFailedError, "left no installation settings"),
    ],
    ids=["an older migration", "all", "invalid index", "no rows"],
)
def test_a_preparation_that_looks_successful_is_not_believed(stack, well, engine, after, error, says):
    engine.on("invalid_indexes", database_answer(**after))
    with pytest.raises(error, match=says) as caught:
        migrate(stack, well)
    assert caught.value.details or caught.value.remedy
    assert json.loads(store_of(stack, well).ledger.read_text())["outcome"] == f"failed with {error.code}"


def test_migrations_of_a_newer_release_in_the_database_are_no_failure(stack, well, engine):
    engine.on("invalid_indexes", database_answer(versions=[*VERSIONS, "29990101000000"]))
    assert migrate(stack, well).total == 3


@pytest.mark.parametrize(("users", "key", "repaired"), [(0, "0", True), (0, "1", False), (1, "0", False)])
def test_the_first_run_key_is_put_back_only_where_nobody_has_an_account(stack, well, engine, users, key, repaired):
    engine.on("invalid_indexes", database_answer(users=users)).on("redis-cli EXISTS", f"{key}\n").on(
        "redis-cli SET", ""
    )
    assert migrate(stack, well).repaired is repaired
    assert bool(engine.ran_with("redis-cli SET alfred:CHATWOOT_INSTALLATION_ONBOARDING true")) is repaired


def test_it_waits_for_the_workers_data_migrations(stack, well, engine):
    engine.in_turn("redis-cli LLEN queue:async_database_migration", "3\n", "2\n", "0\n")
    assert migrate(stack, well).data_migrations_waiting == 0
    assert "Waiting for the worker to end its data migrations" in well.reporter.steps


def test_data_migrations_without_a_worker_are_counted_and_not_waited_for(stack, well, engine):
    containers(well, container("chatwoot-db"), container("chatwoot-redis"))
    engine.on("redis-cli LLEN", "3\n")
    assert migrate(stack, well).data_migrations_waiting == 3
    assert well.clock.passed == 0


def test_data_migrations_that_never_end_are_given_up_after_ten_minutes(stack, well, engine):
    engine.on("redis-cli LLEN", "3\n")
    assert migrate(stack, well).data_migrations_waiting == 3
    assert well.clock.passed == 600


def test_a_failed_preparation_ends_its_one_offs_and_shows_its_last_lines(stack, well, engine):
    engine.on(PREPARE, code=1, stderr="PG::UndefinedTable: no such table").on("--filter label=chatwoot-ops", "x\n")
    engine.on("docker rm --force x", "")
    with pytest.raises(CommandFailedError, match="preparing the database") as caught:
        migrate(stack, well)
    assert caught.value.details == ("PG::UndefinedTable: no such table",)
    assert engine.ran_with("docker rm --force x")


@pytest.mark.parametrize(
    ("answer", "needs"),
    [
        (database_answer(), False),
        (EMPTY, True),
        (database_answer(configs=0), True),
        (database_answer(versions=VERSIONS[:1]), True),
    ],
    ids=["whole", "empty", "half done", "a migration lacks"],
)
def test_what_needs_preparing_is_recognized(stack, well, answer, needs):
    well.processes.on("invalid_indexes", answer)
    assert needs_preparing(stack, well, database_state(stack, well)) is needs


def test_the_set_of_migrations_comes_from_the_images_file_names(stack, well):
    well.processes.on("/app/db/migrate", "20230101000000_a.rb\n20230102000000_b_c.rb\nREADME\n.keep\n")
    assert versions_of_image(stack, well) == {"20230101000000", "20230102000000"}


@pytest.mark.parametrize("answer", ["", "psql: warning", "\n"])
def test_a_database_that_gives_no_readable_answer_is_an_error(stack, well, answer):
    well.processes.on("invalid_indexes", answer)
    with pytest.raises(CommandFailedError, match="no answer that can be read"):
        database_state(stack, well)


def test_up_refuses_to_serve_before_the_migration(tmp_path, well):
    well.processes.on("invalid_indexes", database_answer(versions=[]))
    with pytest.raises(Exception, match="lacks migrations of this release") as caught:
        up(stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE), well)
    assert caught.value.code == 11
    assert well.processes.lines.count("compose up -d") == 0
