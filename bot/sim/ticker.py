"""The heartbeat of the streams: once a venue second, make what somebody subscribed to and hand it to the hub.

Ticks stand on whole venue seconds; where the process falls behind, seconds are left out, never sent late in a burst. The
end of a minute is never left out: the first tick after it tells the bars that closed.
The first mark price that reaches a subscriber fixes the market's anchor.
"""

from bot.clock import Clock
from bot.sim import frames
from bot.sim.market import Market
from bot.sim.streams import Hub

SLOW_ARRAY_TICKS = 3
"""`!markPrice@arr` without `@1s` speaks every third second."""


class Ticker:
    """Makes and broadcasts the payloads of each second."""

    def __init__(self, *, market: Market, clock: Clock, hub: Hub) -> None:
        self._market = market
        self._clock = clock
        self._hub = hub
        self._tickers = frames.Tickers(market)
        self._running = frames.RunningKlines(market)
        self._minute_ms = 0
        self.n_ticks = 0
        self.n_skipped = 0

    async def run(self) -> None:
        """Tick until cancelled."""
        next_ms = self._clock.wall_ms() // 1000 * 1000 + 1000
        while True:
            await self._clock.sleep((next_ms - self._clock.wall_ms()) / 1000.0)
            if self._clock.wall_ms() < next_ms:
                continue
            self.tick(next_ms)
            following_ms = max(next_ms + 1000, self._clock.wall_ms() // 1000 * 1000 + 1000)
            self.n_skipped += (following_ms - next_ms) // 1000 - 1
            next_ms = following_ms

    def tick(self, now_ms: int) -> None:
        """Broadcast the payloads of one second."""
        self._market.slide(now_ms)
        self.n_ticks += 1
        wanted = self._hub.wanted()
        if not wanted:
            return
        self._mark_prices(wanted, now_ms)
        self._ticker_streams(wanted, now_ms)
        if any("orceOrder" in name for name in wanted):
            for symbol, payload in frames.liquidations(self._market, now_ms):
                self._hub.broadcast("!forceOrder@arr", payload)
                self._hub.broadcast(f"{symbol.lower()}@forceOrder", payload)
        self._klines([name for name in wanted if name.endswith("@kline_1m")], now_ms)

    def _mark_prices(self, wanted: set[str], now_ms: int) -> None:
        slow_too = now_ms // 1000 % SLOW_ARRAY_TICKS == 0
        names = {"!markPrice@arr@1s"} | ({"!markPrice@arr"} if slow_too else set())
        reached = 0
        if names & wanted:
            # The anchor is fixed before the payload is made, so that this very push already stands on it.
            self._market.fix_anchor(now_ms)
            for payload in frames.mark_arrays(self._market, now_ms):
                for name in sorted(names & wanted):
                    reached += self._hub.broadcast(name, payload)
        single = [n for n in wanted if "@markPrice" in n and n[0] != "!" and (slow_too or n.endswith("@1s"))]
        if not single:
            return
        self._market.fix_anchor(now_ms)
        values = frames.mark_values(self._market, now_ms)
        for name in single:
            row = self._row(name, now_ms)
            if row is not None:
                self._hub.broadcast(name, frames.mark_row(self._market, row, values))

    def _ticker_streams(self, wanted: set[str], now_ms: int) -> None:
        single = [n for n in wanted if n.endswith(("@miniTicker", "@ticker")) and now_ms // 1000 % 2 == 0]
        trades = [n for n in wanted if n.endswith("@aggTrade")]
        if not single and not trades and not wanted & {"!miniTicker@arr", "!ticker@arr"}:
            return
        columns = self._tickers.columns(now_ms)
        for name, mini in (("!miniTicker@arr", True), ("!ticker@arr", False)):
            payload = self._tickers.changed(columns, now_ms, mini=mini) if name in wanted else None
            if payload is not None:
                self._hub.broadcast(name, payload)
        for name in single:
            row = self._row(name, now_ms)
            if row is not None:
                mini = name.endswith("@miniTicker")
                self._hub.broadcast(name, self._tickers.one(row, columns, now_ms, mini=mini))
        for name in trades:
            row = self._row(name, now_ms)
            if row is not None:
                self._hub.broadcast(name, frames.trade(self._market, row, float(columns[row, 0]), now_ms))

    def _klines(self, names: list[str], now_ms: int) -> None:
        minute_ms = now_ms // 60_000 * 60_000
        closes = self._minute_ms == minute_ms - 60_000
        self._minute_ms = minute_ms
        if not names:
            return
        self._running.tick(now_ms)
        for name in names:
            row = self._row(name, now_ms)
            if row is None or row in self._market.status:
                continue
            if closes:
                self._hub.broadcast(name, frames.closed_kline(self._market, row, minute_ms))
            if now_ms > minute_ms:
                self._hub.broadcast(name, self._running.one(row))

    def _row(self, name: str, now_ms: int) -> int | None:
        row = self._market.rows.get(name.split("@", 1)[0].upper())
        return row if row is not None and frames.is_streamed(self._market, row, now_ms) else None
