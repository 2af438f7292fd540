"""Which instruments are tracked, and the stable row of each.

A row number is the column of every array in the market. It is stable while the instrument lives; when it leaves the
venue the row is free for a later listing, whose windows start empty. A symbol that comes back with another onboard
time is a new instrument: old history in its window would make a false jump.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.model.instrument import Instrument

GONE = frozenset({"SETTLING", "CLOSE", "DELIVERED", "DELIVERING", "PRE_SETTLE"})
"""Venue statuses of a contract that will not trade again. Any other status but TRADING is a halt."""


QUARANTINE_MS = 60_000
"""A freed row is not given away before: samples of its last tenant may still be on their way."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What a list or a change did: rows that appeared, disappeared, and changed in place."""

    added: tuple[int, ...] = ()
    removed: tuple[tuple[int, Instrument], ...] = ()
    changed: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class VenueRows:
    """The `Rows` port for one venue."""

    def __init__(self, universe: "Universe", venue: str) -> None:
        self._universe = universe
        self._venue = venue

    @property
    def generation(self) -> int:
        return self._universe.generation

    def row(self, symbol: str) -> int | None:
        return self._universe.row(f"{self._venue}:{symbol}")

    def instruments(self) -> Sequence[tuple[int, Instrument]]:
        return [(row, i) for row, i in self._universe.items() if i.venue == self._venue]


class Universe:
    """All tracked instruments of all venues."""

    def __init__(self) -> None:
        self.generation = 0
        self._by_row: list[Instrument | None] = []
        self._row_of: dict[str, int] = {}
        self._free: list[tuple[int, int]] = []
        """(since when, row), oldest first."""

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def n_rows(self) -> int:
        """One past the highest row ever used."""
        return len(self._by_row)

    def row(self, key: str) -> int | None:
        return self._row_of.get(key)

    def at(self, row: int) -> Instrument | None:
        """The instrument of a row; None for a free one, and for -1, where there is none."""
        return self._by_row[row] if 0 <= row < len(self._by_row) else None

    def items(self) -> Iterable[tuple[int, Instrument]]:
        """Tracked instruments with their rows, in row order."""
        return ((row, i) for row, i in enumerate(self._by_row) if i is not None)

    def venue(self, venue: str) -> VenueRows:
        return VenueRows(self, venue)

    def load(self, items: Iterable[tuple[int, Instrument]]) -> None:
        """Take rows as they were elsewhere, as at the head of a journal. Only on an empty universe."""
        assert not self._row_of
        for row, instrument in items:
            self._by_row += [None] * (row + 1 - len(self._by_row))
            self._by_row[row] = instrument
            self._row_of[instrument.key] = row
        self._free = [(0, row) for row, i in enumerate(self._by_row) if i is None]
        self.generation += 1

    def apply_list(self, venue: str, instruments: Sequence[Instrument], now_ms: int = 0) -> Diff:
        """Take a venue's full list: what is not in it, or is gone by its status, is removed."""
        listed = {i.key: i for i in instruments}
        removed = [
            self._remove(row, now_ms)
            for row, known in list(self.items())
            if known.venue == venue and (known.key not in listed or listed[known.key].status in GONE)
        ]
        added: list[int] = []
        changed: list[int] = []
        for instrument in instruments:
            self._merge(instrument, added, removed, changed, now_ms)
        return self._bump(Diff(tuple(added), tuple(removed), tuple(changed)))

    def apply_change(self, instrument: Instrument, now_ms: int = 0) -> Diff:
        """Take news of one contract."""
        added: list[int] = []
        removed: list[tuple[int, Instrument]] = []
        changed: list[int] = []
        self._merge(instrument, added, removed, changed, now_ms)
        return self._bump(Diff(tuple(added), tuple(removed), tuple(changed)))

    def _merge(
        self,
        instrument: Instrument,
        added: list[int],
        removed: list[tuple[int, Instrument]],
        changed: list[int],
        now_ms: int,
    ) -> None:
        row = self._row_of.get(instrument.key)
        if row is not None:
            known = self._by_row[row]
            if instrument.status in GONE or (known is not None and known.onboard_ms != instrument.onboard_ms):
                removed.append(self._remove(row, now_ms))
                row = None
            elif known != instrument:
                self._by_row[row] = instrument
                changed.append(row)
        if row is None and instrument.is_trading:
            added.append(self._add(instrument, now_ms))

    def _add(self, instrument: Instrument, now_ms: int) -> int:
        if self._free and now_ms - self._free[0][0] >= QUARANTINE_MS:
            _, row = self._free.pop(0)
            self._by_row[row] = instrument
        else:
            row = len(self._by_row)
            self._by_row.append(instrument)
        self._row_of[instrument.key] = row
        return row

    def _remove(self, row: int, now_ms: int) -> tuple[int, Instrument]:
        instrument = self._by_row[row]
        assert instrument is not None
        self._by_row[row] = None
        del self._row_of[instrument.key]
        self._free.append((now_ms, row))
        return row, instrument

    def _bump(self, diff: Diff) -> Diff:
        if diff:
            self.generation += 1
        return diff
