"""What a source's PostgreSQL says of itself: which database is Chatwoot's, how old it is, whether the keys open it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import adoption, physical
from chatwoot_ops.commands.adoption import Server
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.check import Check, Outcome, failed, passed, warned
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.operations.keys import SAMPLES, key_problems, read_samples

# What Chatwoot itself takes where POSTGRES_DATABASE is empty, whatever POSTGRES_DB says (facts, 1.2).
DEFAULT_DATABASE = "chatwoot_production"
LOCAL = "local"
_DATABASES = "SELECT json_agg(datname ORDER BY datname) FROM pg_database WHERE datallowconn AND NOT datistemplate;"
_FACTS = """
SELECT json_build_object('chatwoot', to_regclass('public.schema_migrations') IS NOT NULL
    AND to_regclass('public.installation_configs') IS NOT NULL AND to_regclass('public.messages') IS NOT NULL,
  'major', current_setting('server_version_num')::int / 10000, 'size', pg_database_size(current_database()),
  'owner', (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()),
  'extensions', (SELECT json_agg(extname ORDER BY extname) FROM pg_extension));
"""
_CONTENT = """
SELECT json_build_object('versions', (SELECT coalesce(json_agg(version), '[]') FROM schema_migrations),
  'files', (SELECT coalesce(json_object_agg(service_name, many), '{}') FROM
    (SELECT service_name, count(*) AS many FROM active_storage_blobs GROUP BY 1) AS kept),
  'messages', (SELECT count(*) FROM messages), 'newest', (SELECT max(created_at) FROM messages));
"""
_UNREADABLE = "The source's database gave no answer that can be read"
_REMEDY = "Look at the source's .env: POSTGRES_DATABASE; or name it with --database"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a source's server holds: Chatwoot's database, PostgreSQL's major version, bytes, files and migrations."""

    checks: tuple[Check, ...]
    database: str = ""
    major: int = 0
    size: int = 0
    files: Mapping[str, int] = field(default_factory=dict)
    versions: frozenset[str] = frozenset()


def server_facts(stack: Stack, host: Host, server: Server, wanted: str, env: Mapping[str, str]) -> ServerFacts:
    """What the server says; `wanted` is the database that an operator named, "" for the one that Chatwoot would use.

    Raises CommandFailedError where it does not answer.
    """

    def ask(database: str, sql: str) -> Any:  # noqa: ANN401 - JSON has no narrower type
        lines = host.processes.run(adoption.ask(stack, server, "adopt", database, sql)).stdout.strip().splitlines()
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError) as error:
            raise CommandFailedError(_UNREADABLE, details=tuple(lines[-3:])) from error

    there: list[str] = ask("postgres", _DATABASES) or []
    name = wanted or env.get("POSTGRES_DATABASE", "") or DEFAULT_DATABASE
    facts = {each: ask(each, _FACTS) for each in there}
    if not facts.get(name, {}).get("chatwoot"):
        return ServerFacts((_no_chatwoot(name, tuple(each for each in there if facts[each]["chatwoot"])),))
    found, content = facts[name], ask(name, _CONTENT)
    checks = (
        _database(name, found, content),
        _version(stack, host, found["major"]),
        _extensions(found),
        _keys(_samples(stack, host, server, name), env),
    )
    files = {str(service): int(many) for service, many in content["files"].items()}
    return ServerFacts(checks, name, int(found["major"]), int(found["size"]), files, frozenset(content["versions"]))


def _samples(stack: Stack, host: Host, server: Server, name: str) -> list[tuple[str, str]]:
    command = adoption.ask(stack, server, "adopt", name, SAMPLES)
    lines = iter(host.processes.run(command).stdout.splitlines())
    try:
        return read_samples(lambda: next(lines))
    except (StopIteration, ValueError) as error:
        raise CommandFailedError(_UNREADABLE) from error


def _no_chatwoot(name: str, others: tuple[str, ...]) -> Check:
    seen = f"'{name}' is not there or holds no Chatwoot; databases that do: {', '.join(others) or 'none'}"
    return failed("source database", seen, _REMEDY)


def _database(name: str, found: Mapping[str, Any], content: Mapping[str, Any]) -> Check:
    holds = f"{content['messages']} messages, the newest of {content['newest'] or 'never'}"
    seen = f"{name} ({show_size(int(found['size']))}, owner {found['owner']}): {holds}"
    return passed("source database", seen)


def _version(stack: Stack, host: Host, major: int) -> Check:
    mine = image_major(stack, host)
    if major > mine:
        seen = f"PostgreSQL {major}, newer than the {mine} of POSTGRES_IMAGE"
        return failed("source PostgreSQL", seen, "Set POSTGRES_IMAGE in .env to one of that version")
    if major < mine:
        remedy = f"It is loaded into PostgreSQL {mine}; rows are counted, not compared value by value"
        return warned("source PostgreSQL", str(major), remedy)
    return passed("source PostgreSQL", str(major))


def image_major(stack: Stack, host: Host) -> int:
    """The major version of the stack's database image."""
    return int(host.processes.run(physical.image_abilities(stack.images[DATABASE])).stdout.split()[1])


def _extensions(found: Mapping[str, Any]) -> Check:
    extensions = ", ".join(found["extensions"] or ())
    if "vector" not in (found["extensions"] or ()):
        remedy = "Releases before 4.0 have none; add --migrate to bring the data to this stack's release"
        return warned("source extensions", f"{extensions}; no vector", remedy)
    return passed("source extensions", extensions)


def _keys(samples: list[tuple[str, str]], env: Mapping[str, str]) -> Check:
    name = "encryption keys"
    if not samples:
        return Check(name, Outcome.NOT_CONFIGURED, "nothing is encrypted there, so the keys could not be tried")
    if problems := key_problems(samples, env):
        return failed(name, "; ".join(problems), "Give the .env that the source runs with; docs/runbooks/key-lost.md")
    return passed(name, f"open {len(samples)} encrypted values")
