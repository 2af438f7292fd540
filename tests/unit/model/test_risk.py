"""Stops and sizes: by hand, at the borders, and over anything."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.instrument import Instrument
from bot.model.risk import Refused, RiskFigures, RiskSettings, StopIdea, Trail, stop_idea

BTC = Instrument(
    "binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING", tick_size=0.1, step_size=0.001, min_notional=100.0
)
FIGURES = RiskFigures(price=100_000.0, price_age_ms=500, atr=400.0, window_ms=900_000)
MINE = RiskSettings(equity=10_000.0, risk_ratio=0.01, leverage=5.0)


def idea(side="long", *, entry=None, settings=MINE, instrument=BTC, **figures) -> StopIdea:
    found = stop_idea(instrument, replace(FIGURES, **figures), side, entry=entry, settings=settings)
    assert isinstance(found, StopIdea), found
    return found


def refusal(side="long", *, entry=None, settings=MINE, instrument=BTC, **figures) -> str:
    found = stop_idea(instrument, replace(FIGURES, **figures), side, entry=entry, settings=settings)
    assert isinstance(found, Refused), found
    return found.text


def test_a_calm_market_by_hand():
    found = idea()
    assert (found.stop, found.distance, found.distance_ratio, found.n_atr) == (99_400.0, 600.0, 0.006, 1.5)
    # 100 to lose over 600 a coin is 0.1666, down to the step.
    assert (found.size, found.notional, found.at_risk) == (0.166, 16_600.0, pytest.approx(99.6))
    assert found.multiple == pytest.approx(1.66)
    assert found.liquidation == pytest.approx(80_000 / 0.99)
    assert (found.reasons, found.cost_per_day, found.capped_by) == ((), None, "")


def test_a_short_is_its_mirror():
    found = idea("short")
    assert (found.stop, found.distance, found.size) == (100_600.0, 600.0, 0.166)
    assert found.liquidation == pytest.approx(120_000 / 1.01)


def test_the_stop_is_rounded_away_from_the_entry_and_the_size_down():
    assert idea(atr=400.03).stop == 99_399.9
    assert idea("short", atr=400.03).stop == 100_600.1


def test_rising_open_interest_widens_and_falling_tightens_each_with_its_reason():
    wide = idea(oi_change=0.05, oi_age_ms=1_000)
    assert wide.distance == pytest.approx(660)
    assert wide.reasons == ("wider by 10%: open interest rose 5.0% in 15m, swings tend to be larger",)
    tight = idea(oi_change=-0.1, oi_age_ms=1_000)
    assert tight.distance == pytest.approx(540)
    assert "tighter by 10%: open interest fell 10.0%" in tight.reasons[0]
    assert idea(oi_change=9.0, oi_age_ms=1_000).distance == pytest.approx(780)
    assert idea(oi_change=-0.9, oi_age_ms=1_000).distance == pytest.approx(510)


@pytest.mark.parametrize("age_ms", [None, 300_001])
def test_stale_open_interest_moves_nothing(age_ms):
    assert idea(oi_change=0.05, oi_age_ms=age_ms).reasons == ()


def test_funding_moves_by_who_pays_scaled_to_eight_hours_and_costs_by_day():
    crowded = idea(funding=0.0003, funding_interval_h=4.0)
    assert crowded.distance == pytest.approx(660)
    assert crowded.reasons == ("wider by 10%: longs pay 0.06% per 8h, a crowded side is shaken out more often",)
    assert crowded.cost_per_day == pytest.approx(crowded.notional * 0.0018)
    other = idea("short", funding=0.0003, funding_interval_h=4.0)
    assert other.distance == pytest.approx(570)
    assert other.cost_per_day == pytest.approx(-other.notional * 0.0018)
    assert idea(funding=0.0001).reasons == ()


def test_a_stop_among_the_last_liquidations_moves_behind_them():
    moved = idea(liquidated_low=99_300.0, liquidated_high=99_800.0)
    assert (moved.stop, moved.distance) == (99_260.0, 740.0)
    assert moved.reasons == ("moved below 99,300, where positions were liquidated lately",)
    far = idea(liquidated_low=95_000.0, liquidated_high=99_800.0)
    assert (far.stop, far.reasons) == (99_400.0, ())
    beside = idea(liquidated_low=99_500.0, liquidated_high=99_900.0)
    assert beside.stop == 99_400.0


def test_leverage_caps_the_size_and_says_so():
    capped = idea(settings=replace(MINE, risk_ratio=0.05, leverage=2.0))
    assert (capped.size, capped.capped_by) == (0.2, "your leverage limit of 2x")


def test_a_size_below_the_smallest_order_is_not_offered():
    found = idea(settings=replace(MINE, equity=50.0))
    assert (found.size, found.notional) == (None, None)
    assert "smallest order" in found.why_no_size
    assert idea(settings=None).size is None


def test_a_stop_beyond_the_liquidation_price_is_refused_with_a_leverage_that_works():
    text = refusal(settings=replace(MINE, leverage=100.0), atr=800.0)
    assert "liquidated near" in text
    allowed = int(text.rsplit("leverage ", 1)[1].rstrip("."))
    assert idea(settings=replace(MINE, leverage=float(allowed)), atr=800.0).size


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"price": None}, "not known yet"),
        ({"price_age_ms": 60_001}, "old"),
        ({"atr": None}, "usual range of 15m yet"),
        ({"atr": None, "window_ms": 86_400_000}, "too few for the usual range of 1d. Up to 4h"),
        ({"atr": 0.0}, "did not move"),
        ({"atr": 1.0}, "too near"),
        ({"atr": 90_000.0}, "larger than the price"),
        ({"entry": 0.0}, "above zero"),
        ({"entry": math.nan}, "above zero"),
        ({"entry": 20_000.0}, "far from the price"),
        ({"settings": replace(MINE, equity=0.0)}, "Equity and risk"),
        ({"instrument": replace(BTC, status="SETTLING")}, "does not trade"),
    ],
)
def test_what_would_be_a_guess_is_refused_with_a_sentence(changes, part):
    assert part in refusal(**changes)


@given(
    price=st.floats(1e-6, 1e6),
    atr_ratio=st.floats(1e-6, 0.6),
    side=st.sampled_from(["long", "short"]),
    oi=st.none() | st.floats(-0.99, 10),
    funding=st.none() | st.floats(-0.05, 0.05),
    edges=st.none() | st.tuples(st.floats(0.5, 1), st.floats(1, 2)),
    equity=st.floats(1, 1e7),
    risk=st.floats(0.001, 1),
    leverage=st.floats(1, 125),
    tick=st.sampled_from([0.0, 1e-7, 1e-4, 0.1]),
    step=st.sampled_from([0.0, 1e-3, 1.0, 100.0]),
)
def test_over_anything_the_stop_is_on_the_right_side_and_no_more_is_lost_than_said(
    price, atr_ratio, side, oi, funding, edges, equity, risk, leverage, tick, step
):
    instrument = replace(BTC, tick_size=tick, step_size=step, min_notional=5.0)
    low, high = (None, None) if edges is None else (price * edges[0], price * edges[1])
    figures = RiskFigures(price, 0, price * atr_ratio, 900_000, oi, 0, funding, 8.0, low, high)
    settings = RiskSettings(equity, risk, leverage)
    found = stop_idea(instrument, figures, side, settings=settings)
    if isinstance(found, Refused):
        assert found.text.endswith((".", "?"))
        return
    sign = 1 if side == "long" else -1
    assert found.stop > 0
    assert sign * (found.entry - found.stop) > 0
    assert sign * (found.stop - found.liquidation) > 0
    if found.size is not None:
        assert found.at_risk <= equity * risk * (1 + 1e-9)
        assert found.notional <= equity * leverage * (1 + 1e-9)
        assert found.notional >= 5.0
        if step:
            assert found.size / step == pytest.approx(round(found.size / step), rel=1e-12, abs=1e-6)


def test_a_trail_follows_the_best_price_and_never_goes_back():
    trail = Trail("long", 99_400.0, 99_400.0, 600.0, 100_000.0)
    trail, news = trail.at(100_200.0, tick=0.1, step_ratio=0.5)
    assert (trail.stop, news) == (99_600.0, "")
    trail, news = trail.at(99_900.0, tick=0.1, step_ratio=0.5)
    assert (trail.stop, news) == (99_600.0, "")
    trail, news = trail.at(100_400.0, tick=0.1, step_ratio=0.5)
    assert (trail.stop, trail.told, news) == (99_800.0, 99_800.0, "moved")
    trail, news = trail.at(99_800.0, tick=0.1, step_ratio=0.5)
    assert (trail.is_touched, news) == (True, "touched")
    assert trail.at(50_000.0, tick=0.1, step_ratio=0.5) == (trail, "")


@given(st.sampled_from(["long", "short"]), st.lists(st.floats(50, 150), max_size=50))
def test_over_any_path_the_level_only_moves_with_the_position(side, path):
    sign = 1 if side == "long" else -1
    trail = Trail(side, 100 - sign * 5.0, 100 - sign * 5.0, 5.0, 100.0)
    for price in path:
        before = trail
        trail, news = trail.at(price, tick=0.01, step_ratio=0.25)
        assert sign * (trail.stop - before.stop) >= 0
        assert (news == "touched") == (trail.is_touched and not before.is_touched)
