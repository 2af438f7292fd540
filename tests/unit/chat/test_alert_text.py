import pytest

from bot.chat.alert_text import AlertWish, condition_text, extras_text, read_alert
from bot.chat.spec import Problem


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
    ],
)
def test_what_is_typed_becomes_a_condition(typed, condition):
    wish = read_alert(typed)
    assert isinstance(wish, AlertWish), wish
    assert condition_text(wish) == condition
    assert wish.symbol == typed.split()[0]
    assert wish.assumed_window == (typed == "btc oi > 5%")


def test_options_come_in_any_order_and_are_shown_again():
    wish = read_alert("btc oi > 5% once cooldown 1h 30m for 2m every 30m")
    assert isinstance(wish, AlertWish)
    assert (wish.measure, wish.once, wish.for_ms, wish.cooldown_ms, wish.repeat_ms) == (
        "pct(oi, 30m)",
        True,
        120_000,
        3_600_000,
        1_800_000,
    )
    assert extras_text(wish) == "for 2m every 30m cooldown 1h once"
    assert extras_text(read_alert("btc oi > 5% 15m")) == ""


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "An alert is a symbol, a figure, a comparison and a number."),
        ("btc", "After btc I expected a figure such as oi or price."),
        ("btc oi", "After oi I expected a comparison, > or <."),
        ("btc oi >", "After > I expected a number."),
        ("oi > 5%", "Before oi I expected a symbol such as BTC."),
        ("btc > 70000", "After btc I expected a figure such as oi or price."),
        ("btc banana > 5%", "I don't know the figure banana: I know "),
        ("btc vol > 5%", "I don't know the figure vol: did you mean volume_24h?"),
        ("btc pric > 5", "did you mean price?"),
        ("btc oi banana 5%", "After oi I expected > or <, not banana."),
        ("btc oi == 5%", "After oi I expected > or <, not ==."),
        ("btc oi > banana", "After > I expected a number such as 5% or 70_000, not banana."),
        ("btc oi > 15m", "After > I expected a number"),
        ("btc oi > 5% banana", "I expected a window such as 15m, or once"),
        ("btc oi > 5% 15m 1h", "not 1h."),
        ("btc oi > 5% 15m for", "After for I expected a duration such as 30m, not nothing."),
        ("btc oi > 5% 15m every 1s", "After every I take a duration between 1m and 7d, not 1s."),
        ("btc price > 500 5m", "With a window I compare a change in percent, such as price > 5% 5m."),
        ("btc funding > 0.05", "funding is a percentage: write 0.05%."),
        ("btc oi > 5% 90d", "pct(oi, 90d) > 5%: "),
        ("btc oi > 5% 0s", "pct(oi, 0s) > 5%: "),
        ("btc liq_long > 5", "cannot be compared in a short alert yet"),
    ],
)
def test_what_is_wrong_is_named(typed, told):
    problem = read_alert(typed)
    assert isinstance(problem, Problem)
    assert told in problem.text
