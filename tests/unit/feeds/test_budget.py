import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.feeds.budget import CallBudget, WeightBudget

START_MS = 1_767_225_600_000  # second 0 of a minute


def spend(budget: WeightBudget, *, until_ms: float, now_ms: float = START_MS, cost: int = 1, background: bool = False):
    """Call as often as the budget lets; each call is answered at once. Returns the times."""
    times = []
    while now_ms < until_ms:
        wait_s = budget.acquire(cost, now_ms, background=background)
        if wait_s:
            now_ms += wait_s * 1000.0
            continue
        times.append(now_ms)
        budget.settle(cost, budget.ticket(), None, now_ms)
    return times


def most_in_any(times: list[float], window_ms: float) -> int:
    start = best = 0
    for end, t in enumerate(times):
        while t - times[start] >= window_ms:
            start += 1
        best = max(best, end - start + 1)
    return best


def test_a_greedy_caller_never_passes_its_share_in_any_sixty_seconds_and_gets_nearly_all_of_it() -> None:
    times = spend(WeightBudget(limit=2400, share=0.5), until_ms=START_MS + 600_000)
    assert most_in_any(times, 60_000) <= 1200
    assert len(times) >= 0.95 * 12_000


def test_calls_are_spread_over_the_minute_without_bursts() -> None:
    times = spend(WeightBudget(), until_ms=START_MS + 120_000)
    assert most_in_any([t for t in times if t > START_MS + 10_000], 1000) <= 21


def test_background_leaves_a_third_to_the_others() -> None:
    times = spend(WeightBudget(), until_ms=START_MS + 300_000, background=True)
    assert most_in_any(times, 60_000) <= 820
    budget = WeightBudget()
    now_ms, polls, background, n = float(START_MS), 0, 0, 0
    while now_ms < START_MS + 300_000:
        n += 1
        if n % 8 == 0:  # a poller at a third: 375 a minute
            polls += budget.acquire(1, now_ms) == 0
            budget.settle(1, budget.ticket(), None, now_ms)
        if budget.acquire(1, now_ms, background=True) == 0:
            background += 1
            budget.settle(1, budget.ticket(), None, now_ms)
        now_ms += 20.0
    assert polls == 1875
    assert 0.95 * 5 * 768 <= background <= 5 * 800


def test_an_expensive_call_waits_for_a_full_bucket_and_is_paid_for_afterwards() -> None:
    budget = WeightBudget(limit=2400, share=0.1)
    assert budget.acquire(40, START_MS) == 0
    assert budget.acquire(1, START_MS) > 5


def test_what_others_on_the_address_use_counts_until_the_next_minute() -> None:
    budget = WeightBudget()
    assert budget.acquire(1, START_MS + 1000) == 0
    budget.settle(1, budget.ticket(), 1950, START_MS + 1100)
    assert budget.used_share(START_MS + 2000) == pytest.approx(1950 / 2400)
    assert budget.acquire(1, START_MS + 2000) == pytest.approx(58.1)
    assert budget.acquire(1, START_MS + 60_100) == 0


def test_an_answer_that_crossed_the_minute_is_not_counted_in_the_new_one() -> None:
    budget = WeightBudget()
    assert budget.acquire(1, START_MS + 59_900) == 0
    budget.settle(1, budget.ticket(), 2300, START_MS + 60_050)
    assert budget.acquire(1, START_MS + 60_100) == 0


def test_calls_under_way_are_carried_into_the_new_minute() -> None:
    budget = WeightBudget()
    assert budget.acquire(30, START_MS + 59_900) == 0
    assert budget.used(START_MS + 60_001) == 30


def test_a_restart_in_the_same_minute_obeys_what_was_used_before() -> None:
    old = WeightBudget()
    old.restore((START_MS // 60_000, 1195))
    state = json.loads(json.dumps(old.state(START_MS + 5000)))
    new = WeightBudget()
    new.restore(tuple(state))
    granted = spend(new, now_ms=START_MS + 6000, until_ms=START_MS + 59_999)
    assert len(granted) == 5
    assert spend(new, now_ms=START_MS + 60_000, until_ms=START_MS + 61_000)


def test_a_clock_that_goes_back_frees_nothing_and_does_not_stall() -> None:
    budget = WeightBudget()
    budget.restore((START_MS // 60_000, 1200))
    assert budget.acquire(1, START_MS - 120_000) > 0
    assert budget.acquire(1, START_MS - 59_000) == 0


@given(
    share=st.floats(0.05, 0.9),
    costs=st.lists(st.sampled_from([1, 1, 1, 2, 5, 10, 40]), min_size=50, max_size=400),
    gaps=st.lists(st.floats(0, 3000), min_size=50, max_size=400),
)
@settings(max_examples=50, deadline=None)
def test_no_minute_of_the_venue_ever_exceeds_the_share(share: float, costs: list[int], gaps: list[float]) -> None:
    budget = WeightBudget(share=share)
    now_ms = float(START_MS)
    per_minute: dict[int, int] = {}
    for cost, gap in zip(costs, gaps, strict=False):
        wait_s = budget.acquire(cost, now_ms)
        if wait_s == 0:
            minute = int(now_ms // 60_000)
            per_minute[minute] = per_minute.get(minute, 0) + cost
            budget.settle(cost, budget.ticket(), None, now_ms)
        now_ms += gap
    assert all(used <= share * 2400 or used == 40 for used in per_minute.values())


def drain(budget: CallBudget, *, now_ms: float, until_ms: float, is_regular: bool = False) -> list[float]:
    times = []
    while now_ms < until_ms:
        wait_s = budget.acquire(now_ms, is_regular=is_regular)
        if wait_s:
            now_ms += wait_s * 1000.0
        else:
            times.append(now_ms)
    return times


def test_the_first_two_hundred_calls_leave_at_ten_a_second_then_three() -> None:
    times = drain(CallBudget(), now_ms=START_MS, until_ms=START_MS + 200_000)
    assert times[199] - times[0] == pytest.approx(19_900, abs=5)
    assert most_in_any(times[:200], 1000) <= 11
    assert most_in_any(times[200:], 1000) <= 4
    assert times[499] - times[199] == pytest.approx(100_000, rel=0.01)


def test_regular_polls_keep_their_own_pace_and_the_same_limit() -> None:
    budget = CallBudget(regular_per_s=6.0)
    times = drain(budget, now_ms=START_MS, until_ms=START_MS + 900_000, is_regular=True)
    assert times[599] - times[199] == pytest.approx(400 / 6 * 1000, rel=0.01)
    assert most_in_any(times, 300_000) <= 900
    slow = drain(budget, now_ms=START_MS + 900_000, until_ms=START_MS + 1_000_000)
    assert most_in_any(slow, 1000) <= 4, "a warm start beside them stays slow"


def test_never_more_than_nine_hundred_calls_in_any_five_minutes() -> None:
    times = drain(CallBudget(), now_ms=START_MS, until_ms=START_MS + 1_800_000)
    assert most_in_any(times, 300_000) <= 900
    assert len(times) >= 900 * 5


def test_calls_before_a_restart_count_for_five_minutes() -> None:
    old = CallBudget()
    drain(old, now_ms=START_MS, until_ms=START_MS + 290_000)
    assert old.used(START_MS + 290_000) == 900
    state = [tuple(x) for x in json.loads(json.dumps(old.state(START_MS + 290_000)))]
    new = CallBudget()
    new.restore(state, START_MS + 291_000)
    assert new.acquire(START_MS + 291_000) > 0
    times = drain(new, now_ms=START_MS + 291_000, until_ms=START_MS + 400_000)
    assert times[0] >= START_MS + 300_000


def test_stored_calls_of_the_future_count_as_fresh_and_expire() -> None:
    budget = CallBudget()
    budget.restore([(START_MS // 1000 + 86_400, 900)], START_MS)
    assert budget.acquire(START_MS) == pytest.approx(300.0, abs=0.1)
    assert budget.acquire(START_MS + 300_010) == 0
