"""The newest sample of every gauge and instrument, and the rings of their past.

Samples may come in any order: those in order cost a few vector writes, a late one a patch of the rows it still speaks
for. A message that brings the newest values of many instruments at one time, as every second's prices do, takes the
short way.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from bot.market.series import GAUGES, INDEX, N_SAMPLED, OI, OI_USD, PRICE
from bot.model.updates import F64, I32, I64

if TYPE_CHECKING:
    from bot.market.tier import Tier

AGE_UNIT_MS: Final = 10
NEVER_MS: Final = -(1 << 40)
"""Time of a sample that never came; far enough in the past for any age."""
MARKS: Final = ("price", "index", "basis", "funding", "funding_8h")
"""Gauges that one mark-price message brings, in the order of its columns."""
N_MARKS: Final = len(MARKS)
_MAX_REMEMBERED: Final = 8

assert tuple(INDEX[name] for name in MARKS) == tuple(range(N_MARKS))


def hundredths(time_ms: I64) -> I64:
    """The hundredth of a second, rounded up, to which a sample belongs. Grid points are whole seconds, so a sample
    stays on its side of every grid point.
    """
    result: I64 = -(-time_ms // AGE_UNIT_MS)
    return result


class Newest:
    """The newest samples at one moment. Arrays of shape (N_SAMPLED, n_rows)."""

    __slots__ = ("expiry_ms", "hundredth", "time_ms", "value")

    def __init__(self, n_rows: int) -> None:
        self.value = np.full((N_SAMPLED, n_rows), np.nan)
        self.time_ms = np.full((N_SAMPLED, n_rows), NEVER_MS, dtype=np.int64)
        self.expiry_ms = np.full((N_SAMPLED, n_rows), NEVER_MS, dtype=np.int64)
        """First instant at which the sample no longer speaks."""
        self.hundredth = np.full((N_SAMPLED, n_rows), NEVER_MS // AGE_UNIT_MS, dtype=np.int64)

    def frozen(self) -> "Newest":
        """A copy that stays as it is."""
        other = Newest(0)
        for name in Newest.__slots__:
            setattr(other, name, getattr(self, name).copy())
        return other

    def now(self, now_ms: int) -> F64:
        """All gauges where they still speak, `oi_usd` included. Shape (len(GAUGES), n_rows)."""
        out = np.empty((len(GAUGES), self.value.shape[1]))
        out[:N_SAMPLED] = np.where(self.expiry_ms > now_ms, self.value, np.nan)
        np.multiply(out[PRICE], out[OI], out=out[OI_USD])
        return out


class Gauges(Newest):
    """Newest samples, and the tiers that hold their past, finest first."""

    __slots__ = ("_contiguous", "_latest_hundredth", "n_late", "tiers")

    def __init__(self, tiers: "Sequence[Tier]") -> None:
        super().__init__(0)
        self.tiers = tuple(tiers)
        self.n_late = 0
        self._latest_hundredth = np.full(N_SAMPLED, NEVER_MS, dtype=np.int64)
        """Per gauge: no instrument has a newer sample."""
        self._contiguous: dict[int, tuple[I32, slice | None]] = {}

    def grow(self, n_rows: int) -> None:
        more = n_rows - self.value.shape[1]
        if more > 0:
            fresh = Newest(more)
            for name in Newest.__slots__:
                setattr(self, name, np.concatenate([getattr(self, name), getattr(fresh, name)], axis=1))
            for tier in self.tiers:
                tier.grow(n_rows)

    def clear(self, row: int) -> None:
        """Forget one instrument."""
        self.value[:, row] = np.nan
        self.time_ms[:, row] = self.expiry_ms[:, row] = NEVER_MS
        self.hundredth[:, row] = NEVER_MS // AGE_UNIT_MS
        for tier in self.tiers:
            tier.clear(row)

    def reset(self) -> None:
        """Forget everything."""
        self.value[:] = np.nan
        self.time_ms[:] = self.expiry_ms[:] = NEVER_MS
        self.hundredth[:] = NEVER_MS // AGE_UNIT_MS
        self._latest_hundredth[:] = NEVER_MS
        for tier in self.tiers:
            tier.reset()

    def restored(self) -> None:
        """Values, times and expiries were filled from elsewhere."""
        seen = self.time_ms > NEVER_MS
        self.hundredth = np.where(seen, hundredths(self.time_ms), NEVER_MS // AGE_UNIT_MS)
        self._latest_hundredth = self.hundredth.max(axis=1, initial=NEVER_MS)

    def advance(self, until_ms: int) -> None:
        """Write grid rows up to a time at which no older sample is expected any more."""
        for tier in self.tiers:
            tier.advance(until_ms, self)

    # -- one time for all ----------------------------------------------------------------------------------------

    def put_marks(self, rows: I32, time_ms: I64, values: F64, valid_ms: int) -> None:
        """One message of marks: `values` has the shape (N_MARKS, len(rows)), NaN where a gauge is missing.

        `rows` are distinct. The short way is for finite values of one time that are newer than all of their gauge.
        """
        if not len(rows):
            return
        at_ms = int(time_ms[0])
        hundredth = -(-at_ms // AGE_UNIT_MS)
        if (time_ms == at_ms).all() and np.isfinite(np.add.reduce(values, axis=None)):
            where = self._where(rows)
            is_newest = (self._latest_hundredth[:N_MARKS] < hundredth).all()
            if is_newest or (self.hundredth[:N_MARKS, where] < hundredth).all():
                self.advance(at_ms - 1)
                if all(t.newest is None or t.newest * t.step_ms < at_ms for t in self.tiers):
                    self.value[:N_MARKS, where] = values
                    self.time_ms[:N_MARKS, where] = at_ms
                    self.expiry_ms[:N_MARKS, where] = at_ms + valid_ms
                    self.hundredth[:N_MARKS, where] = hundredth
                    np.maximum(self._latest_hundredth[:N_MARKS], hundredth, out=self._latest_hundredth[:N_MARKS])
                    return
        for gauge in range(N_MARKS):
            known = np.isfinite(values[gauge])
            self.put(gauge, rows[known], time_ms[known], values[gauge, known], valid_ms)

    def _where(self, rows: I32) -> "slice | I32":
        """Rows that follow each other are a slice, which is several times faster. Remembered by the array itself."""
        found = self._contiguous.get(id(rows))
        if found is None or found[0] is not rows:
            is_run = bool((np.diff(rows) == 1).all())
            if len(self._contiguous) >= _MAX_REMEMBERED:
                self._contiguous.clear()
            found = self._contiguous[id(rows)] = (rows, slice(int(rows[0]), int(rows[-1]) + 1) if is_run else None)
        return rows if found[1] is None else found[1]

    # -- the long way --------------------------------------------------------------------------------------------

    def put(self, gauge: int, rows: I32, time_ms: I64, value: F64, valid_ms: int) -> None:
        """Take one sample per row. `rows` are distinct; non-finite values are left out by the caller."""
        if not len(rows):
            return
        hundredth = hundredths(time_ms)
        in_order = hundredth > self.hundredth[gauge, rows]
        if not in_order.all():
            late = ~in_order
            self.n_late += int(late.sum())
            self._patch(gauge, rows[late], time_ms[late], value[late], valid_ms)
            rows, time_ms, value = rows[in_order], time_ms[in_order], value[in_order]
            hundredth = hundredth[in_order]
            if not len(rows):
                return
        point = -(-time_ms // self.tiers[0].step_ms)
        if point.min() == point.max():
            self._put_in_order(gauge, rows, time_ms, value, hundredth, valid_ms)
            return
        for p in np.unique(point):
            same = point == p
            self._put_in_order(gauge, rows[same], time_ms[same], value[same], hundredth[same], valid_ms)

    def _put_in_order(self, gauge: int, rows: I32, time_ms: I64, value: F64, hundredth: I64, valid_ms: int) -> None:
        first_ms = int(time_ms.min())
        self.advance(first_ms - 1)
        self.value[gauge, rows] = value
        self.time_ms[gauge, rows] = time_ms
        self.expiry_ms[gauge, rows] = time_ms + valid_ms
        self.hundredth[gauge, rows] = hundredth
        self._latest_hundredth[gauge] = max(int(self._latest_hundredth[gauge]), int(hundredth.max()))
        for tier in self.tiers:
            if tier.newest is not None and first_ms <= tier.newest * tier.step_ms:
                tier.patch_many(gauge, rows, time_ms, value, valid_ms)

    def _patch(self, gauge: int, rows: I32, time_ms: I64, value: F64, valid_ms: int) -> None:
        for tier in self.tiers:
            tier.patch_many(gauge, rows, time_ms, value, valid_ms)

    def put_history(self, gauge: int, row: int, time_ms: I64, value: F64, valid_ms: int) -> None:
        """Take past samples of one instrument, ascending in time."""
        finest = self.tiers[0]
        written_ms = None if finest.newest is None else finest.newest * finest.step_ms
        n_past = len(time_ms) if written_ms is None else int(np.searchsorted(time_ms, written_ms, side="right"))
        if n_past:
            past = slice(0, n_past)
            for tier in self.tiers:
                tier.patch_column(gauge, row, time_ms[past], value[past], valid_ms)
            newest = int(hundredths(time_ms[n_past - 1 : n_past])[0])
            if newest > self.hundredth[gauge, row]:
                self.value[gauge, row] = value[n_past - 1]
                self.time_ms[gauge, row] = time_ms[n_past - 1]
                self.expiry_ms[gauge, row] = time_ms[n_past - 1] + valid_ms
                self.hundredth[gauge, row] = newest
                self._latest_hundredth[gauge] = max(int(self._latest_hundredth[gauge]), newest)
        one = np.array([row], dtype=np.int32)
        for i in range(n_past, len(time_ms)):
            self.put(gauge, one, time_ms[i : i + 1], value[i : i + 1], valid_ms)
