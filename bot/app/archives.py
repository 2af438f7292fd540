"""Backups of everything in one file: database, rules, version and, if asked for, secrets; as `.tar.gz`, readable by its owner alone.

An archive comes from anywhere, so nothing in it is believed: only files with the names that we write are taken, and none is
written to where its name leads.
"""

import contextlib
import gzip
import io
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import msgspec

from bot.errors import ConfigError, StorageError
from bot.rules.files import TESTS
from bot.storage import copies

SUFFIXES: Final = (".tar.gz", ".tgz")
MAX_FILE_BYTES: Final = 16_000_000
"""Of rules, settings and secrets."""
MAX_FILES: Final = 1_000
_DATABASE, _VERSION, _ENV, _RULES = "oibot.db", "VERSION", ".env", "rules/"
_CREDENTIALS: Final = "credentials/"
_RULE_FILE = re.compile(r"rules/(tests/)?[^/\0]{1,200}\.(yaml|yml|json)")
_CREDENTIAL_FILE = re.compile(r"credentials/(?!\.)(?=[^/]*__)[^/\0]{1,200}")
"""Only what is named like a setting is read from there."""


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
    credentials: Mapping[str, bytes] = field(default_factory=dict)
    """Files of secrets by name, without a folder."""
    env: bytes | None = None


def is_archive(path: Path) -> bool:
    """By its name."""
    return path.name.endswith(SUFFIXES)


@contextlib.contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise StorageError(f"{path}: {what}: {getattr(error, 'strerror', None) or error}") from error


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where secrets are; either may be absent."""

    env: Path
    credentials: Path
    """Folder with a file per secret."""

    def exist(self) -> bool:
        """Whether there is anything to pack."""
        with _told(self.credentials, "cannot be read"):
            return self.env.is_file() or bool(_files(self.credentials, _CREDENTIALS, _CREDENTIAL_FILE))


def _files(folder: Path, prefix: str, wanted: re.Pattern[str]) -> dict[str, Path]:
    """What is packed of a folder, by its name in the archive."""
    found = {f"{prefix}{path.name}": path for path in sorted(folder.iterdir())} if folder.is_dir() else {}
    return {
        name: path
        for name, path in found.items()
        if path.is_file() and wanted.fullmatch(name) and path.stat().st_size <= MAX_FILE_BYTES
    }


def pack(target: Path, *, database: Path, rules: Path, secrets: Secrets | None, version: str, now_ms: int) -> list[str]:
    """Write an archive, whole or not at all; the names of what is in it. The database may be in use."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with _told(target, "cannot be written"), tempfile.TemporaryDirectory(dir=target.parent, prefix=".oibot-") as folder:
        copied = Path(folder) / _DATABASE
        copies.copy(database, copied)
        made = Version(version, copies.inspect(copied), now_ms)
        files = {_VERSION: msgspec.json.encode(made)}
        paths = _files(rules, _RULES, _RULE_FILE) | _files(rules / TESTS, f"{_RULES}{TESTS}/", _RULE_FILE)
        if secrets is not None:
            paths |= _files(secrets.credentials, _CREDENTIALS, _CREDENTIAL_FILE)
            paths |= {_ENV: secrets.env} if secrets.env.is_file() else {}
        files |= {name: path.read_bytes() for name, path in paths.items()}
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
    credentials: dict[str, bytes] = {}
    version, env = None, None
    with gzip.open(source) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for n, entry in enumerate(tar):
            content = tar.extractfile(entry) if entry.isreg() else None
            if content is None or n >= MAX_FILES or not _is_ours(entry.name):
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
            if entry.name.startswith(_RULES):
                rules[entry.name.removeprefix(_RULES)] = text
            elif entry.name.startswith(_CREDENTIALS):
                credentials[entry.name.removeprefix(_CREDENTIALS)] = text
            elif entry.name == _ENV:
                env = text
            else:
                version = _version(source, text)
        # The checksum stands behind the padding, which a tar reader leaves alone.
        stream.read(MAX_FILE_BYTES)
    if version is None or not database.exists():
        raise ConfigError(f"{source}: expected an archive of `oibot backup`, found one without version or database")
    return Unpacked(database, version, rules, credentials, env)


def _is_ours(name: str) -> bool:
    named = name in {_DATABASE, _VERSION, _ENV}
    return named or any(wanted.fullmatch(name) for wanted in (_RULE_FILE, _CREDENTIAL_FILE))


def _version(source: Path, text: bytes) -> Version:
    try:
        return msgspec.json.decode(text, type=Version)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigError(f"{source}: its version cannot be read") from None


def _copy(content: IO[bytes], target: Path) -> None:
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        shutil.copyfileobj(content, out)


def put_back(files: Mapping[str, bytes], folder: Path, *, is_secret: bool = False) -> list[str]:
    """Write files that are missing; those that differ from what is there beside it. What was done, for people.

    Rules may be read by everybody whom the umask lets: the service's user is another than who restores.
    """
    mode = 0o600 if is_secret else 0o666
    said = []
    for name, content in files.items():
        target = folder / name
        aside = target.with_name(f"{target.name}.restored")
        said += _put_back(target, content, aside, mode=mode, folder_mode=0o777)
    return said


def put_back_credentials(files: Mapping[str, bytes], folder: Path) -> list[str]:
    """The same for a folder of secrets. What differs goes into a folder beside: all in this one is taken for settings."""
    said = []
    for name, content in files.items():
        aside = folder.with_name(f"{folder.name}.restored") / name
        said += _put_back(folder / name, content, aside, mode=0o600, folder_mode=0o700)
    return said


def _put_back(target: Path, content: bytes, aside: Path, *, mode: int, folder_mode: int) -> list[str]:
    with _told(target, "cannot be written"):
        if not target.exists():
            said = f"{target} is back."
        elif target.read_bytes() == content:
            return []
        else:
            beside = aside.name if aside.parent == target.parent else str(aside)
            said = f"{target} is another now and stays; the one of the backup is {beside}."
            target = aside
        target.parent.mkdir(mode=folder_mode, parents=True, exist_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as out:
            out.write(content)
    return [said]
