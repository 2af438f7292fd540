"""`/chart`: what people type, what stands under the picture, and the chart in characters."""

from dataclasses import replace

import pytest

from bot.chat.asker import AT_TERMINAL
from bot.chat.chart_actions import Asked, ChartActions, read, read_span
from bot.chat.commands import Command, UsageError, parse
from bot.chat.looking import Looking
from bot.chat.telegram_html import keyboard, to_plain
from bot.chat.terminal_text import to_text
from bot.chat.text_chart import WIDTH, cells, rows
from bot.clock import ManualClock
from bot.model.charts import DAY_MS, HOUR_MS, MINUTE_MS, ChartData, Columns, Curve, LongView, NoPicture, Turn, Usual
from bot.model.instrument import Instrument

BTC = Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING")
SIREN = Instrument("binance", "4USDT", "perpetual", "4", "USDT", "TRADING")
END_MS = 1_770_129_060_000


class Market:
    def instruments(self):
        return (BTC, SIREN)


class Charts:
    def __init__(self):
        self.asked = []
        self.answer = None

    async def chart(self, key, span_ms, *, extra=frozenset()):
        self.asked.append((key, span_ms, extra))
        if self.answer is not None:
            return self.answer
        times = tuple(END_MS - k * MINUTE_MS for k in reversed(range(60)))
        price = Curve(times, tuple(100.0 + k for k in range(60)))
        oi = Curve(times[:20] + times[40:], tuple(50.0 - k % 2 for k in range(40)))
        return ChartData(
            *("BTCUSDT", "binance", "BTC", "USDT", END_MS - HOUR_MS, END_MS, price, oi),
            volume=Columns(times, (1_000.0,) * 60),
        )


@pytest.fixture
def charts():
    return Charts()


@pytest.fixture
def ask(charts):
    async def run(text):
        command = parse(text)
        assert isinstance(command, Command)
        return await ChartActions(Market(), charts).answer(command, AT_TERMINAL)

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("btc",), Asked("btc", 4 * HOUR_MS, frozenset())),
        (("7d", "btc"), Asked("btc", 7 * DAY_MS, frozenset())),
        (("funding", "btc", "7d"), Asked("btc", 7 * DAY_MS, frozenset({"funding"}))),
        (("btc", "7d"), Asked("btc", 7 * DAY_MS, frozenset())),
        (("BTC", "all", "24H"), Asked("BTC", DAY_MS, frozenset({"funding", "long_short"}))),
        (("BTC", "funding", "ratio"), Asked("BTC", 4 * HOUR_MS, frozenset({"funding", "long_short"}))),
        (("4h", "15m"), Asked("4h", 15 * MINUTE_MS, frozenset())),
        (("all", "1w"), Asked("all", 7 * DAY_MS, frozenset())),
        (("btc", "5m"), "A chart spans 15m to 5y."),
        (("btc", "6y"), "A chart spans 15m to 5y."),
        (("btc", "1y"), Asked("btc", 365 * DAY_MS, frozenset())),
        (("btc", "Max"), Asked("btc", 5 * 365 * DAY_MS, frozenset())),
        (("btc", "oi", "7d"), Asked("btc", 7 * DAY_MS, frozenset())),
        (("open", "interest", "btc"), Asked("btc", 4 * HOUR_MS, frozenset())),
        (("oi",), Asked("oi", 4 * HOUR_MS, frozenset())),
        (("max", "7d"), Asked("max", 7 * DAY_MS, frozenset())),
        (("btc", "banana"), 'I read btc, but not "banana". Write a span such as 4h, or funding, ratio, all, full.'),
        (("btc", "full", "7d"), Asked("btc", 7 * DAY_MS, frozenset(), is_full_size=True)),
        (
            ("binance:BTCUSDT", "binance:4USDT", "4h"),
            Asked("binance:BTCUSDT", 4 * HOUR_MS, frozenset(), ("binance:4USDT",)),
        ),
    ],
)
def test_words_are_read_and_the_first_is_the_symbol(words, expected):
    assert read(words) == expected


def long_chart(view):
    curve = Curve((END_MS - 200 * DAY_MS, END_MS), (100.0, 110.0), 300 * DAY_MS)
    return ChartData(
        *("BTCUSDT", "binance", "BTC", "USDT", END_MS - 365 * DAY_MS, END_MS, curve, curve), long_view=view
    )


async def test_a_chart_by_days_says_what_came_of_tops_and_bottoms(ask, charts):
    turns = tuple(Turn(END_MS - k * DAY_MS, k % 3 == 0, 100.0, 0.01, None) for k in range(12))
    usual = Usual(12, -0.008, 10, 0.021)
    charts.answer = long_chart(
        LongView(END_MS - 200 * DAY_MS, turns, usual, Usual(8, 0.0031), Usual(199, 0.0005, 193, 0.0))
    )
    reply = await ask("/chart btc 1y")
    assert to_plain(reply).splitlines() == [
        "BTCUSDT · 1y · price +10.00%, OI +10.00%",
        "▼ 4 tops: −0.80% a day later, +2.10% a week later",
        "▲ 8 bottoms: +0.31% a day later",
        "every day: +0.05% a day later, 0.00% a week later",
    ]
    first, second, _ = keyboard(reply)
    assert "1y ✓" in [b.label for b in first]
    assert [b.command for b in second] == [f"/chart BTCUSDT {span}" for span in ("90d", "180d", "2y", "max")]
    assert "max ✓" in [b.label for b in keyboard(await ask("/chart btc max"))[1]]


@pytest.mark.parametrize(("span", "told"), [("1y", "200d"), ("max", "200d")])
async def test_a_contract_that_is_younger_than_the_span_has_that_of_its_picture(ask, charts, span, told):
    charts.answer = replace(long_chart(None), from_ms=END_MS - 200 * DAY_MS + HOUR_MS)
    assert to_plain(await ask(f"/chart btc {span}")).splitlines()[0] == f"BTCUSDT · {told} · price +10.00%, OI +10.00%"


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (LongView(None), "`oibot history import PATH` takes in the exchange's published files."),
        (LongView(None, trouble="it takes too long"), "Without the stored history: it takes too long."),
        (LongView(END_MS, missing=("it needs funding",)), "No tops and bottoms: it needs funding."),
        (LongView(END_MS), "▼ 0 tops\n▲ 0 bottoms"),
    ],
)
async def test_a_chart_by_days_says_what_it_lacks(ask, charts, view, said):
    charts.answer = long_chart(view)
    assert said in to_plain(await ask("/chart btc 1y"))


async def test_a_span_behind_the_symbol_draws_open_interest(charts, status):
    look = Looking(market=Market(), status=status, clock=ManualClock(), charts=ChartActions(Market(), charts))
    for text, days in (("/oi btc 1y", 365), ("/oi btc 90d", 90), ("/oi btc all", 5 * 365), ("/oi btc max", 5 * 365)):
        reply = await look.handlers["oi"](parse(text), AT_TERMINAL)
        assert reply.chart is not None
        assert charts.asked[-1] == ("binance:BTCUSDT", days * DAY_MS, frozenset())


def test_what_is_no_span():
    assert [read_span(word) for word in ("", "h", "4", "4x", "-4h", "4.5h", "٤h", "999999d")] == [None] * 8


async def test_the_caption_tells_what_the_picture_shows(ask, charts):
    reply = await ask("/chart btc 1h")
    assert charts.asked == [("binance:BTCUSDT", HOUR_MS, frozenset())]
    assert to_plain(reply) == "BTCUSDT · 1h · price +59.00%, OI −2.00%"
    assert reply.chart is not None
    first, second = keyboard(reply)
    assert [b.label for b in first] == ["1h ✓", "4h", "24h", "7d", "30d", "1y"]
    assert [b.command for b in second] == [
        "/chart BTCUSDT 1h",
        "/chart BTCUSDT 1h all",
        "/oi BTCUSDT",
        "/new BTCUSDT",
        "/chart BTCUSDT 1h full",
    ]


async def test_buttons_keep_the_panels(ask, charts):
    reply = await ask("/c btc 24h ratio")
    assert charts.asked[0][2] == {"long_short"}
    commands = [b.command for row in keyboard(reply) for b in row]
    assert "/chart BTCUSDT 7d ratio" in commands
    assert "/chart BTCUSDT 24h" in commands


async def test_an_unknown_symbol_is_not_guessed(ask, charts):
    reply = await ask("/chart btcudst")
    assert "I don't know the symbol" in to_plain(reply)
    assert keyboard(reply)[0][0].command == "/chart BTCUSDT"
    assert charts.asked == []


async def test_why_there_is_none_is_said(ask, charts):
    charts.answer = NoPicture("there is no data for BTCUSDT yet")
    reply = await ask("/chart btc")
    assert to_plain(reply) == "No chart of BTCUSDT: there is no data for BTCUSDT yet."
    assert reply.chart is None


async def test_without_a_symbol_it_explains_itself(ask):
    assert to_plain(await ask("/chart")).startswith("/chart\n/chart BTC · the last four hours")


def test_too_many_words_are_refused():
    assert isinstance(parse("/chart btc eth sol xrp doge ada"), UsageError)


async def test_in_the_terminal_it_is_drawn_in_characters(ask):
    text = to_text(await ask("/chart btc 1h")).plain
    assert AT_TERMINAL.chat == "terminal"
    assert "price      100.00 → 159.00  +59.00%" in text
    assert "▁▁▁" in text
    assert "volume     60.0k USDT" in text
    assert "13:31 UTC" in text
    assert "14:31 UTC" in text
    assert max(len(line) for line in text.splitlines()[1:-1]) <= WIDTH


async def test_a_gap_is_a_space(charts):
    data = await charts.chart("x", HOUR_MS)
    shown = cells(data, data.oi)
    assert len(shown) == WIDTH
    assert "   " in shown.strip()
    assert cells(data, Curve()) == " " * WIDTH


async def test_full_size_is_a_file_and_a_button_asks_for_it(ask):
    reply = await ask("/chart btc 1h all")
    assert not reply.is_full_size
    assert [b.command for row in reply.buttons for b in row if b.label == "Full size"] == ["/chart BTCUSDT 1h all full"]
    reply = await ask("/chart BTC 1h all full")
    assert reply.is_full_size
    assert reply.chart is not None
    assert to_plain(reply) == "BTCUSDT · 1h · price +59.00%, OI −2.00%"


async def test_of_a_list_the_first_is_drawn_and_buttons_lead_to_the_others(ask, charts):
    reply = await ask("/chart binance:4USDT binance:BTCUSDT binance:GONEUSDT 24h all")
    assert charts.asked == [("binance:4USDT", DAY_MS, frozenset({"funding", "long_short"}))]
    assert [b.command for b in reply.buttons[-1]] == ["/chart BTCUSDT 24h all"]


@pytest.mark.parametrize(
    ("days", "ends"),
    [
        (1, ("00:00 UTC", "00:00 UTC")),
        (7, ("12-25 00:00 UTC", "01-01 00:00 UTC")),
        (365, ("2025-01-01", "2026-01-01")),
    ],
)
def test_the_ends_of_a_chart_in_characters_are_dates_where_it_spans_days(days, ends):
    to_ms = 1_767_225_600_000
    data = ChartData("BTCUSDT", "binance", "BTC", "USDT", to_ms - days * DAY_MS, to_ms)
    axis = rows(data)[-1]
    assert (axis.startswith(ends[0]), axis.endswith(ends[1]), len(axis)) == (True, True, WIDTH)


def test_in_characters_too_funding_that_was_paid_before_holds_until_the_next():
    from_ms = END_MS - 4 * HOUR_MS
    price = Curve((from_ms, END_MS), (1.0, 2.0), 5 * HOUR_MS)
    paid = Curve((from_ms - 10 * HOUR_MS, from_ms - 2 * HOUR_MS), (0.0002, 0.0001), 9 * HOUR_MS)
    data = ChartData("BTCUSDT", "binance", "BTC", "USDT", from_ms, END_MS, price, price, funding=paid)
    at = next(n for n, row in enumerate(rows(data)) if row.startswith("funding"))
    assert rows(data)[at] == "funding    +0.0100%"
    assert " " not in rows(data)[at + 1]
    old = ChartData(
        *("BTCUSDT", "binance", "BTC", "USDT", from_ms, END_MS, price, price),
        funding=Curve(paid.time_ms[:1], (0.0002,), paid.gap_ms),
    )
    assert rows(old)[at].endswith("unknown")
