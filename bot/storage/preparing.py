"""Before the database is opened: is the file sound, is its schema ours, and what to do when not.

Damage (not a database, failed check, emptied or vanished after an installation) moves the file and its journal aside
as `<name>.corrupt-<ms>`, puts the newest sound backup in its place, and is returned as text for people, so that the bot
can go on and say so. A file that cannot
be judged (locked, no permission, disk full) or that a newer version wrote raises `StorageError`. All of it blocks:
call it in a thread.
"""

import contextlib
import errno
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from bot import log
from bot.errors import StorageError
from bot.storage import belonging, copies
from bot.storage.schema import migrations

BUSY_TIMEOUT_MS = 5_000
_DAMAGE_CODES = (11, 26)
"""SQLITE_CORRUPT and SQLITE_NOTADB; extended codes carry them in the low byte."""
_PASSING_CODES = (5, 6, 10, 13)
"""SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_FULL."""
_PASSING_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ESTALE)
_INCREMENTAL = 2
_OPEN, _CLOSED = "in use", "closed"

_log = log.get("storage")


def marker_of(path: Path) -> Path:
    """A file beside the database that says: there was one here."""
    return path.with_name(path.name + ".installed")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error says that the file itself is broken."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _DAMAGE_CODES


def is_of_values(error: sqlite3.Error) -> bool:
    """Whether the error is about what was to be stored, not about the file or the disk."""
    return isinstance(
        error, (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
    )


def may_pass(error: sqlite3.Error | OSError) -> bool:
    """Whether opening may work later without anybody touching the file: locked, full, failing or absent disk."""
    if isinstance(error, OSError):
        return error.errno in _PASSING_ERRNOS
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _PASSING_CODES


def mark(path: Path, *, is_open: bool) -> None:
    """Note beside the database that it exists, and whether a process has it open. A full disk does not matter here."""
    text = f"A database was made here; if it is gone or empty, that is damage.\n{_OPEN if is_open else _CLOSED}\n"
    with contextlib.suppress(OSError):
        fresh = marker_of(path).with_suffix(".new")
        fresh.write_text(text, encoding="ascii")
        belonging.as_folder(fresh, path.parent)
        fresh.replace(marker_of(path))


@dataclass(frozen=True, slots=True)
class Found:
    """What the look at the old file told, in words for people; None: nothing."""

    damage: str | None = None
    doubt: str | None = None
    """Something may be lost, or not."""


def prepare(path: Path, *, now_ms: int, backups: Path | None = None) -> Found:
    """Make sure that a sound database of the newest schema is there. Return what was wrong with the old one, if so.

    In place of a damaged one comes the newest sound copy in `backups`, else an empty one; the text says which.
    """
    doubt = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        has_lost_journal = _has_lost_journal(path)  # before the check opens the file, which writes the journal back
        damage = _damage_of(path, backups)
        if damage is not None:
            aside = move_aside(path, f"corrupt-{now_ms}")
            damage += f"; moved to {aside.name}" if aside else ""
            damage += f"; {_replace(path, backups)}"
            _log.error("database.damaged", path=str(path), damage=damage, moved_to=str(aside) if aside else None)
        elif has_lost_journal:
            doubt = (
                f"the bot did not stop cleanly and {path.name}-wal is gone: unless another program has written it back, "
                "the last changes before that stop are lost; the rest is sound and in use"
            )
            _log.warning("database.journal_gone", path=str(path))
        elif marker_of(path).exists():
            # The check has written the journal back: should the start end before it is through, nothing of it is lost.
            mark(path, is_open=False)
        # Created with its mode, never widened for a moment; SQLite gives its journals the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
        with contextlib.closing(connect(path)) as connection:
            _migrate(connection, path, backups)
            _let_shrink(connection)
        if not marker_of(path).exists():
            mark(path, is_open=False)
    except sqlite3.Error as error:
        raise StorageError(
            f"{path}: cannot open the database: {error}; is it locked, or the disk full?", may_pass=may_pass(error)
        ) from error
    except OSError as error:
        raise StorageError(f"{path}: cannot open the database: {error.strerror}", may_pass=may_pass(error)) from error
    return Found(damage, doubt)


def _has_lost_journal(path: Path) -> bool:
    """Whether a process had the database open, never closed it, and yet there is nothing in its journal."""
    try:
        was_open = _OPEN in marker_of(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return was_open and not has_journal(path)


def has_journal(path: Path) -> bool:
    """Whether the journal holds anything. SQLite makes an empty one for whoever only looks, `oibot run` among them."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def _replace(path: Path, backups: Path | None) -> str:
    """Put the newest sound copy in the place of a database that is gone; say what was done."""
    for copy in reversed(copies.listed(backups) if backups else []):
        try:
            copies.inspect(copy.path)
            copies.copy(copy.path, path)
        except StorageError as error:
            if error.may_pass:
                raise
            _log.error("backup.unusable", file=copy.path.name, reason=str(error))
            continue
        return f"the backup {copy.path.name} took its place: what happened since then is forgotten"
    return "there is no usable backup, so it starts empty"


def connect(path: Path) -> sqlite3.Connection:
    """A plain connection with our pragmas, in autocommit mode: transactions are begun by hand."""
    is_new = path.stat().st_size == 0
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
    try:
        if is_new:
            # So that free pages can go back to the disk later; only possible before the first table.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in pragmas(BUSY_TIMEOUT_MS):
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def pragmas(busy_ms: int) -> tuple[str, ...]:
    """What every connection begins with."""
    return (
        f"PRAGMA busy_timeout = {busy_ms}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA journal_size_limit = 16777216",
    )


def _damage_of(path: Path, backups: Path | None) -> str | None:
    installed = marker_of(path).exists() or bool(backups and copies.listed(backups))
    if not path.exists():
        return "the database file is missing" if installed else None
    if path.stat().st_size == 0:
        return "the database file is empty" if installed else None
    with path.open("rb") as file:
        if file.read(len(copies.MAGIC)) != copies.MAGIC:
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


def move_aside(path: Path, suffix: str) -> Path | None:
    """The journal goes with its database: beside a fresh one it would damage it, and a rescue needs it."""
    aside = path.with_name(f"{path.name}.{suffix}")
    moved = False
    for part in ("", "-wal", "-shm"):
        source = path.with_name(path.name + part)
        if source.exists():
            source.rename(aside.with_name(aside.name + part))
            moved = True
    return aside if moved else None


def _let_shrink(connection: sqlite3.Connection) -> None:
    """Free pages of an older file could never go back to the disk; writing it anew changes that, once."""
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL:
        return
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("VACUUM")
    except sqlite3.Error as error:
        _log.warning("database.not_shrinkable", reason=str(error))


def _migrate(connection: sqlite3.Connection, path: Path, backups: Path | None) -> None:
    """Bring the schema up to date, with a copy of what was before as the way back: no copy, no migration."""
    scripts = migrations()
    newest = scripts[-1][0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > newest:
        raise StorageError(
            f"{path}: the database has schema {version}, this version of oibot knows up to {newest}; "
            f"install the newer version again, or {_way_back(backups, newest)}",
            may_pass=False,
        )
    if 0 < version < newest and backups is not None:
        kept = copies.keep_before_upgrade(path, backups, version=version)
        _log.info("database.kept", version=version, file=kept.name)
    for number, script in scripts:
        if number <= version:
            continue
        try:
            # One script text, because `executescript` would commit a transaction begun outside it.
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error as error:
            connection.rollback()
            raise StorageError(
                f"{path}: migration {number} failed and was undone: {error}", may_pass=may_pass(error)
            ) from error
        _log.info("database.migrated", version=number)


def _way_back(backups: Path | None, newest: int) -> str:
    kept = copies.kept_before_upgrades(backups) if backups else {}
    usable = [version for version in kept if version <= newest]
    if not usable:
        return "`oibot restore` an older backup, or start with another data folder"
    return f"go back to before the upgrade with: oibot restore {kept[max(usable)]}"
