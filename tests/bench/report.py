"""The table on the terminal, the results as JSON, the table and the picture of the documentation."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.harness import Result

LATEST = Path(__file__).parent / "results" / "latest.json"


def order(row: str) -> tuple[int, str]:
    return int("".join(c for c in row if c.isdigit()) or 0), row


def figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
    return f"{digits} {unit}".strip()


def goal(result: Result) -> str:
    if result.goal is None:
        return ""
    return f"{'≥' if result.at_least else '≤'} {result.goal:g} {result.unit}".strip()


def show(console: Console, results: Sequence[Result], machine: str) -> None:
    table = Table(title=machine, title_justify="left", title_style="dim")
    for column, justify in (("row", "right"), ("work", "left"), ("value", "right"), ("goal", "right"), ("", "left")):
        table.add_column(column, justify=justify)
    table.add_column("how", style="dim", overflow="fold")
    words = {True: "[green]met", False: "[red]not met", None: "[yellow]not measured"}
    for r in results:
        word = "" if r.goal is None and r.value is not None else words[r.met]
        table.add_row(r.row, r.name, figure(r.value, r.unit), goal(r), word, r.note)
    console.print(table)


def stored() -> list[Result]:
    if not LATEST.is_file():
        return []
    rows = json.loads(LATEST.read_text(encoding="utf-8"))
    return [Result(**{k: v for k, v in row.items() if k != "met"}) for row in rows]


def store(results: Sequence[Result]) -> None:
    """Put results in the place of those of the same rows; other rows stay."""
    fresh = {r.row for r in results}
    kept = [r for r in stored() if r.row not in fresh]
    rows = sorted([*kept, *results], key=lambda r: order(r.row))
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(
        json.dumps([{**asdict(r), "met": r.met} for r in rows], indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
