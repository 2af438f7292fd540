"""Lowest and highest of windows, exact, in a few operations a tick.

The grid is cut into blocks. For every whole block its extremum is kept, and for the block under way the extremum so far
(a prefix). A window also keeps the extrema from each point of its oldest block to that block's end (a suffix). It is then
one row of its suffix, the whole blocks between, and the prefix; the first two are remembered until the window moves on
by a block. Unknown points are -inf for highest (and inf for lowest), so they never win.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bot.market.sums import MAX_STEPS
from bot.market.tier import Tier, Values
from bot.model.updates import F64

BLOCK: Final = 32


class Extrema:
    """Minima or maxima of (gauge, n points) pairs over the past points of one tier."""

    def __init__(self, tier: Tier, pairs: Sequence[tuple[int, int]], n_rows: int, *, highest: bool) -> None:
        self.pairs = tuple(pairs)
        self._tier = tier
        self._better: Any = np.maximum if highest else np.minimum
        self._worst = -np.inf if highest else np.inf
        self._gauge = np.array([g for g, _ in pairs], dtype=np.int64)
        self._n = np.array([n for _, n in pairs], dtype=np.int64)
        self._gauges = tuple(sorted({g for g, _ in pairs}))
        self._place = {g: k for k, g in enumerate(self._gauges)}
        self._n_blocks = [
            (int(self._n[self._gauge == g].max()) + BLOCK) // BLOCK + 2 if len(self._gauges) else 0
            for g in self._gauges
        ]
        self._long = np.flatnonzero(self._n - 1 >= BLOCK)
        """Pairs that reach past one block; the others are read from the ring."""
        self._short = np.flatnonzero((self._n - 1 < BLOCK) & (self._n > 1))
        self._long_place = np.array([self._place[int(g)] for g in self._gauge[self._long]], dtype=np.int64)
        places = np.array(self._gauges, dtype=np.int64)
        self._ring, self._slots = tier.base[places], tier.slots[places]
        self._at: int | None = None
        self._seen = -1
        self._allocate(n_rows)

    def _allocate(self, n_rows: int) -> None:
        dtype = self._tier.dtype
        self._suffix = np.full((len(self._long) * BLOCK, n_rows), self._worst, dtype=dtype)
        self._whole = [np.full((n, n_rows), self._worst, dtype=dtype) for n in self._n_blocks]
        self._prefix = np.full((len(self._gauges), n_rows), self._worst, dtype=dtype)
        self._middle = np.full((len(self._long), n_rows), self._worst, dtype=dtype)
        self._oldest = np.full(len(self._long), -1, dtype=np.int64)
        self._current = -1
        """What the parts between belong to: the block of each window's oldest point, and the block under way."""

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in (self._suffix, *self._whole, self._prefix, self._middle))

    # -- keeping up ----------------------------------------------------------------------------------------------

    def catch_up(self, n_rows: int, dirty: dict[int, set[int]]) -> None:
        """Follow the tier: blocks hold the rows before the newest, which is read at now itself."""
        newest = self._tier.newest
        if newest is None:
            return
        last = newest - 1
        # A block that is closed has to be in the ring still.
        reach = min(MAX_STEPS, int(self._slots.min()) - BLOCK - 2)
        stale = self._at is None or self._seen != self._tier.n_rebuilt or last - self._at > reach
        if stale or self._prefix.shape[1] != n_rows:
            self._allocate(n_rows)
            self._at, self._seen = last, self._tier.n_rebuilt
            for gauge in self._gauges:
                self._rebuild(gauge, np.arange(n_rows))
            return
        assert self._at is not None
        for number in range(self._at + 1, last + 1):
            self._take(number)
        self._at = max(self._at, last)
        for gauge in self._gauges:
            if columns := dirty.get(gauge):
                self._rebuild(gauge, np.array(sorted(columns)))

    def _filled(self, values: Values, *, is_whole: bool) -> Values:
        """Unknown as the value that never wins."""
        return values if is_whole else np.where(np.isnan(values), values.dtype.type(self._worst), values)

    def _take(self, number: int) -> None:
        tier = self._tier
        block, offset = divmod(number, BLOCK)
        rows = self._ring + number % self._slots
        values = self._filled(tier.value[rows], is_whole=bool(tier.whole[rows].all()))
        if offset == 0:
            self._prefix[:] = values
        else:
            self._better(self._prefix, values, out=self._prefix)
        if offset == BLOCK - 1:
            for k, gauge in enumerate(self._gauges):
                self._close_block(k, gauge, block)

    def _close_block(self, k: int, gauge: int, block: int) -> None:
        values = self._filled(self._tier.rows(gauge, block * BLOCK, BLOCK), is_whole=False)
        self._better.reduce(values, axis=0, out=self._whole[k][block % self._n_blocks[k]])

    def _rebuild(self, gauge: int, columns: "npt.NDArray[np.intp]") -> None:
        """Compute the blocks of some columns afresh from the ring."""
        assert self._at is not None
        k = self._place[gauge]
        n_blocks = self._n_blocks[k]
        current = self._at // BLOCK
        first = max(current - n_blocks + 1, 0)
        # The block under way may just have been completed.
        n_done = (self._at + 1) // BLOCK - first
        blocks = np.arange(first, first + n_done)[:, None] % n_blocks
        for some, past in self._tier.blocks(gauge, first * BLOCK, self._at + 1 - first * BLOCK, columns):
            values = self._filled(past, is_whole=False)
            done = values[: n_done * BLOCK].reshape(n_done, BLOCK, len(some))
            self._whole[k][blocks, some] = self._better.reduce(done, axis=1)
            self._prefix[k, some] = self._better.reduce(values[(current - first) * BLOCK :], axis=0)
        self._oldest[self._long_place == k] = -1

    # -- reading -------------------------------------------------------------------------------------------------

    def past(self) -> Values:
        """Extremum of each pair's past points; the losing infinity where none is known. Shape (n_pairs, n_rows)."""
        if self._at is not None and len(self._long) == len(self.pairs):
            return self._read_long(self._at)
        out: Values = np.full((len(self.pairs), self._prefix.shape[1]), self._worst, dtype=self._tier.dtype)
        if self._at is None:
            return out
        if len(self._long):
            out[self._long] = self._read_long(self._at)
        for pair in self._short:
            gauge, n = self.pairs[pair]
            values = self._tier.rows(gauge, self._at - n + 2, n - 1)
            out[pair] = self._better.reduce(self._filled(values, is_whole=False), axis=0)
        return out

    def _read_long(self, last: int) -> Values:
        """The newest point of a long window lies in the block under way, its oldest in a block that is complete."""
        first = last + 2 - self._n[self._long]
        oldest, current = first // BLOCK, last // BLOCK
        moved = np.flatnonzero(oldest != self._oldest) if current == self._current else np.arange(len(first))
        for j in moved:
            self._fold(int(j), int(oldest[j]), current)
            if oldest[j] != self._oldest[j]:
                self._fill_suffix(int(j), int(oldest[j]))
        self._oldest, self._current = oldest, current
        out: Values = self._suffix.take(np.arange(len(first)) * BLOCK + first % BLOCK, axis=0)
        self._better(out, self._middle, out=out)
        self._better(out, self._prefix.take(self._long_place, axis=0), out=out)
        return out

    def _fill_suffix(self, j: int, block: int) -> None:
        gauge = self._gauges[self._long_place[j]]
        values = self._filled(self._tier.rows(gauge, block * BLOCK, BLOCK), is_whole=False)
        suffix = self._suffix[j * BLOCK : (j + 1) * BLOCK]
        suffix[-1] = values[-1]
        for i in range(BLOCK - 2, -1, -1):
            self._better(values[i], suffix[i + 1], out=suffix[i])

    def _fold(self, j: int, oldest: int, current: int) -> None:
        """The whole blocks strictly between the oldest one and the one under way."""
        middle, whole = self._middle[j], self._whole[self._long_place[j]]
        n = current - oldest - 1
        if n <= 0:
            middle[:] = self._worst
            return
        start, stop = (oldest + 1) % len(whole), (current - 1) % len(whole) + 1
        if start < stop:
            self._better.reduce(whole[start:stop], axis=0, out=middle)
        else:
            self._better.reduce(whole[start:], axis=0, out=middle)
            self._better(middle, self._better.reduce(whole[:stop], axis=0), out=middle)


def newest_wins(past: "Values | F64", level: F64, value: F64, *, highest: bool) -> F64:
    """Extremum with now. Where now is the answer it is given as it came, so that `price >= max(price, 24h)` holds at
    a new high.
    """
    wins = level >= past if highest else level <= past
    return np.where(wins, value, past)
