import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.feeds.schedule import FLOOR_MS, TAIL_MS, WARM_TAIL_MS, Schedule, Slot, intervals
from bot.model.ports import PollNeed


def need(
    row: int,
    *,
    size: float = 1e6,
    max_interval_ms: int | None = None,
    watched: bool = False,
    trading: bool = True,
) -> PollNeed:
    return PollNeed(row, f"S{row}USDT", size, size, max_interval_ms, watched, trading)


needs_lists = st.lists(
    st.tuples(
        st.floats(0, 1e11),
        st.one_of(st.none(), st.integers(1000, 600_000)),
        st.booleans(),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=200,
).map(
    lambda entries: [
        need(row, size=size, max_interval_ms=ms, watched=watched, trading=trading)
        for row, (size, ms, watched, trading) in enumerate(entries)
    ]
)
budgets = st.floats(1, 3000)


def rates(slots: list[Slot]) -> dict[int, float]:
    return {slot.row: 60_000 / slot.interval_ms for slot in slots}


def promised_ms(entry: PollNeed) -> int:
    return TAIL_MS if entry.max_interval_ms is None else min(TAIL_MS, max(FLOOR_MS, entry.max_interval_ms))


@given(needs_lists, budgets)
@settings(deadline=None)
def test_the_sum_of_rates_stays_within_the_budget_and_no_interval_is_under_the_floor(needs, budget) -> None:
    slots = intervals(needs, budget)
    assert sum(rates(slots).values()) <= budget * (1 + 1e-9)
    assert all(slot.interval_ms >= FLOOR_MS for slot in slots)
    assert [s.row for s in slots] == [n.row for n in needs if n.trading]


@given(needs_lists, budgets)
@settings(deadline=None)
def test_while_the_budget_allows_every_promised_interval_is_kept_whatever_users_watch(needs, budget) -> None:
    trading = [n for n in needs if n.trading]
    promised = {n.row: promised_ms(n) for n in trading}
    if sum(60_000 / ms for ms in promised.values()) <= budget:
        assert all(slot.interval_ms <= promised[slot.row] for slot in intervals(needs, budget))


@given(needs_lists, budgets)
@settings(deadline=None)
def test_in_need_rules_come_first_and_the_tail_keeps_a_quarter(needs, budget) -> None:
    trading = [n for n in needs if n.trading]
    promised = {n.row: 60_000 / promised_ms(n) for n in trading}
    ruled = [n.row for n in trading if n.max_interval_ms is not None]
    tail = [n.row for n in trading if n.max_interval_ms is None]
    if sum(promised.values()) <= budget:
        return
    got = rates(intervals(needs, budget))
    if sum(promised[r] for r in ruled) <= 0.75 * budget:
        assert all(got[r] >= promised[r] * 0.999 for r in ruled)
    if tail:
        enough = min(0.25 * budget, sum(promised[r] for r in tail))
        assert sum(got[r] for r in tail) >= enough * 0.99


@given(needs_lists, budgets, st.randoms())
@settings(deadline=None)
def test_the_order_of_the_needs_does_not_matter(needs, budget, rnd: random.Random) -> None:
    shuffled = list(needs)
    rnd.shuffle(shuffled)
    assert intervals(shuffled, budget) == intervals(needs, budget)


def test_watching_everything_small_takes_at_most_half_and_slows_no_one_beyond_the_tail() -> None:
    quiet = [need(row, size=1e9 / (row + 1)) for row in range(900)]
    watched = [need(row, size=1e9 / (row + 1), watched=row >= 300) for row in range(900)]
    got = rates(intervals(watched, 1100))
    assert sum(got[r] for r in range(300, 900)) <= 550 + 4  # and one poll more that nobody else could use
    assert min(got.values()) >= 0.5
    assert min(rates(intervals(quiet, 1100)).values()) >= 0.5


def test_a_watched_small_one_is_polled_at_the_floor() -> None:
    slots = intervals([need(r, size=1e9 if r else 1.0, watched=r == 0) for r in range(900)], 1100)
    assert slots[0].interval_ms == FLOOR_MS


def test_large_ones_are_polled_more_often_than_the_tail() -> None:
    slots = intervals(
        [need(r, size=1e10 / 2**r) for r in range(30)] + [need(r, size=1.0) for r in range(30, 900)], 1000
    )
    by_row = {s.row: s.interval_ms for s in slots}
    assert [by_row[r] for r in range(30)] == [FLOOR_MS] * 30
    assert max(by_row.values()) <= TAIL_MS


def test_during_a_warm_start_the_large_do_not_wait_for_the_second_turn_of_the_tail() -> None:
    """950 instruments on a third of the budget: at 120 s each nobody could be polled faster than every 142 s."""
    needs = [need(r, size=1e10 / (r + 1), max_interval_ms=300_000) for r in range(950)]
    got = {s.row: s.interval_ms for s in intervals(needs, 400, tail_ms=WARM_TAIL_MS)}
    assert max(got[r] for r in range(20)) <= 30_000
    assert max(got.values()) <= WARM_TAIL_MS
    assert min(s.interval_ms for s in intervals(needs, 400)) > 140_000


def test_a_small_universe_is_polled_at_the_floor_throughout() -> None:
    assert {s.interval_ms for s in intervals([need(r) for r in range(120)], 1000)} == {FLOOR_MS}


def test_small_moves_in_size_do_not_reshuffle_the_tiers() -> None:
    rng = random.Random(7)
    sizes = [1.3 * 2.0 ** rng.randrange(20, 33) for _ in range(900)]
    before = intervals([need(r, size=s) for r, s in enumerate(sizes)], 1000)
    after = intervals([need(r, size=s * rng.uniform(0.9, 1.1)) for r, s in enumerate(sizes)], 1000)
    assert before == after


def test_sizes_that_are_not_known_yet_count_as_small() -> None:
    slots = intervals([need(0, size=float("nan")), need(1, size=float("inf"))], 100)
    assert len(slots) == 2


def test_without_budget_or_instruments_nothing_is_polled() -> None:
    assert intervals([], 100) == []
    assert intervals([need(0)], 0) == []
    assert intervals([need(0, trading=False)], 100) == []


def run(schedule: Schedule, *, now_ms: float, until_ms: float) -> list[tuple[float, int]]:
    polls = []
    while now_ms < until_ms:
        got = schedule.pop(now_ms)
        if isinstance(got, Slot):
            polls.append((now_ms, got.row))
        else:
            now_ms += max(got * 1000.0, 0.001)
    return polls


def test_polls_are_evenly_spread_and_each_row_keeps_its_interval() -> None:
    schedule = Schedule()
    slots = [Slot(r, f"S{r}", 15_000 if r < 50 else 120_000) for r in range(500)]
    schedule.set_plan(slots, per_minute=500, now_ms=0.0)
    polls = run(schedule, now_ms=0.0, until_ms=600_000)
    per_second = [0] * 600
    for at_ms, _ in polls:
        per_second[int(at_ms // 1000)] += 1
    assert max(per_second) <= 10
    for row, interval in ((3, 15_000), (400, 120_000)):
        times = [at for at, r in polls if r == row]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert gaps
        assert all(abs(gap - interval) <= 3000 for gap in gaps)


def test_after_a_long_pause_polls_leave_at_the_budget_not_in_a_herd() -> None:
    schedule = Schedule()
    schedule.set_plan([Slot(r, f"S{r}", 60_000) for r in range(300)], per_minute=600, now_ms=0.0)
    run(schedule, now_ms=0.0, until_ms=60_000)
    polls = run(schedule, now_ms=3_600_000, until_ms=3_610_000)
    assert len(polls) <= 102
    assert len({row for _, row in polls}) == len(polls)


def test_a_new_plan_keeps_everyones_place_and_drops_who_left() -> None:
    schedule = Schedule()
    schedule.set_plan([Slot(r, f"S{r}", 60_000) for r in range(60)], per_minute=120, now_ms=0.0)
    first = {row: at for at, row in run(schedule, now_ms=0.0, until_ms=60_500)}
    for minute in range(1, 4):  # planning again and again must not push anybody's turn away
        schedule.set_plan([Slot(r, f"S{r}", 60_000) for r in range(60) if r != 7], per_minute=120, now_ms=60_500.0)
        assert schedule.slot(7) is None, minute
    second = {row: at for at, row in run(schedule, now_ms=60_500, until_ms=121_500)}
    assert 7 not in second
    assert len(second) == 59
    assert all(abs((second[row] - first[row] + 30_000) % 60_000 - 30_000) <= 2000 for row in second)


def test_a_shorter_interval_takes_effect_at_once() -> None:
    schedule = Schedule()
    schedule.set_plan([Slot(0, "S0", 120_000)], per_minute=100, now_ms=0.0)
    run(schedule, now_ms=0.0, until_ms=120_000)
    schedule.set_plan([Slot(0, "S0", 15_000)], per_minute=100, now_ms=120_000.0)
    assert len(run(schedule, now_ms=120_000, until_ms=180_000)) >= 3


def test_a_sweep_polls_everybody_once_in_the_given_order_at_the_given_pace() -> None:
    schedule = Schedule()
    schedule.set_plan([Slot(r, f"S{r}", 15_000) for r in range(950)], per_minute=1150, now_ms=0.0)
    order = list(range(949, -1, -1))
    schedule.poll_first(order, 0.0)
    polls = run(schedule, now_ms=0.0, until_ms=950 / 1150 * 60_000)
    assert [row for _, row in polls][:940] == order[:940]
    assert polls[949][0] == pytest.approx(950 / 1150 * 60_000, rel=0.01)
