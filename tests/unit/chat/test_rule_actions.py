"""`/rules` as people see it."""

from types import MappingProxyType

from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import Command
from bot.chat.rule_actions import RuleActions
from bot.chat.telegram_html import to_plain
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

    def place(self, _chat):
        return "main"

    def rules(self, _chat):
        return self._rules

    async def fired_today(self, _chat):
        return self._today

    def wish(self, chat, rule=""):
        return Subscription(chat, rule)

    def look(self, _chat):
        return Look()


async def ask(shelf: HandShelf, *words: str) -> str:
    actions = RuleActions(shelf, lambda _place: None)
    return to_plain(await actions.rules(Command("rules", words), AT_TERMINAL))


async def test_the_list_says_how_often_each_rule_fired_today():
    shelf = HandShelf(told("surge"), told("flush", n_firing=1), told("quiet_one"), today={"surge": 3, "flush": 1})
    said = (await ask(shelf)).splitlines()
    assert said[1:] == ["✅ 1 surge · 5% · 3 today", "✅ 2 flush · 5% · 1 today · 1 firing", "✅ 3 quiet one · 5%"]


async def test_the_page_of_a_rule_says_it_too():
    shelf = HandShelf(told("surge"), told("flush"), told("calm"), today={"surge": 3, "flush": 1})
    assert "Fired 3 times today." in await ask(shelf, "surge")
    assert "Fired 1 time today." in await ask(shelf, "flush")
    assert "It has not fired today." in await ask(shelf, "calm")


def test_a_day_begins_at_midnight_of_the_zone():
    assert last_midnight_ms("UTC", T0 + 5 * HOUR_MS) == T0
    assert last_midnight_ms("UTC", T0) == T0
    # An hour ahead: at 23:30 UTC the next day has begun there.
    assert last_midnight_ms("Europe/Berlin", T0 - HOUR_MS // 2) == T0 - HOUR_MS
    # A day of 23 hours, in which clocks went forward at one in the night: 2026-03-29.
    noon = 1_774_782_000_000
    assert noon - last_midnight_ms("Europe/Berlin", noon) == 12 * HOUR_MS
