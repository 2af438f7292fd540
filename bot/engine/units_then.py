"""In what unit the figures of firings are that are over: each is of the measure that its alert followed then."""

from collections.abc import Sequence

from bot.engine.tick_values import TickValues, unit_of
from bot.model.explanation import Unit, UnitsThen
from bot.rules.ast import And, Compare, Expr, comparisons
from bot.rules.meter import Measured, Option
from bot.rules.schema import Rule


def unit_of_option(option: Option) -> Unit:
    """A number that is compared with a percentage is one."""
    unit = unit_of(option.expr)
    return "ratio" if option.is_ratio and unit == "number" else unit


def unit_of_measured(seen: TickValues, rule: Rule, measured: Measured) -> Unit:
    """Of what a rule measures now."""
    options = seen.engine.plan.meters[rule.id].options
    return unit_of_option(options[measured.option]) if measured.option >= 0 else "number"


def units_then(seen: TickValues, rule: Rule, row: int | None) -> UnitsThen:
    """Of the firing that its alert on an instrument had last, and of any other."""
    options = seen.engine.plan.meters[rule.id].options
    leading = _leading(rule.when)
    may = {unit_of_option(one) for one in options if one.comparison is None or one.comparison in leading}
    any_other = next(iter(may)) if len(may) == 1 else None
    book = seen.engine.book(rule.id)
    followed = None if book is None else book.option(0 if rule.per == "market" or row is None else row)
    if followed is None or not 0 <= followed < len(options):
        return UnitsThen(any_other, any_other)
    return UnitsThen(unit_of_option(options[followed]), any_other)


def _leading(when: Expr) -> Sequence[Compare]:
    """Which comparisons may be the first that is true where the condition is."""
    if isinstance(when, And):
        return next((found for item in when.items if (found := _leading(item))), ())
    return comparisons(when)
