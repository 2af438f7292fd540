"""`/rules` as people see it."""

from types import MappingProxyType

import pytest

from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.commands import Command
from bot.chat.rule_actions import RuleActions
from bot.chat.telegram_html import to_plain
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


async def test_settings_tell_what_somebody_may_lose_in_private_alone():
    risks = {AT_TERMINAL.user: RiskSettings(10_000.0, 0.01, 5.0)}
    actions = RuleActions(HandShelf(told("surge")), lambda _place: None, risk_of=risks.get)

    async def said(asker):
        return to_plain(await actions.settings(Command("settings", ()), asker))

    assert "Risk · equity $10,000, risk 1% per trade" in await said(AT_TERMINAL)
    assert "Risk · not set" in await said(in_telegram(7, 7))
    assert "Risk" not in await said(in_telegram(-100_500, 7))
