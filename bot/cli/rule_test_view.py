"""Rule tests on a terminal: a line for each, and for a failure what was expected, what was found, the series around the
moment and the condition as `/why` shows it.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from rich.console import Console
from rich.text import Text

from bot.chat.why_text import change_text
from bot.cli.explanation import show_tree
from bot.history.rule_test_run import Failure, Outcome, Strip, after, message_text
from bot.model.alert import State
from bot.model.numbers import duration, from_to, quantity
from bot.model.updates import F64
from bot.rules.problems import printable
from bot.rules.rule_test_reader import RuleTests

BLOCKS: Final = "▁▂▃▄▅▆▇█"
MAX_CELLS: Final = 72
MIN_CELLS: Final = 16
MISSING: Final = "·"
MAX_UNTESTED: Final = 20
_INDENT: Final = "      "
_UNITS: Final = {"price": "price", "index": "price", "oi": "amount", "funding": "ratio", "taker_buy": "ratio"}


class View:
    """Prints outcomes as they come."""

    def __init__(self, console: Console, *, verbose: bool) -> None:
        self._console = console
        self._verbose = verbose
        self._file = ""

    def show(self, file: str, outcome: Outcome) -> None:
        """One test."""
        if file != self._file:
            self._file = file
            self._print((file, "bold"))
        mark, style = ("✓", "green") if outcome.passed else ("✗", "bold red")
        self._print((f"  {mark} ", style), (outcome.test.name, ""))
        for failure in outcome.failures:
            self._failure(file, failure)
        if self._verbose:
            self._all(outcome)

    def sum_up(self, outcomes: Sequence[Outcome], seconds: float, found: RuleTests, untested: Sequence[str]) -> None:
        """The last lines."""
        n_failed = sum(not outcome.passed for outcome in outcomes)
        n_errors = len(found.errors)
        parts = [(f"{len(outcomes) - n_failed} passed", "green" if outcomes else "")]
        parts += [(f"{n_failed} failed", "bold red")] if n_failed else []
        parts += [(f"{n_errors} error{'' if n_errors == 1 else 's'} in the files", "bold red")] if n_errors else []
        if outcomes:
            self._console.print()
        line: list[tuple[str, str]] = []
        for part in parts:
            line += [(", ", ""), part] if line else [part]
        self._print(*line, (f" in {seconds:.1f} s", "dim"))
        if not outcomes:
            self._print(("no test was run", "yellow"))
        if untested:
            more = len(untested) - MAX_UNTESTED
            names = ", ".join(untested[:MAX_UNTESTED]) + (f" and {more} more" if more > 0 else "")
            self._print((f"rules without a test: {names}", "yellow"))

    def _failure(self, file: str, failure: Failure) -> None:
        at = "" if failure.at_ms is None else f" at {after(failure.at_ms)}"
        self._print((f"    {file}:{failure.line}", "dim"), (f"{at}  {failure.about}", "bold"))
        self._print((f"{_INDENT}expected  ", "dim"), (failure.expected, "green"))
        first, *more = failure.found.split("\n")
        self._print((f"{_INDENT}found     ", "dim"), (first, "red"))
        for text in more:
            self._print((f"{_INDENT}          {text}", "red"))
        for strip in failure.strips:
            self._strip(strip)
        explanation = failure.explanation
        if explanation is not None:
            self._print((f"{_INDENT}when", "dim"))
            show_tree(explanation.when, self._console, indent_by=4)
            for reason in explanation.why:
                self._print((f"{_INDENT}! {reason}", "yellow"))
            if explanation.alert.next:
                self._print((f"{_INDENT}next  ", "dim"), (explanation.alert.next, ""))

    def _strip(self, strip: Strip) -> None:
        n_cells = min(MAX_CELLS, max(MIN_CELLS, self._console.width - len(_INDENT)))
        head, drawn, marked = strip_lines(strip, n_cells)
        self._print((f"{_INDENT}{head}", "dim"))
        self._print((f"{_INDENT}{drawn}", "cyan"))
        self._print((f"{_INDENT}{marked}", "dim"))

    def _all(self, outcome: Outcome) -> None:
        start_ms = outcome.start_ms
        for met in outcome.met:
            self._print(
                (f"{_INDENT}{after(met.expected.at_ms)} {met.expected.rule_id} {met.symbol}", ""),
                (f"  {met.found}", "dim"),
            )
        for transition in outcome.transitions:
            if transition.state is not State.INACTIVE:
                since = after(transition.at_ms - start_ms)
                text = change_text(transition, outcome.units.get(transition.rule_id, "number"))
                self._print((f"{_INDENT}{since} {transition.rule_id} {transition.symbol}: {text}", "dim"))
        for message in outcome.told:
            for n, text in enumerate(message_text(message, whole=True).split("\n")):
                self._print((f"{_INDENT}{'  ' if n else ''}{text}", "dim"))

    def _print(self, *parts: tuple[str, str]) -> None:
        """Nothing of a file is read as markup or as a terminal's control code."""
        self._console.print(Text.assemble(*((printable(text), style) for text, style in parts)))


def strip_lines(strip: Strip, n_cells: int = MAX_CELLS) -> tuple[str, str, str]:
    """What it is and from where to where it goes; the values as blocks; the window and the moment below them."""
    step_ms, n_steps = strip.step_ms, len(strip.values)
    stride = 1 if n_steps <= n_cells else math.ceil(n_steps / (n_cells - 1))
    # Counted from the moment, so that it ends a cell.
    ends = range((strip.at - strip.first) % stride, n_steps + stride - 1, stride)
    at = (strip.at - strip.first) // stride
    begin = max(0, math.ceil((strip.at - strip.window - strip.first) / stride))
    known = strip.values[np.isfinite(strip.values)]
    low, high, middle = (float(f(known)) if len(known) else 0.0 for f in (np.min, np.max, np.median))
    values = [_standing_out(strip.values[max(0, end + 1 - stride) : end + 1], middle) for end in ends]
    unit = _UNITS.get(strip.series, "number")
    bounds = from_to(low, high, unit, sign=False) if low < high else (quantity(low, unit, sign=False),)
    shown = " to ".join(bounds) if len(known) else "no value"
    span = f"{after(strip.first * step_ms)} to {after((strip.first + n_steps - 1) * step_ms)}"
    drawn = "".join(_block(v, low, high) for v in values)
    if strip.window and at - begin >= 1:
        label = f" {duration(strip.window * step_ms)} "
        inside = at - begin - 1
        line = label.center(inside, "─") if len(label) <= inside else "─" * inside
        return f"{strip.symbol} {strip.series}: {shown}, {span}", drawn, " " * begin + f"├{line}┤"
    return f"{strip.symbol} {strip.series}: {shown}, {span}", drawn, " " * at + "▲"


def _standing_out(values: F64, middle: float) -> float:
    """What stands for several steps: the value farthest from the middle, so that no spike is lost; NaN for none."""
    known = values[np.isfinite(values)]
    return float(known[np.argmax(np.abs(known - middle))]) if len(known) else math.nan


def _block(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return MISSING
    top = len(BLOCKS) - 1
    return BLOCKS[round((value - low) / (high - low) * top)] if high > low else BLOCKS[top // 2]
