"""What the market must hold for a set of leaves."""

import numpy as np
import pytest

from bot.market.market import Market
from bot.market.series import DAY_MS, HOUR_MS, INDEX, MINUTE_MS, Grids, Leaf, Needs
from bot.model.instrument import Instrument

GRIDS = Grids.of(1_000)


def test_of_a_product_that_is_only_looked_at_from_end_to_end_the_factors_are_held():
    lengths = Needs.of([Leaf("pct", "oi_usd", HOUR_MS), Leaf("delta", "oi_usd", DAY_MS)]).lengths(GRIDS)
    assert lengths[1_000] == {"price": HOUR_MS, "oi": HOUR_MS}
    assert lengths[60_000] == {"price": DAY_MS, "oi": DAY_MS}


def test_a_product_that_other_functions_look_at_has_a_ring_that_serves_all():
    leaves = [Leaf("pct", "oi_usd", HOUR_MS), Leaf("max", "oi_usd", 5 * MINUTE_MS)]
    lengths = Needs.of(leaves).lengths(GRIDS)
    assert lengths[1_000] == {"price": HOUR_MS, "oi": HOUR_MS, "oi_usd": HOUR_MS}
    assert "oi_usd" not in lengths[60_000]
    assert Needs.of(reversed(leaves)).lengths(GRIDS) == lengths


def test_unusual_changes_of_a_product_need_its_ring_where_their_points_lie():
    lengths = Needs.of([Leaf("zscore", "oi_usd", DAY_MS, inner_ms=HOUR_MS)]).lengths(GRIDS)
    assert lengths[300_000] == {"price": DAY_MS + HOUR_MS, "oi": DAY_MS + HOUR_MS, "oi_usd": DAY_MS + HOUR_MS}
    assert "oi_usd" not in lengths[1_000]


def test_alerts_on_open_interest_in_dollars_take_no_memory_for_it():
    plain = Market(needs=Needs.of([Leaf("pct", "price", HOUR_MS), Leaf("pct", "oi", HOUR_MS)]))
    dollars = Market(needs=Needs.of([Leaf("pct", "oi_usd", HOUR_MS)]))
    for market in (plain, dollars):
        market.gauges.grow(10)
    assert dollars.nbytes == plain.nbytes > 0
    assert all(np.isnan(tier.value).all() for tier in dollars.tiers)


def test_a_ring_for_a_product_that_comes_later_knows_the_past_of_its_factors():
    pct, low = Leaf("pct", "oi_usd", 5 * MINUTE_MS), Leaf("min", "oi_usd", 2 * MINUTE_MS)
    market = Market(needs=Needs.of([pct]))
    market.load([(0, Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING"))], 0)
    one = np.zeros(1, dtype=np.int32)
    for second in range(1, 601):
        time_ms = np.array([second * 1_000])
        for name, value in (("price", 100.0 + second), ("oi", 5.0)):
            market.gauges.put(INDEX[name], one, time_ms, np.array([value]), 10_000)
    for leaves in ([pct], [pct, low], [low], [low, pct], [pct]):
        market.fit(Needs.of(leaves))
        out = np.full((len(leaves), 1), np.nan)
        market.advance(600_000)
        market.compute(600_000, out)
        found = dict(zip(market.windows.leaves, out[:, 0], strict=True))
        assert found.get(pct, 0.75) == pytest.approx(700 / 400 - 1)
        assert found.get(low, 2_905.0) == pytest.approx(5 * 581, abs=6)
