"""Fills the past from Binance: at a start, for a listing, and after an outage.

Promises: firing and watched instruments first, then by open interest in USD; every instrument gets its newest 99
one-minute prices before any gets five-minute ones, and the same holds for bars of traded volume, which only those get
whose rules need them; open-interest history uses its own pool of calls at the same time.
What is held already, as after a restart with a snapshot, is not asked for: only as much as reaches back to the oldest hole.
What waits, as during a ban, is asked for as far back as was wanted when the wait began.
Each thing is asked for once per start and gap, tried again a bounded number of times, and given up with a log line.
Polling keeps its share of the weight: all calls here are of the background.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from bot import log
from bot.clock import Clock
from bot.errors import PayloadError
from bot.feeds.binance import flows, rest
from bot.feeds.binance.backlog import Backlog, Job, Key, Order
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.model.ports import PollNeed, Rows, Sink
from bot.model.updates import Bars, History
from bot.texts import mark

OPEN_INTEREST: Final = mark("open interest history")
PRICE: Final = mark("price history")
VOLUME: Final = mark("volume history")

MINUTE_BARS: Final = 99
"""The most that one unit of weight buys."""
FIVE_MINUTE_BARS: Final = 290
# A few more than a day: the newest row is up to five minutes old, and a 24 h change needs one beyond the far end.
OPEN_INTEREST_ROWS: Final = 292
DAY_MS: Final = 86_400_000
_MINUTE_REACH_MS: Final = 90 * 60_000
_MINUTE_MS: Final = 60_000
MOST_BARS: Final = 1000
"""Of what waited for long. The documentation allows 1500, but calls for over 1000 were seen refused (-1130)."""
PAGE_BARS: Final = 499
"""Bars per call further back than a day: most for their weight."""

# The newest bar still runs, and the far end needs one beyond it.
_EDGE_BARS: Final = 2
_SPARE_BARS: Final = 4

_ATTEMPTS: Final = 5
_WORKERS: Final = 4
_PAUSED_LOOK_S: Final = 1.0
_A_FEW: Final = 20

_log = log.get("warm")


class HistoryFiller:
    """`plan` says what is missing, `run` fetches it."""

    def __init__(
        self,
        *,
        client: RestClient,
        clock: Clock,
        rows: Rows,
        sink: Sink,
        venue_now: Callable[[], int],
        lookback_ms: Callable[[PollNeed], int] | None = None,
        on_ease: Callable[[], None] = lambda: None,
        on_bars: Callable[[str, int], None] = lambda _symbol, _close_ms: None,
        missing_ms: Callable[[int, str, int], int] = lambda _row, _series, within_ms: within_ms,
    ) -> None:
        """`lookback_ms` tells how far back an instrument's price is needed (None: a day); over 90 min costs a call more.

        `on_ease` is called when the share of the budget that this takes changes, `on_bars` with the newest closed bar of
        volume that came. `missing_ms` gets row, series and how far back it is wanted, and tells how far back it is missing.
        """
        self._client = client
        self._clock = clock
        self._rows = rows
        self._sink = sink
        self._venue_now = venue_now
        self._lookback_ms = lookback_ms if lookback_ms is not None else lambda _: DAY_MS
        self._on_ease = on_ease
        self._on_bars = on_bars
        self._missing_ms = missing_ms
        self._load = (False, False)
        self.open_interest = Backlog(OPEN_INTEREST, sink)
        self.prices = Backlog(PRICE, sink)
        self.volumes = Backlog(VOLUME, sink)
        self._asked: set[Key] = set()
        self._refused: set[Key] = set()
        self._orders: dict[str, Order] = {}
        self._places: dict[str, int] = {}
        """The row for which a symbol's past was asked."""
        self._reopened: set[tuple[str, str]] = set()
        """Symbols and series whose pages may have got a hole."""
        self.given_up = 0

    @property
    def is_urgent(self) -> bool:
        """Whether one-minute prices of a good part of the market are still missing."""
        return self.prices.pending > _A_FEW and self.prices.stage == 0

    @property
    def is_busy(self) -> bool:
        """Whether more than a handful of bars is still to be fetched."""
        return self.prices.pending + self.volumes.pending > _A_FEW

    def plan(self, needs: Sequence[PollNeed]) -> None:
        """Ask for the past of what trades and has none yet."""
        self._forget_moved({need.symbol: need.row for need in needs})
        if self._reopened:
            self._asked = {key for key in self._asked if not (key[3] and key[:2] in self._reopened)}
            self._reopened.clear()
        for need in needs:
            size = need.oi_usd if math.isfinite(need.oi_usd) else 0.0
            # Right after windows were emptied no size is known: the last one stands in.
            _, before, _ = self._orders.get(need.symbol, (True, 0.0, ""))
            self._orders[need.symbol] = (not need.watched, -size if size > 0 else before, need.symbol)
            if not need.trading:
                continue
            self._once(need, "oi", 5 * _MINUTE_MS, OPEN_INTEREST_ROWS)
            self._once(need, "price", _MINUTE_MS, MINUTE_BARS)
            if self._lookback_ms(need) > _MINUTE_REACH_MS:
                self._once(need, "price", 5 * _MINUTE_MS, FIVE_MINUTE_BARS, covered_ms=_MINUTE_REACH_MS)
            self._pages(need, "price", FIVE_MINUTE_BARS, need.price_window_ms)
            self._pages(need, "oi", OPEN_INTEREST_ROWS, need.oi_window_ms)
            if need.flow_window_ms > 0:
                self._plan_volume(need)

    def _forget_moved(self, places: dict[str, int]) -> None:
        """A symbol that left and came back, be it between two lists, has another row, or had none for a while."""
        moved = {symbol for symbol, row in self._places.items() if places.get(symbol) != row}
        self._places = places
        if moved:
            self._asked = {key for key in self._asked if key[0] not in moved}

    def _plan_volume(self, need: PollNeed) -> None:
        self._once(need, "volume", _MINUTE_MS, MINUTE_BARS)
        if need.flow_window_ms <= _MINUTE_REACH_MS:
            return
        self._once(need, "volume", 5 * _MINUTE_MS, FIVE_MINUTE_BARS, covered_ms=_MINUTE_REACH_MS)
        self._pages(need, "volume", FIVE_MINUTE_BARS, need.flow_window_ms)

    def _pages(self, need: PollNeed, series: str, n_asked: int, window_ms: int) -> None:
        """What a window looks back on beyond the first `n_asked` five-minute rows, last of all."""
        # The same pages for every window, so that one that grows later asks for what is still missing.
        bar_ms = 5 * _MINUTE_MS
        n_bars = math.ceil(window_ms / bar_ms) + 2
        for skip in range(n_asked, n_bars, PAGE_BARS):
            is_new = self._is_new((need.symbol, series, bar_ms, skip))
            if is_new and self._missing_ms(need.row, series, window_ms) > skip * bar_ms:
                self._put(need.symbol, series, bar_ms, PAGE_BARS, skip)

    def _once(self, need: PollNeed, series: str, bar_ms: int, n_bars: int, *, covered_ms: int = 0) -> None:
        """Ask for what is missing of at most `n_bars`; what is missing up to `covered_ms` is asked for elsewhere."""
        if self._is_new((need.symbol, series, bar_ms, 0)):
            missing_ms = self._missing_ms(need.row, series, min(n_bars * bar_ms, DAY_MS))
            if missing_ms > covered_ms:
                n = min(n_bars, math.ceil(missing_ms / bar_ms) + _SPARE_BARS)
                needed_ms = min(missing_ms, _MINUTE_REACH_MS) if bar_ms == _MINUTE_MS else missing_ms
                spare = max(0, n - math.ceil(needed_ms / bar_ms) - _EDGE_BARS)
                self._put(need.symbol, series, bar_ms, n, spare=spare)

    def _is_new(self, key: Key) -> bool:
        """Whether it was not asked for yet."""
        if key in self._asked:
            return False
        self._asked.add(key)
        return True

    def _put(self, symbol: str, series: str, bar_ms: int, n_bars: int, skip: int = 0, spare: int = 0) -> None:
        order = self._orders.get(symbol, (True, 0.0, symbol))
        stage = 0 if bar_ms == _MINUTE_MS else 2 if skip else 1
        at_ms = self._clock.monotonic_ms()
        job = Job(stage, order, symbol, series, bar_ms, n_bars, skip=skip, spare=spare, at_ms=at_ms)
        self._backlog(series).put(job)

    def _backlog(self, series: str) -> Backlog:
        return {"oi": self.open_interest, "price": self.prices}.get(series, self.volumes)

    def refill_longer(self, series: frozenset[str]) -> None:
        """Somebody asks for windows longer than what was held: what lies further back comes from the venue, where the next
        plan still wants it.
        """
        bars = {"volume"} if series & {"volume", "taker_buy"} else set()
        # What was held before may have been let go since it was asked for.
        self._asked = {k for k in self._asked if k[1] not in bars and not (k[3] and k[1] in series)}
        if "price" in series:
            self.refill_prices(self._orders, _MINUTE_REACH_MS)
        if "oi" in series:
            for symbol in self._orders:
                self.refill_open_interest(symbol)

    def refill_open_interest(self, symbol: str) -> None:
        """The venue was not polled for a while."""
        self._put(symbol, "oi", 5 * _MINUTE_MS, OPEN_INTEREST_ROWS)
        self._reopened.add((symbol, "oi"))

    def refill_prices(self, symbols: Iterable[str], gap_ms: float) -> None:
        """No price came for that long. What of it lies over a day back is asked for by the next plan."""
        for symbol in symbols:
            self._refill(symbol, "price", gap_ms)

    def refill_volume(self, symbol: str, gap_ms: float) -> None:
        """No closed bar came for that long. What of it lies over a day back is asked for by the next plan."""
        self._refill(symbol, "volume", gap_ms)

    def _refill(self, symbol: str, series: str, gap_ms: float) -> None:
        n_minutes = math.ceil(gap_ms / _MINUTE_MS) + _EDGE_BARS
        self._put(symbol, series, _MINUTE_MS, min(n_minutes, MINUTE_BARS))
        if n_minutes > MINUTE_BARS:
            self._put(symbol, series, 5 * _MINUTE_MS, min(n_minutes // 5 + 2, FIVE_MINUTE_BARS))
        if n_minutes > 5 * FIVE_MINUTE_BARS:
            self._reopened.add((symbol, series))

    def start_afresh(self) -> None:
        """All windows were emptied, or time was missed: whatever the next plan names is asked for as far as it is missing."""
        self._asked.clear()

    def listed(self, symbols: frozenset[str]) -> None:
        """The venue's list is new: a symbol that left and comes back is a new contract."""
        self._asked = {key for key in self._asked - self._refused if key[0] in symbols}
        self._refused.clear()
        self._orders = {symbol: order for symbol, order in self._orders.items() if symbol in symbols}

    async def run(self) -> None:
        """Fetch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_WORKERS):
                tasks.create_task(self._work(self.open_interest))
                tasks.create_task(self._work(self.prices))
                tasks.create_task(self._work(self.volumes))

    async def _work(self, backlog: Backlog) -> None:
        while True:
            job = await backlog.get()
            try:
                outcome = await self._fetch(job)
            except asyncio.CancelledError:
                backlog.back(job)
                raise
            if isinstance(outcome, Failure):
                self._failed(backlog, job, outcome)
            else:
                if isinstance(outcome, Bars):
                    self._take_bars(job.symbol, outcome)
                elif outcome is not None and len(outcome.time_ms):
                    self._sink.put(outcome)
                backlog.done(job)
            load = (self.is_urgent, self.is_busy)
            if load != self._load:
                self._load = load
                self._on_ease()

    def _take_bars(self, symbol: str, bars: Bars) -> None:
        if len(bars.rows):
            self._sink.put(bars)
            self._on_bars(symbol, int(bars.close_ms[-1]))

    def _request(self, job: Job) -> rest.Request:
        # Bars count from the running one: the last to be skipped is the first of the page before it.
        end_ms = (self._venue_now() // job.bar_ms - job.skip + 1) * job.bar_ms if job.skip else 0
        n_bars = job.n_bars if job.skip else min(job.n_bars_at(self._clock.monotonic_ms()), MOST_BARS)
        if job.series == "oi":
            return rest.open_interest_history(job.symbol, limit=n_bars, end_ms=end_ms)
        bars = "1m" if job.bar_ms == _MINUTE_MS else "5m"
        if job.series == "price":
            return rest.mark_price_klines(job.symbol, interval=bars, limit=n_bars, end_ms=end_ms)
        return rest.klines(job.symbol, interval=bars, limit=n_bars, end_ms=end_ms)

    async def _fetch(self, job: Job) -> History | Bars | Failure | None:
        """None: the instrument is gone."""
        # How far back to ask is known when it can be sent, not when a ban of hours begins.
        while self._client.paused_until_ms is not None:
            await self._clock.sleep(_PAUSED_LOOK_S)
        if self._rows.row(job.symbol) is None:
            return None
        body = await self._client.get(self._request(job), priority=Priority.BACKGROUND)
        row = self._rows.row(job.symbol)
        if isinstance(body, Failure) or row is None:
            return body if isinstance(body, Failure) else None
        try:
            if job.series == "oi":
                return rest.parse_open_interest_history(body, row)
            if job.series != "price":
                received_ms = self._clock.monotonic_ms()
                return flows.parse_klines(
                    body, row, span_ms=job.bar_ms, now_ms=self._venue_now(), received_ms=received_ms
                )
            return rest.parse_price_klines(body, row, interval_ms=job.bar_ms, now_ms=self._venue_now())
        except PayloadError as error:
            return Failure("server", str(error))

    def _failed(self, backlog: Backlog, job: Job, failure: Failure) -> None:
        if failure.is_pause:
            backlog.back(job)
            return
        if failure.is_passing and job.attempts + 1 < _ATTEMPTS:
            backlog.back(replace(job, attempts=job.attempts + 1))
            return
        if failure.is_passing:
            self.given_up += 1
            _log.warning("history.given_up", symbol=job.symbol, series=job.series, reason=failure.text)
        else:
            _log.debug("history.refused", symbol=job.symbol, series=job.series, reason=failure.text)
        self._refused.add(job.key)  # the next list of instruments asks again
        backlog.done(job)
