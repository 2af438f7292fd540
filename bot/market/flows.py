"""Amounts per time: traded volume in bars, liquidations as single events.

A sum is over what happened in (now - w, now]. Volume lies on a grid of minutes (the run's step where that is coarser);
a bar of a longer span is spread over its minutes, a bar of a shorter one replaces what it gave. Liquidations keep
their own times. What was not seen is unknown, never zero.
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from bot.market.gauges import NEVER_MS
from bot.market.series import MINUTE_MS
from bot.model.updates import F64, I32, I64, Bars, Liquidations, Mask

if TYPE_CHECKING:
    from bot.market.state import Patches

KNOWN_SHARE: Final = 0.8
SPANS_VALID: Final = 1.5
"""The newest bar speaks for this many of its spans."""
Columns = tuple[I64, I32, F64, Mask]
_NO_SPAN: Final = 255
"""In units of the grid step; a bar over four hours of minutes counts as this long."""


class Volume:
    """Traded volume per instrument on a grid."""

    def __init__(self, *, step_ms: int, n_rows: int, dtype: "npt.DTypeLike" = "float32") -> None:
        self.step_ms = step_ms
        self._dtype = np.dtype(dtype)
        self._n_slots = 0
        self._n_rows = n_rows
        self._newest: int | None = None
        """Number of the newest grid point, `close / step_ms`."""
        self._amount: Any = np.zeros((0, n_rows), dtype=self._dtype)
        self._span = np.zeros((0, n_rows), dtype=np.uint8)
        """Of the bar that gave the amount, in steps; 0 where there is none."""
        self.close_ms = np.full(n_rows, NEVER_MS, dtype=np.int64)
        """Close of the newest bar."""
        self.expiry_ms = np.full(n_rows, NEVER_MS, dtype=np.int64)
        self.newest_amount = np.full(n_rows, np.nan)
        self.n_rebuilt = 0
        """Grows whenever rows mean something else than before."""
        self.patches: Patches | None = None
        """Where bars of the past are noted for who copies the ring."""
        self._version = 0
        self._sums: dict[tuple[int, int, int], tuple[int, F64]] = {}

    @property
    def nbytes(self) -> int:
        return int(self._amount.nbytes + self._span.nbytes)

    @property
    def is_held(self) -> bool:
        return self._n_slots > 0

    @property
    def n_slots(self) -> int:
        return self._n_slots

    @property
    def newest(self) -> int | None:
        """Number of the newest grid point."""
        return self._newest

    @property
    def planes(self) -> "tuple[npt.NDArray[Any], npt.NDArray[Any]]":
        """Amounts, and the spans of the bars that gave them, by slot and instrument."""
        return self._amount, self._span

    def restored(self, newest: int) -> None:
        """The planes were filled from elsewhere, up to this grid point."""
        self._newest = newest
        self._moved()

    def fit(self, length_ms: int) -> bool:
        """Hold as much as is needed now; True where more is held than before."""
        n_slots = -(-length_ms // self.step_ms) + 2 if length_ms else 0
        if n_slots == self._n_slots:
            return False
        old_amount, old_span, old_slots = self._amount, self._span, self._n_slots
        self._n_slots = n_slots
        self._amount = np.zeros((n_slots, self._n_rows), dtype=self._dtype)
        self._span = np.zeros((n_slots, self._n_rows), dtype=np.uint8)
        if self._newest is not None and (kept := min(n_slots, old_slots)):
            numbers = np.arange(self._newest - kept + 1, self._newest + 1)
            self._amount[numbers % n_slots] = old_amount[numbers % old_slots]
            self._span[numbers % n_slots] = old_span[numbers % old_slots]
        if not n_slots:
            self._newest = None
        self._moved()
        return n_slots > old_slots

    def grow(self, n_rows: int) -> None:
        more = n_rows - self._n_rows
        if more > 0:
            self._n_rows = n_rows
            self._amount = np.pad(self._amount, ((0, 0), (0, more)))
            self._span = np.pad(self._span, ((0, 0), (0, more)))
            self.close_ms = np.pad(self.close_ms, (0, more), constant_values=NEVER_MS)
            self.expiry_ms = np.pad(self.expiry_ms, (0, more), constant_values=NEVER_MS)
            self.newest_amount = np.pad(self.newest_amount, (0, more), constant_values=np.nan)
            self._moved()

    def clear(self, row: int) -> None:
        self._amount[:, row] = 0
        self._span[:, row] = 0
        self.close_ms[row] = self.expiry_ms[row] = NEVER_MS
        self.newest_amount[row] = np.nan
        self._changed()

    def reset(self) -> None:
        self._newest = None
        self._amount[:] = 0
        self._span[:] = 0
        self.close_ms[:] = self.expiry_ms[:] = NEVER_MS
        self.newest_amount[:] = np.nan
        self._moved()

    def _moved(self) -> None:
        self.n_rebuilt += 1
        self._changed()

    def _changed(self) -> None:
        self._version += 1
        self._sums.clear()

    def put(self, bars: Bars) -> None:
        """Take closed bars. Those that cannot be right are left out by the caller."""
        for i in np.argsort(bars.close_ms, kind="stable") if _has_repeats(bars.rows) else (slice(None),):
            rows, close_ms = np.atleast_1d(bars.rows[i]), np.atleast_1d(bars.close_ms[i])
            self._put_one_each(rows, close_ms, np.atleast_1d(bars.volume[i]), bars.span_ms)

    def _put_one_each(self, rows: I32, close_ms: I64, amount: F64, span_ms: int) -> None:
        newer = close_ms > self.close_ms[rows]
        at = rows[newer]
        self.close_ms[at] = close_ms[newer]
        self.expiry_ms[at] = close_ms[newer] + int(SPANS_VALID * span_ms)
        self.newest_amount[at] = amount[newer]
        if not self._n_slots:
            return
        self.advance(int(close_ms.max()))
        assert self._newest is not None
        n_steps = max(1, span_ms // self.step_ms)
        span = min(n_steps, _NO_SPAN)
        last = close_ms // self.step_ms
        for k in range(n_steps):
            number = last - k
            inside = (number > self._newest - self._n_slots) & (number <= self._newest)
            slot = number % self._n_slots
            known = self._span[slot, rows]
            better = inside & ((known == 0) | (known > span))
            at, slots = rows[better], slot[better]
            self._amount[slots, at] = amount[better] / n_steps
            self._span[slots, at] = span
        if self.patches is not None:
            self.patches.note(rows.tolist(), int(last.min()) - n_steps + 1, int(last.max()), self._newest)
        self._changed()

    def advance(self, until_ms: int) -> None:
        """Begin new minutes, in which nothing is known yet."""
        last = until_ms // self.step_ms
        if not self._n_slots or (self._newest is not None and last <= self._newest):
            return
        before = last - self._n_slots if self._newest is None else max(self._newest, last - self._n_slots)
        slots = np.arange(before + 1, last + 1) % self._n_slots
        self._amount[slots] = 0
        self._span[slots] = 0
        self._newest = last
        self._changed()

    def sum(self, window_ms: int, now_ms: int) -> F64:
        """Amount of the bars whose close lies in the window; NaN where they cover less than 80 % of it."""
        self.advance(now_ms)
        first, last = (now_ms - window_ms) // self.step_ms + 1, now_ms // self.step_ms
        key = (first, last, window_ms)
        found = self._sums.get(key)
        if found is None or found[0] != self._version:
            self._sums = {k: v for k, v in self._sums.items() if k[1] == last}
            found = self._sums[key] = (self._version, self._sum(first, last, window_ms))
        return found[1]

    def _sum(self, first: int, last: int, window_ms: int) -> F64:
        unknown: F64 = np.full(self._n_rows, np.nan)
        if self._newest is None or last - first + 1 > self._n_slots:
            return unknown
        total = np.zeros(self._n_rows)
        n_known = np.zeros(self._n_rows, dtype=np.int64)
        last = min(last, self._newest)
        for start, stop in _pieces(first, last, self._n_slots):
            total += np.add.reduce(self._amount[start:stop], axis=0, dtype=np.float64)
            n_known += np.count_nonzero(self._span[start:stop], axis=0)
        return np.where(n_known * self.step_ms >= KNOWN_SHARE * window_ms, total, np.nan)

    def valid_ms(self, first_ms: int) -> I64:
        """How long the next bar of each instrument will speak, if it is like the last; `first_ms` before any."""
        return np.where(self.close_ms > NEVER_MS, self.expiry_ms - self.close_ms, first_ms)

    def known_share(self, window_ms: int, now_ms: int) -> F64:
        """How much of the window bars cover. Shape (n_rows,)."""
        first, last = (now_ms - window_ms) // self.step_ms + 1, now_ms // self.step_ms
        n_known = np.zeros(self._n_rows)
        if self._newest is not None and last - first + 1 <= self._n_slots:
            for start, stop in _pieces(first, min(last, self._newest), self._n_slots):
                n_known += np.count_nonzero(self._span[start:stop], axis=0)
        return n_known * self.step_ms / window_ms

    def now(self, now_ms: int) -> F64:
        """Amount of the newest closed bar, while it speaks."""
        return np.where(self.expiry_ms > now_ms, self.newest_amount, np.nan)


def _has_repeats(rows: I32) -> bool:
    return len(rows) > 1 and len(np.unique(rows)) < len(rows)


def _pieces(first: int, last: int, n_slots: int) -> list[tuple[int, int]]:
    """Slices of a ring that hold the numbers first to last."""
    if last < first:
        return []
    start, stop = first % n_slots, last % n_slots + 1
    return [(start, stop)] if start < stop else [(start, n_slots), (0, stop)]


SPARE_MS: Final = 2 * MINUTE_MS
"""So much longer than rules look forced orders are kept: who gathers a minute does so after its end."""
MAX_ARRIVED: Final = 1_000
"""Messages that wait for who copies the log; more are put together, without what rules do not look at any more."""


class LiquidationLog:
    """Single forced orders of all instruments, in order of time, as far back as rules look."""

    def __init__(self) -> None:
        self.length_ms = 0
        self.alive_since_ms: dict[str, int | None] = {}
        """Per venue; None while its stream is lost."""
        self.lost_ms: dict[str, int] = {}
        """Per venue: when a lost stream was last known to be good."""
        self._time_ms = np.zeros(0, dtype=np.int64)
        self._row = np.zeros(0, dtype=np.int32)
        self._usd = np.zeros(0)
        self._is_long = np.zeros(0, dtype=np.bool_)
        self.arrived: list[Columns] | None = None
        """What came since somebody began to copy the log; None where nobody does."""

    @property
    def columns(self) -> "Columns":
        """Time, row, USD and whether a long position was closed. Never written into: news make new arrays."""
        return self._time_ms, self._row, self._usd, self._is_long

    def restored(self, time_ms: I64, row: I32, usd: F64, is_long: Mask) -> None:
        """The log was kept elsewhere. In order of time."""
        if self.length_ms:
            self._time_ms, self._row, self._usd, self._is_long = time_ms, row, usd, is_long

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in (self._time_ms, self._row, self._usd, self._is_long))

    def put(self, u: Liquidations) -> None:
        """Take events, in any order."""
        if not self.length_ms or not len(u.rows):
            return
        if self.arrived is not None:
            self.arrived.append((u.event_ms, u.rows, u.usd, u.is_long))
        time_ms = np.concatenate([self._time_ms, u.event_ms])
        columns = (
            np.concatenate([self._row, u.rows]),
            np.concatenate([self._usd, u.usd]),
            np.concatenate([self._is_long, u.is_long]),
        )
        if (np.diff(time_ms) < 0).any():
            order = np.argsort(time_ms, kind="stable")
            time_ms, columns = time_ms[order], (columns[0][order], columns[1][order], columns[2][order])
        keep = slice(int(np.searchsorted(time_ms, int(time_ms[-1]) - self.length_ms - SPARE_MS)), None)
        self._time_ms = time_ms[keep]
        self._row, self._usd, self._is_long = (c[keep] for c in columns)
        if self.arrived is not None and len(self.arrived) >= MAX_ARRIVED:
            self.arrived = [self._together(self.arrived)]

    def _together(self, arrived: "list[Columns]") -> "Columns":
        """As one, and no more of it than the log goes back: a disk that hangs may let many wait."""
        times, rows, amounts, sides = zip(*arrived, strict=True)
        time_ms = np.concatenate(times)
        keep = time_ms >= self._time_ms[-1] - self.length_ms - SPARE_MS
        return time_ms[keep], np.concatenate(rows)[keep], np.concatenate(amounts)[keep], np.concatenate(sides)[keep]

    def clear(self, row: int) -> None:
        keep = self._row != row
        if not keep.all():
            self._time_ms, self._row = self._time_ms[keep], self._row[keep]
            self._usd, self._is_long = self._usd[keep], self._is_long[keep]

    def reset(self) -> None:
        """Forget everything; the streams begin anew."""
        self._time_ms, self._row = self._time_ms[:0], self._row[:0]
        self._usd, self._is_long = self._usd[:0], self._is_long[:0]
        self.alive_since_ms.clear()
        self.lost_ms.clear()

    def cover(self, venue: str, *, live: bool, at_ms: int) -> None:
        """The stream of a venue is alive from a time on, or was lost at one."""
        if live:
            if self.alive_since_ms.get(venue) is None:
                self.alive_since_ms[venue] = at_ms
        else:
            self.alive_since_ms[venue] = None
            self.lost_ms[venue] = at_ms

    def sum(self, flow: str, window_ms: int, now_ms: int, since_ms: I64) -> F64:
        """USD in the window. `since_ms` per row: since when its stream has been alive; NaN where that is too short."""
        first, last = np.searchsorted(self._time_ms, [now_ms - window_ms, now_ms], side="right")
        wanted = self._is_long[first:last] == (flow == "liq_long")
        rows, usd = self._row[first:last][wanted], self._usd[first:last][wanted]
        total = np.bincount(rows, weights=usd, minlength=len(since_ms)).astype(np.float64)
        return np.where(since_ms <= now_ms - window_ms, total, np.nan)
