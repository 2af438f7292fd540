"""Before the database is opened: is the file sound, is its schema ours, and what to do when not.

Damage (not a database, failed check, emptied or vanished after an installation) moves the file and its journal aside
as `<name>.corrupt-<ms>` and is returned as text for people, so that the bot can go on and say so. A file that cannot
be judged (locked, no permission, disk full) or that a newer version wrote raises `StorageError`. All of it blocks:
call it in a thread.
"""

import contextlib
import os
import sqlite3
from importlib import resources
from pathlib import Path

from bot import log
from bot.errors import StorageError

BUSY_TIMEOUT_MS = 5_000
_MAGIC = b"SQLite format 3\0"
_DAMAGE_CODES = (11, 26)
"""SQLITE_CORRUPT and SQLITE_NOTADB; extended codes carry them in the low byte."""

_log = log.get("storage")


def migrations() -> list[tuple[int, str]]:
    """Numbered scripts, ascending. `0002_more.sql` brings a database from version 1 to 2."""
    folder = resources.files("bot.storage") / "migrations"
    scripts = [p for p in folder.iterdir() if p.name.endswith(".sql")]
    return sorted((int(p.name.split("_")[0]), p.read_text(encoding="utf-8")) for p in scripts)


def marker_of(path: Path) -> Path:
    """A file beside the database that says: there was one here."""
    return path.with_name(path.name + ".installed")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error says that the file itself is broken."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _DAMAGE_CODES


def prepare(path: Path, *, now_ms: int) -> str | None:
    """Make sure that a sound database of the newest schema is there. Return what was wrong with the old one, if so."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        damage = _damage_of(path)
        if damage is not None:
            aside = _move_aside(path, now_ms)
            _log.error("database.damaged", path=str(path), damage=damage, moved_to=str(aside) if aside else None)
            damage += f"; moved to {aside.name}" if aside else ""
        # Created with its mode, never widened for a moment; SQLite gives its journals the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
        with contextlib.closing(connect(path)) as connection:
            _migrate(connection, path)
        marker_of(path).write_text("A database was made here; if it is gone or empty, that is damage.\n")
    except sqlite3.Error as error:
        raise StorageError(f"{path}: cannot open the database: {error}; is it locked, or the disk full?") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot open the database: {error.strerror}") from error
    return damage


def connect(path: Path) -> sqlite3.Connection:
    """A plain connection with our pragmas, in autocommit mode: transactions are begun by hand."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
    try:
        for pragma in PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 16777216",
)


def _damage_of(path: Path) -> str | None:
    installed = marker_of(path).exists()
    if not path.exists():
        return "the database file is missing" if installed else None
    if path.stat().st_size == 0:
        return "the database file is empty" if installed else None
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            # Judged before SQLite opens it, which would throw away the journal that a rescue needs.
            return "the database file is damaged (its header is not SQLite's)"
    try:
        with contextlib.closing(connect(path)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                return f"the check found: {found}"
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return f"the database file is damaged ({error})"
        raise
    return "the database has lost its tables" if installed and not version and not tables else None


def _move_aside(path: Path, now_ms: int) -> Path | None:
    """The journal goes with its database: beside a fresh one it would damage it, and a rescue needs it."""
    aside = path.with_name(f"{path.name}.corrupt-{now_ms}")
    moved = False
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
            moved = True
    return aside if moved else None


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    scripts = migrations()
    newest = scripts[-1][0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > newest:
        raise StorageError(
            f"{path}: the database has schema {version}, this version of oibot knows up to {newest}; "
            "install the newer version again, or start with another data folder"
        )
    for number, script in scripts:
        if number <= version:
            continue
        try:
            # One script text, because `executescript` would commit a transaction begun outside it.
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error as error:
            connection.rollback()
            raise StorageError(f"{path}: migration {number} failed and was undone: {error}") from error
        _log.info("database.migrated", version=number)
