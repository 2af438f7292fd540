"""The market: all series of all instruments, fed by updates, read through leaves and views.

Windows up to an hour are kept at the run's finest step (1 s live), up to a day at a minute, beyond that at five minutes.
Price and open interest are always held; everything else only as far as the loaded rules look back.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bot.market.flows import SPANS_VALID, LiquidationLog, Volume
from bot.market.gauges import N_MARKS, NEVER_MS, Gauges
from bot.market.series import FLOWS, GAUGES, INDEX, MINUTE_MS, OI, PRICE, SUMS, Grids, Leaf, Needs
from bot.market.tier import Tier
from bot.market.universe import Diff, Universe
from bot.market.validity import (
    BAR_VALID_MS,
    DEFAULT_OI_INTERVAL_MS,
    POLLS_VALID,
    PRICE_VALID_MS,
    is_sound,
    valid_for_ms,
)
from bot.market.view import Moment
from bot.market.windows import Windows, tick_of
from bot.model.instrument import Instrument
from bot.model.updates import (
    F64,
    I32,
    I64,
    Bars,
    History,
    InstrumentChange,
    InstrumentList,
    Liquidations,
    MarkPrices,
    Tickers,
)

DAY_MS: Final = 86_400_000
SPARE_SLOTS: Final = 64
"""Grid points held beyond the longest window, so that sums can follow over a pause of a minute row by row."""
_CHUNK: Final = 64
_NEVER_ALIVE_MS: Final = 1 << 60


class Market:
    """Single writer. `step_ms` is the run's finest step, `n_block` how many ticks are evaluated at a time."""

    SLOW: Final = frozenset({"oi", "volume_24h", "volume", "taker_buy", "long_short"})
    """Series whose first sample may take as long as any other."""

    def __init__(
        self, *, step_ms: int = 1_000, needs: Needs | None = None, n_block: int = 1, dtype: str = "float32"
    ) -> None:
        self.universe = Universe()
        self.dtype = np.dtype(dtype)
        self.grids = Grids.of(step_ms)
        self._n_block = n_block
        self._n_rows = 0
        steps = sorted({self.grids.fine_ms, self.grids.coarse_ms, self.grids.week_ms})
        self._tiers = {s: Tier(step_ms=s, slots={}, n_rows=0, dtype=dtype) for s in steps}
        self.gauges = Gauges([self._tiers[s] for s in steps])
        self.volume = Volume(step_ms=self.grids.coarse_ms, n_rows=0, dtype=dtype)
        self.liquidations = LiquidationLog()
        self.subscribed_ms = np.zeros(0, dtype=np.int64)
        self.oi_interval_ms = np.zeros(0, dtype=np.int64)
        self.oi_venue_ms = np.zeros(0, dtype=np.int64)
        self.next_funding_ms = np.zeros(0, dtype=np.int64)
        self.resumed_ms = NEVER_MS
        """When windows of an earlier process were taken up."""
        self.funding_interval_h = np.zeros(0)
        self._to_8h = np.ones(0)
        self.is_trading = np.zeros(0, dtype=np.bool_)
        self._venue: list[str] = []
        self.n_rejected = 0
        self.needs = Needs()
        self.windows = Windows((), {}, 0)
        self.fit(needs or self.needs)

    # -- room ----------------------------------------------------------------------------------------------------

    def fit(self, needs: Needs) -> frozenset[str]:
        """Hold what is needed now, and no more. Returns the series that reach further back than before."""
        lengths = needs.lengths(self.grids)
        longer: set[str] = set()
        extra = self._n_block + SPARE_SLOTS
        for step, tier in self._tiers.items():
            longer |= tier.fit({name: w // step + extra for name, w in lengths.get(step, {}).items()})
        if self.volume.fit(needs.flow_ms("volume")):
            longer.add("volume")
        self.liquidations.length_ms = max(needs.flow_ms("liq_long"), needs.flow_ms("liq_short"))
        before, self.needs = self.needs, needs
        if needs != before:
            self._make_windows()
        return frozenset(longer)

    def _make_windows(self) -> None:
        leaves = self.needs.leaves | {_inner(w) for w in self.needs.leaves if w.inner_ms}
        tiers = {w: self.tier_of(w) for w in leaves if w.window_ms and w.series not in FLOWS}
        self.windows = Windows(leaves, tiers, self._n_rows, before=self.windows)

    @property
    def tiers(self) -> Sequence[Tier]:
        """Finest first."""
        return self.gauges.tiers

    @property
    def coarse(self) -> Tier:
        return self._tiers[self.grids.coarse_ms]

    @property
    def fine_ms(self) -> int:
        return self.grids.fine_ms

    def tier_of(self, leaf: Leaf) -> Tier:
        """The grid on which the points of a leaf's window lie."""
        return self._tiers[self.grids.step_ms(leaf)]

    def ends_tier(self, window_ms: int) -> Tier:
        return self._tiers[self.grids.ends_ms(window_ms)]

    @property
    def nbytes(self) -> int:
        """Bytes of rings and of what is kept beside them."""
        held = sum(t.nbytes for t in self.tiers) + self.volume.nbytes + self.liquidations.nbytes
        return held + self.windows.nbytes

    @property
    def n_rows(self) -> int:
        """Columns of every array; free rows included."""
        return self._n_rows

    def _make_room(self) -> None:
        need = self.universe.n_rows
        if need <= self._n_rows:
            return
        self._n_rows = -(-need // _CHUNK) * _CHUNK if self._n_rows else need
        self.gauges.grow(self._n_rows)
        self.volume.grow(self._n_rows)
        more = self._n_rows - len(self.subscribed_ms)
        self.subscribed_ms = np.pad(self.subscribed_ms, (0, more))
        self.oi_interval_ms = np.pad(self.oi_interval_ms, (0, more))
        self.oi_venue_ms = np.pad(self.oi_venue_ms, (0, more))
        self.next_funding_ms = np.pad(self.next_funding_ms, (0, more))
        self.funding_interval_h = np.pad(self.funding_interval_h, (0, more), constant_values=8.0)
        self.is_trading = np.pad(self.is_trading, (0, more))
        self._make_windows()

    # -- time ----------------------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Write grid rows up to now. Call at each tick, after its samples."""
        self.gauges.advance(now_ms)
        self.volume.advance(now_ms)

    def compute(self, now_ms: int, out: F64) -> None:
        """Values of the needed leaves at now, in the order of `windows.leaves`. Shape (n_leaves, n_rows)."""
        tick = tick_of(self.gauges, now_ms, self.dtype)
        self.windows.follow(tick)
        self.windows.compute(tick, out)
        for row, leaf in enumerate(self.windows.leaves):
            if leaf.series in FLOWS:
                out[row] = self.flow(leaf, now_ms)

    def follow(self, now_ms: int) -> None:
        """Let the windows take in what was written; `compute` does it by itself."""
        self.windows.follow(tick_of(self.gauges, now_ms, self.dtype))

    def moment(self, now_ms: int, *, copied: bool = True) -> Moment:
        """The newest samples now; copied where they are still wanted after the next update."""
        return Moment(now_ms, self.gauges.frozen() if copied else self.gauges)

    # -- flows ---------------------------------------------------------------------------------------------------

    def flow(self, leaf: Leaf, now_ms: int) -> F64:
        """A leaf over a flow. Shape (n_rows,)."""
        if leaf.function not in SUMS:
            return self.flow_now(leaf.series, now_ms)
        amount = self._flow_sum(leaf.series, leaf.window_ms, now_ms)
        if leaf.function == "sum":
            return amount
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = amount / (self._flow_sum(leaf.series, DAY_MS, now_ms) * (leaf.window_ms / DAY_MS))
        return np.where(np.isfinite(ratio), ratio, np.nan)

    def _flow_sum(self, flow: str, window_ms: int, now_ms: int) -> F64:
        if flow == "volume":
            return self.volume.sum(window_ms, now_ms)
        return self.liquidations.sum(flow, window_ms, now_ms, self.liquidations_since_ms())

    def flow_now(self, flow: str, now_ms: int) -> F64:
        """What happened last: the newest closed bar, or the liquidations of a minute."""
        return self.volume.now(now_ms) if flow == "volume" else self._flow_sum(flow, MINUTE_MS, now_ms)

    def flow_age(self, flow: str, now_ms: int) -> F64:
        """Milliseconds since the newest bar; of liquidations 0 while their stream is alive."""
        if flow == "volume":
            seen = self.volume.close_ms
            return (now_ms - np.where(seen > NEVER_MS, seen, self.subscribed_ms)).astype(np.float64)
        log = self.liquidations
        lost = [log.lost_ms.get(v, int(s)) for v, s in zip(self._venues(), self.subscribed_ms, strict=True)]
        alive = self.liquidations_since_ms() <= now_ms
        return np.where(alive, 0.0, now_ms - np.array(lost, dtype=np.float64))

    def liquidations_since_ms(self) -> I64:
        """Per row: since when the liquidations of its venue have been seen; in the far future where they are not."""
        alive = self.liquidations.alive_since_ms
        if len(alive) == 1 and len(set(self._venue)) <= 1:
            since = next(iter(alive.values()))
            return np.full(self._n_rows, _NEVER_ALIVE_MS if since is None else since, dtype=np.int64)
        known = {venue: _NEVER_ALIVE_MS if since is None else since for venue, since in alive.items()}
        return np.array([known.get(v, _NEVER_ALIVE_MS) for v in self._venues()], dtype=np.int64)

    @property
    def is_listed(self) -> "np.typing.NDArray[np.bool_]":
        """Per row: whether it belongs to an instrument."""
        listed = np.zeros(self._n_rows, dtype=np.bool_)
        listed[[row for row, _ in self.universe.items()]] = True
        return listed

    def _venues(self) -> list[str]:
        return [*self._venue, *[""] * (self._n_rows - len(self._venue))]

    # -- instruments ---------------------------------------------------------------------------------------------

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
        self._venue = [""] * self._n_rows
        for row, instrument in self.universe.items():
            self.is_trading[row] = instrument.is_trading
            self.funding_interval_h[row] = instrument.funding_interval_h
            self._venue[row] = instrument.venue
        self._to_8h = 8.0 / self.funding_interval_h

    def _clear(self, row: int) -> None:
        self.gauges.clear(row)
        self.volume.clear(row)
        self.liquidations.clear(row)
        for column in (self.oi_interval_ms, self.oi_venue_ms, self.next_funding_ms, self.subscribed_ms):
            column[row] = 0
        self.is_trading[row] = False

    # -- samples -------------------------------------------------------------------------------------------------

    def apply_marks(self, u: MarkPrices) -> None:
        rows, time_ms, price, index, funding = u.rows, u.event_ms, u.price, u.index, u.funding
        if not (len(price) and price.min() > 0 and price.max() < np.inf):
            good = np.isfinite(price) & (price > 0)
            self.n_rejected += int((~good).sum())
            rows, time_ms = rows[good], time_ms[good]
            price, index, funding = price[good], index[good], funding[good]
            self.next_funding_ms[rows] = u.next_funding_ms[good]
        else:
            self.next_funding_ms[rows] = u.next_funding_ms
        if not len(rows):
            return
        values = np.empty((N_MARKS, len(rows)))
        values[0], values[1], values[3] = price, index, funding
        if not index.min() > 0:
            values[1][~(index > 0)] = np.nan
        np.subtract(values[0], values[1], out=values[2])
        values[2] /= values[1]
        np.multiply(funding, self._to_8h[rows], out=values[4])
        self.gauges.put_marks(rows, time_ms, values, PRICE_VALID_MS)

    def apply_tickers(self, u: Tickers) -> None:
        good = np.isfinite(u.volume_24h) & (u.volume_24h >= 0)
        self.gauges.put(
            INDEX["volume_24h"], u.rows[good], u.event_ms[good], u.volume_24h[good], valid_for_ms("volume_24h")
        )

    def apply_open_interest(self, row: int, amount: float, *, at_ms: int, venue_ms: int, interval_ms: int) -> None:
        """One polled sample, placed at `at_ms`. An answer older at the venue than the last is dropped."""
        self.oi_interval_ms[row] = interval_ms
        if not (np.isfinite(amount) and amount > 0) or venue_ms < self.oi_venue_ms[row]:
            self.n_rejected += 1
            return
        self.oi_venue_ms[row] = venue_ms
        self.gauges.put(
            OI,
            np.array([row], dtype=np.int32),
            np.array([at_ms], dtype=np.int64),
            np.array([amount]),
            int(POLLS_VALID * interval_ms),
        )

    def apply_samples(
        self, series: str, rows: I32, time_ms: I64, value: F64, *, valid_ms: int, interval_ms: int
    ) -> None:
        """One sample each of several instruments, from bars or dump files; each has its own validity."""
        good = is_sound(series, value)
        self.n_rejected += int((~good).sum())
        if series == "oi":
            self.oi_interval_ms[rows] = interval_ms
        self.gauges.put(INDEX[series], rows[good], time_ms[good], value[good], valid_ms)

    def apply_history(self, u: History) -> None:
        good = is_sound(u.series, u.value)
        self.n_rejected += int((~good).sum())
        self.gauges.put_history(INDEX[u.series], u.row, u.time_ms[good], u.value[good], u.valid_ms)

    def apply_bars(self, u: Bars) -> None:
        """Closed bars: volume, and the takers' share of it as a sample at the close."""
        good = np.isfinite(u.volume) & (u.volume >= 0) & (u.close_ms % u.span_ms == 0)
        self.n_rejected += int((~good).sum())
        u = Bars(u.rows[good], u.close_ms[good], u.volume[good], u.taker_buy[good], u.span_ms, u.received_ms)
        if not len(u.rows):
            return
        self.volume.put(u)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = u.taker_buy / u.volume
        known = np.isfinite(share) & (share >= 0)
        valid_ms = int(SPANS_VALID * u.span_ms)
        gauge = INDEX["taker_buy"]
        rows, close_ms, share = u.rows[known], u.close_ms[known], share[known]
        if len(np.unique(rows)) == len(rows):
            self.gauges.put(gauge, rows, close_ms, share, valid_ms)
            return
        for row in np.unique(rows):
            mine = rows == row
            self.gauges.put_history(gauge, int(row), close_ms[mine], share[mine], valid_ms)

    def apply_liquidations(self, u: Liquidations) -> None:
        good = np.isfinite(u.usd) & (u.usd > 0)
        self.n_rejected += int((~good).sum())
        self.liquidations.put(Liquidations(u.rows[good], u.event_ms[good], u.usd[good], u.is_long[good], u.received_ms))

    def reset(self, now_ms: int) -> None:
        """Empty all windows, as when the venue's clock went back."""
        self.gauges.reset()
        self.volume.reset()
        alive = {v: s for v, s in self.liquidations.alive_since_ms.items() if s is not None}
        self.liquidations.reset()
        for venue in alive:
            self.liquidations.cover(venue, live=True, at_ms=now_ms)
        self.oi_venue_ms[:] = 0
        self.subscribed_ms[:] = now_ms
        self.resumed_ms = min(self.resumed_ms, now_ms)

    def next_valid_ms(self, series: str) -> I64:
        """Validity that the next sample of each instrument would have: beyond that age the series is stale."""
        if series == "oi":
            interval = np.where(self.oi_interval_ms > 0, self.oi_interval_ms, DEFAULT_OI_INTERVAL_MS)
            return (interval * POLLS_VALID).astype(np.int64)
        if series in {"volume", "taker_buy"}:
            return self.volume.valid_ms(BAR_VALID_MS)
        return np.full(self._n_rows, valid_for_ms(series), dtype=np.int64)


def _inner(leaf: Leaf) -> Leaf:
    """The change that a score or percentile of changes is taken of, as it stands now."""
    return Leaf("pct", leaf.series, leaf.inner_ms)


assert GAUGES[PRICE] == "price"
