"""Every code is explained, with an example that gives it and a way out that gives nothing."""

import re
from pathlib import Path

import pytest

from bot.history.rule_test_run import run_rule_test
from bot.rules.destinations import load_destinations_text
from bot.rules.explain import DESTINATIONS, FILE, TEST_FILE, TESTED, explanations, find, nearest, render, told
from bot.rules.loader import load_text
from bot.rules.rule_test_reader import read_rule_tests

ROOT = Path(__file__).parents[3]
CODES = explanations()


@pytest.mark.parametrize("code", [code for code, found in CODES.items() if found.wrong])
def test_the_wrong_example_gives_the_code_and_the_right_one_nothing(code):
    found = CODES[code]
    assert [problem.code for problem in found.problems(found.wrong)] == [code]
    assert found.problems(found.right) == ()
    if found.of == "tests":
        tests, _ = read_rule_tests(TEST_FILE, found.right.encode(), lambda _: load_text(FILE, TESTED))
        assert tests is not None
        assert all(run_rule_test(tests, test).passed for test in tests.tests)
    elif found.of == "rules":
        assert load_text(FILE, found.right, destinations=DESTINATIONS).rules
    else:
        assert load_destinations_text(FILE, found.right).described


def test_codes_without_an_example_file_say_what_the_linter_says():
    without = {code for code, found in CODES.items() if not found.wrong}
    assert without == {"E115", "E119", "E120", "E209", "W311", "W313"}
    assert [code for code, found in CODES.items() if found.retired] == ["E209", "W313"]
    for code in without - {"E209", "W313"}:
        label = "error" if code.startswith("E") else "warning"
        assert re.match(rf"rules/(mine|destinations)\.yaml:\d+:\d+: {label}\[{code}\]: ", told(CODES[code]))


def test_every_code_of_the_source_is_explained_and_the_other_way_round():
    written = {
        code
        for path in (ROOT / "bot").rglob("*.py")
        for code in re.findall(r'"([EW][1-5]\d\d)"', path.read_text(encoding="utf-8"))
    }
    assert written == {code for code, found in CODES.items() if not found.retired}


def test_the_document_lists_exactly_the_codes_of_the_table():
    text = (ROOT / "docs" / "rule-errors.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| ([EW]\d{3}) \| (.+) \|$", text, re.MULTILINE)) == {
        code: found.title for code, found in CODES.items()
    }


def test_an_explanation_shows_the_mistake_with_its_caret_and_the_mended_rule():
    assert (
        render(find("e204"))
        == """\
E204: There is no series of this name.

docs/rules.md lists the series.

For example

  rules/mine.yaml:3:15: error[E204]: unknown series "pirce"
    |
  3 |     when: pct(pirce, 15m) > 5%
    |               ^^^^^ did you mean "price"?

Mended

  rules:
    - id: surge
      when: pct(price, 15m) > 5%"""
    )


@pytest.mark.parametrize("code", CODES)
def test_explanations_fit_on_a_terminal(code):
    prose = render(CODES[code]).split("For example")[0]
    assert max(map(len, prose.splitlines())) <= 100
    assert CODES[code].meaning.endswith((".", ":"))


@pytest.mark.parametrize(
    ("typed", "meant"), [("E24", "E204"), ("W204", "E204"), ("204", "E204"), ("E2044", "E204"), ("nonsense", None)]
)
def test_a_code_that_is_nearly_right_is_understood(typed, meant):
    assert find(typed) is None
    assert nearest(typed) == meant
