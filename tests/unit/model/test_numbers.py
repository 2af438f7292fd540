"""Numbers and times are written as people read them."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import numbers


@pytest.mark.parametrize(
    ("x", "tick", "text"),
    [
        (92361.4, 0, "92,361"),
        (92361.4, 0.1, "92,361.4"),
        (92361.0, 0.1, "92,361.0"),
        (4012.35, 0, "4,012.35"),
        (4012.35, 0.01, "4,012.35"),
        (100.0, 0, "100.00"),
        (2.3456, 0, "2.3456"),
        (2.3, 0, "2.30"),
        (0.5, 0, "0.50"),
        (0.00001234, 0, "0.00001234"),
        (0.00001234, 1e-8, "0.00001234"),
        (1e-8, 1e-8, "0.00000001"),
        (0.0, 0, "0.00"),
        (-12.5, 0, "−12.50"),
        (1e12, 0, "1,000,000,000,000"),
        (99_999.9, 1.0, "100,000"),
        (None, 0.1, "–"),
        (math.nan, 0, "–"),
        (math.inf, 0, "–"),
    ],
)
def test_price(x, tick, text):
    assert numbers.price(x, tick) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (93_600, "93.6k"),
        (8_720_000_000, "8.72B"),
        (999, "999"),
        (999.6, "1.00k"),
        (999_600, "1.00M"),
        (88_000, "88.0k"),
        (123_456, "123k"),
        (20_000_000, "20.0M"),
        (5e15, "5,000T"),
        (12, "12"),
        (0.5, "0.5"),
        (0.0135, "0.0135"),
        (0, "0"),
        (-1_300_000, "−1.30M"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_amount(x, text):
    assert numbers.amount(x) == text


def test_usd_puts_the_sign_before_the_dollar():
    assert numbers.usd(8_720_000_000) == "$8.72B"
    assert numbers.usd(-1_300_000) == "−$1.30M"
    assert numbers.usd(None) == "–"


@pytest.mark.parametrize(
    ("ratio", "kwargs", "text"),
    [
        (0.0606, {}, "+6.06%"),
        (-0.000081, {}, "−0.0081%"),
        (0.0001, {}, "+0.0100%"),
        (-0.012, {}, "−1.20%"),
        (0.092, {"digits": 1}, "+9.2%"),
        (0.05, {"sign": False, "digits": 0}, "5%"),
        (-0.05, {"sign": False}, "−5.00%"),
        (0.0, {}, "0.00%"),
        (-0.00001, {"digits": 2}, "0.00%"),
        (0.00001, {"digits": 2}, "0.00%"),
        (1.5, {}, "+150.0%"),
        (123.0, {}, "+12,300%"),
        (None, {}, "–"),
        (math.nan, {}, "–"),
    ],
)
def test_percent(ratio, kwargs, text):
    assert numbers.percent(ratio, **kwargs) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 s"),
        (12_345, "12 s"),
        (59_999, "59 s"),
        (60_000, "1m"),
        (15 * 60_000, "15m"),
        (89 * 60_000 + 59_000, "1h 29m"),
        (3_600_000, "1h"),
        (86_400_000, "1d"),
        (2 * 86_400_000 + 3 * 3_600_000 + 5, "2d 3h"),
        (-90_000, "−1m"),
        (None, "–"),
    ],
)
def test_duration(ms, text):
    assert numbers.duration(ms) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (15 * 60_000, "15m"),
        (4 * 3_600_000, "4h"),
        (86_400_000, "1d"),
        (7 * 86_400_000, "7d"),
        (36 * 3_600_000, "36h"),
        (90 * 60_000, "90m"),
        (90_000, "90s"),
        (1_500, "1.5s"),
        (0, "0s"),
        (None, "–"),
    ],
)
def test_window(ms, text):
    assert numbers.window(ms) == text


def test_clock_time_is_utc_and_survives_nonsense():
    assert numbers.clock_time(1_795_444_260_000) == "14:31 UTC"
    assert numbers.clock_time(1e30) == "–"
    assert numbers.clock_time(None) == "–"


def test_ago():
    assert numbers.ago(12_000) == "12 s ago"
    assert numbers.ago(200) == "just now"
    assert numbers.ago(15 * 60_000) == "15m ago"
    assert numbers.ago(None) == "–"


@pytest.mark.parametrize(
    ("price_change", "oi_change", "text"),
    [
        (0.0089, 0.0606, "Price up + OI up: new longs are opening."),
        (0.0089, 0.0, "Price up + OI flat: few new positions behind this move."),
        (0.0089, -0.02, "Price up + OI down: shorts are closing; the move may tire."),
        (0.001, 0.02, "Price flat + OI up: positions build, no direction yet."),
        (0.001, -0.02, "Price flat + OI down: positions close quietly."),
        (-0.01, 0.02, "Price down + OI up: new shorts are opening."),
        (-0.01, 0.009, "Price down + OI flat: few new positions behind this move."),
        (-0.01, -0.02, "Price down + OI down: longs are closing or being liquidated."),
        (0.0014, 0.0099, None),
        (None, 0.05, None),
        (0.05, None, None),
        (math.nan, 0.05, None),
    ],
)
def test_reading_covers_the_quadrants_and_the_dead_zone(price_change, oi_change, text):
    assert numbers.reading(price_change, oi_change) == text


def test_the_dead_zone_ends_where_it_says():
    assert numbers.reading(0.0015, 0.01) == "Price up + OI up: new longs are opening."


@pytest.mark.parametrize(
    ("usual_range", "word"), [(None, "up"), (math.nan, "up"), (0.001, "up"), (0.0199, "up"), (0.021, "flat")]
)
def test_a_price_that_moves_much_by_itself_is_flat_for_longer(usual_range, word):
    assert numbers.reading(0.005, 0.02, usual_range=usual_range).startswith(f"Price {word} + OI up")


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_number_is_ever_scientific_or_raises(x):
    for text in (
        numbers.price(x),
        numbers.amount(x),
        numbers.usd(x),
        numbers.percent(x),
        numbers.duration(x),
        numbers.window(x),
        numbers.clock_time(x),
        numbers.ago(x),
    ):
        assert not re.search(r"\de[+-]?\d|-|nan|inf", text), text


@pytest.mark.parametrize(
    ("then", "now", "unit", "texts"),
    [
        (88_300, 93_600, "amount", ("88.3k", "93.6k")),
        (100_000, 100_500, "amount", ("100.0k", "100.5k")),
        (100_000, 100_004, "amount", ("100.000k", "100.004k")),
        (100_000, 100_000, "amount", ("100k", "100k")),
        (512.2, 512.4, "amount", ("512.2", "512.4")),
        (1.00001, 1.00002, "number", ("1.00001", "1.00002")),
        (80_558.1, 80_558.4, "price", ("80,558.1", "80,558.4")),
        (92_361, 93_183, "price", ("92,361", "93,183")),
        (0.36970001, 0.36970002, "price", ("0.36970001", "0.36970002")),
        (0.0001, 0.00010001, "ratio", ("+0.0100%", "+0.0100%")),
        (None, 512, "amount", ("–", "512")),
        (math.nan, None, "amount", ("–", "–")),
        (1e300, 1.5e300, "amount", None),
    ],
)
def test_two_values_beside_each_other_can_be_told_apart(then, now, unit, texts):
    found = numbers.from_to(then, now, unit)
    assert found == texts if texts else found[0] != found[1]
