"""A new high is the highest value of its window, to the last digit, whatever precision the ring has."""

import numpy as np
import pytest

from bot.market.market import Market
from bot.market.series import INDEX, Leaf, Needs
from bot.market.view import View
from bot.model.instrument import Instrument
from bot.model.updates import InstrumentList

T0 = 1_767_225_600_000


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("start", [0.1, 0.7, 1.7, 67_000.1])
@pytest.mark.parametrize(("step", "name"), [(1e-4, "max"), (-1e-4, "min"), (0.0, "max"), (0.0, "min"), (0.0, "avg")])
def test_the_newest_value_equals_the_extreme_that_it_is(dtype, start, step, name):
    leaf = Leaf(name, "price", 10_000)
    market = Market(needs=Needs.of([leaf]), dtype=dtype)
    market.apply_instruments(InstrumentList("t", (Instrument("t", "A", "perpetual", "A", "USDT", "TRADING"),)), T0)
    row = np.array([0], dtype=np.int32)
    for second in range(1, 40):
        now_ms = T0 + second * 1_000
        price = start * (1 + second * step)
        market.gauges.put(INDEX["price"], row, np.array([now_ms]), np.array([price]), 10_000)
        market.advance(now_ms)
        view = View(market, [market.moment(now_ms)])
        out = np.empty((1, 1))
        market.compute(now_ms, out)
        if second >= 10:
            assert out[0, 0] == view.leaf(leaf)[0, 0] == price == view.value("price")[0, 0]
