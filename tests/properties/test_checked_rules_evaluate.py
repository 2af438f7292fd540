"""Whatever the checks let through can be evaluated: no accepted rule can fail while the bot runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.engine import Engine
from bot.engine.inputs import Listed
from bot.model.instrument import Instrument
from bot.model.updates import InstrumentList, MarkPrices
from bot.rules.ast import And, BinaryOp, Call, Compare, Neg, Not, Number, Or, Series, text
from bot.rules.language import CROSSINGS, FLOWS, FUNCTIONS, SERIES
from bot.rules.parse import parse_condition
from bot.rules.schema import Rule

T0 = 1_767_225_600_000
N = 6


def evaluate(when, per="symbol"):
    """Three ticks over a market in which some prices are known; raises what the engine raises."""
    engine = Engine([Rule(id="r", when=when, per=per)])
    listed = tuple(Instrument("t", s, "perpetual", s, "USDT", "TRADING") for s in "ABCDEF")
    engine.consume(Listed(InstrumentList("t", listed), T0))
    for second in range(1, 4):
        now = T0 + second * 1_000
        rows = np.arange(N - 1, dtype=np.int32)
        price = 1.0 + rows + second / 10
        n = len(rows)
        engine.consume(
            MarkPrices(rows, price, price, np.full(n, 1e-4), np.zeros(n, np.int64), np.full(n, now, np.int64), 0.0)
        )
        engine.tick(now)
    result = engine.plan.evaluate(engine._block)
    return result.truth(engine.plan.rules[0]).when


SERIES_NODES = st.sampled_from(sorted(SERIES)).map(Series)
WINDOWS = st.sampled_from([1_000.0, 900_000.0, 3_600_000.0, 86_400_000.0]).map(lambda ms: Number(ms, "duration"))
PLAIN = st.integers(-5, 5).map(lambda n: Number(float(n)))
SHARES = st.integers(0, 100).map(lambda n: Number(n / 100, "%"))


def _windowed(name):
    flow = FUNCTIONS[name].parameters[0] == "flow"
    series = SERIES_NODES.filter(lambda node: (node.name in FLOWS) == flow)
    if name == "corr":
        return st.builds(lambda a, b, window: Call(name, (a, b, window)), series, series, WINDOWS)
    return st.builds(lambda series, window: Call(name, (series, window)), series, WINDOWS)


WINDOWED = st.one_of([_windowed(n) for n in sorted(FUNCTIONS) if FUNCTIONS[n].parameters[-1] == "window"])
LEAVES = st.one_of(
    SERIES_NODES, WINDOWED, PLAIN, SHARES, WINDOWS, SERIES_NODES.map(lambda series: Call("age", (series,)))
)
NUMERIC = st.recursive(
    LEAVES,
    lambda part: st.one_of(
        st.builds(BinaryOp, st.sampled_from("+-*/"), part, part),
        part.filter(lambda node: not isinstance(node, Number)).map(Neg),
        st.builds(lambda name, arg: Call(name, (arg,)), st.sampled_from(["abs", "median", "rank", "total"]), part),
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

CROSSINGS_OF_ALL = st.builds(
    lambda crossing, over, part, level: Call(crossing, (Call(over, (part,)), level)),
    st.sampled_from(sorted(CROSSINGS)),
    st.sampled_from(["median", "total"]),
    NUMERIC,
    st.one_of(PLAIN, SHARES),
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
    truth = evaluate(accepted, per)
    assert truth.shape == (1, 1 if per == "market" else N)
    assert set(np.unique(truth)) <= {0, 1, 2}


@given(CROSSINGS_OF_ALL, st.sampled_from(["symbol", "market"]))
def test_an_accepted_crossing_of_numbers_for_the_scope_evaluates(crossing, per):
    accepted = parse_condition(text(crossing), per=per).expr
    if accepted is not None:
        assert evaluate(accepted, per).shape == (1, 1 if per == "market" else N)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_example_of_every_function_evaluates(name):
    usage = FUNCTIONS[name].usage
    is_condition = name in {"stale", "crosses", "crosses_above", "crosses_below"}
    source = {"age": f"{usage} > 30s", "count": f"{usage} >= 3"}.get(name, usage if is_condition else f"{usage} > 0")
    per = "market" if name == "count" else "symbol"
    parsed = parse_condition(source, per=per)
    assert parsed.expr is not None, parsed.faults
    assert evaluate(parsed.expr, per).shape == (1, 1 if per == "market" else N)
