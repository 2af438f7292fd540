"""The decision pages are complete: form, index, and a reason for every dependency that is really used."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "decisions"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

MODULE_OF = {
    "python-telegram-bot": "telegram",
    "prometheus-client": "prometheus_client",
    "ruamel-yaml": "ruamel",
    "pydantic-settings": "pydantic_settings",
}
"""Where the name of the package is not that of its module."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def packages(requirements: list[str]) -> set[str]:
    return {normal(re.match(r"[\w.-]+", line).group()) for line in requirements}


def locked(name: str) -> set[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return {normal(found) for found in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


def listed(heading: str) -> set[str]:
    text = (FOLDER / "dependencies.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE)
    assert all(reason.strip() for _, reason in rows)
    names = [normal(name) for name, _ in rows]
    assert len(names) == len(set(names)), "listed twice"
    return set(names)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_has_context_decision_and_consequences(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.stem[:4]} ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert 15 <= len(text.splitlines()) <= 40


def test_pages_are_numbered_without_a_gap():
    assert [int(p.stem[:4]) for p in PAGES] == list(range(1, len(PAGES) + 1))


def test_the_index_names_every_page_and_nothing_else():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+\.md)\)", index)
    assert sorted(links) == sorted(p.name for p in FOLDER.glob("*.md") if p.name != "README.md")


def test_links_between_pages_lead_somewhere():
    for page in FOLDER.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (FOLDER / link).is_file(), (page.name, link)


def test_every_dependency_to_run_has_a_reason():
    assert listed("To run") == packages(PROJECT["project"]["dependencies"])


def test_every_optional_dependency_has_a_reason_and_is_tested_but_not_locked_to_run():
    wanted = packages(PROJECT["project"]["optional-dependencies"]["apprise"])
    assert listed("Optional") == wanted
    assert wanted <= locked("requirements-dev.lock")
    assert not wanted & locked("requirements.lock")


def test_every_dependency_to_develop_has_a_reason():
    wanted = packages(PROJECT["project"]["optional-dependencies"]["dev"])
    assert listed("To develop") == wanted
    assert packages(PROJECT["build-system"]["requires"]) <= wanted


def test_every_package_of_the_judges_locks_has_a_reason():
    locks = ("requirements-judges.lock", "requirements-judges-ccxt.lock", "requirements-judges-chat.lock")
    assert listed("To judge") == frozenset().union(*map(locked, locks))


def test_every_package_of_the_bench_lock_that_the_bot_does_not_need_has_a_reason():
    """`numpy` and the like come with the bot; what comes for the peers alone is told."""
    wanted = packages(PROJECT["project"]["optional-dependencies"]["bench"])
    assert wanted <= listed("To measure")
    assert listed("To measure") == locked("requirements-bench.lock") - locked("requirements.lock")


def test_the_peers_are_measured_against_the_bot_as_it_is_installed():
    text = {
        name: (ROOT / name).read_text(encoding="utf-8") for name in ("requirements.lock", "requirements-bench.lock")
    }
    pins = {name: set(re.findall(r"^[\w.-]+==\S+", t, re.MULTILINE)) for name, t in text.items()}
    assert pins["requirements.lock"] <= pins["requirements-bench.lock"]


def test_the_locks_hold_every_dependency():
    assert packages(PROJECT["project"]["dependencies"]) <= locked("requirements.lock")
    assert packages(PROJECT["project"]["optional-dependencies"]["dev"]) <= locked("requirements-dev.lock")


def test_every_dependency_to_run_is_imported():
    imported: set[str] = set()
    for path in (ROOT / "bot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    for name in packages(PROJECT["project"]["dependencies"]):
        assert MODULE_OF.get(name, name) in imported, name


def test_the_layers_on_the_page_are_those_that_are_checked():
    (contract,) = [c for c in PROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    shown = (FOLDER / "0009-engine.md").read_text(encoding="utf-8").split("```")[1].split("\n")
    assert [line for line in shown if line] == contract["layers"]
