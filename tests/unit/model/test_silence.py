"""Quiet hours by local clocks, also where these go forward or back; what a silence may be."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.model.numbers import zone_of
from bot.model.silence import QuietHours, Silence

NIGHT = QuietHours("telegram", 23 * 60, 7 * 60, "Europe/Berlin")


def ms(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-26 22:59:59", None),
        ("2026-11-26 23:00", "2026-11-27 07:00"),
        ("2026-11-27 00:00", "2026-11-27 07:00"),
        ("2026-11-27 06:59:59", "2026-11-27 07:00"),
        ("2026-11-27 07:00", None),
    ],
)
def test_hours_reach_over_midnight(now, until):
    assert NIGHT.until_ms(ms(now)) == (None if until is None else ms(until))


def test_hours_within_a_day():
    lunch = QuietHours("telegram", 12 * 60, 13 * 60 + 30, "Asia/Kathmandu")
    assert lunch.until_ms(ms("2026-11-26 11:59", "Asia/Kathmandu")) is None
    assert lunch.until_ms(ms("2026-11-26 12:00", "Asia/Kathmandu")) == ms("2026-11-26 13:30", "Asia/Kathmandu")
    assert lunch.until_ms(ms("2026-11-26 13:30", "Asia/Kathmandu")) is None


def test_a_night_in_which_clocks_change_is_an_hour_shorter_or_longer():
    hour = 3_600_000
    for now, hours in (("2026-03-28 23:00", 7), ("2026-10-24 23:00", 9), ("2026-11-26 23:00", 8)):
        until_ms = NIGHT.until_ms(ms(now))
        assert until_ms is not None
        assert until_ms - ms(now) == hours * hour


@pytest.mark.parametrize(
    ("starts", "ends"),
    [(s, e) for s in ("02:30", "01:30", "04:30") for e in ("02:30", "02:45", "07:00", "01:00") if s != e],
)
@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24"])
def test_a_range_has_one_beginning_and_one_end_whatever_the_clocks_do(starts, ends, day):
    """Over three days around a change: each night has one, and each ends when it was said to."""
    minutes = [int(t[:2]) * 60 + int(t[3:]) for t in (starts, ends)]
    quiet = QuietHours("telegram", *minutes, "Europe/Berlin")
    begin_ms, step_ms = ms(f"{day} 12:00"), 5 * 60_000
    seen, announced = [], None
    for now_ms in range(begin_ms, begin_ms + 48 * 3_600_000, step_ms):
        until_ms = quiet.until_ms(now_ms)
        if until_ms is not None and announced is None:
            seen.append(now_ms)
        if announced is not None and now_ms < announced:
            assert until_ms == announced
        if announced is not None and now_ms >= announced:
            assert until_ms is None or until_ms > announced
        announced = until_ms
    assert len(seen) == 2 + (quiet.until_ms(begin_ms) is not None)


def test_a_time_that_does_not_exist_is_read_with_the_offset_before_the_gap():
    quiet = QuietHours("telegram", 23 * 60, 2 * 60 + 30, "Europe/Berlin")
    assert quiet.until_ms(ms("2026-03-29 01:00")) == ms("2026-03-29 03:30")
    assert quiet.until_ms(ms("2026-10-25 01:00")) == ms("2026-10-25 02:30", fold=0)


def test_a_zone_that_is_gone_counts_as_utc():
    assert zone_of("Europe/Atlantis") is UTC
    assert zone_of("../../etc/passwd") is UTC
    assert zone_of("UTC").utcoffset(None) == timedelta(0)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 1440), (7, 7)])
def test_impossible_hours_are_refused(start, end):
    with pytest.raises(ValueError, match="telegram: expected"):
        QuietHours("telegram", start, end, "UTC")


def test_a_silence_ends_after_it_begins_and_may_be_ended_early():
    with pytest.raises(ValueError, match="expected an end after 5"):
        Silence("s-1", 5, 5, "a", 5)
    one = Silence("s-1", 5, 9, "a", 5)
    assert [one.is_active(t) for t in (4, 5, 8, 9)] == [False, True, True, False]
    ended = Silence("s-1", 5, 9, "a", 5, expired_ms=7)
    assert [ended.is_active(t) for t in (6, 7)] == [True, False]
