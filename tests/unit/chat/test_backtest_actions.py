"""`/backtest`: what people type, how far it is, and what came of it."""

import asyncio

import pytest

from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.backtest_actions import BacktestActions
from bot.chat.commands import Command, parse
from bot.chat.reply import TABLE_COLUMNS, Table, table_lines
from bot.chat.telegram_html import to_plain, utf16_units
from bot.model.backtests import BacktestAnswer
from bot.model.explanation import RuleName

DAY_MS = 86_400_000
RULES = (RuleName("oi_surge", "OI surge"), RuleName("oi_flush", "OI flush"), RuleName("old", "Old", is_on=False))
ANSWER = BacktestAnswer(
    from_ms=1_769_904_000_000,
    to_ms=1_769_904_000_000 + 30 * DAY_MS,
    asked_days=30.0,
    condition="pct(oi, 15m) >= 5%",
    facts=("41 firings on 12 of 100 contracts, 1.4 a day", "busiest day 2026-02-06 (14)"),
    table=(
        ("after", "move", "random", "95%"),
        ("15m", "1.43", "1.33", "−0.07…+0.26"),
        ("24h", "12.32", "11.33", "−10.16…+10.14"),
    ),
    verdict="no better than chance: after 15m and 24h prices had moved neither more nor less nor in one direction",
    notes=("for: 30s takes 1m on bars of 1m",),
)


class Run:
    def __init__(self, asked):
        self.asked, self.n_before, self.share, self.found = asked, 0, 0.0, None
        self.steps = []

    async def wait(self, seconds):
        await asyncio.sleep(0)
        if self.steps:
            self.n_before, self.share, self.found = self.steps.pop(0)


class Desk:
    def __init__(self):
        self.runs, self.refusal = {}, ""

    def last(self, chat):
        return self.runs.get(chat)

    def start(self, chat, asked):
        if self.refusal:
            return self.refusal
        self.runs[chat] = Run(asked)
        return self.runs[chat]

    def cancel(self, chat):
        run = self.runs.get(chat)
        if run is None or run.found is not None:
            return False
        run.found = "cancelled"
        return True


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def ask(desk, market):
    actions = BacktestActions(
        desk, lambda _chat: RULES, lambda chat, rule: 0.08 if rule == "oi_flush" else None, market
    )

    async def run(text, asker=AT_TERMINAL):
        command = parse(text)
        assert isinstance(command, Command)
        return await actions.answer(command, asker)

    return run


@pytest.mark.parametrize(
    ("typed", "rule", "days", "symbols", "number"),
    [
        ("/backtest oi_surge 30d", "oi_surge", 30, (), None),
        ("/backtest oi_surge", "oi_surge", 30, (), None),
        ("/backtest OI-Surge btc $eth 7d", "oi_surge", 7, ("BTCUSDT", "ETHUSDT"), None),
        ("/backtest OI surge 7d BTC/USDT,pepe btc", "oi_surge", 7, ("BTCUSDT", "1000PEPEUSDT"), None),
        ("/backtest oi_surge $gone usd* 7d", "oi_surge", 7, ("GONE", "USD*"), None),
        ("/backtest oi_flush 12h", "oi_flush", 0.5, (), 0.08),
        ("/backtest old 2w", "old", 14, (), None),
        ("/backtest OI Surge on btc, eth for 7 days", "oi_surge", 7, ("BTCUSDT", "ETHUSDT"), None),
        ("/backtest btc OI surge over the last 7d", "oi_surge", 7, ("BTCUSDT",), None),
        ("/backtest 7d oi_surge", "oi_surge", 7, (), None),
        ('/backtest "OI surge" 7D.', "oi_surge", 7, (), None),
        ("/backtest oi_surge and btc ７ｄ", "oi_surge", 7, ("BTCUSDT",), None),
    ],
)
async def test_words_become_what_is_run(ask, desk, typed, rule, days, symbols, number):
    reply = await ask(typed)
    asked = desk.runs["terminal"].asked
    assert (asked.rule_id, asked.days, asked.symbols, asked.number) == (rule, days, symbols, number)
    assert reply.is_interim
    assert reply.later is not None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/backtest oi_surg 30d", 'There is no rule "oi_surg".'),
        ("/backtest oi_surge 7d 30d", "I expected one length of time, such as 30d, and found 7d, 30d."),
        ("/backtest oi_surge 5m", "A backtest spans 1h to 400d."),
        ("/backtest oi_surge 999d", "A backtest spans 1h to 400d."),
    ],
)
async def test_what_cannot_be_run_is_said_and_nothing_is_started(ask, desk, typed, said):
    reply = await ask(typed)
    assert to_plain(reply) == said
    assert reply.is_refusal
    assert not desk.runs


async def test_a_rule_that_was_nearly_named_is_a_button(ask):
    reply = await ask("/backtest oi_surg btc 7d")
    assert reply.buttons[0][0].command == "/backtest oi_surge btc 7d"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("OI surg 7d", "/backtest oi_surge 7d"),
        ("oi surg btc eth 7d", "/backtest oi_surge btc eth 7d"),
        ("OI flsh for 7 days", "/backtest oi_flush 7d"),
        ("btc oi surg 7d", "/backtest oi_surge btc 7d"),
        ("7d oi_surg", "/backtest oi_surge 7d"),
    ],
)
async def test_a_near_name_of_several_words_leaves_none_of_them_as_a_contract(ask, desk, typed, offered):
    reply = await ask(f"/backtest {typed}")
    assert (reply.buttons[0][0].label, reply.buttons[0][0].command) == (
        {"oi_surge": "OI surge", "oi_flush": "OI flush"}[offered.split()[1]],
        offered,
    )
    assert reply.is_refusal
    assert not desk.runs


async def test_progress_is_shown_in_steps_and_then_the_answer(ask, desk):
    first = await ask("/backtest oi_surge 30d")
    desk.runs["terminal"].steps = [(2, 0, None), (0, 0, None), (0, 0.1, None), (0, 0.5, None), (0, 0.52, None)]
    desk.runs["terminal"].steps.append((0, 1.0, ANSWER))
    said = [(to_plain(reply), reply.is_interim) async for reply in first.later()]
    assert [interim for _, interim in said] == [True, True, True, False]
    assert "2 before it in the line" in said[0][0]
    assert "50%" in said[2][0]
    assert "Verdict: no better than chance" in said[3][0]


async def test_the_answer_has_all_of_it_and_fits_over_a_picture(ask, desk):
    await ask("/backtest oi_surge 30d")
    desk.runs["terminal"].found = ANSWER
    reply = await ask("/backtest")
    text = to_plain(reply)
    for part in (
        "Backtest of OI surge, 30d",
        "pct(oi, 15m) >= 5%",
        "2026-02-01 00:00 to 2026-03-03 00:00 UTC",
        "41 firings on 12 of 100 contracts, 1.4 a day.",
        "Unlike live: for: 30s takes 1m on bars of 1m.",
    ):
        assert part in text
    (table,) = [block for block in reply.blocks if isinstance(block, Table)]
    assert all(len(row) <= TABLE_COLUMNS and "…+" in row for row in table_lines(table)[1:])
    long = BacktestAnswer(
        **{name: getattr(ANSWER, name) for name in ("from_ms", "to_ms", "asked_days", "condition", "facts", "table")},
        verdict="x" * 700,
        notes=("y" * 700, "z" * 700),
    )
    desk.runs["terminal"].found = long
    assert utf16_units(to_plain(await ask("/backtest"))) <= 1_024


async def test_less_history_than_asked_for_is_said(ask, desk):
    await ask("/backtest oi_surge 90d")
    desk.runs["terminal"].found = BacktestAnswer(0, 3 * DAY_MS, 90.0, "price > 1", ("never fired on 3 contracts",))
    assert "The history holds 3.0 of the 90 days asked for." in to_plain(await ask("/backtest"))


async def test_a_rule_that_the_bars_cannot_answer_says_why(ask, desk):
    await ask("/backtest oi_surge 30d")
    desk.runs["terminal"].found = BacktestAnswer(0, 30 * DAY_MS, 30.0, "", notes=("the bars hold no oi",))
    assert "It cannot be run here: the bars hold no oi." in to_plain(await ask("/backtest"))


async def test_one_at_a_time_in_each_chat_with_a_way_to_end_it(ask, desk):
    await ask("/backtest oi_surge 30d")
    desk.refusal = "one is running here already"
    reply = await ask("/backtest oi_flush 30d")
    assert to_plain(reply) == "Not now: one is running here already."
    assert [b.command for row in reply.buttons for b in row] == ["/backtest", "/backtest cancel"]
    other = in_telegram(-7, 9)
    assert to_plain(await ask("/backtest cancel", other)) == "No backtest is running here."
    assert to_plain(await ask("/backtest cancel")) == "Cancelled."
    assert "cancelled" in to_plain(await ask("/backtest"))


async def test_without_words_it_offers_rules_that_are_on(ask):
    reply = await ask("/backtest")
    assert [b.command for row in reply.buttons for b in row] == ["/backtest oi_surge 30d", "/backtest oi_flush 30d"]
