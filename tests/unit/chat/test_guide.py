"""The guide to chat is true: its commands are the table's, its examples become what it says."""

import re
from pathlib import Path

from bot.chat.alert_grammar import read_alert
from bot.chat.alert_text import AlertWish
from bot.chat.commands import COMMANDS, Command, parse
from bot.rules.ast import text

TEXT = (Path(__file__).parents[3] / "docs" / "chat.md").read_text(encoding="utf-8")


def test_the_commands_are_those_of_the_table():
    rows = re.findall(r"^\| `(/\w+)[^`]*` \| (?:`/(\w+)`)? ?\| (.+) \|$", TEXT, re.MULTILINE)
    listed = [(f"/{s.name}", s.aliases[0] if s.aliases else "", s.does) for s in COMMANDS if s.is_listed]
    assert [row for row in rows if not row[2].startswith("`")] == listed


def test_every_example_becomes_what_stands_beside_it():
    examples = re.findall(r"^\| `/alert ([^`]+)` \| `([^`]+)` \|$", TEXT, re.MULTILINE)
    assert len(examples) >= 12
    for typed, condition in examples:
        wish = read_alert(typed)
        assert isinstance(wish, AlertWish)
        assert text(wish.condition) == condition
        assert isinstance(parse(f"/alert {typed}"), Command)
