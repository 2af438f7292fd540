"""The screen and the cell truths say exactly what comparing every rule with every cell says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.rules.ast import And, Compare, Not, Number, Or, Series
from bot.rules.cells import _Table
from bot.rules.screen import Screen, terms_of

ROWS = {"price": 0, "index": 1, "oi": 2, "funding": 3}
LEVELS = (-1.0, 0.0, 0.5, 1.0, 2.0)
VALUES = st.one_of(st.sampled_from([*LEVELS, np.nan]), st.floats(-3, 3))

comparisons = st.builds(
    lambda op, name, level, is_mirrored: (
        Compare(op, Number(level), Series(name)) if is_mirrored else Compare(op, Series(name), Number(level))
    ),
    st.sampled_from([">", ">=", "<", "<=", "==", "!="]),
    st.sampled_from(sorted(ROWS)),
    st.sampled_from(LEVELS),
    st.booleans(),
)
conditions = st.recursive(
    comparisons,
    lambda part: st.one_of(
        part.map(Not), st.lists(part, min_size=2, max_size=3).map(lambda x: And(tuple(x))),
        st.lists(part, min_size=2, max_size=3).map(lambda x: Or(tuple(x))),
    ),
    max_leaves=5,
)  # fmt: skip


def row_of(expr):
    return ROWS.get(expr.name) if isinstance(expr, Series) else None


def truth(condition, column):
    """By the book, of one cell."""
    match condition:
        case Not(item=item):
            return TRUE - truth(item, column)
        case And(items=items):
            return min(truth(i, column) for i in items)
        case Or(items=items):
            return max(truth(i, column) for i in items)
    left, right = (
        s.value if isinstance(s, Number) else column[ROWS[s.name]] for s in (condition.left, condition.right)
    )
    if np.isnan(left) or np.isnan(right):
        return UNKNOWN
    held = {
        ">": left > right, ">=": left >= right, "<": left < right,
        "<=": left <= right, "==": left == right, "!=": left != right,
    }[condition.op]  # fmt: skip
    return TRUE if held else FALSE


@settings(max_examples=200, deadline=None)
@given(data=st.data(), rules=st.lists(conditions, min_size=1, max_size=12), n_times=st.integers(1, 3))
def test_true_cells_are_those_that_a_comparison_of_all_finds(data, rules, n_times):
    rules = [(r, t) for r in rules if (t := terms_of(r, row_of)) is not None]
    if not rules:
        return
    n_columns = data.draw(st.integers(1, 9))
    cells = st.lists(VALUES, min_size=n_columns, max_size=n_columns)
    values = np.array([[data.draw(cells) for _ in range(n_times)] for _ in ROWS])
    inside = st.lists(st.booleans(), min_size=n_columns, max_size=n_columns)
    everyone = np.ones((n_times, n_columns), dtype=np.bool_)
    members = [everyone, np.array([data.draw(inside) for _ in range(n_times)], dtype=np.bool_)]
    scope_of = [data.draw(st.integers(0, 1)) for _ in rules]
    want = {
        (k, t, c)
        for k, (rule, _) in enumerate(rules)
        for t in range(n_times)
        for c in range(n_columns)
        if members[scope_of[k]][t, c] and truth(rule, values[:, t, c]) == TRUE
    }

    for is_swept in (False, True):
        screen = Screen([t for _, t in rules], scope_of)
        found = sweep_of(screen, values, members) if is_swept else screen.true_somewhere(values, members)
        assert found == {k for k, _, _ in want}
    if n_times == 1:
        condition, column = Screen([t for _, t in rules], scope_of).true_cells(values, members)
        assert list(zip(condition.tolist(), [0] * len(column), column.tolist(), strict=True)) == sorted(want)


def sweep_of(screen, values, members):
    """The sweep alone, whatever the switch would have chosen."""
    possible = screen._possible(values, members)
    candidates = np.flatnonzero(possible[screen._terms].all(axis=1))
    if not len(candidates):
        return set()
    inside = [m.reshape(-1) for m in members]
    rules, _ = screen._sweep(candidates, possible, values.reshape(len(values), -1), inside)
    return {int(r) for r in rules}


@settings(max_examples=200, deadline=None)
@given(rules=st.lists(conditions, min_size=1, max_size=6), column=st.lists(VALUES, min_size=4, max_size=4))
def test_the_truth_of_a_cell_is_that_of_the_book(rules, column):
    rules = [(r, t) for r in rules if (t := terms_of(r, row_of)) is not None]
    if not rules:
        return
    values = np.array(column)[:, None]
    found = _Table([t for _, t in rules]).truth(np.arange(len(rules)), np.zeros(len(rules), dtype=np.int64), values)
    assert found.tolist() == [truth(r, column) for r, _ in rules]
