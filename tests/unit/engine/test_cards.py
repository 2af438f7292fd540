"""Cards against the windows that rules read."""

import numpy as np
import pytest

from bot.engine.cards import Cards
from bot.engine.figures import number
from bot.market.market import DAY_MS
from bot.market.series import Leaf


@pytest.mark.parametrize("n_minutes", [30, 1_300, 1_500])
def test_the_range_of_a_day_is_that_of_the_language(feed, n_minutes):
    rng = np.random.default_rng(n_minutes)
    f = feed((), "A", "B", "C")
    cards = Cards(f.engine)
    for minute in range(n_minutes):
        prices = dict(zip(("AUSDT", "BUSDT"), 100 * np.exp(rng.normal(0, 0.01, 2)).cumsum(), strict=True))
        # B has holes: enough for a window that is known, or not.
        if minute % 9 == 0:
            del prices["BUSDT"]
        f.prices(prices)
        f.tick(seconds=60)
        if minute % 97 and minute < n_minutes - 1:
            continue
        view = f.engine.view()
        low, high = (view.leaf(Leaf(name, "price", DAY_MS))[0] for name in ("min", "max"))
        for symbol in ("AUSDT", "BUSDT", "CUSDT"):
            card = cards.card(f"binance:{symbol}")
            row = f.row(symbol)
            assert (card.low_24h, card.high_24h) == (number(low[row]), number(high[row]))
    assert (cards.card("binance:AUSDT").low_24h is not None) == (n_minutes > 1_152)
