"""Whatever bytes a rule file holds: rules and problems, in bounded work, at places inside the file, never an exception."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.model.instrument import Instrument
from bot.rules.language import FUNCTIONS, SERIES
from bot.rules.loader import load_text
from bot.rules.rule_reader import RULE_KEYS, SCOPE_KEYS
from bot.rules.schema import MAX_GLOB_LENGTH, MAX_GLOB_WILDCARDS, Scope
from bot.rules.scope import matches
from tests.fuzz.checks import CALLS_AT_MOST, CALLS_PER_BYTE, calls_of, check_expression, check_file

SHIPPED = (Path(__file__).parents[2] / "rules" / "default.yaml").read_bytes()
RULES = SHIPPED[SHIPPED.index(b"rules:") :]
"""Without the head of the file, so that damage hits what matters."""

SCRAPS = st.sampled_from(
    [b"\t", b"\n", b"  ", b": ", b"- ", b"[", b"]", b"{", b"}", b'"', b"'", b"&a ", b"*a", b"!!x ", b"|", b">", b"#", b"%", b"\\",
     b"\xff", b"\xc3", b"\x00", b"\r", b"\xc2\xa0", b"\xe2\x80\xa8", b"---\n", b"...\n", b"? ", b"<<: ", b"=>", b"(", b")", b",",
     b"1e400", b"9" * 50, b".inf", b"{{ symbol }}", b"{%", b"message: ", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\xf0\x9f\x9a\x80", b"*" * 20,
     b"\n    inhibits: [a]", b"\n    when: oi > 1", b"\n  - id: a", b"@", b"`", b"~", b"\x7f", b"\xc2\x85"]
)  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 40), st.one_of(SCRAPS, st.binary(max_size=8))),
    min_size=1,
    max_size=5,
)


def damaged(whole, changes):
    content = bytearray(whole)
    for place, n_cut, scrap in changes:
        at = place % (len(content) + 1)
        content[at : at + n_cut] = scrap
    return bytes(content)


def check(content):
    found = []
    n_calls = calls_of(lambda: found.append(check_file(content)))
    assert n_calls <= CALLS_AT_MOST + CALLS_PER_BYTE * len(content)
    return found[0]


@given(CHANGES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_copies_of_the_shipped_rules_keep_what_is_sound(changes):
    # Three rules of the file at a time, chosen by the first change, keep one example fast.
    items = RULES.split(b"\n  - id:")
    first = changes[0][0] % (len(items) - 2)
    part = b"rules:\n  - id:" + b"\n  - id:".join(items[1 + first : 4 + first])
    loaded = check(damaged(part, changes))
    assert len(loaded.rules) >= len(items[1 + first : 4 + first]) or loaded.problems


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_bytes(content):
    check(content)


@given(st.integers(0, len(RULES)))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_file_that_is_half_written(length):
    check(RULES[:length])


WORDS = st.one_of(
    st.sampled_from(
        ["5", "5%", "15m", "-3", "1e400", ".nan", "true", "off", "~", "BTC*", "*", "[", "pct(oi, 15m) > 5%", "count(stale(oi)) > 20%",
         "crosses(price, 5)", "oi", "'{{ value }}'", "'{{ x'", '"\\u00e9"', "|", ">-", "&x a", "*x", "!t a", "market", "main", "é", "" ]
    ),
    st.text(max_size=8),
)  # fmt: skip
NODES = st.recursive(
    WORDS,
    lambda part: st.one_of(
        st.lists(part, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(st.sampled_from([*RULE_KEYS, *SCOPE_KEYS, "x"]), part), max_size=4).map(
            lambda entries: "{" + ", ".join(f"{key}: {value}" for key, value in entries) + "}"
        ),
    ),
    max_leaves=8,
)
FILES = st.lists(st.lists(st.tuples(st.sampled_from(RULE_KEYS), NODES), max_size=6), max_size=3).map(
    lambda rules: (
        "rules:\n"
        + "".join(
            f"  - id: r{n}\n" + "".join(f"    {key}: {value}\n" for key, value in rule) for n, rule in enumerate(rules)
        )
    )
)


@given(FILES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("rules: [{id: a, when: .nan, scope: {top: .inf, min_oi_usd: 1e999}}]")
@example('rules: [{id: a, when: "\\ud800"}]')
@example("rules:\n  - id: a\n    when: oi > 1\n    message: '{{ \"\\ud800\" }}'\n")
def test_files_of_all_shapes(content):
    check(content.encode("utf-8", "surrogatepass"))


PARTS = [
    *SERIES,
    *FUNCTIONS,
    *[
        "",
        "(",
        ")",
        ",",
        "+",
        "-",
        "*",
        "/",
        "<",
        ">=",
        "==",
        "=>",
        "=",
        "!",
        "%",
        "5%",
        "15m",
        "1h",
        "7d",
        "3",
        "20M",
        "1e400",
        "and",
        "or",
        "not",
        "AND",
        "é",
        "0",
        "0s",
    ],
]


@given(st.lists(st.sampled_from(PARTS), max_size=60), st.sampled_from(["", " "]))
@settings(max_examples=150, deadline=None)
@example(["("] * 1_999, "")
@example(["not"] * 490, " ")
@example(["-"] * 1_999, "")
@example(["9"] * 2_000, "")
@example(["oi"] + [">", "oi"] * 450, " ")
@example(["median("] * 200, "")
def test_expressions_cost_in_proportion_to_their_length(parts, between):
    source = between.join(parts)
    assert calls_of(lambda: check_expression(source)) <= CALLS_AT_MOST + CALLS_PER_BYTE * len(source)


BOMBS = {
    "aliases of aliases": "a: &a [x,x]\n" + "".join(f"b{n}: &b{n} [*{'a' if not n else f'b{n - 1}'},*{'a' if not n else f'b{n - 1}'}]\n" for n in range(60)),
    "one list in many keys": "rules:\n- {id: a, when: oi > 1, tags: &t [" + "t," * 900 + "]}\n" + "".join(f"- {{id: r{n}, when: oi > 1, tags: *t, notify: *t}}\n" for n in range(45)),
    "deep flow": "rules: " + "[" * 50_000,
    "deep block": "rules:\n" + "".join(" " * n + "-\n" for n in range(500)),
    "many documents": "---\n" * 20_000,
    "one long word": "rules: " + "x" * 200_000,
    "one long line of keys": "rules: [{" + ",".join(f"k{n}: v" for n in range(9_000)) + "}]",
    "many patterns": "rules:\n" + "".join(f"- {{id: r{n}, when: oi > 1, scope: {{symbols: ['*a*b*c*']}}}}\n" for n in range(300)),
    "many mistakes": "rules:\n" + "- {id: A, when: x, scope: {y: z}, for: q}\n" * 1_000,
    "many ids to mute": "rules:\n- {id: a, when: oi > 1, inhibits: [" + ",".join(f"r{n}" for n in range(900)) + "]}\n",
    "quotes": "rules: '" + "''" * 60_000,
    "percent directives": "%YAML 1.2\n" * 5_000,
    "comments": "#\n" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_made_to_take_long_does_not(name):
    check(BOMBS[name].encode())


@given(st.text("ab*?[]!-\\", min_size=1, max_size=MAX_GLOB_LENGTH), st.text("ab", max_size=12))
@settings(max_examples=100, deadline=None)
@example("a*" * MAX_GLOB_WILDCARDS, "a" * 40 + "b")
@example("[!" * 4, "a")
def test_any_pattern_that_is_let_through_compares_without_raising(pattern, symbol):
    quoted = pattern.replace("'", "''")
    loaded = load_text("f.yaml", f"rules:\n- {{id: a, when: oi > 1, scope: {{symbols: ['{quoted}']}}}}")
    wildcards = sum(pattern.count(char) for char in "*?[")
    assert bool(loaded.rules) is (wildcards <= MAX_GLOB_WILDCARDS)
    listed = Instrument("binance", symbol, "perpetual", symbol, "USDT", "TRADING")
    for rule in loaded.rules:
        assert matches(rule.scope, listed) in {True, False}
    assert matches(Scope(symbols=(symbol,)), listed)
