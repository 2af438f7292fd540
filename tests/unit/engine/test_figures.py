"""Figures of messages: ranks, other windows, breadth and who contributed."""

import numpy as np
import pytest

from bot.engine.figures import Figures
from bot.market.view import View
from bot.model.alert import TellKind

SURGE = "- {id: surge, when: 'pct(oi, 1m) >= 5%', cooldown: 0s}\n"
WIDE = "- {id: wide, per: market, when: 'count(pct(oi, 1m) >= 5%) >= 2', cooldown: 0s}\n"
BASES = "ABCDEF"


def grown(feed, rules, share):
    """Six coins of price 1 to 6 and as many hundred coins open; after 70 s each grows by its share."""
    f = feed(rules, *BASES)
    for k in range(80):
        f.prices({f"{b}USDT": n + 1.0 for n, b in enumerate(BASES)})
        for n, b in enumerate(BASES):
            f.oi(f"{b}USDT", 100.0 * (n + 1) * (1 + share[n] * (k >= 70)))
        f.tick()
    return f


def test_an_instrument_knows_its_places(feed, rules_of):
    f = grown(feed, rules_of(SURGE), (0.10, 0.0, 0.06, -0.02, 0.0, -0.01))
    a, c = (next(n.view for n in f.notices if n.view.symbol == s) for s in ("AUSDT", "CUSDT"))
    assert (a.oi_rank, c.oi_rank, a.n_ranked) == (6, 4, 6)
    assert (a.oi_change_rank, c.oi_change_rank) == (1, 2)
    assert a.oi.change == pytest.approx(0.10, rel=1e-5)
    assert (a.oi.then, a.oi.now) == (100.0, pytest.approx(110.0))
    view = f.engine.view()
    figures = Figures(f.engine.market, view)
    fallen = [figures.shown(60_000, 0, f.row(s), whole=True).oi_change_rank for s in ("DUSDT", "FUSDT", "BUSDT")]
    assert fallen == [1, 2, None], "of falls the largest is the first; nothing moved is no place"


def test_an_end_needs_no_fold(feed, rules_of):
    f = grown(feed, rules_of(SURGE), (0.10, 0, 0, 0, 0, 0))
    for _ in range(70):
        f.prices({f"{b}USDT": n + 1.0 for n, b in enumerate(BASES)})
        f.oi("AUSDT", 110.0)
        f.tick()
    end = f.notices[-1]
    assert end.kind is TellKind.END
    assert end.view.oi is not None
    assert end.view.oi_rank is None


def test_the_market_is_added_at_the_prices_of_now(feed, rules_of):
    share = (0.10, 0.06, 0.0, -0.02, 0.0, 0.0)
    f = grown(feed, rules_of(WIDE), share)
    view = next(n.view for n in f.notices if n.rule_id == "wide")
    b = view.breadth
    opened = [100.0 * (n + 1) * share[n] * (n + 1) for n in range(6)]
    before = sum(100.0 * (n + 1) ** 2 for n in range(6))
    assert (b.n_known, b.n_oi_up, b.n_oi_down) == (6, 2, 1)
    assert b.opened_usd == pytest.approx(sum(opened))
    assert b.opened_share == pytest.approx(sum(opened) / before)
    assert b.oi_usd_change == pytest.approx(sum(opened)), "prices stood still"
    assert b.oi_median == pytest.approx(0.0)
    assert [m.symbol for m in view.members] == ["BUSDT", "AUSDT"], "the one where most was opened is first"
    assert [m.opened_usd for m in view.members] == [pytest.approx(24.0), pytest.approx(10.0)]


def test_of_too_few_nothing_is_added(feed, rules_of):
    f = feed(rules_of(WIDE), *BASES)
    f.prices({"AUSDT": 1.0})
    f.tick()
    view = f.engine.view()
    assert isinstance(view, View)
    assert Figures(f.engine.market, view).breadth(np.ones(6, dtype=bool), 60_000, 0) is None
