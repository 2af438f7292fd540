"""What the feeds should fetch, and how often: sizes, who matters, how fresh the rules want it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from bot.market.market import Market
from bot.market.series import DAY_MS, FLOWS, MINUTE_MS, Leaf
from bot.market.view import View
from bot.model.ports import PollNeed, PollPlan
from bot.model.updates import I64
from bot.rules.leaves import leaves_of
from bot.rules.numbers import Mask
from bot.rules.program import exprs_of
from bot.rules.schema import Rule

_OI = frozenset({"oi", "oi_usd"})
_PRICE = frozenset({"price", "oi_usd"})
_BARS = frozenset({"volume", "taker_buy"})
_NO_LIMIT = 1 << 60


def poll_needs(market: Market, view: View, members: Sequence[tuple[Rule, Mask]], watched: set[int]) -> list[PollNeed]:
    """One need for each instrument. `members`: rules whose scope is decided, with who is in it."""
    oi_usd = np.nan_to_num(view.latest("oi_usd")[0])
    volume = np.nan_to_num(view.latest("volume_24h")[0])
    limit = np.full(market.n_rows, _NO_LIMIT, dtype=np.int64)
    flow_ms = np.zeros(market.n_rows, dtype=np.int64)
    ratio_ms = np.zeros(market.n_rows, dtype=np.int64)
    price_ms = np.zeros(market.n_rows, dtype=np.int64)
    oi_ms = np.zeros(market.n_rows, dtype=np.int64)
    for rule, inside in members:
        leaves = leaves_of(exprs_of(rule))
        windows = [w.window_ms for w in leaves_of([rule.when]) if w.window_ms and {w.series, w.other} & _OI]
        if windows:
            limit[inside] = np.minimum(limit[inside], min(windows) // 3)
        _raise(flow_ms, inside, [_lookback_ms(w) for w in leaves if {w.series, w.other} & _BARS])
        _raise(price_ms, inside, [w.window_ms + w.inner_ms for w in leaves if {w.series, w.other} & _PRICE])
        _raise(oi_ms, inside, [w.window_ms + w.inner_ms for w in leaves if {w.series, w.other} & _OI])
        _raise(ratio_ms, inside, [_lookback_ms(w) for w in leaves if "long_short" in {w.series, w.other}])
    return [
        PollNeed(
            row=row,
            symbol=i.symbol,
            volume_24h=float(volume[row]),
            oi_usd=float(oi_usd[row]),
            max_interval_ms=int(limit[row]) if limit[row] < _NO_LIMIT else None,
            watched=row in watched,
            trading=i.is_trading,
            flow_window_ms=int(flow_ms[row]),
            price_window_ms=int(price_ms[row]),
            oi_window_ms=int(oi_ms[row]),
            long_short_window_ms=int(ratio_ms[row]),
        )
        for row, i in market.universe.items()
    ]


def _raise(column: I64, inside: Mask, lengths: Sequence[int]) -> None:
    if lengths:
        column[inside] = np.maximum(column[inside], max(lengths))


def _lookback_ms(leaf: Leaf) -> int:
    if leaf.function == "ratio" and leaf.series in FLOWS:
        return DAY_MS
    return max(leaf.window_ms + leaf.inner_ms, MINUTE_MS)


class WithPins:
    """The `PollPlan` port over another one: what people have pinned counts as watched too."""

    def __init__(
        self, plan: PollPlan, pinned: Callable[[], Collection[str]], *, row_of: Callable[[str], int | None]
    ) -> None:
        """`pinned`: keys of instruments; those that are not tracked, for which `row_of` is None, do nothing."""
        self._plan = plan
        self._pinned = pinned
        self._row_of = row_of

    def needs(self) -> Sequence[PollNeed]:
        pinned = {self._row_of(key) for key in self._pinned()}
        needs = self._plan.needs()
        return [replace(n, watched=True) if n.row in pinned and not n.watched else n for n in needs]
