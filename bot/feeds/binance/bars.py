"""Answers about the past as rows of one-minute bars, for the history.

A bar stands at its close; a sample of open interest, a ratio or a funding in the first bar that ends at or after it.
"""

from typing import Final

import numpy as np

from bot.feeds.binance.decoding import Loose, RowReader, f64, i64, integer, number, positive
from bot.model.history import BAR_MS, BarRows
from bot.model.updates import F64, I64, History

_BARS: Final = RowReader(list[Loose], "the answer of klines")
_N_FIELDS: Final = 11


def parse_mark_bars(body: bytes, key: str, *, now_ms: int) -> BarRows:
    """Open, high, low and close of mark prices; bars that still run are left out. Raises `PayloadError`."""
    found: dict[int, tuple[float, ...]] = {}
    for bar in _BARS.many(body)[0]:
        opened = integer(bar[0]) if len(bar) > 4 else None
        prices = [positive(cell) for cell in bar[1:5]]
        if opened is None or opened % BAR_MS or opened + BAR_MS > now_ms:
            continue
        known = tuple(price for price in prices if price is not None)
        if len(known) == len(prices):
            found[opened + BAR_MS] = known
    return _rows(key, found, ("open", "high", "low", "close"))


def parse_traded_bars(body: bytes, key: str, *, now_ms: int) -> BarRows:
    """Quote volume and the takers' share of it; bars that still run are left out. Raises `PayloadError`."""
    found: dict[int, tuple[float, ...]] = {}
    for bar in _BARS.many(body)[0]:
        opened = integer(bar[0]) if len(bar) >= _N_FIELDS else None
        if opened is None or opened % BAR_MS or opened + BAR_MS > now_ms:
            continue
        volume, taker = number(bar[7]), number(bar[10])
        if volume >= 0:
            share = min(taker / volume, 1.0) if volume > 0 and taker >= 0 else np.nan
            found[opened + BAR_MS] = (volume, share)
    return _rows(key, found, ("volume", "taker_buy"))


def _rows(key: str, found: dict[int, tuple[float, ...]], names: tuple[str, ...]) -> BarRows:
    closes = sorted(found)
    columns = {name: f64([found[close][k] for close in closes]) for k, name in enumerate(names)}
    return BarRows((key,), np.zeros(len(closes), dtype=np.int32), i64(closes), columns)


def of_samples(history: History, key: str) -> BarRows:
    """Open interest, funding or long/short ratio of one contract; of several in one bar the newest."""
    closes: I64 = -(-history.time_ms // BAR_MS) * BAR_MS
    newest = np.append(np.flatnonzero(np.diff(closes)), len(closes) - 1) if len(closes) else np.zeros(0, dtype=np.int64)
    value: F64 = history.value[newest]
    columns = {history.series: value}
    if history.series == "oi":
        columns["oi_ms"] = history.time_ms[newest].astype(np.float64)
        columns["oi_valid_ms"] = np.full(len(newest), float(history.valid_ms))
    return BarRows((key,), np.zeros(len(newest), dtype=np.int32), closes[newest], columns)
