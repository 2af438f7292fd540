"""Where the data of a chart comes from: memory first, the venue where it does not reach, and what the rule compares with."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bot.app.charting import ChartSource, binned, levels_of, merged, steps_of
from bot.app.drawing import MAX_WANTED, PictureDesk
from bot.app.long_charting import curve_of
from bot.clock import ManualClock
from bot.engine.charting import held
from bot.engine.engine import Engine
from bot.model.charts import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    ChartData,
    Columns,
    Curve,
    Level,
    LongView,
    NoPicture,
    Picture,
    change,
)
from bot.model.instrument import Instrument
from bot.model.past import DailyPast, Day
from bot.model.updates import History, InstrumentList
from bot.model.view import AlertView, Move
from bot.rules.parse import parse_condition

START_MS = 1_770_000_000_000 // DAY_MS * DAY_MS
KEY = "binance:BTCUSDT"


def test_every_span_has_enough_points_and_not_too_many():
    for span in (15 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, DAY_MS, 3 * DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS):
        steps = steps_of(span)
        assert span / steps.curve_ms <= 495
        assert span / steps.oi_ms <= 495
        assert 12 <= span / steps.bar_ms <= 100, span
    assert steps_of(365 * DAY_MS).bar_ms == 7 * DAY_MS


def test_merging_fills_holes_and_doubles_nothing():
    own = Curve((0, 60, 120, 600), (1.0, 2.0, math.nan, 5.0), 150)
    other = Curve((0, 300, 600), (9.0, 4.0, 9.0), 750)
    assert merged(own, other, 300) == Curve((0, 60, 300, 600), (1.0, 2.0, 4.0, 5.0), 750)
    assert merged(None, other, 300) is other
    assert merged(own, None, 300) is own


def test_minutes_become_bars_on_whole_multiples():
    minutes = Columns((0, 60_000, 240_000, 300_000, 900_000), (1.0, 2.0, math.nan, 4.0, 8.0), 60_000)
    assert binned(minutes, 300_000, 600_000) == Columns((0, 300_000), (3.0, 4.0), 300_000)


def test_a_change_is_from_the_last_point_before_the_window():
    curve = Curve((0, 60, 120, 180), (10.0, 11.0, 12.0, 15.0), 100)
    found = change(curve, 90, 180)
    assert (found.then, found.now, found.then_ms, found.now_ms) == (11.0, 15.0, 60, 180)
    assert change(curve, 180, 300) is None
    assert change(Curve((500,), (1.0,)), 0, 1_000) is None


def view(condition, **changes):
    values = {
        "rule_id": "r", "title": "R", "symbol": "BTCUSDT", "venue": "binance", "base": "BTC", "severity": "warning",
        "short_id": "abcd", "kind": "fire", "at_ms": 1_000_000, "fired_ms": 1_000_000, "condition": condition,
        "value_text": "", "value": 0.06, "value_is_ratio": True, "window_ms": 900_000,
        "oi": Move(900_000, 0.06, 100.0, 106.0),
    }  # fmt: skip
    return AlertView(**(values | changes))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("pct(oi, 15m) >= 5%", (Level("oi", 105.0, "+5.00% in 15m"),)),
        ("pct(oi, 15m) <= -4% and price > 70000", (Level("oi", 96.0, "−4.00% in 15m"), Level("price", 7e4, "70,000"))),
        ("delta(oi, 15m) > 20", (Level("oi", 120.0, "+20 in 15m"),)),
        ("funding > 0.05%", (Level("funding", 0.0005, "0.0500%"),)),
        ("pct(price, 5m) > 3%", (Level("price", 61.8, "+3.00% in 5m"),)),
        ("zscore(oi, 6h) > 3 or rank(oi_usd) < 5 or stale(oi)", ()),
        ("price == 5 or price > index", ()),
    ],
)
def test_the_lines_that_a_rule_compares_with(condition, expected):
    data = ChartData("BTCUSDT", "binance", "BTC", "USDT", 0, 1_000_000, Curve((600_000, 700_000), (50.0, 60.0)))
    found = levels_of(parse_condition(condition).expr, view(condition), data)
    assert [(f.series, f.text) for f in found] == [(e.series, e.text) for e in expected]
    assert [f.value for f in found] == pytest.approx([e.value for e in expected])


# Memory and venue


class Past:
    """Answers every question and remembers it."""

    def __init__(self, now_ms):
        self.now_ms = now_ms
        self.asked = []
        self.answers = True

    async def curve(self, symbol, series, *, step_ms, n, urgent):
        self.asked.append((series, step_ms, n, urgent))
        if not self.answers:
            return None
        times = tuple(self.now_ms - (n - 1 - k) * step_ms for k in range(n))
        return Curve(times, tuple(7.0 + k % 3 for k in range(n)), step_ms * 5 // 2)

    async def volume(self, symbol, *, step_ms, n, urgent):
        self.asked.append(("volume", step_ms, n, urgent))
        return Columns((self.now_ms // step_ms * step_ms,), (5.0,), step_ms) if self.answers else None


class Desk:
    """Of the stored history."""

    is_there = True

    def __init__(self, found=DailyPast()):
        self.found, self.asked = found, []

    async def daily(self, key, from_ms, to_ms):
        self.asked.append((key, from_ms, to_ms))
        return self.found


class Live:
    async def at_tick(self, question):
        return question()


def engine_with(hours):
    engine = Engine([])
    now_ms = START_MS + 20 * HOUR_MS
    engine.consume(InstrumentListed(now_ms))
    engine.tick(now_ms)
    n = int(hours * 60)
    times = np.array([now_ms - (n - k) * MINUTE_MS for k in range(n)], dtype=np.int64)
    for series, base in (("price", 100.0), ("oi", 5_000.0)):
        engine.consume(History(0, series, times, base + np.arange(n) % 7, 90_000))
    engine.tick(now_ms + 1_000)
    return engine


def InstrumentListed(now_ms):
    from bot.engine.inputs import Listed

    one = Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING")
    return Listed(InstrumentList("binance", (one,)), now_ms)


def test_memory_tells_the_minutes_that_it_holds():
    engine = engine_with(2)
    found = held(engine, KEY, HOUR_MS)
    known = found.curves["price"].known()
    assert 60 <= len(known) <= 62
    assert {v for _, v in known} <= {100.0 + k for k in range(7)}
    assert held(engine, "binance:NONEUSDT", HOUR_MS) is None


async def test_what_memory_holds_is_not_asked_for():
    past = Past(START_MS + 20 * HOUR_MS)
    source = ChartSource(engine=engine_with(2), live=Live(), past=past, desk=Desk())
    data = await source.chart(KEY, HOUR_MS)
    assert [series for series, *_ in past.asked] == ["volume"]
    assert data.to_ms - data.from_ms == HOUR_MS
    assert 60 <= len(data.price.known()) <= 62


async def test_what_memory_lacks_comes_from_the_venue_and_ours_stays():
    past = Past(START_MS + 20 * HOUR_MS)
    source = ChartSource(engine=engine_with(2), live=Live(), past=past, desk=Desk())
    data = await source.chart(KEY, 4 * HOUR_MS)
    assert {series for series, *_ in past.asked} == {"price", "oi", "volume"}
    assert all(urgent for *_, urgent in past.asked)
    values = [v for _, v in data.price.known()]
    assert 120 <= sum(v >= 100 for v in values) <= 122
    assert sum(v < 100 for v in values) > 100


async def test_a_season_asks_for_thirty_days_of_open_interest():
    past = Past(START_MS + 20 * HOUR_MS)
    source = ChartSource(engine=engine_with(2), live=Live(), past=past, desk=Desk())
    await source.chart(KEY, 90 * DAY_MS, extra=frozenset({"funding", "long_short"}))
    asked = {series: (step, n) for series, step, n, _ in past.asked}
    assert asked["price"] == (DAY_MS, 92)
    assert asked["oi"] == asked["long_short"] == (DAY_MS, 30)
    assert asked["funding"][1] <= 1_000


def day(n, price=None, oi=None, volume=None, *, at=1.0):
    """Of the day `n` before the start; `at`: how much of it was seen."""
    return Day(START_MS - n * DAY_MS + round(at * DAY_MS), price, oi, volume)


async def test_a_year_is_the_history_and_what_the_venue_has_beside_it():
    past, view = Past(START_MS), LongView(START_MS - 99 * DAY_MS)
    days = tuple(day(n, 300.0, 900.0 + n, 5e6) for n in range(100, 19, -1))
    desk = Desk(DailyPast(days, view))
    data = await ChartSource(engine=engine_with(2), live=Live(), past=past, desk=desk).chart(KEY, 365 * DAY_MS)
    ((key, from_ms, to_ms),) = desk.asked
    assert (key, to_ms, to_ms - from_ms) == (KEY, data.to_ms, 365 * DAY_MS)
    assert data.long_view is view
    price, oi = dict(data.price.known()), dict(data.oi.known())
    assert price[START_MS - 49 * DAY_MS] == 300.0
    assert price[START_MS - 10 * DAY_MS] < 10, "the venue's, where nothing is stored"
    assert oi[START_MS - 99 * DAY_MS] == 1_000.0
    assert min(oi) == START_MS - 99 * DAY_MS
    assert data.price.known()[-1][0] == data.to_ms, "and now"
    assert data.price.known()[-1][1] >= 100.0
    assert data.volume.span_ms == 7 * DAY_MS
    assert set(data.volume.amount) >= {7 * 5e6}
    assert data.oi.gap_ms < 3 * DAY_MS


async def test_all_there_is_begins_with_the_stored_open_interest():
    past = Past(START_MS)
    days = tuple(day(n, 300.0, 900.0) for n in range(60, 0, -1))
    desk = Desk(DailyPast(days, LongView(days[0].close_ms)))
    source = ChartSource(engine=engine_with(2), live=Live(), past=past, desk=desk)
    data = await source.chart(KEY, 5 * 365 * DAY_MS)
    assert data.from_ms == days[0].close_ms - DAY_MS
    assert data.volume.span_ms == DAY_MS
    desk.found = DailyPast()
    data = await source.chart(KEY, 5 * 365 * DAY_MS)
    assert data.to_ms - data.from_ms == 365 * DAY_MS


async def test_a_chart_never_begins_long_before_anything_is_known():
    past = Past(START_MS)
    past.answers = False
    desk = Desk(DailyPast(tuple(day(n, 300.0) for n in range(45, 0, -1))))
    data = await ChartSource(engine=engine_with(2), live=Live(), past=past, desk=desk).chart(KEY, 365 * DAY_MS)
    assert data.from_ms == START_MS - 45 * DAY_MS


async def test_without_the_history_a_chart_by_days_is_still_drawn():
    desk = Desk("it takes too long")
    source = ChartSource(engine=engine_with(2), live=Live(), past=Past(START_MS), desk=desk)
    data = await source.chart(KEY, 90 * DAY_MS)
    assert data.long_view == LongView(None, trouble="it takes too long")
    assert len(data.price.known()) > 85


def test_a_day_that_was_not_seen_to_its_end_is_as_the_venue_has_it():
    venue = Curve((START_MS, START_MS + DAY_MS), (7.0, 8.0))
    days = (day(1, 5.0, at=0.5), day(0, 6.0))
    assert curve_of(days, "price", venue, None, START_MS + DAY_MS).value == (7.0, 6.0)
    assert curve_of(days, "price", None, None, START_MS + DAY_MS).value == (5.0, 6.0)
    assert curve_of(days, "oi", venue, Curve((START_MS + DAY_MS,), (9.0,)), START_MS + DAY_MS).value == (7.0, 9.0)


async def test_without_venue_and_memory_it_says_so():
    past = Past(0)
    past.answers = False
    source = ChartSource(engine=engine_with(0.02), live=Live(), past=past, desk=Desk())
    assert await source.chart("binance:NONE", HOUR_MS) == NoPicture("nothing is known of it yet")
    found = await source.chart(KEY, 7 * DAY_MS)
    assert isinstance(found, (NoPicture, ChartData))


async def test_the_chart_of_an_alert_spans_six_windows():
    past = Past(START_MS + 20 * HOUR_MS)
    source = ChartSource(engine=engine_with(2), live=Live(), past=past, desk=Desk(), zone="Europe/Berlin")
    now_ms = START_MS + 20 * HOUR_MS
    data = await source.of_alert(view("pct(oi, 15m) >= 5%", fired_ms=now_ms, at_ms=now_ms))
    assert data.span_ms == 4 * HOUR_MS
    assert data.zone == "Europe/Berlin"
    assert (data.alert.window_ms, data.alert.levels[0].value) == (900_000, pytest.approx(105.0))
    assert not any(urgent for *_, urgent in past.asked)
    assert isinstance(await source.of_alert(view("oi > 1", symbol="*")), NoPicture)


async def test_the_picture_of_an_alert_says_the_numbers_of_the_alert():
    """It fires between two minutes, and its window begins between two."""
    past = Past(START_MS + 20 * HOUR_MS)
    source = ChartSource(engine=engine_with(2), live=Live(), past=past, desk=Desk())
    fired_ms = START_MS + 20 * HOUR_MS - 17_000
    price, other = Move(300_000, 0.05, 740.0, 777.0), Move(3_600_000, 0.06, 733.0, 777.0)
    seen = view("pct(price, 5m) >= 4%", fired_ms=fired_ms, at_ms=fired_ms, window_ms=300_000, oi=None)
    data = await source.of_alert(replace(seen, price=other, price_moves=(price,)))
    moved = change(data.price, *data.window)
    assert (moved.then, moved.now, moved.then_ms, moved.now_ms) == (740.0, 777.0, fired_ms - 300_000, fired_ms)
    assert list(data.price.time_ms) == sorted(set(data.price.time_ms))
    unknown = await source.of_alert(replace(seen, price=Move(300_000, None, None, None)))
    assert fired_ms not in unknown.price.time_ms


# The desk


class Maker:
    def __init__(self):
        self.n = 0
        self.fails = False

    async def draw(self, data):
        self.n += 1
        if self.fails:
            raise ValueError("boom")
        return Picture(b"png", 1, 1)


async def a_chart(_view):
    return ChartData("X", "binance", "X", "USDT", 0, 1)


@pytest.fixture
async def desk():
    import asyncio

    made = PictureDesk(clock=ManualClock(), maker=Maker())
    made.data_of = a_chart
    task = asyncio.get_running_loop().create_task(made.run())
    yield made
    task.cancel()


async def settle():
    import asyncio

    for _ in range(10):
        await asyncio.sleep(0)


async def test_several_destinations_cost_one_drawing(desk):
    got = []
    for _ in range(3):
        desk.want(view("oi > 1"), got.append)
    await settle()
    desk.want(view("oi > 1"), got.append)
    assert got == [b"png"] * 4
    assert desk._maker.n == 1


async def test_a_picture_is_not_kept_for_longer_than_it_is_used(desk):
    for n in range(3):
        desk.want(replace(view("oi > 1"), short_id=f"{n}"), lambda _: None)
        await settle()
    assert len(desk._drawn) == 3
    await desk._clock.advance(61)
    desk.want(view("oi > 1"), lambda _: None)
    await settle()
    assert len(desk._drawn) == 1


async def test_more_than_can_be_drawn_go_without(desk):
    got = []
    for n in range(MAX_WANTED + 3):
        desk.want(view("oi > 1", short_id=f"id{n}"), got.append)
    assert got == [None] * 3
    await settle()
    await settle()
    await settle()
    await settle()
    assert got.count(b"png") == MAX_WANTED


async def test_a_crash_costs_one_picture(desk):
    got = []
    desk._maker.fails = True
    desk.want(view("oi > 1"), got.append)
    await settle()
    desk._maker.fails = False
    desk.want(view("oi > 1", short_id="other"), got.append)
    await settle()
    assert got == [None, b"png"]
