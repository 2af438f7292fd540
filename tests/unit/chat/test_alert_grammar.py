"""What people type behind `/alert`, and what it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.alert_grammar import read_alert
from bot.chat.alert_text import AlertWish, Threshold, condition_text, extras_text
from bot.chat.spec import Problem
from bot.rules.ast import text


@pytest.mark.parametrize(
    ("typed", "condition"),
    [
        ("BTC oi > 5% 15m", "pct(oi, 15m) > 5%"),
        ("BTC price > 70000", "price > 70_000"),
        ("ETH funding < -0.05%", "funding < -0.05%"),
        ("ETH funding < −0.05%", "funding < -0.05%"),
        ("btc OI>=5% 4h", "pct(oi, 4h) >= 5%"),
        ("btc price<=$70,000.50", "price <= 70_000.5"),
        ("btc price => 100k", "price >= 100_000"),
        ("btc price ≤ 70_000", "price <= 70_000"),
        ("btc oi_usd > 12b", "oi_usd > 12B"),
        ("btc volume24h over 1,200,000,000", "volume_24h > 1.2B"),
        ("btc basis below 0.1%", "basis < 0.1%"),
        ("btc price > -3% 5m", "pct(price, 5m) > -3%"),
        ("币安人生 funding_8h above 0.1%", "funding_8h > 0.1%"),
        ("btc oi > 5%", "pct(oi, 15m) > 5%"),
        ("btc funding > 50% 1h", "pct(funding, 1h) > 50%"),
        ("btc oi +5% 15m", "pct(oi, 15m) >= 5%"),
        ("btc oi 5% 15m", "pct(oi, 15m) >= 5%"),
        ("btc oi -5% 15m", "pct(oi, 15m) <= -5%"),
        ("btc oi ±4% 1h", "abs(pct(oi, 1h)) >= 4%"),
        ("btc oi ± 4% 1h", "abs(pct(oi, 1h)) >= 4%"),
        ("btc oi +/-4% 1h", "abs(pct(oi, 1h)) >= 4%"),
        ("btc oi moves 4% 1h", "abs(pct(oi, 1h)) >= 4%"),
        ("btc oi up 6% 15m", "pct(oi, 15m) >= 6%"),
        ("sol price drops 3% 5m", "pct(price, 5m) <= -3%"),
        ("sol price falls -3% 5m", "pct(price, 5m) <= -3%"),
        ("btc funding moves 0.1%", "abs(funding) >= 0.1%"),
        ("doge vol > 3x 15m", "ratio(volume, 15m) > 3"),
        ("doge volume jumps 3x 1h", "ratio(volume, 1h) >= 3"),
        ("doge vol 2.5× 15m", "ratio(volume, 15m) >= 2.5"),
        ("btc liq_long > 5M 15m", "sum(liq_long, 15m) > 5M"),
        ("btc when pct(oi, 15m)>5% and funding > 0.01%", "pct(oi, 15m) > 5% and funding > 0.01%"),
        ("btc when price / index > 1.01 or not oi > 3", "price / index > 1.01 or not oi > 3"),
    ],
)
def test_what_is_typed_becomes_a_condition(typed, condition):
    wish = read_alert(typed)
    assert isinstance(wish, AlertWish), wish
    assert text(wish.condition) == condition
    assert (wish.symbols, wish.top) == ((typed.split()[0],), None)
    assert wish.assumed_window == (typed == "btc oi > 5%")


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        # In any order.
        ("BTC 5% oi", "BTC oi 5%"),
        ("BTC 5% 15m oi", "BTC oi 5% 15m"),
        ("BTC oi 15m > 5%", "BTC oi > 5% 15m"),
        ("BTC oi 15m 5%", "BTC oi 5% 15m"),
        ("oi > 5% 15m BTC", "BTC oi > 5% 15m"),
        ("oi BTC > 5% 15m once", "BTC oi > 5% 15m once"),
        ("btc eth oi ±4% 1h", "btc,eth oi ±4% 1h"),
        ("100k btc", "btc 100k"),
        # Without the figure a level is one of the price.
        ("btc > 100000", "btc price > 100000"),
        ("btc>100k", "btc price > 100k"),
        ("btc under $70,000 once", "btc price < 70000 once"),
        ("btc = 100000", "btc crosses 100000"),
        ("btc price = 100k", "btc price crosses 100k"),
        ("btc if oi > 5%", "btc oi > 5%"),
        ("btc when oi > 5% 15m once", "btc oi > 5% 15m once"),
        ("btc when 100k", "btc 100k"),
        ("btc price goes up 3% in 1 hour", "btc price up 3% 1h"),
        ("btc volume spikes 5x", "btc volume jumps 5x"),
        ("btc price > 100k or price < 70k", "btc when price > 100k or price < 70k"),
        ("btc price > 100k or BTC price < 70k", "btc when price > 100k or price < 70k"),
        ("top 50 oi > 10%", "top50 oi > 10%"),
        ("btc funding turns negative", "btc funding < 0%"),
        ("btc funding flips", "btc funding crosses 0%"),
        ("btc funding crosses 0", "btc funding crosses 0%"),
        ("btc funding > 0", "btc funding > 0%"),
        ("btc oi >5%15m", "btc oi > 5% 15m"),
        ("BTC price drops 3%!!", "BTC price drops 3%"),
        ('"BTC" oi > 5%', "BTC oi > 5%"),
        ("btc price > 100 000", "btc price > 100000"),
        ("btc price > 1 250 000 once", "btc price > 1250000 once"),
        ("btc price > 100'000", "btc price > 100000"),
        ("btc oi rises 5% in the last 30 min, only once", "btc oi rises 5% 30m once"),
        ("btc oi up by more than 5% in 15m", "btc oi up 5% 15m"),
        ("btc oi > 5% 15m and price > 1% 15m", "btc when pct(oi, 15m) > 5% and pct(price, 15m) > 1%"),
        ("btc oi rises 5% 15m or oi falls 5% 15m once", "btc when pct(oi, 15m) >= 5% or pct(oi, 15m) <= -5% once"),
        ("btc when oi > 5% 1h and funding > 0.05%", "btc when pct(oi, 1h) > 5% and funding > 0.05%"),
        # As wide as other keyboards write it.
        ("ｂｔｃ　ｏｉ＞５％　１５ｍ", "btc oi > 5% 15m"),
        ("btc，eth oi ± ４％ 1h", "btc,eth oi ±4% 1h"),
        ("btc、eth oi ±4% 1h", "btc,eth oi ±4% 1h"),
        # A comma that can only be that of a decimal.
        ("btc funding > 0,125%", "btc funding > 0.125%"),
        ("btc oi > 2,5% 15m", "btc oi > 2.5% 15m"),
        ("btc oi ±2,5% 15m", "btc oi ±2.5% 15m"),
        ("btc price > 81,5k", "btc price > 81.5k"),
        ("eth price > 3.500,50", "eth price > 3500.5"),
        ("btc price > 100.000,00", "btc price > 100000"),
        ("eth price > 3500,5", "eth price > 3500.5"),
        ("eth price > 3,500", "eth price > 3500"),
        ("pepe > 0,00001", "pepe price > 0.00001"),
        ("doge vol > 2,5x 15m", "doge vol > 2.5x 15m"),
        ("btc oi > 5%, 15m", "btc oi > 5% 15m"),
        ("btc > 100к", "btc > 100k"),
        ("btc vol > 5 млн", "btc vol > 5M"),
        ("btc oi+5% 15m", "btc oi +5% 15m"),
        ("btc oi-5% 15m", "btc oi -5% 15m"),
        ("btc oi more then 5% in 15m", "btc oi > 5% 15m"),
        ("btc oi > 5% 15m til 18:00", "btc oi > 5% 15m until 18:00"),
        ("eth touches 4000", "eth crosses 4000"),
        ("eth to 4000", "eth crosses 4000"),
        ("eth @ 4000", "eth crosses 4000"),
        ("btc price between 80k and 90k", "btc when price > 80k and price < 90k"),
        ("btc price is outside 80k and 90k once", "btc when price < 80k or price > 90k once"),
        ("btc price between 90k and 80k", "btc when price > 80k and price < 90k"),
        ("btc price outside 90k and 80k", "btc when price < 80k or price > 90k"),
        ("btc oi between 3% and 5% 1h", "btc when pct(oi, 1h) > 3% and pct(oi, 1h) < 5%"),
        ("btc oi outside 5% and -5% in 1h once", "btc when pct(oi, 1h) < -5% or pct(oi, 1h) > 5% once"),
        ("btc price between 80 and 90k", "btc when price > 80k and price < 90k"),
        ("btc price between 500 and 1k", "btc when price > 500 and price < 1k"),
        ("btc oi between 3 and 5% 1h", "btc when pct(oi, 1h) > 3% and pct(oi, 1h) < 5%"),
        ("btc funding between -0.01 and 0.01%", "btc when funding > -0.01% and funding < 0.01%"),
        # Several symbols.
        ("btc and eth oi > 5%", "btc,eth oi > 5%"),
        ("btc, eth and sol oi > 5% 15m once", "btc,eth,sol oi > 5% 15m once"),
        ("BTC & ETH oi > 5%", "BTC,ETH oi > 5%"),
        ("btc, and eth oi > 5%", "btc,eth oi > 5%"),
        ("btc or eth oi ±4% 1h", "btc,eth oi ±4% 1h"),
        ("oi of btc and eth > 5% 15m", "btc,eth oi > 5% 15m"),
        ("me when btc and eth oi rises 5%", "btc,eth oi rises 5%"),
        ("btc and eth > 100k", "btc,eth > 100k"),
        ("btc and eth when oi > 5% 15m", "btc,eth oi > 5% 15m"),
        ("btc and eth oi > 5% 15m and price > 1% 15m", "btc,eth when pct(oi, 15m) > 5% and pct(price, 15m) > 1%"),
        # An m behind an amount of dollars.
        ("btc vol > 500m", "btc vol > 500M"),
        ("btc vol > 500m 15m", "btc vol > 500M 15m"),
        ("btc vol 1h > 500m", "btc vol > 500M 1h"),
        ("btc vol > $500m 1h", "btc vol > 500M 1h"),
        ("btc volume_24h over 1.5m once", "btc volume_24h > 1.5M once"),
        ("btc oi_usd > 500 m", "btc oi_usd > 500M"),
        ("btc oi_usd crosses 500m", "btc oi_usd crosses 500M"),
        ("btc liq_long > 5m 15m", "btc liq_long > 5M 15m"),
        ("btc liq_short>50m", "btc liq_short > 50M"),
        ("btc oi_usd over 500m", "btc oi_usd > 500M"),
        ("btc vol > 5m 1h", "btc vol > 5M 1h"),
        ("btc oi_usd > 500m and price > 100k", "btc when oi_usd > 500M and price > 100k"),
        ("btc when oi_usd > 500m", "btc oi_usd > 500M"),
        ("btc when sum(volume, 15m) > 500m and price > 1", "btc when sum(volume, 15m) > 500M and price > 1"),
        ("btc vol > 15m 3x", "btc vol > 3x 15m"),
        ("btc oi > 5% 15m", "btc oi > 5% 15M"),
        ("btc oi_usd > 5% 15m", "btc oi_usd > 5% 15M"),
        ("btc oi_usd > 500 million", "btc oi_usd > 500M"),
        ("btc oi > 1.5 billion usd", "btc oi_usd > 1.5B"),
        ("btc oi_usd > 12bn", "btc oi_usd > 12B"),
        ("btc liq_long > $5 mln 1h", "btc liq_long > 5M 1h"),
        # As people say it.
        ("btc oi > 5% 15m, please!", "btc oi > 5% 15m"),
        ("please btc oi > 5% 15m;", "btc oi > 5% 15m"),
        ("btc usdt oi > 5% 15m", "btc oi > 5% 15m"),
        ("btc perp oi > 5% 15m", "btc oi > 5% 15m"),
        ("btc PERP oi > 5% 15m", "btc,PERP oi > 5% 15m"),
        ("top10 coins oi > 5% 15m", "top10 oi > 5% 15m"),
        ("$BTC > 100000$", "$BTC > 100000"),
        ("btc oi > 500m$", "btc oi_usd > 500M"),
        ("btc oi up 5% last hour", "btc oi up 5% 1h"),
        ("btc oi up 5% last 4 hours", "btc oi up 5% 4h"),
        ("btc oi drops 10% daily", "btc oi drops 10% 24h"),
        ("btc oi +5%/15m", "btc oi +5% 15m"),
        ("btc oi > 5% 15m once only!", "btc oi > 5% 15m once"),
        ("btc volume x3", "btc volume 3x"),
        ("btc volume > 3 times the usual in 1h", "btc volume > 3x 1h"),
        ("btc longs liquidated > 10m 5m", "btc liq_long > 10M 5m"),
        ("BTC OI > 5% 15M AND PRICE > 1% 15M", "BTC when pct(oi, 15m) > 5% and pct(price, 15m) > 1%"),
        ("btc last price > 100k", "btc price > 100k"),
        ("btc open interest > 5 % in 15 minutes", "btc oi > 5% 15m"),
        ("BTC Open Interest rises by 5 percent within the last 15 min", "BTC oi rises 5% 15m"),
        ("me when the open interest of BTC is greater than 5% in the last hour", "BTC oi > 5% 1h"),
        ("if btc funding rate is above 0.05%", "btc funding above 0.05%"),
        ("btc oi > 5% over 15m", "btc oi > 5% 15m"),
        ("btc oi > 5% 15min every hour", "btc oi > 5% 15m every 1h"),
        ("btc oi > 5% 15 m for 2 minutes", "btc oi > 5% 15m for 2m"),
        ("sol price drops by 3% in 5 mins only once", "sol price drops 3% 5m once"),
        ("eth falls to 3k", "eth crosses 3k"),
        ("doge volume more than 3 x 15m", "doge vol > 3x 15m"),
        ("btc price > 100000 usd", "btc price > 100000"),
        ("btc oi > $12b", "btc oi_usd > 12B"),
        ("btc 100k until 6pm", "btc 100k until 18:00"),
        ("btc 100k until 6:30 am", "btc 100k until 06:30"),
        ("btc oi > 12b usd", "btc oi_usd > 12B"),
        ("btc long liquidations > $5m 15m", "btc liq_long > 5M 15m"),
        ("btc pct(oi,15m) > 5%", "btc when pct(oi, 15m) > 5%"),
        ("btc abs(basis) > 0.1% once", "btc when abs(basis) > 0.1% once"),
    ],
)
def test_what_people_say_is_what_the_grammar_writes(typed, written):
    said, meant = read_alert(typed), read_alert(written)
    assert isinstance(said, AlertWish), said
    assert said == meant


@pytest.mark.parametrize(
    ("typed", "condition"),
    [
        ("btc crosses above 100k", "price >= 100_000"),
        ("btc price rises above 100k", "price >= 100_000"),
        ("btc price goes below 70k", "price <= 70_000"),
        ("btc oi_usd breaks above 12b", "oi_usd >= 12B"),
    ],
)
def test_a_level_may_be_crossed_in_one_direction(typed, condition):
    wish = read_alert(typed)
    assert isinstance(wish, AlertWish), wish
    assert text(wish.condition) == condition
    assert wish.options.once
    assert not read_alert(f"{typed} every 1h").options.once


@pytest.mark.parametrize(
    "typed",
    [
        "btc when pct(oi, 15m) > median(pct(oi, 15m))",
        "btc,eth pct(oi, 15m) - median(pct(oi, 15m)) > 4% and funding > 0.01%",
        "top4 when rank(pct(oi, 1h)) <= 1",
    ],
)
def test_a_condition_that_looks_at_too_few_contracts_for_a_figure_over_them_is_refused(typed):
    problem = read_alert(typed)
    assert isinstance(problem, Problem), problem
    assert "needs 5 contracts in scope; here are at most" in problem.text


@pytest.mark.parametrize(
    "typed",
    ["btc when pct(oi, 15m) - median(pct(oi, 15m)) > 4%", "btc when rank(oi_usd) <= 3", "top50 when rank(oi_usd) > 9"],
)
def test_a_plain_comparison_with_the_market_and_one_over_many_are_taken(typed):
    assert isinstance(read_alert(typed), AlertWish)


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        ("eth banana 5%", ("/alert eth oi 5% 15m", "/alert eth price 5% 15m")),
        ("eth up 8% 1h", ("/alert eth oi 8% 1h", "/alert eth price 8% 1h")),
        ("sol drops 3% in 5m", ("/alert sol oi -3% 5m", "/alert sol price -3% 5m")),
        ("sol −3% 5m", ("/alert sol oi -3% 5m", "/alert sol price -3% 5m")),
        ("sol up 3% 5m note before it drops", ("/alert sol oi 3% 5m", "/alert sol price 3% 5m")),
        ("sol oi +3% 5m banana", ("/alert sol oi > 3% 5m", "/alert sol oi ±3% 5m")),
        ("sol oi up 5% while price down 1%", ("/alert sol oi > 5% 15m", "/alert sol oi ±3% 5m")),
        ("sol price falls 3% or rises 5%", ("/alert sol price -3% 15m", "/alert sol price ±3% 5m")),
        ("sol oi > 5% but price < 1%", ("/alert sol oi > 5% 15m", "/alert sol oi ±3% 5m")),
        ("sol moves 3% 5m", ("/alert sol oi ±3% 5m", "/alert sol price ±3% 5m")),
        ("sol ±3% 5m", ("/alert sol oi ±3% 5m", "/alert sol price ±3% 5m")),
        ("sol price falls 3% in 5m banana", ("/alert sol price -3% 5m", "/alert sol price ±3% 5m")),
        ("sol oi -3% 5m banana", ("/alert sol oi -3% 5m", "/alert sol oi ±3% 5m")),
        ("sol oi below 3% 5m banana", ("/alert sol oi < 3% 5m", "/alert sol oi ±3% 5m")),
        ("sol oi changes 4% banana", ("/alert sol oi ±4% 15m", "/alert sol oi ±3% 5m")),
        ("eth funding below 3", ("/alert eth funding < -0.05%", "/alert eth funding ±0.10%")),
        ("eth oi > banana", ("/alert eth oi > 5% 15m", "/alert eth oi ±3% 5m")),
        ("eth vol > 5%", ("/alert eth vol > 3x 15m", "/alert eth vol > 5x 15m")),
        ("eth funding > 3", ("/alert eth funding > 0.05%", "/alert eth funding ±0.10%")),
        ("eth liquidations > 10m", ("/alert eth liq_long > 10M 15m", "/alert eth liq_short > 10M 15m")),
        ("eth liqs over 10 million in 5m", ("/alert eth liq_long > 10M 5m", "/alert eth liq_short > 10M 5m")),
        ("any coin oi > 9%", ("/alert top100 oi > 9% 15m", "/alert top100 oi ±3% 5m")),
        ("eth liq > 5m", ("/alert eth liq_long > 5M 15m", "/alert eth liq_short > 5M 15m")),
        ("all oi > 9%", ("/alert top100 oi > 9% 15m", "/alert top100 oi ±3% 5m")),
        ("eth and sol drops 3%", ("/alert eth,sol oi -3% 15m", "/alert eth,sol price -3% 15m")),
        ("eth oi > 500m", ("/alert eth oi_usd > 500M", "/alert eth oi > 5% 15m")),
        ("eth oi over 500m once", ("/alert eth oi_usd > 500M", "/alert eth oi > 5% 15m")),
        ("eth oi > 15m", ("/alert eth oi > 5% 15m", "/alert eth oi_usd > 15M")),
        ("eth vol > 15m", ("/alert eth vol > 3x 15m", "/alert eth vol > 15M 15m")),
        ("eth liq_long > 5m", ("/alert eth liq_long > 5M 15m",)),
        ("eth oi_usd < 30m once", ("/alert eth oi_usd < 5% 30m", "/alert eth oi_usd < 30M")),
        ("eth vol 500m", ("/alert eth vol > 500M 15m", "/alert eth vol > 3x 15m")),
        ("eth funding > 0.1", ("/alert eth funding > 0.1%", "/alert eth funding ±0.10%")),
        ("eth basis < -0.2", ("/alert eth basis < -0.2%", "/alert eth basis ±0.10%")),
        ("eth price > 5k banana", ("/alert eth price > 5k", "/alert eth price > 5% 15m")),
        ("eth price below 5k banana", ("/alert eth price < 5k", "/alert eth price < 5% 15m")),
        ("eth price 5k 5m", ("/alert eth price 5k", "/alert eth price > 5% 5m")),
        ("eth oi > 5% 7d", ("/alert eth oi > 5% 24h", "/alert eth oi ±3% 5m")),
        ("eth oi > 5% 1w", ("/alert eth oi > 5% 24h", "/alert eth oi ±3% 5m")),
        ("everything", ("/alert top100 oi 5% 15m", "/alert top100 price 5% 15m")),
        ("eth new high", ("/alert eth when price >= max(price, 24h)",)),
        ("oi > 5%", ("/alert BTC oi > 5% 15m", "/alert BTC oi ±3% 5m")),
    ],
)
def test_a_refusal_offers_what_is_like_it(typed, instead):
    problem = read_alert(typed)
    assert isinstance(problem, Problem), problem
    assert problem.try_instead == instead
    assert all(isinstance(read_alert(one.removeprefix("/alert ")), AlertWish) for one in instead)


@pytest.mark.parametrize("typed", ["btc price > 1000,000", "btc vol > $70000,000 1h", "btc when price > 1000,000"])
def test_three_digits_behind_a_comma_that_may_be_thousands_are_not_guessed(typed):
    assert isinstance(read_alert(typed), Problem)


@given(
    st.lists(
        st.sampled_from(
            [
                "BTC",
                "eth",
                "oi",
                "price",
                ">",
                "<",
                "=",
                "±",
                "up",
                "+5%",
                "-3%",
                "5%",
                "100k",
                "$12b",
                "15m",
                "1h",
                "in",
                "of",
                "once",
                "until",
                "18:00",
                "when",
                "(",
                ")",
                "3x",
            ]
        )
    )
)
def test_what_is_offered_instead_can_be_read(words):
    problem = read_alert(" ".join(words))
    if isinstance(problem, Problem):
        assert problem.try_instead
        assert all(isinstance(read_alert(one.removeprefix("/alert ")), AlertWish) for one in problem.try_instead)


@pytest.mark.parametrize(
    "typed", ["eth 4000", "eth $4,000", "eth price 4000", "eth crosses 4000", "eth hits 4k", "eth price reaches 4000"]
)
def test_a_level_alone_is_crossed_once(typed):
    wish = read_alert(typed)
    assert text(wish.condition) == "crosses(price, 4000)"
    assert wish.options.once


def test_a_level_that_is_to_be_told_again_is_not_told_once():
    wish = read_alert("eth 4000 every 1h")
    assert (wish.options.once, wish.options.cooldown_ms, wish.options.repeat_ms) == (False, 3_600_000, None)


def test_several_symbols_need_commas_and_top_stands_for_the_largest():
    assert read_alert("btc,eth, sol ,btc oi ±4% 1h").symbols == ("btc", "eth", "sol")
    wish = read_alert("top50 oi up 6% 15m every 30m")
    assert (wish.symbols, wish.top, wish.options.repeat_ms) == ((), 50, 1_800_000)


def test_options_come_in_any_order_and_are_shown_again():
    wish = read_alert("btc oi > 5% once cooldown 1h 30m for 2m silent every 30m until 3d note my bag, until when")
    assert text(wish.condition) == "pct(oi, 30m) > 5%"
    options = wish.options
    assert (options.once, options.silent, options.for_ms, options.cooldown_ms) == (True, True, 120_000, 3_600_000)
    assert (options.repeat_ms, options.life_ms, options.note) == (1_800_000, 259_200_000, "my bag, until when")
    assert extras_text(options) == "for 2m every 30m cooldown 1h once silent"
    assert extras_text(read_alert("btc oi > 5% 15m").options) == ""
    assert read_alert("btc when oi > 5 for 1m until 18:05").options.until_min == 18 * 60 + 5


@pytest.mark.parametrize(
    ("typed", "threshold"),
    [
        ("btc oi ±4% 1h", Threshold("abs(pct(oi, 1h))", ">=", 0.04, True)),
        ("btc when funding > 0.01%", Threshold("funding", ">", 0.0001, True)),
        ("btc when funding > 0.01% and oi > 3", None),
        ("eth 4000", None),
        ("btc when funding > basis", None),
        ("btc when funding == 0.01%", None),
    ],
)
def test_one_comparison_with_a_number_is_a_threshold(typed, threshold):
    assert read_alert(typed).threshold == threshold
    assert threshold is None or condition_text(threshold) == text(read_alert(typed).condition)


def test_quotes_around_a_symbol_make_no_other_symbol_of_it():
    wish = read_alert('"btc" when price up 5% and "btc" oi up 5%')
    assert isinstance(wish, AlertWish)
    assert text(wish.condition) == "pct(price, 15m) >= 5% and pct(oi, 15m) >= 5%"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "An alert is a symbol, a figure, a comparison and a number."),
        ("btc price > 100k or eth price > 5k", 'unexpected "price"'),
        ("btc,eth oi > 5% and eth price > 1%", 'unexpected "price"'),
        ("btc when eth price > 5k", 'unexpected "price"'),
        ("btc", "After btc I expected a figure such as oi or price."),
        ("btc oi", "After oi I expected a comparison, > or <."),
        ("btc oi >", "After > I expected a number."),
        ("btc oi up", "After up I expected a size such as 5%."),
        ("btc oi up 5", "After up I expected a size in percent such as 5%, not 5."),
        ("btc oi up 5m", "not 5m."),
        ("oi > 5%", "Before oi I expected a symbol such as BTC."),
        ("> 5%", "Before > I expected a symbol such as BTC."),
        ("btc>5%", "After btc I expected a figure such as oi or price."),
        ("btc > 5%", "After btc I expected a figure such as oi or price."),
        ("btc up 5% 15m", "After btc I expected a figure such as oi or price."),
        ("btc 5% 15m", "After btc I expected a figure such as oi or price."),
        ("btc banana > 5%", "I don't know the figure banana: I know "),
        ("btc pric > 5", "did you mean price?"),
        ("btc oi banana 5%", "After oi I expected > or <, not banana."),
        ("btc oi == 5%", "After oi I expected > or <, not ==."),
        ("btc oi > banana", "After > I expected a number such as 5% or 70_000, not banana."),
        ("btc oi > ±5%", "After > I expected a number"),
        ("btc funding > 0,1,2%", "After > I expected a number such as 5% or 70_000, not 0,1,2%."),
        ("btc oi > 15m", "After > I expected a number"),
        ("btc oi 12b", "After oi I expected > or < before 12b."),
        ("btc oi > 5% banana", "I expected a window such as 15m, or once"),
        ("btc oi > 5% 15m 1h", "not 1h."),
        ("btc oi > 5% 15m for", "After for I expected a duration such as 30m, not nothing."),
        ("btc oi > 5% 15m every 1s", "After every I take a duration between 1m and 7d, not 1s."),
        ("btc oi > 5% until 9", "After until I expected a time such as 18:00 or a duration such as 3d, not 9."),
        ("btc price > 500 5m", "With a window I compare a change in percent, such as price > 5% 5m."),
        ("btc price 500 5m", "A level has no window"),
        ("btc price crosses 5%", "5% is no level of price."),
        ("btc volume crosses 5", "volume has no level to cross"),
        ("btc funding > 0.05", "funding is a percentage: write 0.05%."),
        ("btc vol > 5%", "volume is compared with the usual: write volume > 3x 15m."),
        ("btc price > -5", "price is never below zero."),
        ("btc -70000", "price is never below zero."),
        ("btc price falls to -70k every 1h", "price is never below zero."),
        ("btc oi < -150% 1h", "oi cannot fall by more than 100%."),
        ("btc oi drops 120% 1h", "oi cannot fall by more than 100%."),
        ("btc oi > 3x", "Times the usual is for volume, not for oi."),
        ("btc oi > 5% 90d", "pct(oi, 90d) > 5%: "),
        ("btc oi > 5% 0s", "pct(oi, 0s) > 5%: "),
        ("btc when", "After when I expected a condition"),
        ("btc when foo(3)", 'foo(3): unknown function "foo".'),
        ("btc when oi", "oi: "),
        ("btc when percentile(oi, 24h) > 100", "percentile(oi, 24h) > 100: this is never true."),
        ("btc when rank(oi_usd) < 1 and price > 3", "this is never true."),
        ("btc price >= 0", "price >= 0: this is always true."),
        ("btc when pct(oi, 15m) > 5", "pct(oi, 15m) > 5: 5 here means 500% (write 5%)."),
        ("btc oi > 5% 15m for 2m and funding > 0.01%", "I expected a window such as 15m, or once"),
        ("btc oi when oi > 3", "Before when I expected symbols only, not oi."),
        ("top0 oi > 5%", "I take top1 to top200."),
        ("a,b,c,d,e,f,g,h,i,j,k oi > 5%", "That is 11 symbols; I take up to 10 in one alert."),
        ("btc oi > 5% note " + "x" * 101, "A note has at most 100 characters."),
    ],
)
def test_what_is_wrong_is_named(typed, told):
    problem = read_alert(typed)
    assert isinstance(problem, Problem), problem
    assert told in problem.text


WORDS = st.sampled_from(
    [
        "btc,eth",
        "top50",
        "oi",
        "price",
        "vol",
        "funding",
        ">",
        "<",
        ">=",
        "±",
        "+5%",
        "-3%",
        "5%",
        "3x",
        "4000",
        "12b",
        "15m",
        "1h",
        "once",
        "silent",
        "for",
        "every",
        "until",
        "18:00",
        "3d",
        "note",
        "when",
        "up",
        "drops",
        "crosses",
        "moves",
        "and",
        "or",
        "not",
        "(",
        ")",
        "pct(oi,15m)",
        "$70,000",
        "$",
        "+",
        "-",
        "×",
        ",",
        "=",
        "%",
    ]
) | st.text(max_size=6)


@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_anything_is_a_wish_or_a_sentence(typed):
    found = read_alert(typed)
    if isinstance(found, Problem):
        assert found.text.endswith((".", "?"))
        return
    # What was understood is understood again from its canonical text.
    whom = f"top{found.top}" if found.top is not None else ",".join(found.symbols)
    if all(part.split() == [part] for part in found.symbols):
        again = read_alert(f"{whom} when {text(found.condition)}")
        assert isinstance(again, AlertWish), again
        assert again.condition == found.condition
