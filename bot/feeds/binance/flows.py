"""What was traded and what was liquidated, from bytes to columns: frames of `forceOrder` and `kline`, and their history.

Promises: amounts come out as quote amounts, times in UTC epoch milliseconds; a bad row costs only itself and is counted.
Readers of frames never raise. Parsers of answers raise `PayloadError` where the body is no answer as documented.

Klines come four times a second for each contract, and only the last one of a minute says something final. So `is_running`
looks at the bytes alone, and a frame is decoded only where it cannot tell. It errs on one side: an unusual frame is
decoded for nothing, but a closed bar is never taken for a running one.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from bot.feeds.binance.constants import USDM_MARKET
from bot.feeds.binance.decoding import (
    LARGEST,
    UNREADABLE,
    Loose,
    RowReader,
    f64,
    i32,
    i64,
    integer,
    number,
    positive,
    time_ms,
)
from bot.model.ports import Rows
from bot.model.updates import Bars, History, Liquidations

BAR_MS: Final = 60_000
RATIO_ROW_VALID_MS: Final = 450_000

SETTLE_MS: Final = 2_000
"""A bar of an answer counts as closed this long after its end: our estimate of the venue's time may be ahead of it."""

_REMEMBERED: Final = 4096
_CLOSED_KEY: Final = b'"x":'


@dataclass(slots=True)
class FlowCounters:
    """What came of forced orders or bars since the start."""

    rows: int = 0
    rows_unknown: int = 0
    """Of symbols that are not tracked."""
    rows_other_market: int = 0
    rows_twice: int = 0
    """Came over two connections."""
    rows_bad: int = 0
    """Unreadable, or without an amount, a side or a time."""
    frames_running: int = 0
    """Of bars that had not closed."""


# Forced orders


class _Order(msgspec.Struct):
    s: str
    S: str = ""
    T: Loose = None
    ap: Loose = None
    p: Loose = None
    z: Loose = None
    q: Loose = None
    st: int = USDM_MARKET


class _Force(msgspec.Struct, tag_field="e", tag="forceOrder"):
    o: _Order
    E: Loose = None
    st: int = USDM_MARKET


_FORCE: Final = RowReader(_Force, "rows of forceOrder")


def filled_amount(order: _Order) -> float:
    """Quote amount that was really closed: average price times what was filled. 0 where nothing was, NaN where unknown.

    Without them the limit price and the whole order stand in: a liquidation is filled at once or taken over.
    """
    filled = number(order.z)
    if math.isnan(filled):
        filled = number(order.q)
    price = positive(order.ap) or positive(order.p) or math.nan
    amount = price * filled if filled else 0.0
    return amount if 0 <= amount <= LARGEST else math.nan


class LiquidationReader:
    """Frames of `!forceOrder@arr` -> `Liquidations`. Two connections may bring the same order; it counts once."""

    def __init__(self, rows: Rows, counters: FlowCounters) -> None:
        self._rows = rows
        self._counters = counters
        self._seen: OrderedDict[tuple[str, str, int, float], None] = OrderedDict()

    def payload(self, payload: bytes, received_ms: float) -> Liquidations | None:
        """Read one order or an array of them; None where no row is readable. Raises `PayloadError` for neither."""
        counters = self._counters
        entries, n_unreadable = _FORCE.any(payload)
        n_bad = n_unreadable
        counters.rows += len(entries) + n_bad
        at: list[int] = []
        event: list[int] = []
        usd: list[float] = []
        is_long: list[bool] = []
        for entry in entries:
            order = entry.o
            when, amount = time_ms(order.T) or time_ms(entry.E), filled_amount(order)
            row = self._rows.row(order.s)
            if entry.st != USDM_MARKET or order.st != USDM_MARKET:
                counters.rows_other_market += 1
            elif when is None or math.isnan(amount) or order.S not in {"SELL", "BUY"}:
                n_bad += 1
            elif row is None:
                counters.rows_unknown += 1
            elif amount > 0 and self._is_new((order.s, order.S, when, amount)):
                at.append(row)
                event.append(when)
                usd.append(amount)
                is_long.append(order.S == "SELL")
        counters.rows_bad += n_bad
        if n_bad == len(entries) + n_unreadable:
            return None
        return Liquidations(i32(at), i64(event), f64(usd), np.array(is_long, dtype=np.bool_), received_ms)

    def _is_new(self, key: tuple[str, str, int, float]) -> bool:
        if key in self._seen:
            self._counters.rows_twice += 1
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True


# Bars


class _Bar(msgspec.Struct):
    T: int
    x: bool
    q: Loose
    Q: Loose
    i: str = ""


class _Kline(msgspec.Struct, tag_field="e", tag="kline"):
    s: str
    k: _Bar
    st: int = USDM_MARKET


class _KlineFrame(msgspec.Struct):
    data: _Kline


_KLINE_FRAME: Final = msgspec.json.Decoder(_KlineFrame, strict=False)
_KLINE: Final = msgspec.json.Decoder(_Kline, strict=False)
_BARS: Final = RowReader(list[Loose], "the answer of klines")


def is_running(frame: bytes) -> bool:
    """Whether the bytes say that a bar has not closed yet. False also where they cannot tell."""
    # Text inside a JSON string cannot look like the key: its quotes would be escaped. A second `x` of another meaning could.
    at = frame.find(_CLOSED_KEY)
    return at >= 0 and frame.startswith(b"false", at + 4) and frame.find(_CLOSED_KEY, at + 4) < 0


class KlineReader:
    """Frames of `<symbol>@kline_1m` that `is_running` did not pass over -> `Bars` of one row."""

    def __init__(self, rows: Rows, counters: FlowCounters) -> None:
        self._rows = rows
        self._counters = counters

    def frame(self, frame: bytes, received_ms: float) -> Bars | bool:
        """The closed bar of a frame; True for a kline that holds nothing for us, False for what is no kline."""
        try:
            entry = _KLINE_FRAME.decode(frame).data
        except UNREADABLE:
            try:
                entry = _KLINE.decode(frame)
            except UNREADABLE:
                return False
        counters = self._counters
        bar = entry.k
        if not bar.x:
            counters.frames_running += 1
            return True
        counters.rows += 1
        close_ms, volume, taker_buy = (time_ms(bar.T) or -1) + 1, number(bar.q), number(bar.Q)
        row = self._rows.row(entry.s)
        if entry.st != USDM_MARKET:
            counters.rows_other_market += 1
        elif close_ms <= 0 or close_ms % BAR_MS or bar.i not in {"1m", ""} or not (volume >= 0 and taker_buy >= 0):
            counters.rows_bad += 1
        elif row is None:
            counters.rows_unknown += 1
        else:
            taker_buy = min(taker_buy, volume)
            return Bars(i32([row]), i64([close_ms]), f64([volume]), f64([taker_buy]), BAR_MS, received_ms)
        return True


def parse_klines(body: bytes, row: int, *, span_ms: int, now_ms: int, received_ms: float) -> Bars:
    """Closed bars of one instrument, ascending. `now_ms` is venue time; a bar that ended less than `SETTLE_MS` ago is left
    out, as is one without amounts or off the grid.
    """
    found: dict[int, tuple[float, float]] = {}
    for bar in _BARS.many(body)[0]:
        opened = integer(bar[0]) if len(bar) >= 11 else None
        if opened is None or opened < 0 or opened % span_ms or opened + span_ms + SETTLE_MS > now_ms:
            continue
        volume, taker_buy = number(bar[7]), number(bar[10])
        if volume >= 0 and taker_buy >= 0:
            found[opened + span_ms] = volume, min(taker_buy, volume)
    times = sorted(found)
    return Bars(
        rows=i32([row] * len(times)),
        close_ms=i64(times),
        volume=f64([found[t][0] for t in times]),
        taker_buy=f64([found[t][1] for t in times]),
        span_ms=span_ms,
        received_ms=received_ms,
    )


def parse_open_bars(body: bytes, *, span_ms: int) -> tuple[list[int], list[float]]:
    """Opening times and quote amounts of one instrument's bars, ascending; the last one may still run. Weeks begin on
    Mondays, so bars of any span are taken where they open.
    """
    found: dict[int, float] = {}
    for bar in _BARS.many(body)[0]:
        opened = integer(bar[0]) if len(bar) >= 8 else None
        volume = number(bar[7]) if len(bar) >= 8 else math.nan
        if opened is not None and opened >= 0 and volume >= 0 and opened % min(span_ms, 86_400_000) == 0:
            found[opened] = volume
    times = sorted(found)
    return times, [found[t] for t in times]


# Ratios


class _Ratio(msgspec.Struct, rename="camel"):
    long_short_ratio: Loose
    timestamp: Loose
    long_account: Loose = None
    short_account: Loose = None


_RATIO: Final = RowReader(_Ratio, "the answer of topLongShortPositionRatio")


def parse_long_short(body: bytes, row: int) -> History:
    """5-minute rows of long positions over short ones, ascending; rows without a positive ratio are left out."""
    samples: dict[int, float] = {}
    for entry in _RATIO.many(body)[0]:
        when, ratio = time_ms(entry.timestamp), positive(entry.long_short_ratio)
        if when is not None and ratio is not None:
            samples[when] = ratio
    times = sorted(samples)
    return History(row, "long_short", i64(times), f64([samples[t] for t in times]), RATIO_ROW_VALID_MS)
