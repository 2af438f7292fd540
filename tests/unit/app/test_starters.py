"""Starter files come where there are none, and never over anything."""

import pytest

from bot.app.starters import write_starters
from bot.errors import ConfigError
from bot.history.rule_test_run import run_rule_test
from bot.rules.loader import load_folder
from bot.rules.rule_test_reader import load_rule_tests


def test_an_empty_folder_gets_rules_that_load(tmp_path):
    folder = tmp_path / "rules"
    found = write_starters(folder)
    names = ["default.yaml", "rules.schema.json", "destinations.schema.json", "rule-tests.schema.json", "tests"]
    assert [(s.path.name, s.is_new) for s in found] == [(name, True) for name in names]
    rules = load_folder(folder, destinations=frozenset({"main"}))
    assert len(rules.rules) > 5
    assert rules.errors == ()
    assert [(s.path.name, s.is_new) for s in write_starters(folder)] == [(name, False) for name in names[1:-1]]
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_nothing_is_overwritten_and_no_rules_come_beside_others(tmp_path):
    (tmp_path / "mine.yml").write_text("version: 1\nrules: []\n")
    (tmp_path / "rules.schema.json").write_text("{}")
    found = write_starters(tmp_path)
    assert [(s.path.name, s.is_new) for s in found] == [
        ("rules.schema.json", False),
        ("destinations.schema.json", True),
        ("rule-tests.schema.json", True),
    ]
    assert not (tmp_path / "default.yaml").exists()
    assert not (tmp_path / "tests").exists(), "they speak of the shipped rules"
    assert (tmp_path / "rules.schema.json").read_text() == "{}"


def test_the_tests_of_the_rules_come_with_them_and_pass(tmp_path):
    write_starters(tmp_path / "rules")
    found = load_rule_tests([tmp_path / "rules" / "tests"])
    assert found.problems == ()
    assert len(found.files) == 11
    assert run_rule_test(found.files[0], found.files[0].tests[0]).passed


def test_tests_of_ones_own_stay_as_they_are(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "mine.yaml").write_text("tests: []\n")
    assert "tests" not in [starter.path.name for starter in write_starters(tmp_path)]
    assert [path.name for path in (tmp_path / "tests").iterdir()] == ["mine.yaml"]


def test_destinations_are_no_rules(tmp_path):
    (tmp_path / "destinations.yaml").write_text("destinations: {}\n")
    assert write_starters(tmp_path)[0].path.name == "default.yaml"


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="OIBOT_RULES_DIR: cannot write in"):
        write_starters(tmp_path / "file" / "rules")
