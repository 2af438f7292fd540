"""Who is polled how often, and when next. Pure: time is an argument, nothing waits.

`intervals` divides a budget of requests per minute over the instruments. Its promises, in this order:

1. the sum of all rates is never above the budget;
2. an instrument in scope of a rule gets the interval the rule needs (not under 15 s) while the budget allows;
3. every other one is polled every 120 s while the budget allows, and never starves: in need, rules take at most three
   quarters of the budget; watching can't slow anybody's promised interval and is worth at most half of the budget;
4. what remains goes to the instruments of rules and the large ones, down to 15 s.

The same needs give the same answer in any order, and small moves in size don't reshuffle the tiers.

`Schedule` turns intervals into due times: evenly spread, earliest due first, at most one per `spacing_ms`.
"""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.model.ports import PollNeed

FLOOR_MS = 15_000
"""The venue refreshes an open interest about every 20 s; asking faster is wasted."""

TAIL_MS = 120_000
WARM_TAIL_MS = 240_000
"""During a warm start: the budget is a third, and what matters most must not wait for the tail's second turn."""
_TIERS_MS = (15_000, 30_000, 60_000)
_RULE_SHARE = 0.75
_WATCHED_SHARE = 0.5
_MINUTE_MS = 60_000.0
_PHASE = 0.618033988749895


@dataclass(frozen=True, slots=True)
class Slot:
    """One polled instrument and its interval."""

    row: int
    symbol: str
    interval_ms: int


def _wanted_ms(need: PollNeed, tail_ms: int) -> int:
    """The interval that rules ask for, or the tail's."""
    return tail_ms if need.max_interval_ms is None else min(tail_ms, max(FLOOR_MS, need.max_interval_ms))


def _in_rule(need: PollNeed) -> bool:
    return need.max_interval_ms is not None


def _rank(need: PollNeed) -> tuple[bool, int, str, int]:
    # Sizes count by powers of two: an instrument keeps its place while it grows or shrinks a little.
    size = max(need.oi_usd, need.volume_24h, 1.0) if math.isfinite(need.oi_usd + need.volume_24h) else 1.0
    return (not _in_rule(need), -int(math.log2(size)), need.symbol, need.row)


def _base_rates(needs: Sequence[PollNeed], budget: float, tail_ms: int) -> dict[int, float]:
    """Requests per minute that nobody's watching can touch."""
    rates = {need.row: _MINUTE_MS / _wanted_ms(need, tail_ms) for need in needs}
    if sum(rates.values()) <= budget:
        return rates
    ruled = sum(rates[n.row] for n in needs if _in_rule(n))
    tail = sum(rates[n.row] for n in needs if not _in_rule(n))
    rule_budget = min(ruled, budget if tail == 0 else max(_RULE_SHARE * budget, budget - tail))
    rule_factor = rule_budget / ruled if ruled else 0.0
    tail_factor = min(1.0, (budget - rule_budget) / tail) if tail else 0.0
    return {n.row: rates[n.row] * (rule_factor if _in_rule(n) else tail_factor) for n in needs}


def _raise_watched(needs: Sequence[PollNeed], rates: dict[int, float], budget: float) -> None:
    """Bring what users watch towards the floor, all by the same share of the way."""
    floor_rate = _MINUTE_MS / FLOOR_MS
    watched = [n.row for n in needs if n.watched]
    room = min(budget - sum(rates.values()), _WATCHED_SHARE * budget - sum(rates[row] for row in watched))
    missing = sum(floor_rate - rates[row] for row in watched)
    if room <= 0 or missing <= 0:
        return
    part = min(1.0, room / missing)
    for row in watched:
        rates[row] += part * (floor_rate - rates[row])


def _raise_ranked(needs: Sequence[PollNeed], rates: dict[int, float], budget: float) -> None:
    """Spend the rest by rank: half of it on the fastest tier, half of what is left on the next, and so on."""
    tiers = (*((ms, 0.5) for ms in _TIERS_MS[:-1]), (_TIERS_MS[-1], 1.0), (FLOOR_MS, 1.0))
    for watched in (False, True):  # the watched have had their half and get what nobody else can use
        ranked = sorted((n for n in needs if n.watched is watched), key=_rank)
        for tier_ms, part in tiers:
            rate = _MINUTE_MS / tier_ms
            room = part * (budget - sum(rates.values()))
            for need in ranked:
                extra = rate - rates[need.row]
                if extra <= 0:
                    continue
                if extra > room:
                    break
                rates[need.row] = rate
                room -= extra


def intervals(needs: Sequence[PollNeed], per_minute: float, *, tail_ms: int = TAIL_MS) -> list[Slot]:
    """Slots of all instruments that trade, ascending by row, for a budget of requests per minute."""
    polled = sorted({n.row: n for n in needs if n.trading}.values(), key=lambda n: n.row)
    if not polled or per_minute <= 0:
        return []
    rates = _base_rates(polled, per_minute, tail_ms)
    _raise_watched(polled, rates, per_minute)
    _raise_ranked(polled, rates, per_minute)
    # Rounded up, so that the sum of the rates stays within the budget.
    return [Slot(n.row, n.symbol, math.ceil(_MINUTE_MS / rates[n.row] - 1e-6)) for n in polled]


def _wait_s(ms: float) -> float:
    # Not so short that rounding swallows it, not so long that a new plan goes unnoticed.
    return min(1000.0, max(1.0, ms)) / 1000.0


class Schedule:
    """Due times. A row keeps its place in time when its plan changes; a missed turn is not caught up."""

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}
        self._due_ms: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []
        self._spacing_ms = 0.0
        self._next_ms = float("-inf")
        self._n_new = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def slots(self) -> Iterable[Slot]:
        return self._slots.values()

    def slot(self, row: int) -> Slot | None:
        return self._slots.get(row)

    def set_plan(self, slots: Sequence[Slot], *, per_minute: float, now_ms: float) -> None:
        """Take over new intervals; `per_minute` bounds how fast polls leave."""
        self._spacing_ms = _MINUTE_MS / per_minute if per_minute > 0 else _MINUTE_MS
        old, self._slots = self._slots, {slot.row: slot for slot in slots}
        due: dict[int, float] = {}
        for slot in slots:
            before = old.get(slot.row)
            if before is None or before.symbol != slot.symbol:
                # Golden-ratio phases: any number of newcomers spreads evenly over the interval.
                self._n_new += 1
                due[slot.row] = now_ms + self._n_new * _PHASE % 1.0 * slot.interval_ms
            else:
                due[slot.row] = min(
                    self._due_ms[slot.row],
                    max(now_ms, self._due_ms[slot.row] - before.interval_ms + slot.interval_ms),
                )
        self._rebuild(due)

    def poll_first(self, rows: Iterable[int], now_ms: float) -> None:
        """Make these due now, in this order, before everything else."""
        due = dict(self._due_ms)
        for place, row in enumerate(row for row in rows if row in self._slots):
            due[row] = now_ms - 1e7 + place
        self._rebuild(due)

    def _rebuild(self, due: dict[int, float]) -> None:
        self._due_ms = due
        self._heap = [(at_ms, row) for row, at_ms in due.items()]
        heapq.heapify(self._heap)

    def pop(self, now_ms: float) -> Slot | float:
        """The slot to poll now, or the seconds to wait before asking again (at most one)."""
        if self._next_ms > now_ms:
            return _wait_s(self._next_ms - now_ms)
        if not self._heap:
            return 1.0
        due_ms, row = self._heap[0]
        if due_ms > now_ms:
            return _wait_s(due_ms - now_ms)
        slot = self._slots[row]
        late = now_ms - due_ms >= slot.interval_ms
        self._due_ms[row] = (now_ms if late else due_ms) + slot.interval_ms
        heapq.heapreplace(self._heap, (self._due_ms[row], row))
        # A late caller may catch up by one poll at most, so polls never bunch.
        self._next_ms = max(self._next_ms + self._spacing_ms, now_ms)
        return slot
