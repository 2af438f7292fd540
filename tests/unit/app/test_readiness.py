"""From ages to reasons: what makes the bot not ready, what is only noted, and what is neither."""

from dataclasses import replace

import pytest

from bot.app.readiness import Vitals, Way, judge
from bot.model.readiness import CODES

MAIN = Way("main", None, 0.0, 1.0)
WELL = Vitals(
    uptime_s=3_600.0,
    price_age_s=1.0,
    tick_age_s=1.0,
    is_swept=True,
    lateness=0.9,
    n_polled=500,
    storage="",
    ways=(MAIN,),
    has_chat=True,
    chat_age_s=20.0,
    chat_stopped=None,
    progress="",
)


def codes(**changes) -> list[str]:
    return [reason.code for reason in judge(replace(WELL, **changes)).reasons]


def test_when_all_is_young_the_bot_is_ready():
    found = judge(WELL)
    assert found.is_ready
    assert not found.is_starting
    assert (found.text, found.notes) == ("", ())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"price_age_s": 10.1}, ["price"]),
        ({"tick_age_s": 10.1}, ["evaluation"]),
        ({"tick_age_s": None}, ["evaluation"]),
        ({"lateness": 2.1}, ["open_interest"]),
        ({"storage": "the disk is full"}, ["storage"]),
        ({"ways": (replace(MAIN, failing_s=301.0),)}, ["delivery"]),
        ({"ways": (replace(MAIN, turned_s=301.0),)}, ["delivery"]),
        ({"ways": (replace(MAIN, dead_reason="blocked"),)}, ["delivery"]),
        ({"chat_age_s": 301.0}, ["chat"]),
        ({"chat_stopped": "the token was revoked"}, ["chat"]),
        ({"price_age_s": None}, ["starting"]),
        ({"is_swept": False, "lateness": None}, ["starting"]),
        ({"price_age_s": 99.0, "tick_age_s": 99.0, "storage": "x"}, ["price", "evaluation", "storage"]),
        # On the edge, or not to be complained of.
        ({"price_age_s": 10.0, "tick_age_s": 10.0, "lateness": 2.0, "chat_age_s": 300.0}, []),
        ({"ways": (replace(MAIN, failing_s=300.0),)}, []),
        ({"ways": ()}, []),
        ({"lateness": None}, []),
        ({"has_chat": False, "chat_age_s": None}, []),
        # A lane and a chat that have not begun yet count from the start of the process.
        ({"uptime_s": 5.0, "ways": (replace(MAIN, turned_s=None),), "chat_age_s": None}, []),
        ({"uptime_s": 301.0, "ways": (replace(MAIN, turned_s=None),)}, ["delivery"]),
        ({"uptime_s": 301.0, "chat_age_s": None}, ["chat"]),
    ],
)
def test_reasons(changes, expected):
    assert codes(**changes) == expected
    assert set(expected) <= set(CODES)


def test_one_dead_destination_beside_a_living_one_is_a_note():
    gone = Way("group", "the bot was removed", 9_999.0, 9_999.0)
    found = judge(replace(WELL, ways=(MAIN, gone)))
    assert found.is_ready
    assert found.notes == ("group takes no messages any more: the bot was removed",)


def test_when_all_are_dead_each_is_a_reason():
    found = judge(replace(WELL, ways=(replace(MAIN, dead_reason="a"), Way("b", "b", 0.0, 0.0))))
    assert [r.code for r in found.reasons] == ["delivery", "delivery"]
    assert found.notes == ()


def test_starting_is_told_apart_from_trouble():
    assert judge(replace(WELL, price_age_s=None)).is_starting
    assert not judge(replace(WELL, price_age_s=None, storage="full")).is_starting


def test_texts_say_how_old_and_how_far_a_start_is():
    assert "42 s" in judge(replace(WELL, price_age_s=42.0)).text
    assert "(open interest 10/60)" in judge(replace(WELL, is_swept=False, progress="open interest 10/60")).text
