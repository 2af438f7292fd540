"""Binance USDⓈ-M over REST, without the network: requests as values, answers (bytes) into ours.

Promises: every number comes out in our units (open interest in base units, prices in quote units, funding as a
fraction, times in UTC epoch milliseconds); one bad row costs only itself; a body that is not the documented answer
raises `PayloadError` with what was expected and found. Never waits, never reads a clock.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from bot.feeds.binance import constants as c
from bot.feeds.binance.decoding import (
    Loose,
    RowReader,
    f64,
    i32,
    i64,
    integer,
    number,
    positive,
    time_ms,
    unexpected,
)
from bot.feeds.binance.instruments import parse_instruments, read_instruments
from bot.feeds.binance.refusals import classify_error, parse_used_weight
from bot.feeds.budget import CallBudget
from bot.feeds.calls import Request, VenueError
from bot.model.ports import Rows
from bot.model.updates import History, MarkPrices, Tickers

__all__ = [
    "BinanceRest",
    "Request",
    "classify_error",
    "exchange_info",
    "funding_history",
    "funding_info",
    "klines",
    "mark_price_klines",
    "open_interest",
    "open_interest_history",
    "parse_funding_history",
    "parse_funding_intervals",
    "parse_instruments",
    "parse_open_interest",
    "parse_open_interest_history",
    "parse_premium_index",
    "parse_price_klines",
    "parse_server_time",
    "parse_tickers",
    "parse_used_weight",
    "premium_index",
    "read_instruments",
    "server_time",
    "ticker_24h",
    "top_position_ratio",
]

OPEN_INTEREST_ROW_VALID_MS: Final = 450_000
_DAY_MS: Final = 86_400_000


class BinanceRest:
    """The `RestProtocol` of the venue."""

    name = c.VENUE
    weight_limit = c.WEIGHT_PER_MINUTE
    longest_ban_s = c.LONGEST_BAN_S

    def pools(self) -> Mapping[str, CallBudget]:
        """`data`: everything under /futures/data; `funding`: rates and intervals."""
        return {
            "data": CallBudget(limit=900, regular_per_s=6.0),
            "funding": CallBudget(limit=100, n_fast=10, fast_per_s=1.0, per_s=0.2, regular_per_s=0.2),
        }

    def used_weight(self, headers: Mapping[str, str]) -> int | None:
        return parse_used_weight(headers)

    def classify(self, status: int, headers: Mapping[str, str], body: bytes) -> VenueError:
        return classify_error(status, headers, body)


def exchange_info() -> Request:
    return Request(c.EXCHANGE_INFO_PATH, (), c.EXCHANGE_INFO_WEIGHT, "weight")


def server_time() -> Request:
    return Request(c.SERVER_TIME_PATH, (), c.SERVER_TIME_WEIGHT, "weight")


def premium_index() -> Request:
    """Mark price, index and funding of all symbols."""
    return Request(c.PREMIUM_INDEX_PATH, (), c.PREMIUM_INDEX_ALL_WEIGHT, "weight")


def ticker_24h() -> Request:
    """24-hour volumes of all symbols."""
    return Request(c.TICKER_24H_PATH, (), c.TICKER_24H_ALL_WEIGHT, "weight")


def open_interest(symbol: str) -> Request:
    return Request(c.OPEN_INTEREST_PATH, (("symbol", symbol),), c.OPEN_INTEREST_WEIGHT, "weight")


def open_interest_history(symbol: str, *, period: str = "5m", limit: int = 288, end_ms: int = 0) -> Request:
    """The newest `limit` rows (at most 500, at most 30 days back), or those up to `end_ms`."""
    limit = min(limit, c.HISTORY_MAX_LIMIT)
    params = (("symbol", symbol), ("period", period), ("limit", str(limit)))
    return Request(c.OPEN_INTEREST_HISTORY_PATH, params + _until(end_ms, limit, period), 1, "data")


def mark_price_klines(symbol: str, *, interval: str = "1m", limit: int = 99, end_ms: int = 0) -> Request:
    """`limit` bars (at most 1500) of the mark price: those that open up to `end_ms`, or the newest with the running one."""
    limit = min(limit, c.KLINE_MAX_LIMIT)
    weight = next(weight for below, weight in c.KLINE_WEIGHTS if limit < below)
    params = (("symbol", symbol), ("interval", interval), ("limit", str(limit)))
    return Request(c.MARK_PRICE_KLINES_PATH, params + _until(end_ms, limit, interval), weight, "weight")


def klines(symbol: str, *, interval: str = "1m", limit: int = 99, end_ms: int = 0) -> Request:
    """`limit` bars (at most 1500) of what was traded: those that open up to `end_ms`, or the newest with the running one."""
    limit = min(limit, c.KLINE_MAX_LIMIT)
    weight = next(weight for below, weight in c.KLINE_WEIGHTS if limit < below)
    params = (("symbol", symbol), ("interval", interval), ("limit", str(limit)))
    return Request(c.KLINES_PATH, params + _until(end_ms, limit, interval), weight, "weight")


def top_position_ratio(symbol: str, *, period: str = "5m", limit: int = 30, end_ms: int = 0) -> Request:
    """`limit` rows (at most 500, at most 30 days back) of the positions of top traders, up to `end_ms`."""
    limit = min(limit, c.HISTORY_MAX_LIMIT)
    params = (("symbol", symbol), ("period", period), ("limit", str(limit)))
    return Request(c.TOP_POSITION_RATIO_PATH, params + _until(end_ms, limit, period), 1, "data")


def funding_history(symbol: str, *, limit: int = 100) -> Request:
    """The newest `limit` fundings (at most 1000)."""
    limit = min(limit, c.FUNDING_MAX_LIMIT)
    return Request(c.FUNDING_RATE_PATH, (("symbol", symbol), ("limit", str(limit))), 1, "funding")


def _until(end_ms: int, limit: int, interval: str) -> tuple[tuple[str, str], ...]:
    """Both ends of a stretch: an end alone is not documented to count back from there."""
    if end_ms == 0:
        return ()
    step_ms = 60_000 if interval == "1m" else 300_000
    return ("startTime", str(end_ms - (limit - 1) * step_ms)), ("endTime", str(end_ms))


def funding_info() -> Request:
    """Funding intervals of the symbols whose interval is not the usual one."""
    return Request(c.FUNDING_INFO_PATH, (), 1, "funding")


class _ServerTime(msgspec.Struct, rename="camel"):
    server_time: Loose


class _Premium(msgspec.Struct, rename="camel"):
    symbol: str
    mark_price: Loose
    time: Loose
    index_price: Loose = None
    last_funding_rate: Loose = None
    next_funding_time: Loose = None


class _Ticker(msgspec.Struct, rename="camel"):
    symbol: str
    quote_volume: Loose
    close_time: Loose


class _OpenInterest(msgspec.Struct, rename="camel"):
    symbol: str
    open_interest: Loose
    time: Loose


class _OpenInterestRow(msgspec.Struct, rename="camel"):
    sum_open_interest: Loose
    timestamp: Loose


class _FundingRow(msgspec.Struct, rename="camel"):
    funding_rate: Loose
    funding_time: Loose
    rate_type: str = "Regular"


class _FundingInfo(msgspec.Struct, rename="camel"):
    symbol: str
    funding_interval_hours: Loose


_SERVER_TIME: Final = RowReader(_ServerTime, "the answer of time")
_PREMIUM: Final = RowReader(_Premium, "the answer of premiumIndex")
_TICKER: Final = RowReader(_Ticker, "the answer of ticker/24hr")
_OPEN_INTEREST: Final = RowReader(_OpenInterest, "the answer of openInterest")
_OPEN_INTEREST_ROW: Final = RowReader(_OpenInterestRow, "the answer of openInterestHist")
_FUNDING_ROW: Final = RowReader(_FundingRow, "the answer of fundingRate")
_FUNDING: Final = RowReader(_FundingInfo, "the answer of fundingInfo")
_KLINE: Final = RowReader(list[Loose], "the answer of markPriceKlines")


def parse_server_time(body: bytes) -> int:
    """The venue's clock, epoch milliseconds."""
    found = time_ms(_SERVER_TIME.one(body).server_time)
    if found is None:
        raise unexpected("epoch milliseconds in `serverTime` of time", body)
    return found


def parse_funding_intervals(body: bytes) -> dict[str, float]:
    """Hours between two fundings, by symbol. A symbol that is not listed has the usual eight."""
    rows, _ = _FUNDING.many(body)
    hours = ((row.symbol, positive(row.funding_interval_hours)) for row in rows)
    return {symbol: value for symbol, value in hours if symbol and value is not None}


def parse_premium_index(body: bytes, rows: Rows, received_ms: float) -> MarkPrices:
    """Prices of the tracked symbols; rows without a time or a positive price are left out."""
    at: list[int] = []
    price: list[float] = []
    event: list[int] = []
    kept: list[_Premium] = []
    for entry in _PREMIUM.any(body)[0]:
        row, mark, when = rows.row(entry.symbol), positive(entry.mark_price), time_ms(entry.time)
        if row is None or mark is None or when is None:
            continue
        at.append(row)
        price.append(mark)
        event.append(when)
        kept.append(entry)
    return MarkPrices(
        rows=i32(at),
        price=f64(price),
        index=f64([positive(entry.index_price) or float("nan") for entry in kept]),
        funding=f64([number(entry.last_funding_rate) for entry in kept]),
        next_funding_ms=i64([time_ms(entry.next_funding_time) or 0 for entry in kept]),
        event_ms=i64(event),
        received_ms=received_ms,
    )


def parse_tickers(body: bytes, rows: Rows, received_ms: float, *, now_ms: int) -> Tickers:
    """Quote volumes of the tracked symbols; rows without a time or with a negative volume are left out.

    They stand at `now_ms`, venue time: what a row tells is the time of its last trade. A row whose trades are all over a day
    ago keeps that time, as it speaks of another day.
    """
    at: list[int] = []
    volume: list[float] = []
    event: list[int] = []
    for entry in _TICKER.any(body)[0]:
        row, amount, when = rows.row(entry.symbol), number(entry.quote_volume), time_ms(entry.close_time)
        if row is None or not amount >= 0 or when is None:
            continue
        at.append(row)
        volume.append(amount)
        event.append(now_ms if when > now_ms - _DAY_MS else when)
    return Tickers(rows=i32(at), volume_24h=f64(volume), event_ms=i64(event), received_ms=received_ms)


def parse_open_interest(body: bytes) -> tuple[str, float, int]:
    """Symbol, amount in base units (finite, not negative) and the venue's own time of it."""
    entry = _OPEN_INTEREST.one(body)
    amount, when = number(entry.open_interest), time_ms(entry.time)
    if not entry.symbol or not amount >= 0 or when is None:
        raise unexpected("a symbol, an amount and a time from openInterest", body)
    return entry.symbol, amount, when


def parse_open_interest_history(body: bytes, row: int) -> History:
    """5-minute rows, ascending, without non-positive ones. `row` is the instrument asked about."""
    samples: dict[int, float] = {}
    for entry in _OPEN_INTEREST_ROW.many(body)[0]:
        when, amount = time_ms(entry.timestamp), positive(entry.sum_open_interest)
        if when is not None and amount is not None:
            samples[when] = amount
    return _history(row, "oi", samples, OPEN_INTEREST_ROW_VALID_MS)


def parse_funding_history(body: bytes, row: int) -> History:
    """Fundings as they were paid, ascending, as fractions of their own interval; special ones, which stocks have, are
    left out.
    """
    samples: dict[int, float] = {}
    for entry in _FUNDING_ROW.many(body)[0]:
        when, rate = time_ms(entry.funding_time), number(entry.funding_rate)
        if when is not None and math.isfinite(rate) and entry.rate_type != "Special":
            samples[when] = rate
    return _history(row, "funding", samples, 9 * 3_600_000)


def parse_price_klines(body: bytes, row: int, *, interval_ms: int, now_ms: int) -> History:
    """Closing mark prices, each placed at the end of its bar; bars that end after `now_ms` still run and are left out."""
    samples: dict[int, float] = {}
    for bar in _KLINE.many(body)[0]:
        if len(bar) < 5:
            continue
        opened, price = integer(bar[0]), positive(bar[4])
        if opened is not None and price is not None and opened + interval_ms <= now_ms:
            samples[opened + interval_ms] = price
    return _history(row, "price", samples, interval_ms * 3 // 2)


def _history(row: int, series: str, samples: dict[int, float], valid_ms: int) -> History:
    times = sorted(samples)
    return History(
        row=row, series=series, time_ms=i64(times), value=f64([samples[t] for t in times]), valid_ms=valid_ms
    )
