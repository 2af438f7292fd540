"""Whatever people type is answered, briefly and as valid markup."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import COMMANDS, parse
from bot.chat.reply import Button, Line, Reply, Span, Style, Table, columns, table_lines
from bot.chat.symbols import SymbolBook
from bot.chat.telegram_html import keyboard, to_html, to_plain, utf16_units
from bot.chat.terminal_text import to_text
from bot.chat.watchlists import Watchlists
from bot.clock import ManualClock
from bot.model.alert import State, Transition, alert_key
from bot.model.cards import CARD_WINDOWS_MS, BotStatus, InstrumentCard
from bot.model.explanation import (
    AlertSeen,
    Distance,
    Explanation,
    Glance,
    Node,
    RuleName,
    SampleSeen,
    UnitsThen,
    WindowSeen,
)
from bot.model.instrument import Instrument
from bot.model.rankings import FundingTable, Ranked, TopList
from bot.model.view import Move
from bot.storage.memory_watchlists import MemoryWatchlistStore
from tests.support.chat_actions import looking

ANY_TEXT = st.text(st.characters(), max_size=300)  # lone surrogates included
WORDS = [word for spec in COMMANDS for word in (spec.name, *spec.aliases)]
TYPED = st.one_of(
    ANY_TEXT,
    st.builds(lambda word, rest: f"/{word} {rest}", st.sampled_from(WORDS), ANY_TEXT),
    st.builds(lambda word, rest: f"/{word}{rest}", st.sampled_from(WORDS), ANY_TEXT),
    st.text("<>&\"'", max_size=4_096).map(lambda text: f"/oi {text}"),
)
NUMBER = st.one_of(st.none(), st.floats(), st.integers(-(10**30), 10**30).map(float))
BASES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


class Strict(HTMLParser):
    """Accepts what Telegram accepts of our three tags: all closed, in order, no attribute, no bare `<` or `&`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        assert tag in {"b", "code", "pre"}
        assert not attrs
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_entityref(self, name):
        assert name in {"lt", "gt", "amp"}
        self.text += {"lt": "<", "gt": ">", "amp": "&"}[name]

    def handle_data(self, data):
        assert "<" not in data
        assert "&" not in data
        self.text += data

    def handle_charref(self, name):
        raise AssertionError(name)

    def handle_comment(self, data):
        raise AssertionError(data)

    def handle_decl(self, decl):
        raise AssertionError(decl)

    def handle_pi(self, data):
        raise AssertionError(data)


def check(reply: Reply) -> None:
    html = to_html(reply)
    assert html.strip()
    html.encode()
    strict = Strict()
    strict.feed(html)
    strict.close()
    assert not strict.open
    # Telegram counts what people see.
    assert utf16_units(strict.text) <= 4_096
    assert utf16_units(to_plain(reply)) <= 4_096
    for one in (one for row in keyboard(reply) for one in row):
        assert one.label.strip()
        assert one.url.startswith("https://") and one.url.isascii() if one.url else len(one.command) <= 1_000
    assert "\x1b" not in to_text(reply).plain


@dataclass
class World:
    base: str
    number: float | None
    windows: tuple[Move, ...] = field(default=())
    explanation: Explanation | None = None

    def instruments(self):
        return [
            Instrument("binance", base + "USDT", "perpetual", base, "USDT", "TRADING") for base in (self.base, "BTC")
        ]

    def largest(self, n):
        return [one.key for one in self.instruments()][:n]

    def card(self, key):
        one = next(one for one in self.instruments() if one.key == key)
        n = self.number
        moves = tuple(Move(window, n, n, n) for window in CARD_WINDOWS_MS)
        return InstrumentCard(
            "binance",
            one.symbol,
            one.base,
            one.quote,
            one.base,
            0,
            n,
            1,
            n,
            n,
            8.0,
            1,
            n,
            n,
            1,
            1,
            n,
            n,
            n,
            moves,
            moves,
        )

    def rules(self, chat=None):
        return [RuleName(self.base, self.base), RuleName("off", self.base, is_on=False)]

    async def explain(self, rule_id, instrument, *, chat=None):
        return self.explanation

    async def explain_alert(self, prefix, chat):
        return self.explanation

    async def glances(self, instrument, *, chat=None):
        e, far = self.explanation, Distance(self.number or 0.0, self.number, "ratio")
        one = Glance(
            e.rule_id,
            e.title,
            False,
            e.alert.phase,
            e.verdict,
            self.number,
            e.unit,
            far,
            0.0,
            "".join(e.why),
            e.alert,
            0,
        )
        return [one] * 60, 7

    async def firing(self, prefix, chat):
        return self.explanation.history

    def _ranked(self):
        n = self.number
        return tuple(Ranked(one.key, one.symbol, one.base, one.quote, n, n, n, n, n) for one in self.instruments())

    def top(self, by, window_ms, *, offset, n):
        return TopList(0, by, window_ms, offset, 10_000, self._ranked() * 5)

    def funding(self, n):
        return FundingTable(0, 1, 2, self.number, self._ranked(), self._ranked()[:1], self._ranked())

    async def status(self):
        return BotStatus("1", 1.0, 1, 0, None, 0, None, self.number, 5, (), 0, 0, 0, 0, 0, 1.0, 1.0, self.base)


def run(coroutine):
    """Drive a coroutine that only ever yields to the loop."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as done:
        return done.value


VERDICTS = st.sampled_from(["true", "false", "unknown"])
UNITS = st.sampled_from(["ratio", "price", "usd", "amount", "duration", "count", "number"])
TIMES = st.one_of(st.none(), st.integers(-(10**15), 10**15))
SAMPLES = st.builds(SampleSeen, st.sampled_from(["oi", "price", "basis"]), st.integers(0, 10**13), TIMES, TIMES, NUMBER)
FARS = st.builds(Distance, st.floats(), NUMBER, UNITS)
NODES = st.recursive(
    st.builds(
        Node,
        ANY_TEXT,
        st.one_of(st.none(), VERDICTS),
        NUMBER,
        UNITS,
        NUMBER,
        ANY_TEXT,
        st.builds(
            WindowSeen,
            st.integers(0, 10**13),
            st.integers(0, 10**13),
            st.lists(SAMPLES, max_size=4).map(tuple),
            st.one_of(st.none(), st.floats(0, 1)),
            st.just(0.8),
        ),
    ),
    lambda part: st.builds(
        lambda text, verdict, parts: Node(text, verdict, parts=tuple(parts)),
        ANY_TEXT,
        VERDICTS,
        st.lists(part, max_size=12),
    ),
    max_leaves=40,
)
STATES = st.sampled_from(list(State))
KEYS = st.integers(0, 3).map(lambda n: alert_key("r", "i", n))
CHANGES = st.builds(Transition, ANY_TEXT, ANY_TEXT, ANY_TEXT, STATES, st.integers(0, 10**13), NUMBER, KEYS, ANY_TEXT)
ALERTS = st.builds(
    AlertSeen,
    st.sampled_from(["inactive", "pending", "firing", "cooling"]),
    since_ms=TIMES,
    peak=NUMBER,
    cooling_left_ms=TIMES,
    next=ANY_TEXT,
)
EXPLANATIONS = st.builds(
    Explanation,
    ANY_TEXT,
    ANY_TEXT,
    st.booleans(),
    ANY_TEXT,
    ANY_TEXT,
    st.integers(0, 10**13),
    VERDICTS,
    NODES,
    NODES,
    st.booleans(),
    st.lists(ANY_TEXT, max_size=5).map(tuple),
    ANY_TEXT,
    NUMBER,
    UNITS,
    st.builds(UnitsThen, st.one_of(st.none(), UNITS), st.one_of(st.none(), UNITS)),
    ALERTS,
    st.lists(CHANGES, max_size=5).map(tuple),
)


@pytest.mark.promise("P12")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(explanation=EXPLANATIONS, words=st.sampled_from(["x", "x off", "x {base}", "#abcd", ""]), number=NUMBER)
def test_any_explanation_is_told_in_one_message(explanation, words, number):
    world = World("x", number, explanation=explanation)
    reply = run(
        looking(market=world, status=world, why=world, clock=ManualClock()).answer(
            parse(f"/why {words.format(base='x')}"), asker=AT_TERMINAL
        )
    )
    check(reply)
    n_told = sum(1 for block in reply.blocks if isinstance(block, Line))
    assert "…" not in to_html(Reply(reply.blocks[-1:])) or n_told > 1


@pytest.mark.promise("P12")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(typed=TYPED, base=BASES, number=NUMBER, is_private=st.booleans())
def test_any_text_is_answered_with_valid_html_that_fits(typed, base, number, is_private):
    world = World(base, number, explanation=EMPTY)
    asked = parse(typed, bot_name="my_bot", is_slash_optional=is_private)
    if asked is not None:
        check(run(answering(world).answer(asked, asker=AT_TERMINAL)))


def answering(world):
    lists = Watchlists(MemoryWatchlistStore(), ManualClock())
    run(lists.pin("terminal", [one.key for one in world.instruments()]))
    run(lists.name("terminal", "x", [one.key for one in world.instruments()]))
    return looking(market=world, status=world, why=world, ranks=world, lists=lists, clock=ManualClock())


LOOKS = [
    "/oi {base}",
    "/oi",
    "/oi @x",
    "/oi @x {base}",
    "/price {base}",
    "/funding",
    "/funding {base}",
    "/funding @x",
    "/top",
    "/top funding 3",
    "/top volume 24h 999",
    "/pin {base}",
    "/unpin {base}",
    "/pins",
    "/watch y {base}",
    "/watch {base} BTC",
    "/watch",
    "/unwatch x",
    "/unwatch {base}",
    "/rules",
    "/rules 2",
    "/rules {base}",
    "/whynot {base}",
    "/whynot {base} {base}",
    "/whynot {base} nothing",
    "/help {base}",
    "/status details",
]


@pytest.mark.promise("P12")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(typed=st.sampled_from(LOOKS), base=BASES, number=NUMBER)
def test_any_symbol_is_looked_at_without_harm(typed, base, number):
    world = World(base, number, explanation=EMPTY)
    asked = parse(typed.format(base=base))
    if asked is not None:
        reply = run(answering(world).answer(asked, asker=AT_TERMINAL))
        check(reply)
        for block in reply.blocks:
            if isinstance(block, Table):
                assert all(columns(text) <= 30 for text in table_lines(block))


EMPTY = Explanation(
    "r",
    "r",
    False,
    "t",
    "s",
    0,
    "false",
    Node("x"),
    Node("y"),
    True,
    (),
    "",
    None,
    "number",
    UnitsThen("number", "number"),
    AlertSeen("inactive"),
)
SPANS = st.builds(Span, ANY_TEXT, st.sampled_from(Style))
LINES = st.builds(Line, st.lists(SPANS, max_size=4).map(tuple))
TABLES = st.integers(2, 4).flatmap(
    lambda n: st.lists(st.tuples(*[ANY_TEXT] * n), min_size=1, max_size=6).map(
        lambda rows: Table(rows[0], tuple(rows[1:]), right_label=True)
    )
)
REPLIES = st.builds(
    Reply,
    st.lists(st.one_of(LINES, TABLES), max_size=12).map(tuple),
    st.lists(st.lists(st.builds(Button, ANY_TEXT, ANY_TEXT), max_size=10).map(tuple), max_size=15).map(tuple),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REPLIES)
def test_any_reply_is_laid_out_as_valid_html_that_fits(reply):
    check(reply)


@settings(max_examples=200, deadline=None)
@given(TABLES)
def test_a_table_never_passes_thirty_columns(table):
    assert all(columns(text) <= 30 for text in table_lines(table))


@settings(max_examples=200, deadline=None)
@given(bases=st.lists(BASES, max_size=8), typed=ANY_TEXT)
def test_resolving_never_raises_and_a_symbol_finds_itself_or_a_twin(bases, typed):
    instruments = [Instrument("binance", base + "USDT", "perpetual", base, "USDT", "TRADING") for base in bases]
    book = SymbolBook(instruments)
    book.resolve(typed)
    for one in instruments:
        if ":" not in one.symbol:
            found = book.resolve(one.symbol)
            assert isinstance(found, Instrument)
