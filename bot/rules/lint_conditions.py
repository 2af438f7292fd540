"""What is odd about the conditions of a rule: comparisons that cannot be meant, ends that never come, windows that
take long to fill. Pure reasoning about bounds; no data is looked at.
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Final, Literal

from bot.model import numbers
from bot.rules.ast import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    MIRROR,
    And,
    Call,
    Compare,
    Expr,
    Neg,
    Not,
    Number,
    Or,
    Series,
    duration_text,
    functions_used,
    number_text,
    series_used,
    walk,
)
from bot.rules.check import Fault
from bot.rules.language import CROSSINGS, FUNCTIONS
from bot.rules.nodes import Node, Scalar, Source
from bot.rules.numbers import MIN_MEMBERS, OVER_SCOPE
from bot.rules.problems import Problem
from bot.rules.schema import Rule, Scope

UPWARD: Final = frozenset({">", ">="})
DOWNWARD: Final = frozenset({"<", "<="})

WITHOUT_HISTORY: Final = frozenset({"index", "basis", "funding", "funding_8h", "volume_24h", "liq_long", "liq_short"})
"""Series whose past the venue does not give out in the form that we need: their windows fill only while we watch."""
LIQUIDATIONS: Final = frozenset({"liq_long", "liq_short"})
LONG_WAIT_MS: Final = HOUR_MS
"""A window that fills within this time is not worth a word."""
_KNOWN_SHARE: Final = 0.8

_POSITIVE: Final = frozenset({"price", "index", "oi", "oi_usd", "long_short", "volume_24h", "volume", *LIQUIDATIONS})


def lint_conditions(rule: Rule, source: Source, nodes: Mapping[str, Node]) -> list[Problem]:
    """Warnings about `when`, `clear` and `value` of one sound rule."""
    problems = _clear(rule, source, nodes)
    for key, expr in (("when", rule.when), ("clear", rule.clear), ("value", rule.value)):
        node = nodes.get(key)
        if expr is None or not isinstance(node, Scalar):
            continue
        faults = [*_bounds_faults(expr, is_clear=key == "clear"), *_window_faults(expr), *few_faults(expr, rule.scope)]
        problems.extend(source.in_expression(node, fault) for fault in faults)
    return problems


def few_faults(expr: Expr, scope: Scope) -> Iterator[Fault]:
    """Functions over the scope, of a scope that is too small for them whatever the venue lists."""
    most = most_members(scope)
    if most >= MIN_MEMBERS:
        return
    for node in walk(expr):
        if isinstance(node, Call) and node.name in OVER_SCOPE:
            length = max(1, node.span.end - node.span.start)
            message = f'"{node.name}" needs {MIN_MEMBERS} contracts in scope; here are at most {most:.0f}, so it is never known'
            yield Fault(node.span.start, "W316", length, message, "widen the scope")


def most_members(scope: Scope) -> float:
    """How many contracts a scope names at most; infinite where nobody knows."""
    named = len(scope.symbols) if scope.symbols and not any(set(name) & set("*?[") for name in scope.symbols) else inf
    return min(named, inf if scope.top is None else scope.top)


def bounds(expr: Expr) -> tuple[float, float]:
    """Lowest and highest value that an expression can take; infinite where nothing is known."""
    match expr:
        case Number(value=value):
            return value, value
        case Series(name="taker_buy"):
            return 0.0, 1.0
        case Series(name=name):
            return (0.0 if name in _POSITIVE else -inf), inf
        case Neg(operand=operand):
            low, high = bounds(operand)
            return -high, -low
        case Call():
            return _call_bounds(expr)
        case _:
            return -inf, inf


def _call_bounds(call: Call) -> tuple[float, float]:
    match call.name:
        case "percentile":
            return 0.0, 100.0
        case "corr":
            return -1.0, 1.0
        case "rank":
            return 1.0, inf
        case "age" | "std" | "sum" | "ratio" | "count":
            return 0.0, inf
        case "pct":
            return (-1.0 if series_used(call) <= _POSITIVE else -inf), inf
        case "abs":
            low, high = bounds(call.args[0])
            return max(0.0, low, -high), max(abs(low), abs(high))
        case "avg" | "min" | "max" | "median":
            return bounds(call.args[0])
        case _:
            return -inf, inf


Verdict = Literal["always", "never"]
_OPPOSITE: Final[dict[Verdict | None, Verdict]] = {"always": "never", "never": "always"}


def _verdict(compare: Compare) -> Verdict | None:
    """What a comparison with a number comes to, if that is so whatever the market does."""
    if not isinstance(compare.right, Number) or isinstance(compare.left, Number):
        return None
    (low, high), limit = bounds(compare.left), compare.right.value
    if isinstance(compare.left, Call) and compare.left.name == "count" and compare.right.unit == "%":
        high = 1.0
    always, never = {
        ">": (low > limit, high <= limit),
        ">=": (low >= limit, high < limit),
        "<": (high < limit, low >= limit),
        "<=": (high <= limit, low > limit),
        "==": (low == high == limit, not low <= limit <= high),
        "!=": (not low <= limit <= high, low == high == limit),
    }[compare.op]
    return "always" if always else "never" if never else None


def decided(expr: Expr) -> Verdict | None:
    """What a condition comes to, if that is so whatever the market does."""
    match expr:
        case And(items=items) | Or(items=items):
            found = {decided(item) for item in items}
            one: Verdict = "never" if isinstance(expr, And) else "always"
            return one if one in found else _OPPOSITE[one] if found == {_OPPOSITE[one]} else None
        case Not(item=item):
            return _OPPOSITE.get(decided(item))
        case Compare(op=op, left=Number() as left, right=right):
            return _verdict(Compare(MIRROR[op], right, left))
        case Compare():
            return _verdict(expr)
        case _:
            return None


def _compares(expr: Expr) -> Iterator[Compare]:
    return (node for node in walk(expr) if isinstance(node, Compare))


def _bounds_faults(expr: Expr, *, is_clear: bool) -> Iterator[Fault]:
    for compare in _compares(expr):
        right = compare.right
        length = max(1, compare.span.end - compare.span.start)
        verdict = _verdict(compare)
        if verdict is not None and not (is_clear and compare is expr):
            low, high = (_bound_text(compare, bound) for bound in bounds(compare.left))
            reach = f"from {low} to {high}" if low and high else f"{low} or more" if low else f"at most {high}"
            message = f"this is {verdict} true: the left side is {reach}"
            yield Fault(compare.span.start, "W314", length, message)
        elif _is_percentile(compare.left) and isinstance(right, Number) and 0 < abs(right.value) < 1:
            meant = number_text(Number(round(right.value * 100, 9)))
            start, end = right.span.start, right.span.end
            yield Fault(
                start, "W314", max(1, end - start), "a percentile goes from 0 to 100, not to 1", f"write {meant}"
            )


def _is_percentile(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.name == "percentile"


def _bound_text(compare: Compare, bound: float) -> str:
    if bound in {inf, -inf}:
        return ""
    unit = compare.right.unit if isinstance(compare.right, Number) else ""
    return number_text(Number(bound + 0.0, unit))


# Ends


def _clear(rule: Rule, source: Source, nodes: Mapping[str, Node]) -> list[Problem]:
    when, clear, node = rule.when, rule.clear, nodes.get("clear")
    if clear is None or node is None or functions_used(when) & CROSSINGS:
        return []
    if functions_used(clear) & CROSSINGS:
        message = "a crossing is true for one moment; if data is missing then, the alert never ends"
        return [source.at(node, "W307", message, "compare with < or > instead")]
    if clear == when or (isinstance(clear, And) and when in clear.items):
        message = '"clear" is true only while "when" is, so the alert never ends'
        return [source.at(node, "W307", message)]
    if isinstance(clear, Compare) and (verdict := _verdict(clear)) is not None:
        end = "the alert never ends" if verdict == "never" else 'the alert ends as soon as "when" is false'
        return [source.at(node, "W307", f'"clear" is {verdict} true, so {end}')]
    if isinstance(when, Compare) and isinstance(clear, Compare) and when.left == clear.left:
        return _clear_beside(when, clear, source, node)
    return []


def _clear_beside(when: Compare, clear: Compare, source: Source, node: Node) -> list[Problem]:
    """Both compare the same thing: `when: x >= 5%` with `clear: x > 6%`, `clear: x > 2.5%` or `clear: x < 6%`."""
    up, down = when.op in UPWARD, when.op in DOWNWARD
    same = (up and clear.op in UPWARD) or (down and clear.op in DOWNWARD)
    limits = (when.right, clear.right)
    numbers = all(isinstance(limit, Number) for limit in limits)
    beyond = numbers and (limits[1].value > limits[0].value if up else limits[1].value < limits[0].value)  # type: ignore[union-attr]
    if same:
        opposite = "<" if up else ">"
        hint = f"an alert ends on the other side: write {opposite}"
        if beyond:
            message = '"clear" is true only where "when" is too, so the alert never ends'
            return [source.at(node, "W307", message, hint)]
        message = f'"clear" looks in the same direction as "when" ({clear.op})'
        return [source.at(node, "W304", message, hint)]
    opposite_way = (up and clear.op in DOWNWARD) or (down and clear.op in UPWARD)
    if opposite_way and beyond and isinstance(when.right, Number):
        limit = number_text(when.right)
        message = f'"clear" is true already while "when" is, so the alert ends at {limit} and this changes nothing'
        return [source.at(node, "W307", message, f"write a number {'below' if up else 'above'} {limit}")]
    return []


# Windows


def _window_faults(expr: Expr) -> Iterator[Fault]:
    inner: set[int] = set()
    for node in walk(expr):
        if not isinstance(node, Call) or not node.window_ms or id(node) in inner:
            continue
        inner.update(id(arg) for arg in node.args)
        span = node.args[-1].span
        length = max(1, span.end - span.start)
        names = series_used(node)
        if FUNCTIONS[node.name].parameters[0] == "flow" and "volume" in names and node.window_ms % MINUTE_MS:
            message = "volume comes in bars of one minute; this window is unknown part of the time"
            yield Fault(span.start, "W309", length, message, f"write {_whole_minutes(node.window_ms)}")
        if missing := sorted(names & WITHOUT_HISTORY):
            wait_ms = _fills_after_ms(node)
            if wait_ms > LONG_WAIT_MS:
                since = "each start and each break of their stream" if missing[0] in LIQUIDATIONS else "each start"
                message = f'there is no history of "{missing[0]}": this is unknown for {numbers.duration(wait_ms)} after {since}'
                yield Fault(span.start, "W308", length, message)


def _fills_after_ms(call: Call) -> int:
    """How long after a start a window is unknown when nothing of it can be fetched; whole minutes, rounded up."""
    match call:
        case Call(name="ratio"):
            wait_ms = DAY_MS
        case Call(name="pct" | "delta" | "sum"):
            wait_ms = call.window_ms
        case Call(args=(Call() as change, _)):
            wait_ms = change.window_ms + round(_KNOWN_SHARE * call.window_ms)
        case _:
            wait_ms = round(_KNOWN_SHARE * call.window_ms)
    return -(-wait_ms // MINUTE_MS) * MINUTE_MS


def _whole_minutes(window_ms: int) -> str:
    return duration_text(max(1, round(window_ms / MINUTE_MS)) * MINUTE_MS)
