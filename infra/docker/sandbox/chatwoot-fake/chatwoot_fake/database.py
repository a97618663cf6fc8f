"""How the application reaches PostgreSQL (facts 1.2 and 1.3)."""

from typing import Any

from psycopg import Connection, conninfo

from chatwoot_fake import environment

DEFAULT_STATEMENT_TIMEOUT = "14s"


def parameters(**overrides: str) -> dict[str, Any]:
    """Connection parameters; DATABASE_URL overrides the single ones (facts 1.2).

    Every connection carries the statement timeout, migrations included (facts 1.3).
    """
    url = environment.text("DATABASE_URL")
    found: dict[str, Any] = dict(conninfo.conninfo_to_dict(url)) if url else {}
    timeout = environment.filled("POSTGRES_STATEMENT_TIMEOUT", DEFAULT_STATEMENT_TIMEOUT)
    options = f"-c statement_timeout={timeout} -c timezone=UTC"
    return {**_single(), **found, "options": options, "application_name": "chatwoot-fake", **overrides}


def _single() -> dict[str, Any]:
    return {
        "host": environment.filled("POSTGRES_HOST", "localhost"),
        "port": environment.filled("POSTGRES_PORT", "5432"),
        "dbname": environment.filled("POSTGRES_DATABASE", "chatwoot_production"),
        "user": environment.filled("POSTGRES_USERNAME", "chatwoot_prod"),
        "password": environment.filled("POSTGRES_PASSWORD", "chatwoot_prod"),
    }


def connect(**overrides: str) -> "Connection[tuple[Any, ...]]":
    """A connection that commits each statement on its own."""
    return Connection.connect(**parameters(**overrides), autocommit=True)
