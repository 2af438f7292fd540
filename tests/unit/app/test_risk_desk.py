"""Stops that follow, and lines for alerts, over memory stores."""

from dataclasses import replace

import pytest

from bot.app.risk_desk import Desk
from bot.app.routing import Routes
from bot.clock import ManualClock
from bot.errors import StorageError
from bot.model.alert import TellKind
from bot.model.instrument import Instrument
from bot.model.outbox import OutboxRow
from bot.model.risk import RiskFigures, RiskSettings
from bot.model.stop_watch import StopWatch
from bot.model.view import AlertView
from bot.storage.memory import MemoryAlertStore, MemoryOutbox
from bot.storage.memory_risk import MemoryRiskStore

KEY = "binance:BTCUSDT"
BTC = Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING", tick_size=0.1, step_size=0.001)
MINE = RiskSettings(10_000.0, 0.01, 5.0)
WATCH = StopWatch("w-7q4mk2px", "telegram:7", "telegram:7", KEY, "long", 100.0, 95.0, 95.0, 5.0, 100.0, 0.1, 0, 1)


class HandRisks:
    def __init__(self):
        self.now, self.funding, self.longest_ms = (100.0, 0), None, 86_400_000

    def price(self, key):
        return self.now

    def instrument(self, key):
        return BTC if key == KEY else None

    def figures(self, key, window_ms):
        atr = 1.0 if window_ms <= self.longest_ms else None
        return RiskFigures(100.0, 0, atr, window_ms, funding=self.funding)


class World:
    def __init__(self):
        self.outbox = MemoryOutbox()
        self.store = MemoryRiskStore(MemoryAlertStore(self.outbox))
        self.risks, self.clock, self.woken, self.now_ms = HandRisks(), ManualClock(), 0, 5_000
        self.unstored: list[OutboxRow] = []
        self.routes = Routes.of(["telegram", "discord"], chats={"telegram:7": "telegram"})

    async def open(self) -> Desk:
        return Desk(
            store=self.store,
            settings=await self.store.all_settings(),
            watches=await self.store.watches(),
            risks=self.risks,
            routes=lambda: self.routes,
            tell=self._wake,
            clock=self.clock,
            venue_now=lambda: self.now_ms,
        )

    def _wake(self, unstored):
        self.unstored += unstored
        self.woken += 1

    async def told(self, destination="telegram"):
        return await self.outbox.waiting(destination, now_ms=10_000, limit=99)


@pytest.fixture
def world():
    return World()


async def at(world, desk, *prices):
    for price in prices:
        world.risks.now = (price, 0)
        await desk.look()


async def test_it_tells_each_step_in_its_chat_and_the_touch_and_then_is_gone(world):
    desk = await world.open()
    assert await desk.watch(WATCH)
    await at(world, desk, 100.5, 101.0)
    assert not await world.told()
    await at(world, desk, 101.5)
    [moved] = await world.told()
    assert (moved.kind, moved.severity, moved.view.title) == (TellKind.FIRE, "info", "long stop moved")
    assert moved.view.report == "Stop 95.0 → 96.5, −3.50% from the entry. Mark price 101.5.\nData, not advice."
    assert world.woken == 1
    await at(world, desk, 100.0, 96.4)
    touched, _ = await world.told()
    assert (touched.severity, touched.view.title) == ("critical", "long stop touched")
    assert "reached the stop 96.5" in touched.view.report
    assert not desk.watches_of("telegram:7")
    assert not await world.store.watches()
    await at(world, desk, 50.0)
    assert len(await world.told()) == 2
    assert not await world.told("discord")


async def test_a_restart_goes_on_where_it_was_and_repeats_nothing(world):
    desk = await world.open()
    await desk.watch(WATCH)
    await at(world, desk, 101.5)
    again = await world.open()
    assert again.watches_of("telegram:7") == desk.watches_of("telegram:7")
    await at(world, again, 101.5, 100.0)
    assert len(await world.told()) == 1
    await at(world, again, 96.4)
    assert len(await world.told()) == 2


async def test_a_touch_that_was_told_before_a_crash_is_not_told_again(world):
    await world.store.add(replace(WATCH, touched_ms=4_000))
    desk = await world.open()
    assert not desk.watches_of("telegram:7")
    await at(world, desk, 1.0)
    assert not await world.told()
    assert not await world.store.watches()


@pytest.mark.parametrize(("prices", "n"), [((101.5, 101.5), 1), ((95.0, 95.0, 94.0), 1), ((101.5, 96.4, 96.4), 2)])
async def test_what_a_slow_database_stored_though_nobody_waited_any_more_is_not_told_again(world, prices, n):
    real, fails = world.store.move, [True, True]

    async def move(watches, rows):
        await real(watches, rows)
        if fails:
            fails.pop()
            raise StorageError("move stops: the disk has not answered for 6 s")

    world.store.move = move
    desk = await world.open()
    await desk.watch(WATCH)
    for price in prices:
        await at(world, desk, price)
        world.now_ms += 1_000
    assert len(await world.told()) == n
    assert len({row.view.title for row in await world.told()}) == n


@pytest.mark.parametrize(
    ("prices", "titles"), [((94.9, 99.0, 94.0), ["touched"]), ((101.5, 99.0, 96.4, 99.0), ["moved", "touched"])]
)
async def test_while_the_disk_takes_nothing_it_tells_from_memory_and_stores_the_same_later(world, prices, titles):
    real = world.store.move

    async def refuse(watches, rows):
        raise StorageError("move stops: database or disk is full")

    world.store.move = refuse
    desk = await world.open()
    await desk.watch(WATCH)
    await at(world, desk, *prices)
    assert [row.view.title for row in world.unstored] == [f"long stop {one}" for one in titles]
    assert not desk.watches_of("telegram:7")
    world.store.move = real
    await at(world, desk, 94.0)
    assert sorted(row.id for row in await world.told()) == sorted(row.id for row in world.unstored)
    assert not await world.store.watches()
    await at(world, desk, 94.0)
    assert len(world.unstored) == len(titles)


async def test_what_no_database_will_ever_hold_is_told_and_keeps_nothing_behind_it(world):
    real, refused = world.store.move, []

    async def move(watches, rows):
        if not refused:
            refused.extend(rows)
            raise StorageError("the view cannot be written", may_pass=False)
        await real(watches, rows)

    world.store.move = move
    desk = await world.open()
    await desk.watch(WATCH)
    await at(world, desk, 101.5, 96.4)
    assert [row.view.title for row in world.unstored] == ["long stop moved"]
    assert [row.view.title for row in await world.told()] == ["long stop touched"]


async def test_a_better_level_between_messages_is_stored_after_a_while(world):
    desk = await world.open()
    await desk.watch(WATCH)
    await at(world, desk, 100.0)
    await at(world, desk, 100.5)
    assert (await world.store.watches())[0].stop == 95.0
    await world.clock.advance(31)
    await at(world, desk, 100.5)
    assert (await world.store.watches())[0].stop == 95.5


@pytest.mark.parametrize("now", [None, (1.0, 10_001)])
async def test_unknown_or_old_prices_touch_nothing(world, now):
    desk = await world.open()
    await desk.watch(WATCH)
    world.risks.now = now
    await desk.look()
    assert not await world.told()
    assert desk.watches_of("telegram:7") == [WATCH]


async def test_what_could_not_be_stored_is_told_at_the_next_look(world):
    desk = await world.open()
    await desk.watch(WATCH)
    move = world.store.move

    async def full(watches, rows):
        raise StorageError("disk full")

    world.store.move = full
    await at(world, desk, 96.0, 94.0)
    assert not await world.told()
    world.store.move = move
    await at(world, desk, 94.0)
    assert [row.view.title for row in await world.told()] == ["long stop touched"]


async def test_settings_and_ends_are_stored(world):
    desk = await world.open()
    await desk.set("telegram:7", MINE)
    await desk.watch(WATCH)
    assert not await desk.watch(WATCH)
    await desk.unwatch(WATCH.id)
    again = await world.open()
    assert again.settings_of("telegram:7") == MINE
    assert not again.watches_of("telegram:7")
    await again.set("telegram:7", None)
    assert (await world.open()).settings_of("telegram:7") is None


def row(destination="telegram", kind=TellKind.FIRE, symbol="BTCUSDT") -> OutboxRow:
    view = AlertView.news("oi_surge", "OI surge", "", symbol=symbol, severity="warning", short_id="x", at_ms=1)
    view = replace(view, venue="binance", window_ms=900_000)
    return OutboxRow("r", "k", kind, destination, "warning", 1, view)


async def test_alerts_to_a_person_with_settings_get_a_stop_and_a_size_and_others_do_not(world):
    desk = await world.open()
    rows = (row(), row("discord"), row(kind=TellKind.END), row(symbol="*"), row(symbol="NOUSDT"))
    assert desk.personal(rows) == rows
    await desk.set("telegram:7", MINE)
    first, *others = desk.personal(rows)
    assert others == list(rows[1:])
    assert first.view.risk == (
        "Usual 15m range 1.00% (1.0)",
        "Stop idea long 98.5, 1.50% away, size at most 0.66x equity",
        "Stop idea short 101.5, 1.50% away, size at most 0.66x equity",
        "By mark price; your exchange may trigger on last. Data, not advice.",
    )


async def test_an_alert_says_what_holding_that_size_costs_and_who_is_paid(world):
    desk = await world.open()
    await desk.set("telegram:7", MINE)
    world.risks.funding = 0.0001
    [told] = desk.personal((row(),))
    assert told.view.risk[1:3] == (
        "Stop idea long 98.5, 1.50% away, size at most 0.66x equity, costs about $2.00 a day",
        "Stop idea short 101.5, 1.50% away, size at most 0.66x equity, earns about $2.00 a day",
    )
    world.risks.funding = 0.0
    [told] = desk.personal((row(),))
    assert told.view.risk[1] == "Stop idea long 98.5, 1.50% away, size at most 0.66x equity"


async def test_an_alert_without_a_window_has_the_usual_one_and_one_too_long_the_longest_that_is_known(world):
    desk = await world.open()
    await desk.set("telegram:7", MINE)

    async def first_line(window_ms):
        [told] = desk.personal((replace(row(), view=replace(row().view, window_ms=window_ms)),))
        return told.view.risk[0] if told.view.risk else ""

    assert await first_line(0) == "Usual 1h range 1.00% (1.0)"
    assert await first_line(300_000) == "Usual 5m range 1.00% (1.0)"
    assert await first_line(86_400_000) == "Usual 1d range 1.00% (1.0)"
    world.risks.longest_ms = 4 * 3_600_000
    assert await first_line(86_400_000) == "Usual 4h range 1.00% (1.0)"
    world.risks.longest_ms = 60_000
    assert await first_line(86_400_000) == ""
