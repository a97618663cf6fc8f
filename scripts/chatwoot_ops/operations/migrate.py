"""Brings the database to what the release's code needs, and proves that it is there."""

from __future__ import annotations

from dataclasses import dataclass

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import chatwoot, compose, database, redis
from chatwoot_ops.errors import CommandFailedError, ProvisioningFailedError
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import DATABASE, REDIS, SIDEKIQ, WAL, Stack
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.containers import containers_of, stop_what_keeps_ending, wait_until_healthy
from chatwoot_ops.operations.database import DatabaseState, database_state, versions_of_image

ONBOARDING_KEY = "alfred:CHATWOOT_INSTALLATION_ONBOARDING"
DATA_MIGRATIONS_QUEUE = "queue:async_database_migration"
DATA_MIGRATIONS_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Migrated:
    """Which migrations ran, and whether data migrations still wait in their queue for a worker."""

    applied: tuple[str, ...]
    total: int
    repaired: bool
    data_migrations_waiting: int


def migrate(stack: Stack, host: Host) -> Migrated:
    """Prepares or migrates the database under the lock; web and worker are left as they are."""
    return migrate_again(stack, host, None)


def migrate_again(stack: Stack, host: Host, journal: Journal | None) -> Migrated:
    """The same, finishing a migration that was cut off: Chatwoot's preparation can always be run again."""
    with changing(stack, host, "migrate", resume=journal) as change:
        start_data_services(stack, host, change)
        migrated = prepare(stack, host, change)
        waiting = _wait_for_data_migrations(stack, host, change)
    return Migrated(migrated.applied, migrated.total, migrated.repaired, waiting)


def start_data_services(stack: Stack, host: Host, change: Change) -> None:
    """Database and Redis, healthy: what Chatwoot's preparation needs (without Redis it ends half done)."""
    change.step("start-data-services", "Starting the database and Redis")
    stop_what_keeps_ending(stack, host)
    receiver = (WAL,) if stack.archives else ()
    host.processes.run(compose.up(stack, host.compose, DATABASE, REDIS, *receiver))
    wait_until_healthy(stack, host, stack.data_services)
    _require_sign_in(stack, host)


def _require_sign_in(stack: Stack, host: Host) -> None:
    """A password that is changed in `.env` does not change in the database; Chatwoot would only fail to start."""
    answer = host.processes.try_run(database.sign_in(stack, host.compose))
    if answer.code != 0:
        role = stack.settings["POSTGRES_USERNAME"]
        reason = tuple(host.processes.mask(answer.stderr).strip().splitlines()[-3:])
        remedy = (
            "Put the right POSTGRES_PASSWORD into .env; or, to take the new one, type 'invoke psql --superuser', "
            f'then: \\password "{role}"'
        )
        raise CommandFailedError(f"{role} cannot sign in to the database", details=reason, remedy=remedy)


def prepare(stack: Stack, host: Host, change: Change) -> Migrated:
    """Runs Chatwoot's own preparation in a one-off container, then compares the full set of migrations.

    A first preparation that was cut off looks successful the second time and leaves nobody able to sign in
    (recordings/README.md, Starting): that is recognized and repaired here.
    """
    before = database_state(stack, host)
    change.step("prepare", "Preparing the database", versions=len(before.versions))
    host.processes.run(chatwoot.prepare(stack, host.compose, operation=change.opening.id))
    after = database_state(stack, host)
    _require_whole(after, versions_of_image(stack, host))
    repaired = open_first_run_page_if_lost(stack, host, after)
    return Migrated(tuple(sorted(after.versions - before.versions)), len(after.versions), repaired, 0)


def needs_preparing(stack: Stack, host: Host, state: DatabaseState) -> bool:
    """Whether the database lacks its schema, a migration, or the rows that a whole first preparation leaves."""
    return not state.prepared or not state.configs or bool(versions_of_image(stack, host) - state.versions)


def _require_whole(state: DatabaseState, known: frozenset[str]) -> None:
    missing = sorted(known - state.versions)
    if missing:
        raise CommandFailedError(
            "Migrations are still missing", details=tuple(missing), remedy="Type 'invoke migrate'."
        )
    if state.invalid_indexes:
        cure = tuple(f"REINDEX INDEX CONCURRENTLY {name};" for name in state.invalid_indexes)
        raise CommandFailedError(
            "An index build was cut off and its index is invalid",
            details=cure,
            remedy="Type these in 'invoke psql --superuser'.",
        )
    if not state.configs:
        raise ProvisioningFailedError("The preparation left no installation settings", remedy="Type 'invoke migrate'.")


def open_first_run_page_if_lost(stack: Stack, host: Host, state: DatabaseState) -> bool:
    """Puts the first-run key back where nobody has an account yet and it is lost; says whether it did."""
    if state.users:
        return False
    present = host.processes.run(redis.ask(stack, host.compose, "EXISTS", ONBOARDING_KEY)).stdout.strip()
    if present == "1":
        return False
    host.reporter.note("The first preparation had been cut off; putting the first-run key back")
    host.processes.run(
        redis.ask(stack, host.compose, "SET", ONBOARDING_KEY, "true", purpose="Repairing the first-run key")
    )
    return True


def _wait_for_data_migrations(stack: Stack, host: Host, change: Change) -> int:
    def waiting() -> int:
        return int(host.processes.run(redis.ask(stack, host.compose, "LLEN", DATA_MIGRATIONS_QUEUE)).stdout.strip())

    works = any(each.service == SIDEKIQ and each.well for each in containers_of(stack, host))
    if works and waiting():
        change.step("wait-for-data-migrations", "Waiting for the worker to end its data migrations")
        host.clock.wait_until(lambda: waiting() == 0, timeout=DATA_MIGRATIONS_TIMEOUT_SECONDS)
    return waiting()
