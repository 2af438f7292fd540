"""The charts of the guide: `python -m tests.support.gallery docs/charts`. Simulated markets, seeded, so they stay the same."""

import math
import random
import sys
from pathlib import Path

from bot.charts import drawing, figure
from bot.model.charts import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    AlertMark,
    ChartData,
    Columns,
    Curve,
    Level,
    LongView,
    Turn,
    Usual,
)

END_MS = 1_770_129_060_000
"""3 February 2026, 14:31 UTC."""


def walk(rnd, n, start, step, drift=lambda _: 0.0, pull=0.0):
    found, level = [], start
    for k in range(n):
        level *= 1 + rnd.gauss(0, step) + drift(k) + pull * (start / level - 1)
        found.append(level)
    return found


def curve(values, step_ms, *, holes=(), end_ms=END_MS):
    """`holes`: fractions of the span, from and to."""
    n = len(values)
    kept = [k for k in range(n) if not any(a * n <= k < b * n for a, b in holes)]
    first_ms = end_ms - (n - 1) * step_ms
    return Curve(tuple(first_ms + k * step_ms for k in kept), tuple(values[k] for k in kept), int(2.5 * step_ms))


def bars(rnd, n, step_ms, usual, loud=lambda _: 1.0, *, end_ms=END_MS):
    first_ms = end_ms // step_ms * step_ms - (n - 1) * step_ms
    amounts = tuple(usual * rnd.lognormvariate(0, 0.45) * loud(k) for k in range(n))
    return Columns(tuple(first_ms + k * step_ms for k in range(n)), amounts, step_ms)


def alert() -> ChartData:
    rnd = random.Random(4)
    n = 241
    price = curve(walk(rnd, n, 92_800, 0.0006, lambda k: 0.0006 if k > n - 16 else 0), MINUTE_MS)
    oi = curve(walk(rnd, n, 88_300, 0.0006, lambda k: 0.0038 if k > n - 16 else 0, pull=0.02), MINUTE_MS)
    volume = bars(rnd, 49, 5 * MINUTE_MS, 38e6, lambda k: 3.2 if k > 44 else 1)
    line = Level("oi", oi.value[-17] * 1.05, "+5% in 15m")
    mark = AlertMark("OI surge", "warning", END_MS, 15 * MINUTE_MS, (line,))
    return ChartData("BTCUSDT", "binance", "BTC", "USDT", END_MS - 4 * HOUR_MS, END_MS, price, oi, volume, alert=mark)


def gap() -> ChartData:
    rnd = random.Random(12)
    n = 1_441
    price = curve(walk(rnd, n, 0.0312, 0.0021), MINUTE_MS)
    oi = curve(walk(rnd, n, 61.5e6, 0.0012, pull=0.01), MINUTE_MS, holes=((0.42, 0.6), (0.965, 1.0)))
    volume = bars(rnd, 49, 30 * MINUTE_MS, 240e3)
    name = "我踏马来了"
    return ChartData(f"{name}USDT", "binance", name, "USDT", END_MS - DAY_MS, END_MS, price, oi, volume)


def panels() -> ChartData:
    rnd = random.Random(23)
    n = 337
    price = curve(walk(rnd, n, 3_140, 0.0042), 30 * MINUTE_MS)
    oi = curve(walk(rnd, n, 2.21e6, 0.0031), 30 * MINUTE_MS)
    ratio = curve(walk(rnd, n, 1.84, 0.006, pull=0.03), 30 * MINUTE_MS)
    funding_end = END_MS // (8 * HOUR_MS) * 8 * HOUR_MS
    rates = tuple(0.00008 + 0.00011 * math.sin(k / 3.1) + rnd.gauss(0, 0.00002) for k in range(22))
    funding = Curve(tuple(funding_end - (21 - k) * 8 * HOUR_MS for k in range(22)), rates, 9 * HOUR_MS)
    volume = bars(rnd, 43, 4 * HOUR_MS, 1.1e9)
    return ChartData(
        "ETHUSDT", "binance", "ETH", "USDT", END_MS - 7 * DAY_MS, END_MS, price, oi, volume, funding, ratio
    )


def history() -> ChartData:
    """A season by days: the venue tells open interest of the last thirty."""
    rnd = random.Random(31)
    price = curve(walk(rnd, 91, 118, 0.028), DAY_MS)
    oi = curve(walk(rnd, 30, 9.4e6, 0.024), DAY_MS)
    volume = bars(rnd, 91, DAY_MS, 3.1e9, lambda k: 1 + k / 120)
    return ChartData("SOLUSDT", "binance", "SOL", "USDT", END_MS - 90 * DAY_MS, END_MS, price, oi, volume)


def long_view() -> ChartData:
    """A year by days, with tops and bottoms as a rule might have found them."""
    rnd = random.Random(77)
    n = 366
    price = curve(walk(rnd, n, 61, 0.026, lambda k: 0.004 if k < 140 else -0.0035 if k > 210 else 0), DAY_MS)
    oi = curve(walk(rnd, n - 96, 7.4e6, 0.022, lambda k: 0.002 if k < 60 else 0, pull=0.01), DAY_MS)
    volume = bars(rnd, 53, 7 * DAY_MS, 16e9, lambda k: 1 + (k % 17) / 9)
    turns = tuple(found for k in range(100, n, 3) if (found := _turn(price, oi, k - 96, k, n)) is not None)

    def mean(is_top, name):
        known = [v for turn in turns if turn.is_top is is_top and (v := getattr(turn, name)) is not None]
        return len(known), sum(known) / len(known)

    tops, bottoms = (Usual(*mean(top, "after_day"), *mean(top, "after_week")) for top in (True, False))
    later = [[price.value[k + days] / price.value[k] - 1 for k in range(96, n - days)] for days in (1, 7)]
    every = Usual(*(x for moves in later for x in (len(moves), sum(moves) / len(moves))))
    view = LongView(oi.time_ms[0], turns, tops, bottoms, every)
    begin_ms = END_MS - 365 * DAY_MS
    return ChartData("SOLUSDT", "binance", "SOL", "USDT", begin_ms, END_MS, price, oi, volume, long_view=view)


def _turn(price, oi, in_oi, k, n):
    """Where the price is at the end of its week and open interest is not."""
    week, held = price.value[k - 6 : k + 1], oi.value[in_oi - 6 : in_oi + 1]
    is_top = price.value[k] == max(week)
    if len(held) < 7 or not (is_top or price.value[k] == min(week)) or oi.value[in_oi] > 0.97 * max(held):
        return None
    day, seven = (price.value[k + d] / price.value[k] - 1 if k + d < n else None for d in (1, 7))
    return Turn(price.time_ms[k], is_top, price.value[k], day, seven)


def flush() -> ChartData:
    rnd = random.Random(8)
    n = 61
    price = curve(walk(rnd, n, 0.0089431, 0.0007, lambda k: -0.0086 if k > n - 6 else 0), MINUTE_MS)
    oi = curve(walk(rnd, n, 48.2e9, 0.0008, lambda k: -0.013 if k > n - 5 else 0), MINUTE_MS)
    volume = bars(rnd, 61, MINUTE_MS, 1.9e6, lambda k: 7 if k > 55 else 1)
    lines = (
        Level("oi", oi.value[-6] * 0.96, "−4% in 5m"),
        Level("price", price.value[-6] * 0.97, "−3% in 5m"),
    )
    mark = AlertMark("Liquidation-like <b>$x^2$", "critical", END_MS, 5 * MINUTE_MS, lines)
    return ChartData(
        *("1000PEPEUSDT", "binance", "1000PEPE", "USDT", END_MS - HOUR_MS, END_MS, price, oi, volume),
        zone="Europe/Berlin",
        alert=mark,
    )


CHARTS = {"alert": alert, "flush": flush, "gap": gap, "history": history, "long": long_view, "panels": panels}


def main(folder: Path) -> None:
    figure.prepare()
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in CHARTS.items():
        picture = drawing.png_of(data())
        (folder / f"{name}.png").write_bytes(picture.png)
        print(f"{name:10} {picture.width_px} x {picture.height_px}, {len(picture.png) / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
