"""Samples of bars laid on their grid: what each series says at each close, with as many rows before as windows look back.

A bar's close is a sample that speaks for one and a half bars, so it bridges one missing bar and no more. Open interest
keeps its own time inside the bar and speaks for as long as its row says.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from bot.market.flows import KNOWN_SHARE
from bot.market.gauges import AGE_UNIT_MS, NEVER_MS, hundredths
from bot.market.quantiles import THEN_SHARE
from bot.market.rolling import Stretch, moving_count, moving_sum
from bot.market.series import DAY_MS, FIVE_MINUTES_MS, PARTS
from bot.market.tier import NO_AGE
from bot.model.history import BarGrid
from bot.model.updates import F64, I64

S = TypeVar("S", bound=np.generic)

ROWS_FROM_MS: Final = 450_000
"""What speaks at least this long is a row of history, valid for one and a half of its steps; else a poll, for two and a
half of its intervals."""
_COLUMN_OF: Final[Mapping[str, str]] = {
    "price": "close",
    "index": "index",
    "funding": "funding",
    "taker_buy": "taker_buy",
    "long_short": "long_short",
}
_CAN_BE_ZERO: Final = frozenset({"volume_24h", "taker_buy"})
_RATES: Final = frozenset({"basis", "funding", "funding_8h"})


def oi_interval_ms(valid_ms: F64) -> I64:
    """How far apart samples that speak so long usually are."""
    return np.where(valid_ms >= ROWS_FROM_MS, valid_ms * 2 // 3, valid_ms * 2 // 5).astype(np.int64)


def sound(series: str, value: F64) -> F64:
    """Samples that can be true; NaN for the others."""
    if series in _RATES:
        good = np.isfinite(value)
    else:
        good = np.isfinite(value) & (value >= 0 if series in _CAN_BE_ZERO else value > 0)
    return np.where(good, value, np.nan)


def samples_of(series: str, grid: BarGrid, funding_interval_h: F64) -> F64:
    """One sample at each close, NaN where there is none. Shape (T, N)."""
    column = grid.columns.get(_COLUMN_OF.get(series, ""))
    if series == "basis":
        price, index = (samples_of(name, grid, funding_interval_h) for name in ("price", "index"))
        return (price - index) / index
    if series == "funding_8h":
        return samples_of("funding", grid, funding_interval_h) * (8.0 / funding_interval_h)
    if column is None:
        return np.full((len(grid.close_ms), len(grid.instruments)), np.nan)
    return sound(series, column)


@dataclass(slots=True)
class _Gauge:
    """A series with a sample at some closes."""

    sample: F64
    """Shape (lead + T, N), as the level."""
    level: F64


@dataclass(slots=True)
class _Newest:
    """The newest sample of open interest of each instrument."""

    value: F64
    time_ms: F64
    valid_ms: F64


class BarSeries:
    """All series that some windows look at, over one block of bars after another."""

    def __init__(
        self,
        step_ms: int,
        leads: Mapping[str, int],
        funding_interval_h: F64,
        *,
        timed: Collection[str] = (),
        sized: Collection[str] = (),
    ) -> None:
        """`leads`: how many rows before a block each series is asked for; `oi_usd` counts for its parts. `timed`: series
        with samples of their own whose times are asked for; `sized`: gauges of which the newest sample is asked for,
        however old.
        """
        self.step_ms = step_ms
        self.n_columns = len(funding_interval_h)
        self._hours = funding_interval_h
        self._leads = dict.fromkeys([*timed, *(part for name in sized for part in PARTS[name])], 0)
        for name, lead in leads.items():
            for part in {name, *PARTS.get(name, ())}:
                self._leads[part] = max(self._leads.get(part, 0), lead)
        self._n_day = DAY_MS // step_ms
        if "volume_24h" in self._leads:
            self._leads["volume"] = max(self._leads.get("volume", 0), 2 * self._n_day)
        self.close_ms: I64 = np.zeros(0, dtype=np.int64)
        self._gauges = {
            name: _Gauge(*(np.full((lead + 1, self.n_columns), np.nan) for _ in range(2)))
            for name, lead in self._leads.items()
            if name in PARTS and name not in {"oi", "oi_usd"}
        }
        self._flows = {
            name: np.full((lead, self.n_columns), np.nan) for name, lead in self._leads.items() if name not in PARTS
        }
        self._seen = {name: np.full(self.n_columns, NEVER_MS, dtype=np.int64) for name in timed if name != "oi"}
        lead = self._leads.get("oi", 0)
        self._oi_level = np.full((lead, self.n_columns), np.nan)
        self._oi_age = np.full((lead, self.n_columns), NO_AGE, dtype=np.int64)
        nothing = np.full(self.n_columns, np.nan)
        self._newest_oi = _Newest(nothing, np.full(self.n_columns, float(NEVER_MS)), nothing)
        self.oi_ms: I64 = np.zeros((0, self.n_columns), dtype=np.int64)
        """Time of the newest sample of open interest at each close; `NEVER_MS` before any."""
        self.oi_valid_ms: F64 = np.zeros((0, self.n_columns))
        self._oi_newest: F64 = np.zeros((0, self.n_columns))
        self._products: dict[str, F64] = {}
        self._latest: dict[str, F64] = {}
        ranked_by = {part for name in sized for part in PARTS[name]} - {"oi"}
        self._held = {name: np.full((1, self.n_columns), np.nan) for name in sorted(ranked_by)}
        self._newest_ms: dict[str, I64] = {}
        # As rings tell ages.
        self._unit_ms = AGE_UNIT_MS if step_ms <= FIVE_MINUTES_MS else step_ms // 100

    # -- moving on -----------------------------------------------------------------------------------------------

    def take(self, grid: BarGrid) -> None:
        """The bars of another block, which follows the last."""
        self._carry()
        self.close_ms = grid.close_ms
        self._products.clear()
        self._latest.clear()
        self._newest_ms.clear()
        for name, held in self._flows.items():
            found = grid.columns.get(name)
            fresh = (
                np.full((len(grid.close_ms), self.n_columns), np.nan) if found is None else sound("taker_buy", found)
            )
            self._flows[name] = _roll(held, self._leads[name], fresh)
        with np.errstate(all="ignore"):
            for name, gauge in self._gauges.items():
                fresh = self._day_volume() if name == "volume_24h" else samples_of(name, grid, self._hours)
                lead = self._leads[name]
                before = gauge.sample[-1]
                gauge.sample = _roll(gauge.sample, lead + 1, fresh)
                level = fresh
                missing = np.isnan(fresh)
                if missing.any():
                    level = fresh.copy()
                    older = np.concatenate([before[None], fresh[:-1]])
                    level[missing] = older[missing]
                gauge.level = _roll(gauge.level, lead + 1, level)
        if "oi" in self._leads:
            self._take_oi(grid)
        else:
            shape = (len(grid.close_ms), self.n_columns)
            self.oi_ms = np.broadcast_to(np.int64(NEVER_MS), shape)
            self.oi_valid_ms = np.broadcast_to(np.float64(np.nan), shape)

    def _carry(self) -> None:
        if len(self.close_ms):
            self._held = {name: self.latest(name)[-1:] for name in self._held}
            self._seen = {name: self.newest_ms(name)[-1] for name in self._seen}

    def _day_volume(self) -> F64:
        """Sums of a day as samples at each close, where bars cover enough of it."""
        held = self._flows["volume"]
        lead, n = self._leads["volume"], self._n_day
        known = np.isfinite(held)
        first = self._first(lead)
        total = moving_sum(np.where(known, held, 0.0), first, lead, n)
        return np.where(moving_count(known, n, lead) * self.step_ms >= KNOWN_SHARE * DAY_MS, total, np.nan)

    def _take_oi(self, grid: BarGrid) -> None:
        nothing = np.full((len(grid.close_ms), self.n_columns), np.nan)
        value, time_ms, valid_ms = (grid.columns.get(name, nothing) for name in ("oi", "oi_ms", "oi_valid_ms"))
        close = grid.close_ms[:, None]
        with np.errstate(invalid="ignore"):
            known = np.isfinite(value) & (value > 0) & (time_ms > close - self.step_ms) & (time_ms <= close)
            known &= np.isfinite(valid_ms)
        held = self._newest_oi
        at = np.zeros(value.shape, dtype=np.int64)
        np.multiply(known, np.arange(1, len(value) + 1)[:, None], out=at)
        np.maximum.accumulate(at, axis=0, out=at)
        newest, newest_ms, newest_valid = (
            np.take_along_axis(np.concatenate([old[None], new]), at, axis=0)
            for old, new in ((held.value, value), (held.time_ms, time_ms), (held.valid_ms, valid_ms))
        )
        self._newest_oi = _Newest(newest[-1], newest_ms[-1], newest_valid[-1])
        self._oi_newest = newest
        self.oi_ms, self.oi_valid_ms = newest_ms.astype(np.int64), newest_valid
        with np.errstate(invalid="ignore"):
            speaks = newest_ms + newest_valid > close
        age = close // AGE_UNIT_MS - hundredths(self.oi_ms)
        if self._unit_ms != AGE_UNIT_MS:
            age = age * AGE_UNIT_MS // self._unit_ms
        lead = self._leads["oi"]
        self._oi_level = _roll(self._oi_level, lead, np.where(speaks, newest, np.nan))
        self._oi_age = _roll(self._oi_age, lead, np.minimum(age, NO_AGE))

    def _first(self, lead: int) -> int:
        return int(self.close_ms[0]) // self.step_ms - lead

    # -- reading -------------------------------------------------------------------------------------------------

    def _levels(self, series: str) -> F64:
        """Shape (lead + T, N)."""
        if series == "oi":
            return self._oi_level
        if series != "oi_usd":
            return self._gauges[series].level[1:]
        found = self._products.get(series)
        if found is None:
            lead = self._leads[series]
            price, oi = (self._levels(p)[self._leads[p] - lead :] for p in PARTS[series])
            found = self._products[series] = price * oi
        return found

    def points(self, series: str) -> Stretch:
        """A gauge at each close."""
        lead = self._leads[series]
        return Stretch.of(self._levels(series), self._first(lead), lead)

    def now(self, series: str) -> F64:
        """A gauge at the closes of the block. Shape (T, N)."""
        return self._levels(series)[self._leads[series] :]

    def then(self, series: str, n: int, window_ms: int) -> F64:
        """A gauge n rows earlier, where the sample it says it by was no older there than a third of the window."""
        limit = min(window_ms // THEN_SHARE, (NO_AGE - 1) * self._unit_ms) // self._unit_ms
        found = self._back(self._levels(series), series, n)
        for part in PARTS[series]:
            if part == "oi":
                young = self._back(self._oi_age, part, n) <= limit
                found = np.where(young, found, np.nan)
            elif self.step_ms // AGE_UNIT_MS * AGE_UNIT_MS // self._unit_ms > limit:
                exact = self._back(self._gauges[part].sample[1:], part, n)
                found = np.where(np.isnan(exact), np.nan, found)
        return found

    def _back(self, rows: "npt.NDArray[S]", series: str, n: int) -> "npt.NDArray[S]":
        lead = self._leads[series]
        return rows[lead - n : len(rows) - n]

    def flow(self, series: str) -> tuple[F64, int, int]:
        """Amounts of bars, NaN where there is none, the number of the first, and how many rows of lead it has."""
        lead = self._leads[series]
        return self._flows[series], self._first(lead), lead

    def newest_ms(self, series: str) -> I64:
        """Time of the newest sample at each close; `NEVER_MS` before any. Shape (T, N)."""
        if series == "oi":
            return self.oi_ms
        found = self._newest_ms.get(series)
        if found is None:
            lead = self._leads[series]
            rows = self._flows[series][lead:] if series in self._flows else self._gauges[series].sample[lead + 1 :]
            seen = np.where(np.isfinite(rows), self.close_ms[:, None], NEVER_MS)
            seen[0] = np.maximum(seen[0], self._seen[series])
            found = self._newest_ms[series] = np.maximum.accumulate(seen, axis=0)
        return found

    def latest(self, series: str) -> F64:
        """The newest sample of a gauge at each close, also where it no longer speaks. Shape (T, N)."""
        if series == "oi":
            return self._oi_newest
        found = self._latest.get(series)
        if found is None:
            if series == "oi_usd":
                found = self.latest("price") * self.latest("oi")
            else:
                rows = np.concatenate([self._held[series], self._gauges[series].sample[self._leads[series] + 1 :]])
                at = np.isfinite(rows) * np.arange(len(rows))[:, None]
                np.maximum.accumulate(at, axis=0, out=at)
                found = np.take_along_axis(rows, at, axis=0)[1:]
            self._latest[series] = found
        return found


def _roll(held: "npt.NDArray[S]", lead: int, fresh: "npt.NDArray[S]") -> "npt.NDArray[S]":
    """The last `lead` rows, and the fresh ones behind them."""
    return np.concatenate([held[len(held) - lead :], fresh])
