"""Of random small markets: an explanation tells the truth of the engine, with the engine's numbers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.engine.engine import Engine
from bot.engine.explaining import explain, glances
from bot.engine.inputs import Listed, Placed
from bot.engine.one_place import OnePlace
from bot.engine.tick_values import TickValues
from bot.model.explanation import Explanation
from bot.model.updates import InstrumentChange, InstrumentList, MarkPrices
from bot.rules.parse import parse_condition, parse_value
from bot.rules.schema import Rule, Scope

pytestmark = pytest.mark.promise("P19")

T0 = 1_767_225_600_000
N = 6
NUMBERS = (
    "price", "oi", "oi_usd", "basis", "pct(price, 5s)", "pct(oi, 10s)", "delta(oi_usd, 5s)", "avg(price, 10s)",
    "max(price, 10s)", "std(oi, 10s)", "zscore(price, 10s)", "percentile(price, 10s)", "slope(price, 10s)",
    "corr(price, oi, 10s)", "age(oi) / 1s", "median(price)", "rank(oi_usd)", "price / min(price, 10s)",
    "pct(price, 5s) - median(pct(price, 5s))",
)  # fmt: skip
numbers = st.sampled_from(NUMBERS)
comparisons = st.builds(
    lambda left, op, right: f"{left} {op} {right}",
    numbers,
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.sampled_from(["0", "1", "100", "5 * 1"]),
)
atoms = st.one_of(comparisons, st.sampled_from(["stale(oi)", "stale(price)"]))
conditions = st.recursive(
    atoms,
    lambda part: st.one_of(
        part.map(lambda c: f"not ({c})"),
        st.tuples(part, part).map(lambda two: f"({two[0]}) and ({two[1]})"),
        st.tuples(part, part).map(lambda two: f"({two[0]}) or ({two[1]})"),
    ),
    max_leaves=4,
)
crossings = st.builds(
    lambda name, left: f"{name}({left}, 100)", st.sampled_from(["crosses", "crosses_above", "crosses_below"]), numbers
)
paths = st.lists(
    st.tuples(
        st.lists(st.one_of(st.none(), st.integers(95, 105)), min_size=N, max_size=N),
        st.lists(st.one_of(st.none(), st.integers(90, 110)), min_size=N, max_size=N),
    ),
    min_size=1,
    max_size=30,
)
VERDICT = {0: "false", 1: "unknown", 2: "true"}


def market(rules, perpetual, path, *, is_halted, gap):
    engine = Engine(rules)
    listed = [perpetual(b) for b in "ABCDEF"]
    engine.consume(Listed(InstrumentList("binance", tuple(listed)), T0))
    if is_halted:
        halted = type(listed[1])("binance", "BUSDT", "perpetual", "B", "USDT", "HALT")
        engine.consume(Listed(InstrumentChange(halted), T0))
    now = T0
    for prices, amounts in path:
        rows = np.array([i for i, p in enumerate(prices) if p is not None], dtype=np.int32)
        if len(rows):
            price = np.array([float(prices[i]) for i in rows])
            index = np.where(rows == 2, 0.0, 100.0)
            at = np.full(len(rows), now)
            engine.consume(
                MarkPrices(rows, price, index, np.full(len(rows), 1e-4), np.zeros(len(rows), np.int64), at, 0.0)
            )
        for row, amount in enumerate(amounts):
            if amount is not None:
                engine.consume(Placed(row, float(amount), now, now, 2_000))
        engine.tick(now)
        now += 1_000
    if gap:
        engine.tick(now + gap)
    return engine


def nodes(node):
    yield node
    for part in node.parts:
        yield from nodes(part)


def check_tree(engine, rule: Rule, seen: Explanation, row: int, per: str) -> None:
    """Each node holds what the engine computed; what is unknown has a reason, what is known has none."""
    for node in nodes(seen.when):
        if node.verdict is None:
            expr = parse_value(node.text, per="symbol").expr
            if expr is None:
                continue
            want = engine.values(expr)[row]
            if node.scope is None or per == "symbol":
                got = np.nan if node.value is None else node.value
                assert np.array_equal(got, want, equal_nan=True), (node.text, got, want)
            assert (node.value is None) == bool(node.why), node
        else:
            expr = parse_condition(node.text, per="symbol").expr
            assert (
                node.verdict
                == VERDICT[int(np.broadcast_to(engine.last.evaluation.truth(expr, rule.scope)[-1], N)[row])]
            ), node.text
            assert (node.verdict == "unknown") == bool(node.why), node


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    condition=st.one_of(conditions, crossings),
    path=paths,
    is_halted=st.booleans(),
    gap=st.sampled_from([0, 4_000, 60_000]),
)
@example(condition="crosses(median(price), 100)", path=[([95] * N, [None] * N)], is_halted=True, gap=0)
@example(condition="median(price) > 100", path=[([95] * N, [None] * N)], is_halted=True, gap=0)
def test_an_explanation_is_the_engines_own_truth(condition, path, is_halted, gap, perpetual):
    parsed = parse_condition(condition, per="symbol")
    if parsed.expr is None:
        return
    rule = Rule(id="r", when=parsed.expr, for_ms=0)
    engine = market([rule], perpetual, path, is_halted=is_halted, gap=gap)
    truth = engine.last.truth(rule)

    for row in range(N):
        key = f"binance:{'ABCDEF'[row]}USDT"
        seen = explain(engine, "r", key)
        assert seen.verdict == VERDICT[int(truth.when[-1, row])]
        assert seen.clear.verdict == VERDICT[int(truth.clear[-1, row])]
        assert (seen.clear.verdict == "unknown") == bool(seen.clear.why)
        assert bool(seen.why) == (seen.verdict == "unknown" or (is_halted and row == 1))
        check_tree(engine, rule, seen, row, "symbol")
        tick, place = TickValues.of(engine), OnePlace(TickValues.of(engine), row)
        for negated in (False, True):
            far = tick.farness(rule.when, rule.scope, negated=negated)[row]
            assert place.far(rule.when, rule.scope, negated=negated) == pytest.approx(far, rel=1e-12)
        [glance], _ = glances(engine, key)
        assert glance.verdict == seen.verdict
        assert (glance.nearness == 0.0) or glance.verdict != "true"
        assert (glance.nearness == float("inf")) or glance.verdict != "unknown"
        if seen.when.distance is not None and seen.when.verdict == "true":
            assert seen.when.distance.absolute <= 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=conditions, path=paths, is_halted=st.booleans(), n=st.integers(0, N), top=st.booleans())
def test_a_count_is_the_engines_own_count(condition, path, is_halted, n, top, perpetual):
    parsed = parse_condition(f"count({condition}) >= {n}", per="market")
    if parsed.expr is None:
        return
    rule = Rule(id="r", when=parsed.expr, per="market", scope=Scope(top=3) if top else Scope())
    engine = market([rule], perpetual, path, is_halted=is_halted, gap=0)
    seen = explain(engine, "r", "*")
    node = seen.when.parts[0]
    count = engine.last.evaluation.count(parsed.expr.left, rule.scope)

    assert seen.verdict == VERDICT[int(engine.last.truth(rule).when[-1, 0])]
    assert (node.value, node.scope.n_true, node.scope.n_members) == (
        count.low[-1, 0],
        count.low[-1, 0],
        count.n_members[-1, 0],
    )
    assert node.scope.n_unknown == count.high[-1, 0] - count.low[-1, 0]
    assert not {x.verdict for x in node.scope.nearest} - {"false"}
    assert len(node.scope.nearest) <= node.scope.n_members - node.scope.n_true
    assert bool(seen.why) == (seen.verdict == "unknown")
