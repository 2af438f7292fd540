"""The `ChartReader` port: what memory holds of an instrument, completed by the venue where it does not reach.

Memory holds minutes of a day; up to forty days come from the venue alone, in steps that give a picture its detail and cost
one or two units of weight. Longer charts are by days and begin with the stored history (`bot.app.long_charting`): the venue
tells open interest and ratios of 30 days only.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.app.live import Live
from bot.app.long_charting import BY_DAYS_FROM_MS, EVER_MS, ByDays
from bot.engine.charting import ENOUGH, Held, held, known_share
from bot.engine.engine import Engine
from bot.model.chart_ports import VenuePast
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
    NoPicture,
)
from bot.model.instrument import MARKET
from bot.model.numbers import percent, quantity, window
from bot.model.past import PastDesk
from bot.model.view import AlertView, Move
from bot.rules.ast import Call, Expr, Number, Series, comparisons, series_used
from bot.rules.parse import parse_condition
from bot.texts import say

MIN_SPAN_MS: Final = 15 * MINUTE_MS
SPANS_MS: Final = (HOUR_MS, 4 * HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS)
"""What alerts are shown in: the first that is six times their window."""
EXTRAS: Final = ("funding", "long_short")
_OI_DAYS: Final = 30
_FUNDING_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Steps:
    """How finely a span is asked for and drawn."""

    curve_ms: int
    oi_ms: int
    bar_ms: int


def steps_of(span_ms: int) -> Steps:
    """At most 500 points a curve, which is as many as one call gives, and 36 to 100 bars."""
    minute = MINUTE_MS
    table = (
        (90 * minute, Steps(minute, 5 * minute, minute)),
        (6 * HOUR_MS, Steps(minute, 5 * minute, 5 * minute)),
        (36 * HOUR_MS, Steps(5 * minute, 5 * minute, 30 * minute)),
        (4 * DAY_MS, Steps(15 * minute, 15 * minute, HOUR_MS)),
        (10 * DAY_MS, Steps(30 * minute, 30 * minute, 4 * HOUR_MS)),
        (40 * DAY_MS, Steps(2 * HOUR_MS, 2 * HOUR_MS, 12 * HOUR_MS)),
        (100 * DAY_MS, Steps(DAY_MS, DAY_MS, DAY_MS)),
    )
    return next((steps for most, steps in table if span_ms <= most), Steps(DAY_MS, DAY_MS, 7 * DAY_MS))


def merged(own: Curve | None, other: Curve | None, step_ms: int) -> Curve:
    """Our own points, and between them the other's where ours are further apart than its step."""
    if own is None or other is None:
        return own or other or Curve()
    kept = own.known()
    times = [t for t, _ in kept]
    extra: list[tuple[int, float]] = []
    at = 0
    for t, v in other.known():
        while at < len(times) and times[at] < t - step_ms // 2:
            at += 1
        if at == len(times) or times[at] > t + step_ms // 2:
            extra.append((t, v))
    both = sorted({**dict(extra), **dict(kept)}.items())
    return Curve(tuple(t for t, _ in both), tuple(v for _, v in both), max(own.gap_ms, other.gap_ms))


def binned(volume: Columns, bar_ms: int, now_ms: int) -> Columns:
    """Minutes to longer bars, which begin at whole multiples of their length."""
    found: dict[int, float] = {}
    for t, amount in zip(volume.open_ms, volume.amount, strict=True):
        if t <= now_ms and math.isfinite(amount):
            found[t // bar_ms * bar_ms] = found.get(t // bar_ms * bar_ms, 0.0) + amount
    times = sorted(found)
    return Columns(tuple(times), tuple(found[t] for t in times), bar_ms)


class ChartSource:
    """Gathers what a chart shows."""

    def __init__(self, *, engine: Engine, live: Live, past: VenuePast, desk: PastDesk, zone: str = "UTC") -> None:
        """`zone`: IANA name, of the time axis."""
        self._engine = engine
        self._live = live
        self._past = past
        self._by_days = ByDays(past, desk)
        self._zone = zone

    async def chart(self, key: str, span_ms: int, *, extra: frozenset[str] = frozenset()) -> ChartData | NoPicture:
        return await self._gather(key, span_ms, extra, urgent=True)

    async def of_alert(self, view: AlertView) -> ChartData | NoPicture:
        """The chart of a firing: its window shaded, and the lines that its rule compares with."""
        if view.symbol == MARKET or not view.symbol:
            return NoPicture(say("an alert about the whole market has no chart"))
        span_ms = next((span for span in SPANS_MS if span >= 6 * view.window_ms), SPANS_MS[-1])
        condition = parse_condition(view.condition).expr
        named = series_used(condition) if condition is not None else frozenset()
        extra = {"funding"} & {"funding" if name == "funding_8h" else name for name in named}
        extra |= {"long_short"} & named
        found = await self._gather(f"{view.venue}:{view.symbol}", span_ms, frozenset(extra), urgent=False)
        if isinstance(found, NoPicture):
            return found
        price = as_seen(found.price, (*view.price_moves, view.price), view, found.to_ms)
        oi = as_seen(found.oi, (*view.oi_moves, view.oi), view, found.to_ms)
        found = replace(found, price=price, oi=oi)
        levels = levels_of(condition, view, found) if condition is not None else ()
        mark = AlertMark(view.title, view.severity, min(view.fired_ms, found.to_ms), view.window_ms, levels)
        return replace(found, alert=mark)

    async def _gather(self, key: str, span_ms: int, extra: frozenset[str], *, urgent: bool) -> ChartData | NoPicture:
        span_ms = min(max(span_ms, MIN_SPAN_MS), EVER_MS)
        own = await self._live.at_tick(lambda: held(self._engine, key, min(span_ms, DAY_MS)))
        if own is None:
            return NoPicture(say("nothing is known of it yet"))
        long_view: LongView | None = None
        volume: Columns | None
        if span_ms > BY_DAYS_FROM_MS:
            from_ms, by_days, volume, long_view = await self._by_days.gather(own, span_ms, urgent=urgent)
            curves = {**by_days, **await self._several(own, own.now_ms - from_ms, extra, urgent=urgent)}
        else:
            from_ms = own.now_ms - span_ms
            async with asyncio.TaskGroup() as group:
                bars = group.create_task(
                    self._volume(own, span_ms, steps_of(span_ms), urgent=urgent), name="chart volume"
                )
                curves = await self._several(own, span_ms, frozenset({"price", "oi"}) | extra, urgent=urgent)
            volume = bars.result()
        price, oi = curves["price"] or Curve(), curves["oi"] or Curve()
        symbol, to_ms = own.instrument.symbol, own.now_ms
        if not any(from_ms <= t <= to_ms for curve in (price, oi) for t, _ in curve.known()):
            return NoPicture(say("there is no data for {symbol} yet", symbol=symbol))
        return ChartData(
            symbol=symbol,
            venue=own.instrument.venue,
            base=own.instrument.base,
            quote=own.instrument.quote,
            zone=self._zone,
            from_ms=from_ms,
            to_ms=to_ms,
            price=price,
            oi=oi,
            volume=volume,
            funding=curves.get("funding"),
            long_short=curves.get("long_short"),
            long_view=long_view,
        )

    async def _several(
        self, own: Held, span_ms: int, wanted: frozenset[str], *, urgent: bool
    ) -> dict[str, Curve | None]:
        steps = steps_of(span_ms)
        async with asyncio.TaskGroup() as group:
            curves = {
                name: group.create_task(self._curve(own, name, span_ms, steps, urgent=urgent), name=f"chart {name}")
                for name in ("price", "oi", *EXTRAS)
                if name in wanted
            }
        return {name: task.result() for name, task in curves.items()}

    async def _curve(self, own: Held, series: str, span_ms: int, steps: Steps, *, urgent: bool) -> Curve | None:
        mine = own.curves.get(series) if series != "funding" else None
        from_ms = max(own.now_ms - span_ms, own.instrument.onboard_ms)
        if span_ms <= DAY_MS and known_share(mine, from_ms, own.now_ms, MINUTE_MS) >= ENOUGH:
            return mine
        step_ms = {"price": steps.curve_ms, "funding": HOUR_MS}.get(series, steps.oi_ms)
        n = -(-span_ms // step_ms) + 2
        if series in {"oi", "long_short"}:
            n = min(n, _OI_DAYS * DAY_MS // step_ms)
        if series == "funding":
            n = min(n, _FUNDING_ROWS)
        found = await self._past.curve(own.instrument.symbol, series, step_ms=step_ms, n=n, urgent=urgent)
        return None if mine is None and found is None else merged(mine, found, step_ms)

    async def _volume(self, own: Held, span_ms: int, steps: Steps, *, urgent: bool) -> Columns | None:
        if own.volume is not None and span_ms <= DAY_MS:
            return binned(own.volume, steps.bar_ms, own.now_ms)
        n = -(-span_ms // steps.bar_ms) + 1
        return await self._past.volume(own.instrument.symbol, step_ms=steps.bar_ms, n=n, urgent=urgent)


def as_seen(curve: Curve, moves: Sequence[Move | None], view: AlertView, to_ms: int) -> Curve:
    """With what the alert itself said of the ends of its window, of which a curve of minutes holds other moments: the headline
    of its picture must not contradict it.
    """
    at_ms = min(view.at_ms, to_ms)
    ends: dict[int, float] = {}
    for move in moves:
        if move is not None and move.now is not None:
            ends[at_ms] = move.now
        if move is not None and move.window_ms == view.window_ms > 0 and move.then is not None:
            ends[at_ms - move.window_ms] = move.then
    if not ends or not curve.time_ms:
        return curve
    points = sorted({**dict(zip(curve.time_ms, curve.value, strict=True)), **ends}.items())
    return replace(curve, time_ms=tuple(t for t, _ in points), value=tuple(v for _, v in points))


def levels_of(condition: Expr, view: AlertView, data: ChartData) -> tuple[Level, ...]:
    """The lines that a condition compares a drawn series with: plain levels, and ends of changes from where they began.

    Anything else (a rank, a z-score) is no line on these axes.
    """
    found: list[Level] = []
    for one in comparisons(condition):
        if not isinstance(one.right, Number) or one.op in {"==", "!="}:
            continue
        level = _level(one.left, one.right.value, view, data)
        if level is not None and math.isfinite(level.value) and level not in found:
            found.append(level)
    return tuple(found)


def _level(left: Expr, bound: float, view: AlertView, data: ChartData) -> Level | None:
    match left:
        case Series(name="price" | "oi" | "funding" | "long_short" as name):
            unit = {"price": "price", "funding": "ratio"}.get(name, "amount")
            return Level(name, bound, quantity(bound, unit, sign=False))
        case Call(name="pct" | "delta" as function, args=(Series(name="price" | "oi" as name), Number())):
            then = _then(name, left.window_ms, view, data)
            if then is None:
                return None
            span = window(left.window_ms)
            if function == "pct":
                return Level(name, then * (1 + bound), f"{percent(bound)} in {span}")
            sign = "+" if bound > 0 else ""
            return Level(name, then + bound, f"{sign}{quantity(bound, 'amount')} in {span}")
    return None


def _then(series: str, window_ms: int, view: AlertView, data: ChartData) -> float | None:
    """What the series was where the window began: as the alert saw it, else as the curve has it."""
    moves = (view.price, *view.price_moves) if series == "price" else (view.oi, *view.oi_moves)
    for move in moves:
        if move is not None and move.window_ms == window_ms and move.then is not None:
            return move.then
    at_ms = view.fired_ms - window_ms
    before = [v for t, v in (data.price if series == "price" else data.oi).known() if t <= at_ms]
    return before[-1] if before else None
