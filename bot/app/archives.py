"""Backups of everything in one file: database, rules, version and, if asked for, `.env`; as `.tar.gz`, readable by its owner alone.

An archive comes from anywhere, so nothing in it is believed: only files with the names that we write are taken, and none is
written to where its name leads.
"""

import contextlib
import io
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import msgspec

from bot.errors import ConfigError, StorageError
from bot.storage import copies

SUFFIXES: Final = (".tar.gz", ".tgz")
MAX_FILE_BYTES: Final = 16_000_000
"""Of rules and settings."""
MAX_FILES: Final = 1_000
_DATABASE, _VERSION, _ENV, _RULES = "oibot.db", "VERSION", ".env", "rules/"
_RULE_FILE = re.compile(r"rules/[^/\0]{1,200}\.(yaml|yml|json)")


class Version(msgspec.Struct, frozen=True):
    """What wrote an archive."""

    oibot: str
    schema: int
    made_ms: int


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What an archive holds, the database as a file."""

    database: Path
    version: Version
    rules: Mapping[str, bytes] = field(default_factory=dict)
    """By name, without a folder."""
    env: bytes | None = None


def is_archive(path: Path) -> bool:
    """By its name."""
    return path.name.endswith(SUFFIXES)


@contextlib.contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, tarfile.TarError) as error:
        raise StorageError(f"{path}: {what}: {getattr(error, 'strerror', None) or error}") from error


def pack(target: Path, *, database: Path, rules: Path, env: Path | None, version: str, now_ms: int) -> list[str]:
    """Write an archive, whole or not at all; the names of what is in it. The database may be in use."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with _told(target, "cannot be written"), tempfile.TemporaryDirectory(dir=target.parent, prefix=".oibot-") as folder:
        copied = Path(folder) / _DATABASE
        copies.copy(database, copied)
        made = Version(version, copies.inspect(copied), now_ms)
        files = {_VERSION: msgspec.json.encode(made)}
        for path in sorted(rules.iterdir()) if rules.is_dir() else ():
            name = f"{_RULES}{path.name}"
            if path.is_file() and _RULE_FILE.fullmatch(name) and path.stat().st_size <= MAX_FILE_BYTES:
                files[name] = path.read_bytes()
        if env is not None:
            files[_ENV] = env.read_bytes()
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                with tarfile.open(fileobj=out, mode="w:gz") as tar:
                    for name, content in files.items():
                        tar.addfile(_entry(name, len(content), now_ms), io.BytesIO(content))
                    with copied.open("rb") as source:
                        tar.addfile(_entry(_DATABASE, copied.stat().st_size, now_ms), source)
                out.flush()
                os.fsync(out.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return [*files, _DATABASE]


def _entry(name: str, size: int, now_ms: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, now_ms // 1000, 0o600
    return entry


@contextlib.contextmanager
def unpacked(source: Path, *, folder: Path) -> Iterator[Unpacked]:
    """Open an archive; its database lies in a folder of its own below `folder` until the end.

    Raises `ConfigError` for what is no archive of ours, `StorageError` where it cannot be read.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked-") as place:
        with _told(source, "cannot be read"):
            found = _read(source, Path(place) / _DATABASE)
        yield found


def _read(source: Path, database: Path) -> Unpacked:
    rules: dict[str, bytes] = {}
    version, env = None, None
    with tarfile.open(source, mode="r:gz") as tar:
        for n, entry in enumerate(tar):
            content = tar.extractfile(entry) if entry.isreg() else None
            is_rule = _RULE_FILE.fullmatch(entry.name) is not None
            if content is None or n >= MAX_FILES or not (is_rule or entry.name in {_DATABASE, _VERSION, _ENV}):
                raise ConfigError(f"{source}: expected an archive of `oibot backup`, found {entry.name[:60]!r} in it")
            if entry.name == _DATABASE:
                free = shutil.disk_usage(database.parent).free
                if entry.size + copies.SPARE_BYTES > free:
                    raise StorageError(
                        f"{source}: its database needs {entry.size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free"
                    )
                _copy(content, database)
                continue
            if entry.size > MAX_FILE_BYTES:
                raise ConfigError(f"{source}: {entry.name[:60]!r} is larger than anything that `oibot backup` writes")
            text = content.read()
            if is_rule:
                rules[entry.name.removeprefix(_RULES)] = text
            elif entry.name == _ENV:
                env = text
            else:
                version = _version(source, text)
    if version is None or not database.exists():
        raise ConfigError(f"{source}: expected an archive of `oibot backup`, found one without version or database")
    return Unpacked(database, version, rules, env)


def _version(source: Path, text: bytes) -> Version:
    try:
        return msgspec.json.decode(text, type=Version)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigError(f"{source}: its version cannot be read") from None


def _copy(content: IO[bytes], target: Path) -> None:
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        shutil.copyfileobj(content, out)


def put_back(files: Mapping[str, bytes], folder: Path) -> list[str]:
    """Write files that are missing; those that differ from what is there beside it. What was done, for people."""
    said = []
    with _told(folder, "cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            target = folder / name
            if not target.exists():
                said.append(f"{target} is back.")
            elif target.read_bytes() == content:
                continue
            else:
                said.append(f"{target} is another now and stays; the one of the backup is {target.name}.restored.")
                target = target.with_name(f"{name}.restored")
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.write(content)
    return said
