"""Lists over all instruments: columns and one sort, and objects only for the rows that are shown."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from bot.engine.figures import number
from bot.market.market import Market
from bot.market.view import View
from bot.model.rankings import MIN_OI_USD, FundingTable, Ranked, TopBy, TopList
from bot.model.updates import F64, I64
from bot.rules.numbers import Mask

N_LARGEST: Final = 2

_Columns = dict[str, F64]


def of_some_size(market: Market, view: View) -> Mask:
    """Trading instruments that are large enough for a list."""
    found: Mask = market.is_trading & (view.value("oi_usd")[0] >= MIN_OI_USD)
    return found


def strongest(sizes: F64, counts: Mask) -> I64:
    """Rows by falling size, without those that do not count, are unknown or zero; among equals the lower row first."""
    known = np.flatnonzero(counts & (sizes > 0.0))
    return known[np.argsort(-sizes[known], kind="stable")]


def top(market: Market, view: View, by: TopBy, window_ms: int, *, offset: int, n: int) -> TopList:
    """One page of the strongest; an offset beyond the end gives no rows."""
    now_ms = int(view.now_ms[0])
    if not market.n_rows:
        return TopList(now_ms, by, window_ms, offset, 0, ())
    columns = _levels(view)
    for series in ("price", "oi"):
        columns[f"{series}_change"] = view.change(series, window_ms)[0][0]
    price = columns["price_change"]
    match by:
        case "gainers":
            sizes = price
        case "losers":
            sizes = -price
        case "price":
            sizes = np.abs(price)
        case "oi":
            sizes = np.abs(columns["oi_change"])
        case "funding":
            sizes = np.abs(columns["funding_8h"])
        case "volume":
            sizes = columns["volume_24h"]
    counts = of_some_size(market, view)
    order, n_known = strongest(sizes, counts), int(np.count_nonzero(counts & np.isfinite(sizes)))
    rows = _rows(market, columns, order[offset : offset + n].tolist())
    return TopList(now_ms, by, window_ms, offset, len(order), rows, n_known)


def funding(market: Market, view: View, n: int) -> FundingTable:
    """Both ends, the middle, and the large ones."""
    now_ms = int(view.now_ms[0])
    if not market.n_rows:
        return FundingTable(now_ms, None, 0, None, (), (), ())
    columns = _levels(view)
    rate = columns["funding_8h"]
    counts = of_some_size(market, view) & np.isfinite(rate)
    due_ms = market.next_funding_ms[counts & (market.next_funding_ms > now_ms)]
    return FundingTable(
        at_ms=now_ms,
        next_funding_ms=int(due_ms.min()) if len(due_ms) else None,
        n=int(counts.sum()),
        median_8h=number(float(np.median(rate[counts]))) if counts.any() else None,
        highest=_rows(market, columns, strongest(rate, counts)[:n].tolist()),
        lowest=_rows(market, columns, strongest(-rate, counts)[:n].tolist()),
        largest=_rows(market, columns, strongest(columns["oi_usd"], counts)[:N_LARGEST].tolist()),
    )


def _levels(view: View) -> _Columns:
    return {name: view.value(name)[0] for name in ("funding_8h", "oi_usd", "volume_24h")}


def _rows(market: Market, columns: _Columns, rows: Iterable[int]) -> tuple[Ranked, ...]:
    found: list[Ranked] = []
    for row in rows:
        instrument = market.universe.at(row)
        if instrument is not None:
            known = {name: number(float(values[row])) for name, values in columns.items()}
            found.append(
                Ranked(
                    key=instrument.key,
                    symbol=instrument.symbol,
                    base=instrument.base,
                    quote=instrument.quote,
                    price_change=known.get("price_change"),
                    oi_change=known.get("oi_change"),
                    funding_8h=known["funding_8h"],
                    oi_usd=known["oi_usd"],
                    volume_24h=known["volume_24h"],
                )
            )
    return tuple(found)


def largest(market: Market, view: View, n: int) -> Sequence[int]:
    """Rows of the trading instruments with the largest open interest in USD, the largest first."""
    return [int(row) for row in strongest(view.value("oi_usd")[0], market.is_trading)[:n]]
