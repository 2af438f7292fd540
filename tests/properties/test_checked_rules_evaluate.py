"""Whatever the checks let through can be evaluated: no accepted rule can fail while the bot runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rules.ast import And, BinaryOp, Call, Compare, Neg, Not, Number, Or, Series, text
from bot.rules.evaluator import Evaluation
from bot.rules.language import AVAILABLE_FUNCTIONS, AVAILABLE_SERIES, FUNCTIONS
from bot.rules.parse import parse_condition
from bot.rules.scope import Membership

T, N = 2, 6


class FlatView:
    """A view in which every series and window has some value, and some are unknown."""

    def value(self, series):
        return np.array([[1.0, 2.0, 3.0, 4.0, 5.0, np.nan]] * T)

    age = value

    def stale(self, series):
        return np.array([[0, 2, 0, 2, 1, 1]] * T, dtype=np.int8)

    def pct(self, series, window_ms):
        assert window_ms > 0
        return self.value(series) / 10

    delta = avg = min = max = std = zscore = pct


@pytest.fixture
def evaluation():
    return Evaluation(FlatView(), is_trading=np.ones(N, dtype=np.bool_))


def membership():
    return Membership(np.ones((T, N), dtype=np.bool_), np.ones(T, dtype=np.bool_))


SERIES_NODES = st.sampled_from(sorted(AVAILABLE_SERIES)).map(Series)
WINDOWS = st.sampled_from([1_000.0, 900_000.0, 3_600_000.0, 86_400_000.0]).map(lambda ms: Number(ms, "duration"))
PLAIN = st.integers(-5, 5).map(lambda n: Number(float(n)))
SHARES = st.integers(0, 100).map(lambda n: Number(n / 100, "%"))


def _windowed(name):
    return st.builds(lambda series, window: Call(name, (series, window)), SERIES_NODES, WINDOWS)


WINDOWED = st.one_of([_windowed(n) for n in sorted(AVAILABLE_FUNCTIONS) if FUNCTIONS[n].parameters[-1] == "window"])
LEAVES = st.one_of(
    SERIES_NODES, WINDOWED, PLAIN, SHARES, WINDOWS, SERIES_NODES.map(lambda series: Call("age", (series,)))
)
NUMERIC = st.recursive(
    LEAVES,
    lambda part: st.one_of(
        st.builds(BinaryOp, st.sampled_from("+-*/"), part, part),
        part.filter(lambda node: not isinstance(node, Number)).map(Neg),
        st.builds(lambda name, arg: Call(name, (arg,)), st.sampled_from(["abs", "median", "rank"]), part),
    ),
    max_leaves=4,
)
PLAIN_CONDITIONS = st.one_of(
    st.builds(Compare, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMERIC, NUMERIC),
    SERIES_NODES.map(lambda series: Call("stale", (series,))),
)
COUNTS = st.builds(
    lambda condition, op, bound: Compare(op, Call("count", (condition,)), bound),
    PLAIN_CONDITIONS,
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.one_of(SHARES, st.integers(0, 9).map(lambda n: Number(float(n)))),
)


def _joined(part):
    return st.one_of(
        part,
        part.map(Not),
        st.tuples(part, part).map(And),
        st.tuples(part, part).map(Or),
    )


@given(st.one_of(_joined(PLAIN_CONDITIONS), _joined(COUNTS)), st.sampled_from(["symbol", "market"]))
def test_an_accepted_condition_evaluates_to_three_values(condition, per):
    accepted = parse_condition(text(condition), per=per).expr
    if accepted is None:
        return
    evaluation = Evaluation(FlatView(), is_trading=np.ones(N, dtype=np.bool_))
    truth = evaluation.truth(accepted, membership())
    width = 1 if per == "market" else N
    assert np.broadcast_to(truth, (T, width)).shape == (T, width)
    assert set(np.unique(truth)) <= {0, 1, 2}


@pytest.mark.parametrize("name", sorted(AVAILABLE_FUNCTIONS))
def test_the_example_of_every_available_function_evaluates(evaluation, name):
    usage = FUNCTIONS[name].usage
    source = {"stale": usage, "age": f"{usage} > 30s", "count": f"{usage} >= 3"}.get(name, f"{usage} > 0")
    parsed = parse_condition(source, per="market" if name == "count" else "symbol")
    assert parsed.expr is not None, parsed.faults
    truth = evaluation.truth(parsed.expr, membership())
    assert truth.shape in {(T, N), (T, 1)}
