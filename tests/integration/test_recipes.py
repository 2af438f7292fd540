"""docs/extending.md is true: its changes are made in a copy of the source, and the tests that come with them pass there."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
NEW_FILE = re.compile(r"`([\w/.]+)`, new:\n\n```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
DIFF = re.compile(r"```diff\n(.*?)^```", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"`((?:bot|tests|docs|rules)/[\w/.]+?)(?::(\w+))?`")


@dataclass
class Recipe:
    """One section of the page."""

    title: str
    text: str
    files: dict[str, str] = field(default_factory=dict)
    diffs: list[str] = field(default_factory=list)


def recipes() -> list[Recipe]:
    found = []
    for part in PAGE.split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        found.append(Recipe(title, text, dict(NEW_FILE.findall(text)), DIFF.findall(text)))
    return found


@pytest.mark.parametrize("recipe", recipes(), ids=lambda one: one.title)
def test_a_recipe_works(recipe, tmp_path):
    for name in ("bot", "tests", "rules"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for diff in recipe.diffs:
        done = subprocess.run(
            ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"],
            cwd=tmp_path,
            input=diff.encode(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
    for name, text in recipe.files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    own = [name for name in recipe.files if Path(name).name.startswith("test_")]
    assert own, "a recipe comes with a test"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *own],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_recipe_fails_without_its_changes(tmp_path):
    """The tests of the recipes are about what they add."""
    for recipe in recipes():
        for name, text in recipe.files.items():
            assert not (ROOT / name).exists(), name
            assert text.strip()


def test_every_place_that_the_page_names_is_there():
    made = {name for recipe in recipes() for name in recipe.files}
    for path, name in NAMED.findall(PAGE):
        if path in made:
            continue
        assert (ROOT / path).exists(), path
        if name:
            assert re.search(rf"^(class |def )?{name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), name
