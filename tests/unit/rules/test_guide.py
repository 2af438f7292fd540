"""The guide says what is true: its examples load, and it names every word of the language."""

import re
from pathlib import Path

import pytest

from bot.rules.language import AVAILABLE_FUNCTIONS, AVAILABLE_SERIES, FUNCTIONS, SERIES
from bot.rules.loader import load_text
from bot.rules.schema import KEYS_WITHOUT_EFFECT, KINDS, SEVERITIES, VENUES

GUIDE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("number", range(2))
def test_every_example_loads_without_a_word(number):
    loaded = load_text("docs/rules.md", EXAMPLES[number], destinations={"main"})
    assert loaded.problems == ()
    assert loaded.rules


def test_there_are_no_other_examples():
    assert len(EXAMPLES) == 2


def section(title):
    return GUIDE.split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_tables_name_exactly_what_is_available():
    series = {
        name
        for row in re.findall(r"^\| (`.+?) \|", section("Series"), re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert series == AVAILABLE_SERIES
    functions = {
        name
        for row in re.findall(r"^\| (`.+?) \|", section("Functions"), re.MULTILINE)
        for name in re.findall(r"`(\w+)\(", row)
    }
    assert functions == AVAILABLE_FUNCTIONS


def test_words_that_are_not_available_yet_are_named_as_such():
    paragraph = next(part for part in GUIDE.split("\n\n") if "(E209)" in part)
    named = set(re.findall(r"`(\w+)`", paragraph))
    assert named == (set(SERIES) - AVAILABLE_SERIES) | (set(FUNCTIONS) - AVAILABLE_FUNCTIONS)


def test_keys_without_effect_and_choices_are_named():
    paragraph = next(part for part in GUIDE.split("\n\n") if "(W302)" in part)
    assert {f"`{key}`" for key in KEYS_WITHOUT_EFFECT} <= set(re.findall(r"`\w+`", paragraph))
    assert all(f"`{word}`" in GUIDE for word in (*KINDS, *SEVERITIES, *VENUES))
