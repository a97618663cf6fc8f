"""Questions to the database: what state it is in, and which migrations it lacks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import database as commands
from chatwoot_ops.commands.docker import docker as run_docker
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.stack import RAILS, Stack

# The highest row numbers: what rose since was written since.
HIGH = """SELECT json_build_object('conversations', (SELECT coalesce(max(id), 0) FROM conversations),
 'messages', (SELECT coalesce(max(id), 0) FROM messages), 'contacts', (SELECT coalesce(max(id), 0) FROM contacts))"""
# Tables may be absent on an empty database, so each is asked through to_regclass. An index that is being built is not
# broken.
_STATE = """
CREATE FUNCTION pg_temp.rows_of(name text, condition text DEFAULT 'true') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE found bigint;
BEGIN
  IF to_regclass(name) IS NULL THEN RETURN NULL; END IF;
  EXECUTE format('SELECT count(*) FROM %s WHERE %s', name, condition) INTO found;
  RETURN found;
END $$;
CREATE FUNCTION pg_temp.versions() RETURNS json LANGUAGE plpgsql AS $$
DECLARE found json;
BEGIN
  IF to_regclass('public.schema_migrations') IS NULL THEN RETURN '[]'; END IF;
  EXECUTE 'SELECT coalesce(json_agg(version ORDER BY version), ''[]'') FROM public.schema_migrations' INTO found;
  RETURN found;
END $$;
SELECT json_build_object(
  'prepared', to_regclass('public.ar_internal_metadata') IS NOT NULL,
  'versions', pg_temp.versions(),
  'configs', coalesce(pg_temp.rows_of('public.installation_configs'), 0),
  'users', coalesce(pg_temp.rows_of('public.users'), 0),
  'administrators', coalesce(pg_temp.rows_of('public.users', 'type = ''SuperAdmin'''), 0),
  'invalid_indexes', (SELECT coalesce(json_agg(indexrelid::regclass::text), '[]') FROM pg_index
    WHERE NOT indisvalid AND indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index)),
  'role_is_superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = ':role:')
);
"""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What the database holds: schema there or not, migration versions, rows that the first start must leave."""

    prepared: bool
    versions: frozenset[str]
    configs: int
    users: int
    administrators: int
    invalid_indexes: tuple[str, ...]
    role_is_superuser: bool | None


def ask_database(
    stack: Stack, host: Host, sql: str, *, purpose: str = "Asking the database", timeout: float = 60
) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """The last JSON value that this SQL answers with.

    Raises CommandFailedError when the database does not answer or the SQL fails.
    """
    command = commands.query(stack, host.compose, sql, purpose=purpose, timeout=timeout)
    lines = host.processes.run(command).stdout.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise CommandFailedError("The database gave no answer that can be read", details=tuple(lines[-3:])) from error


def database_state(stack: Stack, host: Host) -> DatabaseState:
    """The state of Chatwoot's database; an empty database is a state too."""
    role = stack.settings["POSTGRES_USERNAME"].replace("'", "''")
    answer = ask_database(stack, host, _STATE.replace(":role:", role))
    return DatabaseState(
        **{
            **answer,
            "versions": frozenset(answer["versions"]),
            "invalid_indexes": tuple(answer["invalid_indexes"]),
        }
    )


def versions_of_image(stack: Stack, host: Host) -> frozenset[str]:
    """The migration versions that the image's code knows, from the names of its migration files.

    The set is compared, never the highest number: versions are not in the order of releases (facts, 1.3).
    """
    image = stack.images[RAILS]
    argv = ("run", "--rm", "--network", "none", "--entrypoint", "ls", image, "/app/db/migrate")
    names = host.processes.run(run_docker(*argv, purpose="Listing the release's migrations")).stdout.split()
    return frozenset(name.partition("_")[0] for name in names if name[:1].isdigit())
