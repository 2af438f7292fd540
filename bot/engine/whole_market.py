"""All instruments at once, for a page that shows them all: columns as of the last tick. Reads; changes nothing."""

from typing import Final

import numpy as np

from bot.engine.engine import Engine
from bot.market.series import DAY_MS, INDEX
from bot.model.alert import State
from bot.model.dashboard import SPARK_POINTS, TABLE_WINDOWS_MS, MarketTable, Numbers
from bot.model.instrument import MARKET
from bot.model.updates import F64, I64

_LEVELS: Final = ("price", "oi_usd", "volume_24h", "funding_8h")
_RATIO_DIGITS: Final = 6


def table(engine: Engine) -> MarketTable:
    """Trading instruments in the order of their listing."""
    market = engine.market
    if not market.n_rows:
        return MarketTable(engine.now_ms, (), (), {}, frozenset())
    view = engine.view()
    listed = [(row, instrument) for row, instrument in market.universe.items() if market.is_trading[row]]
    order = np.array([row for row, _ in listed], dtype=np.intp)
    instruments = [instrument for _, instrument in listed]
    columns = {name: _numbers(view.value(name)[0][order]) for name in _LEVELS}
    for window_ms in TABLE_WINDOWS_MS:
        for series in ("price", "oi"):
            change = view.change(series, window_ms)[0][0][order]
            columns[f"{series}_{window_ms}"] = _numbers(np.round(change, _RATIO_DIGITS))
    return MarketTable(
        at_ms=engine.now_ms,
        symbols=tuple(instrument.symbol for instrument in instruments),
        keys=tuple(instrument.key for instrument in instruments),
        columns=columns,
        firing=_firing(engine),
    )


def sparks(engine: Engine) -> dict[str, Numbers]:
    """Open interest over a day at `SPARK_POINTS` points, by key, the oldest first; of all instruments."""
    market = engine.market
    tier = market.coarse
    if not market.n_rows or tier.newest is None:
        return {}
    stride = DAY_MS // SPARK_POINTS // tier.step_ms
    numbers: I64 = tier.newest - stride * np.arange(SPARK_POINTS - 1, -1, -1)
    values, _ = tier.ends(INDEX["oi"], numbers)
    return {instrument.key: _numbers(values[:, row].astype(np.float64)) for row, instrument in market.universe.items()}


def _firing(engine: Engine) -> frozenset[str]:
    found = set()
    for rule in engine.rules:
        book = engine.book(rule.id)
        if book is None or book.per_market:
            continue
        found |= {book.look(row).instrument.partition(":")[2] for row in book.rows_in(State.FIRING)}
    return frozenset(found - {MARKET})


def _numbers(values: F64) -> Numbers:
    finite = np.isfinite(values)
    listed: Numbers = values.tolist()
    for at in np.flatnonzero(~finite).tolist():
        listed[at] = None
    return listed
