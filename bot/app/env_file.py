"""Writing settings into `.env` without touching what else stands there.

Named values are replaced where they stand, or added at the end; comments, order and everything else stay as they are. The
file appears whole or not at all, and only its owner can read it.
"""

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bot.errors import ConfigError

HEADER: Final = "# Settings of oibot; .env.example explains them all. Keep this file to yourself: it holds secrets.\n"
_NAME = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=", re.ASCII)


def merged(text: str, values: Mapping[str, str]) -> str:
    """The text with these settings. Where a name stands twice the last one counts, so that one is replaced."""
    lines = (text or HEADER).splitlines(keepends=True)
    ending = "\r\n" if lines[0].endswith("\r\n") else "\n"
    at = {found[1].upper(): n for n, one in enumerate(lines) if (found := _NAME.match(one))}
    for name, value in values.items():
        if any(ord(char) < 32 for char in value):
            raise ConfigError(f"{name}: expected one line of text, found control characters")
        fresh = f"{name}={value}{ending}"
        if name.upper() in at:
            lines[at[name.upper()]] = fresh
            continue
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += ending
        lines.append(fresh)
    return "".join(lines)


def write(path: Path, values: Mapping[str, str]) -> bool:
    """Put settings into a file, made if missing; False where nothing had to change. A link is followed.

    Raises `ConfigError` where the file cannot be read or written.
    """
    target = path.resolve()
    try:
        before = target.read_bytes().decode() if target.exists() else ""
        after = merged(before, values)
        if target.exists():
            target.chmod(0o600)
        if after == before:
            return False
        fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(after.encode())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(target)
        finally:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text, found something else; move it away") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return True
