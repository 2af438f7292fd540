"""Several alerts typed as one: which they are, and how they are offered."""

import pytest

from bot.chat.alert_apart import apart
from bot.chat.alert_grammar import readable
from bot.chat.alert_text import AlertWish


@pytest.mark.parametrize(
    ("typed", "each", "is_both"),
    [
        ("btc price > 100k or eth price > 5k", ("btc price > 100k", "eth price > 5k"), False),
        ("btc price > 100k and eth price > 5k", ("btc price > 100k", "eth price > 5k"), True),
        ("btc > 100k, eth > 5k; sol > 200", ("btc price > 100k", "eth price > 5k", "sol price > 200"), False),
        ("btc>100k,eth>5k", ("btc price > 100k", "eth price > 5k"), False),
        ("btc price > 100,000 or eth price > 5,000", ("btc price > 100,000", "eth price > 5,000"), False),
        # Of two lines.
        ("btc price > 100k eth price > 5k", ("btc price > 100k", "eth price > 5k"), False),
        ("btc price > 100k /alert eth price > 5k", ("btc price > 100k", "eth price > 5k"), False),
        ("me when btc hits 100k or price of eth > 5k", ("btc hits 100k", "eth price > 5k"), False),
        ("btc when price > 100k or eth price > 5k", ("btc when price > 100k", "eth price > 5k"), False),
        ("btc price > 100k if eth price > 5k", ("btc price > 100k", "eth price > 5k"), True),
        ("btc oi > 5% 15m or eth funding < -0.05%", ("btc oi > 5% 15m", "eth funding < -0.05%"), False),
        # What is named once.
        ("btc oi > 5% 15m or eth > 3%", ("btc oi > 5% 15m", "eth oi > 3%"), False),
        ("btc price > 100k, price < 70k", ("btc price > 100k", "btc price < 70k"), False),
        # Conditions of one contract stay one.
        ("btc price > 9 and funding > 1% or eth price > 5k", ("btc price > 9 and funding > 1%", "eth price > 5k"), False),
        ("btc price > 9 or eth price > 5k or price < 3k", ("btc price > 9", "eth price > 5k or price < 3k"), False),
        ("btc,eth oi > 5% or sol oi > 3% 5m", ("btc,eth oi > 5%", "sol oi > 3% 5m"), False),
        # Options behind one sentence are of all of it.
        ("btc oi > 5% and eth oi > 3% 5m for 2m", ("btc oi > 5% for 2m", "eth oi > 3% 5m for 2m"), True),
        ("btc price > 9; eth price > 5k once", ("btc price > 9", "eth price > 5k once"), False),
        ("btc 100k or eth 5k note my levels, and", ("btc 100k note my levels, and", "eth 5k note my levels, and"), False),
    ],
)  # fmt: skip
def test_several_alerts_are_taken_apart(typed, each, is_both):
    assert readable(typed) is None
    found = apart(typed, readable)
    assert (found.typed, found.is_both) == (each, is_both)
    assert all(isinstance(readable(one), AlertWish) for one in each)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "btc",
        "btc or eth",
        "btc oi > 5% 15m banana",
        "sol price falls 3% or rises 5%",
        "sol oi up 5% while price down 1%",
        "btc oi > 5% 15m for 2m and funding > 0.01%",
        "btc oi > 5% 15m for 2m and btc funding > 0.01%",
        "btc,eth price > 100k,5k",
        "btc price > 100k or " * 20 + "eth price > 5k",
        "a " * 200,
    ],
)
def test_what_is_not_made_of_alerts_is_left(typed):
    assert apart(typed, readable) is None
