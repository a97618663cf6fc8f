"""Lays the schema of this release into an empty database (facts 1.3).

The real schema where the build had it, otherwise a reduced one written for the fake: the tables it uses.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from chatwoot_fake import database
from chatwoot_fake.errors import PrepareError
from chatwoot_fake.prepare import migrations
from chatwoot_fake.release import ROOT, number, release

BASE = "4.14.2"
EXTENSIONS = ("pg_stat_statements", "pg_trgm", "pgcrypto", "plpgsql", "vector")
# Lines of a dump that a schema file of Rails does not have: they need the owner of an extension or a newer server.
SKIPPED = re.compile(r"^(\\(un)?restrict |COMMENT ON EXTENSION |CREATE EXTENSION |SET (statement|transaction)_timeout)")


def load() -> None:
    """Extensions first (a plain role fails here unless they exist), then tables; committed before any seed."""
    with database.connect() as connection:
        for name in EXTENSIONS:
            connection.execute(f"CREATE EXTENSION IF NOT EXISTS {name}".encode())
    _feed(_statements(schema_file()))
    with database.connect() as connection:
        migrations.apply_missing_tables(connection)
        _remember_environment(connection)


def schema_file() -> Path:
    """The file that this release's tables come from."""
    real = [ROOT / "schema" / "real" / f"{name}.sql" for name in (release(), "4.15.1")]
    candidates = real if number() > (4, 15) else real[:1]
    found = [path for path in candidates if path.exists()]
    return found[0] if found else ROOT / "schema" / "reduced" / f"{BASE}.sql"


def _statements(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not SKIPPED.match(line)) + "\n"


def _feed(script: str) -> None:
    """Give the script to psql; the password travels by environment."""
    given = database.parameters()
    names = {
        "PGHOST": "host",
        "PGPORT": "port",
        "PGDATABASE": "dbname",
        "PGUSER": "user",
        "PGPASSWORD": "password",
        "PGOPTIONS": "options",
    }
    environ = {**os.environ, **{variable: str(given[name]) for variable, name in names.items()}}
    command = ["psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set", "ON_ERROR_STOP=1"]
    done = subprocess.run(command, input=script, env=environ, text=True, capture_output=True, check=False)
    if done.returncode:
        raise PrepareError(f"ActiveRecord::StatementInvalid: {done.stderr.strip()}")


def _remember_environment(connection: "Any") -> None:  # noqa: ANN401
    connection.execute(
        "INSERT INTO ar_internal_metadata (key, value, created_at, updated_at)"
        " VALUES ('environment', 'production', now(), now())"
        " ON CONFLICT (key) DO UPDATE SET value = 'production', updated_at = now()"
    )
