"""What is seen of a window, as people read it."""

import pytest

from bot.chat.why_text import distance_text, tree
from bot.model.explanation import Distance, Node, SampleSeen, SideSeen, WindowSeen

DAY_MS = 86_400_000
NOON_MS = 1_767_225_600_000 + DAY_MS // 2
"""1 January 2026."""


def said(node):
    return [detail for line in tree(node) for detail in line.details]


def day_before(seen_ms, end_ms):
    ends = (
        SampleSeen("price", seen_ms, seen_ms - 120_000, 120_000, 79_632.0),
        SampleSeen("price", end_ms, end_ms, 0, 81_331.0),
    )
    return Node("max(price, 24h)", window=WindowSeen(seen_ms, end_ms, ends, 1.0, 0.8))


def test_a_window_that_began_on_another_day_says_which():
    """Else that of a whole day would seem to end before it begins."""
    assert said(day_before(NOON_MS - DAY_MS + 60_000, NOON_MS)) == [
        "Wed 31 Dec 12:01:00 to 12:00:00, 100 % known (80 % needed)",
        "oldest: price 79,632, sample of Wed 31 Dec 11:59:00, 2m old",
        "now: price 81,331, sample of 12:00:00, fresh",
    ]


def test_within_a_day_the_clock_is_enough():
    stretch, oldest, _ = said(day_before(NOON_MS - 900_000, NOON_MS))
    assert stretch.startswith("11:45:00 to 12:00:00")
    assert "sample of 11:43:00" in oldest


def test_a_side_that_was_taken_on_another_day_says_which():
    side = SideSeen("above", NOON_MS - DAY_MS, NOON_MS)
    assert said(Node("crosses(price, 100)", crossing=side)) == ["above it since Wed 31 Dec 12:00:00"]


@pytest.mark.parametrize(
    ("share", "text"), [(0.4, "40% to go"), (0.012, "1% to go"), (0.0041, "0.41% to go"), (0.00006, "0.0060% to go")]
)
def test_what_is_near_is_not_nothing_to_go(share, text):
    assert distance_text(Distance(3.0, share, "price"), is_other=True) == text
