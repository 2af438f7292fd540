"""`/rules` as people see it."""

from types import MappingProxyType

import pytest

from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.commands import Command, parse
from bot.chat.rule_actions import RuleActions
from bot.chat.telegram_html import to_plain
from bot.model.members import Role
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


class Keeping(HandShelf):
    """Keeps what is set."""

    def __init__(self, *rules: RuleTold) -> None:
        super().__init__(*rules)
        self.seen = Look()

    def look(self, _chat):
        return self.seen

    async def set_look(self, _chat, look):
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
