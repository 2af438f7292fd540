"""The index of the history, in an SQLite file of its own beside the parts.

Apart from the bot's database, so that commands use it while the bot runs and where there is none, and because it can be
made anew from the parts: one that is damaged, or of a newer version, is set aside and the store takes up what lies there.
Synchronous: only workers and commands open it.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from bot import log
from bot.errors import StorageError
from bot.model.history_ports import PartInfo, Spans, TakenFile, kind_of
from bot.model.instrument import Instrument
from bot.storage import belonging, preparing, schema

NAME: Final = "index.db"
_SCRIPTS: Final = "history_migrations"
_COLUMNS: Final = "name, source, keys, spans, n_rows, n_bytes, digest, place, seq"
_ENTER: Final = (
    f"INSERT INTO parts ({_COLUMNS}, kind, first_ms, last_ms) "  # noqa: S608, names of our own
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_log = log.get("history")


@contextlib.contextmanager
def _refusals(operation: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"history: {operation}: {error}", may_pass=preparing.may_pass(error)) from error


class SqliteHistoryIndex:
    """The `HistoryIndex` port. Made by `open_index`; `close` when done."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _transaction(self, operation: str) -> Iterator[sqlite3.Connection]:
        with _refusals(operation):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _fetch(self, operation: str, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with _refusals(operation):
            return self._connection.execute(sql, values).fetchall()

    # -- parts ---------------------------------------------------------------------------------------------------

    def parts(self, *, after_ms: int | None = None, until_ms: int | None = None) -> Sequence[PartInfo]:
        rows = self._fetch(
            "read parts",
            f"SELECT {_COLUMNS} FROM parts WHERE last_ms > ? AND first_ms <= ? ORDER BY seq, name",  # noqa: S608
            (-(1 << 62) if after_ms is None else after_ms, 1 << 62 if until_ms is None else until_ms),
        )
        return [_part(row) for row in rows]

    def find(self, source: str, digest: str) -> PartInfo | None:
        rows = self._fetch(
            "look for a part",
            f"SELECT {_COLUMNS} FROM parts WHERE digest = ? AND kind = ? ORDER BY seq LIMIT 1",  # noqa: S608
            (digest, kind_of(source)),
        )
        return _part(rows[0]) if rows else None

    def add(self, part: PartInfo) -> PartInfo:
        with self._transaction("enter a part") as tx:
            ((seq,),) = tx.execute(
                "UPDATE counters SET value = value + 1 WHERE name = 'seq' RETURNING value"
            ).fetchall()
            entered = replace(part, seq=seq)
            tx.execute(_ENTER, _values(entered))
        return entered

    def swap(self, gone: Sequence[str], new: Sequence[PartInfo]) -> bool:
        with contextlib.suppress(_MissingError), self._transaction("put parts together") as tx:
            seq = 0
            for name in gone:
                found = tx.execute("DELETE FROM parts WHERE name = ? RETURNING seq", (name,)).fetchall()
                if not found:
                    raise _MissingError
                seq = max(seq, found[0][0])
            tx.executemany(_ENTER, [_values(replace(part, seq=seq)) for part in new])
            kept = {part.name for part in new}
            tx.executemany("INSERT OR IGNORE INTO gone VALUES (?)", [(name,) for name in gone if name not in kept])
            return True
        return False

    def gone(self) -> Sequence[str]:
        return [name for (name,) in self._fetch("read what is gone", "SELECT name FROM gone ORDER BY name")]

    def unlinked(self, names: Sequence[str]) -> None:
        with self._transaction("forget files") as tx:
            tx.executemany("DELETE FROM gone WHERE name = ?", [(name,) for name in names])

    # -- instruments and files -----------------------------------------------------------------------------------

    def instruments(self) -> Sequence[Instrument]:
        rows = self._fetch("read instruments", "SELECT instrument FROM instruments ORDER BY key")
        return [msgspec.json.decode(text, type=Instrument) for (text,) in rows]

    def know(self, instruments: Sequence[Instrument]) -> None:
        rows = [(i.key, msgspec.json.encode(i).decode()) for i in instruments]
        with self._transaction("note instruments") as tx:
            tx.executemany("INSERT OR REPLACE INTO instruments VALUES (?, ?)", rows)

    def taken(self, digest: str) -> TakenFile | None:
        rows = self._fetch(
            "look for a file", "SELECT digest, name, at_ms, n_rows, n_bad FROM files WHERE digest = ?", (digest,)
        )
        return TakenFile(*rows[0]) if rows else None

    def take(self, file: TakenFile) -> None:
        with self._transaction("note a file") as tx:
            values = (file.digest, file.name, file.at_ms, file.n_rows, file.n_bad)
            tx.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", values)

    def forget_files(self) -> None:
        with self._transaction("forget files") as tx:
            tx.execute("DELETE FROM files")


class _MissingError(Exception):
    """What was to be replaced is not there."""


def _values(part: PartInfo) -> tuple[Any, ...]:
    return (
        part.name,
        part.source,
        msgspec.json.encode(part.keys).decode(),
        msgspec.json.encode(part.spans).decode(),
        part.n_rows,
        part.n_bytes,
        part.digest,
        part.place,
        part.seq,
        part.kind,
        part.first_ms,
        part.last_ms,
    )


def _part(row: tuple[Any, ...]) -> PartInfo:
    name, source, keys, spans, n_rows, n_bytes, digest, place, seq = row
    return PartInfo(
        name,
        source,
        msgspec.json.decode(keys, type=tuple[str, ...]),
        msgspec.json.decode(spans, type=Spans),
        n_rows,
        n_bytes,
        digest,
        place,
        seq,
    )


def open_index(folder: Path, *, now_ms: int) -> SqliteHistoryIndex:
    """Open or make the index in a folder that is there. Raises `StorageError` where it can be neither used nor replaced."""
    path = folder / NAME
    try:
        return SqliteHistoryIndex(_open(path))
    except _UnusableError as error:
        reason = str(error)
    except sqlite3.Error as error:
        if not preparing.is_damage(error):
            raise StorageError(f"{path}: cannot open the index of the history: {error}") from error
        reason = str(error)
    try:
        aside = preparing.move_aside(path, f"corrupt-{now_ms}")
        _log.warning("history.index_set_aside", reason=reason, moved_to=str(aside), then="made anew from the parts")
        return SqliteHistoryIndex(_open(path))
    except (sqlite3.Error, OSError, _UnusableError) as error:
        raise StorageError(f"{path}: cannot make the index of the history anew: {error}") from error


class _UnusableError(Exception):
    """It is sound for SQLite, and yet not ours."""


def _open(path: Path) -> sqlite3.Connection:
    _make(path)
    connection = sqlite3.connect(path, timeout=preparing.BUSY_TIMEOUT_MS / 1000, isolation_level=None)
    try:
        for pragma in preparing.pragmas(preparing.BUSY_TIMEOUT_MS):
            connection.execute(pragma)
        path.chmod(0o600)
        _require_sound(connection)
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """SQLite gives the files beside it to the owner of this one, so it has to be the right one from the beginning."""
    try:
        if not path.exists():
            path.touch(mode=0o600)
        belonging.as_folder(path, path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot make the index of the history: {error.strerror}") from error


def _require_sound(connection: sqlite3.Connection) -> None:
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise _UnusableError(f"the check found: {found}")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    newest = schema.migrations(_SCRIPTS)[-1][0]
    if version > newest:
        raise _UnusableError(f"it has schema {version}, this oibot knows up to {newest}")
    if not version and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise _UnusableError("it is the database of another program")


def _migrate(connection: sqlite3.Connection) -> None:
    """In one transaction: of two that open a new index at the same time, the second finds it done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, script in schema.migrations(_SCRIPTS):
            if number > version:
                for statement in script.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
