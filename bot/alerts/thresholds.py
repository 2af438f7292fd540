"""An index of triggers: which waiting alerts does this tick's value reach?

Groups are (expression row, instrument row). A trigger waits for `value >= level` (`above`) or `value <= level`; whoever
means `>` or `<` passes the neighbouring float, so that ties are exact. Per group and side the slots stand in one array,
sorted by their levels, the next one to be reached at its end, and a matrix holds that next level of every group. So a tick
is two comparisons of matrices, whatever the number of triggers, and a group that is hit cuts off the end of its array.
Levels are not kept here: whoever owns the slots tells them. Equal levels are ordered by slot, so that one of fifty thousand
at a round price is found by bisection too.

Unknown values (NaN, and what else is not finite) reach nothing.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from math import inf, isfinite
from sys import getsizeof
from typing import Final

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

_ABOVE: Final = 0
_BELOW: Final = 1
_NONE: Final = (inf, -inf)
"""The next level where nothing waits, per side."""

_Slots = list[list["array[int] | None"]]
U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LevelOf = Callable[[int, bool], float]
"""Level of a slot on a side (`above` or not); it must not change while the slot waits."""


class TriggerIndex:
    """Triggers by group. A slot is the caller's number of whatever waits; at most one trigger per slot and side."""

    def __init__(self, level_of: LevelOf) -> None:
        self._level_of = level_of
        # Keys are levels below and negated levels above: ascending in both cases, the next to be reached last.
        self._key_of: tuple[Callable[[int], float], Callable[[int], float]] = (
            lambda slot: -level_of(slot, True),
            lambda slot: level_of(slot, False),
        )
        self._next: list[F64] = [np.full((0, 0), none) for none in _NONE]
        self._n_exprs = 0
        self._n_rows = 0
        self._slots: tuple[_Slots, _Slots] = ([], [])
        self._n = 0

    def __len__(self) -> int:
        return self._n

    @property
    def shape(self) -> tuple[int, int]:
        """Expression rows and instrument rows that may hold triggers."""
        return self._n_exprs, self._n_rows

    @property
    def nbytes(self) -> int:
        """Memory of the arrays and of the lists that hold them."""
        total = sum(matrix.nbytes for matrix in self._next)
        for table in self._slots:
            total += getsizeof(table)
            for line in table:
                total += getsizeof(line) + sum(getsizeof(part) for part in line if part is not None)
        return total

    def add(self, e: int, i: int, *, above: bool, slot: int) -> None:
        """Let a slot wait. Raises `ValueError` for a level that is not finite."""
        level = self._level_of(slot, above)
        if not isfinite(level):
            raise ValueError(f"a trigger of slot {slot} needs a finite level, not {level}")
        if e >= self._n_exprs or i >= self._n_rows:
            self._grow(max(e + 1, self._n_exprs), max(i + 1, self._n_rows))
        side = _ABOVE if above else _BELOW
        slots = self._slots[side][e][i]
        self._n += 1
        if slots is None:
            self._slots[side][e][i] = array("I", (slot,))
            self._next[side][e, i] = level
            return
        place = self._place(side, slots, slot, -level if above else level)
        slots.insert(place, slot)
        if place == len(slots) - 1:
            self._next[side][e, i] = level

    def _place(self, side: int, slots: "array[int]", slot: int, key: float) -> int:
        """Where a slot with that key stands, or belongs."""
        key_of = self._key_of[side]
        place = bisect_left(slots, key, key=key_of)
        if place < len(slots) and slots[place] != slot and key_of(slots[place]) == key:
            place = bisect_left(slots, slot, place, bisect_right(slots, key, place, key=key_of))
        return place

    def add_all(self, e: I64, i: I64, above: Mask, level: F64, slot: U32) -> None:
        """The same as `add` for each; `level` is what `level_of` says. Quick for very many at once."""
        if not len(slot):
            return
        if not np.isfinite(level).all():
            raise ValueError(f"a trigger of slot {slot[~np.isfinite(level)][0]} needs a finite level")
        self._grow(max(int(e.max()) + 1, self._n_exprs), max(int(i.max()) + 1, self._n_rows))
        for side, is_of in ((_ABOVE, above), (_BELOW, ~above)):
            at = np.flatnonzero(is_of)
            if not len(at):
                continue
            key = -level[at] if side == _ABOVE else level[at]
            group = e[at] * self._n_rows + i[at]
            order = np.lexsort((slot[at], key, group))
            group, at = group[order], at[order]
            starts = np.flatnonzero(np.diff(group, prepend=-1))
            stops = np.append(starts[1:], len(group))
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
                self._add_group(side, *divmod(int(group[start]), self._n_rows), slot[at[start:stop]].tolist())

    def _add_group(self, side: int, e: int, i: int, slots: list[int]) -> None:
        if self._slots[side][e][i] is None:
            # From a list, so that no room is left for more.
            self._slots[side][e][i] = array("I", slots)
            self._next[side][e, i] = self._level_of(slots[-1], side == _ABOVE)
            self._n += len(slots)
            return
        for slot in slots:
            self.add(e, i, above=side == _ABOVE, slot=slot)

    def remove(self, e: int, i: int, *, above: bool, slot: int) -> None:
        """Take back what `add` was given. Raises `KeyError` where that does not wait."""
        side = _ABOVE if above else _BELOW
        slots = self._slots[side][e][i] if e < self._n_exprs and i < self._n_rows else None
        if slots is not None:
            place = self._place(side, slots, slot, self._key_of[side](slot))
            if place < len(slots) and slots[place] == slot:
                del slots[place]
                self._n -= 1
                self._shorten(side, e, i, was_last=place == len(slots))
                return
        raise KeyError(f"slot {slot} does not wait at ({e}, {i}) for {'above' if above else 'below'}")

    def hits(self, values: F64) -> list[int]:
        """Slots whose level is reached by values of shape (E, N); they wait no more. Group by group, in no order to
        rely on. Values may have fewer or more rows than there are groups.
        """
        n_exprs, n_rows = min(self._n_exprs, values.shape[0]), min(self._n_rows, values.shape[1])
        if not self._n or not n_exprs or not n_rows:
            return []
        now = values[:n_exprs, :n_rows]
        found: list[int] = []
        for side, reaches in ((_ABOVE, np.greater_equal), (_BELOW, np.less_equal)):
            hit = np.flatnonzero(reaches(now, self._next[side][:n_exprs, :n_rows]))
            if len(hit):
                reached = now.ravel()[hit] if now.flags.c_contiguous else now[np.unravel_index(hit, now.shape)]
                for group, value in zip(hit.tolist(), reached.tolist(), strict=True):
                    e, i = divmod(group, n_rows)
                    found += self._cut(side, e, i, value)
        self._n -= len(found)
        return found

    def _cut(self, side: int, e: int, i: int, value: float) -> "array[int]":
        slots = self._slots[side][e][i]
        if slots is None or not isfinite(value):
            return array("I")
        place = bisect_left(slots, -value if side == _ABOVE else value, key=self._key_of[side])
        reached = slots[place:]
        del slots[place:]
        self._shorten(side, e, i, was_last=True)
        return reached

    def _shorten(self, side: int, e: int, i: int, *, was_last: bool) -> None:
        """After something was taken out: the next level, and no arrays for a group where nothing waits."""
        slots = self._slots[side][e][i]
        assert slots is not None
        if not slots:
            self._slots[side][e][i] = None
            self._next[side][e, i] = _NONE[side]
        elif was_last:
            self._next[side][e, i] = self._level_of(slots[-1], side == _ABOVE)

    def replace_last_expr(self, e: int) -> None:
        """Give the groups of the last expression row to row `e`, whose own are empty, and forget the last."""
        last = self._n_exprs - 1
        for side in (_ABOVE, _BELOW):
            table = self._slots[side]
            if any(slots is not None for slots in table[e]) and e != last:
                raise ValueError(f"expression row {e} still has triggers")
            table[e] = table[last]
            table.pop()
            self._next[side][e] = self._next[side][last]
            self._next[side][last] = _NONE[side]
        self._n_exprs = last

    def _grow(self, n_exprs: int, n_rows: int) -> None:
        for side, none in enumerate(_NONE):
            old = self._next[side]
            if n_exprs > old.shape[0] or n_rows > old.shape[1]:
                # Rows of expressions come one by one, instruments nearly all at once.
                capacity = (max(n_exprs + n_exprs // 4, old.shape[0]), max(n_rows + n_rows // 16, old.shape[1]))
                self._next[side] = np.full(capacity, none)
                self._next[side][: old.shape[0], : old.shape[1]] = old
            table = self._slots[side]
            for line in table:
                line.extend([None] * (n_rows - self._n_rows))
            table.extend([None] * n_rows for _ in range(n_exprs - self._n_exprs))
        self._n_exprs, self._n_rows = n_exprs, n_rows
