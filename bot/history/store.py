"""The history on the disk: bars of all instruments in parts, an index of them, and grids to compute with.

A part is written beside the others, brought to the disk, given its name, and only then entered in the index; whatever a crash
leaves lying is found by `recover`. Nothing is ever changed in a part: bars that come later lie in another one and count in
its place when they are read, by the rank of their source (`bot.model.history_ports.KINDS`) and then by the time at which they were
added. Any number of processes may read, add and tidy up at the same time.

Synchronous, and for workers and commands only: reading and writing loads pyarrow.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np

from bot import log
from bot.errors import StorageError
from bot.history.coarsening import coarser
from bot.history.content import Digest
from bot.history.files import Files
from bot.history.guessing import guessed
from bot.history.painting import Sorted, paint, sorted_rows, with_anchors
from bot.model.history import BAR_MS, BarGrid, BarRows
from bot.model.history_ports import KINDS, HistoryIndex, PartInfo, kind_of
from bot.model.instrument import Instrument
from bot.model.updates import F64, I64

PARTS: Final = "parts"
LOCK: Final = "lock"
BAD: Final = ".bad"
TEMPORARY: Final = "tmp-"
ENDING: Final = ".parquet"
DAY_MS: Final = 86_400_000
_MAX_LOOKS: Final = 20
_log = log.get("history")


class Store:
    """One folder of history. Raises `StorageError` where the disk or the index refuse."""

    def __init__(self, folder: Path, index: HistoryIndex, *, files: Files | None = None) -> None:
        """Open a folder; nothing is read or written yet but that it is made where it is missing."""
        self.folder = folder
        self.index = index
        self._files = files if files is not None else Files()
        self._parts = folder / PARTS
        try:
            self._parts.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder}: cannot make the folder of the history: {error.strerror}") from error

    # -- adding --------------------------------------------------------------------------------------------------

    def add(self, rows: BarRows, *, source: str) -> PartInfo:
        """Put bars down; they are on the disk when this returns. The same bars of the same kind a second time add nothing.

        Where a row stands twice, what it said first counts. Raises `ValueError` where a close is no whole minute, where there is
        no bar, or where the source is of no kind.
        """
        kind = kind_of(source)
        tidy = sorted_rows([rows], first_counts=True)
        if not tidy.n:
            raise ValueError("expected bars, found none in which anything is known")
        digest = Digest()
        digest.update(tidy)
        known = self.index.find(source, digest.text())
        if known is not None and (self._parts / known.name).exists():
            return known
        with self._files.locked(self.folder / LOCK, alone=False):
            part = self.write_part([tidy], source=source, kind=kind, first_ms=int(tidy.minute.min()) * BAR_MS)
            assert part is not None
            return self.index.add(part)

    def write_part(
        self, pieces: Iterator[Sorted] | Sequence[Sorted], *, source: str, kind: str, first_ms: int, place: str = ""
    ) -> PartInfo | None:
        """A file that the index does not know yet; None where there is nothing to write."""
        token = os.urandom(6).hex()
        day = np.datetime64(first_ms, "ms").astype("datetime64[D]")
        name = f"{kind}-{day}-{token}{ENDING}"
        temporary, path = self._parts / f"{TEMPORARY}{token}", self._parts / name
        try:
            written = _parquet().write(temporary, pieces, source=source, place=place)
            if written is None:
                return None
            n_bytes = temporary.stat().st_size
            self._files.rename(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StorageError(f"{path}: cannot write: {error.strerror or error}") from error
        return PartInfo(name, source, written.keys, written.spans, written.n_rows, n_bytes, written.digest, place)

    def know(self, instruments: Sequence[Instrument]) -> None:
        """Say what instruments are; of those nobody described, the symbol tells what it can."""
        self.index.know(instruments)

    # -- reading -------------------------------------------------------------------------------------------------

    def keys(self, from_ms: int, to_ms: int) -> tuple[str, ...]:
        """Instruments that may have bars then, ascending."""
        return tuple(sorted({key for part in self.index.parts(after_ms=from_ms, until_ms=to_ms) for key in part.keys}))

    def grid(
        self, keys: Sequence[str] | None, from_ms: int, to_ms: int, columns: Sequence[str], *, step_ms: int = BAR_MS
    ) -> BarGrid:
        """Bars with a close in (from_ms, to_ms], so that stretches that follow each other share none.

        Takes T * N * 8 bytes for each column, and for the rest of its group (see `bot.history.painting`). Long times are read in
        chunks of days, best of weeks.

        Args:
            keys: Instruments, in the order wanted; None: all that have bars then, by key.
            from_ms: Any time; epoch milliseconds.
            to_ms: Any time.
            columns: Of `COLUMNS`.
            step_ms: A whole multiple of a minute; see `bot.history.coarsening`.

        Raises:
            ValueError: For a step that is no whole number of minutes.
        """
        if step_ms < BAR_MS or step_ms % BAR_MS:
            raise ValueError(f"step: expected a whole number of minutes, found {step_ms} ms")
        chosen = self.keys(from_ms, to_ms) if keys is None else tuple(keys)
        first, last = from_ms // step_ms + 1, to_ms // step_ms
        closes = np.arange(first, max(last, first - 1) + 1, dtype=np.int64) * step_ms
        names = list(dict.fromkeys(columns))
        if step_ms == BAR_MS:
            cells = self._read(chosen, closes, with_anchors(names))
        else:
            cells = coarser(closes, step_ms, names, lambda some, wanted: self._read(chosen, some, wanted), len(chosen))
        return BarGrid(self._instruments(chosen), closes, step_ms, {name: cells[name] for name in names})

    def _read(self, keys: Sequence[str], closes: I64, names: Sequence[str]) -> dict[str, F64]:
        """Cells of minutes that follow each other."""
        for _ in range(_MAX_LOOKS):
            cells = {name: np.full((len(closes), len(keys)), np.nan) for name in with_anchors(names)}
            if not len(closes) or not len(keys) or self._fill(cells, keys, closes):
                return cells
        raise StorageError(
            f"{self.folder}: parts of the history vanish while they are read; is another program at work there?"
        )

    def _fill(self, cells: dict[str, F64], keys: Sequence[str], closes: I64) -> bool:
        """False where parts changed meanwhile, and all has to be read anew."""
        first_ms, last_ms = int(closes[0]), int(closes[-1])
        column_of = {key: at for at, key in enumerate(keys)}
        flat = {name: cell.reshape(-1) for name, cell in cells.items()}
        for piece in self.pieces(frozenset(keys), first_ms - BAR_MS, last_ms, tuple(cells)):
            if piece is None:
                return False
            column = np.array([column_of.get(key, 0) for key in piece.keys], dtype=np.int64)
            where = (piece.close_ms - first_ms) // BAR_MS * len(keys) + column[piece.row]
            paint(flat, where, piece.columns)
        return True

    def pieces(
        self, keys: frozenset[str] | None, after_ms: int, until_ms: int, columns: Sequence[str]
    ) -> Iterator[BarRows | None]:
        """Bars with a close in (after_ms, until_ms], part by part: what comes later counts. None: begin anew."""
        found = self.index.parts(after_ms=after_ms, until_ms=until_ms)
        for part in sorted(found, key=rank):
            if keys is not None and keys.isdisjoint(part.keys):
                continue
            try:
                yield from self.read_part(part, keys, after_ms, until_ms, columns)
            except VanishedError:
                yield None
                return

    def read_part(
        self, part: PartInfo, keys: frozenset[str] | None, after_ms: int, until_ms: int, columns: Sequence[str]
    ) -> Iterator[BarRows]:
        """Bars of one part. One that is damaged is set aside and said; then `VanishedError`, as for one that others replaced."""
        parquet = _parquet()
        path = self._parts / part.name
        try:
            yield from parquet.read(path, keys=keys, after_ms=after_ms, until_ms=until_ms, columns=columns)
        except FileNotFoundError:
            if any(other.name == part.name for other in self.index.parts()):
                _log.warning("history.part_missing", file=part.name, rows=part.n_rows, then="its bars are lost")
                self.index.swap([part.name], [])
            raise VanishedError from None
        except OSError as error:
            raise StorageError(f"{path}: cannot read: {error.strerror}") from error
        except parquet.DamagedPartError as error:
            self.set_aside(path, str(error))
            self.index.swap([part.name], [])
            raise VanishedError from None

    def set_aside(self, path: Path, reason: str) -> None:
        """Keep a file that cannot be read for whoever wants to look into it, out of the way."""
        try:
            path.rename(path.with_name(path.name + BAD))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"{path}: damaged, and it cannot be moved: {error.strerror}") from error
        _log.warning("history.part_set_aside", reason=reason, file=path.name + BAD, then="its bars are left out")

    def _instruments(self, keys: Sequence[str]) -> tuple[Instrument, ...]:
        known = {instrument.key: instrument for instrument in self.index.instruments()}
        return tuple(known.get(key) or guessed(key) for key in keys)


class VanishedError(Exception):
    """A part is not there any more: look at the index anew."""


def rank(part: PartInfo) -> tuple[int, int, str]:
    """What is painted later counts."""
    return KINDS.index(part.kind), part.seq, part.name


def _parquet() -> ModuleType:
    from bot.history import parquet  # noqa: PLC0415, it loads pyarrow, which only who reads or writes pays for

    return parquet
