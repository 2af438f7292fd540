"""Listens to what the stream says on its way to the engine.

Promises: passes everything on, at once and in order. Notes when prices came, whole and per instrument; completes contract
news with the funding interval that only REST knows. Costs a few NumPy operations per message.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from bot.feeds.binance.constants import DEFAULT_FUNDING_INTERVAL_H
from bot.model.instrument import Instrument
from bot.model.ports import Sink
from bot.model.updates import F64, I32, InstrumentChange, MarkPrices, Update

GAP_MS: Final = 30_000.0
"""Longer than this without a price, and the venue's bars fill the gap."""


class Tap:
    """A sink before the sink."""

    def __init__(
        self,
        sink: Sink,
        *,
        on_price_gap: Callable[[I32, float], None] = lambda _rows, _gap_ms: None,
        on_contract: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_price_gap` gets the rows whose prices are back, and the longest of their gaps."""
        self._sink = sink
        self._on_price_gap = on_price_gap
        self._on_contract = on_contract
        self.funding_interval_h: dict[str, float] = {}
        self.last_mark_ms: float | None = None
        """When the stream last brought prices, `Clock.monotonic_ms`."""
        self._seen_ms: F64 = np.empty(0)

    def put(self, update: Update) -> None:
        """From the stream."""
        if isinstance(update, MarkPrices):
            self.last_mark_ms = update.received_ms
            self.prices(update)
        elif isinstance(update, InstrumentChange):
            self._sink.put(InstrumentChange(self.completed(update)))
            self._on_contract()
        else:
            self._sink.put(update)

    def completed(self, change: InstrumentChange) -> Instrument:
        hours = self.funding_interval_h.get(change.instrument.symbol, DEFAULT_FUNDING_INTERVAL_H)
        return replace(change.instrument, funding_interval_h=hours)

    def prices(self, update: MarkPrices) -> None:
        """Prices of the stream or of its stand-in."""
        self._sink.put(update)
        if not len(update.rows):
            return
        top = int(update.rows.max()) + 1
        if top > len(self._seen_ms):
            self._seen_ms = np.pad(self._seen_ms, (0, top - len(self._seen_ms)), constant_values=np.nan)
        age_ms = update.received_ms - self._seen_ms[update.rows]
        self._seen_ms[update.rows] = update.received_ms
        late = age_ms > GAP_MS  # never seen is NaN, and no gap: a listing has its own warm start
        if late.any():
            self._on_price_gap(update.rows[late], float(age_ms[late].max()))

    def forget(self, rows: Iterable[int]) -> None:
        """These rows lose their instruments: their gaps mean nothing."""
        for row in rows:
            if row < len(self._seen_ms):
                self._seen_ms[row] = np.nan
