"""What is odd about a rule as a whole, once each of its keys is sound: keys that contradict or do nothing.

Looks at one rule without data. Which symbols exist or how often they are polled is not known here.
"""

from collections.abc import Mapping as MappingOf

from bot.rules.ast import Number, first_comparison, functions_used, number_text
from bot.rules.check import measure_of
from bot.rules.language import CROSSINGS, Measure
from bot.rules.lint_conditions import lint_conditions
from bot.rules.literals import parse_number
from bot.rules.nodes import Mapping, Node, Scalar, Sequence, Source
from bot.rules.problems import Problem
from bot.rules.schema import Rule


def lint_rule(rule: Rule, source: Source, nodes: MappingOf[str, Node]) -> list[Problem]:
    """Problems of one sound rule; `nodes` are the values of the keys that its file gives."""
    return [
        *_crossing(rule, source, nodes),
        *_escalate(rule, source, nodes),
        *_value(rule, source, nodes),
        *_once(rule, source, nodes),
        *lint_conditions(rule, source, nodes),
        *_scope(rule, source, nodes),
    ]


def _crossing(rule: Rule, source: Source, nodes: MappingOf[str, Node]) -> list[Problem]:
    if not functions_used(rule.when) & CROSSINGS:
        return []
    problems = []
    if rule.for_ms:
        message = 'a crossing is an event; it cannot last, so "for" must be 0s'
        problems.append(source.at(nodes.get("for", nodes["when"]), "E213", message))
    problems.extend(
        source.at(nodes[key], "E116", f'a crossing is over at once, so it has no "{key}"')
        for key in ("clear", "repeat", "escalate")
        if key in nodes
    )
    if rule.inhibits:
        message = '"inhibits" does nothing here: a crossing is over at once'
        problems.append(source.at(nodes["inhibits"], "W305", message, "leave it out"))
    return problems


def _escalate(rule: Rule, source: Source, nodes: MappingOf[str, Node]) -> list[Problem]:
    node = nodes.get("escalate")
    if rule.escalate is None or not isinstance(node, Scalar) or functions_used(rule.when) & CROSSINGS:
        return []
    first = first_comparison(rule.when)
    shown = rule.value or (first.left if first else None)
    if shown is None:
        message = '"escalate" needs a measured value, and "when" compares nothing'
        return [source.at(node, "E116", message, 'add "value: ..."')]
    measure, number = measure_of(shown), parse_number(node.text)
    if number is None:
        return []
    if number.unit == "%" and measure not in {Measure.RATIO, Measure.COUNT, Measure.ANY}:
        message = (
            f'"escalate" is a step of the measured value, which is {measure.value}; a percentage does not go with it'
        )
        return [source.at(node, "E206", message)]
    if measure is Measure.DURATION:
        return [source.at(node, "E116", '"escalate" does not go with a duration')]
    if measure is Measure.RATIO and not number.unit and number.value >= 1:
        means, meant = number_text(Number(number.value, "%")), number_text(Number(number.value / 100, "%"))
        return [source.at(node, "W301", f"{number_text(number)} here means {means}", f"write {meant}")]
    return []


def _value(rule: Rule, source: Source, nodes: MappingOf[str, Node]) -> list[Problem]:
    """`escalate` counts from the threshold in `when`; the measured value has to be the thing that is compared there."""
    first = first_comparison(rule.when)
    at = nodes.get("escalate")
    if rule.escalate is None or first is None or at is None or functions_used(rule.when) & CROSSINGS:
        return []
    if rule.value is not None:
        shown, compared = measure_of(rule.value), measure_of(first.left)
        if shown is not compared:
            message = (
                f'"escalate" counts from the threshold in "when", which is {compared.value}; "value" is {shown.value}'
            )
            return [source.at(at, "W315", message)]
    number = parse_number(at.text) if isinstance(at, Scalar) else None
    limit = first.right
    if (
        number is not None
        and rule.value is None
        and measure_of(first.left) is Measure.COUNT
        and isinstance(limit, Number)
        and (limit.unit == "%") is not (number.unit == "%")
    ):
        wanted = "a share such as 5%" if limit.unit == "%" else "a number such as 5"
        return [source.at(at, "W315", f'the threshold is {number_text(limit)}; "escalate" is {wanted} too')]
    return []


def _once(rule: Rule, source: Source, nodes: MappingOf[str, Node]) -> list[Problem]:
    if rule.once and "cooldown" in nodes:
        return [source.at(nodes["cooldown"], "W305", '"cooldown" does nothing beside "once: true"', "leave it out")]
    return []


def _scope(rule: Rule, source: Source, nodes: MappingOf[str, Node]) -> list[Problem]:
    node = nodes.get("scope")
    if not isinstance(node, Mapping):
        return []
    problems = []
    by = node.get("by")
    if by is not None and rule.scope.top is None:
        problems.append(source.at(by, "W305", '"by" does nothing without "top"', "add top: 100"))
    symbols = node.get("symbols")
    items = symbols.items if isinstance(symbols, Sequence) else [symbols] if symbols is not None else []
    for item in items:
        name = item.text if isinstance(item, Scalar) else ""
        is_glob = any(char in name for char in "*?[")
        if name and name != name.upper():
            message = f'symbols are written in capitals; "{name[:40]}" matches nothing'
            problems.append(source.at(item, "W303", message, f"write {name[:40].upper()}"))
        elif name and not is_glob and not name.partition("_")[0].endswith(rule.scope.quotes):
            quotes = " or ".join(rule.scope.quotes)
            message = f'the scope takes contracts quoted in {quotes}; "{name[:40]}" is none'
            hint = "write the venue's symbol, such as BTCUSDT, or set quotes"
            problems.append(source.at(item, "W303", message, hint))
    return problems
