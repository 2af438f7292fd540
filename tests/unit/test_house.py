"""The conventions of the house that a machine can keep, so that nobody has to."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60

MODULES = sorted((ROOT / "bot").rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}

REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npmjs" + ".org",
    "npmjs" + ".com",
    "npm" + "mirror.com",
    "proxy.golang" + ".org",
    "crates" + ".io",
    "anaconda" + ".org",
]
"""Whoever installs decides where from; an address written down would be wrong for them."""

MAY_BE_LONG = {
    "bot/feeds/binance/feed.py:__init__": "wires seven parts to each other, one call each, and decides nothing",
}
"""`path` or `path:function` -> why it may pass the limit."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[Path]:
    """Files under version control; without it, all that are not caches, environments or data."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        return [ROOT / name for name in os.fsdecode(listed).split("\0") if name and (ROOT / name).is_file()]
    return [
        p for p in ROOT.rglob("*") if p.is_file() and p.relative_to(ROOT).parts[0] in {"bot", "docs", "rules", "tests"}
    ]


def texts() -> list[tuple[str, str]]:
    found = []
    for path in tracked():
        try:
            found.append((name_of(path), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_there_is_something_to_look_at():
    assert len(MODULES) > 50
    assert len(texts()) > 100


def test_no_module_is_too_long_without_a_reason_in_its_docstring():
    """The reason contains the word "lines"."""
    offenders = []
    for path, tree in TREES.items():
        n = len(path.read_text(encoding="utf-8").splitlines())
        if n > MAX_MODULE_LINES and "lines" not in (ast.get_docstring(tree) or "") and name_of(path) not in MAY_BE_LONG:
            offenders.append(f"{name_of(path)}: {n} lines")
    assert offenders == []


def test_no_function_is_too_long():
    offenders = []
    for path, tree in TREES.items():
        for node in functions(tree):
            n = (node.end_lineno or node.lineno) - node.lineno + 1
            if n > MAX_FUNCTION_LINES and f"{name_of(path)}:{node.name}" not in MAY_BE_LONG:
                offenders.append(f"{name_of(path)}:{node.lineno} {node.name}: {n} lines")
    assert offenders == []


def test_what_may_be_long_still_is():
    for entry, reason in MAY_BE_LONG.items():
        path, _, function = entry.partition(":")
        assert reason
        assert (ROOT / path).is_file(), f"{path} is gone"
        if function:
            assert any(
                f.name == function and (f.end_lineno or f.lineno) - f.lineno + 1 > MAX_FUNCTION_LINES
                for f in functions(TREES[ROOT / path])
            ), f"{entry} is short enough now"


def test_every_package_says_what_it_promises():
    offenders = [name_of(p) for p, tree in TREES.items() if p.name == "__init__.py" and not ast.get_docstring(tree)]
    assert offenders == []


def test_every_folder_with_modules_is_a_package():
    offenders = sorted({name_of(p.parent) for p in MODULES if not (p.parent / "__init__.py").is_file()})
    assert offenders == []


def test_every_module_with_code_says_its_contract():
    offenders = [name_of(p) for p, tree in TREES.items() if tree.body and not ast.get_docstring(tree)]
    assert offenders == []


@pytest.mark.parametrize("address", REGISTRIES)
def test_no_file_names_a_package_registry(address):
    offenders = [name for name, text in texts() if address in text]
    assert offenders == []


def test_only_tests_look_beside_the_project():
    offenders = [name for name, text in texts() if "../" + "shared" in text and not name.startswith("tests/")]
    assert offenders == []


def test_locks_and_settings_of_installers_name_no_index():
    pattern = re.compile(r"^\s*(--(extra-)?index-url|-i|--find-links)\b", re.MULTILINE)
    offenders = [
        name for name, text in texts() if name.endswith((".lock", ".txt", ".toml", ".cfg")) and pattern.search(text)
    ]
    assert offenders == []


def test_nothing_is_left_half_done():
    pattern = re.compile(r"\b(TO" + "DO|FIX" + "ME|XX" + "X)\\b")
    offenders = [name for name, text in texts() if pattern.search(text)]
    assert offenders == []


def test_no_test_of_the_default_run_is_switched_off_for_good():
    pattern = re.compile(r"@pytest\.mark\." + r"(skip\(|skip$|xfail)", re.MULTILINE)
    offenders = [name for name, text in texts() if name.startswith("tests/") and pattern.search(text)]
    assert offenders == []
