"""What a stop is computed from, read from the market as of the last tick; changes nothing."""

from typing import Final

import numpy as np

from bot.engine.engine import Engine
from bot.engine.figures import number
from bot.market.gauges import NEVER_MS
from bot.market.ranges import MIN_WINDOW_MS, usual_ranges
from bot.market.series import INDEX
from bot.market.view import View
from bot.model.instrument import Instrument
from bot.model.risk import RiskFigures

LIQUIDATED_OVER_MS: Final = 4 * 3_600_000
MUCH_LIQUIDATED: Final = 0.0005
"""Of the open interest in dollars: less tells nothing about where the crowd's stops stood."""
EDGE_SHARE: Final = 0.05
"""Of what was liquidated lies below the lower and above the upper edge."""


class Risks:
    """The `RiskReader` port over an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._view: View | None = None

    def _now(self) -> View:
        """One view per tick, however much is asked."""
        view, engine = self._view, self._engine
        if view is None or int(view.now_ms[0]) != engine.now_ms or view.n_rows != engine.market.n_rows:
            view = self._view = engine.view()
        return view

    def instrument(self, key: str) -> Instrument | None:
        row = self._engine.market.universe.row(key)
        return None if row is None else self._engine.market.universe.at(row)

    def price(self, key: str) -> tuple[float, int] | None:
        """Newest mark price and its age in ms; None where it is unknown or no longer speaks."""
        row = self._engine.market.universe.row(key)
        if row is None:
            return None
        view = self._now()
        found = number(view.value("price")[0, row])
        age_ms = _age(view, "price", row)
        return None if found is None or age_ms is None else (found, age_ms)

    def figures(self, key: str, window_ms: int) -> RiskFigures | None:
        """None for an instrument that is not listed."""
        market = self._engine.market
        row = market.universe.row(key)
        instrument = None if row is None else market.universe.at(row)
        if row is None or instrument is None:
            return None
        window_ms = max(window_ms, MIN_WINDOW_MS)
        view = self._now()
        price = view.value("price")[0, [row]]
        usual = usual_ranges(market, window_ms, int(view.now_ms[0]), np.array([row], dtype=np.intp), price)
        low, high = self._liquidated(view, row)
        return RiskFigures(
            price=number(price[0]),
            price_age_ms=_age(view, "price", row),
            atr=number(usual[0]),
            window_ms=window_ms,
            oi_change=number(view.change("oi", window_ms)[0][0, row]),
            oi_age_ms=_age(view, "oi", row),
            funding=number(view.value("funding")[0, row]),
            funding_interval_h=instrument.funding_interval_h,
            liquidated_low=low,
            liquidated_high=high,
        )

    def _liquidated(self, view: View, row: int) -> tuple[float | None, float | None]:
        """Between which prices most of the last hours' liquidations happened."""
        market, now_ms = self._engine.market, int(view.now_ms[0])
        time_ms, rows, usd, _ = market.liquidations.columns
        mine = (rows == row) & (time_ms > now_ms - LIQUIDATED_OVER_MS) & (time_ms <= now_ms)
        held = view.latest("oi_usd")[0, row]
        if not mine.any() or not usd[mine].sum() >= MUCH_LIQUIDATED * held:
            return None, None
        numbers = time_ms[mine] // market.coarse.step_ms
        values, _ages = market.coarse.ends(INDEX["price"], numbers)
        prices, weights = values[:, row].astype(np.float64), usd[mine]
        known = np.isfinite(prices)
        if not known.any():
            return None, None
        order = np.argsort(prices[known])
        prices, share = prices[known][order], np.cumsum(weights[known][order])
        share = share / share[-1]
        low = prices[int(np.searchsorted(share, EDGE_SHARE))]
        high = prices[min(int(np.searchsorted(share, 1 - EDGE_SHARE)), len(prices) - 1)]
        return float(low), float(high)


def _age(view: View, series: str, row: int) -> int | None:
    seen = int(view.sample_ms(series)[0, row])
    return int(view.now_ms[0]) - seen if seen > NEVER_MS else None
