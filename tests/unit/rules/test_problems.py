"""Problems are shown so that they can be mended at a glance, in the terminal and by programs."""

import json
import re

import pytest

from bot.rules.loader import load_text
from bot.rules.problems import Problem, printable, render, render_all

EXAMPLES = {
    "a misspelt key": (
        "version: 1\nrules:\n  - id: a\n    whne: pct(oi, 15m) > 5%\n",
        """\
rules/my.yaml:4:5: error[E102]: unknown key "whne"
  |
4 |     whne: pct(oi, 15m) > 5%
  |     ^^^^ did you mean "when"?""",
    ),
    "a wrong duration": (
        "version: 1\nrules:\n  - id: a\n    when: pct(oi, 15m) > 5%\n\n    cooldown: 15 min\n",
        """\
rules/my.yaml:6:15: error[E105]: "15 min" is not a duration; write a number and s, m, h or d, such as 15m
  |
6 |     cooldown: 15 min
  |               ^^^^^^""",
    ),
    "a misspelt series, in double quotes": (
        'version: 1\n\n\n\nrules:\n\n  - id: a\n    when: "pct(oi, 15m) < -5% and pct(pirce, 15m) < -2%"\n',
        """\
rules/my.yaml:8:39: error[E204]: unknown series "pirce"
  |
8 |     when: "pct(oi, 15m) < -5% and pct(pirce, 15m) < -2%"
  |                                       ^^^^^ did you mean "price"?""",
    ),
    "a turned sign, in single quotes": (
        "version: 1\n\n\n\n\n\nrules:\n\n  - id: a\n    when: 'pct(oi, 15m => 5%'\n",
        """\
rules/my.yaml:10:24: error[E201]: unexpected "="; expected ")" or "," or "and" or "or" or a comparison (> < >= <=)
   |
10 |     when: 'pct(oi, 15m => 5%'
   |                        ^ write ">=" instead of "=>\"""",
    ),
    "a forgotten percent sign": (
        "version: 1\n\n\n\n\n\n\n\nrules:\n\n  - id: a\n    when: pct(oi, 15m) > 5\n",
        """\
rules/my.yaml:12:26: warning[W301]: 5 here means 500%
   |
12 |     when: pct(oi, 15m) > 5
   |                          ^ write 5%""",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_problem_shows_the_place_the_line_a_caret_and_one_suggestion(name):
    content, shown = EXAMPLES[name]
    assert render_all(load_text("rules/my.yaml", content).problems) == shown


def test_the_caret_stands_below_the_word_also_after_wide_characters():
    shown = render_all(load_text("a.yaml", "rules: [{id: a, when: oi > 1, scope: {symbols: 币安, tpo: 5}}]\n").problems)
    line, caret = shown.splitlines()[2:4]
    wide = line.index("tpo") + 2  # two characters before it take two cells each
    assert caret.index("^") == wide


def test_colour_is_used_only_when_asked_for():
    problem = Problem("a.yaml", 1, 1, "E102", "unknown key", 3, "did you mean x?", "yyy: 1")
    coloured = render(problem, colour=True)
    assert "\x1b[" not in render(problem)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(problem)
    assert "\x1b[1;31merror[E102]\x1b[0m" in coloured


def test_a_file_cannot_paint_the_terminal_of_its_reader():
    problem = Problem("a\x1b[31m.yaml", 1, 3, "E102", "unknown\x07", 1, "\u202eevil", "a\x1b]0;b\x9b\tc")
    assert all(char.isprintable() or char == "\n" for char in render(problem))
    assert printable("a\r\nb") == "a  b"


def test_long_lines_are_shown_around_the_caret():
    line = "x" * 1_000 + "HERE" + "y" * 1_000
    shown = render(Problem("a.yaml", 1, 1_001, "E102", "m", 4, "", line)).splitlines()
    at = shown[3].index("^")
    assert shown[2][at : at + 4] == "HERE"
    assert max(map(len, shown)) < 200


def test_a_problem_without_a_line_shows_its_hint_below():
    assert render(Problem("a.yaml", 1, 1, "E115", "cannot read", 1, "try this")) == (
        "a.yaml:1:1: error[E115]: cannot read\n  try this"
    )
    assert render(Problem("", 1, 1, "E204", "no", 1)) == "error[E204]: no"


def test_problems_are_sorted_by_file_and_place():
    places = [("b", 1, 1), ("a", 10, 1), ("a", 2, 9), ("a", 2, 3)]
    shown = render_all(Problem(file, line, column, "E102", "m") for file, line, column in places)
    assert re.findall(r"^(\w):(\d+):(\d+)", shown, re.MULTILINE) == [
        ("a", "2", "3"), ("a", "2", "9"), ("a", "10", "1"), ("b", "1", "1"),
    ]  # fmt: skip


def test_programs_get_json():
    problems = load_text("rules/my.yaml", EXAMPLES["a misspelt key"][0]).problems
    assert json.loads(render_all(problems, style="json")) == [
        {
            "file": "rules/my.yaml",
            "line": 4,
            "column": 5,
            "length": 4,
            "severity": "error",
            "code": "E102",
            "message": 'unknown key "whne"',
            "hint": 'did you mean "when"?',
            "source_line": "    whne: pct(oi, 15m) > 5%",
        }
    ]
    assert json.loads(render_all([], style="json")) == []


def test_github_gets_annotations_that_no_file_can_forge():
    problem = Problem("a,b:c.yaml", 3, 7, "W301", "5 here means 500%\n::error::x", 1, "write 5%")
    assert render_all([problem], style="github") == (
        "::warning file=a%2Cb%3Ac.yaml,line=3,col=7::W301: 5 here means 500%25 ::error::x (write 5%25)"
    )
