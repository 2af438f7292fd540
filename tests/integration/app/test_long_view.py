"""From published files to the picture of a year: imported, read by a process of its own, marked, asked for in chat and drawn."""

import asyncio
import contextlib
import io
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PIL import Image

from bot.app.charting import ChartSource
from bot.app.history_store import open_store
from bot.app.past_desk import PastReading
from bot.charts import drawing, figure
from bot.chat.asker import AT_TERMINAL
from bot.chat.chart_actions import ChartActions
from bot.chat.commands import parse
from bot.chat.looking import Looking
from bot.clock import ManualClock, SystemClock
from bot.engine.engine import Engine
from bot.engine.inputs import Listed
from bot.history.importing import Importer, files_in
from bot.history.published.layouts import Told
from bot.model.chat_alert import ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.instrument import Instrument
from bot.model.past import DailyPast
from bot.model.updates import InstrumentList
from bot.settings import shipped_rules
from tests.support.dumps import KLINES, METRICS, T0, gz, kline, metric, put, text_of
from tests.support.turns import DAY, DAY_MS, market, turns_of

pytestmark = pytest.mark.integration

LINK = Instrument("binance", "LINKUSDT", "perpetual", "LINK", "USDT", "TRADING")
N_DAYS = 12


class NoVenue:
    async def curve(self, symbol, series, *, step_ms, n, urgent):
        return None

    async def volume(self, symbol, *, step_ms, n, urgent):
        return None


class Live:
    async def at_tick(self, question):
        return question()


class Market:
    def instruments(self):
        return (LINK,)


def publish(folder, close, oi):
    """A file of klines and one of metrics a day, as the exchange does."""
    for day in range(N_DAYS):
        when = f"{datetime.fromtimestamp(T0 / 1000 + 86_400 * day, UTC):%Y-%m-%d}"
        minutes = range(day * DAY, (day + 1) * DAY)
        put(folder / f"LINKUSDT-1m-{when}.csv", text_of([KLINES, *(kline(k, close[k]) for k in minutes)]))
        steps = range(day * 288 + 1, (day + 1) * 288 + 1)
        rows = (metric(k, oi[k - 1]) for k in steps)
        put(folder / f"LINKUSDT-metrics-{when}.csv.gz", gz(text_of([METRICS, *rows])))


def fill(history, folder):
    with open_store(history) as store:
        importer = Importer(store, told=Told(), now_ms=lambda: round(time.time() * 1000))
        return importer.run(list(files_in([folder])))


@contextlib.asynccontextmanager
async def reading(history, code=None, **more):
    command = None if code is None else (sys.executable, "-c", code)
    made = PastReading(
        clock=SystemClock(),
        history=history,
        rule_dirs=[shipped_rules()],
        venue_now=lambda: T0 + N_DAYS * DAY_MS,
        command=command,
        **{"patience_s": 120.0, **more},
    )
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a history with imported days, and what is in them."""
    root = tmp_path_factory.mktemp("published")
    close, oi = market(N_DAYS, 11)
    publish(root / "files", close, oi)
    fill(root / "history", root / "files")
    return root / "history", close, oi


async def test_a_year_of_what_was_imported_with_its_tops_and_bottoms(published):
    history, close, oi = published
    engine = Engine([])
    engine.consume(Listed(InstrumentList("binance", (LINK,)), T0 + N_DAYS * DAY_MS))
    engine.tick(T0 + N_DAYS * DAY_MS)
    async with reading(history) as desk:
        source = ChartSource(engine=engine, live=Live(), past=NoVenue(), desk=desk)
        look = Looking(market=Market(), status=None, clock=ManualClock(), charts=ChartActions(Market(), source))
        reply = await look.handlers["oi"](parse("/oi link 1y"), AT_TERMINAL)
    chart = reply.chart
    assert chart is not None, reply
    assert [v for _, v in chart.oi.known()] == oi[287::288].tolist()
    assert [v for _, v in chart.price.known()] == close[DAY - 1 :: DAY].tolist()
    assert chart.volume.amount == (500.5 * DAY,) * N_DAYS
    expected = turns_of(close, oi, T0)
    assert len(expected) > 4
    marks = {(t.at_ms // DAY_MS, t.is_top): (t.at_ms, t.after_day, t.after_week) for t in chart.long_view.turns}
    assert marks.keys() == expected.keys()
    for place, (at_ms, *later) in expected.items():
        assert marks[place][0] == at_ms
        assert marks[place][1:] == pytest.approx(later)
    figure.prepare()
    picture = drawing.png_of(chart)
    image = Image.open(io.BytesIO(picture.png))
    assert image.size == (picture.width_px, picture.height_px)
    assert picture.width_px == 1_080


async def test_conditions_are_tried_over_it(published):
    history, _, _ = published
    one = ChatAlert("a-00000000", "t", "t", "binance:LINKUSDT", "pct(price, 1h)", ">=", 0.01, True, 0)
    other = ChatAlert("a-00000001", "t", "t", "binance:LINKUSDT", "pct(price, 1h)", ">=", 0.9, True, 0)
    async with reading(history) as desk:
        found = await desk.rehearse([one, other], ["binance:LINKUSDT"])
    assert found[0].n_fired > 0
    assert found[1].n_fired == 0
    assert found[0].span_ms == N_DAYS * DAY_MS


async def test_several_contracts_are_told_of_together(published):
    history, _, _ = published
    one = ChatRule("c_00000000", "t", "t", ("LINKUSDT", "NOUSDT"), None, "pct(price, 1h) >= 1%", 0)
    place = replace(one, id="c_00000001", when="rank(pct(price, 1h)) <= 1")
    async with reading(history) as desk:
        (alone, *_) = await desk.rehearse([one], ["binance:LINKUSDT"])
        both, rank = await desk.rehearse([one, place], ["binance:LINKUSDT", "binance:NOUSDT"])
        assert await desk.rehearse([one], ["binance:LINKUSDT"] * 6) == [None], "more than it reads at once"
    assert (both.n_fired, both.n_symbols, both.last_symbol) == (alone.n_fired, 1, "LINKUSDT")
    assert alone.n_fired > 0
    assert rank is None, "of one contract alone a place among others says nothing"


HANGS = "import time; time.sleep(600)"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (HANGS, "reading the history took too long"),
        ("import os; os._exit(9)", "the process that reads the history ended before it had an answer"),
        ("print('no json')", "the process that reads the history ended before it had an answer (DecodeError)"),
        ('print(\'{"error": "the disk is gone"}\')', "the disk is gone"),
    ],
)
async def test_a_process_that_fails_costs_its_own_answer_alone(published, code, said):
    async with reading(published[0], code, work_s=1.0 if code == HANGS else 60.0) as desk:
        for _ in range(2):
            assert await desk.daily("binance:LINKUSDT", 0, T0 + N_DAYS * DAY_MS) == said
        assert await desk.rehearse([], ["binance:LINKUSDT"]) == []


async def test_nobody_waits_long_and_the_answer_is_kept_for_the_next(published):
    history, _, _ = published
    slow = "import time; time.sleep(3); from bot.app.past_worker import main; main()"
    async with reading(history, slow, patience_s=0.01) as desk:
        asked = "binance:LINKUSDT", T0 - DAY_MS, T0 + N_DAYS * DAY_MS
        assert await desk.daily(*asked) == "the history is still being read; ask again in a minute"
        async with asyncio.timeout(120):
            while not isinstance(found := await desk.daily(*asked), DailyPast):
                assert "still being read" in found
        assert len(found.days) == N_DAYS


async def test_without_a_history_no_process_is_started(tmp_path):
    async with reading(tmp_path, "raise SystemExit('not to be started')") as desk:
        assert not desk.is_there
        assert await desk.daily("binance:LINKUSDT", 0, T0) == DailyPast()
        assert await desk.rehearse([], ["binance:LINKUSDT"]) == []
