"""A histogram counts each value in the first bucket that holds it."""

from hypothesis import given
from hypothesis import strategies as st

from bot.model.histogram import Histogram

BOUNDS = (0.1, 1.0, 10.0)


@given(st.lists(st.floats(0, 100)))
def test_it_counts_like_a_loop(values):
    found = Histogram(BOUNDS)
    for value in values:
        found.add(value)
    assert found.cumulative() == [sum(v <= bound for v in values) for bound in BOUNDS] + [len(values)]
    assert found.count == len(values)
    assert found.total == sum(values)


@given(st.lists(st.floats(0, 100)), st.lists(st.floats(0, 100)))
def test_merged_it_is_as_if_one_had_counted_all(some, others):
    one, other, whole = Histogram(BOUNDS), Histogram(BOUNDS), Histogram(BOUNDS)
    for value in some:
        one.add(value)
        whole.add(value)
    for value in others:
        other.add(value)
        whole.add(value)
    one.merge(other)
    assert one.cumulative() == whole.cumulative()
