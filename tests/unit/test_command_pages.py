"""The pages that list commands list them all, as they are."""

import re
from pathlib import Path

from typer.main import get_command

from bot.chat.commands import COMMANDS
from bot.cli.main import app_of

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_chat_has_every_command_with_its_short_form_and_its_meaning():
    page = (ROOT / "docs" / "chat.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `/(\w+)[^`|]*` \| *(?:`/(\w+)`)? *\| (.+) \|$", page.split("\n## ")[0], re.MULTILINE)
    listed = [spec for spec in COMMANDS if spec.is_listed]
    assert sorted(rows) == sorted((spec.name, next(iter(spec.aliases), ""), spec.does) for spec in listed)
    for spec in COMMANDS:
        if not spec.is_listed and spec.name not in {"start", "admit"}:  # links and buttons type these
            assert f"`/{spec.name}`" in page


def test_the_readme_has_every_command_of_the_command_line():
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Commands\n")[1].split("\n## ")[0]
    named = {
        name for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"oibot ([a-z-]+)", row)
    }
    assert named == set(get_command(app_of()).commands)
