"""An explanation on a terminal: the tree that the chat shows, with colour where the output takes it."""

from typing import Final

from rich.console import Console
from rich.text import Text

from bot.chat.commands import clean
from bot.chat.why_text import MARKS, alert_text, clock, heading, hush_text, transition_text, tree
from bot.model.explanation import Explanation, Node, Verdict
from bot.model.numbers import quantity

_COLOURS: Final[dict[Verdict | None, str]] = {"true": "green", "false": "red", "unknown": "yellow", None: "cyan"}
_PHASES: Final = {"firing": "bold green", "pending": "yellow", "cooling": "blue", "inactive": "dim"}


def show(explanation: Explanation, console: Console) -> None:
    """Print it. Nothing from outside is read as markup or as a terminal's control code."""
    alert = explanation.alert
    console.print(_text((heading(explanation), "bold"), (f"  {explanation.rule_id}", "dim")))
    now = f"as of {clock(explanation.at_ms)} UTC"
    console.print(
        _text((alert_text(alert, explanation.unit, explanation.at_ms), _PHASES[alert.phase]), (f", {now}", ""))
    )
    if explanation.value is not None:
        value = quantity(explanation.value, explanation.unit)
        console.print(_text(("value  ", "dim"), (f"{explanation.value_text} = {value}", "")))
    for reason in explanation.why:
        console.print(_text((f"! {reason}", "yellow")))
    for hush in explanation.hushed:
        console.print(_text((f"quiet: {hush_text(hush, explanation.at_ms)}", "yellow")))
    if alert.next:
        console.print(_text(("next   ", "dim"), (alert.next, "")))
    console.print()
    console.print(_text(("when", "dim")))
    show_tree(explanation.when, console)
    console.print(_text(("clear", "dim")))
    clear = explanation.clear
    console.print(_text((f"  {MARKS[clear.verdict]} ", _COLOURS[clear.verdict]), (clear.text, "")))
    if explanation.history:
        console.print()
        console.print(_text(("last changes", "dim")))
        for transition in explanation.history:
            console.print(_text((f"  {transition_text(transition, explanation)}", "")))


def show_tree(condition: Node, console: Console, *, indent_by: int = 1) -> None:
    """A condition with what it looked at."""
    for one in tree(condition):
        indent = "  " * (one.depth + indent_by)
        console.print(_text((f"{indent}{one.mark} ", _COLOURS[one.verdict]), (one.text, "bold")))
        for detail in one.details:
            console.print(_text((f"{indent}    {detail}", "")))


def _text(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*((clean(f"|{part}|")[1:-1], style) for part, style in parts))
