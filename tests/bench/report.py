"""The table on the terminal, the results as JSON, the table and the picture of the documentation."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from html import escape
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.harness import Result, machine

ROOT = Path(__file__).parents[2]
LATEST = Path(__file__).parent / "results" / "latest.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "bench.svg"
BEGIN, END = "<!-- figures: python -m tests.bench --write-docs -->", "<!-- end of figures -->"
_FIELDS = frozenset(f.name for f in fields(Result))


def order(row: str) -> tuple[int, str]:
    return int("".join(c for c in row if c.isdigit()) or 0), row


def figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        digits = f"{value:,.0f}"
    else:
        digits = f"{value:.2g}" if abs(value) < 0.1 else f"{value:.2f}"
    return f"{digits} {unit}".strip()


def goal(result: Result) -> str:
    if result.goal is None:
        return ""
    return f"{'≥' if result.at_least else '≤'} {result.goal:g} {result.unit}".strip()


def word(result: Result) -> str:
    if result.goal is None and result.value is not None:
        return ""
    return {True: "met", False: "not met", None: "not measured"}[result.met]


def show(console: Console, results: Sequence[Result]) -> None:
    table = Table(title=machine(), title_justify="left", title_style="dim")
    for column, justify in (("row", "right"), ("work", "left"), ("value", "right"), ("goal", "right"), ("", "left")):
        table.add_column(column, justify=justify)
    table.add_column("how", style="dim", overflow="fold")
    colours = {"met": "[green]", "not met": "[red]", "not measured": "[yellow]", "": ""}
    for r in results:
        table.add_row(r.row, r.name, figure(r.value, r.unit), goal(r), colours[word(r)] + word(r), r.note)
    console.print(table)


def _rows() -> list[dict]:
    return json.loads(LATEST.read_text(encoding="utf-8")) if LATEST.is_file() else []


def stored() -> list[Result]:
    return [Result(**{k: v for k, v in row.items() if k in _FIELDS}) for row in _rows()]


def store(results: Sequence[Result]) -> None:
    """Put results in the place of those of the same rows; other rows stay, with the day and machine they are of."""
    fresh = {r.row for r in results}
    about = {"day": time.strftime("%Y-%m-%d"), "machine": machine()}
    rows = [row for row in _rows() if row["row"] not in fresh]
    rows += [{**asdict(r), "met": r.met, **about} for r in results]
    rows.sort(key=lambda row: order(row["row"]))
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_docs() -> None:
    """Put what is stored between the marks of the page, and draw it."""
    results = stored()
    if not results:
        raise SystemExit("nothing is stored yet: run `python -m tests.bench` first")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    days = sorted({row["day"] for row in _rows()})
    machines = sorted({row["machine"] for row in _rows()})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lines = [f"Measured {when} with `make bench` on {'; '.join(machines)}.", ""]
    lines += ["| row | work | value | goal | | how |", "|---:|---|---:|---:|---|---|"]
    for r in results:
        cells = (r.row, r.name, figure(r.value, r.unit), goal(r), word(r), r.note)
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    PAGE.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}", encoding="utf-8")
    PICTURE.write_text(picture(results), encoding="utf-8")


# -- the picture -----------------------------------------------------------------------------------------------------

WIDTH, LEFT, BAR, LINE, TOP = 860, 392, 300, 22, 46
MOST = 1.5
"""Bars end here; what is longer is cut, with its figure beside it."""
_STYLE = """
  text { font: 12px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .dim { fill: #59636e; }
  .goal { stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 4 3; }
  .met { fill: #2da44e; } .over { fill: #d4632a; } .track { fill: #818b981f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .dim { fill: #9198a1; } .goal { stroke: #9198a1; } .track { fill: #9198a133; }
  }
"""


def used(result: Result) -> float | None:
    """How much of what the goal allows is used: 1 is just met. None where there is nothing to show."""
    if result.value is None or not result.goal:
        return None
    if result.at_least:
        return result.goal / result.value if result.value > 0 else MOST
    return result.value / result.goal


def picture(results: Sequence[Result]) -> str:
    """Bars against goals: the shorter the better, whatever the unit."""
    shown = [(r, share) for r in results if (share := used(r)) is not None]
    height = TOP + LINE * len(shown) + 14
    at_goal = LEFT + BAR / MOST
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            'role="img" aria-label="Measured figures against their goals">'
        ),
        f"<style>{_STYLE}</style>",
        f'<text x="{LEFT}" y="16" class="dim">share of what the goal allows; shorter is better</text>',
        f'<text x="{at_goal:.0f}" y="34" class="dim" text-anchor="middle">goal</text>',
    ]
    for k, (r, share) in enumerate(shown):
        y = TOP + LINE * k
        length = max(2.0, min(share, MOST) / MOST * BAR)
        label = r.name if len(r.name) <= 58 else r.name[:57] + "…"
        parts += [
            f'<text x="{LEFT - 10}" y="{y + 12}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LEFT}" y="{y + 2}" width="{BAR}" height="13" rx="2" class="track"/>',
            (
                f'<rect x="{LEFT}" y="{y + 2}" width="{length:.1f}" height="13" rx="2" '
                f'class="{"met" if r.met else "over"}"/>'
            ),
            (
                f'<text x="{LEFT + BAR + 10}" y="{y + 12}">{escape(figure(r.value, r.unit))}'
                f'<tspan class="dim">  {escape(goal(r))}</tspan></text>'
            ),
        ]
    bottom = TOP + LINE * len(shown)
    parts.append(f'<line x1="{at_goal:.0f}" y1="{TOP - 6}" x2="{at_goal:.0f}" y2="{bottom}" class="goal"/>')
    return "\n".join([*parts, "</svg>", ""])
