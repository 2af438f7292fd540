"""docs/architecture.md and its drawings name every room of the house."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
ROOMS = sorted(p.parent.name for p in (ROOT / "bot").glob("*/__init__.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_stands_in_the_drawing(room):
    drawing = (ROOT / "docs" / "architecture" / "rooms.svg").read_text(encoding="utf-8")
    names = {name.strip() for text in re.findall(r'class="n">([^<]+)<', drawing) for name in text.split(",")}
    assert room in names


def test_the_drawing_names_nothing_else():
    drawing = (ROOT / "docs" / "architecture" / "rooms.svg").read_text(encoding="utf-8")
    names = {name.strip() for text in re.findall(r'class="n">([^<]+)<', drawing) for name in text.split(",")}
    there = {p.stem for p in (ROOT / "bot").glob("*.py")} | set(ROOMS)
    assert names <= there


def test_the_layers_of_the_drawing_are_those_that_are_checked():
    """Top to bottom, with the rooms of one layer at one height."""
    drawing = (ROOT / "docs" / "architecture" / "rooms.svg").read_text(encoding="utf-8")
    heights: dict[int, set[str]] = {}
    for y, text in re.findall(r'y="(\d+)" class="n">([^<]+)<', drawing):
        heights.setdefault(int(y), set()).update(name.strip() for name in text.split(","))
    drawn = [rooms for _, rooms in sorted(heights.items())]
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r"^layers = \[(.*?)^\]", config, re.DOTALL | re.MULTILINE)
    assert found is not None
    layers = [set(line.split(" | ")) for line in re.findall(r'"([^"]+)"', found[1])]
    assert drawn == layers
