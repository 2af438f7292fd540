"""One raw series of all instruments: the newest sample of each, and rings of its past.

A gauge is a thing with a level (price, open interest); flows such as volume are kept elsewhere. Samples may come in
any order: one in order costs a vector write, a late one a patch of the rows it still speaks for.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.market.ring import Ring, hundredths
from bot.model.updates import F64, I32, I64

NEVER_MS = -(1 << 40)
"""Time of a sample that never came; far enough in the past for any age."""


@dataclass(frozen=True, slots=True, eq=False)
class Latest:
    """The newest sample of each instrument at one moment. Columns of length n_rows."""

    value: F64
    time_ms: I64
    valid_ms: I64


class Gauge:
    """Newest samples, and rings at one or two steps."""

    def __init__(self, *, n_rows: int, steps: tuple[tuple[int, int], ...], dtype: "npt.DTypeLike") -> None:
        """`steps` are pairs of (step_ms, n_slots), finest first."""
        self.value = np.full(n_rows, np.nan)
        self.time_ms = np.full(n_rows, NEVER_MS, dtype=np.int64)
        self.valid_ms = np.zeros(n_rows, dtype=np.int64)
        self.rings = tuple(Ring(step_ms=s, n_slots=n, n_rows=n_rows, dtype=dtype) for s, n in steps)
        self.n_late = 0
        self._latest: Latest | None = None
        self._is_used = False

    @property
    def nbytes(self) -> int:
        return sum(r.nbytes for r in self.rings) + self.value.nbytes * 3

    def latest(self) -> Latest:
        """A copy of the newest samples, shared until the next one comes."""
        if self._latest is None:
            self._latest = Latest(self.value.copy(), self.time_ms.copy(), self.valid_ms.copy())
        return self._latest

    def grow(self, n_rows: int) -> None:
        more = n_rows - len(self.value)
        if more > 0:
            self._latest = None
            self.value = np.pad(self.value, (0, more), constant_values=np.nan)
            self.time_ms = np.pad(self.time_ms, (0, more), constant_values=NEVER_MS)
            self.valid_ms = np.pad(self.valid_ms, (0, more))
            for ring in self.rings:
                ring.grow(n_rows)

    def clear(self, row: int) -> None:
        """Forget one instrument."""
        self._latest = None
        self.value[row] = np.nan
        self.time_ms[row] = NEVER_MS
        self.valid_ms[row] = 0
        for ring in self.rings:
            ring.clear(row)

    def reset(self) -> None:
        """Forget everything."""
        self._latest = None
        self.value[:] = np.nan
        self.time_ms[:] = NEVER_MS
        self.valid_ms[:] = 0
        for ring in self.rings:
            ring.reset()

    def advance(self, until_ms: int) -> None:
        """Write grid rows up to a time at which no older sample is expected any more."""
        for ring in self.rings:
            if self._is_used:
                ring.advance(until_ms, self.value, self.time_ms, self.valid_ms)
            else:
                ring.skip(until_ms)

    def put(self, rows: I32, time_ms: I64, value: F64, valid_ms: int) -> None:
        """Take one sample per row. `rows` are distinct; non-finite values are left out by the caller."""
        if not len(rows):
            return
        self._is_used = True
        order = hundredths(time_ms)
        in_order = order > hundredths(self.time_ms[rows])
        if not in_order.all():
            self.n_late += int((~in_order).sum())
            late = ~in_order
            self._patch(rows[late], time_ms[late], value[late], valid_ms)
            rows, time_ms, value = rows[in_order], time_ms[in_order], value[in_order]
            if not len(rows):
                return
        if self.rings:
            step = self.rings[0].step_ms
            point = -(-time_ms // step)
            if point.min() != point.max():
                for p in np.unique(point):
                    same = point == p
                    self._put_in_order(rows[same], time_ms[same], value[same], valid_ms)
                return
        self._put_in_order(rows, time_ms, value, valid_ms)

    def _put_in_order(self, rows: I32, time_ms: I64, value: F64, valid_ms: int) -> None:
        self.advance(int(time_ms.min()) - 1)
        self._latest = None
        self.value[rows] = value
        self.time_ms[rows] = time_ms
        self.valid_ms[rows] = valid_ms
        if self.rings and self.rings[0].newest_ms is not None and time_ms.min() <= self.rings[0].newest_ms:
            self._patch(rows, time_ms, value, valid_ms)

    def _patch(self, rows: I32, time_ms: I64, value: F64, valid_ms: int) -> None:
        valid = np.full(len(rows), valid_ms, dtype=np.int64)
        for ring in self.rings:
            ring.patch_many(rows, time_ms, value, valid)

    def put_history(self, row: int, time_ms: I64, value: F64, valid_ms: int) -> None:
        """Take past samples of one instrument, ascending in time."""
        self._is_used = True
        written = self.rings[0].newest_ms if self.rings else None
        n_past = len(time_ms) if written is None else int(np.searchsorted(time_ms, written, side="right"))
        if n_past:
            past = slice(0, n_past)
            for ring in self.rings:
                ring.patch(row, time_ms[past], value[past], valid_ms)
            if hundredths(time_ms[past])[-1] > hundredths(self.time_ms[row : row + 1])[0]:
                self._latest = None
                self.value[row] = value[n_past - 1]
                self.time_ms[row] = time_ms[n_past - 1]
                self.valid_ms[row] = valid_ms
        one = np.array([row], dtype=np.int32)
        for i in range(n_past, len(time_ms)):
            self.put(one, time_ms[i : i + 1], value[i : i + 1], valid_ms)
