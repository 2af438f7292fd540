"""The dashboard's door on hand-made times: links count once and briefly, sessions end, guessing is stopped."""

from bot.web.door import (
    IDLE_MS,
    LIFE_MS,
    MAX_SESSIONS,
    MAX_TICKETS,
    TICKET_LIFE_MS,
    WRONG_PER_MINUTE,
    Door,
    Visitor,
    is_same,
)

ADA = Visitor("telegram:71", "telegram:71")
BOB = Visitor("telegram:72", "telegram:72")
T0 = 1_767_225_600_000


def test_a_link_opens_once():
    door = Door()
    ticket = door.issue(ADA, now_ms=T0)
    secret = door.enter(ticket, now_ms=T0 + 1)
    assert door.session(secret, now_ms=T0 + 2).visitor == ADA
    assert door.enter(ticket, now_ms=T0 + 3) is None


def test_a_link_lives_five_minutes():
    door = Door()
    early, late = door.issue(ADA, now_ms=T0), door.issue(ADA, now_ms=T0)
    assert door.enter(early, now_ms=T0 + TICKET_LIFE_MS - 1) is not None
    assert door.enter(late, now_ms=T0 + TICKET_LIFE_MS) is None


def test_links_are_bounded_and_the_oldest_goes():
    door = Door()
    tickets = [door.issue(ADA, now_ms=T0) for _ in range(MAX_TICKETS + 1)]
    assert door.enter(tickets[0], now_ms=T0) is None
    assert door.enter(tickets[1], now_ms=T0) is not None


def test_after_too_many_wrong_links_none_is_taken_for_a_minute():
    door = Door()
    right, later = door.issue(ADA, now_ms=T0), door.issue(ADA, now_ms=T0)
    for n in range(WRONG_PER_MINUTE):
        assert not door.is_closed(now_ms=T0 + n)
        assert door.enter(f"wrong-{n}", now_ms=T0 + n) is None
    assert door.is_closed(now_ms=T0 + 59_999)
    assert door.enter(right, now_ms=T0 + 59_999) is None
    assert door.enter(later, now_ms=T0 + 60_000) is not None, "what was not looked at still counts"


def test_a_clock_that_goes_back_keeps_nobody_out_until_it_has_caught_up():
    door = Door()
    for n in range(WRONG_PER_MINUTE):
        assert door.enter(f"wrong-{n}", now_ms=T0) is None
    back_ms = T0 - 86_400_000
    assert door.enter(door.issue(ADA, now_ms=back_ms), now_ms=back_ms) is not None


def test_a_session_ends_when_it_is_idle_and_after_a_week_however_busy():
    door = Door()
    idle, busy = door.begin(ADA, now_ms=T0), door.begin(ADA, now_ms=T0)
    assert door.session(idle, now_ms=T0 + IDLE_MS) is None
    for at_ms in range(T0, T0 + LIFE_MS, IDLE_MS // 2):
        assert door.session(busy, now_ms=at_ms) is not None
    assert door.session(busy, now_ms=T0 + LIFE_MS) is None


def test_sessions_are_bounded_and_the_one_seen_longest_ago_goes():
    door = Door()
    first, second = door.begin(ADA, now_ms=T0), door.begin(ADA, now_ms=T0)
    door.session(first, now_ms=T0 + 1)
    for _ in range(MAX_SESSIONS - 1):
        door.begin(BOB, now_ms=T0 + 2)
    assert door.session(first, now_ms=T0 + 3) is not None
    assert door.session(second, now_ms=T0 + 3) is None


def test_leaving_ends_one_session_and_shutting_out_all_of_a_person():
    door = Door()
    left, other, bob = (door.begin(who, now_ms=T0) for who in (ADA, ADA, BOB))
    ticket = door.issue(ADA, now_ms=T0)
    door.leave(left)
    assert door.session(left, now_ms=T0) is None
    assert door.session(other, now_ms=T0) is not None
    door.shut_out(ADA.user)
    assert door.session(other, now_ms=T0) is None
    assert door.enter(ticket, now_ms=T0) is None
    assert door.session(bob, now_ms=T0) is not None


def test_no_two_secrets_are_alike_and_a_session_mark_tells_nothing_of_its_secret():
    door = Door()
    secrets = [door.begin(ADA, now_ms=T0) for _ in range(3)]
    marks = [door.session(secret, now_ms=T0).csrf for secret in secrets]
    assert len(set(secrets + marks)) == 6
    assert not any(mark in secret for mark in marks for secret in secrets)
    assert is_same(marks[0], marks[0])
    assert not is_same(marks[0], marks[1])
    assert not is_same("ä", marks[1])
