"""How unusual a move is for an instrument: against the moves of the same length over the day before it.

Read from the rings that every run holds, for the few instruments that are asked about; on the scale of a day a point
every five minutes says the same as one every minute.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from bot.market.series import DAY_MS, FIVE_MINUTES_MS, INDEX
from bot.market.sums import KNOWN_SHARE
from bot.model.updates import F64

if TYPE_CHECKING:
    from bot.market.market import Market

MIN_SPAN_MS: Final = DAY_MS // 2
"""Of a shorter past nothing is said; so of windows longer than this neither."""


def smaller_share(
    market: "Market", series: str, window_ms: int, now_ms: int, rows: "npt.NDArray[np.intp]", change: F64
) -> F64:
    """Share (0 to 1) of the changes over `window_ms` in the last day that were smaller than `change` in size, ties half.

    `rows` and `change` have the shape (k,), as the result; NaN where 80 % of that past is not known.
    """
    tier = market.coarse
    lag = window_ms // tier.step_ms
    stride = max(1, FIVE_MINUTES_MS // tier.step_ms)
    n = (DAY_MS - window_ms) // (stride * tier.step_ms)
    unknown: F64 = np.full(len(rows), np.nan)
    if lag < 1 or n * stride * tier.step_ms < MIN_SPAN_MS or not tier.holds(series, DAY_MS) or tier.newest is None:
        return unknown
    gauge = INDEX[series]
    last = now_ms // tier.step_ms
    numbers = last - stride * np.arange(1, n + 1)
    base, slots = tier.base[gauge], tier.slots[gauge]
    inside = (numbers <= tier.newest) & (numbers - lag > tier.newest - slots)
    numbers = numbers[inside]
    if not len(numbers):
        return unknown
    now = tier.value[np.ix_(base + numbers % slots, rows)]
    then = tier.value[np.ix_(base + (numbers - lag) % slots, rows)]
    with np.errstate(divide="ignore", invalid="ignore"):
        past = np.abs(now / then - 1.0)
        size = np.abs(change)
        smaller = np.count_nonzero(past < size, axis=0) + 0.5 * np.count_nonzero(past == size, axis=0)
    n_known = np.count_nonzero(np.isfinite(past), axis=0)
    known = (n_known >= KNOWN_SHARE * n) & np.isfinite(change)
    return np.where(known, smaller / np.maximum(n_known, 1), np.nan)
