"""What memory does not hold of a contract's last day, as its venue tells it: for running a condition over it.

Costs one call for each series, at most 20 units of weight a contract, inside the budget that everything shares.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

import numpy as np

from bot.engine.past import Past, parts_of
from bot.model.chart_ports import VenuePast
from bot.model.charts import DAY_MS, HOUR_MS, MINUTE_MS, Columns, Curve
from bot.model.instrument import Instrument
from bot.model.updates import F64, I64

SHORT_MS: Final = 12 * HOUR_MS
"""What memory holds of less than that is completed."""
_STEPS_MS: Final = {"price": MINUTE_MS, "oi": 5 * MINUTE_MS, "volume": MINUTE_MS, "long_short": 5 * MINUTE_MS}
"""As finely as the venue tells them; each is known for a day."""


async def completed(
    past: Past | None, venue: VenuePast, instrument: Instrument, series: Iterable[str], now_ms: int
) -> Past | None:
    """The past of memory, or the venue's where that reaches further back."""
    parts = parts_of(series)
    is_enough = past is not None and now_ms - past.start_ms >= SHORT_MS
    if is_enough or not parts <= _STEPS_MS.keys():
        return past
    async with asyncio.TaskGroup() as group:
        asked = {name: group.create_task(_samples(venue, instrument.symbol, name, now_ms)) for name in sorted(parts)}
    found = {name: samples for name, task in asked.items() if (samples := task.result()) is not None}
    if found.keys() != asked.keys():
        return past
    start_ms = max(int(times[0]) for times, _ in found.values())
    if past is not None and past.start_ms <= start_ms:
        return past
    return Past(instrument, found, start_ms, now_ms, _STEPS_MS["oi"])


async def _samples(venue: VenuePast, symbol: str, name: str, now_ms: int) -> tuple[I64, F64] | None:
    """Times in ms, ascending, and values; of traded volume the closes of its bars. None where there are none."""
    step_ms = _STEPS_MS[name]
    n = DAY_MS // step_ms
    found: Curve | Columns | None
    if name == "volume":
        found = await venue.volume(symbol, step_ms=step_ms, n=n, urgent=True)
        pairs = [] if found is None else [(t + step_ms, v) for t, v in zip(found.open_ms, found.amount, strict=True)]
    else:
        found = await venue.curve(symbol, name, step_ms=step_ms, n=n, urgent=True)
        pairs = [] if found is None else list(found.known())
    known = sorted((t, v) for t, v in pairs if t <= now_ms and np.isfinite(v))
    if not known:
        return None
    times, values = zip(*known, strict=True)
    return np.array(times, dtype=np.int64), np.array(values, dtype=np.float64)
