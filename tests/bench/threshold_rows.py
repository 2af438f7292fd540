"""Rows 6 and 7, from `thresholds`, as lines of the common table."""

import importlib
from collections.abc import Sequence

from tests.bench.harness import Context, Group, Result

GOALS = (
    ("6", "1,000,000 chat thresholds, calm", 0.5, "J"),
    ("6", "100,000 chat thresholds, 65 reached", 1.0, "J"),
    ("7", "add or remove one in a group of 50,000", 20.0, "us"),
    ("7", "memory of each threshold", 32.0, "B"),
)


def rows(context: Context) -> Sequence[Result]:
    context.say("thresholds and their peers")
    try:
        module = importlib.import_module("tests.bench.thresholds")
    except ModuleNotFoundError as error:
        note = f"not measured: there is no {error.name} here"
        found = [Result(row, name, None, goal, unit, note=note) for row, name, goal, unit in GOALS]
    else:
        found = [Result(r.row, r.name, r.value, r.goal, r.unit) for r in module.rows()]
    return [r for r in found if context.wants(r.row)]


GROUPS = (Group(("6", "7"), rows),)
