"""The history on the disk: bars of all instruments in parts, an index of them, and grids to compute with.

Bars that come later lie in another part and count in the place of others when they are read, by the rank of their source
(`bot.model.history_ports.KINDS`) and then by the time at which they were added. What the bot has only in its log of this hour
is read from there. Whatever a crash leaves lying is found by `recover`. Any number of processes may read, add and tidy up at
the same time.

Synchronous, and for workers and commands only.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bot.errors import StorageError
from bot.history import bar_log, tidying
from bot.history.coarsening import coarser
from bot.history.content import Digest
from bot.history.files import Files
from bot.history.guessing import guessed
from bot.history.painting import paint, sorted_rows, with_anchors
from bot.history.parts import LOCK, Parts, VanishedError, rank
from bot.history.stock import Stock, joined, stock_of
from bot.history.tidying import Tidied
from bot.model.history import BAR_MS, BarGrid, BarRows
from bot.model.history_ports import HistoryIndex, PartInfo, Spans, kind_of
from bot.model.instrument import Instrument
from bot.model.updates import F64, I64

_MAX_LOOKS: Final = 20
_FOR_EVER_MS: Final = 1 << 53


class Store:
    """One folder of history. Raises `StorageError` where the disk or the index refuse."""

    def __init__(self, folder: Path, index: HistoryIndex, *, files: Files | None = None) -> None:
        """Open a folder; nothing is read or written yet but that it is made where it is missing."""
        self.folder = folder
        self.index = index
        self._parts = Parts(folder, index, files=files)

    # -- adding --------------------------------------------------------------------------------------------------

    def add(self, rows: BarRows | Sequence[BarRows], *, source: str, latest_counts: bool = False) -> PartInfo:
        """Put bars down; they are on the disk when this returns. The same bars of the same kind a second time add nothing.

        Where a cell stands twice, what was said first counts, or with `latest_counts` what was said last. Raises `ValueError`
        where a close is no whole minute, where there is no bar, or where the source is of no kind.
        """
        kind_of(source)
        tidy = sorted_rows([rows] if isinstance(rows, BarRows) else rows, first_counts=not latest_counts)
        if not tidy.n:
            raise ValueError("expected bars, found none in which anything is known")
        digest = Digest()
        digest.update(tidy)
        known = self.index.find(source, digest.text())
        if known is not None and (self._parts.parts_folder / known.name).exists():
            return known
        with self._parts.files.locked(self.folder / LOCK, alone=False):
            part = self._parts.write([tidy], source=source, first_ms=int(tidy.minute.min()) * BAR_MS)
            assert part is not None
            return self.index.add(part)

    def know(self, instruments: Sequence[Instrument]) -> None:
        """Say what instruments are; of those nobody described, the symbol tells what it can."""
        self.index.know(instruments)

    # -- reading -------------------------------------------------------------------------------------------------

    def keys(self, from_ms: int, to_ms: int) -> tuple[str, ...]:
        """Instruments that have bars then, or in the days around it; ascending."""
        fresh = bar_log.rows_of(self.folder, from_ms, to_ms)  # first, see `_pieces`
        found = {key for part in self.index.parts(after_ms=from_ms, until_ms=to_ms) for key in part.keys}
        for rows in fresh:
            found.update(rows.keys)
        return tuple(sorted(found))

    def spans(self, keys: Sequence[str]) -> Spans:
        """When there may be bars of any of these instruments, ascending: what is said of a part holds for all that are in it."""
        fresh = bar_log.rows_of(self.folder, 0, _FOR_EVER_MS, frozenset(keys))  # first, see `_pieces`
        found = [span for part in self.index.parts() if not set(keys).isdisjoint(part.keys) for span in part.spans]
        return joined([*found, *((int(rows.close_ms.min()), int(rows.close_ms.max())) for rows in fresh)])

    def instruments(self, keys: Sequence[str]) -> tuple[Instrument, ...]:
        """What they are, in the same order."""
        known = {instrument.key: instrument for instrument in self.index.instruments()}
        return tuple(known.get(key) or guessed(key) for key in keys)

    def grid(
        self, keys: Sequence[str] | None, from_ms: int, to_ms: int, columns: Sequence[str], *, step_ms: int = BAR_MS
    ) -> BarGrid:
        """Bars with a close in (from_ms, to_ms], so that stretches that follow each other share none.

        Takes T * N * 8 bytes for each column, and for the first of its group (see `bot.history.painting`). Long times are read in
        chunks of days, best of weeks.

        Args:
            keys: Instruments, in the order wanted; None: all that have bars then, by key.
            from_ms: Any time; epoch milliseconds.
            to_ms: Any time.
            columns: Of `COLUMNS`.
            step_ms: A whole multiple of a minute; see `bot.history.coarsening`.

        Raises:
            ValueError: For a step that is no whole number of minutes, or an instrument that stands twice.
        """
        if step_ms < BAR_MS or step_ms % BAR_MS:
            raise ValueError(f"step: expected a whole number of minutes, found {step_ms} ms")
        chosen = self.keys(from_ms, to_ms) if keys is None else tuple(keys)
        if len(set(chosen)) < len(chosen):
            raise ValueError("keys: expected each instrument once")
        first, last = from_ms // step_ms + 1, to_ms // step_ms
        closes = np.arange(first, max(last, first - 1) + 1, dtype=np.int64) * step_ms
        names = list(dict.fromkeys(columns))
        if step_ms == BAR_MS:
            cells = self._cells(chosen, closes, names)
        else:
            cells = coarser(closes, step_ms, names, lambda some, wanted: self._cells(chosen, some, wanted), len(chosen))
        return BarGrid(self.instruments(chosen), closes, step_ms, {name: cells[name] for name in names})

    def _cells(self, keys: Sequence[str], closes: I64, names: Sequence[str]) -> Mapping[str, F64]:
        """Cells of minutes that follow each other."""
        for _ in range(_MAX_LOOKS):
            cells: dict[str, F64] = {name: np.full((len(closes), len(keys)), np.nan) for name in with_anchors(names)}
            try:
                if len(closes) and len(keys):
                    self._fill(cells, keys, closes)
            except VanishedError:
                continue
            return cells
        raise StorageError(
            f"{self.folder}: parts of the history vanish while they are read; what else is at work there?"
        )

    def _fill(self, cells: Mapping[str, F64], keys: Sequence[str], closes: I64) -> None:
        first_ms, last_ms = int(closes[0]), int(closes[-1])
        column_of = {key: at for at, key in enumerate(keys)}
        flat = {name: cell.reshape(-1) for name, cell in cells.items()}
        for piece in self._pieces(frozenset(keys), first_ms - BAR_MS, last_ms, tuple(cells)):
            column = np.array([column_of.get(key, -1) for key in piece.keys], dtype=np.int64)[piece.row]
            where = (piece.close_ms - first_ms) // BAR_MS * len(keys) + column
            paint(flat, where, piece.columns)

    def _pieces(self, keys: frozenset[str], after_ms: int, until_ms: int, columns: Sequence[str]) -> Iterator[BarRows]:
        """What comes later counts. Logs are read first: what becomes a part meanwhile is then seen twice, and not never."""
        fresh = bar_log.rows_of(self.folder, after_ms, until_ms, keys)
        for part in sorted(self.index.parts(after_ms=after_ms, until_ms=until_ms), key=rank):
            if not keys.isdisjoint(part.keys):
                yield from self._parts.read(part, keys, after_ms, until_ms, columns)
        yield from fresh

    # -- keeping in order ----------------------------------------------------------------------------------------

    def status(self) -> Stock:
        """What lies there."""
        return stock_of(self._parts)

    def compact(self, *, before_ms: int) -> Tidied:
        """Put parts together: of what the bot saw itself whole days that ended by then, else everything."""
        return tidying.compact(self._parts, before_ms=before_ms)

    def prune(self, *, live_before_ms: int | None, imported_before_ms: int | None = None) -> Tidied:
        """Throw away what ended by then. What was imported or filled in goes only when a time for it is given."""
        return tidying.prune(self._parts, live_before_ms=live_before_ms, imported_before_ms=imported_before_ms)

    def recover(self) -> Tidied:
        """Clear up what a crash left; at the start of whoever writes."""
        return tidying.recover(self._parts)
