"""What the rings of price and open interest tell about a moment that is over: the `Aftermath` port.

Every reading names the end of what it may look at, and reads grid points at or before that end alone. A grid point holds what the
newest sample at or before it says, so nothing that came later can show. Windows are read where they are held finest;
what lies on the way and what is usual is read on the grid of minutes, which reaches back a day and outlives a restart, so
that an alert and a random moment of any age are measured alike.
"""

from typing import Final

import numpy as np

from bot.engine.engine import Engine
from bot.market.series import DAY_MS, INDEX
from bot.market.sums import KNOWN_SHARE
from bot.market.tier import NO_AGE, Tier
from bot.model.scorecard import Fared
from bot.model.updates import F64

STRIDE_MS: Final = 300_000
"""Of the usual move: on the scale of hours a move every five minutes says the same as one every minute."""
MIN_LENGTHS: Final = 4
"""A usual move needs moves that began over so many times its length."""


class RingAftermath:
    """Reads the market of one engine, as of its last tick."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _row(self, instrument: str) -> int | None:
        """None where it is not listed, or halted: its figures stand still and say nothing."""
        market = self._engine.market
        row = market.universe.row(instrument)
        return row if row is not None and market.is_trading[row] else None

    def usual(self, instrument: str, series: str, horizon_ms: int, *, before_ms: int) -> float | None:
        row = self._row(instrument)
        if row is None:
            return None
        tier = self._engine.market.coarse
        lag, stride = horizon_ms // tier.step_ms, max(1, STRIDE_MS // tier.step_ms)
        n = (DAY_MS - horizon_ms) // (stride * tier.step_ms)
        last = before_ms // tier.step_ms
        ends = last - stride * np.arange(n)
        now, then = (_values(tier, series, row, numbers) for numbers in (ends, ends - lag))
        with np.errstate(divide="ignore", invalid="ignore"):
            moves = np.abs(now / then - 1.0)
        known = moves[np.isfinite(moves)]
        if len(known) * stride * tier.step_ms < MIN_LENGTHS * horizon_ms:
            return None
        usual = float(known.mean())
        return usual if usual > 0 else None

    def at(self, instrument: str, series: str, at_ms: int) -> float | None:
        row = self._row(instrument)
        found = None if row is None else self._read(series, row, at_ms)
        return None if found is None else found[0]

    def _read(self, series: str, row: int, at_ms: int) -> tuple[float, int] | None:
        """Value and time of its sample."""
        for tier in self._engine.market.tiers:
            number = at_ms // tier.step_ms
            slots = int(tier.slots[INDEX[series]])
            if not slots or tier.newest is None or tier.step_ms > self._engine.market.coarse.step_ms:
                continue
            if number > tier.newest:
                # That time was not looked at yet. A coarser grid would give what was before it.
                return None
            if number <= tier.newest - slots:
                continue
            slot = tier.at(INDEX[series], number)
            value, age = float(tier.value[slot, row]), int(tier.age[slot, row])
            if not np.isfinite(value) or value <= 0 or age == NO_AGE:
                return None
            return value, number * tier.step_ms - age * tier.unit_ms
        return None

    def fared(self, instrument: str, from_ms: int, horizon_ms: int, *, price: float | None, oi: float | None) -> Fared:
        row = self._row(instrument)
        if row is None:
            return Fared()
        due_ms = from_ms + horizon_ms
        changes = {}
        for series, then in (("price", price), ("oi", oi)):
            now = self._read(series, row, due_ms)
            # A sample that was there at the beginning has nothing to say about what came after it.
            is_news = now is not None and now[1] > from_ms
            changes[series] = now[0] / then - 1.0 if now is not None and is_news and then else None
        change = changes["price"]
        high, low = (None, None) if change is None or not price else self._way(row, from_ms, due_ms, price, change)
        return Fared(change, changes["oi"], high, low)

    def _way(
        self, row: int, from_ms: int, due_ms: int, price: float, change: float
    ) -> tuple[float | None, float | None]:
        """The farthest points of the way, its end among them."""
        tier = self._engine.market.coarse
        numbers = np.arange(from_ms // tier.step_ms + 1, due_ms // tier.step_ms + 1)
        points = _values(tier, "price", row, numbers)
        points = points[np.isfinite(points)]
        if len(points) < KNOWN_SHARE * len(numbers):
            return None, None
        way = np.append(points / price - 1.0, (change, 0.0))
        return float(way.max()), float(way.min())


def _values(tier: Tier, series: str, row: int, numbers: "np.typing.NDArray[np.int64]") -> F64:
    """At any grid points; NaN where the ring does not reach."""
    gauge = INDEX[series]
    slots = int(tier.slots[gauge])
    if not slots or tier.newest is None:
        return np.full(len(numbers), np.nan)
    found: F64 = tier.value[tier.base[gauge] + numbers % slots, row].astype(np.float64)
    found[(numbers > tier.newest) | (numbers <= tier.newest - slots)] = np.nan
    return found
