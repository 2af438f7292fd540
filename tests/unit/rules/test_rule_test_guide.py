"""The guide to rule tests says what is true: its tests pass, what it shows is what is shown, and it names every key."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from bot.cli.rule_test_view import View
from bot.history.rule_test_run import run_rule_test
from bot.rules.loader import load_files
from bot.rules.problems import render
from bot.rules.rule_test import GIVEN, KINDS, STATES
from bot.rules.rule_test_items import INSTRUMENT_KEYS, MESSAGE_KEYS, STATE_KEYS, TEST_KEYS
from bot.rules.rule_test_reader import TOP_KEYS, read_rule_tests

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "rule-tests.md").read_text(encoding="utf-8")
RULES = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = [
    text
    for guide in (GUIDE, RULES)
    for text in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    if "rule_files:" in text
]
FAILS = """\
rule_files: [../default.yaml]
tests:
  - name: the surge fires
    series: {BTCUSDT: {price: 50_000x40, oi: 100_000x21 101_000+1_000x5 106_000x13}}
    expect:
      - {at: 22m, rule: oi_surge, state: firing}
"""
WRONG = """\
rule_files: [../default.yaml]
tests:
  - name: wrong
    series:
      BTCUSDT: {price: 50_000, oi: 100*20 105x19}
    expect_messages: 0
"""


def read(text):
    return read_rule_tests(
        "rules/tests/mine.yaml", text.encode(), lambda _: load_files([ROOT / "rules" / "default.yaml"])
    )


@pytest.mark.parametrize("text", EXAMPLES, ids=["rule-tests.md", "rules.md"])
def test_the_examples_pass(text):
    file, problems = read(text)
    assert problems == ()
    assert file.tests
    assert all(run_rule_test(file, test).passed for test in file.tests)


def test_a_failure_and_a_mistake_look_as_they_are_shown():
    file, _ = read(FAILS)
    screen = io.StringIO()
    view = View(Console(file=screen, highlight=False, soft_wrap=True), verbose=False)
    view.show(file.file, run_rule_test(file, file.tests[0]))
    assert f"```\n{screen.getvalue()}```" in GUIDE
    _, (problem,) = read(WRONG)
    assert f"```\n{render(problem)}\n```" in GUIDE


def rows(title):
    part = GUIDE.split(f"## {title}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \|", part, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([a-z_0-9]+)`", cell)]


def test_the_tables_name_every_key_and_nothing_else():
    assert set(rows("Keys of a file")) == set(TOP_KEYS)
    assert set(rows("Keys of a test")) == set(TEST_KEYS)
    given = set(rows("Series")) - {"100", "100x20", "_", "_x5"}
    assert given == {*GIVEN, "type"} == set(INSTRUMENT_KEYS) - {"funding_interval"}
    assert set(rows("Expecting states and values")) == {*STATE_KEYS, *STATES}
    assert set(rows("Expecting messages")) == set(MESSAGE_KEYS)
    assert all(f"`{word}" in GUIDE for word in (*KINDS, "funding_interval"))
