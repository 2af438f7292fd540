"""Numbers as of the last tick, for whoever asks."""

import numpy as np

from bot.alerts.seen import Ticks
from bot.market.market import DEFAULT_OI_INTERVAL_MS, Market
from bot.market.series import Leaf
from bot.market.view import View
from bot.model.updates import F64
from bot.rules.ast import Expr
from bot.rules.numbers import Numbers, Scoped
from bot.rules.plan import PlanResult


def ticks_of(market: Market, view: View) -> Ticks:
    """What all rules share at the ticks of a view."""
    oi_ms = view.sample_ms("oi")
    interval = np.where(market.oi_interval_ms > 0, market.oi_interval_ms, DEFAULT_OI_INTERVAL_MS)
    return Ticks(view.now_ms, oi_ms, np.broadcast_to(interval, oi_ms.shape))


def values_of(expr: Expr, market: Market, now_ms: int, last: PlanResult | None) -> F64:
    """A number over all instruments: what the tick computed where it did, else read from the rings. Shape (n_rows,)."""
    view = View(market, [market.moment(now_ms, copied=False)])
    everyone = Scoped(market.is_listed, ~market.is_trading, is_known=True)
    rows = market.windows.row_of
    ticked = None if last is None else last.evaluation.values
    if ticked is not None and ticked.shape[2] != market.n_rows:
        ticked = None

    def leaf_value(leaf: Leaf) -> F64:
        found: F64 = view.leaf(leaf)[0] if ticked is None or leaf not in rows else ticked[rows[leaf], -1]
        return found

    return np.broadcast_to(Numbers(view, leaf_value).value(expr, everyone), market.n_rows)
