"""Binance USDⓈ-M as the app sees it: one object that keeps the engine fed.

Promises: `run` returns only when cancelled and can be run again. Prices stream from the first second, whatever REST does.
Over REST: the venue's time, the list of instruments, prices and volumes, one sweep of open interest with the largest
first, then the past in the background while polling goes on. The list is asked again hourly and on contract news, the table of
volumes each half hour; while the price stream is silent, premiumIndex stands in every 5 s; gaps are filled after an outage.
Bars of traded volume and top-trader ratios come for the instruments whose rules need them, as the needs change.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeVar

from bot import log
from bot.clock import Clock
from bot.errors import PayloadError
from bot.feeds.backoff import Backoff
from bot.feeds.binance import rest
from bot.feeds.binance.constants import PREMIUM_INDEX_ALL_WEIGHT
from bot.feeds.binance.klines import KlineFeed
from bot.feeds.binance.listing import REFRESH_GAP_S, Listing
from bot.feeds.binance.open_interest import open_interest
from bot.feeds.binance.protocol import Protocol
from bot.feeds.binance.protocol import stream_url as binance_stream_url
from bot.feeds.binance.ratios import RatioPoller
from bot.feeds.binance.tap import Tap
from bot.feeds.binance.warm import HistoryFiller
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.feeds.poller import OpenInterestPoller, Polling
from bot.feeds.schedule import TAIL_MS, WARM_TAIL_MS
from bot.feeds.stream import Pace, Stream
from bot.feeds.transport import Transport
from bot.feeds.waiting import changed
from bot.model.instrument import Instrument
from bot.model.ports import KeyValues, PollNeed, PollPlan, Rows, Sink
from bot.model.updates import I32, Progress, VenueTime
from bot.texts import mark

STAND_IN_EVERY_S: Final = 5.0
VOLUMES_EVERY_S: Final = 1800.0

_PLAN_EVERY_S: Final = 60.0
# What rules need is known bit by bit in the first minutes: sizes decide who is in scope.
_EARLY_S: Final = 180.0
_EARLY_PLAN_EVERY_S: Final = 5.0
_LOOK_EVERY_S: Final = 1.0
_WARM_SHARE: Final = 1 / 3
_BUSY_SHARE: Final = 1 / 2
_USUAL_SHARE: Final = 0.95

T = TypeVar("T")

_log = log.get("feed")


class BinanceFeed:
    """Wires stream, poller and warm start for the app."""

    def __init__(
        self,
        *,
        rest_url: str,
        stream_url: str,
        weight_share: float,
        clock: Clock,
        rows: Rows,
        plan: PollPlan,
        sink: Sink,
        store: KeyValues,
        rng: Random,
        venue_now: Callable[[], int],
        lookback_ms: Callable[[PollNeed], int] | None = None,
        missing_ms: Callable[[int, str, int], int] = lambda _row, _series, within_ms: within_ms,
        transport: Transport | None = None,
    ) -> None:
        """Prepare; nothing is sent before `run`.

        `lookback_ms` tells how far back an instrument's price history is needed; None asks for a day of all of them. `missing_ms`
        tells for a row, a series and a time back how much of that is missing; by default all of it.
        """
        self._clock = clock
        self._rows = rows
        self._plan = plan
        self._sink = sink
        self._rng = rng
        self._venue_now = venue_now
        self._client = RestClient(
            venue=rest.BinanceRest(),
            base_url=rest_url,
            clock=clock,
            store=store,
            random=rng,
            venue_now=venue_now,
            weight_share=weight_share,
            transport=transport,
        )
        self._tap = Tap(sink, on_price_gap=self._prices_back, on_contract=lambda: self.listing.is_due.set())  # noqa: PLW0108, it is made below
        self.protocol = Protocol(rows)
        pace = Pace()
        url = binance_stream_url(stream_url)
        self.stream = Stream(url=url, protocol=self.protocol, sink=self._tap, clock=clock, random=rng, pace=pace)
        self.klines = KlineFeed(
            url=stream_url,
            clock=clock,
            rows=rows,
            sink=sink,
            random=rng,
            pace=pace,
            venue_now=venue_now,
            on_gap=lambda symbol, gap_ms: self.history.refill_volume(symbol, gap_ms),  # noqa: PLW0108, it is made below
        )
        self.ratios = RatioPoller(client=self._client, clock=clock, rows=rows, sink=sink, venue_now=venue_now)
        self.history = HistoryFiller(
            client=self._client,
            clock=clock,
            rows=rows,
            sink=sink,
            venue_now=venue_now,
            lookback_ms=lookback_ms,
            on_ease=lambda: self.poller.replan(),  # noqa: PLW0108, it is made below
            on_bars=self.klines.closed,
            missing_ms=missing_ms,
        )
        self.poller = OpenInterestPoller(
            clock=clock,
            rows=rows,
            sink=sink,
            needs=self._needs,
            fetch=lambda symbol: open_interest(self._client, symbol, venue_now=venue_now),
            polling=self._polling,
            failure=lambda: self._client.failure,
            on_gap=self.history.refill_open_interest,
            on_drop=lambda: self.listing.dropped(),  # noqa: PLW0108, it is made below
        )
        self.listing = Listing(
            client=self._client,
            clock=clock,
            rows=rows,
            sink=sink,
            tap=self._tap,
            store=store,
            on_taken=self._listed,
        )
        self._volumes: dict[int, float] = {}
        self._volumes_ms = float("-inf")
        self._ready = asyncio.Event()
        self._changed = (asyncio.Event(), asyncio.Event())
        self._started_ms = clock.monotonic_ms()

    # What the status page shows

    @property
    def client(self) -> RestClient:
        """For counters."""
        return self._client

    @property
    def weight_share(self) -> float:
        """Used part of the venue's weight in this minute, by everybody on this address."""
        return self._client.used_share

    @property
    def banned_until_ms(self) -> int | None:
        return self._client.banned_until_ms

    async def run(self) -> None:
        """Feed until cancelled."""
        self._started_ms = self._clock.monotonic_ms()
        async with self._client, asyncio.TaskGroup() as tasks:
            tasks.create_task(self.stream.run())
            tasks.create_task(self._client.keep_saved())
            tasks.create_task(self._begin_and_refresh())
            tasks.create_task(self._stand_in())
            tasks.create_task(self.poller.run())
            tasks.create_task(self._warm_start())
            tasks.create_task(self.history.run())
            tasks.create_task(self._follow_needs())
            tasks.create_task(self.klines.run())
            tasks.create_task(self.ratios.run())

    # Start

    async def _begin_and_refresh(self) -> None:
        if not self._ready.is_set():
            await self._begin()
            self._ready.set()
        await self.listing.keep()

    async def _begin(self) -> None:
        """The order matters: what is needed first is asked first."""
        self._progress(0)
        await self.listing.recall_funding()
        if self._client.paused_until_ms is not None:
            await self.listing.use_last()
        venue_ms = await self._insist(rest.server_time(), rest.parse_server_time)
        if self._tap.last_mark_ms is None:
            self._sink.put(VenueTime(venue_ms, self._clock.monotonic_ms()))
        self._progress(1)
        await self._first_list()
        self._progress(2)
        await self._prices_over_rest()
        self._progress(3)
        await self._volumes_over_rest()
        self._progress(4)
        volume = {need.row: self._volumes.get(need.row, need.volume_24h) for need in self._needs()}
        self.poller.begin(row for row, _ in sorted(volume.items(), key=lambda item: (-item[1], item[0])))
        await self.listing.ask_funding()

    async def _first_list(self) -> None:
        """Until something trades; the engine gives the rows when it has read the list."""
        while True:
            self.listing.take(await self._insist(rest.exchange_info(), rest.parse_instruments))
            await self.listing.save()
            asked_ms = self._clock.monotonic_ms()
            while self._clock.monotonic_ms() - asked_ms < REFRESH_GAP_S * 1000.0:
                if self._rows.instruments():
                    return
                await self._clock.sleep(0.05)

    def _progress(self, done: int) -> None:
        self._sink.put(Progress(mark("instruments"), done, 4))

    async def _insist(self, request: rest.Request, parse: Callable[[bytes], T]) -> T:
        """Ask until there is an answer; bans and pauses are waited out by the client."""
        backoff = Backoff(random=self._rng, first_s=1.0, cap_s=30.0)
        while True:
            body = await self._client.get(request, priority=Priority.QUESTION)
            if not isinstance(body, Failure):
                try:
                    return parse(body)
                except PayloadError as error:
                    _log.warning("answer.unreadable", path=request.path, error=str(error))
            await self.listing.use_last()
            await self._clock.sleep(backoff.next_s())

    def _listed(self, instruments: Sequence[Instrument]) -> None:
        """The venue's list is new."""
        self.poller.listed(instruments)
        self.history.listed(frozenset(i.symbol for i in instruments))

    # What others tell

    def windows_emptied(self) -> None:
        """The venue's clock went back and the market forgot everything, or the machine slept: fill what is missing as at a start."""
        self.history.start_afresh()
        self.klines.start_afresh()
        self.ratios.start_afresh()
        self.poller.start_afresh()
        self._volumes_ms = float("-inf")
        self.listing.is_due.set()
        self._changed[1].set()  # streams stay as they are: scopes are decided again when sizes are known

    def windows_grew(self, series: frozenset[str]) -> None:
        """Somebody asks for longer windows over these series than what was held."""
        self.history.refill_longer(series)
        if series & {"volume", "taker_buy"}:
            self.klines.start_afresh()
        if "long_short" in series:
            self.ratios.start_afresh()
        self.needs_changed()

    def needs_changed(self) -> None:
        """Other rules watch: look at once what is needed now."""
        for event in self._changed:
            event.set()

    # Prices and volumes

    def _is_silent(self) -> bool:
        """Whether the price stream says nothing."""
        heard_ms = max(self._started_ms, self._tap.last_mark_ms or 0.0)
        return self._clock.monotonic_ms() - heard_ms > STAND_IN_EVERY_S * 1000.0

    async def _stand_in(self) -> None:
        await self._ready.wait()
        while True:
            await self._clock.sleep(1.0)
            self.listing.look()
            if self._is_silent():
                await self._prices_over_rest()
                await self._clock.sleep(STAND_IN_EVERY_S - 1.0)
            # The stream brings only what was traded, and what it brought is good for an hour.
            if self._clock.monotonic_ms() - self._volumes_ms > VOLUMES_EVERY_S * 1000.0:
                await self._volumes_over_rest()

    async def _prices_over_rest(self) -> None:
        body = await self._client.get(rest.premium_index(), priority=Priority.QUESTION, attempts=2)
        if isinstance(body, Failure):
            return
        try:
            self._tap.prices(rest.parse_premium_index(body, self._rows, self._clock.monotonic_ms()))
        except PayloadError as error:
            _log.warning("answer.unreadable", path="premiumIndex", error=str(error))

    async def _volumes_over_rest(self) -> None:
        self._volumes_ms = self._clock.monotonic_ms()
        body = await self._client.get(rest.ticker_24h(), priority=Priority.QUESTION)
        if isinstance(body, Failure):
            return
        try:
            tickers = rest.parse_tickers(body, self._rows, self._clock.monotonic_ms(), now_ms=self._venue_now())
        except PayloadError as error:
            _log.warning("answer.unreadable", path="ticker/24hr", error=str(error))
            return
        self._volumes = dict(zip(tickers.rows.tolist(), tickers.volume_24h.tolist(), strict=True))
        self._sink.put(tickers)

    def _prices_back(self, rows: I32, gap_ms: float) -> None:
        """Prices came again after a gap: fill it."""
        symbols = {row: i.symbol for row, i in self._rows.instruments() if i.is_trading}
        back = [symbols[row] for row in rows.tolist() if row in symbols]
        _log.info("prices.back", n=len(back), gap_s=round(gap_ms / 1000.0))
        self.history.refill_prices(back, gap_ms)

    # Open interest

    def _needs(self) -> Sequence[PollNeed]:
        """What the engine wants; before it wants anything, everything that trades."""
        return self._plan.needs() or [
            PollNeed(row, i.symbol, self._volumes.get(row, 0.0), 0.0, None, watched=False, trading=i.is_trading)
            for row, i in self._rows.instruments()
        ]

    def _polling(self) -> Polling:
        peak = self._client.weight_per_minute
        share, tail_ms = _USUAL_SHARE, TAIL_MS
        if not self.poller.swept.is_set() or self.history.is_urgent:
            share, tail_ms = _WARM_SHARE, WARM_TAIL_MS
        elif self.history.is_busy:
            share = _BUSY_SHARE
        stand_in = PREMIUM_INDEX_ALL_WEIGHT * 60.0 / STAND_IN_EVERY_S if self._is_silent() else 0.0
        return Polling(max(share * peak - stand_in, peak / 10), peak, tail_ms)

    async def _follow_needs(self) -> None:
        """What is streamed or polled only where a rule needs it. The streams do not wait for the end of a ban."""
        while not (self._ready.is_set() or (self._client.paused_until_ms is not None and self._rows.instruments())):
            await self._clock.sleep(_LOOK_EVERY_S)
        while True:
            needs = self._needs()
            self.klines.want(needs)
            self.ratios.want(needs)
            is_early = self._clock.monotonic_ms() - self._started_ms < _EARLY_S * 1000.0
            await changed(self._clock, self._changed[0], within_s=_EARLY_PLAN_EVERY_S if is_early else _PLAN_EVERY_S)

    async def _warm_start(self) -> None:
        await self.poller.swept.wait()
        while True:
            self.history.plan(self._needs())
            if self.history.is_busy:
                self.poller.replan()
            await changed(self._clock, self._changed[1], within_s=_PLAN_EVERY_S)
