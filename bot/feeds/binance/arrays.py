"""The two arrays that come every second, from bytes to columns: mark prices and mini tickers.

Promises: one decode per frame where the frame is as documented, and a slower reading row by row where it is not, so a
bad row costs only itself. Rows of other markets and of symbols that are not tracked are dropped and counted. Never
raises for a frame of any content; the readers answer None for one that holds no readable row.

The arrays of rows and of funding times are shared between messages and read-only.
"""

import math
from dataclasses import dataclass
from itertools import compress
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from bot.errors import PayloadError
from bot.feeds.binance.constants import USDM_MARKET
from bot.feeds.binance.decoding import UNREADABLE, Loose, RowReader, number, time_ms
from bot.model.ports import Rows
from bot.model.updates import F64, I32, I64, MarkPrices, Tickers

_CACHES: Final = 32
_TEXTS: Final = 65_536
_LATEST_MS: Final = 2**53


@dataclass(slots=True)
class Counters:
    """What came over the streams of a venue since the start."""

    frames: int = 0
    frames_unreadable: int = 0
    frames_ignored: int = 0
    """Readable, but of an event we do not use."""
    acks: int = 0
    errors: int = 0
    rows: int = 0
    rows_unknown: int = 0
    rows_other_market: int = 0
    rows_bad_price: int = 0
    """With a price or volume that is no positive number, or without a time."""
    rows_unreadable: int = 0


# Fields stand in the order in which they are sent: the decoder guesses the next one.
class _Mark(msgspec.Struct, gc=False, tag_field="e", tag="markPriceUpdate"):
    E: int
    s: str
    p: float
    i: float = math.nan
    r: float = math.nan
    T: int = 0
    st: int = USDM_MARKET


class _MarkText(msgspec.Struct, gc=False, tag_field="e", tag="markPriceUpdate"):
    E: int
    s: str
    p: float
    i: float = math.nan
    # Empty for delivery contracts, which would make a float field refuse the whole frame.
    r: str = ""
    T: int = 0
    st: int = USDM_MARKET


class _MarkLoose(msgspec.Struct, gc=False, tag_field="e", tag="markPriceUpdate"):
    s: str
    p: Loose
    E: Loose
    i: Loose = None
    r: Loose = None
    T: Loose = None
    st: int = USDM_MARKET


class _Ticker(msgspec.Struct, gc=False, tag_field="e", tag="24hrMiniTicker"):
    E: int
    s: str
    q: float
    st: int = USDM_MARKET


class _TickerLoose(msgspec.Struct, gc=False, tag_field="e", tag="24hrMiniTicker"):
    s: str
    q: Loose
    E: Loose
    st: int = USDM_MARKET


class _MarkFrame(msgspec.Struct, gc=False):
    data: list[_Mark]


class _MarkTextFrame(msgspec.Struct, gc=False):
    data: list[_MarkText]


class _TickerFrame(msgspec.Struct, gc=False):
    data: list[_Ticker]


_MARK_FRAME: Final = msgspec.json.Decoder(_MarkFrame, strict=False)
_MARK_TEXT_FRAME: Final = msgspec.json.Decoder(_MarkTextFrame, strict=False)
_TICKER_FRAME: Final = msgspec.json.Decoder(_TickerFrame, strict=False)
_MARK_ROWS: Final = RowReader(_MarkLoose, "rows of markPriceUpdate")
_TICKER_ROWS: Final = RowReader(_TickerLoose, "rows of 24hrMiniTicker")


class _Fundings(dict[str, float]):
    """Funding rates by their text: few distinct ones live at a time, and parsing 950 a second costs a third of a frame."""

    def __missing__(self, text: str) -> float:
        if len(self) >= _TEXTS:
            self.clear()
        value = self[text] = number(text)
        return value


@dataclass(frozen=True, slots=True)
class _Index:
    """Where the names of one message stand in the universe."""

    names: list[str]
    generation: int
    rows: I32
    known: npt.NDArray[np.bool_] | None
    """Which of the names are tracked; None when all are."""
    n_unknown: int


class RowIndex:
    """Rows of a list of names, remembered for as long as the same list comes again in the same generation."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._cache: dict[tuple[int, str], _Index] = {}

    def of(self, names: list[str]) -> _Index:
        key = (len(names), names[0] if names else "")
        found = self._cache.get(key)
        if found is not None and found.generation == self._rows.generation and found.names == names:
            return found
        if len(self._cache) >= _CACHES:
            self._cache.clear()
        found = self._cache[key] = self._look_up(names)
        return found

    def _look_up(self, names: list[str]) -> _Index:
        generation = self._rows.generation
        at = [self._rows.row(name) for name in names]
        known = [row is not None for row in at]
        n_unknown = len(names) - sum(known)
        rows = np.array([row for row in at if row is not None], dtype=np.int32)
        rows.setflags(write=False)
        return _Index(names, generation, rows, np.array(known) if n_unknown else None, n_unknown)


class _Lists(NamedTuple):
    """The rows of one message, column by column, before NumPy."""

    names: list[str]
    prices: list[float]
    indices: list[float]
    fundings: list[float]
    nexts: list[int]
    events: list[int]
    markets: list[int]


class MarkPriceReader:
    """Frames of the mark-price array -> `MarkPrices`."""

    def __init__(self, rows: Rows, counters: Counters) -> None:
        self._counters = counters
        self._index = RowIndex(rows)
        self._with_blanks: set[bytes] = set()
        self._fundings = _Fundings()
        self._times: dict[int, tuple[list[int], I64]] = {}

    def frame(self, frame: bytes, received_ms: float) -> MarkPrices | None:
        """Read a combined frame as documented. Raises `PayloadError` where it is not; then `payload` may still."""
        start = frame.find(b'"s":"')
        shard = frame[start : start + 32]
        try:
            if shard in self._with_blanks:
                return self._texts(_MARK_TEXT_FRAME.decode(frame).data, received_ms)
            try:
                return self._floats(_MARK_FRAME.decode(frame).data, received_ms)
            except UNREADABLE:
                found = self._texts(_MARK_TEXT_FRAME.decode(frame).data, received_ms)
        except (*UNREADABLE, OverflowError):
            raise PayloadError("expected an array of markPriceUpdate as documented") from None
        if len(self._with_blanks) >= _CACHES:
            self._with_blanks.clear()
        self._with_blanks.add(shard)
        return found

    def payload(self, payload: bytes, received_ms: float) -> MarkPrices | None:
        """Read an array of rows, or one row, taking what can be taken. Raises `PayloadError` when it is neither."""
        entries, n_bad = _MARK_ROWS.any(payload)
        self._counters.rows_unreadable += n_bad
        lists = _Lists(
            [row.s for row in entries],
            [number(row.p) for row in entries],
            [number(row.i) for row in entries],
            [number(row.r) for row in entries],
            [time_ms(row.T) or 0 for row in entries],
            [time_ms(row.E) or 0 for row in entries],
            [row.st for row in entries],
        )
        return self._columns(lists, received_ms)

    def _floats(self, entries: list[_Mark], received_ms: float) -> MarkPrices | None:
        lists = _Lists(
            [row.s for row in entries],
            [row.p for row in entries],
            [row.i for row in entries],
            [row.r for row in entries],
            [row.T for row in entries],
            [row.E for row in entries],
            [row.st for row in entries],
        )
        return self._columns(lists, received_ms)

    def _texts(self, entries: list[_MarkText], received_ms: float) -> MarkPrices | None:
        lists = _Lists(
            [row.s for row in entries],
            [row.p for row in entries],
            [row.i for row in entries],
            list(map(self._fundings.__getitem__, [row.r for row in entries])),
            [row.T for row in entries],
            [row.E for row in entries],
            [row.st for row in entries],
        )
        return self._columns(lists, received_ms)

    def _columns(self, lists: _Lists, received_ms: float) -> MarkPrices | None:
        names, prices, indices, fundings, nexts, events, markets = lists
        n = len(names)
        if not n:
            return None
        block = np.fromiter(prices + indices + fundings, np.float64, 3 * n).reshape(3, n)
        event = np.full(n, events[0], np.int64) if events.count(events[0]) == n else np.array(events, np.int64)
        next_ms = self._next_ms(nexts)
        counters = self._counters
        counters.rows += n
        keep = self._sound(block, event)
        if markets.count(USDM_MARKET) != n:
            ours = np.array([market == USDM_MARKET for market in markets])
            counters.rows_other_market += n - int(np.count_nonzero(ours))
            keep = ours if keep is None else keep & ours
            n = int(np.count_nonzero(ours))
        if keep is not None:
            names = list(compress(names, keep.tolist()))
            counters.rows_bad_price += n - len(names)
            block, event, next_ms = block[:, keep], event[keep], next_ms[keep]
        at = self._index.of(names)
        if at.known is not None:
            counters.rows_unknown += at.n_unknown
            block, event, next_ms = block[:, at.known], event[at.known], next_ms[at.known]
        return MarkPrices(at.rows, block[0], block[1], block[2], next_ms, event, received_ms)

    @staticmethod
    def _sound(block: F64, event: I64) -> npt.NDArray[np.bool_] | None:
        """Clean index and funding in place; which rows have a price and a time, or None when all have."""
        times = event.min() > 0 and event.max() < _LATEST_MS
        # All comparisons with a NaN are false, so one anywhere leads to the careful way.
        if times and block[:2].min() > 0 and block.max() < math.inf and block[2].min() > -math.inf:
            return None
        price, index, funding = block
        index[~((index > 0) & (index < math.inf))] = math.nan
        funding[np.isinf(funding)] = math.nan
        keep: npt.NDArray[np.bool_] = (price > 0) & (price < math.inf) & (event > 0) & (event < _LATEST_MS)
        return None if keep.all() else keep

    def _next_ms(self, nexts: list[int]) -> I64:
        found = self._times.get(len(nexts))
        if found is not None and found[0] == nexts:
            return found[1]
        times = np.array(nexts, np.int64)
        times[(times < 0) | (times >= _LATEST_MS)] = 0
        times.setflags(write=False)
        if len(self._times) >= _CACHES:
            self._times.clear()
        self._times[len(nexts)] = (nexts, times)
        return times


class TickerReader:
    """Frames of the mini-ticker array -> `Tickers`."""

    def __init__(self, rows: Rows, counters: Counters) -> None:
        self._rows = rows
        self._counters = counters

    def frame(self, frame: bytes, received_ms: float) -> Tickers | None:
        """Read a combined frame as documented. Raises `PayloadError` where it is not; then `payload` may still."""
        try:
            entries = _TICKER_FRAME.decode(frame).data
        except UNREADABLE:
            raise PayloadError("expected an array of 24hrMiniTicker as documented") from None
        return self._columns([(row.s, row.q, row.E, row.st) for row in entries], received_ms)

    def payload(self, payload: bytes, received_ms: float) -> Tickers | None:
        """Read an array of rows, or one row, taking what can be taken. Raises `PayloadError` when it is neither."""
        entries, n_bad = _TICKER_ROWS.any(payload)
        self._counters.rows_unreadable += n_bad
        return self._columns([(row.s, number(row.q), time_ms(row.E) or 0, row.st) for row in entries], received_ms)

    def _columns(self, entries: list[tuple[str, float, int, int]], received_ms: float) -> Tickers | None:
        counters = self._counters
        counters.rows += len(entries)
        at: list[int] = []
        volume: list[float] = []
        event: list[int] = []
        look_up = self._rows.row
        for name, amount, when, market in entries:
            if market != USDM_MARKET:
                counters.rows_other_market += 1
            elif not (0 <= amount < math.inf and 0 < when < _LATEST_MS):
                counters.rows_bad_price += 1
            elif (row := look_up(name)) is None:
                counters.rows_unknown += 1
            else:
                at.append(row)
                volume.append(amount)
                event.append(when)
        if not entries:
            return None
        return Tickers(np.array(at, np.int32), np.array(volume, np.float64), np.array(event, np.int64), received_ms)
