"""`/rules` as people see it."""

import asyncio
from types import MappingProxyType

import pytest

from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.commands import Command, parse
from bot.chat.rule_actions import RuleActions
from bot.chat.telegram_html import to_plain
from bot.model.members import Role
from bot.model.risk import RiskSettings
from bot.model.silence import last_midnight_ms
from bot.model.subscriptions import Look, RuleTold, Subscription

HOUR_MS = 3_600_000
T0 = 1_767_225_600_000
"""A midnight of UTC, in winter."""


def told(id_: str, **changes) -> RuleTold:
    fixed = {"title": id_.replace("_", " "), "is_enabled": True, "is_told": True, "condition": "pct(oi, 15m) >= 5%"}
    numbers = {
        "number": 0.05,
        "number_of_file": 0.05,
        "is_ratio": True,
        "level": "normal",
        "n_firing": 0,
        "n_dropped": 0,
    }
    return RuleTold(**{"id": id_, **fixed, **numbers, **changes})


class HandShelf:
    def __init__(self, *rules: RuleTold, today=MappingProxyType({})) -> None:
        self._rules, self._today = rules, today
        self.was_set = []

    def place(self, _chat):
        return "main"

    def rules(self, _chat):
        return self._rules

    async def fired_today(self, _chat):
        return self._today

    def wish(self, chat, rule=""):
        return Subscription(chat, rule)

    async def set(self, wanted):
        self.was_set.append(wanted)

    def look(self, _chat):
        return Look()


async def ask(shelf: HandShelf, *words: str) -> str:
    actions = RuleActions(shelf, lambda _place: None)
    return to_plain(await actions.rules(Command("rules", words), AT_TERMINAL))


async def test_the_list_says_how_often_each_rule_fired_today():
    shelf = HandShelf(told("surge"), told("flush", n_firing=1), told("quiet_one"), today={"surge": 3, "flush": 1})
    said = (await ask(shelf)).splitlines()
    assert said[1:] == [
        "✅ 1 surge · 5% 15m · 3 today",
        "✅ 2 flush · 5% 15m · 1 today · 1 firing",
        "✅ 3 quiet one · 5% 15m",
    ]


async def test_the_page_of_a_rule_says_it_too():
    shelf = HandShelf(told("surge"), told("flush"), told("calm"), today={"surge": 3, "flush": 1})
    assert "Fired 3 times today." in await ask(shelf, "surge")
    assert "Fired 1 time today." in await ask(shelf, "flush")
    assert "It has not fired today." in await ask(shelf, "calm")


async def test_rules_that_lie_on_the_disk_and_do_not_run_are_told():
    actions = RuleActions(HandShelf(told("surge")), lambda _place: None, lambda: ("rules/my.yaml:8:12: an error",))
    said = to_plain(await actions.rules(Command("rules", ()), AT_TERMINAL))
    assert said.endswith("\n⚠️ rules/my.yaml:8:12: an error")


@pytest.mark.parametrize("typed", ["off quiet_one", "off Quiet One", "quiet one off", "QUIET-ONE off"])
async def test_a_rule_is_named_in_words_too_and_what_becomes_of_it_may_come_last(typed):
    shelf = HandShelf(told("surge"), told("quiet_one"))
    assert "It is not told here any more." in await ask(shelf, *typed.split())
    assert shelf.was_set == [Subscription("terminal", "quiet_one", is_on=False)]


@pytest.mark.parametrize("typed", ["set quiet_one 8%", "set quiet one 8%", "quiet_one 8%", "quiet one +8%"])
async def test_a_number_of_its_own_in_any_order(typed):
    shelf = HandShelf(told("surge"), told("quiet_one"))
    assert "From now on with this number." in await ask(shelf, *typed.split())
    assert shelf.was_set == [Subscription("terminal", "quiet_one", number=0.08)]


@pytest.mark.parametrize(
    ("level", "told_so"),
    [
        ("fewer", "first cannot be told less often: beyond 1 it would never be true."),
        ("more", "first cannot be told more often: beyond 1 it would always be true."),
    ],
)
async def test_where_there_is_nothing_fewer_or_more_that_is_said_and_there_is_no_button(level, told_so):
    shelf = HandShelf(told("first", number=1.0, number_of_file=1.0, is_ratio=False, ends=(level,)))
    actions = RuleActions(shelf, lambda _place: None)
    for words in ((level, "first"), ("first",)):
        reply = await actions.rules(Command("rules", words), AT_TERMINAL)
        offered = [button.command for row in reply.buttons for button in row]
        assert f"/rules {level} first" not in offered
        assert "/rules normal first" in offered
        assert reply.is_refusal == (words != ("first",))
        assert (to_plain(reply) == told_so) == reply.is_refusal
    assert shelf.was_set == []


async def test_a_rule_is_shown_by_a_name_of_several_words():
    assert (await ask(HandShelf(told("quiet_one")), "quiet", "one")).startswith("quiet one · quiet_one")


def test_a_day_begins_at_midnight_of_the_zone():
    assert last_midnight_ms("UTC", T0 + 5 * HOUR_MS) == T0
    assert last_midnight_ms("UTC", T0) == T0
    # An hour ahead: at 23:30 UTC the next day has begun there.
    assert last_midnight_ms("Europe/Berlin", T0 - HOUR_MS // 2) == T0 - HOUR_MS
    # A day of 23 hours, in which clocks went forward at one in the night: 2026-03-29.
    noon = 1_774_782_000_000
    assert noon - last_midnight_ms("Europe/Berlin", noon) == 12 * HOUR_MS


class Keeping(HandShelf):
    """Keeps what is set."""

    def __init__(self, *rules: RuleTold) -> None:
        super().__init__(*rules)
        self.seen = Look()

    def look(self, _chat):
        return self.seen

    async def set_look(self, _chat, look):
        await asyncio.sleep(0)
        self.seen = look

    async def set(self, _wish): ...

    async def forget(self, _chat): ...

    def topics(self, _chat):
        return ()

    def tags(self):
        return frozenset()

    async def set_topic(self, _route): ...

    async def drop_topic(self, _chat, _topic):
        return 1


IN_GROUP = in_telegram(-5, 71, role=Role.ADMIN, topic=9)
IN_PRIVATE = in_telegram(71, 71, role=Role.ADMIN)


@pytest.mark.parametrize(
    ("typed", "did"),
    [
        ("/rules off surge", "set surge to off in telegram:-5"),
        ("/rules set surge 8%", "set surge to 8% (before 0.05) in telegram:-5"),
        ("/rules fewer", "set all rules to fewer in telegram:-5"),
        ("/rules reset", "set all rules to reset in telegram:-5"),
        ("/settings zone Europe/Berlin", "set zone to Europe/Berlin (before UTC) in telegram:-5"),
        ("/settings charts off", "set has_charts to False (before True) in telegram:-5"),
        ("/settings charts on", ""),
        ("/settings", ""),
        ("/language zh", "set language to zh (before none) in telegram:-5"),
        ("/language", ""),
        ("/here surge", "let topic 9 be told rule:surge in telegram:-5"),
        ("/here off", "ended what topic 9 is told in telegram:-5"),
        ("/rules surge", ""),
        ("/rules off banana", ""),
    ],
)
async def test_what_is_set_for_a_group_is_for_the_audit_log_and_what_is_set_in_private_is_not(typed, did):
    for asker, expected in ((IN_GROUP, did), (IN_PRIVATE, "")):
        actions, command = RuleActions(Keeping(told("surge")), lambda _place: None), parse(typed)
        reply = await actions.handlers[command.name](command, asker)
        assert reply.did == expected


async def test_the_settings_of_a_private_chat_lead_to_what_is_stored_about_somebody():
    def commands(reply):
        return {button.command for row in reply.buttons for button in row}

    actions = RuleActions(Keeping(told("surge")), lambda _place: None)
    own = {"/mydata", "/forget me", "/risk"}
    assert own <= commands(await actions.settings(Command("settings"), IN_PRIVATE))
    assert not own & commands(await actions.settings(Command("settings"), IN_GROUP))


async def test_settings_tell_what_somebody_may_lose_in_private_alone():
    risks = {AT_TERMINAL.user: RiskSettings(10_000.0, 0.01, 5.0)}
    actions = RuleActions(HandShelf(told("surge")), lambda _place: None, risk_of=risks.get)

    async def said(asker):
        return to_plain(await actions.settings(Command("settings", ()), asker))

    assert "Risk · equity $10,000, risk 1% per trade" in await said(AT_TERMINAL)
    assert "Risk · not set" in await said(in_telegram(7, 7))
    assert "Risk" not in await said(in_telegram(-100_500, 7))


async def test_of_two_settings_at_once_neither_is_lost():
    shelf = Keeping(told("surge"))
    actions = RuleActions(shelf, lambda _place: None)
    asked = [parse(text) for text in ("/settings zone Europe/Berlin", "/settings detail short", "/language zh")]
    await asyncio.gather(*(actions.handlers[one.name](one, IN_PRIVATE) for one in asked))
    assert shelf.seen == Look(zone="Europe/Berlin", detail="short", language="zh")
