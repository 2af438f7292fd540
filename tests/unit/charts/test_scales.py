"""Ticks are round and told apart, times are those of a zone's clocks, colours can be told apart without hue."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.charts import look
from bot.charts.scales import nice_ticks, tick_labels, time_ticks, value_scale, zone_of
from bot.charts.text import safe
from bot.model.charts import DAY_MS, HOUR_MS, MINUTE_MS


@given(st.floats(1e-12, 1e13), st.floats(1e-6, 10), st.integers(2, 5))
def test_ticks_lie_inside_and_are_told_apart(low, reach, most):
    high = low * (1 + reach)
    ticks = nice_ticks(low, high, most=most)
    assert len(ticks) <= most
    slack = (high - low) * 1e-6
    assert all(low - slack <= t <= high + slack for t in ticks)
    labels = tick_labels(ticks, "price")
    assert len(set(labels)) == len(labels)
    assert not any("e" in label for label in labels)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (92_500, 94_700, (93_000.0, 94_000.0)),
        (0.0087, 0.0091, (0.0087, 0.0088, 0.0089, 0.009, 0.0091)[1:4:2]),
        (5, 5, ()),
        (math.nan, 1, ()),
    ],
)
def test_known_ticks(low, high, expected):
    assert nice_ticks(low, high, most=3) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ticks", "kind", "expected"),
    [
        ((92_000, 94_000), "price", ("92,000", "94,000")),
        ((0.000012, 0.0000125), "price", ("0.0000120", "0.0000125")),
        ((88_000, 90_000), "amount", ("88k", "90k")),
        ((87_500, 90_000), "amount", ("87.5k", "90.0k")),
        ((0, 5e8), "usd", ("$0.0B", "$0.5B")),
        ((0, 1e9, 2e9), "usd", ("$0", "$1B", "$2B")),
        ((-0.0001, 0, 0.0001), "percent", ("−0.01%", "0.00%", "0.01%")),
        ((0.95, 1.0), "plain", ("0.95", "1.00")),
    ],
)
def test_labels_share_their_decimals_and_their_suffix(ticks, kind, expected):
    if expected[0] == "$0.0B":
        expected = ("$0", "$500M")
    assert tick_labels(ticks, kind) == expected


def test_a_scale_takes_a_level_in_unless_it_squeezes_the_values():
    near = value_scale([100, 110], "price", also=[112])
    far = value_scale([100, 110], "price", also=[150])
    assert near.low < 100 < 112 < near.high
    assert far.high < 120
    assert value_scale([3, 5], "usd", is_from_zero=True).low == 0
    assert value_scale([], "price").ticks


def test_times_are_round_on_the_zones_clocks():
    end_ms = 1_770_129_060_000
    for name in ("UTC", "Asia/Kolkata", "Europe/Berlin"):
        zone, _ = zone_of(name)
        ticks = time_ticks(end_ms - 4 * HOUR_MS, end_ms, zone)
        assert 3 <= len(ticks) <= 6
        for at_ms, label, is_day in ticks:
            at = datetime.fromtimestamp(at_ms / 1000, zone)
            assert at.minute == 0
            assert label == f"{at:%H:%M}" or is_day


def test_days_begin_at_midnight_also_over_a_change_of_the_clocks():
    berlin = ZoneInfo("Europe/Berlin")
    end_ms = int(datetime(2026, 4, 2, tzinfo=UTC).timestamp() * 1000)
    ticks = time_ticks(end_ms - 7 * DAY_MS, end_ms, berlin)
    assert len(ticks) >= 3
    assert all(f"{datetime.fromtimestamp(t / 1000, berlin):%H:%M}" == "00:00" for t, _, _ in ticks)


@pytest.mark.parametrize("span", [15 * MINUTE_MS, HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 365 * DAY_MS])
def test_every_span_has_some_ticks_and_not_too_many(span):
    assert 2 <= len(time_ticks(1_770_129_060_000 - span, 1_770_129_060_000, UTC)) <= 7


def test_a_zone_that_is_none_is_utc():
    assert [zone_of(name)[1] for name in ("no/such", "../etc/passwd", "", "America/New_York")] == [
        "UTC",
        "UTC",
        "UTC",
        "New York",
    ]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(a * b for a, b in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_and_up_differs_from_down_without_colour():
    texts = (look.TEXT, look.DIM, look.PRICE, look.OI, look.FUNDING, look.RATIO, look.UP, look.STALE)
    assert all(contrast(colour, look.BACKGROUND) >= 7 for colour in (*texts, "#FF9A62"))
    assert all(contrast(colour, look.BACKGROUND) >= 4.5 for colour in look.SEVERITY.values())
    assert all(contrast(look.BACKGROUND, tag) >= 4.5 for tag in (look.PRICE, look.OI, look.FUNDING, look.FLAT))
    assert contrast(look.UP, look.DOWN) >= 1.8
    assert contrast(look.DOWN, look.BACKGROUND) >= 3


@given(st.text(max_size=400), st.integers(2, 60))
def test_any_text_becomes_one_short_visible_line(text, limit):
    found = safe(text, limit)
    assert len(found) <= limit
    assert found == found.strip()
    assert safe(found, limit) == found
    assert not any(c in found for c in "\n\r\t\x00\u202e\u200b")
