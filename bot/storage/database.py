"""The SQLite file: one writing connection, one reading connection, and transactions.

`transaction()` is `BEGIN IMMEDIATE` … `COMMIT` under a lock: at most one at a time, stored whole or not at all, on
disk before it ends (`synchronous=FULL`). Everything SQLite refuses becomes `StorageError`; its text names the
operation, never values. Cancelling a caller leaves no transaction open.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite

from bot.errors import StorageError
from bot.storage import preparing

Values = Sequence[str | int | float | None]


@contextlib.contextmanager
def _refusals(operation: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"{operation}: {error}") from error
    except ValueError as error:
        if "connection" not in str(error).lower():
            raise
        # aiosqlite's answer once it is closed.
        raise StorageError(f"{operation}: the database is closed") from error


class Transaction:
    """What may be done inside a transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, values: Values = ()) -> int:
        """Run one statement; return how many rows it changed."""
        cursor = await self._connection.execute(sql, values)
        return cursor.rowcount

    async def executemany(self, sql: str, rows: Sequence[Values]) -> None:
        if rows:
            await self._connection.executemany(sql, rows)

    async def fetch(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self._connection.execute_fetchall(sql, values)]


class Database:
    """An open database file. Made by `open_database`."""

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def transaction(self, operation: str) -> AsyncIterator[Transaction]:
        """Write under `BEGIN IMMEDIATE`; any exception in the body undoes all of it."""
        async with self._lock:
            with _refusals(operation):
                try:
                    await self._writer.execute("BEGIN IMMEDIATE")
                    yield Transaction(self._writer)
                    await self._writer.execute("COMMIT")
                except BaseException:
                    # Also when cancelled inside BEGIN or COMMIT: the statement still runs in its thread before this.
                    with contextlib.suppress(sqlite3.Error, ValueError):
                        await self._writer.rollback()
                    raise

    async def fetch(self, operation: str, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Read what is committed; a running transaction is neither seen nor waited for."""
        with _refusals(operation):
            return [tuple(row) for row in await self._reader.execute_fetchall(sql, values)]

    async def close(self) -> None:
        """Close both connections. Closing twice is harmless."""
        async with self._lock:
            await self._reader.close()
            await self._writer.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """An open database, and what was wrong with the one before it (None: nothing)."""

    database: Database
    damage: str | None


async def open_database(path: Path, *, now_ms: int) -> Opened:
    """Check, migrate and open. Damage is moved aside and reported; see `bot.storage.preparing`."""
    damage = await asyncio.to_thread(preparing.prepare, path, now_ms=now_ms)
    async with contextlib.AsyncExitStack() as stack:
        writer, reader = [await _connect(path, stack) for _ in range(2)]
        with _refusals("open"):
            await reader.execute("PRAGMA query_only = ON")
        stack.pop_all()
    return Opened(Database(path, writer, reader), damage)


async def _connect(path: Path, stack: contextlib.AsyncExitStack) -> aiosqlite.Connection:
    with _refusals("open"):
        connection = aiosqlite.connect(path, timeout=preparing.BUSY_TIMEOUT_MS / 1000, isolation_level=None)
        # Else a process that ends without `close`, or while the disk stalls, would wait for this thread for ever.
        connection._thread.daemon = True  # noqa: SLF001
        await connection
        stack.push_async_callback(connection.close)
        for pragma in preparing.PRAGMAS:
            await connection.execute(pragma)
    return connection
