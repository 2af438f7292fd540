"""The slow twin itself, on cases small enough for pencil and paper, and against pandas."""

import math

import numpy as np
import pandas as pd
import pytest

from bot.market.slow import (
    SlowCoverage,
    SlowLiquidations,
    SlowMarket,
    SlowProduct,
    SlowSeries,
    SlowVolume,
    SlowWindows,
    corr,
    percentile_of_pct,
    zscore_of_pct,
)

M = 60_000
T0 = 1_767_225_600_000  # a whole day
H = 3_600_000


def series(values, *, step_ms=M, valid_ms=90_000, start=T0, dtype="float64"):
    found = SlowSeries(dtype)
    for k, value in enumerate(values):
        if value is not None:
            found.put(start + k * step_ms, value, valid_ms)
    return found


def windows(values, **kwargs):
    return SlowWindows(series(values, **kwargs), kwargs.get("step_ms", M))


def test_a_sample_speaks_until_its_validity_is_over_and_an_older_one_does_not_come_back():
    one = SlowSeries("float64")
    one.put(T0, 1.0, 450_000)
    one.put(T0 + M, 2.0, 10_000)
    assert [one.at(T0 - 1), one.at(T0), one.at(T0 + M - 1), one.at(T0 + M), one.at(T0 + M + 9_999)][1:] == [1, 1, 2, 2]
    assert math.isnan(one.at(T0 - 1))
    assert math.isnan(one.at(T0 + M + 10_000))


def test_of_two_samples_in_a_hundredth_the_first_stays_whatever_their_order():
    one = SlowSeries("float64")
    for time_ms, value in ((T0 + 8, 1.0), (T0 + 3, 2.0), (T0 + 10, 3.0), (T0 + 11, 4.0), (T0, 5.0)):
        one.put(time_ms, value, 1_000)
    assert [one.at(T0 + at) for at in (0, 3, 8, 10, 11)] == [5, 5, 1, 1, 4]


def test_the_far_end_of_a_window_is_no_older_than_a_third_of_it():
    one = SlowSeries("float64")
    one.put(T0, 100.0, 1_000_000)
    one.put(T0 + 15 * M, 110.0, 1_000_000)
    w = SlowWindows(one)
    assert w.pct(T0 + 15 * M, 15 * M) == 110.0 / 100.0 - 1
    # 12:20 - 15 m = 12:05: the sample of 12:00 is just young enough; a second later it is not.
    assert w.delta(T0 + 20 * M, 15 * M) == 10.0
    assert math.isnan(w.delta(T0 + 20 * M + 1_000, 15 * M))


def test_four_fifths_of_the_points_make_a_window_known():
    assert windows([1, None, 3, 4, 5], valid_ms=M).avg(T0 + 4 * M, 5 * M) == 13 / 4
    assert math.isnan(windows([1, None, None, 4, 5], valid_ms=M).avg(T0 + 4 * M, 5 * M))
    assert math.isnan(windows([1, 2, 3, 4, None], valid_ms=M).avg(T0 + 4 * M, 5 * M))


def test_percentile_is_the_place_among_the_past_points():
    # Past 1 2 3 3, now 3: two below, two ties of four.
    assert windows([1, 2, 3, 3, 3]).percentile(T0 + 4 * M, 5 * M) == 75.0
    assert windows([7] * 5).percentile(T0 + 4 * M, 5 * M) == 50.0
    assert windows([1, 2, 3, 4, 5]).percentile(T0 + 4 * M, 5 * M) == 100.0
    assert windows([5, 4, 3, 2, 1]).percentile(T0 + 4 * M, 5 * M) == 0.0
    assert math.isnan(windows([5, 4]).percentile(T0 + M, M)), "the window has no past point"


def test_slope_is_per_hour_over_the_mean():
    # 10, 12, 14 a minute apart: 120 an hour, over a mean of 12.
    assert windows([10, 12, 14]).slope(T0 + 2 * M, 3 * M) == pytest.approx(10.0)
    assert windows([5, 5, 5]).slope(T0 + 2 * M, 3 * M) == 0.0
    assert math.isnan(windows([10, 12]).slope(T0 + M, 2 * M)), "two points are no trend"
    assert windows([10, None, 14, 16, 18], valid_ms=M).slope(T0 + 4 * M, 5 * M) == pytest.approx(120 / 14.5)


def test_slope_of_a_mean_of_zero_is_unknown():
    assert math.isnan(windows([-1.0, 0.0, 1.0]).slope(T0 + 2 * M, 3 * M))


def test_corr_is_over_changes():
    a = windows([100, 110, 99, 118.8, 106.92])  # +10 % -10 % +20 % -10 %
    b = windows([50, 60, 48, 67.2, 53.76])  # +20 % -20 % +40 % -20 %
    assert corr(a, b, T0 + 4 * M, 5 * M) == pytest.approx(1.0)
    assert math.isnan(corr(a, windows([7] * 5), T0 + 4 * M, 5 * M)), "what never moves goes with nothing"
    assert math.isnan(corr(a, b, T0 + 2 * M, 3 * M)), "two pairs are too few"


def test_zscore_of_the_newest_point():
    # 1 1 1 5: mean 2, deviation sqrt(3).
    assert windows([1, 1, 1, 5]).zscore(T0 + 3 * M, 4 * M) == pytest.approx(3 / math.sqrt(3))
    assert math.isnan(windows([1] * 4).zscore(T0 + 3 * M, 4 * M))


def test_windows_over_a_day_stand_on_the_five_minute_grid():
    one = series([float(k % 7) + 1 for k in range(2_020)], step_ms=5 * M, valid_ms=450_000)
    w = SlowWindows(one)
    now = T0 + 2_019 * 5 * M
    assert w.step_ms(7 * 24 * H) == 5 * M
    points = [float(k % 7) + 1 for k in range(2_019 - 2_015, 2_020)]
    past = points[:-1]
    want = 100 * (sum(p < points[-1] for p in past) + past.count(points[-1]) / 2) / len(past)
    assert w.percentile(now, 7 * 24 * H) == want
    assert w.zscore(now, 7 * 24 * H) == pytest.approx((points[-1] - np.mean(points)) / np.std(points))


def test_unusual_changes_look_at_changes_five_minutes_apart():
    # Changes over 5 m at each 5 m: +10 % +10 % +10 %, and between grid points +20 % against 12:12.
    one = series([100, 110, 121, 133.1], step_ms=5 * M, valid_ms=450_000)
    now = T0 + 17 * M
    for second in range(60):  # price from 12:11:30, so that `then` of 12:17 is fresh
        one.put(T0 + 11 * M + 30_000 + second * 1_000, 121.0, 10_000)
    one.put(now, 145.2, 10_000)
    w = SlowWindows(one)
    p_now = 145.2 / 121.0 - 1
    # n = 3 of 15 m: the grid points 12:10 and 12:05, and now. At 12:15 the sample of 12:15 speaks already: it is g5.
    changes = [110 / 100 - 1, 121 / 110 - 1, p_now]
    assert zscore_of_pct(w, now, 5 * M, 15 * M) == pytest.approx((p_now - np.mean(changes)) / np.std(changes))
    assert percentile_of_pct(w, now, 5 * M, 15 * M) == 100.0


def test_the_product_is_rounded_like_its_parts_and_as_old_as_its_older_one():
    price, oi = SlowSeries("float32"), SlowSeries("float32")
    price.put(T0, 0.1, 10_000)
    oi.put(T0 - 4_000, 3.3, 30_000)
    usd = SlowProduct(price, oi)
    assert usd.at(T0) == float(np.float32(0.1) * np.float32(3.3))
    assert usd.at(T0, rounded=False) == 0.1 * 3.3
    assert usd.sample_age_ms(T0 + 1_000) == 5_000
    assert math.isnan(usd.at(T0 + 10_000))


def test_bars_are_spread_replaced_and_counted_once():
    volume = SlowVolume()
    volume.put(T0 + 10 * M, 5 * M, 50.0)  # 12:05 to 12:10, ten a minute
    assert volume.sum(T0 + 10 * M, 5 * M) == 50.0
    assert volume.sum(T0 + 11 * M - 1, 5 * M) == 50.0
    assert volume.sum(T0 + 11 * M, 5 * M) == 40.0, "four of five minutes are inside: 80 %"
    assert math.isnan(volume.sum(T0 + 12 * M, 5 * M))
    volume.put(T0 + 10 * M, M, 1.0)
    volume.put(T0 + 10 * M, M, 99.0)
    volume.put(T0 + 10 * M, 5 * M, 70.0)
    assert volume.sum(T0 + 10 * M, 5 * M) == 41.0
    assert volume.value(T0 + 10 * M) == 1.0
    assert volume.value(T0 + 11 * M + 29_999) == 1.0
    assert math.isnan(volume.value(T0 + 11 * M + 30_000))


def test_a_finer_bar_stays_when_a_coarser_one_comes_later():
    volume = SlowVolume()
    volume.put(T0 + 3 * M, M, 7.0)
    volume.put(T0 + 5 * M, 5 * M, 50.0)
    assert volume.sum(T0 + 5 * M, 5 * M) == 47.0


def test_ratio_compares_with_an_average_window_of_the_day():
    volume = SlowVolume()
    for k in range(1, 289):
        volume.put(T0 + k * 5 * M, 5 * M, 10.0 if k < 288 else 30.0)
    assert volume.ratio(T0 + 24 * H, 5 * M) == pytest.approx(30 / ((287 * 10 + 30) / 288))
    quiet = SlowVolume()
    for k in range(1, 289):
        quiet.put(T0 + k * 5 * M, 5 * M, 0.0)
    assert math.isnan(quiet.ratio(T0 + 24 * H, 5 * M))


def test_liquidations_are_known_while_the_stream_has_been_alive():
    coverage = SlowCoverage()
    longs = SlowLiquidations(coverage)
    longs.put(T0 + 1, 5.0)
    longs.put(T0 + 30_000, 7.0)
    assert math.isnan(longs.sum(T0 + M, M))
    coverage.tell(T0, live=True)
    assert math.isnan(longs.sum(T0 + M - 1, M))
    assert longs.sum(T0 + M, M) == 12.0
    assert longs.sum(T0 + M + 1, M) == 7.0, "an event exactly one window old is outside"
    assert longs.sum(T0 + 3 * M, M) == 0.0
    coverage.tell(T0 + 3 * M, live=False)
    assert math.isnan(longs.value(T0 + 4 * M))
    coverage.tell(T0 + 5 * M, live=True)
    assert math.isnan(longs.value(T0 + 5 * M + 59_999))
    assert longs.value(T0 + 6 * M) == 0.0


def test_ages_of_everything():
    market = SlowMarket(dtype="float64")
    market.listing("A", T0)
    one = market.instruments["A"]
    assert one.age_ms("price", T0 + 15_000) == 15_000
    assert not one.is_stale("price", T0 + 15_000)
    assert one.is_stale("price", T0 + 15_001)
    market.mark("A", T0 + 20_000, 1.0, 0.5, -0.01)
    assert not one.is_stale("price", T0 + 30_000)
    assert one.is_stale("price", T0 + 30_001)
    assert one.age_ms("oi_usd", T0 + 30_000) == 30_000
    assert not one.is_stale("oi", T0 + 300_000)
    assert one.is_stale("oi", T0 + 300_001)
    assert not one.is_stale("volume", T0 + 90_000)
    assert one.is_stale("volume", T0 + 90_001)
    market.bar("A", T0 + 5 * M, 10.0, 2.5, span_ms=5 * M)
    assert not one.is_stale("taker_buy", T0 + 5 * M + 450_000)
    assert one.is_stale("taker_buy", T0 + 5 * M + 450_001)
    assert one.is_stale("liq_long", T0)
    market.cover(T0 + M, live=True)
    assert one.age_ms("liq_long", T0 + 10 * M) == 0
    market.cover(T0 + 2 * M, live=False)
    assert one.age_ms("liq_short", T0 + 10 * M) == 8 * M


def test_derived_series_are_samples_of_their_own():
    market = SlowMarket(dtype="float64")
    market.listing("A", T0, interval_h=4.0)
    market.mark("A", T0 + 1_000, 101.0, 100.0, 0.0002)
    market.listing("A", T0 + 1_500, interval_h=8.0)
    market.mark("A", T0 + 2_000, 102.0, math.nan, math.nan)
    market.sample("A", "price", T0 + 3_000, 103.0, valid_ms=90_000)
    market.now_ms = T0 + 3_000
    assert market.level("basis", "A") == (101.0 - 100.0) / 100.0
    assert market.level("funding_8h", "A") == 0.0004
    assert market.level("price", "A") == 103.0
    market.bar("A", T0 + M, 10.0, 2.5, span_ms=M)
    market.bar("A", T0 + 2 * M, 0.0, 0.0, span_ms=M)
    market.now_ms = T0 + 2 * M
    assert market.level("taker_buy", "A") == 0.25
    assert market.level("volume", "A") == 0.0


@pytest.mark.parametrize("n", [3, 7, 20])
def test_on_bars_the_windows_are_those_of_pandas(n):
    dice = np.random.default_rng(n)
    closes = pd.Series(100 * np.exp(np.cumsum(dice.normal(0, 0.01, 60))))
    others = pd.Series(50 * np.exp(np.cumsum(dice.normal(0, 0.01, 60))))
    a, b = windows(closes.tolist()), windows(others.tolist())
    rolling = closes.rolling(n)
    changes = closes.pct_change(), others.pct_change()
    together = changes[0].rolling(n - 1).corr(changes[1])
    for k in range(n, 60):
        now, window = T0 + k * M, n * M
        part = closes[k - n + 1 : k + 1]
        assert a.avg(now, window) == pytest.approx(rolling.mean()[k], rel=1e-12)
        assert a.std(now, window) == pytest.approx(rolling.std(ddof=0)[k], rel=1e-9)
        assert a.min(now, window) == rolling.min()[k]
        assert a.max(now, window) == rolling.max()[k]
        assert a.zscore(now, window) == pytest.approx((closes[k] - part.mean()) / part.std(ddof=0), rel=1e-9)
        assert a.percentile(now, window) == pytest.approx(100 * (part[:-1] < closes[k]).mean(), rel=1e-12)
        assert a.pct(now, window) == closes[k] / closes[k - n] - 1
        assert a.slope(now, window) == pytest.approx(np.polyfit(np.arange(n), part, 1)[0] * 60 / part.mean(), rel=1e-8)
        if n > 3:
            assert corr(a, b, now, window) == pytest.approx(together[k], rel=1e-9)
