"""Parts on the disk: writing them, reading them, and setting aside those that are damaged.

A part is written beside the others, brought to the disk, given its name, and only then entered in the index. Nothing is ever
changed in it. Reading and writing loads pyarrow.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np

from bot import log
from bot.errors import StorageError
from bot.history.files import Files
from bot.history.painting import Sorted
from bot.model.history import BarRows
from bot.model.history_ports import KINDS, HistoryIndex, PartInfo, kind_of

PARTS: Final = "parts"
LOCK: Final = "lock"
BAD: Final = ".bad"
TEMPORARY: Final = "tmp-"
ENDING: Final = ".parquet"
_log = log.get("history")


class VanishedError(Exception):
    """A part is not there any more: look at the index anew."""


def rank(part: PartInfo) -> tuple[int, int, str]:
    """What is painted later counts."""
    return KINDS.index(part.kind), part.seq, part.name


class Parts:
    """The folder of parts and their index. Raises `StorageError` where the disk or the index refuse."""

    def __init__(self, folder: Path, index: HistoryIndex, *, files: Files | None = None) -> None:
        self.folder = folder
        self.index = index
        self.files = files if files is not None else Files()
        self.parts_folder = folder / PARTS
        try:
            self.parts_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder}: cannot make the folder of the history: {error.strerror}") from error

    def write(self, pieces: Iterable[Sorted], *, source: str, first_ms: int, place: str = "") -> PartInfo | None:
        """A file that the index does not know yet; None where there is nothing to write."""
        token = os.urandom(6).hex()
        day = np.datetime64(first_ms, "ms").astype("datetime64[D]")
        name = f"{kind_of(source)}-{day}-{token}{ENDING}"
        temporary, path = self.parts_folder / f"{TEMPORARY}{token}", self.parts_folder / name
        try:
            written = _parquet().write(temporary, pieces, source=source, place=place)
            if written is None:
                return None
            n_bytes = temporary.stat().st_size
            self.files.rename(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StorageError(f"{path}: cannot write: {error.strerror or error}") from error
        except Exception:
            temporary.unlink(missing_ok=True)
            raise
        return PartInfo(name, source, written.keys, written.spans, written.n_rows, n_bytes, written.digest, place)

    def read(
        self, part: PartInfo, keys: frozenset[str] | None, after_ms: int, until_ms: int, columns: Sequence[str]
    ) -> Iterator[BarRows]:
        """Bars of one part. One that is damaged is set aside and said; then `VanishedError`, as for one that others replaced."""
        parquet = _parquet()
        path = self.parts_folder / part.name
        try:
            yield from parquet.read(path, keys=keys, after_ms=after_ms, until_ms=until_ms, columns=columns)
        except FileNotFoundError:
            if any(other.name == part.name for other in self.index.parts()):
                _log.warning("history.part_missing", file=part.name, rows=part.n_rows, then="its bars are lost")
                self._lose(part)
            raise VanishedError from None
        except OSError as error:
            raise StorageError(f"{path}: cannot read: {error.strerror}") from error
        except parquet.DamagedPartError as error:
            self.set_aside(path, str(error))
            self._lose(part)
            raise VanishedError from None

    def _lose(self, part: PartInfo) -> None:
        """Its bars are lost. Files that they may have come from can be taken in anew."""
        self.index.swap([part.name], [])
        if part.kind == "import":
            self.index.forget_files()

    def set_aside(self, path: Path, reason: str) -> None:
        """Keep a file that cannot be read for whoever wants to look into it, out of the way."""
        try:
            path.rename(path.with_name(path.name + BAD))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"{path}: damaged, and it cannot be moved: {error.strerror}") from error
        _log.warning("history.part_set_aside", reason=reason, file=path.name + BAD, then="its bars are left out")

    def inspected(self, path: Path) -> PartInfo | None:
        """What a file says of itself; None, and it is set aside, where it is no part."""
        parquet = _parquet()
        try:
            found: PartInfo = parquet.info(path)
        except OSError as error:
            raise StorageError(f"{path}: cannot read: {error.strerror}") from error
        except parquet.DamagedPartError as error:
            self.set_aside(path, str(error))
            return None
        return found


def _parquet() -> ModuleType:
    from bot.history import parquet  # noqa: PLC0415, it loads pyarrow, which only who reads or writes pays for

    return parquet
