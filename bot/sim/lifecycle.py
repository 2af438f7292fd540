"""Comings and goings of contracts: listings, delistings and halts, on request and on a schedule.

A scheduled run lists one new coin two and a half minutes after the anchor and delists one small coin at five. Each
change is announced on `!contractInfo` and shows in exchangeInfo from the same moment.
"""

from bot.clock import Clock
from bot.sim import frames, universe
from bot.sim.market import Market
from bot.sim.streams import Hub

LIST_AFTER_MS = 150_000
DELIST_AFTER_MS = 300_000
SETTLED_AFTER_MS = 600_000
NEW_COIN = ("NOVA", 0.5173)


class Lifecycle:
    """Changes which contracts trade."""

    def __init__(self, *, market: Market, clock: Clock, hub: Hub, scheduled: bool) -> None:
        self._market = market
        self._clock = clock
        self._hub = hub
        self._scheduled = scheduled

    def list_coin(self, base: str, price: float = 1.0) -> str:
        """List a new perpetual and return its symbol.

        Raises:
            ValueError: it is listed already.
        """
        symbol = f"{base}USDT"
        if symbol in self._market.rows:
            raise ValueError(f"{symbol} is listed already")
        now_ms = self._clock.wall_ms()
        spec = universe.make(self._market.seed, base, price, 80, onboard_ms=now_ms)
        self._tell(self._market.add(spec))
        return symbol

    def delist(self, symbol: str, *, settled_in_ms: int = SETTLED_AFTER_MS) -> None:
        """Announce the end of a contract: SETTLING now, with a frozen price; gone once `settle` is called.

        Raises:
            KeyError: there is no such symbol.
        """
        row = self._market.rows[symbol]
        now_ms = self._clock.wall_ms()
        self._market.status[row] = "SETTLING"
        self._market.frozen_ms[row] = now_ms
        self._market.delivery_ms[row] = now_ms + settled_in_ms
        self._tell(row)

    def settle(self, symbol: str) -> None:
        """Drop a contract from the venue.

        Raises:
            KeyError: there is no such symbol.
        """
        row = self._market.rows[symbol]
        self._market.frozen_ms.setdefault(row, self._clock.wall_ms())
        self._market.status[row] = "CLOSE"
        self._tell(row)
        self._market.status[row] = ""

    def halt(self, symbol: str, status: str = "TRADING_HALT") -> None:
        """Stop trading of a contract for now, with that word for it (`BREAK`, `SETTLING` and others that exist or will).

        Raises:
            KeyError: there is no such symbol.
        """
        row = self._market.rows[symbol]
        self._market.status[row] = status
        self._market.frozen_ms[row] = self._clock.wall_ms()
        self._tell(row)

    def resume(self, symbol: str) -> None:
        """Let a halted contract trade again.

        Raises:
            KeyError: there is no such symbol.
        """
        row = self._market.rows[symbol]
        self._market.status.pop(row, None)
        self._market.frozen_ms.pop(row, None)
        self._tell(row)

    def _tell(self, row: int) -> None:
        self._hub.broadcast("!contractInfo", frames.contract_info(self._market, row, self._clock.wall_ms()))

    async def run(self) -> None:
        """Follow the schedule, if there is one."""
        market = self._market
        if not self._scheduled or len(market.ranked) < 30:
            return
        while market.anchor_ms is None:
            await self._clock.sleep(1.0)
        await self._until(market.anchor_ms + LIST_AFTER_MS)
        self.list_coin(*NEW_COIN)
        await self._until(market.anchor_ms + DELIST_AFTER_MS)
        leaving = market.specs[market.ranked[-1]].symbol
        self.delist(leaving)
        await self._until(market.anchor_ms + DELIST_AFTER_MS + SETTLED_AFTER_MS)
        self.settle(leaving)

    async def _until(self, at_ms: int) -> None:
        while (left_ms := at_ms - self._clock.wall_ms()) > 0:
            await self._clock.sleep(left_ms / 1000.0)
