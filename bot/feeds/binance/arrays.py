"""The two arrays that come every second, from bytes to columns: mark prices and mini tickers.

Promises: one decode per frame where the frame is as documented, and a slower reading row by row where it is not, so a
bad row costs only itself. Rows of other markets and of symbols that are not tracked are dropped and counted. Never
raises for a frame of any content; the readers answer None for one that holds no readable row.

The arrays of rows and of funding times are shared between messages and read-only: while the same contracts come in the
same order and the universe stays as it is, `rows` is the same object from message to message. Float columns are
C-contiguous float64.
"""

import math
from dataclasses import dataclass
from itertools import compress
from struct import pack
from typing import Final, NamedTuple

import msgspec
import numpy as np

from bot.errors import PayloadError
from bot.feeds.binance.constants import USDM_MARKET
from bot.feeds.binance.decoding import LARGEST, UNREADABLE, Loose, RowReader, number, time_ms
from bot.feeds.binance.imprint import Imprint
from bot.model.ports import Rows
from bot.model.updates import F64, I32, I64, MarkPrices, Mask, Tickers

_CACHES: Final = 32
_TEXTS: Final = 4_096
"""Of funding rates: several times as many as live at a time. They change all day, so whatever the bound is, it is reached."""
_LATEST_MS: Final = 2**53
_LONGEST_NAME: Final = 64

# Taking an imprint costs a few decodes, so a stream whose frames never fit one is asked again only now and then.
_PAUSE: Final = 60


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
    markets: list[int]
    generation: int
    rows: I32
    kept: I64 | None
    """Which of the names these are; None when all of them, in order."""
    n_other_market: int
    n_unknown: int


class RowIndex:
    """Rows of a list of names, remembered for as long as the same list comes again in the same generation: until then it
    answers the very same array, so that "the same instruments as before" can be seen by `is`.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._cache: dict[tuple[int, str], _Index] = {}

    def of(self, names: list[str], markets: list[int]) -> _Index:
        key = (len(names), names[0] if names else "")
        found = self._cache.get(key)
        if (
            found is not None
            and found.generation == self._rows.generation
            and found.names == names
            and found.markets == markets
        ):
            return found
        # Of earlier generations none is of use, and a listing makes lists longer, which gives them other keys.
        self._cache = {k: known for k, known in self._cache.items() if known.generation == self._rows.generation}
        if len(self._cache) >= _CACHES:
            self._cache.clear()
        found = self._cache[key] = self._look_up(names, markets)
        return found

    def _look_up(self, names: list[str], markets: list[int]) -> _Index:
        generation = self._rows.generation
        ours = [k for k, market in enumerate(markets) if market == USDM_MARKET]
        at = [(k, row) for k in ours if (row := self._rows.row(names[k])) is not None]
        rows = np.array([row for _, row in at], dtype=np.int32)
        rows.setflags(write=False)
        kept = None if len(at) == len(names) else np.array([k for k, _ in at], dtype=np.int64)
        return _Index(names, markets, generation, rows, kept, len(names) - len(ours), len(ours) - len(at))


class _Lists(NamedTuple):
    """The rows of one message, column by column, before NumPy."""

    names: list[str]
    prices: list[float]
    indices: list[float]
    fundings: list[float]
    nexts: list[int]
    events: list[int]
    markets: list[int]


@dataclass(slots=True)
class _Shard:
    """What is remembered of the frames that begin with one symbol."""

    blanks: bool = False
    """Its funding rates have been empty before."""
    length: int = 0
    """Of its last frame, in bytes."""
    imprint: Imprint | None = None
    pause: int = 0
    """Frames left before the next attempt at an imprint."""


class MarkPriceReader:
    """Frames of the mark-price array -> `MarkPrices`."""

    def __init__(self, rows: Rows, counters: Counters) -> None:
        self._counters = counters
        self._index = RowIndex(rows)
        self._shards: dict[bytes, _Shard] = {}
        self._fundings = _Fundings()
        self._times: dict[int, tuple[list[int], I64]] = {}

    def frame(self, frame: bytes, received_ms: float) -> MarkPrices | None:
        """Read a combined frame as documented. Raises `PayloadError` where it is not; then `payload` may still."""
        shard = self._shard(frame)
        imprint = shard.imprint
        if imprint is not None and (found := imprint.read(frame)) is not None:
            block, events = found
            return self._columns(
                imprint.names, imprint.markets, imprint.nexts, block, events.astype(np.int64), received_ms
            )
        try:
            update = self._lists(self._documented(shard, frame), received_ms)
        except (*UNREADABLE, OverflowError):
            raise PayloadError("expected an array of markPriceUpdate as documented") from None
        self._learn(shard, frame)
        return update

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
        return self._lists(lists, received_ms)

    def _shard(self, frame: bytes) -> _Shard:
        start = frame.find(b'"s":"') + 5
        key = frame[start : frame.find(b'"', start, start + _LONGEST_NAME)]
        shard = self._shards.get(key)
        if shard is None:
            if len(self._shards) >= _CACHES:
                self._shards.clear()
            shard = self._shards[key] = _Shard()
        return shard

    @staticmethod
    def _learn(shard: _Shard, frame: bytes) -> None:
        """Take an imprint of a sound frame, where the length says that it is worth the milliseconds."""
        same_length = shard.length == len(frame)
        shard.length = len(frame)
        if shard.pause:
            shard.pause -= 1
        elif same_length:
            shard.imprint = Imprint.of(frame)
            shard.pause = 0 if shard.imprint is not None else _PAUSE

    def _documented(self, shard: _Shard, frame: bytes) -> _Lists:
        if not shard.blanks:
            try:
                return _floats(_MARK_FRAME.decode(frame).data)
            except UNREADABLE:
                pass
        lists = self._texts(_MARK_TEXT_FRAME.decode(frame).data)
        shard.blanks = True
        return lists

    def _texts(self, entries: list[_MarkText]) -> _Lists:
        return _Lists(
            [row.s for row in entries],
            [row.p for row in entries],
            [row.i for row in entries],
            list(map(self._fundings.__getitem__, [row.r for row in entries])),
            [row.T for row in entries],
            [row.E for row in entries],
            [row.st for row in entries],
        )

    def _lists(self, lists: _Lists, received_ms: float) -> MarkPrices | None:
        names, prices, indices, fundings, nexts, events, markets = lists
        n = len(names)
        if not n:
            return None
        block = np.frombuffer(bytearray(pack(f"{3 * n}d", *prices, *indices, *fundings))).reshape(3, n)
        event = np.full(n, events[0], np.int64) if events.count(events[0]) == n else np.array(events, np.int64)
        return self._columns(names, markets, nexts, block, event, received_ms)

    def _columns(
        self, names: list[str], markets: list[int], nexts: list[int], block: F64, event: I64, received_ms: float
    ) -> MarkPrices | None:
        next_ms = self._next_ms(nexts)
        counters = self._counters
        counters.rows += len(names)
        sound = _sound(block, event)
        if sound is not None:
            bad = ~sound & (np.array(markets) == USDM_MARKET)
            counters.rows_bad_price += int(np.count_nonzero(bad))
            good = ~bad
            names, markets = list(compress(names, good.tolist())), list(compress(markets, good.tolist()))
            block, event, next_ms = block.compress(good, axis=1), event[good], next_ms[good]
        at = self._index.of(names, markets)
        counters.rows_other_market += at.n_other_market
        counters.rows_unknown += at.n_unknown
        if at.kept is not None:
            block, event, next_ms = block.take(at.kept, axis=1), event[at.kept], next_ms[at.kept]
        return MarkPrices(at.rows, block[0], block[1], block[2], next_ms, event, received_ms)

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


def _floats(entries: list[_Mark]) -> _Lists:
    return _Lists(
        [row.s for row in entries],
        [row.p for row in entries],
        [row.i for row in entries],
        [row.r for row in entries],
        [row.T for row in entries],
        [row.E for row in entries],
        [row.st for row in entries],
    )


def _sound(block: F64, event: I64) -> Mask | None:
    """Clean index and funding in place; which rows have a price and a time, or None when all have."""
    times = event.min() > 0 and event.max() < _LATEST_MS
    # All comparisons with a NaN are false, so one anywhere leads to the careful way.
    if times and block[:2].min() > 0 and block.max() <= LARGEST and block[2].min() >= -LARGEST:
        return None
    price, index, funding = block
    index[~((index > 0) & (index <= LARGEST))] = math.nan
    funding[~(np.abs(funding) <= LARGEST)] = math.nan
    sound: Mask = (price > 0) & (price <= LARGEST) & (event > 0) & (event < _LATEST_MS)
    return None if sound.all() else sound


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
            elif not (0 <= amount <= LARGEST and 0 < when < _LATEST_MS):
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
