"""Tops and bottoms of the shipped rules the slow way, bar by bar, and a market that has some."""

import math

import numpy as np

MINUTE_MS = 60_000
DAY_MS = 86_400_000
DAY = 1_440
COOLDOWN = 240
KNOWN = math.ceil(0.8 * DAY)


def market(n_days, seed):
    """Closes of minutes, and open interest of every fifth; both wander."""
    rnd = np.random.default_rng(seed)
    n = n_days * DAY
    close = np.round(100 * np.exp(np.cumsum(rnd.normal(0, 0.0006, n))), 4)
    return close, np.round(1e6 * np.exp(np.cumsum(rnd.normal(0, 0.0022, n // 5))), 3)


def turns_of(close, oi, start_ms):
    """`{(day, is_top): (at_ms, after a day, after a week)}` of bars that close from a minute after `start_ms` on.

    `oi[k]` is taken at the close of minute `5 * (k + 1)` and speaks for seven and a half.
    """
    n = len(close)
    held = np.full(n, np.nan)
    for k, value in enumerate(oi):
        held[5 * k + 4 : 5 * k + 4 + 8] = value
    found = {}
    for is_top in (True, False):
        is_firing, ended = False, -COOLDOWN
        for i in range(KNOWN + 3, n):
            price, window = close[i], close[max(0, i - DAY + 1) : i + 1]
            most = np.nanmax(held[max(0, i - DAY + 1) : i + 1])
            high, low = window.max(), window.min()
            when = (price >= high if is_top else price <= low) and held[i] <= 0.97 * most
            clear = (price < 0.99 * high if is_top else price > 1.01 * low) or held[i] > 0.985 * most
            if is_firing and clear and not when:
                is_firing, ended = False, i
            elif not is_firing and when and i - ended >= COOLDOWN:
                is_firing = True
                at_ms = start_ms + (i + 1) * MINUTE_MS
                later = [close[i + d * DAY] / price - 1 if i + d * DAY < n else None for d in (1, 7)]
                found.setdefault(((at_ms - 1) // DAY_MS, is_top), (at_ms, *later))
    return found
