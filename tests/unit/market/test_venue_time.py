"""What "now" is, whatever the venue's stamps do."""

from bot.market.venue_time import AHEAD_MS, Anchor, VenueTime

T0 = 1_767_225_600_000


def running(n=60):
    """A venue 1,000,000 ms ahead of the monotonic clock, with pushes each second."""
    time = VenueTime()
    for i in range(n):
        time.push(T0 + i * 1_000, i * 1_000.0)
    return time, n * 1_000.0, T0 + n * 1_000


def test_before_the_first_push_the_time_endpoint_counts():
    time = VenueTime()
    time.start(T0, 500.0)

    assert time.now(1_500.0) == T0 + 1_000
    assert time.push(T0 + 5_000, 2_000.0).accepted
    assert time.now(2_000.0) == T0 + 5_000


def test_silence_ages_data():
    time, mono, venue = running()

    assert time.now(mono + 30_000) == venue + 30_000


def test_now_is_at_least_the_event_of_a_push_slightly_ahead():
    time, mono, venue = running()

    assert time.push(venue + 1_500, mono).accepted
    assert time.now(mono) >= venue + 1_500


def test_now_never_goes_back():
    time, mono, venue = running()
    time.now(mono + 900)
    time.push(venue + 950, mono + 1_000)

    assert time.now(mono + 1_000) >= venue + 900


def test_a_push_far_ahead_is_held_out_and_counted():
    time, mono, venue = running()

    push = time.push(venue + AHEAD_MS + 1, mono)

    assert not push.accepted
    assert time.n_held_out == 1
    assert time.now(mono) == venue


def test_three_pushes_that_agree_anchor_anew_forward():
    time, mono, venue = running()

    pushes = [time.push(venue + 60_000 + i * 1_000, mono + i * 1_000) for i in range(3)]

    assert [p.accepted for p in pushes] == [False, False, True]
    assert pushes[-1].anchor is Anchor.JUMPED
    assert time.now(mono + 2_000) == venue + 62_000


def test_three_outliers_that_disagree_anchor_nothing():
    time, mono, venue = running()

    pushes = [time.push(venue + 60_000 * (i + 1), mono + i * 1_000) for i in range(3)]

    assert all(p.anchor is Anchor.KEPT and not p.accepted for p in pushes)


def test_back_by_a_few_seconds_time_waits():
    time, mono, venue = running()
    now = time.now(mono)

    anchors = [time.push(venue - 5_000 + i * 1_000, mono + i * 1_000).anchor for i in range(3)]

    assert anchors[-1] is Anchor.WAITING
    assert time.now(mono + 2_000) >= now


def test_back_by_more_the_windows_are_reset():
    time, mono, venue = running()

    anchors = [time.push(venue - 60_000 + i * 1_000, mono + i * 1_000).anchor for i in range(3)]

    assert anchors[-1] is Anchor.RESET
    assert time.now(mono + 2_000) == venue - 58_000


def test_a_burst_after_a_stall_is_one_witness():
    """Fourteen pushes read in one go after the process slept: time goes on, nothing is emptied."""
    time, mono, venue = running()
    anchors = [time.push(venue + i * 1_000, mono + 14_000 + i).anchor for i in range(14)]
    anchors += [time.push(venue + 14_000 + i * 1_000, mono + 14_000 + i * 1_000).anchor for i in range(5)]

    assert set(anchors) == {Anchor.KEPT}
    assert abs(time.now(mono + 18_000) - (venue + 18_000)) < 1_000


def test_a_machine_clock_an_hour_ahead_is_forgotten_at_the_first_push():
    time = VenueTime()
    time.start(T0 + 3_600_000, 0.0)
    time.now(500.0)

    push = time.push(T0 + 1_000, 1_000.0)

    assert push.anchor is Anchor.RESET
    assert time.now(1_000.0) == T0 + 1_000


def test_what_is_no_push_may_be_dated_ten_seconds_ahead_of_what_now_has_been():
    time, mono, venue = running()
    assert time.latest_ms(mono) == venue + 10_000
    time.now(mono + 5_000)
    assert time.latest_ms(mono) == venue + 15_000
