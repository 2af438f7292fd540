"""The past of all gauges at one step: an arena of rings, one row per grid point, one column per instrument.

Row g of a gauge holds, per instrument, the value that the newest sample at or before g says at g (NaN once that
sample's validity is over) and that sample's age at g. Ages are kept, also of values that have expired, in hundredths of
a second; `NO_AGE` means older than eleven minutes, or nothing yet. Two samples of one gauge in the same hundredth of a
second are one: the first stays.

All rings of a tier lie in one block of memory, so that rows of many gauges and windows are fetched in one operation,
and move on together. A gauge that is a product of two others is computed from their rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from bot.market.gauges import AGE_UNIT_MS, Gauges, hundredths
from bot.market.series import FIVE_MINUTES_MS, GAUGES, INDEX, OI, OI_USD, PRICE
from bot.model.updates import F64, I32, I64

if TYPE_CHECKING:
    from bot.market.state import Patches

NO_AGE: Final = 65_535
_CHUNK: Final = 128
"""Rows worked on at a time, so that what lies between fits into the cache."""
_FEW: Final = 64
"""Columns copied at a time."""

Values = npt.NDArray[np.float32] | npt.NDArray[np.float64]


class Tier:
    """Rings of some gauges at `step_ms`. Rows are written in order of time; columns may be patched."""

    def __init__(self, *, step_ms: int, slots: Mapping[str, int], n_rows: int, dtype: "npt.DTypeLike") -> None:
        """`slots`: how many grid points each gauge keeps."""
        self.step_ms = step_ms
        self.newest: int | None = None
        """Number of the newest row, `time / step_ms`."""
        # Bars of an hour are valid for longer than 16 bits of hundredths can tell.
        self.unit_ms = AGE_UNIT_MS if step_ms <= FIVE_MINUTES_MS else step_ms // 100
        self.dtype = np.dtype(dtype)
        self.dirty: dict[int, set[int]] = {}
        """Columns that were patched since the windows last looked, by gauge."""
        self.n_rebuilt = 0
        """Grows whenever rows may have changed in any other way than by being written in order."""
        self.n_laid_out = 0
        """Grows whenever rows lie elsewhere than before."""
        self.patches: dict[int, Patches] = {}
        """Where patches are noted for who copies the rings, by gauge; empty where nobody does."""
        self._n_rows = n_rows
        self._lay_out(slots)

    def _lay_out(self, slots: Mapping[str, int]) -> None:
        self.n_laid_out += 1
        names = [name for name in GAUGES if name in slots]
        self.names = frozenset(names)
        self.slots = np.zeros(len(GAUGES), dtype=np.int64)
        self.base = np.full(len(GAUGES), -1, dtype=np.int64)
        row = 0
        for name in names:
            self.slots[INDEX[name]] = slots[name]
            self.base[INDEX[name]] = row
            row += slots[name]
        self._has_product = "oi_usd" in slots
        self._sampled = np.array([INDEX[n] for n in names if n != "oi_usd"], dtype=np.int64)
        is_run = len(self._sampled) > 0 and (np.diff(self._sampled) == 1).all()
        self._source: Any = slice(int(self._sampled[0]), int(self._sampled[-1]) + 1) if is_run else self._sampled
        """Where the gauges lie among the newest samples; a slice where they can be had without a copy."""
        self._sampled_base = self.base[self._sampled]
        self._sampled_slots = self.slots[self._sampled]
        self.value: Any = np.full((row, self._n_rows), np.nan, dtype=self.dtype)
        self.age: Any = np.full((row, self._n_rows), NO_AGE, dtype=np.uint16)
        self.worst = np.zeros(row, dtype=np.int64)
        """Per row: the greatest age of a known value."""
        self.whole = np.zeros(row, dtype=np.bool_)
        """Per row: whether every instrument is known."""

    @property
    def max_age_ms(self) -> int:
        """The greatest age that can be told; older ones are `NO_AGE`."""
        return (NO_AGE - 1) * self.unit_ms

    @property
    def nbytes(self) -> int:
        return int(self.value.nbytes + self.age.nbytes)

    def holds(self, series: str, length_ms: int) -> bool:
        """Whether the ring of a gauge reaches back that far."""
        return series in self.names and (self.slots[INDEX[series]] - 1) * self.step_ms >= length_ms

    def at(self, gauge: int, number: int) -> int:
        """Where in the arena the row of a gauge lies."""
        return int(self.base[gauge] + number % self.slots[gauge])

    # -- room ----------------------------------------------------------------------------------------------------

    def grow(self, n_rows: int) -> None:
        """Make room for more instruments; their past is unknown."""
        more = n_rows - self._n_rows
        if more > 0:
            self._n_rows = n_rows
            self.value = np.pad(self.value, ((0, 0), (0, more)), constant_values=np.nan)
            self.age = np.pad(self.age, ((0, 0), (0, more)), constant_values=NO_AGE)
            self.whole[:] = False
            self.n_rebuilt += 1

    def fit(self, slots: Mapping[str, int]) -> frozenset[str]:
        """Give each gauge the length that is needed now, keeping what is held. Returns the gauges that reach further."""
        if all(self.slots[INDEX[n]] == slots.get(n, 0) for n in GAUGES):
            return frozenset()
        old = (self.slots, self.base, self.value, self.age, self.worst, self.whole)
        longer = frozenset(n for n, length in slots.items() if length > self.slots[INDEX[n]])
        self._lay_out(slots)
        self.n_rebuilt += 1
        if self.newest is not None:
            for gauge in self._sampled.tolist():
                self._carry_over(gauge, self.newest, *old)
            self._multiply_all(self.newest)
        return longer

    def _carry_over(
        self, gauge: int, newest: int, slots: I64, base: I64, value: Any, age: Any, worst: I64, whole: Any
    ) -> None:
        kept = int(min(slots[gauge], self.slots[gauge]))
        if kept:
            numbers = np.arange(newest - kept + 1, newest + 1)
            old, new = base[gauge] + numbers % slots[gauge], self.base[gauge] + numbers % self.slots[gauge]
            self.value[new], self.age[new] = value[old], age[old]
            self.worst[new], self.whole[new] = worst[old], whole[old]

    def clear(self, row: int) -> None:
        """Forget one instrument."""
        self.value[:, row] = np.nan
        self.age[:, row] = NO_AGE
        self.whole[:] = False
        self._mark_all([row])

    def reset(self) -> None:
        """Forget everything, the position in time included."""
        self.newest = None
        self.value[:] = np.nan
        self.age[:] = NO_AGE
        self.worst[:] = 0
        self.whole[:] = False
        self.dirty.clear()
        self.n_rebuilt += 1

    def restored(self, newest: int) -> None:
        """The rings were filled from elsewhere, up to this row."""
        self.newest = newest
        self._multiply_all(newest)
        for start in range(0, len(self.value), _CHUNK):
            rows = slice(start, start + _CHUNK)
            known = np.isfinite(self.value[rows])
            self.whole[rows] = known.all(axis=1)
            self.worst[rows] = np.where(known, self.age[rows], 0).max(axis=1, initial=0)
        self.n_rebuilt += 1

    def _mark_all(self, rows: Iterable[int]) -> None:
        for name in self.names:
            self.dirty.setdefault(INDEX[name], set()).update(rows)

    # -- writing -------------------------------------------------------------------------------------------------

    def advance(self, until_ms: int, gauges: Gauges) -> None:
        """Write all rows up to `until_ms` from the newest samples."""
        last = until_ms // self.step_ms
        if self.newest is None:
            self.newest = last - 1
        if last <= self.newest:
            return
        first = max(self.newest + 1, last - int(self.slots.max(initial=1)) + 1)
        for number in range(first, last + 1):
            self._write(number, gauges)
        self.newest = last

    def _write(self, number: int, gauges: Gauges) -> None:
        at_ms = number * self.step_ms
        src = self._source
        rows = self._sampled_base + number % self._sampled_slots
        known = gauges.expiry_ms[src] > at_ms
        age = at_ms // AGE_UNIT_MS - gauges.hundredth[src]
        if self.unit_ms != AGE_UNIT_MS:
            age = age * AGE_UNIT_MS // self.unit_ms
        is_whole = known.all(axis=1)
        self.whole[rows] = is_whole
        if is_whole.all():
            self.value[rows] = gauges.value[src]
            self.worst[rows] = np.maximum.reduce(age, axis=1, initial=0)
        else:
            self.value[rows] = np.where(known, gauges.value[src], np.nan)
            self.worst[rows] = np.max(np.where(known, age, 0), axis=1, initial=0)
        np.minimum(age, NO_AGE, out=age)
        self.age[rows] = age
        if self._has_product:
            self._multiply(np.array([number]), slice(None))

    def _multiply_all(self, newest: int) -> None:
        """Compute the whole ring of the product, where there is one, from those of its factors."""
        if self._has_product:
            for first in range(newest - int(self.slots[OI_USD]) + 1, newest + 1, _CHUNK):
                self._multiply(np.arange(first, min(first + _CHUNK, newest + 1)), slice(None))

    def _multiply(self, numbers: I64, columns: "slice | npt.NDArray[np.intp]") -> None:
        """Compute rows of the product from the rows of its factors; unknown where those do not reach."""
        price, oi, product = (self.base[g] + numbers % self.slots[g] for g in (PRICE, OI, OI_USD))
        assert self.newest is not None
        reach = max(self.newest, int(numbers[-1])) - min(self.slots[PRICE], self.slots[OI])
        inside = (numbers > reach)[:, None]
        value = self.value[price].astype(np.float64) * self.value[oi]
        age = np.maximum(self.age[price], self.age[oi])
        value, age = np.where(inside, value, np.nan), np.where(inside, age, NO_AGE)
        if isinstance(columns, slice):
            self.value[product], self.age[product] = value, age
            self.whole[product] = np.isfinite(value).all(axis=1)
        else:
            at = np.ix_(product, columns)
            self.value[at], self.age[at] = value[:, columns], age[:, columns]
            self.whole[product] = False
        self.worst[product] = np.where(np.isfinite(value), age, 0).max(axis=1, initial=0)

    def patch_column(self, gauge: int, row: int, time_ms: I64, value: F64, valid_ms: int) -> None:
        """Work late samples of one instrument (ascending in time) into rows already written."""
        span = self._span(gauge, int(time_ms[0]), int(time_ms[-1]))
        if span is None:
            return
        numbers = np.arange(span[0], span[1] + 1, dtype=np.int64)
        grid_ms = numbers * self.step_ms
        slots = self.base[gauge] + numbers % self.slots[gauge]
        which = np.searchsorted(time_ms, grid_ms, side="right") - 1
        sample_ms = time_ms[which]
        age = (grid_ms - hundredths(sample_ms) * AGE_UNIT_MS) // self.unit_ms
        newer = age < self.age[slots, row]
        at = slots[newer]
        self.age[at, row] = age[newer]
        known = (grid_ms - sample_ms < valid_ms)[newer]
        self.value[at, row] = np.where(known, value[which][newer], np.nan)
        self._note(gauge, at, age[newer], known, np.array([row]), numbers)

    def patch_many(self, gauge: int, rows: I32, time_ms: I64, value: F64, valid_ms: int) -> None:
        """Work one slightly late sample each of many instruments into rows already written."""
        if not len(rows):
            return
        span = self._span(gauge, int(time_ms.min()), int(time_ms.max()))
        if span is None:
            return
        unit = hundredths(time_ms) * AGE_UNIT_MS
        for number in range(span[0], span[1] + 1):
            grid_ms = number * self.step_ms
            slot = self.at(gauge, number)
            age = (grid_ms - unit) // self.unit_ms
            newer = (time_ms <= grid_ms) & (age < self.age[slot, rows])
            at = rows[newer]
            if not len(at):
                continue
            self.age[slot, at] = age[newer]
            known = (grid_ms - time_ms < valid_ms)[newer]
            self.value[slot, at] = np.where(known, value[newer], np.nan)
            self._note(gauge, np.full(len(at), slot), age[newer], known, at, np.array([number]))

    def _span(self, gauge: int, first_ms: int, last_ms: int) -> tuple[int, int] | None:
        """Numbers of the written rows that samples between two times can speak for."""
        if self.newest is None or self.base[gauge] < 0:
            return None
        first = max(self.newest - int(self.slots[gauge]) + 1, -(-first_ms // self.step_ms))
        last = min(self.newest, (last_ms + self.max_age_ms) // self.step_ms)
        return (first, last) if first <= last else None

    def _note(self, gauge: int, slots: I64, age: I64, known: "npt.NDArray[np.bool_]", rows: Any, numbers: I64) -> None:
        """Keep what is known of whole rows true after single cells were changed."""
        np.maximum.at(self.worst, slots, np.where(known, age, 0))
        # Seldom false after a patch, but never claimed.
        self.whole[slots] = False
        columns = {int(r) for r in rows}
        self.dirty.setdefault(gauge, set()).update(columns)
        if self.newest is not None and (patches := self.patches.get(gauge)) is not None:
            patches.note(columns, int(numbers[0]), int(numbers[-1]), self.newest)
        if self._has_product and gauge in {PRICE, OI}:
            reach = (self.newest or 0) - int(self.slots[OI_USD])
            numbers = numbers[numbers > reach]
            if len(numbers):
                self._multiply(numbers, np.array(sorted(columns)))
                self.dirty.setdefault(OI_USD, set()).update(columns)

    # -- reading -------------------------------------------------------------------------------------------------

    def numbers_of(self, gauge: int, first: int, n: int) -> I64:
        """Arena rows of `n` consecutive grid points from number `first`; only within the ring's reach."""
        rows: I64 = self.base[gauge] + np.arange(first, first + n) % self.slots[gauge]
        return rows

    def rows(self, gauge: int, first: int, n: int) -> Values:
        """`n` consecutive rows, oldest first; NaN where the ring does not reach. Shape (n, n_rows), do not write."""
        pieces = self.pieces(gauge, first, n)
        if len(pieces) == 1:
            return pieces[0]
        out: Values = self.value[self.numbers_of(gauge, first, n)]
        return out

    def pieces(self, gauge: int, first: int, n: int) -> tuple[Values, ...]:
        """The same in one piece or two, without copying where the ring reaches so far."""
        slots = int(self.slots[gauge])
        if self.newest is None or first + n - 1 > self.newest or first <= self.newest - slots:
            numbers = np.arange(first, first + n)
            out: Values = self.value[self.base[gauge] + numbers % slots]
            out[self._outside(gauge, numbers)] = np.nan
            return (out,)
        base, start = int(self.base[gauge]), first % slots
        if start + n <= slots:
            return (self.value[base + start : base + start + n],)
        return self.value[base + start : base + slots], self.value[base : base + start + n - slots]

    def block(self, gauge: int, first: int, n: int, columns: "npt.NDArray[np.intp]") -> Values:
        """The same of some instruments, without reading the others. Shape (n, len(columns)), a copy."""
        numbers = np.arange(first, first + n)
        out: Values = self.value[(self.base[gauge] + numbers % self.slots[gauge])[:, None], columns]
        out[self._outside(gauge, numbers)] = np.nan
        return out

    def blocks(
        self, gauge: int, first: int, n: int, columns: "npt.NDArray[np.intp]"
    ) -> Iterator[tuple["npt.NDArray[np.intp]", Values]]:
        """The same, a few instruments at a time and with them, so that memory is not taken for all."""
        for start in range(0, len(columns), _FEW):
            some = columns[start : start + _FEW]
            yield some, self.block(gauge, first, n, some)

    def column(self, gauge: int, first: int, n: int, row: int) -> Values:
        """The same of one instrument alone, without reading the others. Shape (n,)."""
        numbers = np.arange(first, first + n)
        out: Values = self.value[self.base[gauge] + numbers % self.slots[gauge], row]
        out[self._outside(gauge, numbers)] = np.nan
        return out

    def known(self, gauge: int, numbers: I64) -> "npt.NDArray[np.bool_]":
        """Which values at any grid points are known. Shape (len(numbers), n_rows)."""
        out = np.empty((len(numbers), self.value.shape[1]), dtype=np.bool_)
        for start in range(0, len(numbers), _CHUNK):
            part = slice(start, start + _CHUNK)
            np.isfinite(self.value[self.base[gauge] + numbers[part] % self.slots[gauge]], out=out[part])
        out[self._outside(gauge, numbers)] = False
        return out

    def ends(self, gauge: int, numbers: I64) -> tuple[Values, I64]:
        """Values and ages (ms) at any grid points. Shapes (len(numbers), n_rows)."""
        rows = self.base[gauge] + numbers % self.slots[gauge]
        values, ages = self.value[rows], self.age[rows].astype(np.int64)
        outside = self._outside(gauge, numbers)
        values[outside] = np.nan
        ages[outside] = NO_AGE
        return values, ages * self.unit_ms

    def _outside(self, gauge: int, numbers: I64) -> "npt.NDArray[np.bool_]":
        """Which grid points the ring does not hold."""
        if self.newest is None:
            return np.ones(len(numbers), dtype=np.bool_)
        outside: npt.NDArray[np.bool_] = (numbers > self.newest) | (numbers <= self.newest - self.slots[gauge])
        return outside
