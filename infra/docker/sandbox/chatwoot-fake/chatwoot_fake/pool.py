"""A few connections to PostgreSQL that mend themselves while requests wait (recordings, Upgrades).

A request that finds the database away waits here; the request's own time limit of 15 s ends the wait.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from chatwoot_fake import database, environment

PAUSE = 0.3
HOPELESS = ("authentication failed", "does not exist")
Row = dict[str, Any]


class Session:
    """One connection in use: short ways to ask."""

    def __init__(self, connection: "AsyncConnection[DictRow]") -> None:
        self.connection = connection

    async def all(self, query: str, *values: object) -> list[Row]:
        """All rows."""
        cursor = await self.connection.execute(query.encode(), values or None)
        return list(await cursor.fetchall())

    async def one(self, query: str, *values: object) -> Row | None:
        """The first row or nothing."""
        cursor = await self.connection.execute(query.encode(), values or None)
        return await cursor.fetchone()

    async def row(self, query: str, *values: object) -> Row:
        """The first row of a query that always has one."""
        found = await self.one(query, *values)
        if found is None:
            raise LookupError(query)
        return found

    async def value(self, query: str, *values: object) -> Any:  # noqa: ANN401 -- whatever the column holds
        """The only column of the first row, or nothing."""
        found = await self.one(query, *values)
        return next(iter(found.values())) if found else None

    async def run(self, query: str, *values: object) -> int:
        """Change something; how many rows."""
        cursor = await self.connection.execute(query.encode(), values or None)
        return cursor.rowcount


class Pool:
    """At most RAILS_MAX_THREADS connections (facts 1.1)."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(int(environment.number("RAILS_MAX_THREADS", 5)))
        self._idle: list[AsyncConnection[DictRow]] = []
        self.busy = 0

    @property
    def idle(self) -> "AsyncConnection[DictRow] | None":
        """A connection that was used before, if any: all that `/api` looks at (facts 2.2)."""
        return self._idle[-1] if self._idle else None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A connection that just answered; waits for the database as long as it takes."""
        async with self._slots:
            self.busy += 1
            try:
                connection = await self._alive()
                async with self._returned(connection):
                    yield Session(connection)
            finally:
                self.busy -= 1

    @asynccontextmanager
    async def _returned(self, connection: "AsyncConnection[DictRow]") -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await self._after_trouble(connection)
            raise
        self._idle.append(connection)

    async def forget_idle(self) -> None:
        """Drop connections that turned out dead."""
        while self._idle:
            await _close(self._idle.pop())

    async def _alive(self) -> "AsyncConnection[DictRow]":
        while self._idle:
            connection = self._idle.pop()
            with suppress(psycopg.OperationalError):
                await connection.execute(b"SELECT 1")
                return connection
            await _close(connection)
        return await self._open()

    async def _open(self) -> "AsyncConnection[DictRow]":
        """While it waits for the database it counts as no connection: `/api` says `failing` at once then."""
        self.busy -= 1
        try:
            return await self._connected()
        finally:
            self.busy += 1

    async def _connected(self) -> "AsyncConnection[DictRow]":
        while True:
            try:
                return await AsyncConnection.connect(
                    **database.parameters(connect_timeout="15"), autocommit=True, row_factory=dict_row
                )
            except psycopg.OperationalError as problem:
                if any(word in str(problem) for word in HOPELESS) and "resolve" not in str(problem):
                    raise
                await asyncio.sleep(PAUSE)

    async def _after_trouble(self, connection: "AsyncConnection[DictRow]") -> None:
        idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        if connection.closed or connection.broken or not idle:
            await _close(connection)
        else:
            self._idle.append(connection)


async def _close(connection: "AsyncConnection[DictRow]") -> None:
    with suppress(psycopg.Error, OSError):
        await connection.close()
