"""What the windows hold of one instrument, for charts. Reads the market as of the last tick; changes nothing."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.engine.engine import Engine
from bot.market.gauges import NEVER_MS
from bot.market.series import DAY_MS, INDEX
from bot.model.charts import Columns, Curve
from bot.model.instrument import Instrument

CURVES: Final = ("price", "oi", "funding", "long_short")
ENOUGH: Final = 0.9
"""Share of the minutes of a stretch that must be known to do without the venue."""


@dataclass(frozen=True, slots=True)
class Held:
    """One instrument, as far as memory reaches: at most a day."""

    instrument: Instrument
    now_ms: int
    curves: dict[str, Curve]
    """By series; one that is not held is left out."""
    volume: Columns | None
    """Minutes; None where bars are not held."""


def known_share(curve: Curve | None, from_ms: int, to_ms: int, step_ms: int) -> float:
    """How much of a stretch a curve tells."""
    if curve is None:
        return 0.0
    n = sum(1 for t, _ in curve.known() if from_ms <= t <= to_ms)
    return n * step_ms / max(to_ms - from_ms, step_ms)


def held(engine: Engine, key: str, span_ms: int) -> Held | None:
    """None for an instrument that is not watched."""
    market = engine.market
    row = market.universe.row(key)
    instrument = None if row is None else market.universe.at(row)
    if row is None or instrument is None or row >= market.n_rows or engine.now_ms <= 0:
        return None
    span_ms = min(span_ms, DAY_MS)
    curves = {name: curve for name in CURVES if (curve := _curve(engine, row, name, span_ms)) is not None}
    return Held(instrument, engine.now_ms, curves, _volume(engine, row, span_ms))


def _curve(engine: Engine, row: int, series: str, span_ms: int) -> Curve | None:
    """The grid of minutes, and the newest sample where it speaks for now."""
    tier, gauge = engine.market.coarse, INDEX[series]
    if series not in tier.names or tier.newest is None:
        return None
    n = min(span_ms // tier.step_ms + 1, int(tier.slots[gauge]))
    first = engine.now_ms // tier.step_ms - n + 1
    values = tier.rows(gauge, first, n)[:, row].astype(np.float64).tolist()
    times = [(first + k) * tier.step_ms for k in range(n)]
    newest = engine.market.moment(engine.now_ms, copied=False).newest
    now, sample_ms = float(newest.now(engine.now_ms)[gauge, row]), int(newest.time_ms[gauge, row])
    if math.isfinite(now) and sample_ms > NEVER_MS:
        times.append(engine.now_ms)
        values.append(now)
    return Curve(tuple(times), tuple(values), gap_ms=5 * tier.step_ms // 2)


def _volume(engine: Engine, row: int, span_ms: int) -> Columns | None:
    volume = engine.market.volume
    if not volume.is_held or volume.newest is None or volume.n_slots * volume.step_ms < span_ms:
        return None
    n = span_ms // volume.step_ms
    numbers = np.arange(volume.newest - n + 1, volume.newest + 1)
    amounts, spans = (plane[numbers % volume.n_slots, row] for plane in volume.planes)
    if np.count_nonzero(spans) < ENOUGH * n:
        return None
    # A grid point is the close of its bar.
    opens = [(int(k) - 1) * volume.step_ms for k in numbers[spans > 0]]
    return Columns(tuple(opens), tuple(amounts[spans > 0].astype(np.float64).tolist()), volume.step_ms)
