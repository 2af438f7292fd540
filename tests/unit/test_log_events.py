"""The page of log events is complete: each name that the code logs is on it, and no other."""

import ast
import re
from pathlib import Path

from bot.model.alert import State

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "log-events.md").read_text(encoding="utf-8")
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "say"}
EVENT = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")


def logged(tree: ast.AST) -> set[str]:
    """Constant event names in calls that log; also those chosen by an expression."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        if name not in METHODS and not isinstance(called, ast.IfExp):
            continue
        texts = (c.value for c in ast.walk(node.args[0]) if isinstance(c, ast.Constant) and isinstance(c.value, str))
        found |= {text for text in texts if EVENT.fullmatch(text)}
    return found


def in_code() -> set[str]:
    files = [p for p in (ROOT / "bot").rglob("*.py") if "sim" not in p.relative_to(ROOT / "bot").parts]
    found = set().union(*(logged(ast.parse(path.read_text(encoding="utf-8"))) for path in files))
    return found | {f"alert.{state.value}" for state in (State.FIRING, State.RESOLVED, State.CLOSED)}


def in_page() -> list[str]:
    rows = re.findall(r"^\| (`.+?`) \|", PAGE, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_each_event_is_explained_once_and_none_that_is_not_logged():
    assert sorted(in_page()) == sorted(in_code())


def test_events_are_found_whichever_way_they_are_logged():
    source = """
log.info("a.done", x=1)
(log.info if ok else log.warning)("b.done" if ok else "b.failed")
say("c.done")
print("d.done")
"""
    assert logged(ast.parse(source)) == {"a.done", "b.done", "b.failed", "c.done"}


def test_levels_are_those_of_the_log():
    for levels in re.findall(r"^\| `.+?` \| ([^|]+) \|", PAGE, re.MULTILINE):
        assert set(levels.split(", ")) <= {"debug", "info", "warning", "error", "critical"}, levels
