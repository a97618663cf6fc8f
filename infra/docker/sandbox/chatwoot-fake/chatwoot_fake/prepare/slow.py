"""A migration that takes long: CHATWOOT_FAKE_SLOW_MIGRATION_SECONDS (facts 1.3, 10).

It is an index built concurrently that has to wait: cut by the statement timeout it leaves an invalid index behind,
and the next run, which asks only whether the name exists, records the version as done.
"""

import threading
import time
from typing import Any

from psycopg import Connection

from chatwoot_fake import database, environment

VERSION = "20260604000000"
INDEX = "index_messages_on_invented_by_fake"


def hold_up(connection: "Connection[tuple[Any, ...]]", version: str) -> None:
    """Build the slow index, if the knob is set and this is its migration."""
    seconds = environment.number("CHATWOOT_FAKE_SLOW_MIGRATION_SECONDS", 0)
    if version != VERSION or not seconds:
        return
    locked = threading.Event()
    threading.Thread(target=_hold_lock, args=(seconds, locked), daemon=True).start()
    locked.wait(10)
    connection.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {INDEX} ON messages (source_id, id)".encode())


def _hold_lock(seconds: float, locked: threading.Event) -> None:
    """Another client that writes to the table: the index build waits for it."""
    with database.connect() as other, other.transaction():
        other.execute("LOCK TABLE messages IN ROW EXCLUSIVE MODE")
        locked.set()
        time.sleep(seconds)
