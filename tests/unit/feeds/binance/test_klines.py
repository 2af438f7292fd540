"""Subscriptions that follow the needs, gaps that are asked for, and one status for all connections."""

import json
import random

import pytest

from bot.clock import ManualClock
from bot.feeds.binance.flows import FlowCounters
from bot.feeds.binance.klines import KlineFeed, KlineProtocol
from bot.feeds.frames import Received
from bot.feeds.stream import Pace
from bot.model.ports import PollNeed
from bot.model.updates import Bars, FeedStatus

MINUTE_MS = 60_000


def need(row, *, window_ms=3_600_000, trading=True, symbol=None):
    return PollNeed(row, symbol or f"S{row}USDT", 1e6, 1e6, None, False, trading, flow_window_ms=window_ms)


class Rows:
    generation = 1

    def row(self, symbol):
        return int(symbol[1:-4]) if symbol[1:-4].isdigit() else None

    def instruments(self):
        return []


class World:
    def __init__(self):
        self.clock = ManualClock()
        self.puts = []
        self.gaps = []
        self.now_ms = 1_791_391_080_000
        self.feed = KlineFeed(
            url="ws://127.0.0.1:9",
            clock=self.clock,
            rows=Rows(),
            sink=self,
            random=random.Random(1),
            pace=Pace(),
            venue_now=lambda: self.now_ms,
            on_gap=lambda symbol, gap_ms: self.gaps.append((symbol, gap_ms)),
        )

    def put(self, update):
        self.puts.append(update)

    def bar(self, row, close_ms):
        frame = {
            "stream": f"s{row}usdt@kline_1m",
            "data": {"e": "kline", "s": f"S{row}USDT", "k": {"T": close_ms - 1, "x": True, "q": "5", "Q": "2", "i": "1m"}},
        }  # fmt: skip
        for update in self.feed._blocks[0].protocol.receive(json.dumps(frame).encode(), 1.0).updates:
            self.feed._blocks[0].put(update)

    def statuses(self):
        return [(u.feed, u.live) for u in self.puts if isinstance(u, FeedStatus)]

    def wanted(self):
        return [set(block.protocol.wanted) for block in self.feed._blocks]


@pytest.fixture
def world():
    return World()


def drain(session):
    found = []
    while (text := session.message()) is not None:
        found.append(json.loads(text))
    return found


def test_subscriptions_follow_what_is_wanted_a_hundred_names_at_a_time():
    protocol = KlineProtocol(Rows(), FlowCounters())
    protocol.wanted.update(f"S{n}USDT" for n in range(150))
    session = protocol.session()
    first, second = drain(session)
    assert (first["method"], len(first["params"]), len(second["params"])) == ("SUBSCRIBE", 100, 50)
    assert (first["id"], second["id"]) == (1, 2)
    assert set(first["params"]) | set(second["params"]) == {f"s{n}usdt@kline_1m" for n in range(150)}
    protocol.wanted -= {"S7USDT"}
    protocol.wanted |= {"币安人生USDT"}
    assert [(m["method"], m["params"]) for m in drain(session)] == [
        ("SUBSCRIBE", ["币安人生usdt@kline_1m"]), ("UNSUBSCRIBE", ["s7usdt@kline_1m"]),
    ]  # fmt: skip
    assert sum(len(m["params"]) for m in drain(protocol.session())) == 150, "a new connection is told everything"


def test_a_running_bar_proves_the_stream_alive_and_costs_no_decoding():
    counters = FlowCounters()
    protocol = KlineProtocol(Rows(), counters)
    received = protocol.receive(b'{"stream":"s1usdt@kline_1m","data":{"e":"kline","k":{"x":false, broken', 0.0)
    assert received == Received(stream="klines")
    assert (counters.frames_running, counters.rows_bad) == (1, 0)


def test_answers_complaints_and_garbage_are_told_apart():
    protocol = KlineProtocol(Rows(), FlowCounters())
    assert protocol.receive(b'{"result":null,"id":1}', 0.0) == Received()
    assert "too many" in protocol.receive(b'{"code":2,"msg":"too many subscriptions"}', 0.0).error
    assert not protocol.receive(b"\x00garbage", 0.0).readable
    assert protocol.receive("{}", 0.0) == Received()


def test_few_contracts_may_be_quiet_for_longer_than_many():
    protocol = KlineProtocol(Rows(), FlowCounters())
    protocol.wanted.add("S1USDT")
    assert protocol.streams[0].silence_s == 150
    protocol.wanted.update(f"S{n}USDT" for n in range(40))
    assert protocol.streams[0].silence_s == 20


def test_only_what_trades_and_a_rule_needs_is_wanted_two_hundred_to_a_connection(world):
    world.feed.want([need(0, window_ms=0), need(1, trading=False), *(need(n) for n in range(2, 452))])
    assert [len(w) for w in world.wanted()] == [200, 200, 50]
    assert set.union(*world.wanted()) == {f"S{n}USDT" for n in range(2, 452)}


def test_an_instrument_stays_where_it_is_and_newcomers_take_free_places(world):
    world.feed.want([need(n) for n in range(250)])
    before = world.wanted()
    world.feed.want([need(n) for n in range(5, 255)])
    after = world.wanted()
    kept = {f"S{n}USDT" for n in range(5, 250)}
    assert [w & kept for w in before] == [w & kept for w in after]
    assert max(map(len, after)) <= 200


def test_connections_that_are_not_needed_any_more_are_given_up(world):
    world.feed.want([need(n) for n in range(900)])
    assert world.feed.n_connections == 5
    names = [sorted(w) for w in world.wanted()]
    rows = [int(s[1:-4]) for block in names for s in block[:10]]
    world.feed.want([need(n) for n in rows])
    assert world.feed.n_connections == 2
    assert set.union(*world.wanted()) == {f"S{n}USDT" for n in rows}
    world.feed.want([])
    assert world.feed.n_connections == world.feed.n_wanted == 0


def test_a_gap_between_two_bars_is_asked_for(world):
    world.feed.want([need(1), need(2)])
    start_ms = world.now_ms
    world.bar(1, start_ms)
    world.bar(1, start_ms + MINUTE_MS)
    assert world.gaps == []
    world.bar(1, start_ms + 5 * MINUTE_MS)
    assert world.gaps == [("S1USDT", 4 * MINUTE_MS)]
    world.bar(1, start_ms + 6 * MINUTE_MS)
    assert len(world.gaps) == 1
    assert [int(u.close_ms[0]) - start_ms for u in world.puts if isinstance(u, Bars)] == [0, 60_000, 300_000, 360_000]


def test_bars_that_rest_brought_count_as_known(world):
    world.feed.want([need(1)])
    start_ms = world.now_ms
    world.feed.closed("S1USDT", start_ms)
    world.bar(1, start_ms + 3 * MINUTE_MS)
    assert world.gaps == [("S1USDT", 3 * MINUTE_MS)]
    world.feed.closed("S1USDT", start_ms)
    world.bar(1, start_ms + 4 * MINUTE_MS)
    assert len(world.gaps) == 1, "an older answer takes nothing back"


def test_what_closed_while_nobody_needed_a_contract_is_asked_for_when_somebody_does_again(world):
    start_ms = world.now_ms
    world.feed.want([need(1), need(2)])
    world.bar(1, start_ms)
    world.bar(2, start_ms)
    world.feed.want([need(2)])
    world.now_ms = start_ms + 30 * MINUTE_MS
    world.feed.closed("S2USDT", world.now_ms)
    world.feed._look()
    assert world.gaps == [], "it is nobody's any more"
    world.feed.want([need(1), need(2)])
    world.feed._look()
    assert world.gaps == [("S1USDT", 30 * MINUTE_MS)]


def test_a_contract_that_is_gone_is_forgotten(world):
    world.feed.want([need(1, symbol="GONE"), need(2)])
    world.feed.closed("GONE", world.now_ms)
    world.feed.closed("S2USDT", world.now_ms)
    world.feed.want([need(2)])
    assert set(world.feed._closes) == {"S2USDT"}


def test_a_bar_that_does_not_come_is_asked_for_once_a_minute(world):
    world.feed.want([need(1)])
    start_ms = world.now_ms
    world.bar(1, start_ms)
    asked = []
    for second in range(0, 300, 5):
        world.now_ms = start_ms + second * 1000
        n = len(world.gaps)
        world.feed._look()
        if len(world.gaps) > n:
            asked.append(second)
            world.feed.closed("S1USDT", world.now_ms // MINUTE_MS * MINUTE_MS)
    assert asked == [85, 145, 205, 265]


def test_where_none_comes_at_all_rest_is_asked_rarely(world):
    world.feed.want([need(n) for n in range(150)])
    start_ms = world.now_ms
    for n in range(150):
        world.bar(n, start_ms)
    for second in range(0, 600, 5):
        world.now_ms = start_ms + second * 1000
        world.feed._look()
    assert len(world.gaps) == 2 * 150


def test_a_symbol_that_stays_silent_is_subscribed_to_again(world):
    world.feed.want([need(1), need(2)])
    session = world.feed._blocks[0].protocol.session()
    assert len(drain(session)[0]["params"]) == 2
    start_ms = world.now_ms
    for minute in range(1, 8):
        world.now_ms = start_ms + minute * MINUTE_MS
        world.bar(2, world.now_ms)
        world.feed.closed("S1USDT", world.now_ms)
        world.feed._look()
    assert [(m["method"], m["params"]) for m in drain(session)] == [("SUBSCRIBE", ["s1usdt@kline_1m"])]


def test_a_symbol_is_subscribed_to_again_also_where_other_connections_came_and_went(world):
    """While all is quiet new connections are tried, and given up as they bring nothing either; the old one goes on."""
    world.feed.want([need(1), need(2)])
    protocol = world.feed._blocks[0].protocol
    session = protocol.session()
    drain(session)
    for _ in range(3):
        drain(protocol.session())
    protocol.again("S1USDT")
    assert [(m["method"], m["params"]) for m in drain(session)] == [("SUBSCRIBE", ["s1usdt@kline_1m"])]


def test_after_the_venues_clock_went_back_bars_are_followed_anew(world):
    world.feed.want([need(1)])
    world.bar(1, world.now_ms)
    world.now_ms -= 3_600_000
    world.feed.start_afresh()
    start_ms = world.now_ms
    world.bar(1, start_ms)
    assert world.gaps == []
    world.bar(1, start_ms + 2 * MINUTE_MS)
    assert world.gaps == [("S1USDT", 2 * MINUTE_MS)]


def test_a_gap_over_time_that_was_missed_or_windows_that_grew_is_asked_for(world):
    world.feed.want([need(1)])
    start_ms = world.now_ms
    world.bar(1, start_ms)
    world.now_ms += 40_000
    world.feed.start_afresh()
    world.bar(1, start_ms + 2 * MINUTE_MS)
    assert world.gaps == [("S1USDT", 2 * MINUTE_MS)]


def test_one_status_speaks_for_all_connections(world):
    world.feed.want([need(n) for n in range(250)])
    first, second = world.feed._blocks
    first.put(FeedStatus("klines", True, "data is coming in", 1.0))
    assert world.statuses() == []
    second.put(FeedStatus("klines", True, "data is coming in", 2.0))
    assert world.statuses() == [("klines", True)]
    second.put(FeedStatus("klines", False, "silent for 20 s", 3.0))
    assert world.puts[-1] == FeedStatus("klines", False, "silent for 20 s", 3.0)
    world.feed.want([need(int(s[1:-4])) for s in first.protocol.wanted])
    assert world.statuses() == [("klines", True), ("klines", False), ("klines", True)]
    first.put(FeedStatus("klines", False, "gone", 5.0))
    world.feed.want([])
    assert world.statuses()[-1] == ("klines", True)


def test_a_few_quiet_contracts_are_no_loss_while_rest_brings_their_minutes(world):
    world.feed.want([need(1), need(2)])
    (block,) = world.feed._blocks
    block.put(FeedStatus("klines", True, "data is coming in", 1.0))
    start_ms = world.now_ms
    for symbol in ("S1USDT", "S2USDT"):
        world.feed.closed(symbol, start_ms)
    block.put(FeedStatus("klines", False, "silent for 150 s", 2.0))
    for minute in range(1, 8):
        world.now_ms = start_ms + minute * MINUTE_MS
        world.feed.closed("S1USDT", world.now_ms)
        world.feed.closed("S2USDT", min(world.now_ms, start_ms + 3 * MINUTE_MS))
        world.feed._look()
        assert world.statuses()[1:] == ([] if minute < 7 else [("klines", False)]), minute
    world.feed.closed("S2USDT", world.now_ms)
    world.feed._look()
    assert world.statuses()[2:] == [("klines", True)]


@pytest.mark.parametrize("is_back", [False, True])
def test_a_newcomer_among_quiet_contracts_has_time_for_its_first_minutes(world, is_back):
    start_ms = world.now_ms
    world.feed.want([need(1), need(2)])
    for symbol in ("S1USDT", "S2USDT") if is_back else ("S1USDT",):
        world.feed.closed(symbol, start_ms)
    world.feed.want([need(1)])
    (block,) = world.feed._blocks
    block.put(FeedStatus("klines", True, "data is coming in", 1.0))
    block.put(FeedStatus("klines", False, "silent for 150 s", 2.0))
    for minute in range(10, 15):
        world.now_ms = start_ms + minute * MINUTE_MS
        world.feed.closed("S1USDT", world.now_ms)
        world.feed.want([need(1), need(2)])
        world.feed._look()
        assert world.statuses()[1:] == ([] if minute < 14 else [("klines", False)]), minute
    world.feed.start_afresh()
    world.feed.want([need(2), need(3)])
    world.feed._look()
    assert len(world.statuses()) == 2, "what is lost comes back with bars alone"
    world.feed.closed("S2USDT", world.now_ms)
    world.feed.closed("S3USDT", world.now_ms)
    world.feed._look()
    assert world.statuses()[2:] == [("klines", True)]


def test_a_feed_that_never_brought_a_bar_is_lost_at_once(world):
    world.feed.want([need(1)])
    world.feed._blocks[0].put(FeedStatus("klines", False, "connected, but no data came", 1.0))
    assert world.statuses() == [("klines", False)]


def test_a_clock_that_went_back_is_no_loss_and_excuses_none(world):
    world.feed.want([need(1)])
    world.feed.closed("S1USDT", world.now_ms)
    (block,) = world.feed._blocks
    block.put(FeedStatus("klines", True, "data is coming in", 1.0))
    block.put(FeedStatus("klines", False, "silent for 150 s", 2.0))
    world.now_ms -= 60 * MINUTE_MS
    world.feed.start_afresh()
    world.feed._look()
    assert world.statuses()[1:] == []
    world.now_ms += 4 * MINUTE_MS
    world.feed._look()
    assert world.statuses()[1:] == [("klines", False)]


def test_many_quiet_contracts_are_a_loss_whatever_rest_brings(world):
    world.feed.want([need(n) for n in range(30)])
    for n in range(30):
        world.feed.closed(f"S{n}USDT", world.now_ms)
    world.feed._blocks[0].put(FeedStatus("klines", False, "silent for 20 s", 1.0))
    assert world.statuses() == [("klines", False)]


async def test_a_need_of_nothing_opens_no_connection(world):
    import asyncio

    task = asyncio.create_task(world.feed.run())
    await world.clock.advance(60)
    world.feed.want([need(0, window_ms=0)])
    await world.clock.advance(60)
    assert world.feed.n_connections == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
