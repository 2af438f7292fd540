"""A time-major ring: one row per grid point, one column per instrument.

Row g holds, per instrument, the value that the newest sample at or before g says at g (NaN once that sample's
validity is over) and that sample's age at g. Ages are kept, also of values that have expired, in hundredths of a second;
`NO_AGE` means older than eleven minutes, or nothing yet. Two samples of one series in the same hundredth of a second are
one: the first stays.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bot.model.updates import F64, I32, I64

AGE_UNIT_MS: Final = 10
NO_AGE: Final = 65_535
_FINE_STEP_MS: Final = 60_000

Values = npt.NDArray[np.float32] | npt.NDArray[np.float64]
U16 = npt.NDArray[np.uint16]


def hundredths(time_ms: I64) -> I64:
    """The hundredth of a second, rounded up, to which a sample belongs. Grid points are whole seconds, so a sample
    stays on its side of every grid point.
    """
    result: I64 = -(-time_ms // AGE_UNIT_MS)
    return result


class Ring:
    """`n_slots` grid points back from `newest_ms`. Rows are written in order of time; columns may be patched."""

    def __init__(self, *, step_ms: int, n_slots: int, n_rows: int, dtype: "npt.DTypeLike") -> None:
        self.step_ms = step_ms
        self.n_slots = n_slots
        self.newest_ms: int | None = None
        # Bars of an hour are valid for longer than 16 bits of hundredths can tell.
        self._unit_ms = AGE_UNIT_MS if step_ms <= _FINE_STEP_MS else step_ms // 100
        self._dtype = np.dtype(dtype)
        self._value: Any = np.full((n_slots, n_rows), np.nan, dtype=self._dtype)
        self._age: U16 = np.full((n_slots, n_rows), NO_AGE, dtype=np.uint16)

    @property
    def max_age_ms(self) -> int:
        """The greatest age that can be told; older ones are `NO_AGE`."""
        return (NO_AGE - 1) * self._unit_ms

    @property
    def nbytes(self) -> int:
        return int(self._value.nbytes + self._age.nbytes)

    def grow(self, n_rows: int) -> None:
        """Make room for more instruments; their past is unknown."""
        more = n_rows - self._value.shape[1]
        if more > 0:
            self._value = np.pad(self._value, ((0, 0), (0, more)), constant_values=np.nan)
            self._age = np.pad(self._age, ((0, 0), (0, more)), constant_values=NO_AGE)

    def clear(self, row: int) -> None:
        self._value[:, row] = np.nan
        self._age[:, row] = NO_AGE

    def reset(self) -> None:
        """Forget everything, the position in time included."""
        self.newest_ms = None
        self._value[:] = np.nan
        self._age[:] = NO_AGE

    def advance(self, until_ms: int, value: F64, time_ms: I64, valid_ms: I64) -> None:
        """Write all rows up to `until_ms` from the newest sample of each instrument."""
        last = until_ms // self.step_ms * self.step_ms
        if self.newest_ms is None:
            self.newest_ms = last - self.step_ms
        if last <= self.newest_ms:
            return
        first = max(self.newest_ms + self.step_ms, last - (self.n_slots - 1) * self.step_ms)
        second = hundredths(time_ms) * AGE_UNIT_MS
        for g in range(first, last + 1, self.step_ms):
            slot = g // self.step_ms % self.n_slots
            self._value[slot] = np.where(g - time_ms < valid_ms, value, np.nan)
            age = (g - second) // self._unit_ms
            self._age[slot] = np.minimum(age, NO_AGE)
        self.newest_ms = last

    def skip(self, until_ms: int) -> None:
        """Like `advance` while no sample has ever come: all rows are unknown already."""
        last = until_ms // self.step_ms * self.step_ms
        self.newest_ms = last if self.newest_ms is None else max(self.newest_ms, last)

    def patch(self, row: int, time_ms: I64, value: F64, valid_ms: int) -> None:
        """Work late samples of one instrument (ascending in time) into rows already written."""
        if self.newest_ms is None or not len(time_ms):
            return
        oldest = self.newest_ms - (self.n_slots - 1) * self.step_ms
        first = max(oldest, int(-(-time_ms[0] // self.step_ms)) * self.step_ms)
        last = min(self.newest_ms, int(time_ms[-1]) + self.max_age_ms)
        if first > last:
            return
        grid = np.arange(first, last + 1, self.step_ms, dtype=np.int64)
        slots = grid // self.step_ms % self.n_slots
        which = np.searchsorted(time_ms, grid, side="right") - 1
        sample_ms = time_ms[which]
        age = (grid - hundredths(sample_ms) * AGE_UNIT_MS) // self._unit_ms
        newer = age < self._age[slots, row]
        at = slots[newer]
        self._age[at, row] = age[newer]
        self._value[at, row] = np.where((grid - sample_ms < valid_ms)[newer], value[which][newer], np.nan)

    def patch_many(self, rows: I32, time_ms: I64, value: F64, valid_ms: I64) -> None:
        """Work one slightly late sample each of many instruments into rows already written."""
        if self.newest_ms is None or not len(rows):
            return
        oldest = self.newest_ms - (self.n_slots - 1) * self.step_ms
        first = max(oldest, int(-(-time_ms.min() // self.step_ms)) * self.step_ms)
        last = min(self.newest_ms, int(time_ms.max()) + self.max_age_ms)
        second = hundredths(time_ms) * AGE_UNIT_MS
        for g in range(first, last + 1, self.step_ms):
            slot = g // self.step_ms % self.n_slots
            age = (g - second) // self._unit_ms
            newer = (time_ms <= g) & (age < self._age[slot, rows])
            at = rows[newer]
            self._age[slot, at] = age[newer]
            self._value[slot, at] = np.where((g - time_ms < valid_ms)[newer], value[newer], np.nan)

    def rows(self, first_ms: int, n: int) -> Values:
        """`n` consecutive rows from grid point `first_ms`, oldest first; NaN where the ring does not reach.

        Shape (n, n_rows). A view where it can be, so do not write to it.
        """
        gathered: Values = self._gather(self._value, first_ms + np.arange(n, dtype=np.int64) * self.step_ms, np.nan)
        return gathered

    def at(self, grid_ms: I64) -> tuple[Values, I64]:
        """Values and ages (ms) at any grid points. Shapes (len(grid_ms), n_rows)."""
        values: Values = self._gather(self._value, grid_ms, np.nan)
        ages = self._gather(self._age, grid_ms, NO_AGE).astype(np.int64)
        return values, ages * self._unit_ms

    def _gather(self, array: "npt.NDArray[Any]", grid_ms: I64, missing: float) -> "npt.NDArray[Any]":
        newest = self.newest_ms
        slots = grid_ms // self.step_ms % self.n_slots
        n = len(slots)
        reach = self.n_slots * self.step_ms
        inside = newest is not None and grid_ms[-1] <= newest and grid_ms[0] > newest - reach
        if inside and n > 1 and slots[-1] - slots[0] == n - 1 == (grid_ms[-1] - grid_ms[0]) // self.step_ms:
            return array[slots[0] : slots[0] + n]
        out = array[slots]
        if newest is None:
            out[:] = missing
        elif not inside:
            out[(grid_ms > newest) | (grid_ms <= newest - reach)] = missing
        return out
