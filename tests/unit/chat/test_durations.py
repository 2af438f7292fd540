"""Lengths of time as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.durations import joined, leading, with_parts

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("typed", "ms", "n"),
    [
        ("2h moving", 2 * HOUR, 1),
        ("2 Hours", 2 * HOUR, 2),
        ("90 min.", 90 * MINUTE, 2),
        ("an hour, then", HOUR, 2),
        ("half an hour", HOUR // 2, 3),
        ("half a day off", DAY // 2, 3),
        ("1h30m", 3 * HOUR // 2, 1),
        ("1.5hours", 3 * HOUR // 2, 1),
        ("2-hours", 2 * HOUR, 1),
        ("three weeks", 21 * DAY, 2),
        ("1w", 7 * DAY, 1),
        ("2 months", 60 * DAY, 2),
        ("last year", 365 * DAY, 2),
        ("0", 0, 1),
        ("1,5h", 3 * HOUR // 2, 1),
        ("2,5 hours", 5 * HOUR // 2, 2),
    ],
)
def test_the_first_words_are_a_length_of_time(typed, ms, n):
    assert leading(typed.split()) == (ms, n)


@pytest.mark.parametrize("typed", ["", "btc 2h", "2", "2 btc", "a d", "half hour", "an eth", "1h30x", "m", "two"])
def test_what_is_none(typed):
    assert leading(typed.split()) is None


@pytest.mark.parametrize(
    ("typed", "ms", "n"),
    [
        ("1 hour 30 minutes moving", 3 * HOUR // 2, 4),
        ("1 hour and 30 min", 3 * HOUR // 2, 5),
        ("2d 6h", 54 * HOUR, 2),
        ("1h 30m", 3 * HOUR // 2, 2),
        ("1h 90m", HOUR, 1),
        ("30m 1h", 30 * MINUTE, 1),
        ("2h an hour", 2 * HOUR, 1),
        ("2h 30", 2 * HOUR, 1),
    ],
)
def test_smaller_units_may_follow(typed, ms, n):
    assert with_parts(typed.split()) == (ms, n)


def test_of_several_words_one_is_made():
    words = ["oi_surge", "btc", "7", "days", "and", "half", "an", "hour", "60m", "1w", "0"]
    assert joined(words) == ["oi_surge", "btc", "7d", "and", "30m", "60m", "1w", "0"]


@given(
    st.lists(st.sampled_from(["2", "h", "hours", "an", "half", "a", "btc", "1w", "²", "9" * 9, ".", ""]), max_size=6)
)
def test_anything_is_read_and_read_again_as_the_same(words):
    once = joined(words)
    assert joined(once) == once
