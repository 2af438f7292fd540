"""One instrument's figures for people who ask. Reads the market as of the last tick; changes nothing."""

import math
from collections.abc import Sequence

import numpy as np

from bot.engine import ranking
from bot.engine.engine import Engine
from bot.engine.figures import move, number
from bot.market.gauges import NEVER_MS
from bot.market.market import DAY_MS
from bot.market.ranges import usual_ranges
from bot.market.series import Leaf
from bot.market.sums import KNOWN_SHARE
from bot.market.view import View
from bot.model.cards import CARD_WINDOWS_MS, READING_WINDOW_MS, InstrumentCard
from bot.model.instrument import Instrument
from bot.model.ports import PollNeed
from bot.model.rankings import FundingTable, TopBy, TopList
from bot.model.view import Move

N_PINNED = 10
"""The largest instruments are asked about most: their prices are filled for a whole day at a start."""


class Cards:
    """The `MarketReader` and `RankReader` ports over an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._view: View | None = None

    def _now(self) -> View:
        """One view per tick, however many instruments are asked for."""
        view, engine = self._view, self._engine
        if view is None or int(view.now_ms[0]) != engine.now_ms or view.n_rows != engine.market.n_rows:
            view = self._view = engine.view()
        return view

    def _day_range(self, view: View, row: int) -> tuple[float | None, float | None]:
        """Lowest and highest price of a day, as `min(price, 24h)` and `max(price, 24h)` have them, of one instrument: those
        of all take as long as a tick.
        """
        points = view.points(Leaf("min", "price", DAY_MS), row)
        if points is None or not math.isfinite(points[-1]) or np.isfinite(points).mean() < KNOWN_SHARE:
            return None, None
        now, level = number(view.value("price")[0, row]), points[-1]
        low, high = float(np.nanmin(points)), float(np.nanmax(points))
        return now if low == level else low, now if high == level else high

    def _usual_range(self, view: View, row: int) -> float | None:
        price = view.value("price")[0, [row]]
        at = np.array([row], dtype=np.intp)
        found = usual_ranges(self._engine.market, READING_WINDOW_MS, int(view.now_ms[0]), at, price)
        return number(found[0] / price[0])

    def pinned(self, need: PollNeed) -> bool:
        """Whether an instrument is among the largest."""
        return need.row in {self._engine.market.universe.row(key) for key in self.largest(N_PINNED)}

    def instruments(self) -> Sequence[Instrument]:
        return [i for _, i in self._engine.market.universe.items()]

    def largest(self, n: int) -> Sequence[str]:
        """Keys of the largest by open interest in USD, the largest first."""
        market = self._engine.market
        if not market.n_rows:
            return []
        found = (market.universe.at(row) for row in ranking.largest(market, self._now(), n))
        return [i.key for i in found if i is not None]

    def top(self, by: TopBy, window_ms: int, *, offset: int, n: int) -> TopList:
        return ranking.top(self._engine.market, self._now(), by, window_ms, offset=offset, n=n)

    def funding(self, n: int) -> FundingTable:
        return ranking.funding(self._engine.market, self._now(), n)

    def card(self, key: str) -> InstrumentCard | None:
        market = self._engine.market
        row = market.universe.row(key)
        instrument = None if row is None else market.universe.at(row)
        if row is None or instrument is None:
            return None
        view = self._now()
        oi_usd = view.value("oi_usd")[0]
        low, high = self._day_range(view, row)
        next_funding_ms = int(market.next_funding_ms[row])
        return InstrumentCard(
            venue=instrument.venue,
            symbol=instrument.symbol,
            base=instrument.base,
            quote=instrument.quote,
            status=instrument.status,
            at_ms=self._engine.now_ms,
            price=number(view.value("price")[0, row]),
            price_age_ms=_age(view, "price", row),
            index=number(view.value("index")[0, row]),
            funding=number(view.value("funding")[0, row]),
            funding_interval_h=instrument.funding_interval_h,
            next_funding_ms=next_funding_ms or None,
            oi=number(view.value("oi")[0, row]),
            oi_usd=number(oi_usd[row]),
            oi_age_ms=_age(view, "oi", row),
            oi_rank=int((oi_usd > oi_usd[row]).sum()) + 1 if math.isfinite(oi_usd[row]) else None,
            volume_24h=number(view.value("volume_24h")[0, row]),
            low_24h=low,
            high_24h=high,
            price_moves=_moves(view, "price", row),
            oi_moves=_moves(view, "oi", row),
            usual_range=self._usual_range(view, row),
        )


def _age(view: View, series: str, row: int) -> int | None:
    seen = int(view.sample_ms(series)[0, row])
    return int(view.now_ms[0]) - seen if seen > NEVER_MS else None


def _moves(view: View, series: str, row: int) -> tuple[Move, ...]:
    return tuple(move(view, series, window_ms, 0, row) for window_ms in CARD_WINDOWS_MS)


def fresh(engine: Engine, series: str) -> tuple[int, int | None, int | None]:
    """How many trading instruments have a fresh sample, and the median and greatest age (ms) among them."""
    market = engine.market
    if not market.n_rows:
        return 0, None, None
    view = engine.view()
    ok = np.isfinite(view.value(series)[0]) & market.is_trading
    ages = view.age(series)[0][ok]
    return int(ok.sum()), int(np.median(ages)) if len(ages) else None, int(ages.max()) if len(ages) else None
