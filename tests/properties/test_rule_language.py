"""Whatever is typed, the rule language answers with an expression or with problems; what it prints it reads back."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.rules.ast import And, BinaryOp, Call, Compare, Neg, Not, Number, Or, Series, text, walk
from bot.rules.language import FUNCTIONS, SERIES
from bot.rules.literals import parse_number
from bot.rules.loader import load_text
from bot.rules.parse import MAX_NODES, _read, parse_condition, parse_value
from bot.rules.problems import render_all

SERIES_NODES = st.sampled_from(sorted(SERIES)).map(Series)
DURATIONS = st.one_of(
    st.integers(1, 3_600).map(lambda s: Number(s * 1_000.0, "duration")),
    st.integers(1, 2_880).map(lambda m: Number(m * 60_000.0, "duration")),
)
VALUES = st.one_of(
    st.integers(-(10**9), 10**9).map(float),
    st.floats(1e-9, 1e14),
    st.floats(-1e14, -1e-9),
    st.sampled_from([2e7, 2.5e3, 1e9, 0.05, 0.0]),
)
NUMBERS = st.one_of(VALUES.map(Number), VALUES.map(lambda value: Number(value / 100, "%")), DURATIONS)


def _number_nodes(part):
    return st.one_of(
        st.builds(BinaryOp, st.sampled_from("+-*/"), part, part),
        st.builds(Neg, part.filter(lambda node: not isinstance(node, Number))),
        st.builds(
            lambda name, args: Call(name, tuple(args)),
            st.sampled_from(sorted(FUNCTIONS)),
            st.lists(part, min_size=1, max_size=3),
        ),
    )


NUMERIC = st.recursive(st.one_of(SERIES_NODES, NUMBERS), _number_nodes, max_leaves=8)


def _join(kind):
    def join(items):
        flat = tuple(part for item in items for part in (item.items if isinstance(item, kind) else (item,)))
        return kind(flat)

    return join


CONDITIONS = st.recursive(
    st.builds(Compare, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMERIC, NUMERIC),
    lambda part: st.one_of(
        st.lists(part, min_size=2, max_size=3).map(_join(And)),
        st.lists(part, min_size=2, max_size=3).map(_join(Or)),
        part.map(Not),
    ),
    max_leaves=4,
)


@given(CONDITIONS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_canonical_text_reads_back_to_the_same_tree(condition):
    if sum(1 for _ in walk(condition)) > MAX_NODES or len(text(condition)) > 2_000:
        return
    read = _read(text(condition))
    assert isinstance(read, tuple), read
    tree, faults = read
    assert faults == ()
    assert tree == condition
    assert hash(tree) == hash(condition)
    assert text(tree) == text(condition)


@given(NUMBERS)
def test_every_number_is_written_so_that_it_reads_back_exactly(number):
    assert parse_number(text(number)) == number


WORDS = st.lists(
    st.sampled_from(
        [*SERIES, *FUNCTIONS, "and", "or", "not", "(", ")", ",", "+", "-", "*", "/", "<", ">=", "==", "=>", "5%", "15m",
         "1h", "3", "20M", " ", "\n", "=", "!", "AND", "é", "\u00a0", "\u2028", "\x00", "7d", "0", "0s"]
    ),
    max_size=40,
).map(" ".join)  # fmt: skip


@given(st.one_of(st.text(max_size=300), WORDS), st.sampled_from(["symbol", "market"]))
@example("oi\u00a0> 5", "symbol")
@example("(" * 1_999, "symbol")
@example("not " * 499, "symbol")
@example("-" * 1_999 + "1", "symbol")
@example("9" * 5_000, "symbol")
@example("oi > " + "1+" * 900 + "1", "symbol")
def test_any_text_gives_an_expression_or_errors_and_never_raises(source, per):
    for parsed in (parse_condition(source, per=per), parse_value(source, per=per)):
        errors = [fault for fault in parsed.faults if fault.is_error]
        assert (parsed.expr is None) == bool(errors)
        for fault in parsed.faults:
            assert 0 <= fault.start <= len(source)
            assert fault.length >= 1
            assert len(fault.message) < 300


RULE_LINES = st.lists(
    st.sampled_from(
        ["version: 1", "rules:", "  - id: a", "  - id: b", "    when: pct(oi, 15m) > 5%", "    when: >-",
         "      oi > 1", "    when: 'oi >", "    clear: oi < 2", "    scope: {top: 5, by: oi}", "    scope:", "\tx",
         "      symbols: [*, BTC]", "    notify: [main", "    cooldown: 5", "    &x y: *x", "    per: market",
         "    when: count(stale(oi)) > 20%", "defaults: {cooldown: 1h}", "---", "...", "? a", ": b", "!!x", "%YAML 1.1",
         "    escalate: 3", "    value: oi", '    name: "\\x41\\U0001F600"', "    id: a", "- - -", "[[[", "}", "|", "#"]
    ),
    max_size=25,
).map("\n".join)  # fmt: skip


@given(st.one_of(RULE_LINES, st.text(max_size=300), st.binary(max_size=300)))
@example("rules: [{id: a, when: .nan, scope: {top: .inf, min_oi_usd: 1e999}}]")
@example('rules: [{id: a, when: "\\ud800"}]')
@example('rules:\n  - id: a\n    when: "\\\n')
@example("rules: [{id: a, when: 5\u2028}]")
@example("\ud800")
def test_any_file_gives_rules_and_problems_inside_the_file_and_never_raises(content):
    loaded = load_text("f.yaml", content)
    lines = (content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content).count(b"\n")
    for problem in loaded.problems:
        assert problem.line >= 1
        assert 1 <= problem.column <= len(problem.source_line) + 2 or not problem.source_line
        assert problem.length >= 1
    assert all(
        problem.line <= lines + content.count("\r" if isinstance(content, str) else b"\r") + 1
        for problem in loaded.problems
    )
    for style in ("text", "json", "github"):
        shown = render_all(loaded.problems, style=style)
        assert all(char.isprintable() or char == "\n" for char in shown) or style == "json"


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_off_file_never_raises(seed):
    whole = (
        "version: 1\ndefaults: {cooldown: 30m}\nrules:\n  - id: a\n    scope: {top: 5, symbols: ['BTC*']}\n"
        '    when: >-\n      (pct(oi, 15m) >= 5% and price > 1)\n      or stale(oi)\n    clear: "oi < 2"\n'
    )
    for length in range(seed, len(whole), 5):
        loaded = load_text("f.yaml", whole[:length])
        assert len(loaded.rules) <= 1
