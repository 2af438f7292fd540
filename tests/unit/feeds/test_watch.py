import pytest

from bot.feeds.frames import StreamSpec
from bot.feeds.trouble import Trouble, TroubleKind
from bot.feeds.watch import FeedWatch

SPECS = (StreamSpec("m", "mark price", 10.0), StreamSpec("t", "ticker", 14.0), StreamSpec("c", "contract info", None))
REFUSED = Trouble(TroubleKind.REFUSED, "h refused the connection")


@pytest.fixture
def watch():
    return FeedWatch(SPECS, first_frame_s=10.0, now_ms=1000.0)


def told(statuses):
    return [(s.feed, s.live) for s in statuses]


def test_a_connection_alone_makes_nothing_live(watch):
    assert watch.check(10_900.0, None) == []
    assert not watch.is_live("m")


def test_the_first_frame_brings_its_feed_and_the_rare_ones_to_life_once(watch):
    assert told(watch.heard("t", 2000.0)) == [("ticker", True), ("contract info", True)]
    assert told(watch.heard("m", 2100.0)) == [("mark price", True)]
    assert watch.heard("m", 2200.0) == []
    assert watch.heard("c", 2300.0) == []


def test_without_any_frame_all_are_lost_after_the_first_deadline(watch):
    lost = watch.check(11_001.0, None)
    assert told(lost) == [("mark price", False), ("ticker", False), ("contract info", False)]
    assert all("no data" in s.reason for s in lost)
    assert watch.check(12_000.0, None) == []


def test_before_any_frame_a_reason_is_told_at_once_and_once(watch):
    lost = watch.check(1100.0, REFUSED)
    assert [s.reason for s in lost] == ["h refused the connection"] * 3
    assert watch.check(1200.0, REFUSED) == []


def test_another_kind_of_reason_is_told_again(watch):
    watch.check(1100.0, REFUSED)
    again = watch.check(1300.0, Trouble(TroubleKind.NAME, "no name"))
    assert {s.reason for s in again} == {"no name"}


def test_a_trouble_shorter_than_the_limit_is_no_loss(watch):
    watch.heard("m", 2000.0)
    watch.heard("t", 2000.0)
    assert watch.check(12_000.0, REFUSED) == []
    watch.heard("m", 12_000.0)
    assert watch.check(15_900.0, None) == []


def test_a_limit_that_changes_counts_from_then_on(watch):
    slow = (StreamSpec("m", "mark price", 150.0), *SPECS[1:])
    watch.follow(slow, 1500.0)
    watch.heard("m", 2000.0)
    watch.heard("t", 2000.0)
    watch.follow(slow, 50_000.0)
    assert told(watch.check(60_000.0, None)) == [("ticker", False)]
    watch.follow(SPECS, 60_000.0)
    assert told(watch.check(69_900.0, None)) == []
    assert told(watch.check(70_100.0, None)) == [("mark price", False), ("contract info", False)]


def test_one_silent_stream_is_lost_alone_and_comes_back(watch):
    watch.heard("m", 2000.0)
    watch.heard("t", 2000.0)
    watch.heard("m", 16_000.0)
    lost = watch.check(16_001.0, None)
    assert told(lost) == [("ticker", False)]
    assert lost[0].reason == "silent for 14 s"
    assert told(watch.heard("t", 17_000.0)) == [("ticker", True)]


def test_the_rare_stream_goes_when_all_others_are_gone(watch):
    watch.heard("m", 2000.0)
    watch.heard("t", 2000.0)
    assert told(watch.check(12_500.0, None)) == [("mark price", False)]
    assert told(watch.check(16_500.0, None)) == [("ticker", False), ("contract info", False)]
    assert told(watch.heard("m", 17_000.0)) == [("mark price", True), ("contract info", True)]
