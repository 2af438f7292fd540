"""Crossings: events that need to remember on which side something last was.

Per expression and instrument the last known, unequal side is kept. A crossing is true at the one tick at which the
other side is first seen. It is told how long nothing was known before, since a crossing inside a gap is worth saying.
"""

from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from bot.model.updates import F64, I64

S = TypeVar("S", bound=np.generic)

_DIRECTION: Final = {"crosses_above": 1, "crosses_below": -1, "crosses": 0}


class Crossing:
    """One crossing expression over all instruments; of numbers for a whole scope, a single column."""

    def __init__(self, name: str) -> None:
        self._direction = _DIRECTION[name]
        self.side = np.zeros(0, dtype=np.int8)
        """-1 below, 1 above, 0 not known yet."""
        self.known_ms = np.zeros(0, dtype=np.int64)
        """When both sides were last known."""
        self.since_ms = np.zeros(0, dtype=np.int64)
        """When the side was first seen."""

    def step(self, left: F64, right: F64, halted: "np.typing.NDArray[np.bool_]", now_ms: int) -> tuple[F64, F64]:
        """Move on to one tick. Returns 1 where it crossed, 0 where not, NaN unknown; and the ms since it was known before."""
        n_rows = len(halted)
        self.make_room(n_rows)
        with np.errstate(invalid="ignore"):
            difference = np.broadcast_to(left - right, n_rows)
        known = np.isfinite(difference) & ~halted
        side = np.where(known, np.sign(np.where(known, difference, 0.0)), 0).astype(np.int8)
        crossed = (side != 0) & (self.side != 0) & (side != self.side)
        if self._direction:
            crossed &= side == self._direction
        since = np.where(self.known_ms > 0, now_ms - self.known_ms, 0).astype(np.float64)
        self.since_ms[(side != 0) & (side != self.side)] = now_ms
        self.side = np.where(side != 0, side, self.side).astype(np.int8)
        self.known_ms[known] = now_ms
        return np.where(known, crossed.astype(np.float64), np.nan), since

    def run(self, left: F64, right: F64, now_ms: I64, n_rows: int) -> tuple[F64, F64]:
        """Many ticks at once, none of them halted: what `step` returns at each. `left` and `right` broadcast to (T, n_rows)."""
        self.make_room(n_rows)
        with np.errstate(invalid="ignore"):
            difference = np.broadcast_to(left - right, (len(now_ms), n_rows))
        known = np.isfinite(difference)
        side = np.where(known, np.sign(np.where(known, difference, 0.0)), 0).astype(np.int8)
        before = _last(self.side, side, side != 0)
        known_before = _last(self.known_ms, np.broadcast_to(now_ms[:, None], side.shape), known)
        since_before = _last(
            self.since_ms, np.broadcast_to(now_ms[:, None], side.shape), (side != 0) & (side != before[:-1])
        )
        moved = (side != 0) & (before[:-1] != 0) & (side != before[:-1])
        if self._direction:
            moved &= side == self._direction
        gap = np.where(known_before[:-1] > 0, now_ms[:, None] - known_before[:-1], 0).astype(np.float64)
        self.side, self.known_ms, self.since_ms = before[-1], known_before[-1], since_before[-1]
        return np.where(known, moved.astype(np.float64), np.nan), gap

    def columns(
        self,
    ) -> tuple["np.typing.NDArray[np.int8]", "np.typing.NDArray[np.int64]", "np.typing.NDArray[np.int64]"]:
        """Copies of all that is remembered."""
        return self.side.copy(), self.known_ms.copy(), self.since_ms.copy()

    def make_room(self, n_rows: int) -> None:
        """For more instruments; nothing is remembered of them."""
        more = n_rows - len(self.side)
        if more > 0:
            self.side = np.pad(self.side, (0, more))
            self.known_ms = np.pad(self.known_ms, (0, more))
            self.since_ms = np.pad(self.since_ms, (0, more))

    def clear(self, row: int) -> None:
        """The row belongs to another instrument now."""
        if row < len(self.side):
            self.side[row] = 0
            self.known_ms[row] = self.since_ms[row] = 0

    def told(self, row: int, at_ms: int, side: int) -> None:
        """An alert says that it crossed at a time after all that is remembered here: since then it is on that side, or where
        `side` is 0 on the other one.
        """
        if row < len(self.side) and self.side[row] and at_ms > self.known_ms[row]:
            self.side[row] = self._direction or side or -self.side[row]
            self.known_ms[row] = self.since_ms[row] = at_ms

    def reset(self) -> None:
        self.side[:] = 0
        self.known_ms[:] = self.since_ms[:] = 0


def _last(held: "npt.NDArray[S]", found: "npt.NDArray[S]", counts: "npt.NDArray[np.bool_]") -> "npt.NDArray[S]":
    """The last of the rows that count, before each row and at last behind all. Shape (T + 1, n_rows)."""
    at = np.zeros((len(found) + 1, found.shape[1]), dtype=np.int64)
    np.multiply(counts, np.arange(1, len(found) + 1)[:, None], out=at[1:])
    np.maximum.accumulate(at, axis=0, out=at)
    return np.take_along_axis(np.concatenate([held[None], found]), at, axis=0)
