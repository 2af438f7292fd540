"""The trigger index finds what a look at every trigger finds."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.slot_table import SlotTable, id_of, number_of
from bot.alerts.thresholds import TriggerIndex

N_EXPRS, N_ROWS = 3, 4
LEVELS = st.sampled_from([-1.0, -5e-324, -0.0, 0.0, 5e-324, 0.3, 0.30000000000000004, 1.0, 2.5])
ADD = st.tuples(st.just("add"), st.integers(0, N_EXPRS - 1), st.integers(0, N_ROWS - 1), st.booleans(), LEVELS)
REMOVE = st.tuples(st.just("remove"), st.integers(0, 1_000))
TICK = st.tuples(
    st.just("tick"),
    st.lists(st.one_of(LEVELS, st.just(nan)), min_size=N_EXPRS * N_ROWS, max_size=N_EXPRS * N_ROWS),
)


class Leveled:
    """An index, and the levels of its slots."""

    def __init__(self) -> None:
        self.levels = {}
        self.index = TriggerIndex(lambda slot, _above: self.levels[slot])

    def add(self, e, i, *, above, level, slot):
        self.levels[slot] = level
        self.index.add(e, i, above=above, slot=slot)

    def __getattr__(self, name):
        return getattr(self.index, name)

    def __len__(self):
        return len(self.index)


@given(st.lists(st.one_of(ADD, ADD, ADD, REMOVE, TICK), max_size=120))
@settings(max_examples=300, deadline=None)
def test_hits_are_those_of_a_full_scan(script):
    index, waiting = Leveled(), {}
    for slot, (kind, *rest) in enumerate(script):
        if kind == "add":
            e, i, above, level = rest
            index.add(e, i, above=above, level=level, slot=slot)
            waiting[slot] = (e, i, above, level)
        elif kind == "remove" and waiting:
            gone = sorted(waiting)[rest[0] % len(waiting)]
            e, i, above, _ = waiting.pop(gone)
            index.remove(e, i, above=above, slot=gone)
        elif kind == "tick":
            values = np.array(rest[0]).reshape(N_EXPRS, N_ROWS)
            expected = {
                s
                for s, (e, i, above, level) in waiting.items()
                if (values[e, i] >= level if above else values[e, i] <= level)
            }
            found = index.hits(values)
            assert sorted(found) == sorted(expected), "each once, and none else"
            for s in expected:
                del waiting[s]
        assert len(index) == len(waiting)


TRIGGERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans(), LEVELS), max_size=60)


@given(TRIGGERS, TRIGGERS, st.lists(LEVELS, min_size=12, max_size=12))
def test_many_at_once_are_the_same_as_one_by_one(some, more, values):
    single, bulk = Leveled(), Leveled()
    for first, part in ((0, some), (len(some), more)):
        for slot, (e, i, above, level) in enumerate(part, first):
            single.add(e, i, above=above, level=level, slot=slot)
        bulk.levels |= single.levels
        if part:
            e, i, above, level = (np.array(column) for column in zip(*part, strict=True))
            bulk.add_all(e, i, above, level, np.arange(first, first + len(part), dtype=np.uint32))
        assert len(single) == len(bulk)
    matrix = np.array(values).reshape(4, 3)
    assert bulk.hits(matrix) == single.hits(matrix)
    assert bulk.hits(matrix[::-1]) == single.hits(matrix[::-1])


def test_many_at_once_need_finite_levels_too():
    one, level = np.zeros(1, dtype=np.int64), np.array([nan])
    with pytest.raises(ValueError, match="finite"):
        Leveled().index.add_all(one, one, one == 0, level, one.astype(np.uint32))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), LEVELS), min_size=1, max_size=60), st.data())
def test_the_last_expression_can_take_the_place_of_an_empty_one(triggers, data):
    index = Leveled()
    n = max(e for e, _, _ in triggers) + 1
    for slot, (e, above, level) in enumerate(triggers):
        index.add(e, 1, above=above, level=level, slot=slot)
    gone = data.draw(st.integers(0, n - 1))
    for slot, (e, above, _) in enumerate(triggers):
        if e == gone:
            index.remove(e, 1, above=above, slot=slot)
    index.replace_last_expr(gone)
    assert index.shape[0] == n - 1
    for e in range(n - 1):
        old = n - 1 if e == gone else e
        above = [s for s, (e_, up, _) in enumerate(triggers) if e_ == old and up]
        below = [s for s, (e_, up, _) in enumerate(triggers) if e_ == old and not up]
        high, low = np.full((n - 1, 2), nan), np.full((n - 1, 2), nan)
        high[e, 1], low[e, 1] = 1e300, -1e300
        assert sorted(index.hits(high)) == above
        assert sorted(index.hits(low)) == below
    assert len(index) == 0


def test_fifty_thousand_at_one_level_are_taken_back_one_by_one():
    index = Leveled()
    for slot in range(50_000):
        index.add(0, 0, above=True, level=70_000.0, slot=slot)
    for slot in (49_999, 0, 25_000):
        index.remove(0, 0, above=True, slot=slot)
    assert index.hits(np.array([[69_999.99]])) == []
    found = index.hits(np.array([[70_000.0]]))
    assert set(found) == set(range(50_000)) - {0, 25_000, 49_999}
    assert index.hits(np.array([[70_000.0]])) == []


def test_infinite_is_unknown():
    index = Leveled()
    index.add(0, 0, above=True, level=1.0, slot=1)
    index.add(0, 1, above=False, level=1.0, slot=2)
    assert index.hits(np.array([[inf, -inf, inf]])) == []
    assert index.hits(np.array([[-inf, inf, -inf]])) == []


def test_it_grows_and_takes_values_of_another_shape():
    index = Leveled()
    index.add(0, 0, above=True, level=1.0, slot=1)
    index.add(5, 900, above=False, level=1.0, slot=2)
    index.add(2, 3, above=True, level=1.0, slot=3)
    assert sorted(index.hits(np.ones((3, 4)))) == [1, 3], "of fewer rows than there are groups"
    wide = np.ones((8, 1_200))[:, ::-1]
    assert index.hits(wide) == [2], "of more, and not contiguous"
    assert index.nbytes > 0


@pytest.mark.parametrize("level", [nan, inf, -inf])
def test_a_level_is_a_finite_number(level):
    with pytest.raises(ValueError, match="finite"):
        Leveled().add(0, 0, above=True, level=level, slot=1)


def test_what_does_not_wait_cannot_be_taken_back():
    index = Leveled()
    index.add(0, 0, above=True, level=1.0, slot=1)
    index.levels[2] = 1.0
    for wrong in (
        {"e": 1, "i": 0, "above": True, "slot": 1},
        {"e": 0, "i": 0, "above": False, "slot": 1},
        {"e": 0, "i": 0, "above": True, "slot": 2},
    ):
        with pytest.raises(KeyError, match="does not wait"):
            index.remove(**wrong)
    index.add(1, 0, above=True, level=1.0, slot=2)
    with pytest.raises(ValueError, match="still has triggers"):
        index.replace_last_expr(0)


NUMBERS = st.integers(0, (1 << 40) - 1)


@given(NUMBERS)
def test_ids_are_numbers(number):
    assert number_of(id_of(number)) == number


@pytest.mark.parametrize(
    "wrong", ["", "a-", "a-1234567", "a-123456789", "oi_surge", "12345678", "a-iiiiiiii", "a-1234567U"]
)
def test_what_is_no_id_is_refused_with_what_was_expected(wrong):
    with pytest.raises(ValueError, match="expected a- and eight characters"):
        number_of(wrong)


@given(st.lists(st.tuples(st.booleans(), st.one_of(NUMBERS, st.integers(0, 20))), max_size=200))
def test_the_table_of_ids_is_a_dictionary(script):
    numbers = [number for _, number in script]
    table, plain = SlotTable(numbers.__getitem__), {}
    for slot, (adds, number) in enumerate(script):
        if adds and number in plain:
            with pytest.raises(KeyError, match="there already"):
                table.add(slot)
        elif adds:
            table.add(slot)
            plain[number] = slot
        else:
            assert table.pop(number) == plain.pop(number, None)
        assert len(table) == len(plain)
        assert table.get(number) == plain.get(number)
