"""However routes and destinations change while alerts fire: whoever saw one hears its end, and nobody else does."""

from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.muting import group_of
from bot.app.followed import Followed
from bot.model.alert import Notice, TellKind
from bot.model.view import AlertView

NAMES = ("a", "b", "group", "group/7", "group/8")
KINDS = (TellKind.UPDATE, TellKind.REPEAT, TellKind.ESCALATE)
subsets = st.sets(st.sampled_from(NAMES)).map(sorted)
steps = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(KINDS), subsets, subsets), max_size=20)


def notice(kind, key):
    view = AlertView("r", "R", "AUSDT", "binance", "A", "warning", key, kind, 1, 1, "", "", None, value_is_ratio=False)
    return Notice(key, kind, 0, "r", "binance:AUSDT", "warning", ("main",), 1, view)


@given(fired=st.fixed_dictionaries(dict.fromkeys("xyz", subsets)), steps=steps, end=st.tuples(subsets, subsets))
def test_an_end_is_told_to_all_who_saw_the_alert_and_to_nobody_else(fired, steps, end):
    followed = Followed()
    saw = {key: set(followed.of(notice(TellKind.FIRE, key), names, NAMES)) for key, names in fired.items()}
    for key, kind, names, places in steps:
        now = [name for name in names if name in places]
        told = followed.of(notice(kind, key), now, places)
        assert len(told) == len(set(told))
        assert set(told) <= set(places)
        left = saw[key] & set(places)
        if kind is TellKind.ESCALATE:
            assert left <= set(told)
            reached = {group_of(name) for name in told}
            assert reached >= {group_of(name) for name in now}, "an escalation reaches everybody it is for"
            saw[key] |= set(told)
        elif left or not saw[key]:
            assert set(told) == left

    names, places = end
    for key, seen in saw.items():
        now, left = [name for name in names if name in places], seen & set(places)
        told = followed.of(notice(TellKind.END, key), now, places)
        assert set(told) == (left if left or not seen else set(now))
    assert len(followed) == 0
