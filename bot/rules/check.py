"""Does a parsed expression mean something? Names, arguments, kinds, windows, scope.

Collects every fault and raises nothing. A part that is wrong already is not blamed a second time by what stands
around it. Expects a tree of bounded size, as `parse` gives it.
"""

from dataclasses import dataclass
from math import isnan
from typing import Final

from bot.rules.ast import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    And,
    BinaryOp,
    Call,
    Compare,
    Expr,
    Neg,
    Not,
    Number,
    Or,
    Series,
    duration_text,
    number_text,
    series_used,
    text,
)
from bot.rules.language import (
    CROSSINGS,
    FLOWS,
    FUNCTIONS,
    SERIES,
    WEEK_MS,
    Measure,
    Parameter,
    agree,
    did_you_mean,
    product,
    quotient,
)
from bot.rules.schema import Per

LONG_STEP_MS: Final = 5 * MINUTE_MS
"""`zscore` and `percentile` over more than a day or of a `pct` look at points this far apart."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One problem inside an expression; places are offsets in its text."""

    start: int
    code: str
    length: int
    message: str
    hint: str = ""

    @property
    def is_error(self) -> bool:
        return not self.code.startswith("W")


def check(expr: Expr, *, per: Per, wants_condition: bool) -> list[Fault]:
    """All faults of a whole expression: a `when` or `clear` if `wants_condition`, else a `value`."""
    checker = _Checker(per)
    if wants_condition:
        checker.condition(expr)
    elif isinstance(expr, Call) and expr.name == "count":
        checker.call(expr)
    else:
        checker.number(expr)
        if not series_used(expr) and not checker.faults:
            checker.add(expr, "E212", "this looks at no series, so it is the same at all times")
    return checker.faults


def measure_of(expr: Expr) -> Measure:
    """What kind of thing a checked expression gives; tells a percentage from an amount."""
    if isinstance(expr, Call) and expr.name == "count":
        return Measure.COUNT
    return _Checker("symbol").measure(expr) or Measure.ANY


class _Checker:
    """One walk over one expression. `measure` gives None for a part that is already told to be wrong."""

    def __init__(self, per: Per) -> None:
        self.faults: list[Fault] = []
        self._per = per
        self._around: tuple[str, ...] = ()
        """Scope functions that we are inside of, outermost first."""
        self._negated = False

    def add(self, at: Expr, code: str, message: str, hint: str = "") -> None:
        self.faults.append(Fault(at.span.start, code, max(1, at.span.end - at.span.start), message, hint))

    # Conditions

    def condition(self, expr: Expr) -> None:
        match expr:
            case And(items=items) | Or(items=items):
                for item in items:
                    self.condition(item)
            case Not(item=item):
                before, self._negated = self._negated, True
                self.condition(item)
                self._negated = before
            case Compare():
                self._compare(expr)
            case _:
                measure = self._any_measure(expr)
                if measure is not None and measure is not Measure.CONDITION:
                    hint = f"compare it, such as {text(expr)} > {_example(measure)}" if len(text(expr)) < 40 else ""
                    self.add(expr, "E207", f"this is {measure.value}, not a condition", hint)

    def _compare(self, expr: Compare) -> None:
        if isinstance(expr.left, Call) and expr.left.name == "count":
            self.call(expr.left)
            self._count_threshold(expr.right)
            return
        n_faults = len(self.faults)
        left, right = self.number(expr.left), self.number(expr.right)
        if left is None or right is None:
            return
        if not agree(left, right):
            self._disagree(expr.left, left, expr.right, right)
        elif not series_used(expr) and len(self.faults) == n_faults:
            self.add(expr, "E212", "this looks at no series, so it is the same at all times")
        self._warn_of_plain_number(left, expr.right)
        self._warn_of_plain_number(right, expr.left)

    def _count_threshold(self, limit: Expr) -> None:
        match limit:
            case Number(unit="%", value=value) if 0 <= value <= 1:
                return
            case Number(unit="", value=value) if value >= 0:
                return
            case Number(value=value) if isnan(value):
                return
            case _:
                self.add(limit, "E210", "count(...) is compared with a number or a share, such as 12 or 20%")

    def _warn_of_plain_number(self, measure: Measure, other: Expr) -> None:
        if measure is Measure.RATIO and isinstance(other, Number) and not other.unit and abs(other.value) >= 1:
            number, share = number_text(other), number_text(Number(other.value, "%"))
            meant = number_text(Number(other.value / 100, "%"))
            self.add(other, "W301", f"{number} here means {share}", f"write {meant}")

    def _disagree(self, left: Expr, left_is: Measure, right: Expr, right_is: Measure) -> None:
        hint = ""
        for side, is_, other, other_is in ((right, right_is, left, left_is), (left, left_is, right, right_is)):
            if is_ is Measure.RATIO and isinstance(side, Number) and other_is is Measure.SCORE:
                hint = f"write {number_text(Number(round(side.value * 100, 9)))}"
            elif is_ is Measure.RATIO and isinstance(other, Series) and other_is is Measure.QUANTITY:
                hint = f"a change in percent is pct({other.name}, 15m)"
            elif is_ is Measure.ANY and isinstance(side, Number) and other_is is Measure.DURATION:
                hint = f"write a unit, such as {number_text(side)}s"
        self.add(right, "E206", f"{left_is.value} does not go with {right_is.value}", hint)

    # Numbers

    def number(self, expr: Expr) -> Measure | None:
        measure = self._any_measure(expr)
        if measure is Measure.CONDITION:
            self.add(expr, "E207", "this is a condition; a number is needed here")
            return None
        return measure

    def _any_measure(self, expr: Expr) -> Measure | None:
        if isinstance(expr, Call) and expr.name == "count":
            self.call(expr)
            hint = "such as count(pct(oi, 15m) >= 3%) >= 12"
            self.add(expr, "E210", "count(...) stands on the left of a comparison with a number or a share", hint)
            return None
        return self.measure(expr)

    def measure(self, expr: Expr) -> Measure | None:
        match expr:
            case Number(unit=unit, value=value):
                # NaN stands for a literal that the parser has told to be wrong.
                return (
                    None if isnan(value) else {"%": Measure.RATIO, "duration": Measure.DURATION}.get(unit, Measure.ANY)
                )
            case Series():
                return self._series(expr, alone=True)
            case Call():
                return self.call(expr)
            case Neg(operand=operand):
                return self.number(operand)
            case BinaryOp():
                return self._arithmetic(expr)
            case _:
                self.condition(expr)
                return Measure.CONDITION

    def _arithmetic(self, expr: BinaryOp) -> Measure | None:
        left, right = self.number(expr.left), self.number(expr.right)
        if expr.op == "/" and isinstance(expr.right, Number) and expr.right.value == 0:
            self.add(expr.right, "E212", "dividing by zero is always unknown")
            return None
        if left is None or right is None:
            return None
        if expr.op in "+-":
            if not agree(left, right):
                self._disagree(expr.left, left, expr.right, right)
                return None
            return right if left is Measure.ANY else left
        result = product(left, right) if expr.op == "*" else quotient(left, right)
        if result is None:
            self._disagree(expr.left, left, expr.right, right)
        return result

    # Names

    def _series(self, expr: Series, *, alone: bool) -> Measure | None:
        measure = SERIES.get(expr.name)
        if measure is None:
            if expr.name in FUNCTIONS:
                self.add(expr, "E204", f'"{expr.name}" is a function', f"write {FUNCTIONS[expr.name].usage}")
                return None
            meant = did_you_mean(expr.name, frozenset(SERIES))
            self.add(expr, "E204", f'unknown series "{_short(expr.name)}"', f'did you mean "{meant}"?' if meant else "")
            return None
        if alone:
            self._needs_instrument(expr, expr.name)
        return measure

    def _needs_instrument(self, expr: Expr, name: str) -> None:
        if self._per == "market" and not self._around:
            message = f'with per: market, "{name}" has no single value'
            self.add(expr, "E210", message, "put it inside count(...) or median(...)")

    def call(self, expr: Call) -> Measure | None:
        """Check a function and its arguments; None where it is wrong."""
        function = FUNCTIONS.get(expr.name)
        if function is None:
            self._unknown_function(expr)
            return None
        at_name = Series(expr.name, type(expr.span)(expr.span.start, expr.span.start + len(expr.name)))
        if len(expr.args) != len(function.parameters):
            given, wanted = len(expr.args), len(function.parameters)
            message = f'"{expr.name}" takes {wanted} argument{"s" * (wanted != 1)}, not {given}'
            self.add(expr, "E205", message, f"such as {function.usage}")
            return None
        n_faults = len(self.faults)
        if function.over_scope:
            self._scope_function(at_name)
        elif "number" not in function.parameters:
            self._needs_instrument(expr, expr.name)
        if expr.name in CROSSINGS and (self._negated or self._around):
            self.add(at_name, "E213", f'"{expr.name}" is an event; it cannot stand inside "not" or a function')
        measures = self._arguments(expr, function.parameters, over_scope=function.over_scope)
        if expr.name in CROSSINGS:
            self._crossing(expr, measures)
        if len(self.faults) > n_faults:
            return None
        return function.result or measures[0]

    def _crossing(self, expr: Call, measures: "list[Measure | None]") -> None:
        left, right = measures
        if left and right and not agree(left, right):
            self._disagree(expr.args[0], left, expr.args[1], right)
        elif not series_used(expr):
            self.add(expr, "E212", "this looks at no series, so it is the same at all times")
        elif left and right:
            self._warn_of_plain_number(left, expr.args[1])
            self._warn_of_plain_number(right, expr.args[0])

    def _scope_function(self, at_name: Series) -> None:
        name = at_name.name
        if name == "count" and self._per != "market":
            self.add(at_name, "E210", "count(...) needs per: market", 'add "per: market" to the rule')
        elif name == "rank" and self._per == "market" and not self._around:
            self.add(at_name, "E210", 'with per: market, "rank" has no single value', "put it inside count(...)")
        elif self._around and (name == "count" or self._around != ("count",)):
            self.add(at_name, "E210", f'"{name}" cannot stand inside "{self._around[-1]}"')

    def _unknown_function(self, expr: Call) -> None:
        at_name = Series(expr.name, type(expr.span)(expr.span.start, expr.span.start + len(expr.name)))
        if expr.name in SERIES:
            self.add(at_name, "E203", f'"{expr.name}" is a series, not a function', f"such as pct({expr.name}, 15m)")
            return
        meant = did_you_mean(expr.name, frozenset(FUNCTIONS))
        self.add(
            at_name, "E203", f'unknown function "{_short(expr.name)}"', f'did you mean "{meant}"?' if meant else ""
        )
        for arg in expr.args:
            # A misspelt series inside is worth telling in the same go.
            if isinstance(arg, Series):
                self._series(arg, alone=False)

    # Arguments

    def _arguments(self, expr: Call, parameters: tuple[Parameter, ...], *, over_scope: bool) -> "list[Measure | None]":
        before = self._around, self._negated
        if over_scope:
            self._around, self._negated = (*self._around, expr.name), False
        measures = [self._argument(expr, arg, parameter) for arg, parameter in zip(expr.args, parameters, strict=True)]
        self._around, self._negated = before
        return measures

    def _argument(self, call: Call, arg: Expr, parameter: Parameter) -> Measure | None:
        match parameter:
            case "number":
                measure = self.number(arg)
                if measure and FUNCTIONS[call.name].over_scope and not series_used(arg):
                    self.add(arg, "E212", "this looks at no series, so it is the same for every symbol")
                return measure
            case "condition":
                self.condition(arg)
                return Measure.CONDITION
            case "window":
                self._window(call, arg)
                return Measure.DURATION
            case "series" | "gauge" | "flow" | "gauge or pct":
                return self._series_argument(call, arg, parameter)

    def _series_argument(self, call: Call, arg: Expr, parameter: Parameter) -> Measure | None:
        usage = FUNCTIONS[call.name].usage
        if parameter == "gauge or pct" and isinstance(arg, Call) and arg.name == "pct":
            return self._change_argument(call, arg)
        if not isinstance(arg, Series):
            self.add(arg, "E205", f'"{call.name}" takes the name of a series here', f"such as {usage}")
            return None
        measure = self._series(arg, alone=False)
        if measure is None:
            return None
        if parameter == "flow" and arg.name not in FLOWS:
            flows = ", ".join(sorted(FLOWS))
            self.add(arg, "E205", f'"{call.name}" takes a flow ({flows}); "{arg.name}" is none', f"such as {usage}")
            return None
        if parameter in {"gauge", "gauge or pct"} and arg.name in FLOWS:
            window = duration_text(call.window_ms) if call.window_ms > 0 else "15m"
            message = f'"{arg.name}" is a flow, an amount over time; "{call.name}" does not take one'
            self.add(arg, "E205", message, f"write sum({arg.name}, {window})")
            return None
        return measure

    def _change_argument(self, call: Call, arg: Call) -> Measure | None:
        """`zscore(pct(s, v), w)`: both windows lie on the 5-minute grid."""
        n_faults = len(self.faults)
        measure = self.call(arg)
        for part in (arg, call):
            if len(self.faults) == n_faults and part.window_ms % LONG_STEP_MS:
                message = f"windows of {call.name}(pct(...), ...) are whole multiples of 5m"
                self.add(part.args[-1], "E208", message, f"write {_near_multiple(part.window_ms)}")
                return None
        return measure

    def _window(self, call: Call, arg: Expr) -> None:
        if isinstance(arg, Number) and isnan(arg.value):
            return
        if any(fault.code == "E208" and fault.start == arg.span.start for fault in self.faults):
            return
        if not isinstance(arg, Number) or arg.unit != "duration":
            usage = FUNCTIONS[call.name].usage
            plain = isinstance(arg, Number) and not arg.unit and arg.value > 0
            hint = f"write {text(arg)}m or {text(arg)}s" if plain else f"such as {usage}"
            self.add(arg, "E205", f'"{call.name}" takes a window here', hint)
            return
        window, limit = arg.value, FUNCTIONS[call.name].max_window_ms
        if window <= 0:
            self.add(arg, "E208", "a window is longer than zero")
        elif window > limit:
            longer = "" if limit > DAY_MS or window > WEEK_MS else "only zscore and percentile take up to 7d"
            self.add(arg, "E208", f"the window is too long; at most {duration_text(limit)}", longer)
        elif window % SECOND_MS:
            self.add(arg, "E208", "a window is a whole number of seconds")
        elif window > DAY_MS and window % LONG_STEP_MS:
            message = "a window over 24h is a whole multiple of 5m"
            self.add(arg, "E208", message, f"write {_near_multiple(round(window))}")
        elif window > HOUR_MS and window % MINUTE_MS:
            self.add(arg, "E208", "a window over 1h is a whole number of minutes")
        elif call.name == "ratio" and window == DAY_MS:
            self.add(arg, "E212", "a ratio over 24h compares the day with itself; it is always 1")


def _near_multiple(window_ms: int) -> str:
    """The nearest window on the 5-minute grid."""
    return duration_text(max(1, round(window_ms / LONG_STEP_MS)) * LONG_STEP_MS)


def _example(measure: Measure) -> str:
    return {Measure.RATIO: "5%", Measure.DURATION: "30s", Measure.SCORE: "2"}.get(measure, "1_000")


def _short(word: str) -> str:
    return word if len(word) <= 30 else f"{word[:30]}…"
