"""From expressions to leaves: which functions over which windows a rule set asks of the market."""

from collections.abc import Iterable, Iterator
from typing import Final

from bot.market.series import Leaf
from bot.rules.ast import Call, Expr, Number, Series, children

_OVER_CHANGES: Final = frozenset({"zscore", "percentile"})
_ABOUT_DATA: Final = frozenset({"age", "stale"})


def leaf_of(expr: Expr) -> Leaf | None:
    """The leaf that an expression is; None for one that is made of others."""
    match expr:
        case Series(name=name):
            return Leaf("now", name)
        case Call(name="corr", args=(Series(name=first), Series(name=second), Number())):
            return Leaf("corr", first, expr.window_ms, other=second)
        case Call(name=name, args=(Call(name="pct", args=(Series(name=series), Number())) as inner, Number())) if (
            name in _OVER_CHANGES
        ):
            return Leaf(name, series, expr.window_ms, inner_ms=inner.window_ms)
        case Call(name=name, args=(Series(name=series), Number(unit="duration"))):
            return Leaf(name, series, expr.window_ms)
        case _:
            return None


def leaves_of(exprs: Iterable[Expr]) -> frozenset[Leaf]:
    """All leaves anywhere in some expressions, but not what stands inside another leaf, `age` or `stale`."""
    return frozenset(leaf for expr in exprs for leaf in _leaves(expr))


def _leaves(expr: Expr) -> Iterator[Leaf]:
    leaf = leaf_of(expr)
    if leaf is not None:
        yield leaf
    elif not (isinstance(expr, Call) and expr.name in _ABOUT_DATA):
        for part in children(expr):
            yield from _leaves(part)
