"""The checker finds each kind of wrong, and nothing where all is well."""

import pytest

from bot.sim.chat_log import Happening, What
from tests.support.arrivals import Committed, judge

A, B, C = "aaaaaaaa", "bbbbbbbb", "cccccccc"
WHERE = {("telegram", "5"): "main", ("discord", "9"): "other"}


def told(text, *, what=What.NEW, chat="5", reply_to=None):
    service = "telegram" if chat == "5" else "discord"
    return Happening(service, chat, what, "1", text, 0.0, reply_to)


def wanted(*ids, where=("main",)):
    return Committed(frozenset(ids), frozenset((w, one) for w in where for one in ids))


FIRE, UPDATE, END = f"🟠 x #{A}", f"🟠 now #{A}", f"✅ ended after 5m\n🟠 x #{A}"
LIFE = [told(FIRE), told(UPDATE, reply_to="1"), told(END, what=What.EDIT)]


def test_a_whole_life_is_well():
    verdict = judge(wanted(A), LIFE, WHERE)
    assert str(verdict) == "wanted 1, lost 0, unexpected 0, duplicates 0, recovered 0, out of order 0"


def test_what_never_came_is_lost_in_its_destination_only():
    verdict = judge(wanted(A, where=("main", "other")), LIFE, WHERE)
    assert verdict.lost == {("other", A)}


def test_what_was_never_committed_is_unexpected():
    assert judge(wanted(A), [*LIFE, told(f"🟠 y #{B}")], WHERE).unexpected == {("main", B)}


def test_what_was_given_up_is_not_lost():
    given_up = Committed(frozenset({A, B}), frozenset({("main", A)}), frozenset({("main", B)}))
    assert not judge(given_up, LIFE, WHERE).lost


def test_each_further_message_is_a_duplicate_but_not_edits_nor_replies():
    verdict = judge(wanted(A), [told(FIRE), told(FIRE), *LIFE], WHERE)
    assert verdict.n_duplicates == 2


def test_where_nobody_can_reply_an_update_is_known_by_its_words():
    update = f"x · jump\n🟠 x OI now **+9%** (was +6%)\n#{A}"
    verdict = judge(wanted(A, where=("other",)), [told(FIRE, chat="9"), told(update, chat="9")], WHERE)
    assert verdict.n_duplicates == 0
    assert not judge(wanted(A, where=("other",)), [told(update, chat="9")], WHERE).lost, "it tells the firing too"


def test_an_end_may_stand_below_a_title():
    end = told(f"x · jump\n✅ **ended after 5m**\nprice\n#{A}", what=What.EDIT, chat="9")
    late = told(f"x · jump\n🟠 x OI now **+9%** (was +6%)\n#{A}", chat="9", reply_to="1")
    verdict = judge(wanted(A, where=("other",)), [told(FIRE, chat="9"), end, late], WHERE)
    assert verdict.disorder == (f"other: #{A} was updated after its end",)


def test_an_unknown_outcome_that_arrived_is_recovered():
    verdict = judge(wanted(A, B), LIFE, WHERE, unknown=[("main", A), ("main", B)])
    assert verdict.recovered == {("main", A)}


def test_a_digest_tells_all_its_rows_and_ends_them_one_by_one():
    digest = f"🟠 2 coins\n🟠 x #{A}\n🟠 y #{B}"
    later = f"🟠 2 coins\n✅ x ended after 1m #{A}\n🟠 y #{B}"
    verdict = judge(wanted(A, B), [told(digest), told(later, what=What.EDIT)], WHERE)
    assert not verdict.lost
    assert not verdict.disorder


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ([told(UPDATE, reply_to="1"), told(FIRE)], "was updated before it fired"),
        ([told(END, what=What.EDIT)], "was edited before it fired"),
        ([told(FIRE), told(END, what=What.EDIT), told(UPDATE, reply_to="1")], "was updated after its end"),
        ([told(FIRE), told(END, what=What.EDIT), told(FIRE, what=What.EDIT)], "is no longer ended"),
    ],
)
def test_the_order_of_a_life_matters(seen, sentence):
    verdict = judge(wanted(A), seen, WHERE)
    assert any(sentence in text for text in verdict.disorder)


def test_other_chats_are_not_looked_at():
    assert judge(wanted(A), [*LIFE, Happening("telegram", "6", What.NEW, "1", f"#{C}", 0.0)], WHERE).unexpected == set()


def test_a_scorecard_is_neither_a_duplicate_nor_an_update_after_the_end():
    card = f"📊 x · jump  15m after 14:31 UTC\n#{A}"
    seen = [*LIFE, told(card, reply_to="1"), told(card, what=What.EDIT), told(card)]
    assert str(judge(wanted(A), seen, WHERE)) == str(judge(wanted(A), LIFE, WHERE))
