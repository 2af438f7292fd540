"""Numbers as of the last tick, for whoever asks."""

import numpy as np

from bot.alerts.seen import Ticks
from bot.engine.lookback import Lookback
from bot.market.market import Market
from bot.market.series import Leaf
from bot.market.validity import DEFAULT_OI_INTERVAL_MS
from bot.market.view import View
from bot.model.updates import F64
from bot.rules.ast import Expr, walk
from bot.rules.leaves import leaf_of
from bot.rules.numbers import Mask, Numbers, Scoped, is_over_scope
from bot.rules.plan import PlanResult
from bot.rules.program import EVERYWHERE
from bot.rules.scope import matches


def ticks_of(market: Market, view: View) -> Ticks:
    """What all rules share at the ticks of a view."""
    oi_ms = view.sample_ms("oi")
    interval = np.where(market.oi_interval_ms > 0, market.oi_interval_ms, DEFAULT_OI_INTERVAL_MS)
    return Ticks(view.now_ms, oi_ms, np.broadcast_to(interval, oi_ms.shape))


def values_of(expr: Expr, market: Market, now_ms: int, last: PlanResult | None, *, at_hand: bool = False) -> F64:
    """A number over all instruments: what the tick computed where it did, else read from the rings. Shape (n_rows,).

    `at_hand`: from the coarse grid where that alone reaches so far back, see `View.at_hand`.
    """
    view = View(market, [market.moment(now_ms, copied=False)])
    everyone = Scoped(_everywhere(market, expr), ~market.is_trading, is_known=True)
    rows = market.windows.row_of
    ticked = None if last is None else last.evaluation.values
    if ticked is not None and ticked.shape[2] != market.n_rows:
        ticked = None

    def leaf_value(leaf: Leaf) -> F64:
        found: F64 = ticked[rows[leaf], -1] if ticked is not None and leaf in rows else view.leaf(leaf)[0]
        if at_hand and np.isnan(found).any():
            return np.where(np.isfinite(found), found, view.at_hand(leaf)[0])
        return found

    return np.broadcast_to(Numbers(view, leaf_value).value(expr, everyone), market.n_rows)


def _everywhere(market: Market, expr: Expr) -> Mask:
    """Among whom the alerts of chats are placed; all listed where that makes no difference."""
    inside = market.is_listed
    if is_over_scope(expr):
        for row, instrument in market.universe.items():
            inside[row] = matches(EVERYWHERE, instrument)
    return inside


def why_unknown(expr: Expr, market: Market, now_ms: int, row: int) -> str:
    """Why a number is unknown for one instrument, in words; empty where all that it is made of is known."""
    view = View(market, [market.moment(now_ms, copied=False)])
    lookback = Lookback(market, view)
    for node in walk(expr):
        leaf = leaf_of(node)
        if leaf is not None and leaf.function != "age" and not np.isfinite(view.at_hand(leaf)[0, row]):
            return lookback.why(leaf, row)
    return ""
