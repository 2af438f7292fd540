"""Files of rule tests are read whole, and every mistake in them is told with its place, a caret and a way out."""

import textwrap

import numpy as np
import pytest

from bot.rules.files import folder_mark, read_folder
from bot.rules.limits import MAX_PROBLEMS
from bot.rules.loader import load_folder, load_text
from bot.rules.problems import render
from bot.rules.rule_test_items import MAX_EXPECTED, MAX_INSTRUMENTS
from bot.rules.rule_test_reader import MAX_TESTS, load_rule_tests, read_rule_tests

RULES = """\
rules:
  - {id: surge, when: 'pct(oi, 15m) > 5%'}
  - {id: wide, per: market, when: 'count(pct(oi, 15m) > 5%) >= 5'}
  - {id: off, enabled: false, when: price > 1}
"""
SERIES = "{BTCUSDT: {oi: 100x20 106x9, price: 1x30}}"


def read(text, rules=RULES):
    return read_rule_tests("t.yaml", textwrap.dedent(text).encode(), lambda _: load_text("r.yaml", rules))


def one(body, top="rule_files: r.yaml"):
    """A file with one test; `body` are its keys after the name."""
    head = f"{top}\ntests:\n  - name: one\n"
    return read(head + textwrap.indent(textwrap.dedent(body), "    "))


def told(found):
    return [(p.code, p.line, p.column, p.length, p.message) for p in found[1]]


def test_a_whole_file_is_read():
    found, problems = read(f"""\
        version: 1
        rule_files: [r.yaml]
        interval: 5m
        start: 2026-02-01 00:00
        tests:
          - name: first
            series:
              BTCUSDT: {{oi: 100x1 _, funding: 0.01%, type: tradfi, funding_interval: 4h}}
              COIN{{08..10}}USDT: {{price: 5}}
            expect:
              - {{at: 10m, rule: surge, symbol: BTCUSDT, state: nodata}}
              - {{at: 5m, rule: wide, value: 2.5%}}
            expect_messages:
              - {{at: 5m, rule: surge, kind: end, first_line: "gone: x", text: [one, two]}}
          - {{name: second, series: {SERIES}, expect_messages: 3}}
        """)
    assert problems == ()
    assert (found.interval_ms, found.start_ms) == (300_000, 1_769_904_000_000)
    assert [rule.id for rule in found.rules] == ["surge", "wide"]
    first, second = found.tests
    assert [given.instrument.symbol for given in first.given] == ["BTCUSDT", "COIN08USDT", "COIN09USDT", "COIN10USDT"]
    btc = first.given[0]
    assert (btc.instrument.kind, btc.instrument.funding_interval_h, btc.instrument.base) == ("tradfi", 4.0, "BTC")
    np.testing.assert_array_equal(btc.series["oi"], [100, 100, np.nan])
    assert first.n_steps == 3
    assert [(e.at_ms, e.rule_id, e.symbol, e.state, e.line) for e in first.expect] == [
        (300_000, "wide", None, None, 12),
        (600_000, "surge", "BTCUSDT", "unknown", 11),
    ]
    (message,) = first.messages
    assert (message.kind, message.first_line, message.text) == ("end", "gone: x", ("one", "two"))
    assert (second.messages, second.n_messages, second.n_steps) == (None, 3, 31)


@pytest.mark.parametrize(
    ("written", "near", "far"),
    [
        ("6%", 0.0649, 0.066),
        ("6.0%", 0.0604, 0.061),
        ("-5.00%", -0.05004, -0.0501),
        ("2.5k", 2_540, 2_560),
        ("12", 12.4, 12.6),
        ("1_000", 1_000.4, 1_001),
    ],
)
def test_a_value_is_compared_as_exactly_as_it_is_written(written, near, far):
    found, problems = one(f"series: {SERIES}\nexpect: [{{at: 1m, rule: surge, value: {written}}}]")
    assert problems == ()
    value = found.tests[0].expect[0].value
    assert value.matches(near)
    assert not value.matches(far)
    assert not value.matches(None)


# -- mistakes ----------------------------------------------------------------------------------------------------------

BAD = [
    ("series: {BTCUSDT: {oi: 100x20 10O}}\nexpect_messages: 0", "E501", 4, 35, 3, '"10O" is no part of a series'),
    ("series: {BTCUSDT: {oi_usd: 1}}\nexpect_messages: 0", "E502", 4, 24, 6, '"oi_usd" is made from other series'),
    ("series: {BTCUSDT: {price: 5-1x9}}\nexpect_messages: 0", "E502", 4, 31, 5, "price is above zero at every step"),
    ("series: {BTCUSDT: {volume: -1}}\nexpect_messages: 0", "E502", 4, 32, 2, "volume is never below zero"),
    ("series: {BTCUSDT: {taker_buy: 50}}\nexpect_messages: 0", "E502", 4, 35, 2, "taker_buy is a share"),
    ("series: {BTCUSDT: {io: 1}}\nexpect_messages: 0", "E102", 4, 24, 2, 'unknown key "io"'),
    ("series: {}\nexpect_messages: 0", "E106", 4, 13, 1, '"series" names no symbol'),
    ("series: [a]\nexpect_messages: 0", "E107", 4, 13, 1, '"series" is a mapping'),
    (
        "series: {A1: {oi: 1}, 'A{1..2}': {oi: 1}}\nexpect_messages: 0",
        "E103",
        4,
        27,
        9,
        'the symbol "A1" is given twice',
    ),
    ("series: {'A{5..2}': {oi: 1}}\nexpect_messages: 0", "E108", 4, 14, 9, "a range of symbols goes up"),
    (
        "series: {A: {oi: 1, type: spot}}\nexpect_messages: 0",
        "E106",
        4,
        31,
        4,
        '"spot" is no type; choose one of perpetual',
    ),
    ("SERIES\nexpect: [{at: soon, rule: surge, state: firing}]", "E503", 5, 19, 4, '"soon" is no time of a test'),
    ("SERIES\nexpect: [{at: 90s, rule: surge, state: firing}]", "E503", 5, 19, 3, "nothing is evaluated then"),
    ("SERIES\nexpect: [{at: 15d, rule: surge, state: firing}]", "E503", 5, 19, 3, "at most 20,160 steps"),
    ("SERIES\nexpect: [{at: 1m, rule: sugre, state: firing}]", "E504", 5, 29, 5, 'have no rule "sugre"'),
    ("SERIES\nexpect: [{at: 1m, rule: off, state: firing}]", "E504", 5, 29, 3, 'the rule "off" is switched off'),
    ("SERIES\nexpect: [{at: 1m, rule: surge, symbol: BTC, state: firing}]", "E505", 5, 44, 3, 'no series of "BTC"'),
    ("SERIES\nexpect: [{at: 1m, rule: wide, symbol: BTCUSDT, value: 1}]", "E505", 5, 43, 7, "its whole scope together"),
    ("SERIES\nexpect: [{at: 1m, rule: surge}]", "E104", 5, 14, 1, 'no "state" and no "value"'),
    (
        "SERIES\nexpect: [{at: 1m, rule: surge, state: fired}]",
        "E106",
        5,
        43,
        5,
        '"fired" is no state; choose one of inactive',
    ),
    ("SERIES\nexpect: [{at: 1m, rule: surge, value: much}]", "E106", 5, 43, 4, '"much" is no number'),
    ("SERIES\nexpect: [{rule: surge, state: firing}]", "E104", 5, 14, 1, 'an expectation has no "at"'),
    ("SERIES\nexpect_messages: -1", "E114", 5, 22, 2, '"expect_messages" lies between 0 and 1M'),
    ("SERIES\nexpect_messages: [{kind: start}]", "E106", 5, 30, 5, '"start" is no kind; choose one of fire'),
    ("SERIES", "W501", 3, 11, 3, "this test expects nothing"),
]


@pytest.mark.parametrize(("body", "code", "line", "column", "length", "message"), BAD)
def test_a_mistake_is_told_once_at_its_place(body, code, line, column, length, message):
    found = one(body.replace("SERIES", f"series: {SERIES}"))
    ((was, *place, said),) = told(found)
    assert (was, *place) == (code, line, column, length)
    assert message in said
    assert len(found[0].tests) == (code == "W501")


def test_a_mistake_is_shown_with_its_line_a_caret_and_a_way_out():
    _, (problem,) = one("series: {BTCUSDT: {oi: 100x20 100*20}}\nexpect_messages: 0")
    assert (
        render(problem)
        == """\
t.yaml:4:35: error[E501]: "100*20" is no part of a series
  |
4 |     series: {BTCUSDT: {oi: 100x20 100*20}}
  |                                   ^^^^^^ write 100x20"""
    )


@pytest.mark.parametrize(
    ("top", "code", "line", "message"),
    [
        ("rule_files: r.yaml\nversion: 2", "E113", 2, "not known"),
        ("rule_files: r.yaml\ninterval: 7s", "E503", 2, "a whole part of a minute"),
        ("rule_files: r.yaml\ninterval: 90s", "E503", 2, "a whole part of a minute"),
        ("rule_files: r.yaml\ninterval: 2h", "E114", 2, '"interval"'),
        ("rule_files: r.yaml\nstart: yesterday", "E503", 2, "is not a time"),
        ("rule_files: r.yaml\nstart: 2026-01-01T00:00:30Z", "E503", 2, "starts on a whole interval"),
        ("rule_files: r.yaml\nstart: 1969-01-01T00:00:00Z", "E503", 2, "starts on a whole interval"),
        ("rules: r.yaml", "E104", 1, 'has no "rule_files"'),
        ("rule_files: {a: b}", "E107", 1, '"rule_files" takes a list'),
    ],
)
def test_what_holds_for_the_whole_file_is_checked_too(top, code, line, message):
    found, problems = one(f"series: {SERIES}\nexpect_messages: 0", top)
    assert found is None
    assert (problems[-1].code, problems[-1].line) == (code, line)
    assert message in problems[-1].message


def test_the_sound_tests_of_a_file_run_beside_a_wrong_one():
    found, problems = read(f"""\
        rule_files: r.yaml
        tests:
          - {{name: sound, series: {SERIES}, expect_messages: 0}}
          - {{name: wrong, series: {{A: {{oi: x}}}}, expect_messages: 0}}
          - {{name: sound, series: {SERIES}, expect_messages: 0}}
        """)
    assert [test.name for test in found.tests] == ["sound"]
    assert [(p.code, p.line) for p in problems] == [("E501", 4), ("E506", 5)]


@pytest.mark.parametrize(
    "body",
    [
        f"series: {{'A{{1..{MAX_INSTRUMENTS + 1}}}': {{oi: 1}}}}\nexpect_messages: 0",
        "series: {'A{1..400}': {oi: 1x20000}}\nexpect_messages: 0",
        f"series: {SERIES}\nexpect: [" + "{at: 1m, rule: surge, state: firing}, " * (MAX_EXPECTED + 1) + "]",
    ],
    ids=["symbols", "values", "expectations"],
)
def test_what_is_too_much_is_refused(body):
    found, problems = one(body)
    assert [problem.code for problem in problems] == ["E108"]
    assert found.tests == ()


def test_there_are_only_so_many_tests_and_problems():
    many = "\n".join(f"  - {{name: n{n}, series: {{A: {{oi: 1}}}}, expect_messages: 0}}" for n in range(MAX_TESTS + 1))
    found, problems = read(f"rule_files: r.yaml\ntests:\n{many}\n")
    assert len(found.tests) == MAX_TESTS
    assert [problem.code for problem in problems] == ["E108"]


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "mine.yaml").write_text(RULES)
    return tmp_path


TEST_FILE = f"rule_files: [../mine.yaml]\ntests:\n  - {{name: a, series: {SERIES}, expect_messages: 0}}\n"


def test_folders_and_files_are_read_with_the_rules_beside_them(folder):
    (folder / "tests" / "b.yml").write_text(TEST_FILE)
    (folder / "tests" / "a.yaml").write_text(TEST_FILE.replace("name: a", "name: b"))
    (folder / "tests" / "notes.txt").write_text("no test")
    loaded = load_rule_tests([folder / "tests"])
    assert loaded.problems == ()
    assert [(file.file.rpartition("/")[2], file.tests[0].name) for file in loaded.files] == [
        ("a.yaml", "b"),
        ("b.yml", "a"),
    ]
    assert {path.name for path in loaded.read} == {"tests", "a.yaml", "b.yml", "mine.yaml"}


def test_tests_beside_the_rules_are_no_rules(folder):
    (folder / "tests" / "a.yaml").write_text("what: ever")
    assert load_folder(folder).problems == ()


def test_a_running_bot_does_not_look_at_them(folder):
    mark, digest = folder_mark(folder), read_folder(folder).digest
    (folder / "tests" / "a.yaml").write_text(TEST_FILE)
    assert (folder_mark(folder), read_folder(folder).digest) == (mark, digest)


def test_a_file_in_the_wrong_folder_is_told_in_one_line(folder):
    (folder / "surge.yaml").write_text(TEST_FILE)
    (problem,) = load_folder(folder).errors
    assert (problem.code, problem.line, problem.message) == ("E102", 1, "these are tests of rules, not rules")
    assert problem.hint == 'move the file into the folder "tests"'
    (problem,) = load_rule_tests([folder / "mine.yaml"]).problems
    assert (problem.code, problem.line, problem.message) == ("E102", 1, "these are rules, not tests of rules")


def test_rule_files_that_are_missing_or_wrong_are_told_at_their_place(folder):
    (folder / "tests" / "a.yaml").write_text(TEST_FILE.replace("mine", "other"))
    (folder / "tests" / "b.yaml").write_text(TEST_FILE)
    (folder / "mine.yaml").write_text(RULES + "  - {id: wrong, when: price =>}\n")
    wrong, missing = load_rule_tests([folder / "tests"]).problems
    assert (missing.code, missing.line, missing.column) == ("E115", 1, 14)
    assert missing.file.endswith("tests/a.yaml")
    assert (wrong.code, wrong.line) == ("E201", 5)
    assert wrong.file == str(folder / "mine.yaml")


@pytest.mark.parametrize("content", ["", "tests: []\nrule_files: ../mine.yaml\n"])
def test_nothing_to_test_is_a_warning(folder, content):
    (folder / "tests" / "a.yaml").write_text(content)
    assert [problem.code for problem in load_rule_tests([folder / "tests"]).problems] == ["W501"]
    (folder / "tests" / "a.yaml").unlink()
    assert [problem.code for problem in load_rule_tests([folder / "tests"]).problems] == ["W501"]


def test_a_flood_of_problems_is_cut(folder):
    (folder / "tests" / "a.yaml").write_text("rule_files: ../mine.yaml\ntests:\n" + "  - {}\n" * 400)
    assert len(load_rule_tests([folder / "tests"]).problems) == MAX_PROBLEMS


def test_a_secret_in_a_file_is_not_shown_again(folder):
    token = "123456789:" + "AAE" + "x" * 32
    (folder / "tests" / "a.yaml").write_text(f"rule_files: ../mine.yaml\ntests:\n  - {{nmae: {token}}}\n")
    assert all(token not in render(problem) for problem in load_rule_tests([folder / "tests"]).problems)
