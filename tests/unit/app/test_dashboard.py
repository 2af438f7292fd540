"""The dashboard's reader over a small engine and stores in memory."""

from types import SimpleNamespace

import pytest

from bot.app.dashboard import Dashboard, Sources
from bot.app.rehearsals import Rehearser
from bot.clock import ManualClock
from bot.engine.cards import Cards
from bot.engine.explaining import explain, glances
from bot.model.alert import State, Transition, alert_key
from bot.model.charts import NoPicture
from bot.model.chat_alert import ChatAlert
from bot.model.instrument import Instrument
from bot.model.outbox_ports import Commit
from bot.model.scorecard import ALERT, HORIZONS_MS, Moment, Quadrant, Score
from bot.storage.memory import MemoryAlertStore, MemoryChatAlertStore
from bot.storage.memory_outbox import MemoryOutbox
from bot.storage.memory_scores import MemoryScoreStore
from bot.storage.memory_told import MemoryFiringStore
from tests.unit.engine.conftest import Feed

RULES = """version: 1
rules:
  - {id: surge, name: OI surge, when: 'pct(oi, 15m) >= 5%', cooldown: 0s}
  - {id: broad, per: market, when: 'count(pct(oi, 15m) >= 5%) >= 2'}
  - {id: off, when: price > 1, enabled: false}
"""
MINUTE_MS = 60_000
ME = "telegram:71"


class Why:
    def __init__(self, engine) -> None:
        self.engine = engine

    async def explain(self, rule_id, instrument, *, chat):
        return explain(self.engine, rule_id, instrument)

    async def glances(self, instrument, *, chat):
        return glances(self.engine, instrument)


class World:
    def __init__(self, folder, rules) -> None:
        self.folder = folder
        (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
        self.feed = Feed(rules, [Instrument("binance", f"{b}USDT", "perpetual", b, "USDT", "TRADING") for b in "AB"])
        self.engine = self.feed.engine
        outbox = MemoryOutbox()
        self.alerts = MemoryAlertStore(outbox)
        self.chat_alerts = MemoryChatAlertStore(self.alerts)
        self.scores = MemoryScoreStore(outbox)
        self.dashboard = Dashboard(
            Sources(
                engine=self.engine,
                live=None,
                cards=Cards(self.engine),
                overview=None,
                why=Why(self.engine),
                charts=None,
                rehearser=Rehearser(self.engine, ManualClock()),
                firings=MemoryFiringStore(self.alerts, outbox),
                scores=self.scores,
                chat_alerts=self.chat_alerts,
                chat_rules=SimpleNamespace(of_chat=lambda _chat: []),
                rules_dir=folder,
                destinations=lambda: ("main",),
            )
        )

    def run(self, amounts) -> None:
        for amount in amounts:
            self.feed.prices({"AUSDT": 100.0, "BUSDT": 50.0})
            self.feed.oi("AUSDT", amount)
            self.feed.tick(seconds=60)

    async def fire(self, rule_id: str, symbol: str = "AUSDT", *, ago_ms: int = 0) -> None:
        at_ms = self.engine.now_ms - ago_ms
        key = alert_key(rule_id, symbol, at_ms)
        change = Transition(rule_id, "" if symbol == "*" else "binance", symbol, State.FIRING, at_ms, 0.06, key)
        await self.alerts.commit(Commit((), (change,), ()))


@pytest.fixture
def world(tmp_path, rules_of):
    lines = [line.removeprefix("  ") for line in RULES.splitlines()[2:] if "off" not in line]
    return World(tmp_path, rules_of("\n".join(lines) + "\n"))


async def test_the_table_is_made_once_a_tick(world):
    world.run([1_000.0])
    first = world.dashboard.table()
    assert world.dashboard.table() is first
    world.run([1_000.0])
    assert world.dashboard.table() is not first


async def test_rules_are_those_on_the_disk_with_what_they_did(world):
    world.run([1_000.0] * 20 + [1_100.0] * 3)
    await world.fire("surge")
    await world.fire("surge", ago_ms=2 * 86_400_000)
    await world.fire("surge", ago_ms=9 * 86_400_000)
    found = await world.dashboard.rules()
    surge, broad, off = found.rules
    assert (surge.title, surge.condition, surge.number, surge.is_ratio) == (
        "OI surge",
        "pct(oi, 15m) >= 5%",
        0.05,
        True,
    )
    assert (surge.n_firing, surge.n_fired_day, surge.n_fired_week) == (1, 1, 2)
    assert broad.number is None, "a rule about the market is not tried on one contract"
    assert not off.is_on
    assert found.problems == ()


async def test_an_error_on_the_disk_is_shown_with_its_place(world):
    world.run([1_000.0])
    (world.folder / "more.yaml").write_text(
        "version: 1\nrules:\n  - {id: bad, when: 'pct(oy, 15m) > 1'}\n", encoding="utf-8"
    )
    (problem,) = (await world.dashboard.rules()).problems
    head, _, line, caret = problem.splitlines()
    assert "more.yaml:3:26: error[E204]" in head
    assert "pct(oy, 15m)" in line
    assert line.index("oy") == caret.index("^")


async def test_another_threshold_is_run_over_what_memory_holds(world):
    world.run([1_000.0] * 20 + [1_040.0] * 20 + [1_000.0] * 20 + [1_040.0] * 20)
    tried = await world.dashboard.tried("surge", 0.03, "binance:AUSDT")
    assert (tried.condition, tried.n_fired) == ("pct(oi, 15m) >= 3%", 2)
    assert (await world.dashboard.tried("surge", 0.05, "binance:AUSDT")).n_fired == 0
    assert await world.dashboard.tried("surge", -0.05, "binance:AUSDT") is None
    assert await world.dashboard.tried("nothing", 0.05, "binance:AUSDT") is None
    assert (await world.dashboard.tried("surge", 0.03, "binance:NOUSDT")).n_fired is None


async def test_what_came_of_a_firing_is_what_the_scorecard_says(world):
    world.run([1_000.0] * 3)
    await world.fire("surge")
    (key,) = [t.key for t in await world.alerts.transitions(since_ms=0, limit=9)]
    moment = Moment(key, "surge", "OI surge", "binance:AUSDT", world.engine.now_ms, 100.0, 1e3, Quadrant.UP_UP)
    await world.scores.add([moment])
    await world.scores.settle([Score(key, ALERT, HORIZONS_MS[0], 0.012, None, 0.02, 0.0)])
    (told,) = await world.dashboard.alerts(limit=9, chat=ME)
    assert told.later == (0.012, None, None)


async def test_firings_have_their_rules_title_and_only_ones_own_are_private(world):
    world.run([1_000.0] * 3)
    mine, other = (
        ChatAlert(f"a-0000000{n}", chat, ME, "binance:AUSDT", "price", ">", 1.0, False, 0)
        for n, chat in enumerate((ME, "telegram:72"))
    )
    for one in (mine, other):
        await world.chat_alerts.add(one)
    for rule_id in ("surge", mine.id, other.id, "gone"):
        await world.fire(rule_id)
    await world.fire("broad", "*")
    found = await world.dashboard.alerts(limit=10, chat=ME)
    assert {(one.rule_id, one.title) for one in found} == {
        ("surge", "OI surge"), (mine.id, mine.id), ("gone", "gone"), ("broad", "broad"),
    }  # fmt: skip
    assert {one.key for one in found} == {"binance:AUSDT", "*"}


async def test_why_is_told_in_the_words_of_chat(world):
    world.run([1_000.0] * 20 + [1_060.0] * 2)
    page = await world.dashboard.why("surge", "binance:AUSDT", chat=ME)
    assert (page.heading, page.rule_id, page.phase) == ("AUSDT · OI surge", "surge", "firing")
    assert page.value == "pct(oi, 15m) = +6.00%"
    assert page.lines[0].verdict == "true"
    assert any("then: oi 1.00k" in detail for detail in page.lines[0].details)
    assert await world.dashboard.why("nothing", "binance:AUSDT", chat=ME) is None
    near, n_more = await world.dashboard.glances("binance:AUSDT", chat=ME)
    assert (near[0].rule_id, n_more) == ("surge", 0)


async def test_a_symbol_is_found_as_chat_finds_it_and_there_is_no_chart_before_a_market(world):
    assert world.dashboard.key_of("a") == "binance:AUSDT"
    assert world.dashboard.key_of("zzz") is None
    assert isinstance(await world.dashboard.chart("binance:AUSDT", 3_600_000), NoPicture)
