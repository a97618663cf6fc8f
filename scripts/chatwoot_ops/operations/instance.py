"""The instance's id in the database: a schema of our own that Chatwoot never looks at."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import database
from chatwoot_ops.errors import PreflightFailedError
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.database import ask_database

_RECORD = """
CREATE SCHEMA IF NOT EXISTS chatwoot_ops;
CREATE TABLE IF NOT EXISTS chatwoot_ops.instance (id uuid PRIMARY KEY, recorded_at timestamptz NOT NULL DEFAULT now());
INSERT INTO chatwoot_ops.instance (id)
SELECT '%(id)s' WHERE NOT EXISTS (SELECT FROM chatwoot_ops.instance);
"""
RECORD_ANEW = """
CREATE SCHEMA IF NOT EXISTS chatwoot_ops;
CREATE TABLE IF NOT EXISTS chatwoot_ops.instance (id uuid PRIMARY KEY, recorded_at timestamptz NOT NULL DEFAULT now());
DELETE FROM chatwoot_ops.instance WHERE id <> '%(id)s';
INSERT INTO chatwoot_ops.instance (id) SELECT '%(id)s' WHERE NOT EXISTS (SELECT FROM chatwoot_ops.instance);
"""
_ASK = "SELECT coalesce(json_agg(id), '[]') FROM chatwoot_ops.instance"


def instances(stack: Stack, host: Host) -> list[str]:
    """The ids that the database holds: one, where all is well."""
    found: list[str] = ask_database(stack, host, _ASK)
    return found


def record_instance(stack: Stack, host: Host) -> None:
    """Writes the id where the database has none yet.

    Raises PreflightFailedError when the database already belongs to another installation.
    """
    instance = stack.settings["CHATWOOT_INSTANCE_ID"]
    host.processes.run(
        database.query(stack, host.compose, _RECORD % {"id": instance}, purpose="Recording the instance")
    )
    found = instances(stack, host)
    if found != [instance]:
        text = f"The database belongs to installation {', '.join(found)}, not to {instance}"
        raise PreflightFailedError(text, remedy="Mount the right volume, or correct CHATWOOT_INSTANCE_ID in .env.")
