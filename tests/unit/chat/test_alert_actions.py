"""`/alert`, `/alerts`, `/delete` as people see them."""

import asyncio
from dataclasses import replace

import pytest

from bot.chat import rights
from bot.chat.actions import Actions
from bot.chat.alert_actions import MAX_RULES_PER_CHAT, AlertActions
from bot.chat.alert_text import symbol_of
from bot.chat.asker import AT_TERMINAL, Asker, in_telegram
from bot.chat.commands import Command, parse
from bot.chat.telegram_html import to_plain
from bot.clock import ManualClock
from bot.model.chat_alert import AlertLife, AlertStage
from bot.model.chat_rule_ports import RuleLife
from bot.model.explanation import Hush
from bot.model.members import Role
from bot.model.rehearsal import Rehearsed
from bot.storage.memory import MemoryAlertStore, MemoryChatAlertStore, MemoryOutbox
from tests.support.chat_actions import looking
from tests.support.hand_alerts import HandChatRules, HandRehearsals

NOW_MS = 1_767_225_600_000
DAY_MS = 86_400_000
OWNER, GUEST = in_telegram(-1001, 7, is_owner=True), in_telegram(-1001, 8, is_owner=False)


class HandDesk:
    def __init__(self):
        self.values = {}
        self.unknown = {}
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

    def why_unknown(self, instrument, measure):
        return self.unknown.get((instrument, measure), "")


@pytest.fixture
def desk():
    return HandDesk()


class SlowStore(MemoryChatAlertStore):
    """What it tells may be old by a turn of the loop, as with a database."""

    async def find(self, chat, prefix, *, limit):
        found = await super().find(chat, prefix, limit=limit)
        await asyncio.sleep(0)
        return found


@pytest.fixture
def store():
    return SlowStore(MemoryAlertStore(MemoryOutbox()))


@pytest.fixture
def clock():
    return ManualClock(wall_ms=NOW_MS)


@pytest.fixture
def rules():
    return HandChatRules()


@pytest.fixture
def rehearsals():
    return HandRehearsals()


class HandPast:
    """The `PastDesk` port: what the history says is in `found`, by level."""

    def __init__(self):
        self.is_there, self.found, self.asked = False, {}, []

    async def rehearse(self, ones, keys):
        self.asked.append(tuple(keys))
        return [self.found.get(getattr(one, "level", None)) for one in ones]


@pytest.fixture
def past():
    return HandPast()


@pytest.fixture
def ask_reply(market, status, why, desk, store, rules, rehearsals, clock, past):
    alerts = AlertActions(
        market=market,
        store=store,
        desk=desk,
        rules=rules,
        rehearsals=rehearsals,
        clock=clock,
        max_per_chat=3,
        zone_of=lambda chat: "Europe/Berlin",
        past=past,
    )
    actions = looking(alerts, market=market, status=status, why=why, clock=clock)

    async def ask(text, asker: Asker = OWNER):
        asked = parse(text)
        assert asked is not None
        reply = await actions.answer(asked, asker=asker)
        for row in reply.buttons:
            assert all(isinstance(parse(button.command), Command) for button in row)
        return reply

    return ask


@pytest.fixture
def ask(ask_reply):
    async def ask(text, asker: Asker = OWNER):
        reply = await ask_reply(text, asker)
        ask.buttons = reply.buttons
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
        "Again at the earliest 15m after its end.\n"
        "How often it would have fired lately cannot be told."
    )
    assert desk.calls == [("add", alert.id)]
    assert (alert.chat, alert.user, alert.created_ms) == ("telegram:-1001", "telegram:7", NOW_MS)


async def test_what_is_true_already_is_said(ask, desk):
    desk.values["binance:BTCUSDT", "price"] = 93_183.0
    said = await ask("/alert BTC price > 70000 once")
    assert "BTCUSDT price > 70_000 · once" in said
    assert "Already true (now 93,183): it waits until it was false once." in said
    assert "\nTold once.\n" in said
    assert "Now 93,183 · 7.32% to go" in await ask("/alert BTC price >= 100k")


async def test_without_data_or_window_or_trade_it_says_so(ask):
    said = await ask("/alert LUNAUSDT oi > 5%")
    assert "No window was given: I took 15m." in said
    assert "No value is known yet: it waits for one, and until it was false once." in said
    assert "Not trading now (SETTLING): it waits until it does." in said


async def test_why_there_is_no_value_is_said(ask, desk):
    desk.unknown["binance:BTCUSDT", "pct(oi, 4h)"] = "the window is filling"
    said = await ask("/alert BTC oi > 5% 4h")
    assert "No value is known yet (the window is filling): it waits for one, and until it was false once." in said


async def test_an_unknown_symbol_is_never_guessed(ask, store):
    assert await ask("/alert BTCUDST oi > 5% 4h") == "I don't know the symbol BTCUDST."
    assert await ask("/alert qqqqqqqqq oi > 5% 4h") == "I don't know the symbol qqqqqqqqq. Try /alert BTC oi > 5% 15m."
    assert await store.count(OWNER.chat) == 0


async def test_what_is_wrong_is_told_with_an_example(ask, store, desk):
    assert await ask("/alert btc oi banana 5%") == (
        "After oi I expected > or <, not banana. Write it like /alert btc oi > 5% 15m."
    )
    assert "too long" in await ask("/alert " + "x " * 90)
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


async def test_several_that_are_there_already_are_named_and_the_chat_is_not_called_full(ask, store):
    await ask("/alert btc,eth oi > 5% 15m")
    there = await store.of_chat(OWNER.chat, limit=9)
    told = await ask("/alert btc,eth oi > 5% 15m")
    assert sorted(told.splitlines()) == sorted(
        f"That alert is there already: {one.id} {symbol_of(one)} pct(oi, 15m) > 5%" for one in there
    )
    assert "1 were there already" in await ask("/alert btc,doge oi > 5% 15m")


async def test_a_chat_has_a_limit_of_its_own_also_for_those_that_come_at_once(ask, store):
    said = await asyncio.gather(*(ask(f"/alert btc price > {n}") for n in range(1, 6)))
    assert sum(text.startswith("🔔") for text in said) == 3
    assert said[-1] == "This chat has 3 alerts, as many as it may. Delete one first."
    assert (await ask("/alert btc price > 1", AT_TERMINAL)).startswith("🔔")


async def test_ids_differ_though_they_are_derived_from_the_same_instant(ask, store):
    await ask("/alert btc price > 1")
    first = await only(store)
    await store.delete(first.id, at_ms=NOW_MS)
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


async def test_a_wrong_clock_of_the_machine_does_not_change_what_is_left_of_a_cooldown(
    market, desk, store, rules, rehearsals
):
    since = []

    async def fired(since_ms):
        since.append(since_ms)
        return {}

    alerts = AlertActions(
        market=market,
        store=store,
        desk=desk,
        rules=rules,
        rehearsals=rehearsals,
        clock=ManualClock(wall_ms=NOW_MS - DAY_MS),
        max_per_chat=9,
        fired=fired,
        venue_now=lambda: NOW_MS + 3_000,
    )
    await Actions(alerts.handlers).answer(parse("/alert eth price < 4000"), asker=OWNER)
    made = await only(store)
    desk.lives = {made.id: AlertLife(AlertStage.COOLING, 4_012.35, NOW_MS + 723_000)}
    for typed in ("/alerts", f"/alerts {made.id}"):
        told = to_plain(await Actions(alerts.handlers).answer(parse(typed), asker=OWNER))
        assert "ooling, 12m left" in told
    assert since == [NOW_MS, NOW_MS]


@pytest.mark.parametrize(
    ("life", "told"),
    [
        (AlertLife(AlertStage.ABSENT), "its symbol is not listed now"),
        (AlertLife(AlertStage.UNARMED), "waits for data"),
        (AlertLife(AlertStage.UNARMED, 80_000.0), "already true: waits until it was false once · now 80,000"),
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
    assert "number of a page" in await ask("/alerts x y")


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


async def test_a_question_of_long_ago_deletes_only_what_it_asked_about(ask, store):
    await ask("/alert btc price > 1")
    await ask("/delete all")
    ((delete, _),) = ask.buttons
    assert delete.command == "/delete all yes 1"
    await ask("/alert btc price > 2")
    assert await ask(delete.command) == "Delete these 2 alerts? Each can be brought back by its id for a day."
    assert await store.count(OWNER.chat) == 2
    assert await ask(ask.buttons[0][0].command) == "Deleted 2 alerts."


async def test_in_a_group_people_delete_what_they_made_and_the_owner_everything(ask, desk, store):
    await ask("/alert btc price > 1", OWNER)
    owners = await only(store)
    await ask("/alert btc price > 2", GUEST)
    assert await ask(f"/delete {owners.id}", GUEST) == "Only who made an alert, or an admin, may change it."
    assert await ask("/delete all", GUEST) == "Delete this alert? Each can be brought back by its id for a day."
    assert await ask("/delete all yes", GUEST) == "Deleted 1 alert. 1 made by others stay."
    assert await only(store) == owners
    await ask("/alert btc price > 2", GUEST)
    assert await ask("/delete all yes", OWNER) == "Deleted 2 alerts."
    assert len([c for c in desk.calls if c[0] == "remove"]) == 3
    assert await ask("/delete all") == "No alerts of this chat yet. Try /alert BTC oi > 5% 15m."


async def test_without_a_desk_it_says_that_it_takes_none(actions):
    for text in ("/alert btc oi > 5% 15m", "/alerts", "/delete all"):
        assert to_plain(await actions.answer(parse(text), asker=AT_TERMINAL)) == "I take no alerts here."


async def test_an_alert_by_buttons_alone(ask, store):
    assert (await ask("/alert")).startswith("An alert about which symbol?")
    assert await ask("/new BTCUSDT") == "What of BTCUSDT?"
    assert await ask("/new BTCUSDT oi") == "BTCUSDT oi: how much?"
    assert await ask("/new BTCUSDT oi ±5%") == "BTCUSDT oi ±5%: within which time?"
    assert "BTCUSDT abs(pct(oi, 15m)) >= 5%" in await ask("/new BTCUSDT oi ±5% 15m")
    assert "BTCUSDT abs(funding) >= 0.1%" in await ask("/new BTCUSDT funding ±0.10%")
    assert await store.count(OWNER.chat) == 2


async def test_several_symbols_are_several_alerts(ask, store):
    said = await ask("/alert btc,eth,doge,btcusdt oi ±4% 1h")
    assert said.startswith("🔔 3 alerts\n")
    assert "ETHUSDT abs(pct(oi, 1h)) >= 4%" in said
    assert await store.count(OWNER.chat) == 3
    assert "as many as it may" in await ask("/alert btc,eth oi ±5% 1h")


async def test_a_level_is_crossed_from_where_the_price_is(ask, ask_reply, desk, store):
    unknown = await ask_reply("/alert eth 4000")
    assert unknown.is_refusal
    assert to_plain(unknown) == "price of ETHUSDT is not known yet. Try again in a minute."
    desk.values["binance:ETHUSDT", "price"] = 4_012.0
    assert "ETHUSDT price <= 4000 · once" in await ask("/alert eth 4000")
    assert "ETHUSDT price >= 4100 · once" in await ask("/alert eth price crosses 4,100")


async def test_options_are_stored_and_shown(ask, store):
    said = await ask("/alert btc oi > 5% 15m silent until 18:00 note my bag")
    alert = await only(store)
    # 18:00 in Berlin, in winter.
    assert (alert.silent, alert.note, alert.ends_ms) == (True, "my bag", NOW_MS + 17 * 3_600_000)
    assert "pct(oi, 15m) > 5% · silent · until 18:00 Europe/Berlin · my bag" in said
    await ask("/alert btc oi > 6% 15m until 3d")
    assert (await store.of_chat(OWNER.chat, limit=2))[1].ends_ms == NOW_MS + 3 * 86_400_000


async def test_it_says_what_would_have_been_and_offers_a_calmer_one(ask, rehearsals):
    rehearsals.found = {0.05: Rehearsed(3, 86_000_000, NOW_MS - 60_000, 0.056)}
    assert "In the last 23h 53m it would have fired 3 times (last 00:59 CET, +5.60%)." in await ask(
        "/alert btc oi > 5% 15m"
    )
    rehearsals.found = {0.05: Rehearsed(0, 86_400_000)}
    assert "In the last 1d it would not have fired." in await ask("/alert eth oi > 5% 15m")
    rehearsals.found = {
        0.05: Rehearsed(30, 86_400_000, NOW_MS, 0.06),
        0.08: Rehearsed(12, 86_400_000),
        0.1: Rehearsed(5, 86_400_000),
    }
    assert "That is noisy. Try 10%?" in await ask("/alert doge oi > 5% 15m")


async def test_conditions_of_the_largest_say_what_would_have_been_too(ask, rehearsals, rules, market):
    market.largest = lambda n: [f"binance:{s}USDT" for s in ("BTC", "ETH", "DOGE")][:n]
    three = Rehearsed(3, 86_000_000, NOW_MS - 60_000, 0.056, "ETHUSDT", 2)
    rehearsals.found = {"pct(oi, 15m) >= 6%": three}
    said = await ask("/alert top2 oi up 6% 15m")
    assert "In the last 23h 53m it would have fired 3 times (last 00:59 CET, ETHUSDT)." in said
    assert rehearsals.asked == ["binance:BTCUSDT", "binance:ETHUSDT"]
    rehearsals.found = {
        "pct(oi, 15m) >= 5%": Rehearsed(40, 86_400_000, NOW_MS, 0.06, "BTCUSDT", 1),
        "pct(oi, 15m) >= 8%": Rehearsed(7, 86_400_000, NOW_MS, 0.09, "BTCUSDT", 1),
    }
    said = await ask("/alert top3 oi up 5% 15m every 30m")
    assert "it would have fired 40 times (last 01:00 CET)." in said
    assert "That is noisy. Try 8%?" in said
    assert ask.buttons[0][0].command == "/alert top3 when pct(oi, 15m) >= 8% every 30m"
    await ask(ask.buttons[0][0].command)
    assert [r.when for r in rules.of_chat(OWNER.chat)][-1] == "pct(oi, 15m) >= 8%"


async def test_several_at_once_are_told_of_together(ask, rehearsals):
    rehearsals.found = {0.05: Rehearsed(3, 86_400_000, NOW_MS, 0.06, "BTCUSDT", 1)}
    said = await ask("/alert btc,eth oi > 5% 15m")
    assert "In the last 1d it would have fired 6 times (last 01:00 CET, BTCUSDT, +6.00%)." in said


async def test_several_that_are_noisy_together_get_a_calm_size(ask, rehearsals):
    rehearsals.found = {
        0.05: Rehearsed(12, 86_400_000, NOW_MS, 0.06, "BTCUSDT", 1),
        0.08: Rehearsed(5, 86_400_000),
        0.1: Rehearsed(4, 86_400_000),
    }
    said = await ask("/alert btc,eth oi > 5% 15m")
    assert "it would have fired 24 times" in said
    assert "That is noisy. Try 10%?" in said


async def test_an_alert_is_tuned_into_another(ask, desk, store):
    await ask("/alert btc oi > 5% 15m")
    first = await only(store)
    said = await ask(f"/tune {first.id} 8% 1h both once silent")
    second = await only(store)
    assert said.startswith(f"🔔 {second.id} BTCUSDT abs(pct(oi, 1h)) > 8% · once silent\nIn the place of {first.id}.")
    assert [call[0] for call in desk.calls] == ["add", "remove", "add"]
    assert "has no" not in await ask(f"/tune {second.id} oneway")
    assert "I expected a size" in await ask(f"/tune {(await only(store)).id} banana")
    assert "compared with a percentage" in await ask(f"/tune {(await only(store)).id} 5")
    assert "Only who made" in await ask(f"/tune {(await only(store)).id} 5%", GUEST)
    assert "No alert of this chat" in await ask("/tune a-00000000 5%")


async def test_a_falling_one_both_ways_turns_its_level(ask, store):
    await ask("/alert btc oi < -5% 15m")
    await ask(f"/tune {(await only(store)).id} both")
    alert = await only(store)
    assert (alert.measure, alert.op, alert.level) == ("abs(pct(oi, 15m))", ">", 0.05)


async def test_a_button_that_is_pressed_twice_at_once_changes_one_alert_into_one(ask, store):
    await ask("/alert btc oi > 5% 15m")
    before = await only(store)
    first, second = await asyncio.gather(ask(f"/tune {before.id} 8%"), ask(f"/tune {before.id} 8%"))
    assert f"In the place of {before.id}." in first
    assert "No alert of this chat begins with" in second
    assert (await only(store)).level == 0.08


@pytest.mark.parametrize(
    ("made", "typed", "level"),
    [
        ("btc oi < -5% 15m", "8%", -0.08),
        ("btc price drops 3% 5m", "2% 1h", -0.02),
        ("btc oi < -5% 15m", "-8%", -0.08),
        ("btc oi < -5% 15m", "+8%", 0.08),
        ("btc oi ±5% 15m", "-8%", 0.08),
        ("btc oi > 5% 15m", "8%", 0.08),
        ("btc funding < -0.05%", "0.01%", 0.0001),
    ],
)
async def test_a_fall_is_tuned_by_its_size_alone(ask, store, made, typed, level):
    await ask(f"/alert {made}")
    await ask(f"/tune {(await only(store)).id} {typed}")
    assert (await only(store)).level == level


@pytest.mark.parametrize(
    ("made", "typed", "told"),
    [
        ("btc oi < -5% 15m", "120%", "oi cannot fall by more than 100%."),
        ("btc price > 70000", "-70000", "price is never below zero."),
    ],
)
async def test_nothing_is_tuned_into_what_cannot_be(ask, store, made, typed, told):
    await ask(f"/alert {made}")
    before = await only(store)
    assert await ask(f"/tune {before.id} {typed}") == told
    assert await only(store) == before


async def test_undo_takes_back_what_was_made_and_brings_back_what_was_deleted(ask, desk, store):
    await ask("/alert btc oi > 5% 15m")
    alert = await only(store)
    assert (await ask(f"/undo {alert.id}")).startswith(f"Deleted {alert.id}")
    assert (await ask(f"/undo {alert.id}")) == f"Back again: {alert.id} BTCUSDT pct(oi, 15m) > 5%"
    assert await only(store) == alert
    assert [call[0] for call in desk.calls] == ["add", "remove", "add"]
    assert "cannot be brought back" in await ask("/undo a-00000000")


async def test_undo_of_a_change_brings_back_the_one_before(ask, store):
    await ask("/alert btc oi > 5% 15m")
    first = await only(store)
    await ask(f"/tune {first.id} 8%")
    second = await only(store)
    undo = next(one.command for row in ask.buttons for one in row if one.label == "Undo")
    assert undo == f"/undo {second.id} {first.id}"
    assert "Only who made" in await ask(undo, GUEST)
    assert await only(store) == second
    assert await ask(undo) == f"Back again: {first.id} BTCUSDT pct(oi, 15m) > 5%"
    assert await only(store) == first
    # Pressed twice, it does nothing more.
    assert "cannot be brought back" in await ask(undo)
    assert await only(store) == first


async def test_an_old_undo_brings_nothing_back_beside_what_took_its_place(ask, store, clock):
    await ask("/alert btc oi > 5% 15m")
    old = next(one.command for row in ask.buttons for one in row if one.label == "Undo")
    first = await only(store)
    await clock.advance(60)
    await ask(f"/tune {first.id} 8%")
    second = await only(store)
    assert old == f"/undo {first.id}"
    said = f"Nothing was brought back: meanwhile it was changed to {second.id} BTCUSDT pct(oi, 15m) > 8%"
    assert await ask(old) == said
    await clock.advance(60)
    await ask(f"/tune {second.id} 10%")
    third = await only(store)
    # Also of one that was changed twice, and below the first change.
    said = f"Nothing was brought back: meanwhile it was changed to {third.id} BTCUSDT pct(oi, 15m) > 10%"
    for stale in (old, f"/undo {second.id} {first.id}", f"/undo {second.id}"):
        assert await ask(stale) == said
        assert await only(store) == third
    assert await ask(old, GUEST) == said
    await ask(old)
    instead = ask.buttons[0][0]
    assert (instead.label, instead.command) == ("Put it in that place", f"/undo {third.id} {first.id}")
    assert await ask(instead.command) == f"Back again: {first.id} BTCUSDT pct(oi, 15m) > 5%"
    assert await only(store) == first


async def test_undo_of_what_was_changed_and_then_deleted_brings_it_back(ask, store, clock):
    await ask("/alert btc oi > 5% 15m")
    first = await only(store)
    await clock.advance(60)
    await ask("/alert btc oi > 7% 15m")
    await clock.advance(60)
    await ask(f"/delete {first.id}")
    # Another one took no place.
    assert await ask(f"/undo {first.id}") == f"Back again: {first.id} BTCUSDT pct(oi, 15m) > 5%"
    await clock.advance(60)
    await ask(f"/tune {first.id} 8%")
    changed = next(one for one in await store.of_chat(OWNER.chat, limit=9) if one.level == 0.08)
    await clock.advance(60)
    await ask(f"/delete {changed.id}")
    assert await ask(f"/undo {first.id}") == f"Back again: {first.id} BTCUSDT pct(oi, 15m) > 5%"


async def test_undo_of_a_change_leaves_it_where_the_one_before_is_gone_for_good(ask, store, desk):
    await ask("/alert btc oi > 5% 15m")
    first = await only(store)
    await ask(f"/tune {first.id} 8%")
    second = await only(store)
    await store.prune(before_ms=NOW_MS + DAY_MS)
    assert "cannot be brought back" in await ask(f"/undo {second.id} {first.id}")
    assert await only(store) == second
    assert desk.calls[-1] == ("add", second.id)


async def test_what_is_no_plain_comparison_becomes_a_rule_of_the_chat(ask, rules, store):
    said = await ask("/alert btc,eth when pct(oi, 15m) > 5% and funding > 0.01% for 2m once note both")
    [rule] = rules.of_chat(OWNER.chat)
    assert (rule.symbols, rule.top, rule.for_ms, rule.once, rule.note) == (
        ("BTCUSDT", "ETHUSDT"),
        None,
        120_000,
        True,
        "both",
    )
    assert said.startswith(f"🔔 {rule.id} BTCUSDT, ETHUSDT pct(oi, 15m) > 5% and funding > 0.01% · for 2m once · both")
    same = "/alert btc,eth when pct(oi, 15m) > 5% and funding > 0.01% once for 2m note both"
    assert "is there already" in await ask(same)
    await ask("/alert top50 oi up 6% 15m every 30m")
    assert [r.top for r in rules.of_chat(OWNER.chat)] == [None, 50]
    await ask("/alert btc oi > 5% 15m")
    rules.lives[rule.id] = RuleLife(("binance:BTCUSDT",), 0, 2)
    listed = await ask("/alerts")
    assert listed.startswith(f"Alerts of this chat (3)\n\n{rule.id} BTCUSDT, ETHUSDT")
    assert "firing: BTCUSDT" in listed
    assert (await ask(f"/delete {rule.id}")).startswith(f"Deleted {rule.id}")
    assert (await ask(f"/undo {rule.id}")).startswith(f"Back again: {rule.id}")
    assert await ask("/delete all yes") == "Deleted 3 alerts."


async def test_in_a_group_people_change_and_bring_back_what_they_made(ask, store, rules):
    await ask("/alert btc price > 1", OWNER)
    owners = await only(store)
    not_yours = "Only who made an alert, or an admin, may change it."
    assert await ask(f"/tune {owners.id} 5", GUEST) == not_yours
    assert await ask(f"/undo {owners.id}", GUEST) == not_yours
    await ask(f"/delete {owners.id}", OWNER)
    assert "cannot be brought back" in await ask(f"/undo {owners.id}", GUEST)
    await ask("/alert btc when price > 1 and oi > 1", OWNER)
    [rule] = rules.of_chat(OWNER.chat)
    await ask(f"/delete {rule.id}", OWNER)
    assert "cannot be brought back" in await ask(f"/undo {rule.id}", GUEST)
    assert rules.of_chat(OWNER.chat) == []
    await ask("/alert btc price > 2", GUEST)
    guests = await only(store)
    await ask(f"/delete {guests.id}", OWNER)
    assert (await ask(f"/undo {guests.id}", GUEST)).startswith(f"Back again: {guests.id}")
    assert (await ask(f"/undo {guests.id}", OWNER)).startswith(f"Deleted {guests.id}")
    assert (await ask(f"/undo {guests.id}", OWNER)).startswith(f"Back again: {guests.id}")
    await ask(f"/tune {guests.id} 3", OWNER)
    changed = await only(store)
    assert (changed.level, changed.user) == (3, GUEST.user)


async def test_what_is_done_to_alerts_of_others_is_noted(market, desk, store, rules, rehearsals, clock):
    noted = []

    async def note(asker, what):
        noted.append((asker.user, what))

    alerts = AlertActions(
        market=market, store=store, desk=desk, rules=rules, rehearsals=rehearsals, clock=clock, max_per_chat=9
    )
    actions = Actions(alerts.handlers, note=note)
    await actions.answer(parse("/alert btc price > 2"), asker=GUEST)
    made = await only(store)
    for text in (f"/delete {made.id}", f"/undo {made.id}", f"/tune {made.id} 3"):
        await actions.answer(parse(text), asker=OWNER)
    assert noted == [
        (OWNER.user, f"{did} {made.id} of {GUEST.user} in {OWNER.chat}")
        for did in ("deleted", "brought back", "changed")
    ]


async def test_one_person_has_only_so_many(ask, store, rules, monkeypatch):
    monkeypatch.setitem(rights.ALERTS, Role.MEMBER, 2)
    full = "You have 2 alerts here, as many as you may. Delete one first."
    assert (await ask("/alert btc,eth,doge price > 1", GUEST)).startswith("🔔 2 alerts")
    assert await ask("/alert btc price > 2", GUEST) == full
    assert await ask("/alert btc when price > 1 and oi > 1", GUEST) == full
    one, _ = await store.of_chat(GUEST.chat, limit=9)
    await ask(f"/delete {one.id}", GUEST)
    await ask("/alert btc when price > 1 and oi > 1", GUEST)
    assert len(rules.of_chat(GUEST.chat)) == 1
    assert await ask(f"/undo {one.id}", GUEST) == full
    assert (await ask(f"/undo {one.id}", OWNER)).startswith("Back again")


async def test_rules_of_a_chat_have_a_limit(ask, rules):
    for n in range(MAX_RULES_PER_CHAT):
        await ask(f"/alert btc when price > {n} and oi > 1")
    assert "as many as I take" in await ask("/alert btc when price > 99 and oi > 1")


async def test_sizes_say_how_often_each_would_have_fired(ask_reply, rehearsals):
    rehearsals.found = {0.03: Rehearsed(9, 86_400_000), 0.05: Rehearsed(3, 86_400_000), 0.08: Rehearsed(0, 86_400_000)}
    reply = await ask_reply("/alert btc oi > 5% 15m")
    assert [b.label for b in reply.buttons[0]] == ["3% · 9×", "5% · 3× ✓", "8% · 0×"]
    assert "By size, in 1d: 3% 9×, 5% 3×, 8% 0×." in to_plain(reply)
    assert reply.later is None, "there is no history to ask"


async def test_the_history_is_added_when_it_is_there_and_nobody_waits(ask_reply, rehearsals, past):
    rehearsals.found = {0.05: Rehearsed(3, 86_400_000)}
    past.is_there = True
    past.found = {0.03: Rehearsed(41, 30 * DAY_MS), 0.05: Rehearsed(12, 30 * DAY_MS), 0.08: Rehearsed(2, 30 * DAY_MS)}
    reply = await ask_reply("/alert btc oi > 5% 15m")
    assert "history" not in to_plain(reply)
    assert past.asked == []
    (later,) = [one async for one in reply.later()]
    said = to_plain(later)
    assert "it would have fired 3 times" in said
    assert "In 30d of history it would have fired 12 times." in said
    assert [b.label for b in later.buttons[0]] == ["3% · 41×", "5% · 12× ✓", "8% · 2×"]
    assert past.asked == [("binance:BTCUSDT",)]


@pytest.mark.parametrize("found", [{}, {0.05: Rehearsed(1, 20 * 3_600_000)}])
async def test_a_history_that_tells_no_more_than_memory_is_left_out(ask_reply, past, found):
    past.is_there, past.found = True, found
    reply = await ask_reply("/alert btc oi > 5% 15m")
    assert [one async for one in reply.later()] == []


@pytest.mark.parametrize("whom", ["btc", "btc,eth"])
async def test_a_history_that_does_not_know_what_memory_saw_is_left_out(ask_reply, rehearsals, past, whom):
    """It ends a little earlier; that it never fired in three days would contradict that it did in the last one."""
    rehearsals.found = {0.05: Rehearsed(3, DAY_MS, 5, 0.06)}
    past.is_there, past.found = True, {0.05: Rehearsed(0, 3 * DAY_MS)}
    reply = await ask_reply(f"/alert {whom} oi > 5% 15m")
    assert "In the last 1d it would have fired" in to_plain(reply)
    assert [one async for one in reply.later()] == []


async def test_the_history_tells_of_several_and_of_conditions_too(ask_reply, past):
    past.is_there, past.found = True, {0.05: Rehearsed(6, 30 * DAY_MS), None: Rehearsed(4, 30 * DAY_MS)}
    reply = await ask_reply("/alert btc,eth oi > 5% 15m")
    (later,) = [one async for one in reply.later()]
    assert "🔔 2 alerts" in to_plain(later)
    assert "In 30d of history it would have fired 12 times." in to_plain(later)
    reply = await ask_reply("/alert btc,eth when pct(oi, 15m) > 5% and funding > 0.01%")
    (later,) = [one async for one in reply.later()]
    assert "In 30d of history it would have fired 4 times." in to_plain(later)
    assert past.asked == [("binance:BTCUSDT", "binance:ETHUSDT")] * 2
    assert (await ask_reply("/alert top50 oi > 5% 15m")).later is None


async def test_the_builder_says_it_for_each_choice(ask_reply, rehearsals, past):
    rehearsals.found = {0.03: Rehearsed(7, 86_400_000), 0.05: Rehearsed(2, 80_000_000), -0.05: Rehearsed(1, 60_000)}
    past.is_there, past.found = True, {0.05: Rehearsed(20, 30 * DAY_MS)}
    reply = await ask_reply("/new BTCUSDT oi")
    assert [b.label for row in reply.buttons for b in row] == ["±3% · 7×", "±5% · 2×", "±10%", "+5% · 2×", "-5%"]
    assert reply.buttons[0][0].command == "/new BTCUSDT oi ±3%"
    assert "Would have fired in 1d, within 15m: ±3% 7×, ±5% 2×, +5% 2×." in to_plain(reply)
    reply = await ask_reply("/new BTCUSDT oi ±5%")
    assert [b.label for row in reply.buttons for b in row] == [f"{w} · 2×" for w in ("5m", "15m", "1h", "4h")]
    (later,) = [one async for one in reply.later()]
    assert [b.label for row in later.buttons for b in row] == [f"{w} · 20×" for w in ("5m", "15m", "1h", "4h")]
    assert "Would have fired in 30d: 5m 20×, 15m 20×, 1h 20×, 4h 20×." in to_plain(later)


async def test_one_alert_is_looked_at_with_what_may_be_done_to_it(ask, desk, store, market):
    await ask("/alert btc oi > 5% 15m")
    alert = await only(store)
    desk.lives[alert.id] = AlertLife(AlertStage.WAITING, 0.018, 0)
    said = await ask("/alerts")
    assert [b.command for b in ask.buttons[0]] == [f"/alerts {alert.id}"]
    assert "waiting" in said
    said = await ask(f"/alerts {alert.id[:6]}")
    assert said == f"🔔 {alert.id} BTCUSDT pct(oi, 15m) > 5%\nWaiting · now +1.80% · 3.20 points to go"
    commands = [b.command for row in ask.buttons for b in row]
    for wanted in (
        *(f"/silence {alert.id} 1h", f"/silence {alert.id} 8h", "/chart binance:BTCUSDT", f"/delete {alert.id}"),
        *("/alerts", f"/tune {alert.id} 8%", f"/tune {alert.id} 1h", f"/tune {alert.id} both"),
    ):
        assert wanted in commands
    assert "No alert of this chat begins with 0000." in await ask("/alerts a-0000")


async def test_a_condition_is_looked_at_and_says_how_often_it_fired_today(
    market, desk, store, rules, rehearsals, clock
):
    since = []

    async def fired(since_ms):
        since.append(since_ms)
        return {one.id: 2 for one in rules.of_chat(OWNER.chat)}

    alerts = AlertActions(
        market=market,
        store=store,
        desk=desk,
        rules=rules,
        rehearsals=rehearsals,
        clock=clock,
        max_per_chat=9,
        zone_of=lambda _chat: "Europe/Berlin",
        fired=fired,
    )
    actions = Actions(alerts.handlers)
    await actions.answer(parse("/alert top50 oi up 6% 15m"), asker=OWNER)
    [rule] = rules.of_chat(OWNER.chat)
    assert "waiting · 2 today" in to_plain(await actions.answer(parse("/alerts"), asker=OWNER))
    reply = await actions.answer(parse(f"/alerts {rule.id}"), asker=OWNER)
    assert to_plain(reply).splitlines() == [f"🔔 {rule.id} top 50 pct(oi, 15m) >= 6%", "Waiting · 2 today"]
    assert [b.command for row in reply.buttons for b in row] == [
        *(f"/silence {rule.id} {span}" for span in ("1h", "8h", "30d")),
        *(f"/why {rule.id}", f"/delete {rule.id}", "/alerts"),
    ]
    assert set(since) == {NOW_MS - 3_600_000}, "the midnight before, in Berlin"


async def test_what_is_quiet_says_until_when_and_how_to_end_it(market, desk, store, rules, rehearsals, clock):
    async def fired(_since_ms):
        return {}

    hushed = {}
    alerts = AlertActions(
        market=market,
        store=store,
        desk=desk,
        rules=rules,
        rehearsals=rehearsals,
        clock=clock,
        max_per_chat=9,
        zone_of=lambda _chat: "Europe/Berlin",
        fired=fired,
        hush_of=lambda one: hushed.get(one.id),
    )
    actions = Actions(alerts.handlers)
    await actions.answer(parse("/alert btc oi > 5% 15m"), asker=OWNER)
    await actions.answer(parse("/alert top50 oi up 6% 15m"), asker=OWNER)
    plain, rule = await only(store), rules.of_chat(OWNER.chat)[0]
    for one in (plain, rule):
        hushed[one.id] = Hush("silence", "telegram:7", NOW_MS + 3_600_000, "", f"s-{one.id[2:]}")
        reply = await actions.answer(parse(f"/alerts {one.id}"), asker=OWNER)
        assert "💤 until 02:00 Europe/Berlin" in to_plain(reply)
        commands = [b.command for row in reply.buttons for b in row]
        assert f"/unsilence s-{one.id[2:]}" in commands
        assert not any(command.startswith("/silence") for command in commands)
    listed = await actions.answer(parse("/alerts"), asker=OWNER)
    assert to_plain(listed).count("💤 until 02:00 Europe/Berlin") == 2
    assert [b.command for b in listed.buttons[-1]] == ["/new", "/silence all here 8h"]

    for one in (plain, rule):
        hushed[one.id] = Hush("silence", "telegram:7", NOW_MS + 3_600_000, "", "s-all")
    listed = await actions.answer(parse("/alerts"), asker=OWNER)
    assert to_plain(listed).count("💤 until 02:00 Europe/Berlin") == 1, "what keeps all quiet is said once"


async def test_several_are_taken_back_at_once_and_brought_back_one_by_one(ask, store, rehearsals):
    rehearsals.found = {0.05: Rehearsed(15, 86_400_000), 0.08: Rehearsed(1, 86_400_000)}
    await ask("/alert btc,eth oi > 5% 15m")
    (calm, (_, undo)) = ask.buttons
    assert [(b.label, b.command) for b in calm] == [("8% as well", "/alert BTCUSDT,ETHUSDT when pct(oi, 15m) > 8%")]
    said = await ask(undo.command)
    assert said.startswith("Deleted 2 alerts\n")
    assert await store.count(OWNER.chat) == 0
    for button in ask.buttons[0]:
        assert (await ask(button.command)).startswith("Back again: ")
    assert await store.count(OWNER.chat) == 2
    assert "No alert of this chat begins with zzzz" in await ask("/delete zzzz yyyy")
    assert "BTCUSDT pct(oi, 15m) > 8%" in await ask(calm[0].command)


@pytest.mark.parametrize(
    ("typed", "value", "told", "offered"),
    [
        (
            "btc oi > 5", 88_700.0, "That is far from 88.7k. Did you mean a change of 5%?",
            "/alert BTCUSDT oi > 5% 15m",
        ),
        (
            "btc price < 5", 93_183.0, "That is far from 93,183. Did you mean a change of -5%?",
            "/alert BTCUSDT price < -5% 15m",
        ),
        (
            "btc oi > 12b", 88_700.0, "oi counts coins, oi_usd counts dollars. Did you mean dollars?",
            "/alert BTCUSDT oi_usd > 12B",
        ),
        ("btc oi > 90k", 88_700.0, "", ""),
        ("btc price > 0.00001", 93_183.0, "", ""),
        (
            "btc price > 100.000", 93_183.0, "A point divides. Did you mean 100_000?",
            "/alert BTCUSDT price > 100_000",
        ),
        ("btc oi > 12b", None, "", ""),
        ("btc price > 5M", 93_183.0, "", ""),
        ("btc funding > 0.05%", 1e-9, "", ""),
    ],
)  # fmt: skip
async def test_a_level_far_from_the_figure_is_asked_about(ask, desk, typed, value, told, offered):
    desk.values["binance:BTCUSDT", typed.split()[1]] = value
    said = await ask(f"/alert {typed}")
    commands = [b.command for row in ask.buttons for b in row]
    assert (told in said) if told else ("Did you mean" not in said)
    assert offered in commands if offered else not any(command.startswith("/alert ") for command in commands)


async def test_what_is_begun_goes_on_by_buttons(ask):
    assert await ask("/alert btc") == "What of btc?"
    assert "btc oi: how much?" in await ask("/alert btc open_interest")
    assert "btc vol: how much?" in await ask("/alert btc volume")
    assert "After basis I expected a comparison" in await ask("/alert btc basis")
    assert "After ETH I expected a figure" in await ask("/alert btc,ETH")
    assert "Before oi I expected a symbol" in await ask("/alert oi")


async def test_a_refusal_offers_the_same_for_the_same_symbol(ask):
    said = await ask("/alert eth oi banana")
    assert said == "After oi I expected > or <, not banana. Write it like /alert eth oi > 5% 15m."
    commands = [b.command for row in ask.buttons for b in row]
    assert commands == ["/alert eth oi > 5% 15m", "/alert eth oi ±3% 5m", "/help alert"]


async def test_the_same_condition_with_other_options_is_another(ask, rules):
    await ask("/alert btc,eth 4000")
    assert "is there already" in await ask("/alert btc,eth crosses 4000")
    assert "is there already" not in await ask("/alert btc,eth price 4000 every 1h")
    assert [rule.once for rule in rules.of_chat(OWNER.chat)] == [True, False]


async def test_alerts_are_listed_by_contract_and_by_id_without_its_mark(ask, store):
    await ask("/alert btc oi > 5% 15m")
    await ask("/alert eth oi > 6% 15m")
    await ask("/alert btc when pct(oi, 15m) > 5% and funding > 0.01%")
    said = await ask("/alerts bitcoin")
    assert said.startswith("Alerts of this chat (2) · BTCUSDT\n")
    assert "ETHUSDT" not in said
    assert await ask("/alerts doge") == "No alerts of this chat about DOGEUSDT."
    assert (await ask("/alerts nothing")).startswith("I don't know the symbol nothing.")
    one = (await store.of_chat(OWNER.chat, limit=1))[0]
    assert (await ask(f"/alerts {one.id.removeprefix('a-')}")).startswith(f"🔔 {one.id} ")


async def test_a_price_of_one_coin_of_a_contract_of_a_thousand_is_asked_about(ask, desk):
    desk.values["binance:1000PEPEUSDT", "price"] = 0.0042
    said = await ask("/alert pepe price > 0.00001")
    assert "This contract counts 1000 coins as one. Did you mean 0.01?" in said
    assert "/alert 1000PEPEUSDT price > 0.01" in [b.command for row in ask.buttons for b in row]


@pytest.mark.parametrize(
    ("typed", "told", "offered"),
    [
        (
            "btc price > 100k or eth price > 5k",
            "An alert looks at one contract at a time. One for each:",
            ["/alert BTC price > 100k", "/alert ETH price > 5k"],
        ),
        (
            "btc oi > 5% 15m and eth price > 5k",
            "I cannot ask two contracts at once: an alert looks at one at a time. One for each:",
            ["/alert BTC oi > 5% 15m", "/alert ETH price > 5k"],
        ),
        (
            "btc price > 100k; price < 70k",
            "These are 2 alerts. Make each by itself:",
            ["/alert BTC price > 100k", "/alert BTC price < 70k"],
        ),
    ],
)
async def test_alerts_over_two_contracts_are_offered_one_by_one(ask, desk, typed, told, offered):
    said = await ask(f"/alert {typed}")
    assert said == "\n".join((told, *offered))
    assert [b.command for row in ask.buttons for b in row] == [*offered, "/help alert"]
    assert desk.calls == []
    assert all([(await ask(command)).startswith("🔔") for command in offered])


async def test_a_second_symbol_that_is_not_known_is_never_guessed(ask):
    assert await ask("/alert btc price > 100k or BTCUDST price > 5k") == "I don't know the symbol BTCUDST."
    assert "unexpected" in await ask("/alert btc price > 100k or qqqqqqqqq price > 5k")
