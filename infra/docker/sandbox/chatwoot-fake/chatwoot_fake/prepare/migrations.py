"""The migrations between the releases the fake plays, and the one that is invented (facts 1.3, 10).

4.15.1 adds three versions to 4.14.2's 135. 4.15.2 does not exist: its one migration commits half of its work and fails.
"""

import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from chatwoot_fake.errors import PrepareError
from chatwoot_fake.prepare import slow
from chatwoot_fake.release import ROOT, number

Database = Connection[tuple[Any, ...]]
# ActiveRecord's salt for its migration lock.
LOCK_SALT = 2_053_462_845


@dataclass(frozen=True)
class Migration:
    """One version: its name, the first release that has it, what it does."""

    version: str
    name: str
    since: tuple[int, ...]
    statements: tuple[str, ...]
    own_transaction: bool = True
    fails: bool = False


LADDER = (
    Migration(
        "20260604000000",
        "AddIconColorToCategories",
        (4, 15, 0),
        ("ALTER TABLE IF EXISTS categories ADD COLUMN icon_color varchar DEFAULT ''",),
    ),
    Migration(
        "20260610000000",
        "AddProviderConfigToTwilio",
        (4, 15, 0),
        ("ALTER TABLE IF EXISTS channel_twilio_sms ADD COLUMN provider_config jsonb DEFAULT '{}'",),
    ),
    Migration(
        "20260611184600",
        "CreateUserSessions",
        (4, 15, 0),
        (
            (
                "CREATE TABLE user_sessions (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users,"
                " client_id varchar NOT NULL, ip_address varchar, user_agent varchar, browser_name varchar,"
                " browser_version varchar, device_name varchar, platform_name varchar, platform_version varchar,"
                " city varchar, country varchar, country_code varchar, last_activity_at timestamp(6),"
                " created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL)"
            ),
            "CREATE INDEX index_user_sessions_on_user_id ON user_sessions (user_id)",
            "CREATE UNIQUE INDEX index_user_sessions_on_user_id_and_client_id ON user_sessions (user_id, client_id)",
        ),
    ),
    Migration(
        "20260701090000",
        "InventedToFailInTheMiddle",
        (4, 15, 2),
        ("ALTER TABLE webhooks ADD COLUMN IF NOT EXISTS invented_by_fake integer",),
        own_transaction=False,
        fails=True,
    ),
)


def known_versions() -> set[str]:
    """Every version that the code of this release brings along."""
    text = (ROOT / "chatwoot_fake" / "data" / "versions-4.14.2.txt").read_text(encoding="utf-8")
    return set(text.split()) | {step.version for step in LADDER if step.since <= number()}


def done_versions(connection: Database) -> set[str]:
    """What schema_migrations says."""
    return {row[0] for row in connection.execute("SELECT version FROM schema_migrations").fetchall()}


def pending(connection: Database) -> list[str]:
    """Versions of the code that the database lacks, in order. Compared as sets (facts 1.3)."""
    return sorted(known_versions() - done_versions(connection))


def apply_missing_tables(connection: Database) -> None:
    """After a schema load: what the file is too old for. A schema load runs no migration, so nothing is invented."""
    have = connection.execute("SELECT to_regclass('user_sessions') IS NOT NULL").fetchone()
    for step in LADDER[:3] if number() >= (4, 15) and have == (False,) else ():
        for statement in step.statements:
            connection.execute(statement.encode())
    versions = [step for step in known_versions() if step not in {s.version for s in LADDER if s.fails}]
    connection.cursor().executemany(
        "INSERT INTO schema_migrations (version) VALUES (%s) ON CONFLICT DO NOTHING", [(v,) for v in versions]
    )


def migrate(connection: Database, after: Callable[[str], None]) -> None:
    """Apply what is pending under ActiveRecord's advisory lock; `after` hears each version done."""
    lock = LOCK_SALT * zlib.crc32(str(connection.info.dbname).encode())
    if connection.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone() != (True,):
        raise PrepareError("ActiveRecord::ConcurrentMigrationError: another migration is running")
    try:
        for version in pending(connection):
            _apply(connection, _step(version))
            after(version)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (lock,))


def _step(version: str) -> Migration:
    found = [step for step in LADDER if step.version == version]
    if not found:
        raise PrepareError(f"NotImplementedError: chatwoot-fake does not implement migration {version}")
    return found[0]


def _apply(connection: Database, step: Migration) -> None:
    sys.stdout.write(f"== {step.version} {step.name}: migrating ===\n")
    slow.hold_up(connection, step.version)
    if step.own_transaction:
        with connection.transaction():
            _execute(connection, step)
    else:
        _execute(connection, step)
    sys.stdout.write(f"== {step.version} {step.name}: migrated ===\n")


def _execute(connection: Database, step: Migration) -> None:
    for statement in step.statements:
        connection.execute(statement.encode())
    if step.fails:
        raise PrepareError(
            "StandardError: An error has occurred, all later migrations canceled:\n"
            "chatwoot-fake: this invented release is made to fail here"
        )
    connection.execute("INSERT INTO schema_migrations (version) VALUES (%s)", (step.version,))
