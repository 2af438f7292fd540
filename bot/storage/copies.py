"""Copies of the database: made while it is in use, checked, kept in small number, and found again.

A copy is one file without a journal, made by `VACUUM INTO` on a reading connection, so that writers go on. It is
written under another name, checked, brought to the disk, and only then gets its name: what has the name is whole.
Names carry a growing number before the date, since a wrong clock must not decide which copy is the newest.

Everything here blocks: call it in a thread. Whatever goes wrong is a `StorageError`.
"""

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bot.errors import StorageError
from bot.storage import belonging
from bot.storage.schema import migrations

MAGIC: Final = b"SQLite format 3\0"
SPARE_BYTES: Final = 50_000_000
"""What must be left on the disk beside a copy: alerts need it more."""
BUSY_TIMEOUT_S: Final = 5.0
_NAME = re.compile(r"oibot-(\d{6,})-(\d{8}T\d{6})Z\.db")
_UPGRADE = re.compile(r"before-upgrade-from-(\d{4,})\.db")
KEPT_UPGRADES: Final = 2
_STAMP = "%Y%m%dT%H%M%S"
_OUR_TABLES = {"alerts", "transitions", "outbox", "messages", "key_values"}


@dataclass(frozen=True, slots=True)
class Copy:
    """One backup in the folder."""

    path: Path
    number: int
    at_ms: int
    """Wall time at which it was made, as its name tells."""


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"{what}: {error}") from error
    except OSError as error:
        raise StorageError(f"{what}: {error.strerror or error}") from error


def listed(folder: Path) -> list[Copy]:
    """The backups in a folder, the oldest first. Other files are passed over."""
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if (name := _NAME.fullmatch(path.name)) is None:
                continue
            with contextlib.suppress(ValueError):
                at = datetime.strptime(name[2], _STAMP).replace(tzinfo=UTC)
                found.append(Copy(path, int(name[1]), int(at.timestamp() * 1000)))
    return sorted(found, key=lambda copy: copy.number)


def inspect(path: Path, *, shown: Path | None = None) -> int:
    """Check that a file is a sound database of ours that this version can read; its schema's number. `shown`: the name under
    which people know it.
    """
    try:
        return _inspect(path)
    except StorageError as error:
        if shown is None:
            raise
        raise StorageError(str(error).replace(str(path), str(shown)), may_pass=error.may_pass) from error


def _inspect(path: Path) -> int:
    newest = migrations()[-1][0]
    with _told(f"{path}: cannot be read"):
        if not path.is_file():
            raise StorageError(f"{path}: expected a database file, found none", may_pass=False)
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise StorageError(f"{path}: expected an SQLite database, found something else", may_pass=False)
    try:
        with contextlib.closing(reading(path)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise StorageError(f"{path}: the file is damaged: {found}", may_pass=False)
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise StorageError(f"{path}: the file is damaged: {error}", may_pass=False) from error
    if missing := _OUR_TABLES - tables:
        raise StorageError(
            f"{path}: expected a database of oibot, found one without {', '.join(sorted(missing))}", may_pass=False
        )
    if version > newest:
        raise StorageError(
            f"{path}: has schema {version}, this version of oibot knows up to {newest}; install the newer version",
            may_pass=False,
        )
    return version


def peek_schema(path: Path) -> int | None:
    """The number of a database's schema, in use or not; None where it cannot be read. Changes nothing."""
    if not path.is_file():
        return None
    try:
        with contextlib.closing(reading(path)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error:
        return None


def copy(source: Path, target: Path, *, on_open: Callable[[sqlite3.Connection], None] = lambda _: None) -> None:
    """Make a checked copy, readable by its owner alone; a file that has the name already is replaced.

    Args:
        source: a database, in use or not; it is only read.
        target: the copy.
        on_open: is given the connection, whose `interrupt` ends the copying.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with _told(f"{source}: the copy to {target} failed"):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = source.stat().st_size
        free = shutil.disk_usage(target.parent).free
        if free < size + SPARE_BYTES:
            raise StorageError(
                f"{target.parent}: a copy needs {(size + SPARE_BYTES) / 1e6:.0f} MB, {free / 1e6:.0f} MB are free; "
                "free some space"
            )
        try:
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with contextlib.closing(reading(source)) as connection:
                on_open(connection)
                connection.execute("VACUUM INTO ?", (str(part),))
            inspect(part, shown=source)
            _to_disk(part)
            part.replace(target)
            _to_disk(target.parent)
        finally:
            part.unlink(missing_ok=True)


def without(source: Path, target: Path, *, keys: Collection[str]) -> None:
    """A checked copy from which small values are gone, also from its unused pages."""
    copy(source, target)
    with _told(f"{target}: the copy failed"):
        try:
            with contextlib.closing(sqlite3.connect(target)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA secure_delete = ON")
                connection.executemany("DELETE FROM key_values WHERE key = ?", [(key,) for key in keys])
                connection.commit()
                connection.execute("VACUUM")
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def back_up(
    database: Path,
    folder: Path,
    *,
    now_ms: int,
    keep: int,
    on_open: Callable[[sqlite3.Connection], None] = lambda _: None,
) -> Copy:
    """Add a backup to the folder, then let the oldest go until `keep` are left. Leftovers of a kill go, too."""
    before = listed(folder)
    number = before[-1].number + 1 if before else 1
    stamp = datetime.fromtimestamp(now_ms // 1000, UTC).strftime(_STAMP)
    made = Copy(folder / f"oibot-{number:06d}-{stamp}Z.db", number, now_ms // 1000 * 1000)
    with _told(f"{folder}: the backup failed"):
        for leftover in folder.glob(".oibot-*.part"):
            leftover.unlink(missing_ok=True)
        copy(database, made.path, on_open=on_open)
        _belongs(made.path, database)
        for old in before[: max(0, len(before) + 1 - keep)]:
            old.path.unlink(missing_ok=True)
    return made


def keep_before_upgrade(database: Path, folder: Path, *, version: int) -> Path:
    """Copy a database whose schema is about to leave `version`; two such copies are kept, and no thinning takes them.

    One name for each version, so that attempts that are repeated do not fill the disk.
    """
    made = folder / f"before-upgrade-from-{version:04d}.db"
    with _told(f"{folder}: the backup before the upgrade failed"):
        for leftover in folder.glob(".before-upgrade-*.part"):
            leftover.unlink(missing_ok=True)
        copy(database, made)
        _belongs(made, database)
        others = sorted(v for v in kept_before_upgrades(folder) if v != version)
        for old in others[: -KEPT_UPGRADES + 1]:
            kept_before_upgrades(folder)[old].unlink(missing_ok=True)
    return made


def kept_before_upgrades(folder: Path) -> dict[int, Path]:
    """What `keep_before_upgrade` left, by the schema's number."""
    found: dict[int, Path] = {}
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if (name := _UPGRADE.fullmatch(path.name)) is not None:
                found[int(name[1])] = path
    return found


def _belongs(made: Path, database: Path) -> None:
    belonging.as_folder(made, database.parent)
    belonging.as_folder(made.parent, database.parent)


def reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads."""
    # Read-only, so that closing it neither writes a journal back nor removes one.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
