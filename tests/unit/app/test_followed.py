"""What follows a firing goes to whom its firing was told, wherever the routes lead by then."""

import pytest

from bot.app.followed import MAX_FIRINGS, Followed
from bot.model.alert import Notice, TellKind
from bot.model.view import AlertView

ALL = {"a", "b", "group", "group/7"}
FIRE, END, CLOSE, ESCALATE = TellKind.FIRE, TellKind.END, TellKind.CLOSE, TellKind.ESCALATE
KEEPING = [TellKind.UPDATE, TellKind.REPEAT, TellKind.ACK]


def notice(kind, key="k"):
    view = AlertView("r", "R", "AUSDT", "binance", "A", "warning", "x", kind, 1, 1, "", "", None, value_is_ratio=False)
    return Notice(key, kind, 0, "r", "binance:AUSDT", "warning", ("main",), 1, view)


@pytest.fixture
def followed():
    return Followed()


@pytest.mark.parametrize("kind", [*KEEPING, END, CLOSE])
def test_what_follows_goes_to_whom_the_firing_was_told(followed, kind):
    assert followed.of(notice(FIRE), ["a"], ALL) == ("a",)

    assert followed.of(notice(kind), ["b"], ALL) == ("a",)


@pytest.mark.parametrize("kind", [*KEEPING, ESCALATE, END, CLOSE])
def test_of_which_nothing_is_known_goes_where_the_routes_lead(followed, kind):
    assert followed.of(notice(kind), ["b", "a"], ALL) == ("b", "a")


def test_an_escalation_is_told_there_and_where_the_routes_lead_and_so_is_its_end(followed):
    followed.of(notice(FIRE), ["a"], ALL)

    assert followed.of(notice(ESCALATE), ["b"], ALL) == ("a", "b")
    assert followed.of(notice(TellKind.UPDATE), ["group"], ALL) == ("a", "b")
    assert followed.of(notice(END), ["group"], ALL) == ("a", "b")


@pytest.mark.parametrize(("was", "now"), [("group", "group/7"), ("group/7", "group"), ("group/7", "group/8")])
def test_an_escalation_is_not_told_twice_in_one_group(followed, was, now):
    followed.of(notice(FIRE), [was], {*ALL, "group/8"})

    assert followed.of(notice(ESCALATE), [now, "a"], {*ALL, "group/8"}) == (was, "a")


@pytest.mark.parametrize("kind", [*KEEPING, END, CLOSE])
def test_what_was_told_nowhere_goes_on_nowhere(followed, kind):
    followed.of(notice(FIRE), [], ALL)

    assert followed.of(notice(kind), ["a"], ALL) == ()


@pytest.mark.parametrize("kind", [TellKind.LOST, TellKind.BACK])
def test_data_that_is_lost_before_a_restart_and_back_after_it_is_told_where_the_routes_lead(kind):
    # Its state is stored as that of an alert, of which nothing was told as a firing.
    followed = Followed({"k": ()})

    assert followed.of(notice(kind), ["b", "a"], ALL) == ("b", "a")


def test_but_escalates_where_the_routes_lead(followed):
    followed.of(notice(FIRE), [], ALL)

    assert followed.of(notice(ESCALATE), ["a"], ALL) == ("a",)
    assert followed.of(notice(END), ["b"], ALL) == ("a",)


def test_a_destination_that_is_gone_is_told_nothing(followed):
    followed.of(notice(FIRE), ["a", "gone"], {*ALL, "gone"})

    assert followed.of(notice(TellKind.UPDATE), ["b"], ALL) == ("a",)
    assert followed.of(notice(END), ["b"], ALL) == ("a",)


@pytest.mark.parametrize("kind", [*KEEPING, ESCALATE, END, CLOSE])
def test_where_all_are_gone_the_routes_of_now_count(followed, kind):
    followed.of(notice(FIRE), ["gone"], {*ALL, "gone"})

    assert followed.of(notice(kind), ["b"], ALL) == ("b",)


def test_a_destination_that_comes_back_hears_the_end(followed):
    followed.of(notice(FIRE), ["a", "gone"], {*ALL, "gone"})
    followed.of(notice(ESCALATE), ["a"], ALL)

    assert followed.of(notice(END), ["a"], {*ALL, "gone"}) == ("a", "gone")


def test_who_wants_no_more_of_it_is_told_its_end_alone_in_topics_too(followed):
    followed.of(notice(FIRE), ["a", "group/7"], ALL)

    assert followed.of(notice(TellKind.UPDATE), ["a"], ALL, ["group"]) == ("a",)
    assert followed.of(notice(ESCALATE), ["a"], ALL, ["group"]) == ("a",)
    assert followed.of(notice(END), ["a"], ALL, ["group"]) == ("a", "group/7")


def test_firings_do_not_see_each_other(followed):
    followed.of(notice(FIRE, "one"), ["a"], ALL)
    followed.of(notice(FIRE, "two"), ["b"], ALL)

    assert followed.of(notice(END, "one"), ["group"], ALL) == ("a",)
    assert followed.of(notice(END, "two"), ["group"], ALL) == ("b",)


def test_an_end_is_the_last_that_is_known(followed):
    followed.of(notice(FIRE), ["a"], ALL)
    followed.of(notice(END), ["a"], ALL)

    assert len(followed) == 0


def test_a_firing_that_is_told_again_adds_to_who_knows(followed):
    followed.of(notice(FIRE), ["a"], ALL)

    assert followed.of(notice(FIRE), ["b"], ALL) == ("b",)
    assert followed.of(notice(END), [], ALL) == ("a", "b")


def test_what_was_told_before_the_start_is_followed_too():
    followed = Followed({"k": ("a",)})

    assert followed.of(notice(END), ["b"], ALL) == ("a",)


def test_it_follows_a_destination_to_another_name(followed):
    followed.of(notice(FIRE, "one"), ["group/7", "group"], ALL)
    followed.of(notice(FIRE, "two"), ["a"], ALL)

    followed.rename("group/7", "group")

    assert followed.of(notice(END, "one"), ["b"], ALL) == ("group",)
    assert followed.of(notice(END, "two"), ["b"], ALL) == ("a",)


def test_it_is_bounded_and_forgets_the_oldest():
    followed = Followed({str(n): ("a",) for n in range(MAX_FIRINGS + 5)})
    followed.of(notice(FIRE, "new"), ["a"], ALL)

    assert len(followed) == MAX_FIRINGS
    assert followed.of(notice(END, "5"), ["b"], ALL) == ("b",)
    assert followed.of(notice(END, "6"), ["b"], ALL) == ("a",)
