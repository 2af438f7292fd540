"""All alerts of one rule over many ticks, instrument by instrument, from one tick that matters to the next.

An alert that sleeps moves where its condition is true for a member, one that fires where it ends or is told again, and
a pending one at each tick. Changes are those of a walk from tick to tick, in the same order.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.alerts.book import Change, RuleBook
from bot.alerts.seen import RuleTruth, Ticks
from bot.model.alert import State
from bot.model.truth import FALSE, TRUE

_NEVER: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class _Move:
    """What one alert did at one tick."""

    t: int
    row: int
    was_alive: bool
    """Before it; those come first within a tick."""
    changes: tuple[Change, ...]


def stride(book: RuleBook, truth: RuleTruth, ticks: Ticks, name_of: Callable[[int], str]) -> Iterator[Change]:
    """All changes of a block. Should a measure raise, those of the instruments before come first."""
    wanted = (truth.when == TRUE) & truth.members
    rows = [*book.alive_rows(), *np.flatnonzero(wanted.any(axis=0)).tolist()]
    strides = _Strides(book, truth, ticks, name_of)
    moves: list[_Move] = []
    began: dict[int, int] = {}
    fault: Exception | None = None
    for row in dict.fromkeys(rows):
        is_new, n_before = not book.has(row), len(moves)
        try:
            for move in strides.of(row, np.flatnonzero(wanted[:, row]).tolist()):
                moves.append(move)  # noqa: PERF402, one by one: what came before a fault stays
        except Exception as error:  # noqa: BLE001, raised again below
            fault = error
        if is_new and book.has(row):
            began[row] = moves[n_before].t if len(moves) > n_before else 0
        if fault is not None:
            break
    book.put_in_order(began)
    place = {row: n for n, row in enumerate(book.rows())}
    moves.sort(key=lambda m: (m.t, not m.was_alive, place[m.row] if m.was_alive else m.row))
    for move in moves:
        yield from move.changes
    if fault is not None:
        raise fault


class _Strides:
    """One rule over one block."""

    def __init__(self, book: RuleBook, truth: RuleTruth, ticks: Ticks, name_of: Callable[[int], str]) -> None:
        self._book = book
        self._truth = truth
        self._ticks = ticks
        self._name_of = name_of
        self._now_ms = ticks.now_ms.tolist()

    def of(self, row: int, wanted: list[int]) -> Iterator[_Move]:
        """The moves of one alert that changed something. `wanted`: ticks at which its condition is true for a member."""
        book, truth = self._book, self._truth
        ended: list[int] | None = None
        t, n_times = 0, len(self._now_ms)
        while t < n_times:
            state = book.state(row)
            if state is State.INACTIVE:
                t = _at_or_after(wanted, t)
            elif state is State.FIRING:
                if ended is None:
                    ended = np.flatnonzero((truth.when[:, row] == FALSE) & (truth.clear[:, row] == TRUE)).tolist()
                stop = min(_at_or_after(ended, t), n_times)
                t = book.follow_peak(row, range(t, stop), truth.course, self._now_ms)
            if t >= n_times:
                return
            changes = book.move(row, t, truth.seen(t, row), self._ticks, truth.measure, self._name_of)
            if changes:
                yield _Move(t, row, state is not State.INACTIVE, changes)
            t += 1


def _at_or_after(places: list[int], t: int) -> int:
    n = bisect_left(places, t)
    return places[n] if n < len(places) else _NEVER
