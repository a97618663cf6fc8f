"""Seeds: the installation configs and the key that opens the first-run page (facts 1.3).

Both need Redis. Without it the first prepare ends with a schema and no seed, and no later prepare seeds (recordings,
Starting): the configs come with any migrate, the onboarding key never.
"""

import json
import time
import uuid
from typing import Any

import redis
from psycopg import Connection

from chatwoot_fake import keys, redis_client
from chatwoot_fake.errors import PrepareError
from chatwoot_fake.prepare.features import FEATURES
from chatwoot_fake.release import ROOT

Database = Connection[tuple[Any, ...]]
HEADER = "--- !ruby/hash:ActiveSupport::HashWithIndifferentAccess\n"


def seed(connection: Database) -> None:
    """What a fresh database gets once."""
    try:
        _clear_cache()
        load_configs(connection)
        redis_client.client().set(keys.ONBOARDING, "true")
    except redis.RedisError as problem:
        raise PrepareError(f"RedisClient::CannotConnectError: {problem}") from problem


def load_configs(connection: Database) -> None:
    """Add the missing configs, leave existing values alone; each save clears a cache in Redis."""
    have = {row[0] for row in connection.execute("SELECT name FROM installation_configs").fetchall()}
    missing = [row for row in config_rows() if row[0] not in have]
    if not missing:
        return
    try:
        _clear_cache()
    except redis.RedisError as problem:
        raise PrepareError(f"RedisClient::CannotConnectError: {problem}") from problem
    connection.cursor().executemany(
        "INSERT INTO installation_configs (name, serialized_value, locked, created_at, updated_at)"
        " VALUES (%s, %s::jsonb, %s, now(), now())",
        missing,
    )


def config_rows() -> list[tuple[str, str, bool]]:
    """Name, serialized value and lock of the 100 configs of a fresh installation (recordings, Starting)."""
    text = (ROOT / "chatwoot_fake" / "data" / "installation_configs.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    return [(name, json.dumps(HEADER + _value(value)), lock == "locked") for name, lock, value in rows]


def _value(value: str) -> str:
    if value != "FEATURES":
        return f"value: {value}".rstrip() + "\n"
    item = "- !ruby/hash:ActiveSupport::HashWithIndifferentAccess\n  name: {}\n  enabled: true\n"
    return "value:\n" + "".join(item.format(name) for name in FEATURES)


def _clear_cache() -> None:
    client = redis_client.client()
    for key in client.scan_iter(match=keys.GLOBAL_CONFIG + "*", count=500):
        client.delete(key)
    client.ping()


def enqueue_data_migration() -> None:
    """One data migration goes to the worker: "migrate finished" is not "data finished" (facts 1.3)."""
    queue = "async_database_migration"
    job = {
        "retry": True,
        "queue": queue,
        "wrapped": "Migration::ValidateOpenaiHooksJob",
        "jid": uuid.uuid4().hex[:24],
        "class": "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper",
        "args": [{"job_class": "Migration::ValidateOpenaiHooksJob", "arguments": []}],
        "created_at": time.time(),
        "enqueued_at": time.time(),
    }
    client = redis_client.client()
    client.sadd("queues", queue)
    client.lpush(keys.queue(queue), json.dumps(job))
