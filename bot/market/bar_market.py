"""The market of a run over bars: what a plan asks of a market, answered for a block of closes at once."""

from collections.abc import Collection, Sequence

import numpy as np

from bot.market.bar_series import BarSeries, oi_interval_ms
from bot.market.bar_windows import BarWindows, leads_of
from bot.market.gauges import NEVER_MS
from bot.market.series import PARTS, Leaf, Needs
from bot.market.universe import Universe
from bot.market.validity import DEFAULT_OI_INTERVAL_MS
from bot.model.history import BarGrid
from bot.model.instrument import Instrument
from bot.model.updates import F64, I64


class BarMarket:
    """Single use: one run, block after block. All instruments count as trading."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        step_ms: int,
        start_ms: int,
        *,
        timed: Collection[str] = (),
        sized: Collection[str] = (),
    ) -> None:
        """`start_ms`: when the first bar began. `timed`: series whose ages are asked for, parts of products included;
        `sized`: gauges that scopes are ranked by.
        """
        self.universe = Universe()
        self.universe.load(enumerate(instruments))
        self.step_ms = step_ms
        self.n_rows = len(instruments)
        self.is_trading = np.ones(self.n_rows, dtype=np.bool_)
        self._start_ms = start_ms
        self._hours = np.array([i.funding_interval_h for i in instruments])
        self._timed, self._sized = frozenset(timed), frozenset(sized)
        self.fit(Needs())

    def fit(self, needs: Needs) -> frozenset[str]:
        """Hold what is needed. Only before the first block."""
        leads = leads_of(needs.leaves, self.step_ms)
        self.series = BarSeries(self.step_ms, leads, self._hours, timed=self._timed, sized=self._sized)
        self.windows = BarWindows(needs.leaves, self.series)
        return frozenset()

    def take(self, grid: BarGrid) -> None:
        """Move on to another block, which follows the last."""
        self.series.take(grid)
        self.windows.take()

    def value(self, leaf: Leaf) -> F64:
        """Shape (T, N), not to be written."""
        return self.windows.value(leaf)

    def age(self, series: str) -> F64:
        """Milliseconds since the newest sample, or since the run began where none has come. Shape (T, N)."""
        close = self.series.close_ms[:, None]
        ages = []
        for part in PARTS.get(series, (series,)):
            newest = self.series.newest_ms(part)
            ages.append(close - np.where(newest > NEVER_MS, newest, self._start_ms))
        age: F64 = np.maximum.reduce(ages).astype(np.float64)
        return age

    def oi_interval_ms(self) -> I64:
        """How far apart samples of open interest are, by the newest one of each. Shape (T, N)."""
        valid_ms = self.series.oi_valid_ms
        if valid_ms.size and (valid_ms == valid_ms[0, 0]).all():
            return np.broadcast_to(oi_interval_ms(valid_ms[0, 0]), valid_ms.shape)
        known = np.isfinite(valid_ms)
        return np.where(known, oi_interval_ms(np.where(known, valid_ms, 0.0)), DEFAULT_OI_INTERVAL_MS)
