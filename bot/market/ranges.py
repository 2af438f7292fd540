"""The usual range of an instrument over a window: the mean true range of the last windows.

From the prices of whole minutes: what happened within a minute is not seen, so it is a little too small for short windows.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from bot.market.series import INDEX, MINUTE_MS
from bot.model.updates import F64

if TYPE_CHECKING:
    from bot.market.market import Market

N_RANGES: Final = 14
MIN_RANGES: Final = 5
KNOWN_SHARE: Final = 0.8
MIN_WINDOW_MS: Final = 5 * MINUTE_MS


def usual_ranges(market: "Market", window_ms: int, now_ms: int, rows: "npt.NDArray[np.intp]", price: F64) -> F64:
    """In units of the price, NaN where too little is known. `rows`, `price` (of now) and the result have the shape (k,).

    Of a window below five minutes it is that of five minutes.
    """
    window_ms = max(window_ms, MIN_WINDOW_MS)
    tier = market.coarse
    n = min(window_ms * N_RANGES // tier.step_ms, int(tier.slots[INDEX["price"]]) - 1)
    numbers = np.arange(now_ms // tier.step_ms - n + 1, now_ms // tier.step_ms + 1)
    base, slots = int(tier.base[INDEX["price"]]), int(tier.slots[INDEX["price"]])
    points = tier.value[np.ix_(base + numbers % slots, rows)].astype(np.float64)
    newest = -1 if tier.newest is None else tier.newest
    points[(numbers <= newest - slots) | (numbers > newest)] = np.nan
    points[-1] = price
    per_point = tier.step_ms // MINUTE_MS
    if per_point > 1:
        points = np.repeat(points, per_point, axis=0)
    return mean_true_range(points, window_ms // MINUTE_MS)


def mean_true_range(points: F64, per_window: int) -> F64:
    """Of the prices of whole minutes, oldest first and now last; NaN is unknown. Shapes (n, k) and (k,)."""
    n, k = points.shape
    n_windows = min(N_RANGES, n // per_window)
    if n_windows < MIN_RANGES:
        return np.full(k, np.nan)
    finite = np.isfinite(points)
    begun = np.where(finite.any(axis=0), finite.argmax(axis=0), n)
    n_own = np.minimum(N_RANGES, (n - begun) // per_window)
    used = points[-n_windows * per_window :].reshape(n_windows, per_window, k)
    seen = finite[-n_windows * per_window :].reshape(n_windows, per_window, k)
    inside = np.arange(n_windows)[:, None] >= n_windows - n_own
    known = inside & (seen.sum(axis=1) >= KNOWN_SHARE * per_window)
    high, low = np.where(seen, used, -np.inf).max(axis=1), np.where(seen, used, np.inf).min(axis=1)
    end = per_window - 1 - seen[:, ::-1].argmax(axis=1)
    ends = np.take_along_axis(used, end[:, None, :], axis=1)[:, 0]
    total, before = np.zeros(k), np.full(k, np.nan)
    for i in range(n_windows):
        top, bottom = np.fmax(high[i], before), np.fmin(low[i], before)
        total += np.where(known[i], top - bottom, 0.0)
        before = np.where(known[i], ends[i], before)
    n_known = known.sum(axis=0)
    enough = (n_own >= MIN_RANGES) & (n_known >= np.maximum(MIN_RANGES, KNOWN_SHARE * n_own))
    return np.where(enough, total / np.maximum(n_known, 1), np.nan)
