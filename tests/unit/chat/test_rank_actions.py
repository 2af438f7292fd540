"""Lists over the market as people read them."""

import pytest

from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import Command, UsageError, parse
from bot.chat.rank_pages import quadrant
from bot.chat.reply import Table, columns, table_lines
from bot.chat.telegram_html import to_html, to_plain


@pytest.fixture
def ask(actions):
    async def ask(text):
        asked = parse(text)
        assert isinstance(asked, Command), asked
        return await actions.answer(asked, asker=AT_TERMINAL)

    return ask


def commands(reply):
    return [[one.command for one in row] for row in reply.buttons]


async def test_the_top_page(ask, ranks, make_ranked):
    ranks.rows = [
        make_ranked("WIF"),
        make_ranked("SUI", oi_change=0.084, price_change=-0.019),
        make_ranked("DOGE", oi_change=-0.069, price_change=-0.028),
        make_ranked("1000PEPE", oi_change=-0.05, price_change=0.03),
        make_ranked("币安人生", oi_change=0.04, price_change=None),
    ]
    reply = await ask("/top oi 15m")
    assert (
        to_html(reply)
        == """\
<b>Top OI moves · 15m · OI &gt; $20M</b>
<pre>                 OI  Price
 1 WIF       +11.2%  +3.1%  ↑L
 2 SUI        +8.4%  −1.9%  ↑S
 3 DOGE       −6.9%  −2.8%  ↓L
 4 1000PEPE   −5.0%  +3.0%  ↓S
 5 币安人生   +4.0%      –</pre>
↑L new longs    ↑S new shorts
↓L longs leave  ↓S shorts leave"""
    )
    assert commands(reply) == [
        ["/top oi 15m", "/top price 15m", "/top funding 15m", "/top volume 15m"],
        ["/top oi 5m", "/top oi 15m", "/top oi 1h", "/top oi 4h", "/top oi 24h"],
        ["/oi WIFUSDT", "/oi SUIUSDT", "/oi DOGEUSDT", "/oi 1000PEPEUSDT", "/oi 币安人生USDT"],
        ["/top oi 15m 1"],
    ]
    assert [one.label for one in reply.buttons[0]] == ["OI ✓", "Price", "Funding", "Volume"]
    assert [one.label for one in reply.buttons[1]] == ["5m", "15m ✓", "1h", "4h", "24h"]


async def test_pages_and_words_in_any_order(ask, ranks, make_ranked):
    ranks.rows = [make_ranked(f"C{n}") for n in range(25)]
    reply = await ask("/top 2 1h vol")
    assert ranks.asked == ("volume", 3_600_000, 10, 10)
    assert commands(reply)[-1] == ["/top volume 1h 1", "/top volume 1h 2", "/top volume 1h 3"]
    assert "11 C10" in to_plain(reply)
    assert commands(await ask("/top volume 1h 3"))[-1] == ["/top volume 1h 2", "/top volume 1h 3"]
    await ask("/top")
    assert ranks.asked == ("oi", 900_000, 0, 10)
    await ask("/t 1d")
    assert ranks.asked == ("oi", 86_400_000, 0, 10)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("gainers in the last hour", ("gainers", 3_600_000, 0, 10)),
        ("Losers today!", ("losers", 86_400_000, 0, 10)),
        ("loser 4 hours", ("losers", 14_400_000, 0, 10)),
        ("10 gainers 24 hours", ("gainers", 86_400_000, 0, 10)),
        ("10", ("oi", 900_000, 0, 10)),
        ("gainers and losers 1h page 2", ("price", 3_600_000, 10, 10)),
        ("5 losers", ("losers", 900_000, 0, 10)),
        ("open interest 15 min", ("oi", 900_000, 0, 10)),
        ("by funding rate", ("funding", 900_000, 0, 10)),
        ("prices, １ｈ", ("price", 3_600_000, 0, 10)),
        ("gainers 24h 10", ("gainers", 86_400_000, 90, 10)),
        ("2", ("oi", 900_000, 10, 10)),
    ],
)
async def test_lists_are_asked_for_in_many_words(ask, ranks, typed, asked):
    await ask(f"/top {typed}")
    assert ranks.asked == asked


async def test_where_all_fell_nobody_gained_and_that_is_known(ask, ranks):
    ranks.n_known = 480
    assert to_plain(await ask("/top gainers")).endswith("None of 480 moved that way.")
    assert "Nothing here yet" in to_plain(await ask("/top oi"))


async def test_a_page_behind_the_last_says_which_is_the_last(ask, ranks, make_ranked):
    ranks.rows = [make_ranked(f"C{n}") for n in range(13)]
    reply = await ask("/top oi 15m 20")
    assert to_plain(reply).endswith("The last page is 2: there are ten contracts on each.")
    assert commands(reply)[-1] == ["/top oi 15m 2"]


async def test_an_empty_list_says_so(ask):
    assert "Nothing here yet" in to_plain(await ask("/top"))
    assert "Nothing here yet" in to_plain(await ask("/top oi 15m 7"))


@pytest.mark.parametrize("text", ["/top banana", "/top 0", "/top oi 3m", "/top 1000"])
def test_what_is_no_list_is_refused(text):
    assert isinstance(parse(text), UsageError)


async def test_every_table_fits_a_small_phone(ask, ranks, make_ranked):
    ranks.rows = [
        make_ranked(
            "LONGLONGLONGNAME" * 3, oi_change=123.4, price_change=-0.999, funding_8h=-0.0312, volume_24h=9.99e11
        )
        for _ in range(30)
    ]
    for text in ("/top oi 24h 3", "/top funding", "/top volume", "/funding"):
        for block in (await ask(text)).blocks:
            if isinstance(block, Table):
                lines = table_lines(block)
                assert all(columns(row) <= 30 for row in lines)
                assert not any(row.endswith("…") for row in lines)


async def test_the_funding_page(ask, ranks, make_ranked):
    rates = {"ABC": 0.00212, "DEF": 0.00154, "1000GHI": 0.0012, "BTC": 0.00008, "XYZ": -0.00341, "QRS": -0.0019}
    ranks.rows = [make_ranked(base, funding_8h=rate) for base, rate in rates.items()]
    reply = await ask("/funding")
    assert (
        to_html(reply)
        == """\
<b>Funding per 8h</b> · next in 1h 29m
<pre>Highest         Lowest
ABC    +0.212%  XYZ    −0.341%
DEF    +0.154%  QRS    −0.190%
1000G… +0.120%
BTC    +0.008%</pre>
ABC +0.212% · DEF +0.154% · median +0.010%
Rates of other intervals are scaled to 8h. Above zero longs pay shorts."""
    )
    assert commands(reply)[-1] == ["/funding ABCUSDT", "/funding DEFUSDT", "/funding XYZUSDT", "/funding QRSUSDT"]


async def test_the_funding_page_before_anything_is_known(ask):
    assert "No rate is known yet." in to_plain(await ask("/funding"))


async def test_the_funding_card_says_what_a_position_costs(ask, market):
    from dataclasses import replace

    assert (
        to_plain(await ask("/funding btc"))
        == """\
BTCUSDT funding
Now +0.0081% every 8h · next in 1h 29m
Per day +0.024% · per year +8.9%
A long of $10,000 pays the shorts $2.43 a day.
Basis +0.0110% · price 93,183"""
    )
    card = market.cards["binance:BTCUSDT"]
    market.cards["binance:BTCUSDT"] = replace(card, funding=-0.001, funding_interval_h=4.0)
    assert "A short of $10,000 pays the longs $60.00 a day." in to_plain(await ask("/f btc"))
    market.cards["binance:BTCUSDT"] = replace(card, funding=0.0)
    assert "Neither side pays" in to_plain(await ask("/f btc"))
    assert "Per day – · per year –" in to_plain(await ask("/funding sol"))
    assert to_plain(await ask("/funding btc eth")).startswith("Funding\n")


def test_quadrants():
    assert [quadrant(p, o) for p, o in ((0.1, 0.1), (-0.1, 0.1), (-0.1, -0.1), (0.1, -0.1))] == ["↑L", "↑S", "↓L", "↓S"]
    assert [quadrant(p, o) for p, o in ((None, 0.1), (0.1, None), (0.0001, 0.1), (0.1, 0.001))] == [""] * 4


async def test_a_list_of_prices_may_be_narrowed_to_one_way(ask, ranks, make_ranked):
    ranks.rows = [make_ranked("WIF")]
    reply = await ask("/top losers 1h")
    assert ranks.asked[:2] == ("losers", 3_600_000)
    assert to_plain(reply).startswith("Top losers · 1h")
    assert commands(reply)[:2] == [
        ["/top oi 1h", "/top price 1h", "/top funding 1h", "/top volume 1h"],
        ["/top gainers 1h", "/top losers 1h"],
    ]
    assert [one.label for row in reply.buttons[:2] for one in row if "✓" in one.label] == ["Losers ✓"]
    assert commands(await ask("/top price"))[1] == ["/top gainers 15m", "/top losers 15m"]
