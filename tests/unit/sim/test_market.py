"""The market is one story: same seed, same numbers, and history and live agree at every instant."""

import numpy as np
import pytest

from bot.sim import answers, frames
from bot.sim.market import Market

START_MS = 1_795_431_000_000
DAY_MS = 86_400_000


def make(*, seed=3, n=120, script=False, start_ms=START_MS) -> Market:
    market = Market(seed=seed, n_instruments=n, start_ms=start_ms, script=script)
    market.slide(start_ms)
    return market


@pytest.fixture(scope="module")
def market() -> Market:
    return make()


@pytest.mark.parametrize("offset_ms", [0, 1_234, -31 * DAY_MS, 5 * DAY_MS + 59_999])
def test_the_same_seed_gives_the_same_market_whatever_was_asked_before(market, offset_ms):
    fresh = make()
    np.testing.assert_array_equal(fresh.prices(START_MS + offset_ms), market.prices(START_MS + offset_ms))
    np.testing.assert_array_equal(
        fresh.open_interests(START_MS + offset_ms), market.open_interests(START_MS + offset_ms)
    )


def test_another_seed_gives_another_market(market):
    other = make(seed=4)
    assert np.mean(np.isclose(other.prices(START_MS), market.prices(START_MS), rtol=1e-6)) < 0.05


def test_the_number_of_instruments_does_not_move_the_large_coins(market):
    wide = make(n=300)
    assert wide.prices(START_MS)[wide.rows["BTCUSDT"]] == market.prices(START_MS)[market.rows["BTCUSDT"]]


@pytest.mark.parametrize("step_ms", [1000, 7000, 3_600_000])
def test_the_path_of_one_contract_equals_the_vector_of_all(market, step_ms):
    """Across minutes, midnights and the start of the venue."""
    times = np.arange(START_MS - 40 * step_ms, START_MS + 40 * step_ms, step_ms)
    for row in (0, 7, market.rows["XAUUSDT"]):
        prices = np.array([market.prices(int(t))[row] for t in times])
        amounts = np.array([market.open_interests(int(t))[row] for t in times])
        np.testing.assert_allclose(market.price_path(row, times), prices, rtol=1e-12)
        np.testing.assert_allclose(market.oi_path(row, times), amounts, atol=market.specs[row].step)


def test_days_join_without_a_step(market):
    midnight_ms = START_MS // DAY_MS * DAY_MS
    times = midnight_ms + np.arange(-5, 6) * 1000
    for row in range(30):
        jumps = np.abs(np.diff(np.log(market.price_path(row, times))))
        assert jumps.max() < 0.003


def test_a_closed_mark_price_bar_ends_at_the_price_streamed_at_that_instant(market):
    row = market.rows["SOLUSDT"]
    opens = START_MS // 60_000 * 60_000 - np.arange(30, 0, -1) * 60_000
    bars = market.bars(row, opens, 60_000, START_MS)
    for open_ms, close in zip(opens.tolist(), bars.close, strict=True):
        assert close == pytest.approx(market.prices(open_ms + 60_000)[row], rel=1e-12)


def test_every_streamed_price_lies_within_its_bar(market):
    row = market.rows["ETHUSDT"]
    open_ms = START_MS // 60_000 * 60_000
    bar = market.bars(row, np.array([open_ms]), 60_000, open_ms + 60_000)
    streamed = [market.prices(open_ms + 1000 * s)[row] for s in range(61)]
    assert bar.low[0] * (1 - 1e-12) <= min(streamed) <= max(streamed) <= bar.high[0] * (1 + 1e-12)


def test_long_bars_are_made_of_short_ones(market):
    row = market.rows["BTCUSDT"]
    hour_ms = START_MS // 3_600_000 * 3_600_000 - 3_600_000
    hour = market.bars(row, np.array([hour_ms]), 3_600_000, START_MS)
    minutes = market.bars(row, hour_ms + np.arange(60) * 60_000, 60_000, START_MS)
    assert hour.high[0] == pytest.approx(minutes.high.max())
    assert hour.low[0] == pytest.approx(minutes.low.min())
    assert hour.close[0] == pytest.approx(minutes.close[-1])
    assert hour.volume[0] == pytest.approx(minutes.volume.sum(), rel=1e-6)


def test_a_running_bar_ends_at_now(market):
    row = market.rows["BTCUSDT"]
    now_ms = START_MS // 60_000 * 60_000 + 17_000
    bar = market.bars(row, np.array([now_ms - 17_000]), 60_000, now_ms)
    assert bar.close[0] == pytest.approx(market.prices(now_ms)[row])
    full = market.bars(row, np.array([now_ms - 17_000]), 60_000, now_ms + 43_000)
    assert 0 < bar.volume[0] < full.volume[0]


def test_the_volume_of_a_day_is_the_sum_of_its_bars(market):
    row = market.rows["BTCUSDT"]
    now_ms = START_MS // 60_000 * 60_000
    bars = market.bars(row, now_ms - DAY_MS + np.arange(1440) * 60_000, 60_000, now_ms)
    assert market.volumes_24h(now_ms)[row] == pytest.approx(bars.volume.sum(), rel=1e-3)


def test_history_rows_of_open_interest_equal_the_polled_value(market):
    row = market.rows["ETHUSDT"]
    times = START_MS // 300_000 * 300_000 - np.arange(5, -1, -1) * 300_000
    for entry in answers.open_interest_history(market, row, times):
        polled = answers.open_interest(market, row, entry["timestamp"])
        assert float(entry["sumOpenInterest"]) == float(polled["openInterest"])


def test_returns_are_heavy_tailed_and_share_a_factor(market):
    """Excess kurtosis far above a bell curve's 0; coins move with Bitcoin, metals and stocks hardly."""
    times = START_MS - DAY_MS * 6 + np.arange(6 * 1440) * 60_000
    returns = {
        s: np.diff(np.log(market.price_path(market.rows[s], times)))
        for s in ("BTCUSDT", "ETHUSDT", "ADAUSDT", "XAUUSDT")
    }
    for symbol in ("ETHUSDT", "ADAUSDT"):
        r = returns[symbol]
        assert np.mean((r - r.mean()) ** 4) / r.var() ** 2 - 3 > 2
        assert np.corrcoef(r, returns["BTCUSDT"])[0, 1] > 0.4
    assert np.corrcoef(returns["XAUUSDT"], returns["BTCUSDT"])[0, 1] < 0.4
    assert 0.01 < returns["BTCUSDT"].std() * np.sqrt(1440) < 0.06


def test_calm_open_interest_stays_far_from_the_shipped_thresholds():
    """Without planted events hardly any 15-minute change of a large coin reaches 3 %."""
    market = make()
    market.events_between = lambda _first, _last: []  # the background alone
    times = START_MS - DAY_MS + np.arange(0, 1440, 5) * 60_000
    changes = np.array([np.diff(np.log(market.oi_path(row, times))[::3]) for row in market.ranked[:100]])
    assert np.mean(np.abs(changes) > 0.03) < 2e-4
    assert np.abs(changes).max() < 0.05


def test_the_universe_looks_like_the_venue_s(market):
    info = answers.exchange_info(market, START_MS)
    symbols = {s["symbol"]: s for s in info["symbols"]}
    assert len(symbols) == 120
    assert {
        "BTCUSDT",
        "ETHUSDT",
        "1000PEPEUSDT",
        "1000SHIBUSDT",
        "BTCUSDC",
        "TSLAUSDT",
        "XAUUSDT",
        "币安人生USDT",
    } <= set(symbols)
    assert sum(s["contractType"].endswith("QUARTER") for s in symbols.values()) == 2
    assert [s["symbol"] for s in symbols.values() if s["status"] == "SETTLING"] == ["FTMUSDT"]
    for s in symbols.values():
        tick = next(f["tickSize"] for f in s["filters"] if f["filterType"] == "PRICE_FILTER")
        assert 1e-5 < float(tick) / market.specs[market.rows[s["symbol"]]].price * 1e1 < 1e-1 or s["baseAsset"] == "BTC"


def test_a_hundred_crypto_perpetuals_hold_over_twenty_million_usd(market):
    usd = market.open_interests(START_MS) * market.prices(START_MS)
    ranked = np.sort(usd[market.ranked])[::-1]
    assert ranked[99] > 20e6
    assert 4e9 < ranked[0] < 1.6e10


@pytest.mark.parametrize("n", [8, 20, 60, 400, 950])
def test_any_size_has_unique_symbols_of_every_kind(n):
    market = make(n=n)
    specs = market.specs
    assert len({s.symbol for s in specs}) == n
    assert {s.contract for s in specs} == {"PERPETUAL", "TRADIFI_PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER"}
    assert any(not s.symbol.isascii() for s in specs)
    assert np.all(np.isfinite(market.prices(START_MS)))


@pytest.mark.parametrize("n", [7, 951])
def test_other_sizes_are_refused(n):
    with pytest.raises(ValueError, match="expected 8 to 950"):
        make(n=n)


def test_a_settling_contract_has_a_frozen_price(market):
    row = market.rows["FTMUSDT"]
    assert market.prices(START_MS)[row] == market.prices(START_MS + 3_600_000)[row]


def test_an_added_contract_leaves_the_others_as_they_were():
    from bot.sim import universe

    market = make()
    before = market.prices(START_MS)
    market.add(universe.make(3, "NEWCOIN", 2.0, 80, onboard_ms=START_MS))
    after = market.prices(START_MS)
    np.testing.assert_array_equal(after[:-1], before)
    assert 0.5 < after[-1] < 8


def test_liquidations_cluster_in_a_fast_move_and_name_its_victims():
    market = make(script=True)
    market.fix_anchor(START_MS)
    flush = next(e for e in market.events_between(START_MS, START_MS + 900_000) if e.kind == "flush")
    falling = {market.specs[row].symbol for row in flush.rows}
    calm = sum(len(frames.liquidations(market, flush.start_ms - 120_000 - 1000 * s)) for s in range(30))
    storm = [x for s in range(30) for x in frames.liquidations(market, flush.start_ms + 35_000 + 1000 * s)]
    hit = [payload for symbol, payload in storm if symbol in falling]
    assert len(hit) > 15
    assert len(storm) > 2 * calm
    assert all('"S":"SELL"' in payload for payload in hit)


def test_volume_swells_in_a_flush():
    market = make(script=True)
    market.fix_anchor(START_MS)
    flush = next(e for e in market.events_between(START_MS, START_MS + 900_000) if e.kind == "flush")
    row = int(flush.rows[0])
    five_minutes = market.bars(row, np.array([flush.start_ms]), 300_000, flush.start_ms + 300_000).volume[0]
    day = market.volumes_24h(flush.start_ms)[row]
    assert five_minutes / (day / 288) > 4


def test_a_bar_is_the_same_whatever_stretch_it_is_asked_in():
    market = make()
    five_ms = 300_000
    last_ms = START_MS // five_ms * five_ms - five_ms
    opens = np.arange(last_ms - 498 * five_ms, last_ms + 1, five_ms)
    whole = market.bars(2, opens, five_ms, START_MS)
    part = market.bars(2, opens[450:], five_ms, START_MS)
    np.testing.assert_allclose(part.volume, whole.volume[450:], rtol=1e-9)
    minutes = market.bars(2, opens[450] + np.arange(5) * 60_000, 60_000, START_MS)
    assert minutes.volume.sum() == pytest.approx(whole.volume[450], rel=1e-9)
    assert market.running_volumes(int(opens[450]) + 30_000)[2] == pytest.approx(minutes.volume[0] / 2, rel=1e-6)
