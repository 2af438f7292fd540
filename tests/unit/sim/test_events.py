"""Planted events cross the thresholds of the shipped rules at the stated times, for any seed and any time of day."""

import functools

import numpy as np
import pytest

from bot.sim import events
from bot.sim.market import Market

MIN = 60_000
START_MS = 1_795_431_000_000
SEEDS = range(1, 13)


@functools.cache
def anchored(seed: int) -> tuple[Market, int]:
    """Return a market and its anchor; each seed stands elsewhere in the 5-minute grid."""
    anchor_ms = START_MS + seed * 47_000
    market = Market(seed=seed, n_instruments=120, start_ms=anchor_ms - 20_000)
    market.slide(anchor_ms)
    market.fix_anchor(anchor_ms)
    return market, anchor_ms


def reference_ms(now_ms: int, anchor_ms: int) -> int:
    """Where a 15-minute window that began at the anchor reads its old point: rows of history before, live after."""
    then_ms = now_ms - 15 * MIN
    return then_ms if then_ms >= anchor_ms else then_ms // (5 * MIN) * 5 * MIN


def pct_15m(market: Market, row: int, now_ms: int, anchor_ms: int) -> float:
    return market.open_interest(row, now_ms) / market.open_interest(row, reference_ms(now_ms, anchor_ms)) - 1


def breadth(market: Market, now_ms: int, anchor_ms: int) -> int:
    """How many of the hundred largest coins gained 3 %."""
    change = market.open_interests(now_ms) / market.open_interests(reference_ms(now_ms, anchor_ms)) - 1
    return int((change[market.ranked[:100]] >= 0.03).sum())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_opening_build_crosses_five_per_cent_six_seconds_after_the_first_push(seed):
    market, anchor_ms = anchored(seed)
    row = events.opening_row(seed, market.ranked)
    assert row in market.ranked[:20]
    course = [pct_15m(market, row, anchor_ms + 1000 * s, anchor_ms) for s in range(601)]
    assert course[0] < 0.042
    crossed = next(s for s, value in enumerate(course) if value >= 0.05)
    assert 4 <= crossed <= 8
    assert min(course[crossed : crossed + 240]) >= 0.05
    assert 0.08 <= max(course) <= 0.11


@pytest.mark.parametrize("seed", SEEDS)
def test_the_opening_build_was_under_way_for_fourteen_minutes(seed):
    market, anchor_ms = anchored(seed)
    row = events.opening_row(seed, market.ranked)
    flat = market.open_interest(row, anchor_ms - 15 * MIN)
    assert market.open_interest(row, anchor_ms - 10 * MIN) / flat > 1.018
    assert 1.02 < market.open_interest(row, anchor_ms) / flat < 1.045


@pytest.mark.parametrize("seed", SEEDS)
def test_the_opening_alert_ends_within_ten_minutes_and_leaves_no_flush(seed):
    market, anchor_ms = anchored(seed)
    row = events.opening_row(seed, market.ranked)
    course = np.array([pct_15m(market, row, anchor_ms + 5000 * k, anchor_ms) for k in range(12 * 60)])
    cleared = int(np.flatnonzero((course < 0.025) & (np.arange(course.size) > 12))[0])
    assert 5 * 12 <= cleared <= 10 * 12
    assert course.min() > -0.055


@pytest.mark.parametrize("seed", SEEDS)
def test_price_rises_with_the_opening_build(seed):
    market, anchor_ms = anchored(seed)
    row = events.opening_row(seed, market.ranked)
    opening = next(e for e in market.events_between(anchor_ms, anchor_ms) if e.kind == "opening")
    assert opening.rows.tolist() == [row]
    gain = opening.price[0] * (opening.share(opening.shape.price, anchor_ms + 4 * MIN))
    assert gain > 0.015


@pytest.mark.parametrize("seed", SEEDS)
def test_the_market_wide_surge_reaches_twelve_coins_within_forty_seconds_of_its_start(seed):
    market, anchor_ms = anchored(seed)
    assert breadth(market, anchor_ms + 39_000, anchor_ms) <= 3
    assert breadth(market, anchor_ms + 85_000, anchor_ms) >= 20
    assert min(breadth(market, anchor_ms + 1000 * s, anchor_ms) for s in range(85, 300, 5)) >= 12
    assert breadth(market, anchor_ms + 10 * MIN, anchor_ms) < 6


@pytest.mark.parametrize("hour", range(0, 24, 5))
def test_the_alert_on_sol_that_the_readme_proposes_is_set_off_by_the_market_wide_surge(hour):
    anchor_ms = START_MS + hour * 3_607_000
    market = Market(seed=1, n_instruments=120, start_ms=anchor_ms - 20_000)
    market.slide(anchor_ms)
    market.fix_anchor(anchor_ms)
    course = [pct_15m(market, market.rows["SOLUSDT"], anchor_ms + 1000 * s, anchor_ms) for s in range(301)]
    assert max(course[:40]) < 0.01 < 0.03 < min(course[100:])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flush_follows_and_others_after_it(seed):
    market, anchor_ms = anchored(seed)
    found = [e for e in market.events_between(anchor_ms, anchor_ms + 60 * MIN) if e.start_ms > anchor_ms + 5 * MIN]
    assert [e.start_ms - anchor_ms for e in found] == [(6 + 10 * k) * MIN for k in range(6)]
    assert [e.kind for e in found[:4]] == ["flush", "surge", "flush", "breadth"]
    flush = found[0]
    for row in flush.rows.tolist():
        before = market.open_interest(row, flush.start_ms)
        assert market.open_interest(row, flush.start_ms + 200_000) / before < 0.95
        assert market.price(row, flush.start_ms + 90_000) / market.price(row, flush.start_ms) < 0.98


def test_coins_rest_between_scripted_events():
    market, anchor_ms = anchored(5)
    found = [e for e in market.events_between(anchor_ms, anchor_ms + 40 * MIN) if e.kind != "breadth"]
    rows = [row for e in found for row in e.rows.tolist()]
    assert len(rows) == len(set(rows))


def test_before_the_first_push_the_build_slides_along_with_now():
    """History shows it under way whenever one looks, and the first push nails it down."""
    market = Market(seed=2, n_instruments=120, start_ms=START_MS)
    row = events.opening_row(2, market.ranked)
    for now_ms in (START_MS, START_MS + 7 * MIN, START_MS + 55 * MIN):
        market.slide(now_ms)
        assert market.open_interest(row, now_ms) / market.open_interest(row, now_ms - 15 * MIN) > 1.02
    market.fix_anchor(START_MS + 55 * MIN)
    market.fix_anchor(START_MS + 99 * MIN)
    assert market.anchor_ms == START_MS + 55 * MIN


def test_longer_scripts_begin_like_shorter_ones():
    """Looking further ahead never changes what was planned."""
    ranked = list(range(100))
    short = events.scripted(9, START_MS, START_MS + 30 * MIN, ranked)
    long = events.scripted(9, START_MS, START_MS + 300 * MIN, ranked)
    for a, b in zip(short, long, strict=False):
        assert (a.kind, a.start_ms, a.rows.tolist(), a.oi.tolist()) == (
            b.kind,
            b.start_ms,
            b.rows.tolist(),
            b.oi.tolist(),
        )
    assert len(long) > len(short)


def test_history_holds_events_on_most_days_and_none_of_the_last_half_hour():
    market, anchor_ms = anchored(4)
    days = [
        market.events_between(anchor_ms - (k + 2) * 1440 * MIN, anchor_ms - (k + 1) * 1440 * MIN) for k in range(29)
    ]
    assert all(len(found) >= 3 for found in days)
    assert {e.kind for found in days for e in found} == {"surge", "flush", "breadth"}
    recent = market.events_between(anchor_ms - 20 * MIN, anchor_ms)
    assert [e.kind for e in recent] == ["opening"]


def test_a_market_without_a_script_has_only_planned_events():
    market = Market(seed=4, n_instruments=60, start_ms=START_MS, script=False)
    market.fix_anchor(START_MS)
    assert all(e.kind != "opening" for e in market.events_between(START_MS - 1440 * MIN, START_MS + 1440 * MIN))


@pytest.mark.parametrize("shape", [events.OPENING, events.SURGE, events.FLUSH])
def test_shapes_begin_and_end_at_nothing(shape):
    assert list(shape.at_s) == sorted(shape.at_s)
    for values in (shape.oi, shape.price, shape.volume):
        assert values[0] == values[-1] == 0
        assert max(values) <= 1
