"""What a book of alerts is given at each tick: truths, times, and a way to ask for values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Tri = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
I64 = npt.NDArray[np.int64]


class Reading(Protocol):
    """A measured value, as the rules give it."""

    @property
    def value(self) -> float | None: ...

    @property
    def direction(self) -> int:
        """Which way is further: +1, -1, or 0 for away from zero."""
        ...

    @property
    def option(self) -> int:
        """Which of the rule's measures was taken; -1 where a condition has no value."""
        ...

    @property
    def gap_ms(self) -> int:
        """Of a crossing: how long nothing was known before it."""
        ...

    @property
    def share_of(self) -> float | None:
        """Of a count that is compared with a share: of how many; a step of less than one is such a share too."""
        ...


Measure = Callable[[int, int, int | None], Reading]
"""(t, row, option) -> value; without an option the measure that counts now is chosen."""


Course = Callable[[int, int, slice], tuple[Sequence[float], int]]
"""(row, option, ticks) -> the values of a measure, NaN where unknown, and which way is further: +1, -1, or 0 for
further from zero."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Truths of one cell at one tick."""

    when: int
    clear: int
    is_member: bool


@dataclass(frozen=True, slots=True, eq=False)
class RuleTruth:
    """One rule at T ticks."""

    rule_id: str
    when: Tri
    clear: Tri
    members: Mask
    measure: Measure
    course: Course

    def seen(self, t: int, row: int) -> Seen:
        """One cell at one tick."""
        return Seen(int(self.when[t, row]), int(self.clear[t, row]), is_member=bool(self.members[t, row]))


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """What all rules share at T ticks."""

    now_ms: I64
    oi_ms: I64
    """(T, N): time of the newest open-interest sample."""
    oi_interval_ms: I64
    """(T, N): interval at which open interest comes."""
