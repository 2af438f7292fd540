"""What the heartbeat of the streams sends, second by second."""

import itertools
import json

import pytest

from bot.clock import ManualClock
from bot.sim.market import Market
from bot.sim.ticker import Ticker

START_MS = 1_795_431_000_000 // 60_000 * 60_000


class Hub:
    def __init__(self, *names):
        self.names = set(names)
        self.sent = []

    def wanted(self):
        return self.names

    def broadcast(self, stream, payload):
        self.sent.append((stream, json.loads(payload)))
        return 1

    def take(self):
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
def world():
    market = Market(seed=1, n_instruments=60, start_ms=START_MS, script=False)
    hub = Hub("btcusdt@kline_1m", "币安人生usdt@kline_1m", "ftmusdt@kline_1m", "nobodyusdt@kline_1m")
    return hub, Ticker(market=market, clock=ManualClock(wall_ms=START_MS), hub=hub)


def test_bars_run_each_second_and_close_once_a_minute(world):
    hub, ticker = world
    closed = []
    for second in range(1, 181):
        ticker.tick(START_MS + second * 1000)
        sent = hub.take()
        running = {stream for stream, frame in sent if not frame["k"]["x"]}
        assert running == (set() if second % 60 == 0 else {"btcusdt@kline_1m", "币安人生usdt@kline_1m"})
        closed += [(stream, frame["k"]["T"] + 1 - START_MS) for stream, frame in sent if frame["k"]["x"]]
    assert sorted(closed) == sorted(
        (s, ms) for s in ("btcusdt@kline_1m", "币安人生usdt@kline_1m") for ms in (60_000, 120_000, 180_000)
    )


def test_a_close_whose_second_was_left_out_comes_with_the_next_tick(world):
    hub, ticker = world
    ticker.tick(START_MS + 58_000)
    hub.take()
    ticker.tick(START_MS + 63_000)
    frames = [frame["k"] for stream, frame in hub.take() if stream == "btcusdt@kline_1m"]
    assert [(k["x"], k["T"] + 1 - START_MS) for k in frames] == [(True, 60_000), (False, 120_000)]


def test_what_nobody_wants_is_not_made(world):
    hub, ticker = world
    hub.names = {"!forceOrder@arr"}
    for second in range(1, 400):
        ticker.tick(START_MS + second * 1000)
    sent = hub.take()
    assert {stream for stream, _ in sent} >= {"!forceOrder@arr"}
    assert {frame["e"] for _, frame in sent} == {"forceOrder"}
    gaps = [frame["E"] for _, frame in sent]
    assert max(b - a for a, b in itertools.pairwise(gaps)) < 300_000, "the market is never silent for five minutes"
