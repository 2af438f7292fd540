"""`/alert`, `/alerts`, `/delete` as people see them."""

import asyncio
from dataclasses import replace

import pytest

from bot.chat.alert_actions import AlertActions
from bot.chat.asker import AT_TERMINAL, Asker, in_telegram
from bot.chat.commands import Command, parse
from bot.chat.telegram_html import to_plain
from bot.clock import ManualClock
from bot.model.chat_alert import AlertLife, AlertStage
from bot.storage.memory import MemoryAlertStore, MemoryChatAlertStore, MemoryOutbox
from tests.support.chat_actions import looking

NOW_MS = 1_767_225_600_000
OWNER, GUEST = in_telegram(-1001, 7, is_owner=True), in_telegram(-1001, 8, is_owner=False)


class HandDesk:
    def __init__(self):
        self.values = {}
        self.lives = {}
        self.calls = []

    def add(self, alert):
        self.calls.append(("add", alert.id))

    def remove(self, alert_id):
        self.calls.append(("remove", alert_id))

    def life(self, alert_id):
        return self.lives.get(alert_id)

    def value(self, instrument, measure):
        return self.values.get((instrument, measure))


@pytest.fixture
def desk():
    return HandDesk()


@pytest.fixture
def store():
    return MemoryChatAlertStore(MemoryAlertStore(MemoryOutbox()))


@pytest.fixture
def clock():
    return ManualClock(wall_ms=NOW_MS)


@pytest.fixture
def ask(market, status, why, desk, store, clock):
    alerts = AlertActions(market=market, store=store, desk=desk, clock=clock, max_per_chat=3)
    actions = looking(alerts, market=market, status=status, why=why, clock=clock)

    async def ask(text, asker: Asker = OWNER):
        asked = parse(text)
        assert asked is not None
        reply = await actions.answer(asked, asker=asker)
        for row in reply.buttons:
            assert all(isinstance(parse(button.command), Command) for button in row)
        return to_plain(reply)

    return ask


async def only(store, chat=OWNER.chat):
    (alert,) = await store.of_chat(chat, limit=9)
    return alert


async def test_it_echoes_what_it_understood_and_how_far_it_is(ask, desk, store):
    desk.values["binance:BTCUSDT", "pct(oi, 15m)"] = 0.018
    said = await ask("/alert btc oi > 5% 15m")
    alert = await only(store)
    assert said == (
        f"🔔 {alert.id} BTCUSDT pct(oi, 15m) > 5%\n"
        "Now +1.80% · 3.20 points to go\n"
        "Again at the earliest 15m after its end."
    )
    assert desk.calls == [("add", alert.id)]
    assert (alert.chat, alert.user, alert.created_ms) == ("telegram:-1001", "telegram:7", NOW_MS)


async def test_what_is_true_already_is_said(ask, desk):
    desk.values["binance:BTCUSDT", "price"] = 93_183.0
    said = await ask("/alert BTC price > 70000 once")
    assert "BTCUSDT price > 70_000 · once" in said
    assert "Already true (now 93,183): it waits for the first false." in said
    assert said.endswith("Told once.")
    assert "Now 93,183 · 7.32% to go" in await ask("/alert BTC price >= 100k")


async def test_without_data_or_window_or_trade_it_says_so(ask):
    said = await ask("/alert LUNAUSDT oi > 5%")
    assert "No window was given: I took 15m." in said
    assert "No value is known now: it waits for the first one, and for the first false." in said
    assert "Not trading now (SETTLING): it waits until it does." in said


async def test_an_unknown_symbol_is_never_guessed(ask, store):
    assert await ask("/alert BTCUDST oi > 5% 4h") == "I don't know the symbol BTCUDST."
    assert await ask("/alert qqqqqqqqq oi > 5% 4h") == "I don't know the symbol qqqqqqqqq. Try /alert BTC oi > 5% 15m."
    assert await store.count(OWNER.chat) == 0


async def test_what_is_wrong_is_told_with_an_example(ask, store, desk):
    assert await ask("/alert btc oi banana 5%") == (
        "After oi I expected > or <, not banana. Write it like /alert BTC oi > 5% 15m."
    )
    assert await ask("/alert") == (
        "An alert is a symbol, a figure, a comparison and a number. Write it like /alert BTC oi > 5% 15m."
    )
    assert "too long" in await ask("/alert " + "x " * 30)
    assert desk.calls == []


async def test_the_same_alert_is_not_made_twice(ask, store):
    await ask("/alert btc oi > 5% 15m")
    alert = await only(store)
    assert await ask("/alert BTCUSDT oi > 5.0% 900s", GUEST) == (
        f"That alert is there already: {alert.id} BTCUSDT pct(oi, 15m) > 5%"
    )
    await ask("/alert btc oi > 5% 15m once")
    await ask("/alert eth oi > 5% 15m")
    assert await store.count(OWNER.chat) == 3


async def test_a_chat_has_a_limit_of_its_own_also_for_those_that_come_at_once(ask, store):
    said = await asyncio.gather(*(ask(f"/alert btc price > {n}") for n in range(1, 6)))
    assert sum(text.startswith("🔔") for text in said) == 3
    assert said[-1] == "This chat has 3 alerts, as many as it may. Delete one first."
    assert (await ask("/alert btc price > 1", AT_TERMINAL)).startswith("🔔")


async def test_ids_differ_though_they_are_derived_from_the_same_instant(ask, store):
    await ask("/alert btc price > 1")
    first = await only(store)
    await store.delete(first.id)
    await store.add(replace(first, chat="telegram:5"))  # the same id, elsewhere
    await ask("/alert btc price > 1")
    second = await only(store)
    assert second.id != first.id
    assert second.created_ms == NOW_MS + 1


async def test_the_list_tells_where_each_stands(ask, desk, store, clock):
    assert await ask("/alerts") == "No alerts of this chat yet. Try /alert BTC oi > 5% 15m."
    for text in ("/alert btc oi > 5% 15m", "/alert eth price < 4000", "/alert doge funding > 0.1%"):
        await ask(text)
        await clock.advance(0.001)
    a, b, c = await store.of_chat(OWNER.chat, limit=3)
    desk.lives = {
        a.id: AlertLife(AlertStage.WAITING, 0.018),
        b.id: AlertLife(AlertStage.COOLING, 4_012.35, NOW_MS + 720_003),
    }
    assert await ask("/alerts", GUEST) == (
        "Alerts of this chat (3)\n\n"
        f"{a.id} BTCUSDT pct(oi, 15m) > 5%\nwaiting · now +1.80% · 3.20 points to go\n\n"
        f"{b.id} ETHUSDT price < 4000\ncooling, 12m left · now 4,012.35 · 0.31% to go\n\n"
        f"{c.id} DOGEUSDT funding > 0.1%\nnot watched yet"
    )
    assert await ask("/alerts", AT_TERMINAL) == "No alerts of this chat yet. Try /alert BTC oi > 5% 15m."


@pytest.mark.parametrize(
    ("life", "told"),
    [
        (AlertLife(AlertStage.ABSENT), "its symbol is not listed now"),
        (AlertLife(AlertStage.UNARMED), "waits for data"),
        (AlertLife(AlertStage.UNARMED, 80_000.0), "already true: waits for the first false · now 80,000"),
        (AlertLife(AlertStage.UNARMED, 60_000.0), "waiting · now 60,000 · 16.67% to go"),
        (AlertLife(AlertStage.PENDING, 80_000.0), "true, not told yet · now 80,000"),
        (AlertLife(AlertStage.FIRING, 80_000.0), "firing · now 80,000"),
        (AlertLife(AlertStage.DONE, 60_000.0), "told once, over · now 60,000 · 16.67% to go"),
    ],
)
async def test_every_stage_has_its_words(ask, desk, store, life, told):
    await ask("/alert btc price > 70000")
    desk.lives = {(await only(store)).id: life}
    assert (await ask("/alerts")).split("\n")[-1] == told


async def test_a_long_list_has_pages(ask, store):
    await ask("/alert btc price > 1")
    alert = await only(store)
    for n in range(2, 25):
        await store.add(replace(alert, id=f"a-{n:08}", created_ms=NOW_MS + n))
    assert (await ask("/alerts")).startswith("Alerts of this chat (24) · page 1 of 3")
    last = await ask("/alerts 3")
    assert last.startswith("Alerts of this chat (24) · page 3 of 3")
    assert last.count("price > 1") == 4
    assert await ask("/alerts 4") == "There are 3 pages."
    assert "number of a page" in await ask("/alerts x")


async def test_an_alert_goes_by_the_first_characters_of_its_id(ask, desk, store):
    await ask("/alert btc price > 70000")
    alert = await only(store)
    assert await ask(f"/delete {alert.id[:5]}") == (
        "I expected four to eight characters of an alert's id, or all. Write it like /delete a-7q4m."
    )
    assert await ask(f"/delete {alert.id[2:6]}", AT_TERMINAL) == (
        f"No alert of this chat begins with {alert.id[2:6]}. /alerts lists them."
    )
    assert await ask(f"/delete #{alert.id[:6].upper()}") == f"Deleted {alert.id} BTCUSDT price > 70_000"
    assert desk.calls[-1] == ("remove", alert.id)
    assert await store.count(OWNER.chat) == 0


async def test_an_ambiguous_prefix_deletes_nothing(ask, store):
    await ask("/alert btc price > 70000")
    alert = await only(store)
    for id_ in ("a-7q4m0000", "a-7q4m0001"):
        await store.add(replace(alert, id=id_))
    assert await ask("/delete a-7q4m") == (
        "More than one alert begins with 7q4m: a-7q4m0000 and a-7q4m0001. Write more of it."
    )
    assert await store.count(OWNER.chat) == 3


async def test_in_a_group_people_delete_what_they_made_and_the_owner_everything(ask, desk, store):
    await ask("/alert btc price > 1", OWNER)
    owners = await only(store)
    await ask("/alert btc price > 2", GUEST)
    assert await ask(f"/delete {owners.id}", GUEST) == "Only who made an alert, or my owner, may delete it."
    assert await ask("/delete all", GUEST) == "Deleted 1 alert. 1 made by others stay."
    assert await only(store) == owners
    await ask("/alert btc price > 2", GUEST)
    assert await ask("/delete all", OWNER) == "Deleted 2 alerts."
    assert len([c for c in desk.calls if c[0] == "remove"]) == 3
    assert await ask("/delete all") == "No alerts of this chat yet. Try /alert BTC oi > 5% 15m."


async def test_without_a_desk_it_says_that_it_takes_none(actions):
    for text in ("/alert btc oi > 5% 15m", "/alerts", "/delete all"):
        assert to_plain(await actions.answer(parse(text), asker=AT_TERMINAL)) == "I take no alerts here."
