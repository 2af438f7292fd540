"""The market: all series of all instruments, fed by updates, read through views.

Windows up to an hour are kept at the run's finest step (1 s live), longer ones at a minute. Price and open interest
are always held; other series only as far as the rules look back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bot.market.gauge import Gauge, Latest
from bot.market.universe import Diff, Universe
from bot.model.instrument import Instrument
from bot.model.updates import F64, I32, I64, History, InstrumentChange, InstrumentList, MarkPrices, Tickers

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
PRICE_VALID_MS: Final = 10_000
"""A mark price speaks for ten seconds: the stream sends one each second."""
FIRST_PRICE_MS: Final = 15_000
"""How long a new subscription may take to its first price before it is stale."""
VOLUME_VALID_MS: Final = HOUR_MS
"""The ticker stream only sends what changed; the full table is asked each hour."""
POLLS_VALID: Final = 2.5
"""An open-interest sample speaks for this many of its polling intervals."""
DEFAULT_OI_INTERVAL_MS: Final = 120_000
"""Assumed before an instrument's first poll: the slowest tier."""
_CHUNK: Final = 64

RAW: Final = ("price", "index", "funding", "oi", "volume_24h")
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "price": ("price",),
    "index": ("index",),
    "funding": ("funding",),
    "oi": ("oi",),
    "volume_24h": ("volume_24h",),
    "basis": ("price", "index"),
    "funding_8h": ("funding",),
    "oi_usd": ("price", "oi"),
}
"""Raw series from which each series of the rule language is computed."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The longest windows that rules look back over, per raw series, in ms."""

    fine_ms: Mapping[str, int] = field(default_factory=dict)
    """Windows of at most an hour."""
    coarse_ms: Mapping[str, int] = field(default_factory=dict)
    """Longer ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The newest samples of every series at one tick."""

    now_ms: int
    latest: Mapping[str, Latest]


class Market:
    """Single writer. `step_ms` is the run's finest step, `n_block` how many ticks are evaluated at a time."""

    def __init__(
        self, *, step_ms: int = 1_000, needs: Needs | None = None, n_block: int = 1, dtype: str = "float32"
    ) -> None:
        self.universe = Universe()
        self.dtype = np.dtype(dtype)
        self.fine_ms = max(step_ms, 1_000)
        self.coarse_ms = max(step_ms, 60_000)
        self._n_block = n_block
        self._n_rows = 0
        self.gauges = {name: Gauge(n_rows=0, steps=self._steps(name, needs or Needs()), dtype=dtype) for name in RAW}
        self.subscribed_ms = np.zeros(0, dtype=np.int64)
        self.oi_interval_ms = np.zeros(0, dtype=np.int64)
        self.oi_venue_ms = np.zeros(0, dtype=np.int64)
        self.next_funding_ms = np.zeros(0, dtype=np.int64)
        self.funding_interval_h = np.zeros(0)
        self.is_trading = np.zeros(0, dtype=np.bool_)
        self.n_rejected = 0

    def _steps(self, name: str, needs: Needs) -> tuple[tuple[int, int], ...]:
        always = name in {"price", "oi"}
        fine = max(needs.fine_ms.get(name, 0), 900_000 if always else 0)
        coarse = max(needs.coarse_ms.get(name, 0), DAY_MS if always else 0)
        if self.fine_ms == self.coarse_ms:
            fine, coarse = max(fine, coarse), 0
        extra = self._n_block + 2
        steps = [
            (step, length // step + extra)
            for step, length in ((self.fine_ms, fine), (self.coarse_ms, coarse))
            if length
        ]
        return tuple(steps)

    @property
    def nbytes(self) -> int:
        return sum(g.nbytes for g in self.gauges.values())

    @property
    def n_rows(self) -> int:
        """Columns of every array; free rows included."""
        return self._n_rows

    def advance(self, now_ms: int) -> None:
        """Write grid rows up to now. Call at each tick, after its samples."""
        for gauge in self.gauges.values():
            gauge.advance(now_ms)

    def moment(self, now_ms: int) -> Moment:
        """Copies of the newest samples, for evaluation in blocks."""
        return Moment(now_ms, {name: g.latest() for name, g in self.gauges.items()})

    def apply_instruments(self, update: InstrumentList | InstrumentChange, now_ms: int) -> Diff:
        """Take listings, halts and delistings."""
        if isinstance(update, InstrumentList):
            diff = self.universe.apply_list(update.venue, update.instruments, now_ms)
        else:
            diff = self.universe.apply_change(update.instrument, now_ms)
        if diff:
            self._make_room()
            # History that comes before the first price needs rows to be written into.
            self.advance(now_ms)
            for row in diff.added:
                self._clear(row)
                self.subscribed_ms[row] = now_ms
            for row, _ in diff.removed:
                if self.universe.at(row) is None:
                    self._clear(row)
            self._describe()
        return diff

    def load(self, instruments: Sequence[tuple[int, Instrument]], now_ms: int) -> None:
        """Take instruments at given rows; only on an empty market."""
        self.universe.load(instruments)
        self._make_room()
        self.subscribed_ms[:] = now_ms
        self._describe()

    def _describe(self) -> None:
        for row, instrument in self.universe.items():
            self.is_trading[row] = instrument.is_trading
            self.funding_interval_h[row] = instrument.funding_interval_h

    def apply_marks(self, u: MarkPrices) -> None:
        good = np.isfinite(u.price) & (u.price > 0)
        self.n_rejected += int((~good).sum())
        rows, time_ms = u.rows[good], u.event_ms[good]
        self.gauges["price"].put(rows, time_ms, u.price[good], PRICE_VALID_MS)
        for name, column in (("index", u.index), ("funding", u.funding)):
            values = column[good]
            known = np.isfinite(values) & (values > 0) if name == "index" else np.isfinite(values)
            self.gauges[name].put(rows[known], time_ms[known], values[known], PRICE_VALID_MS)
        self.next_funding_ms[rows] = u.next_funding_ms[good]

    def apply_tickers(self, u: Tickers) -> None:
        good = np.isfinite(u.volume_24h) & (u.volume_24h >= 0)
        self.gauges["volume_24h"].put(u.rows[good], u.event_ms[good], u.volume_24h[good], VOLUME_VALID_MS)

    def apply_open_interest(self, row: int, amount: float, *, at_ms: int, venue_ms: int, interval_ms: int) -> None:
        """One polled sample, placed at `at_ms`. An answer older at the venue than the last is dropped."""
        self.oi_interval_ms[row] = interval_ms
        if not (np.isfinite(amount) and amount > 0) or venue_ms < self.oi_venue_ms[row]:
            self.n_rejected += 1
            return
        self.oi_venue_ms[row] = venue_ms
        self.gauges["oi"].put(
            np.array([row], dtype=np.int32),
            np.array([at_ms], dtype=np.int64),
            np.array([amount]),
            int(POLLS_VALID * interval_ms),
        )

    def apply_samples(
        self, series: str, rows: I32, time_ms: I64, value: F64, *, valid_ms: int, interval_ms: int
    ) -> None:
        """One sample each of several instruments, from bars or dump files; each has its own validity."""
        good = np.isfinite(value) & (value > 0)
        self.n_rejected += int((~good).sum())
        if series == "oi":
            self.oi_interval_ms[rows] = interval_ms
        self.gauges[series].put(rows[good], time_ms[good], value[good], valid_ms)

    def apply_history(self, u: History) -> None:
        good = np.isfinite(u.value) & (u.value > 0)
        self.n_rejected += int((~good).sum())
        self.gauges[u.series].put_history(u.row, u.time_ms[good], u.value[good], u.valid_ms)

    def reset(self, now_ms: int) -> None:
        """Empty all windows, as when the venue's clock went back."""
        for gauge in self.gauges.values():
            gauge.reset()
        self.oi_venue_ms[:] = 0
        self.subscribed_ms[:] = now_ms

    def next_valid_ms(self, series: str) -> I64:
        """Validity that the next sample of each instrument would have: beyond that age the series is stale."""
        if series == "oi":
            interval = np.where(self.oi_interval_ms > 0, self.oi_interval_ms, DEFAULT_OI_INTERVAL_MS)
            return (interval * POLLS_VALID).astype(np.int64)
        valid = VOLUME_VALID_MS if series == "volume_24h" else PRICE_VALID_MS
        return np.full(self._n_rows, valid, dtype=np.int64)

    def _make_room(self) -> None:
        need = self.universe.n_rows
        if need <= self._n_rows:
            return
        self._n_rows = -(-need // _CHUNK) * _CHUNK if self._n_rows else need
        for gauge in self.gauges.values():
            gauge.grow(self._n_rows)
        more = self._n_rows - len(self.subscribed_ms)
        self.subscribed_ms = np.pad(self.subscribed_ms, (0, more))
        self.oi_interval_ms = np.pad(self.oi_interval_ms, (0, more))
        self.oi_venue_ms = np.pad(self.oi_venue_ms, (0, more))
        self.next_funding_ms = np.pad(self.next_funding_ms, (0, more))
        self.funding_interval_h = np.pad(self.funding_interval_h, (0, more), constant_values=8.0)
        self.is_trading = np.pad(self.is_trading, (0, more))

    def _clear(self, row: int) -> None:
        for gauge in self.gauges.values():
            gauge.clear(row)
        for column in (self.oi_interval_ms, self.oi_venue_ms, self.next_funding_ms, self.subscribed_ms):
            column[row] = 0
        self.is_trading[row] = False
