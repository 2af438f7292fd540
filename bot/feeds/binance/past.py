"""The past of one contract on request, for charts: any step from a minute to a week, in one call.

Promises: at most one call per question, inside the budget that everything shares, with a deadline; the same question within
its step's worth of freshness is answered from memory, and asked twice at a time it is sent once. What cannot be had is None.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from bot import log
from bot.clock import Clock
from bot.errors import PayloadError
from bot.feeds.binance import flows, rest
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.model.charts import DAY_MS, HOUR_MS, MINUTE_MS, Columns, Curve

INTERVALS: Final = {
    MINUTE_MS: "1m",
    5 * MINUTE_MS: "5m",
    15 * MINUTE_MS: "15m",
    30 * MINUTE_MS: "30m",
    HOUR_MS: "1h",
    2 * HOUR_MS: "2h",
    4 * HOUR_MS: "4h",
    12 * HOUR_MS: "12h",
    DAY_MS: "1d",
    7 * DAY_MS: "1w",
}
"""The venue's words for steps. Open interest and ratios begin at 5 minutes and end at a day."""
MAX_KEPT: Final = 256
"""One of 300 points takes some 25 KB; none is kept once it is not fresh."""
FRESH_S: Final = 30.0
MAX_FRESH_S: Final = 600.0
DEADLINE_S: Final = 4.0
GAP_STEPS: Final = 2.5

_log = log.get("past")

Key = tuple[str, str, int, int]
Found = Curve | Columns


class PastReader:
    """The `VenuePast` port over Binance's REST."""

    def __init__(self, *, client: RestClient, clock: Clock, venue_now: Callable[[], int]) -> None:
        self._client = client
        self._clock = clock
        self._venue_now = venue_now
        self._kept: OrderedDict[Key, tuple[float, Found]] = OrderedDict()
        self._asking: dict[Key, asyncio.Event] = {}

    async def curve(self, symbol: str, series: str, *, step_ms: int, n: int, urgent: bool) -> Curve | None:
        """`price`, `oi`, `funding` or `long_short`; the newest `n` points."""
        found = await self._get((symbol, series, step_ms, n), urgent=urgent)
        return found if isinstance(found, Curve) else None

    async def volume(self, symbol: str, *, step_ms: int, n: int, urgent: bool) -> Columns | None:
        """Closed bars and the running one; quote amounts."""
        found = await self._get((symbol, "volume", step_ms, n), urgent=urgent)
        return found if isinstance(found, Columns) else None

    async def _get(self, key: Key, *, urgent: bool) -> Found | None:
        while (asking := self._asking.get(key)) is not None:
            await asking.wait()
        if (kept := self._kept.get(key)) is not None and self._clock.monotonic_ms() < kept[0]:
            self._kept.move_to_end(key)
            return kept[1]
        self._asking[key] = asyncio.Event()
        try:
            # On a fast clock a slow machine still gets two real seconds.
            async with self._clock.timeout(max(DEADLINE_S, 2.0 * self._clock.speed)):
                found = await self._ask(key, urgent=urgent)
        except TimeoutError:
            _log.info("past.not_in_time", symbol=key[0], series=key[1])
            return None
        finally:
            self._asking.pop(key).set()
        if found is not None:
            fresh_s = min(max(FRESH_S, key[2] / 1000 / 10), MAX_FRESH_S)
            now_ms = self._clock.monotonic_ms()
            for old in [known for known, (until_ms, _) in self._kept.items() if until_ms <= now_ms]:
                del self._kept[old]
            self._kept[key] = now_ms + fresh_s * 1000, found
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found

    async def _ask(self, key: Key, *, urgent: bool) -> Found | None:
        symbol, series, step_ms, n = key
        if step_ms not in INTERVALS:
            raise ValueError(f"expected a step among {sorted(INTERVALS)}, found {step_ms}")
        request = _request(symbol, series, INTERVALS[step_ms], n)
        priority = Priority.QUESTION if urgent else Priority.POLL
        body = await self._client.get(request, priority=priority, attempts=1)
        if isinstance(body, Failure):
            _log.info("past.not_answered", symbol=symbol, series=series, reason=body.text)
            return None
        try:
            return _read(body, series, step_ms, self._venue_now())
        except PayloadError as error:
            _log.warning("answer.unreadable", path=request.path, error=str(error))
            return None


def _request(symbol: str, series: str, interval: str, n: int) -> rest.Request:
    match series:
        case "price":
            return rest.mark_price_klines(symbol, interval=interval, limit=n)
        case "volume":
            return rest.klines(symbol, interval=interval, limit=n)
        case "oi":
            return rest.open_interest_history(symbol, period=interval, limit=n)
        case "long_short":
            return rest.top_position_ratio(symbol, period=interval, limit=n)
        case "funding":
            return rest.funding_history(symbol, limit=n)
    raise ValueError(f"expected price, oi, volume, funding or long_short, found {series!r}")


def _read(body: bytes, series: str, step_ms: int, now_ms: int) -> Found:
    gap_ms = int(GAP_STEPS * step_ms)
    if series == "volume":
        opens, amounts = flows.parse_open_bars(body, span_ms=step_ms)
        return Columns(tuple(opens), tuple(amounts), step_ms)
    match series:
        case "price":
            history = rest.parse_price_klines(body, 0, interval_ms=step_ms, now_ms=now_ms)
        case "oi":
            history = rest.parse_open_interest_history(body, 0)
        case "long_short":
            history = flows.parse_long_short(body, 0)
        case _:
            history = rest.parse_funding_history(body, 0)
            # It holds until the next one, eight hours later or sooner.
            gap_ms = 9 * HOUR_MS
    values = tuple(float(v) for v in history.value)
    assert all(math.isfinite(v) for v in values)
    return Curve(tuple(int(t) for t in history.time_ms), values, gap_ms)
