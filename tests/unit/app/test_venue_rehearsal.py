"""What memory does not hold of a day is asked of the venue, for a few named contracts."""

import numpy as np
import pytest

from bot.app.rehearsals import Rehearser
from bot.app.venue_rehearsal import completed
from bot.clock import ManualClock
from bot.engine.past import Past
from bot.model.charts import DAY_MS, HOUR_MS, MINUTE_MS, Columns, Curve
from bot.model.chat_alert import ChatAlert
from bot.model.instrument import Instrument
from tests.unit.engine.conftest import Feed

NOW_MS = 1_767_225_600_000
BTC = Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING")


class Venue:
    """A day of a price that jumps by 5 % each four hours, and of volume that is ten times as much for a quarter after 22 hours."""

    def __init__(self, now_ms=NOW_MS) -> None:
        self.asked, self.now_ms, self.silent = [], now_ms, set()

    def _times(self, step_ms, n):
        return [self.now_ms - (n - 1 - k) * step_ms for k in range(n)]

    async def curve(self, symbol, series, *, step_ms, n, urgent):
        self.asked.append((symbol, series, step_ms, n))
        if series in self.silent:
            return None
        times = self._times(step_ms, n)
        return Curve(tuple(times), tuple(100.0 * 1.05 ** (k * step_ms // (4 * HOUR_MS)) for k in range(n)), 2 * step_ms)

    async def volume(self, symbol, *, step_ms, n, urgent):
        self.asked.append((symbol, "volume", step_ms, n))
        opens = [t - step_ms for t in self._times(step_ms, n)]
        return Columns(tuple(opens), tuple(1e4 if n - 120 <= k < n - 105 else 1e3 for k in range(n)), step_ms)


def past(start_ms, names=("price", "oi")):
    times = np.arange(start_ms, NOW_MS, MINUTE_MS)
    return Past(BTC, {name: (times, np.full(len(times), 1.0)) for name in names}, start_ms, NOW_MS, 15_000)


async def test_what_reaches_far_enough_back_is_left_alone():
    venue, held = Venue(), past(NOW_MS - 13 * HOUR_MS)
    assert await completed(held, venue, BTC, ["oi"], NOW_MS) is held
    assert venue.asked == []


@pytest.mark.parametrize("held", [None, past(NOW_MS - 2 * HOUR_MS)])
async def test_else_the_venue_tells_the_day(held):
    venue = Venue()
    found = await completed(held, venue, BTC, ["oi"], NOW_MS)
    assert sorted(venue.asked) == [("BTCUSDT", "oi", 300_000, 288), ("BTCUSDT", "price", 60_000, 1440)]
    assert found.samples.keys() == {"oi", "price"}
    assert [len(times) for times, _ in (found.samples["oi"], found.samples["price"])] == [288, 1440]
    assert NOW_MS - found.start_ms <= DAY_MS
    assert found.start_ms == found.samples["oi"][0][0], "where both are known"


async def test_bars_of_volume_stand_at_their_close():
    found = await completed(None, Venue(), BTC, ["volume"], NOW_MS)
    times, values = found.samples["volume"]
    assert (int(times[-1]), values[-1]) == (NOW_MS, 1e3)


async def test_what_the_venue_does_not_tell_stays_as_it_was():
    venue, held = Venue(), past(NOW_MS - 2 * HOUR_MS)
    assert await completed(held, venue, BTC, ["funding"], NOW_MS) is held
    assert venue.asked == []
    venue.silent = {"oi"}
    assert await completed(held, venue, BTC, ["oi"], NOW_MS) is held


async def test_alerts_on_figures_that_memory_does_not_hold_are_run_over_it(rules_of, perpetual):
    feed = Feed(rules_of("- {id: far, when: price > 900}\n"), [perpetual("BTC"), perpetual("ETH")])
    feed.prices({"BTCUSDT": 100.0, "ETHUSDT": 1.0})
    feed.tick()
    venue = Venue(feed.engine.now_ms)

    def loud(key):
        return ChatAlert("a-00000000", "t", "t", key, "ratio(volume, 15m)", ">", 3.0, False, 0, cooldown_ms=0)

    one = loud("binance:BTCUSDT")
    (nothing,) = await Rehearser(feed.engine, ManualClock()).rehearse([one], [one.instrument])
    assert nothing is None
    rehearser = Rehearser(feed.engine, ManualClock(), lambda: venue)
    (found,) = await rehearser.rehearse([one], [one.instrument])
    assert found.n_fired == 1
    assert found.last_value > 3
    venue.asked.clear()
    assert await rehearser.rehearse([one], ["binance:BTCUSDT"] * 4) == [None]
    assert venue.asked == [], "of many at once it is not asked"
