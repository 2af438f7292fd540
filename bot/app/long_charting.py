"""Charts by days: the stored history, completed by the venue where it does not reach, and by the present from memory."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from bot.engine.charting import Held
from bot.model.chart_ports import VenuePast
from bot.model.charts import DAY_MS, Columns, Curve, LongView
from bot.model.past import DailyPast, Day, PastDesk

BY_DAYS_FROM_MS: Final = 40 * DAY_MS
"""A longer chart is by days."""
EVER_MS: Final = 5 * 365 * DAY_MS
"""Asked for the most, a chart begins with the stored open interest; it never spans more."""
USUAL_MS: Final = 365 * DAY_MS
"""Asked for the most where no open interest is stored."""
GAP_MS: Final = 5 * DAY_MS // 2
MAX_DAILY_BARS_MS: Final = 130 * DAY_MS
VENUE_DAYS: Final = 1_000
VENUE_OI_DAYS: Final = 30


class ByDays:
    """What a chart by days is made of."""

    def __init__(self, past: VenuePast, desk: PastDesk) -> None:
        self._past = past
        self._desk = desk

    async def gather(self, own: Held, span_ms: int, *, urgent: bool) -> tuple[int, dict[str, Curve], Columns, LongView]:
        """Where the chart begins, price and open interest, volume, and what else there is to say."""
        to_ms, symbol = own.now_ms, own.instrument.symbol
        from_ms = to_ms - min(span_ms, EVER_MS)
        n = min(-(-(to_ms - from_ms) // DAY_MS) + 2, VENUE_DAYS)
        async with asyncio.TaskGroup() as group:
            stored = group.create_task(self._desk.daily(own.instrument.key, from_ms, to_ms), name="chart history")
            price = group.create_task(
                self._past.curve(symbol, "price", step_ms=DAY_MS, n=n, urgent=urgent), name="chart price"
            )
            oi = group.create_task(
                self._past.curve(symbol, "oi", step_ms=DAY_MS, n=min(n, VENUE_OI_DAYS), urgent=urgent), name="chart oi"
            )
            volume = group.create_task(
                self._past.volume(symbol, step_ms=DAY_MS, n=n, urgent=urgent), name="chart volume"
            )
        found = stored.result()
        daily = DailyPast(view=LongView(None, trouble=found)) if isinstance(found, str) else found
        curves = {
            name: curve_of(daily.days, name, asked.result(), own.curves.get(name), to_ms)
            for name, asked in (("price", price), ("oi", oi))
        }
        begin_ms = _begin(curves, daily, from_ms, to_ms, is_ever=span_ms >= EVER_MS)
        return begin_ms, curves, volume_of(daily.days, volume.result(), to_ms, begin_ms), daily.view


def _begin(curves: Mapping[str, Curve], daily: DailyPast, from_ms: int, to_ms: int, *, is_ever: bool) -> int:
    """Not before anything is known."""
    if is_ever:
        stored = daily.view.oi_from_ms
        from_ms = to_ms - USUAL_MS if stored is None else stored - DAY_MS
    first = min((curve.time_ms[0] for curve in curves.values() if curve.time_ms), default=from_ms)
    return max(from_ms, first - DAY_MS)


def curve_of(days: Sequence[Day], name: str, venue: Curve | None, memory: Curve | None, to_ms: int) -> Curve:
    """One point for each day: as it is stored, else as the venue has it; the last one is of now."""
    found: dict[int, tuple[int, float]] = {}
    for t, value in venue.known() if venue is not None else ():
        if t <= to_ms:
            found[(t - 1) // DAY_MS] = t, value
    for day in days:
        stored = day.price if name == "price" else day.oi
        if stored is not None and day.close_ms <= to_ms:
            number = (day.close_ms - 1) // DAY_MS
            # Of a day that was not seen to its end the venue may know more.
            if number not in found or day.close_ms >= found[number][0]:
                found[number] = day.close_ms, stored
    if memory is not None and (known := memory.known()):
        found[(known[-1][0] - 1) // DAY_MS] = known[-1]
    points = [found[number] for number in sorted(found)]
    return Curve(tuple(t for t, _ in points), tuple(v for _, v in points), GAP_MS)


def volume_of(days: Sequence[Day], venue: Columns | None, to_ms: int, from_ms: int) -> Columns:
    """Of whole days as stored, else as the venue has it; of weeks where days would be too thin to see."""
    found = (
        {t // DAY_MS: amount for t, amount in zip(venue.open_ms, venue.amount, strict=True)}
        if venue is not None
        else {}
    )
    for day in days:
        if day.volume is not None:
            number = (day.close_ms - 1) // DAY_MS
            is_over = day.close_ms == (number + 1) * DAY_MS
            found[number] = day.volume if is_over or number not in found else found[number]
    n = 1 if to_ms - from_ms <= MAX_DAILY_BARS_MS else 7
    # Weeks that end today: the last bar is then as wide as the others.
    last = to_ms // DAY_MS
    bars: dict[int, float] = {}
    for number, amount in found.items():
        first = last - (last - number) // n * n - n + 1
        bars[first] = bars.get(first, 0.0) + amount
    return Columns(tuple(one * DAY_MS for one in sorted(bars)), tuple(bars[one] for one in sorted(bars)), n * DAY_MS)
