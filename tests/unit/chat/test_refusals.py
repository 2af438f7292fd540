"""Whatever is wrong with what was typed, a sentence says what was expected, and a command shows how to write it."""

import re
from types import SimpleNamespace

import pytest

from bot.alerts.muting import Muting
from bot.chat import own_data, people_pages, risk_pages, rule_pages, score_pages, silence_pages, why_pages
from bot.chat.actions import Actions
from bot.chat.alert_actions import AlertActions
from bot.chat.asker import in_telegram
from bot.chat.backtest_actions import BacktestActions
from bot.chat.board import BoardActions, Boards
from bot.chat.chart_actions import ChartActions
from bot.chat.commands import COMMANDS, Command, parse
from bot.chat.dead_letters import DeadLetters
from bot.chat.looking import Looking
from bot.chat.own_data import OwnData
from bot.chat.people_actions import PeopleActions
from bot.chat.rank_actions import Rankings
from bot.chat.reviving import Reviving
from bot.chat.risk_actions import RiskActions
from bot.chat.rule_actions import RuleActions
from bot.chat.score_actions import ScoreActions
from bot.chat.silence_actions import SilenceActions
from bot.chat.telegram_html import to_plain
from bot.chat.watch_actions import WatchActions
from bot.chat.why import Why
from bot.chat.why_not import WhyNot
from bot.model.explanation import RuleName
from bot.model.instrument import Instrument
from bot.model.members import Role
from bot.model.risk import Refused
from bot.storage.memory import MemoryAlertStore, MemoryOutbox, MemorySilenceStore
from tests.support.chat_world import OWNER, ChatWorld
from tests.support.hand_alerts import HandChatRules, HandRehearsals
from tests.unit.chat.test_rule_actions import HandShelf, told

LONG = "x" * 60
MANY = " ".join(f"w{n}" for n in range(70))
WRONG: dict[str, tuple[str, ...]] = {
    "oi": ("banana", LONG, MANY, "@nosuch"),
    "price": ("banana", LONG, MANY, "@nosuch"),
    "funding": ("banana", LONG, MANY, "@nosuch"),
    "top": ("banana", "oi 7m", "0", LONG, MANY),
    "chart": ("banana", "BTC banana", "BTC 5m", "BTC 9000d", LONG, MANY, "@nosuch"),
    "why": ("banana", "BTC nosuchrule", "#zz", "#00000000", LONG, MANY),
    "whynot": ("banana", "BTC nosuchrule", LONG, MANY),
    "board": ("banana", "on off", MANY),
    "pin": ("banana", LONG, MANY, "@nosuch"),
    "unpin": ("banana", LONG, MANY),
    "pins": ("banana",),
    "watch": ("Ünï BTC", "pins BTC", "majors", "majors banana", LONG, MANY),
    "unwatch": ("nosuch", "Ünï", LONG, MANY),
    "alert": (
        *(
            "banana",
            "BTC banana",
            "BTC oi >",
            "BTC oi > banana",
            "BTC oi > 5% 0m",
            "BTC oi > 5% 15m banana",
        ),
        *("BTC when", "BTC when banana", "BTC when oi >", "BTC oi > 5% 15m for banana", "BTC oi > 5% 15m until banana"),
        *("nosuchcoin oi > 5% 15m", "top0 oi > 5% 15m", "top9999 oi > 5% 15m", "BTC price crosses banana", "> 5%"),
        *(
            "BTC oi > 5% 15m note " + LONG * 3,
            "@nosuch oi > 5% 15m",
            ",".join(f"C{n}" for n in range(11)) + " oi > 5%",
            LONG,
            MANY,
        ),
    ),
    "alerts": ("banana", "0", "99", "1 2"),
    "delete": ("", "banana!", "a-0000", "a-0000 a-0001", "zz"),
    "tune": ("", "banana", "a-0000 8%", "zz 8%"),
    "undo": ("", "banana", "a-7q4m", "a-00000000"),
    "new": ("banana", "BTC banana", MANY),
    "silence": (
        *(
            "banana 2h",
            "BTC until banana",
            "BTC for banana",
            "tag:a tag:b 2h",
            "all BTC",
            "BTC 2s",
            "BTC 99d",
        ),
        *(
            "#zz 2h",
            "#00000000 2h",
            "a-00000000 2h",
            "severity:banana 2h",
            "BTC at",
            "BTC at nowhere",
            "@nosuch",
            LONG,
            MANY,
        ),
    ),
    "silences": ("banana",),
    "unsilence": ("", "banana!", "s-00000000", "a b !"),
    "ack": ("", "banana!", "#00000000", "#00000000 banana", "#00000000 for 2h later"),
    "quiet": ("banana", "25:00-07:00", "07:00-07:00", "23:00-07:00 Nowhere/Land", MANY),
    "rules": (
        "banana",
        "off",
        "off banana",
        "set",
        "set surge",
        "set surge banana",
        "set surge 9999%",
        "fewer a b",
        MANY,
    ),
    "score": ("banana!", "replies maybe", "oi_surge oi_flush", LONG, MANY),
    "backtest": ("banana", "oi_surge 5m", "oi_surge 7d 30d", f"oi_surge {MANY}"[:300], LONG, MANY),
    "settings": ("banana", "zone Nowhere/Land", "detail banana", "charts maybe", "language klingon", MANY),
    "language": ("klingon", "en zh"),
    "here": ("banana", "a b", MANY),
    "risk": ("banana", "-5", "0", "200%", "500x", MANY),
    "stop": ("", "BTC", "banana long", "BTC sideways", "BTC long banana", "BTC long 1s", LONG, MANY),
    "stops": ("banana", "off", "off !!", "off w-0000"),
    "users": ("banana",),
    "user": ("", "banana", "71234 banana", "1 2 3"),
    "admit": ("", "banana", "71234 banana", "99"),
    "invite": ("banana", "member admin"),
    "join": ("banana",),
    "audit": ("banana", "99", "1 2"),
    "mydata": ("banana",),
    "forget": ("", "you", "me now"),
    "deadletters": ("banana", "retry", "retry !!", "retry 00000000"),
    "revive": ("nosuch", "a b", LONG),
    "reload": ("banana",),
    "backup": ("banana",),
    "logs": ("banana",),
    "dashboard": ("banana",),
    "status": ("banana",),
    "help": ("banana", LONG),
}
"""By command, what is wrong behind it. Behind /start stands what a link says, so nothing is wrong there."""


class NoDesk:
    """Nothing lives, and nothing is known of what is asked."""

    def add(self, _alert): ...

    def life(self, _alert_id): ...

    def value(self, _instrument, _measure): ...

    def why_unknown(self, _instrument, _measure):
        return ""

    def settings_of(self, _person): ...

    def figures(self, _key, _window_ms): ...

    def watches_of(self, _chat):
        return ()


class Shelf(HandShelf):
    def tags(self):
        return frozenset({"whale"})

    def topics(self, _chat):
        return ()


class Scores:
    """Nothing was told yet."""

    def place(self, chat):
        return chat

    async def title_of(self, _rule_id):
        return None


class OneBuried:
    async def entries(self, _states, *, limit):
        return [SimpleNamespace(row=SimpleNamespace(key="f" * 40, id="x"))][:limit]


class OneDead:
    def dead(self):
        return {"discord": "unknown webhook"}

    def revive(self, name):
        return name == "discord"


@pytest.fixture
def ask(market, status, why, lists, ranks):
    world = ChatWorld()
    outbox, clock = MemoryOutbox(), world.clock
    look = Looking(market=market, status=status, clock=clock, lists=lists)
    people = PeopleActions(world.people, audit=world.audit, ending=world.ending, clock=clock)
    families = [
        *(look, Why(market, why), WhyNot(market, why), Rankings(looking=look, market=market, ranks=ranks)),
        *(WatchActions(looking=look, market=market, lists=lists), ChartActions(market, None), people),
        *(DeadLetters(OneBuried()), Reviving(OneDead()), BoardActions(Boards(None, clock), None)),
        OwnData(world.people, world.data, world.ending, clock),
        RuleActions(Shelf(told("surge"), told("flush")), lambda _place: None),
        ScoreActions(desk=Scores(), market=market, why=why),
        BacktestActions(None, lambda _chat: (RuleName("oi_surge", "OI surge"),), lambda _chat, _rule: None, market),
        RiskActions(market=market, risks=NoDesk(), desk=NoDesk(), venue_now=clock.wall_ms),
        SilenceActions(
            market=market,
            store=MemorySilenceStore(MemoryAlertStore(outbox)),
            outbox=outbox,
            chat_alerts=world.alerts,
            mutes=Muting(),
            rules=lambda: (RuleName("oi_surge", "OI surge"),),
            destination_of=lambda _chat: "telegram",
            destinations=lambda: ("telegram",),
            venue_now=clock.wall_ms,
        ),
        AlertActions(
            market=market,
            store=world.alerts,
            desk=NoDesk(),
            rules=HandChatRules(),
            rehearsals=HandRehearsals(),
            clock=clock,
            max_per_chat=3,
        ),
    ]
    actions = Actions(*(one.handlers for one in families), lists=lists)

    async def ask(text):
        asked = parse(text)
        assert asked is not None
        return await actions.answer(asked, asker=in_telegram(OWNER, OWNER, is_owner=True, topic=5))

    return ask


def commands_in(said):
    """Whatever a text holds from a slash on, as far as any number of words."""
    for found in re.finditer(r"/[a-z]", said):
        words = said[found.start() :].split()
        for n in range(1, len(words) + 1):
            yield " ".join(words[:n]).rstrip(".:,")


def test_the_table_names_every_command():
    assert WRONG.keys() == {spec.name for spec in COMMANDS} - {"start"}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_wrong_is_said_with_what_was_expected_and_an_example(ask, name):
    faults = []
    assert not (await ask("/alert BTC price > 1")).is_refusal
    for typed in WRONG[name]:
        text = f"/{name} {typed}".rstrip()
        reply = await ask(text)
        said = to_plain(reply)
        examples = [*(button.command for row in reply.buttons for button in row), *commands_in(said)]
        if not reply.is_refusal:
            faults.append(f"{text[:60]!r} is no refusal: {said[:150]!r}")
        elif not any(isinstance(parse(one), Command) for one in examples):
            faults.append(f"{text[:60]!r} has no example: {said[:150]!r}")
        elif not re.search(r"[.?:]$", said.splitlines()[0]):
            faults.append(f"{text[:60]!r} is no sentence: {said[:150]!r}")
        elif len(said) > 600:
            faults.append(f"{text[:60]!r} says too much: {said[:150]!r}")
    assert not faults, "\n".join(faults)


NOT_DONE = (
    own_data._owner(),
    people_pages.only_private(),
    people_pages.not_admins(),
    people_pages.not_owner(),
    people_pages.not_yourself(),
    people_pages.no_link_here(Role.MEMBER),
    people_pages.of_settings(),
    people_pages.only_groups(),
    people_pages.full_of_groups(),
    risk_pages.only_private(),
    risk_pages.refused(Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING"), Refused("Too near.")),
    rule_pages.not_told(),
    score_pages.not_told(),
    silence_pages.full(9),
    silence_pages.nothing_to_end(),
    silence_pages.not_yours(),
    why_pages.needs_symbol(RuleName("oi_surge", "OI surge")),
    why_pages.not_yet(),
)
"""Asked for as it should be, and not done for another reason."""


@pytest.mark.parametrize("reply", NOT_DONE, ids=lambda one: to_plain(one)[:30])
def test_what_is_not_done_is_told_to_scripts_as_a_refusal(reply):
    assert reply.is_refusal
