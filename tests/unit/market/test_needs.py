"""What the market must hold for a set of leaves."""

import numpy as np

from bot.market.market import Market
from bot.market.series import DAY_MS, HOUR_MS, MINUTE_MS, Grids, Leaf, Needs

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
