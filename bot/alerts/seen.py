"""What a book of alerts is given at each tick: truths, times, and a way to ask for values."""

from collections.abc import Callable
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
    def direction(self) -> int: ...

    @property
    def option(self) -> int:
        """Which of the rule's measures was taken; -1 where a condition has no value."""
        ...

    @property
    def gap_ms(self) -> int:
        """Of a crossing: how long nothing was known before it."""
        ...


Measure = Callable[[int, int, int | None], Reading]
"""(t, row, option) -> value; without an option the measure that counts now is chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class RuleTruth:
    """One rule at T ticks."""

    rule_id: str
    when: Tri
    clear: Tri
    members: Mask
    measure: "Measure"


@dataclass(frozen=True, slots=True)
class Seen:
    """Truths of one cell at one tick."""

    when: int
    clear: int
    is_member: bool


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """What all rules share at T ticks."""

    now_ms: I64
    oi_ms: I64
    """(T, N): time of the newest open-interest sample."""
    oi_interval_ms: I64
    """(N,): interval at which open interest comes."""
