"""How everything here is timed: in rounds, each candidate once per round, in turn; medians of per-round ratios.

The garbage collector is on, as in the bot. What is alive when the rounds begin is frozen: full collections, which row 13
finds to be rare in the bot, would otherwise be set off by whatever allocates most (J does) and would walk through all that
the harness and earlier rows keep. J is one `orjson.loads` of the same frames in the same round.
"""

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

N_ROUNDS = 15
N_QUICK_ROUNDS = 5
MIN_ROUNDS = 9
"""Fewer are no measurement: their results are shown, never stored."""
N_WARM_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `value` is None where the row could not be measured; `note` says why, or how."""

    row: str
    name: str
    value: float | None
    goal: float | None
    unit: str
    at_least: bool = False
    """Whether the goal is a floor (so many times faster) instead of a ceiling."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is nothing to judge."""
        if self.value is None or self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


@dataclass(slots=True)
class Context:
    """What a group of rows is given: how thorough to be, and where to tell of progress and of trouble."""

    n_rounds: int
    is_quick: bool
    rows: frozenset[str]
    say: Callable[[str], None] = print
    step: Callable[[float], None] = lambda _share: None
    """Progress of the group, 0 to 1."""
    wrong: list[str] = field(default_factory=list)
    """Results that differ from the slow reference: whatever was timed then is worth nothing."""

    def wants(self, *rows: str) -> bool:
        return any(row in self.rows for row in rows)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are measured together."""

    rows: tuple[str, ...]
    run: Callable[[Context], Sequence[Result]]


Works = Mapping[str, Callable[[], object]]
Times = dict[str, list[float]]


def rounds(context: Context, works_of: Callable[[int], Works | Iterable[tuple[str, Callable[[], object]]]]) -> Times:
    """Seconds per candidate and round. `works_of(k)` prepares round k; where it is a generator, what it does between
    two candidates is not timed.
    """
    times: Times = {}
    gc.collect()
    gc.freeze()
    for k in range(-N_WARM_ROUNDS, context.n_rounds):
        works = works_of(k + N_WARM_ROUNDS)
        for name, work in works.items() if isinstance(works, Mapping) else works:
            start = time.perf_counter()
            work()
            taken = time.perf_counter() - start
            if k >= 0:
                times.setdefault(name, []).append(taken)
        context.step((k + 1 + N_WARM_ROUNDS) / (context.n_rounds + N_WARM_ROUNDS))
    gc.unfreeze()
    return times


def median_ms(times: Sequence[float]) -> float:
    return statistics.median(times) * 1e3


def ratio(times: Sequence[float], base: Sequence[float]) -> float:
    """Median of the per-round ratios."""
    return statistics.median(t / b for t, b in zip(times, base, strict=True))


def machine() -> str:
    """One line: what the figures were measured on."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        model = names[0] if names else model
    except OSError:
        pass
    return (
        f"{os.cpu_count()} cores, {model}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}"
    )
