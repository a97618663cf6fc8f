"""`rails db:...`: what each task does, in Chatwoot's order (facts 1.3)."""

import sys
from collections.abc import Callable

import psycopg
import redis
from psycopg import sql

from chatwoot_fake import database
from chatwoot_fake.errors import PrepareError
from chatwoot_fake.prepare import migrations, schema, seeds


def chatwoot_prepare() -> int:
    """Empty database: schema and seeds. Always afterwards: migrate. No database at all: make it, no migrate."""
    try:
        fresh = not _has_table("ar_internal_metadata")
    except psycopg.OperationalError as problem:
        if "does not exist" not in str(problem) or "database" not in str(problem):
            raise PrepareError(f"ActiveRecord::ConnectionNotEstablished: {problem}") from problem
        return _set_up()
    if fresh:
        _load_and_seed()
    return migrate()


def migrate() -> int:
    """Apply what is pending, then add missing configs."""
    with _connected() as connection:
        migrations.migrate(connection, _after)
        seeds.load_configs(connection)
    return 0


def status() -> int:
    """One line a version: up or down."""
    with _connected() as connection:
        done = migrations.done_versions(connection)
        for version in sorted(migrations.known_versions() | done):
            sys.stdout.write(f"{'up' if version in done else 'down':^8}  {version}\n")
    return 0


def abort_if_pending() -> int:
    """Exit 1 when the code knows a version that the database lacks."""
    with _connected() as connection:
        waiting = migrations.pending(connection)
    if waiting:
        raise PrepareError(f"You have {len(waiting)} pending migrations:\n" + "\n".join(waiting))
    return 0


def _after(version: str) -> None:
    """The last of 4.15.1's migrations leaves one job to the worker (recordings, Upgrades)."""
    if version != migrations.LADDER[2].version:
        return
    try:
        seeds.enqueue_data_migration()
    except redis.RedisError as problem:
        raise PrepareError(f"RedisClient::CannotConnectError: {problem}") from problem


def _set_up() -> int:
    """The role needs CREATEDB for this (facts 1.3)."""
    name = str(database.parameters()["dbname"])
    with database.connect(dbname="postgres") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    _load_and_seed()
    return 0


def _load_and_seed() -> None:
    schema.load()
    with database.connect() as connection:
        seeds.seed(connection)


def _connected() -> migrations.Database:
    if not _has_table("schema_migrations"):
        raise PrepareError("PG::UndefinedTable: relation schema_migrations does not exist")
    return database.connect()


def _has_table(name: str) -> bool:
    with database.connect() as connection:
        row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    return row == (True,)


def _guarded(task: Callable[[], int]) -> Callable[[], int]:
    """A database error ends the task as Rails does: its class and message, exit 1."""

    def run() -> int:
        try:
            return task()
        except psycopg.Error as problem:
            raise PrepareError(f"PG::{type(problem).__name__}: {problem}") from problem

    return run


TASKS = {
    "db:chatwoot_prepare": _guarded(chatwoot_prepare),
    "db:migrate": _guarded(migrate),
    "db:migrate:status": _guarded(status),
    "db:abort_if_pending_migrations": _guarded(abort_if_pending),
}
