"""Starter files come where there are none, and never over anything."""

import pytest

from bot.app.starters import write_starters
from bot.errors import ConfigError
from bot.rules.loader import load_folder


def test_an_empty_folder_gets_rules_that_load(tmp_path):
    folder = tmp_path / "rules"
    found = write_starters(folder)
    names = ["default.yaml", "rules.schema.json", "destinations.schema.json"]
    assert [(s.path.name, s.is_new) for s in found] == [(name, True) for name in names]
    rules = load_folder(folder, destinations=frozenset({"main"}))
    assert len(rules.rules) > 5
    assert rules.errors == ()
    assert [(s.path.name, s.is_new) for s in write_starters(folder)] == [(name, False) for name in names[1:]]
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_nothing_is_overwritten_and_no_rules_come_beside_others(tmp_path):
    (tmp_path / "mine.yml").write_text("version: 1\nrules: []\n")
    (tmp_path / "rules.schema.json").write_text("{}")
    found = write_starters(tmp_path)
    assert [(s.path.name, s.is_new) for s in found] == [
        ("rules.schema.json", False),
        ("destinations.schema.json", True),
    ]
    assert not (tmp_path / "default.yaml").exists()
    assert (tmp_path / "rules.schema.json").read_text() == "{}"


def test_destinations_are_no_rules(tmp_path):
    (tmp_path / "destinations.yaml").write_text("destinations: {}\n")
    assert write_starters(tmp_path)[0].path.name == "default.yaml"


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="OIBOT_RULES_DIR: cannot write in"):
        write_starters(tmp_path / "file" / "rules")
