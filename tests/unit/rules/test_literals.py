"""Numbers mean exactly what people write, and nothing absurd is a number."""

import pytest

from bot.rules.ast import Number
from bot.rules.literals import parse_duration_ms, parse_number


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("5%", Number(0.05, "%")),
        ("-0.03%", Number(-0.0003, "%")),
        ("15m", Number(900_000, "duration")),
        ("1.5h", Number(5_400_000, "duration")),
        ("1d", Number(86_400_000, "duration")),
        ("20_000_000", Number(2e7)),
        ("20M", Number(2e7)),
        ("2.5k", Number(2500)),
        ("2.5K", Number(2500)),
        ("1B", Number(1e9)),
        ("1e9", Number(1e9)),
        (".5", Number(0.5)),
        ("0", Number(0)),
        ("-0", Number(0)),
    ],
)
def test_numbers_are_read_exactly(word, number):
    assert parse_number(word) == number
    assert str(parse_number(word).value) == str(float(number.value))


@pytest.mark.parametrize(
    "word",
    ["", "%", "5 %", "1__0", "_1", "1_", "5%%", "15min", "1e999", "1e16", "1e-13", "9" * 5000, ".nan", ".inf", "nan",
     "inf", "0x10", "५", "5٪", "1,5", "1.", "++1", "15M%"],
)  # fmt: skip
def test_what_is_no_market_figure_is_no_number(word):
    assert parse_number(word) is None


def test_durations_are_whole_milliseconds_and_not_negative():
    assert [parse_duration_ms(word) for word in ("30s", "0", "0s", "0.5s")] == [30_000, 0, 0, 500]
    assert [parse_duration_ms(word) for word in ("15", "5%", "-5m", "0.0001s", "15 min", "0%")] == [None] * 6
