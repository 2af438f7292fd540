"""Number expressions over a block of bars, for all closes and instruments at once; NaN is unknown.

What `Numbers` says at one tick, for T of them: shapes are (T, N), (T, 1) for one number for the whole scope, or (1, 1).
"""

from dataclasses import dataclass

import numpy as np

from bot.market.bar_market import BarMarket
from bot.market.series import Leaf
from bot.model.updates import F64, Mask
from bot.rules.numbers import MIN_KNOWN_SHARE, MIN_MEMBERS, NumberWalk


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Who is in a scope at each tick."""

    inside: Mask
    """Shape (T, N)."""
    is_known: Mask
    """Shape (T,); False while the scope is warming up."""


class BarNumbers(NumberWalk[Members]):
    """All number expressions of one block."""

    def __init__(self, market: BarMarket) -> None:
        super().__init__()
        self._market = market

    def _leaf(self, leaf: Leaf) -> F64:
        return self._market.value(leaf)

    def _literal(self, value: float) -> F64:
        return np.array([[value]])

    def _age(self, series: str) -> F64:
        return self._market.age(series)

    def _over(self, name: str, values: F64, scope: Members) -> F64:
        return over_scope(name, np.broadcast_to(values, scope.inside.shape), scope)


def over_scope(name: str, values: F64, scope: Members) -> F64:
    """`median`, `total` or `rank` of the known members at each tick, unknown where too few are known."""
    known = scope.inside & np.isfinite(values)
    n = known.sum(axis=1)
    needed = np.maximum(MIN_MEMBERS, MIN_KNOWN_SHARE * scope.inside.sum(axis=1))
    answered = scope.is_known & (n >= needed)
    if name == "rank":
        return np.where(answered[:, None] & np.isfinite(values), _rank(values, known), np.nan)
    if name == "total":
        found = np.where(known, values, 0.0).sum(axis=1)
    else:
        ordered = np.sort(np.where(known, values, np.nan), axis=1)
        middle = np.maximum(n - 1, 0) // 2, n // 2
        low, high = (np.take_along_axis(ordered, np.minimum(m, values.shape[1] - 1)[:, None], axis=1) for m in middle)
        found = ((low + high) / 2)[:, 0]
    return np.where(answered, found, np.nan)[:, None]


def _rank(values: F64, known: Mask) -> F64:
    """One more than the number of known members above; of an outsider the place that it would have."""
    order = np.argsort(-values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    before = np.zeros(values.shape, dtype=np.int64)
    np.cumsum(np.take_along_axis(known, order, axis=1)[:, :-1], axis=1, out=before[:, 1:])
    # Equals share the place of the first of them.
    is_first = np.ones(values.shape, dtype=np.bool_)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(is_first, np.arange(values.shape[1]), 0), axis=1)
    place = np.empty(values.shape)
    np.put_along_axis(place, order, np.take_along_axis(before, first, axis=1) + 1.0, axis=1)
    return place
