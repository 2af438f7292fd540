"""The SQLite file: one writing connection, one reading connection, and transactions.

`transaction()` is `BEGIN IMMEDIATE` … `COMMIT` under a lock: at most one at a time, stored whole or not at all, on
disk before it ends (`synchronous=FULL`). Everything SQLite refuses becomes `StorageError`; its text names the
operation, never values. Cancelling a caller leaves no transaction open.

`write()` and `fetch()` wait only so long: when the disk does not answer they give up, what was begun goes on by itself,
and until it has ended further calls of that kind are refused at once. `trouble` tells what the last calls met.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite

from bot.clock import Clock, SystemClock
from bot.errors import StorageError
from bot.storage import preparing, schema

Values = Sequence[str | int | float | None]
T = TypeVar("T")

PATIENCE_S: Final = 6.0
"""How long a call waits for the disk; longer than SQLite itself waits for a lock."""


@contextlib.contextmanager
def _refusals(operation: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"{operation}: {error}", may_pass=not preparing.is_of_values(error)) from error
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

    async def executemany(self, sql: str, rows: Sequence[Values]) -> int:
        """Run one statement for each row; return how many rows were changed in all."""
        return (await self._connection.executemany(sql, rows)).rowcount if rows else 0

    async def fetch(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self._connection.execute_fetchall(sql, values)]


@dataclass(slots=True)
class Trouble:
    """What went wrong since the start; the file is damaged once it has been found damaged."""

    n_failed: int = 0
    reason: str = ""
    """Of the last failure."""
    damage: str = ""


class Database:
    """An open database file. Made by `open_database`."""

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection, clock: Clock) -> None:
        self.path = path
        self.trouble = Trouble()
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._lock = asyncio.Lock()
        self._at_work: set[asyncio.Task[Any]] = set()
        self._stuck: dict[str, asyncio.Task[Any]] = {}
        self._patience_s = PATIENCE_S
        self.found_journal = False
        """Whether it was joined where a journal lay; the last one to leave writes that back."""

    @contextlib.asynccontextmanager
    async def transaction(self, operation: str) -> AsyncIterator[Transaction]:
        """Write under `BEGIN IMMEDIATE`; any exception in the body undoes all of it. Waits as long as it takes."""
        await self._lock.acquire()
        try:
            with self._watched(), _refusals(operation):
                await self._writer.execute("BEGIN IMMEDIATE")
                yield Transaction(self._writer)
                await self._writer.execute("COMMIT")
        except BaseException:
            # Also when cancelled inside BEGIN or COMMIT: the statement still runs in its thread before this. A task of
            # its own, so that nobody who gives up or is stopped waits for a disk that hangs.
            self._begin(self._undo())
            raise
        self._lock.release()

    async def _undo(self) -> None:
        try:
            with contextlib.suppress(sqlite3.Error, ValueError):
                await self._writer.rollback()
        finally:
            self._lock.release()

    async def write(self, operation: str, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """A transaction that gives up waiting after `PATIENCE_S`; whether it is stored is then unknown."""

        async def work() -> T:
            async with self.transaction(operation) as tx:
                return await body(tx)

        return await self._patiently("write", operation, work())

    async def fetch(self, operation: str, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Read what is committed; a running transaction is neither seen nor waited for."""

        async def work() -> list[tuple[Any, ...]]:
            with self._watched(), _refusals(operation):
                return [tuple(row) for row in await self._reader.execute_fetchall(sql, values)]

        return await self._patiently("read", operation, work())

    async def _patiently(self, kind: str, operation: str, work: Coroutine[Any, Any, T]) -> T:
        stuck = self._stuck.get(kind)
        if stuck is not None and not stuck.done():
            work.close()
            raise self._note(StorageError(f"{operation}: the disk does not answer"))
        task = self._begin(work)
        try:
            async with self._clock.timeout(patience_s := self._patience_s):
                return await asyncio.shield(task)
        except TimeoutError:
            self._stuck[kind] = task
            raise self._note(StorageError(f"{operation}: the disk has not answered for {patience_s:g} s")) from None

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)  # noqa: TID251, it must outlive whoever asked for it
        self._at_work.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._at_work.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, should nobody wait for it any more

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            self._note(error)
            raise

    def _note(self, error: StorageError) -> StorageError:
        if error.may_pass:
            self.trouble.n_failed += 1
            self.trouble.reason = str(error)
            if isinstance(error.__cause__, sqlite3.Error) and preparing.is_damage(error.__cause__):
                self.trouble.damage = str(error)
        return error

    async def checkpoint(self) -> None:
        """Bring the journal's content into the file, as far as no reader still needs it; waits for none."""

        async def work() -> None:
            async with self._lock:
                with self._watched(), _refusals("checkpoint"):
                    await self._writer.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")

        await self._patiently("write", "checkpoint", work())

    def hurry(self, patience_s: float) -> None:
        """From now on calls wait only so long: the process is about to end."""
        self._patience_s = patience_s

    async def disconnect(self) -> None:
        """Close both connections. Doing so twice is harmless."""
        async with self._lock:
            await self._reader.close()
            await self._writer.close()
        if self.found_journal and not preparing.has_journal(self.path):
            # After a crash: nothing of it is lost, which the next start could not know.
            preparing.mark(self.path, is_open=False)

    async def close(self) -> None:
        """Close both connections, and note that nobody uses the file any more. Closing twice is harmless."""
        await self.disconnect()
        preparing.mark(self.path, is_open=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """An open database, and what was wrong with the one before it (None: nothing)."""

    database: Database
    damage: str | None
    doubt: str | None = None
    """Something that may have been lost or not, for people; None: nothing."""


async def open_database(path: Path, *, now_ms: int, clock: Clock | None = None, backups: Path | None = None) -> Opened:
    """Check, migrate and open. Damage is moved aside and reported, and the newest sound copy in `backups` takes its
    place; see `bot.storage.preparing`. `clock` measures how long the disk may take; the machine's when left out.
    """
    clock = clock if clock is not None else SystemClock()
    found = await asyncio.to_thread(preparing.prepare, path, now_ms=now_ms, backups=backups)
    async with contextlib.AsyncExitStack() as stack:
        writer, reader = [await _connect(path, stack, clock) for _ in range(2)]
        with _refusals("open"):
            await reader.execute("PRAGMA query_only = ON")
        with contextlib.suppress(sqlite3.Error):
            # A write that changes nothing: from now on the journal holds something, so that its absence later says that it
            # was lost.
            [(version,)] = await reader.execute_fetchall("PRAGMA user_version")
            await writer.execute(f"PRAGMA user_version = {version}")
        stack.pop_all()
    preparing.mark(path, is_open=True)
    return Opened(Database(path, writer, reader, clock), found.damage, found.doubt)


async def join_database(path: Path) -> Database:
    """Open a database that a running bot may be using: nothing is repaired or migrated. Raises `StorageError` where there
    is none, or one of another version. Ends with `disconnect`.
    """
    if not path.is_file():  # noqa: ASYNC240, once, at the start of a command
        raise StorageError(f"{path}: there is no database yet; `oibot run` makes it")
    clock, found_journal = SystemClock(), preparing.has_journal(path)
    async with contextlib.AsyncExitStack() as stack:
        try:
            writer, reader = [await _connect(path, stack, clock) for _ in range(2)]
            with _refusals(str(path)):
                [(version,)] = await reader.execute_fetchall("PRAGMA user_version")
        except StorageError as error:
            if isinstance(error.__cause__, sqlite3.Error) and preparing.is_damage(error.__cause__):
                raise StorageError(f"{path}: the database is damaged ({error.__cause__}); {_MENDED}") from error
            raise
        newest = schema.migrations()[-1][0]
        if version != newest:
            raise StorageError(f"{path}: {_other_version(version, newest)}")
        stack.pop_all()
    database = Database(path, writer, reader, clock)
    database.found_journal = found_journal
    return database


_MENDED: Final = "start the bot: it moves this aside and takes the newest backup"


def _other_version(version: int, newest: int) -> str:
    """What is wrong, and what to do."""
    if version > newest:
        return f"the database has schema {version}, this version of oibot knows up to {newest}; install the newer version again"
    if version <= 0:
        return f"expected a database of oibot, found one without a schema; {_MENDED}"
    return f"the database has schema {version}, this version of oibot {newest}; start the bot, or `oibot migrate`"


async def _connect(path: Path, stack: contextlib.AsyncExitStack, clock: Clock) -> aiosqlite.Connection:
    with _refusals("open"):
        busy_ms = round(preparing.BUSY_TIMEOUT_MS / clock.speed)
        connection = aiosqlite.connect(path, timeout=busy_ms / 1000, isolation_level=None)
        # Else a process that ends without `close`, or while the disk stalls, would wait for this thread for ever.
        connection._thread.daemon = True  # noqa: SLF001
        await connection
        stack.push_async_callback(connection.close)
        for pragma in preparing.pragmas(busy_ms):
            await connection.execute(pragma)
        # A file that cannot be read is told now.
        await connection.execute_fetchall("SELECT count(*) FROM sqlite_master")
    return connection
