"""The bounded hand-over between feeds and engine.

`put` never blocks and never raises. Under load mark prices and tickers conflate: the newest value per instrument
wins. Open-interest samples, history, bars, liquidations and instrument changes never conflate; past their bound the oldest
history goes first, then bars, counted, since both can be asked for again; liquidations go last.
"""

import asyncio
from collections import deque

import numpy as np

from bot.model.updates import Bars, History, Liquidations, MarkPrices, OpenInterest, Tickers, Update

MAX_GAUGE_BATCHES = 16
"""Queued mark-price (or ticker) messages before they are merged into one: eight seconds of the stream."""
MAX_OTHER = 200_000
"""Queued samples and news; far above one full sweep with history."""


class Mailbox:
    """Single consumer, any number of producers in the same loop."""

    def __init__(self) -> None:
        self._queue: deque[Update] = deque()
        self._arrived = asyncio.Event()
        self._n_marks = 0
        self._n_tickers = 0
        self.n_conflated = 0
        self.n_dropped = 0

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, update: Update) -> None:
        self._queue.append(update)
        if isinstance(update, MarkPrices):
            self._n_marks += 1
            if self._n_marks > MAX_GAUGE_BATCHES:
                self._merge_marks()
        elif isinstance(update, Tickers):
            self._n_tickers += 1
            if self._n_tickers > MAX_GAUGE_BATCHES:
                self._merge_tickers()
        elif len(self._queue) > MAX_OTHER:
            self._drop_one()
        self._arrived.set()

    async def wait(self) -> None:
        """Return once something is there."""
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()

    def drain(self) -> list[Update]:
        """Take all that is there, oldest first."""
        taken = list(self._queue)
        self._queue.clear()
        self._n_marks = self._n_tickers = 0
        self._arrived.clear()
        return taken

    def _drop_one(self) -> None:
        for kind in (History, Bars, OpenInterest, Liquidations):
            for i, update in enumerate(self._queue):
                if isinstance(update, kind):
                    del self._queue[i]
                    self.n_dropped += 1
                    return

    def _merge_marks(self) -> None:
        batches = [u for u in self._queue if isinstance(u, MarkPrices)]
        keep = _last_of_each(np.concatenate([b.rows for b in batches]))
        merged = MarkPrices(
            rows=np.concatenate([b.rows for b in batches])[keep],
            price=np.concatenate([b.price for b in batches])[keep],
            index=np.concatenate([b.index for b in batches])[keep],
            funding=np.concatenate([b.funding for b in batches])[keep],
            next_funding_ms=np.concatenate([b.next_funding_ms for b in batches])[keep],
            event_ms=np.concatenate([b.event_ms for b in batches])[keep],
            received_ms=batches[-1].received_ms,
        )
        self._replace(MarkPrices, merged)
        self.n_conflated += len(batches) - 1
        self._n_marks = 1

    def _merge_tickers(self) -> None:
        batches = [u for u in self._queue if isinstance(u, Tickers)]
        keep = _last_of_each(np.concatenate([b.rows for b in batches]))
        merged = Tickers(
            rows=np.concatenate([b.rows for b in batches])[keep],
            volume_24h=np.concatenate([b.volume_24h for b in batches])[keep],
            event_ms=np.concatenate([b.event_ms for b in batches])[keep],
            received_ms=batches[-1].received_ms,
        )
        self._replace(Tickers, merged)
        self.n_conflated += len(batches) - 1
        self._n_tickers = 1

    def _replace(self, kind: type[MarkPrices] | type[Tickers], merged: Update) -> None:
        self._queue = deque(u for u in self._queue if not isinstance(u, kind))
        self._queue.append(merged)


def _last_of_each(rows: "np.typing.NDArray[np.int32]") -> "np.typing.NDArray[np.intp]":
    """Positions of the last occurrence of each value, ascending by row."""
    reverse = rows[::-1]
    _, first = np.unique(reverse, return_index=True)
    positions: np.typing.NDArray[np.intp] = len(rows) - 1 - first
    return positions
