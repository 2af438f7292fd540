"""Rule files on disk -> bytes, whatever somebody put there: pipes, devices, links and huge files are told, never read.

A folder is read without the folders inside it. A link in it is followed to a file inside the same folder (that is how
mounted configuration is laid out) and refused when it leads elsewhere; a file that is named itself is read wherever
its link leads.
"""

import os
import stat
from itertools import islice
from pathlib import Path
from typing import Final

from bot.rules.nodes import MAX_BYTES
from bot.rules.problems import Problem

MAX_FILES: Final = 200
MAX_ENTRIES: Final = 10_000
"""Entries of a folder that are looked at at all."""
OTHER_FILES: Final = frozenset({"destinations.yaml", "destinations.yml"})
"""Files of the rules folder that hold no rules."""


def rule_files(folder: Path) -> list[Path]:
    """The rule files of a folder, sorted by name; raises `OSError` where it cannot be read."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, MAX_ENTRIES)]
    return sorted(folder / name for name in names if Path(name).suffix in {".yaml", ".yml"} and name not in OTHER_FILES)


def read_rule_file(path: Path, *, inside: Path | None = None) -> bytes | Problem:
    """At most `MAX_BYTES` and one byte of a regular file, or why it is not read. Never waits for a pipe or device.

    `inside` is the folder that links must not leave; None for a file that was named itself.
    """
    try:
        if inside is not None and path.is_symlink() and not path.resolve().is_relative_to(inside.resolve()):
            return _unread(path, "it is a link to a file outside the folder", "copy the file into the folder")
        # Without O_NONBLOCK, opening a pipe waits for somebody to write into it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, RuntimeError, ValueError) as error:
        return _unread(path, getattr(error, "strerror", None) or "no file can have this name")
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return _unread(path, "it is no regular file")
        content = bytearray()
        while len(content) <= MAX_BYTES and (part := os.read(handle, MAX_BYTES + 1 - len(content))):
            content += part
        return bytes(content)
    except OSError as error:
        return _unread(path, error.strerror or "reading failed")
    finally:
        os.close(handle)


def read_rule_texts(folder: Path) -> dict[str, str]:
    """Name -> text of the rule files that can be read; what cannot be read gives no rules either."""
    texts: dict[str, str] = {}
    for path in rule_files(folder)[:MAX_FILES]:
        content = read_rule_file(path, inside=folder)
        if isinstance(content, bytes) and len(content) <= MAX_BYTES:
            try:
                texts[path.name] = content.decode("utf-8")
            except UnicodeDecodeError:
                continue
    return texts


def _unread(path: Path, why: str, hint: str = "") -> Problem:
    return Problem(str(path), 1, 1, "E115", f"cannot read the file: {why}", hint=hint)
