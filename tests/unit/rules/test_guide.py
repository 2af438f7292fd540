"""The guide says what is true: its examples load, and it names every word of the language."""

import re
from pathlib import Path

import pytest

from bot.delivery.template import FILTERS, VARIABLES
from bot.delivery.template_values import DESCRIBED
from bot.rules.language import FLOWS, FUNCTIONS, SERIES
from bot.rules.loader import load_text
from bot.rules.rule_reader import RULE_KEYS, SCOPE_KEYS
from bot.rules.schema import KINDS, SEVERITIES, VENUES

GUIDE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) if "rule_files:" not in text]


@pytest.mark.parametrize("number", range(3))
def test_every_example_loads_without_a_word(number):
    loaded = load_text("docs/rules.md", EXAMPLES[number], destinations={"main"})
    assert loaded.problems == ()
    assert loaded.rules


def test_there_are_no_other_examples():
    assert len(EXAMPLES) == 3


def section(title):
    return GUIDE.split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_tables_name_exactly_the_words_of_the_language():
    series = {
        name
        for row in re.findall(r"^\| (`.+?) \|", section("Series"), re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert series == set(SERIES)
    functions = {
        name
        for row in re.findall(r"^\| (`.+?) \|", section("Functions"), re.MULTILINE)
        for name in re.findall(r"`(\w+)\(", row)
    }
    assert functions == set(FUNCTIONS)


def test_flows_are_named_as_such():
    sentence = next(part for part in GUIDE.split("\n\n") if "are **flows**" in part).split("are **flows**")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == FLOWS


def rows(text):
    return {name for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


def test_every_key_is_in_its_table():
    assert rows(section("Keys of a rule")) == set(RULE_KEYS)
    assert rows(section("Scope")) == set(SCOPE_KEYS)


def test_every_variable_and_filter_of_a_template_is_in_its_table():
    variables, filters = section("Your own text").split("| filter |")
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", variables, re.MULTILINE)) == {
        name: what for name, (_, what) in DESCRIBED.items()
    }
    assert set(DESCRIBED) == set(VARIABLES)
    table = "\n".join(row for row in filters.splitlines() if row.startswith("| `"))
    assert set(re.findall(r"[`(](\w+)(?:`|\()", table.replace("93.6k", ""))) >= set(FILTERS)


def test_choices_are_named():
    assert all(f"`{word}`" in GUIDE for word in (*KINDS, *SEVERITIES, *VENUES))
