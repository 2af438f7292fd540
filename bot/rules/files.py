"""Rule files on disk -> bytes, whatever somebody put there: pipes, devices, links and huge files are told, never read.

A folder is read without the folders inside it. A link in it is followed to a file inside the same folder (that is how
mounted configuration is laid out) and refused when it leads elsewhere; a file that is named itself is read wherever
its link leads.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from bot.rules.nodes import MAX_BYTES
from bot.rules.problems import Problem

MAX_FILES: Final = 200
MAX_ENTRIES: Final = 10_000
"""Entries of a folder that are looked at at all."""
_MAX_HELD: Final = 8 * MAX_BYTES
"""Bytes of one folder that are held at a time; more is refused anyway."""
TESTS: Final = "tests"
"""Folder beside the rule files in which their tests lie."""
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


def _unread(path: Path, why: str, hint: str = "") -> Problem:
    return Problem(str(path), 1, 1, "E115", f"cannot read the file: {why}", hint=hint)


@dataclass(frozen=True, slots=True)
class FolderContent:
    """A rules folder as it was read, before anybody has looked into its files."""

    folder: Path
    rules: Mapping[Path, bytes | Problem]
    """In the order of names; what was not read says why."""
    destinations: Mapping[Path, bytes | Problem]
    """None, one, or two of which the second is one too many."""
    problem: Problem | None = None
    """Why the folder itself could not be read."""

    @property
    def texts(self) -> dict[str, str]:
        """Name -> text of the rule files that can be read; what cannot be read gives no rules either."""
        found: dict[str, str] = {}
        for path, content in self.rules.items():
            if isinstance(content, bytes) and len(content) <= MAX_BYTES:
                with contextlib.suppress(UnicodeDecodeError):
                    found[path.name] = content.decode("utf-8")
        return found

    @property
    def digest(self) -> str:
        """Of everything that was read."""
        whole = hashlib.sha256(repr(self.problem).encode())
        for path, content in (*self.rules.items(), *self.destinations.items()):
            data = content if isinstance(content, bytes) else repr(content).encode("utf-8", "replace")
            whole.update(f"{path.name!r} {len(data)} ".encode() + data)
        return whole.hexdigest()


def read_folder(folder: Path) -> FolderContent:
    """Read the files of a rules folder; never raises."""
    try:
        paths = rule_files(folder)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no folder can have this name"
        return FolderContent(folder, {}, {}, Problem(str(folder), 1, 1, "E115", f"cannot read the folder: {why}"))
    rules: dict[Path, bytes | Problem] = {}
    left = _MAX_HELD
    for path in paths[: MAX_FILES + 1]:
        content = (
            read_rule_file(path, inside=folder) if left > 0 else _unread(path, "the files before it are too large")
        )
        left -= len(content) if isinstance(content, bytes) else 0
        rules[path] = content
    others = [folder / name for name in sorted(OTHER_FILES)]
    return FolderContent(folder, rules, {path: read_rule_file(path) for path in others if _is_there(path)})


def folder_mark(folder: Path) -> str:
    """Changes when a file of the folder is written, made, renamed or removed; costs no reading. Never raises."""
    try:
        paths = rule_files(folder)
    except (OSError, ValueError) as error:
        return repr(error)
    others = [folder / name for name in sorted(OTHER_FILES)]
    return "\n".join(_mark(path) for path in (*paths[: MAX_FILES + 1], *others))


def _is_there(path: Path) -> bool:
    """Also a link that leads nowhere."""
    try:
        path.lstat()
    except (OSError, ValueError):
        return False
    return True


def _mark(path: Path) -> str:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        return f"{path.name!r} {getattr(error, 'errno', None)}"
    return f"{path.name!r} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_mode}"
