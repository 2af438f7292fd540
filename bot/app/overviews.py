"""The `OverviewReader` port over a running bot."""

from collections.abc import Callable

from bot.app.live import Live
from bot.app.status import Status
from bot.delivery.lanes import LaneStatus
from bot.engine.engine import Engine
from bot.engine.overview import burning, movers
from bot.model.cards import BotStatus
from bot.model.overview import Burning, LaneGlance, Mover, Overview


class Overviews:
    """Gathers what a terminal shows."""

    def __init__(
        self, *, engine: Engine, live: Live, status: Status, lanes: Callable[[], tuple[LaneStatus, ...]]
    ) -> None:
        self._engine = engine
        self._live = live
        self._status = status
        self._lanes = lanes

    async def status(self) -> BotStatus:
        return await self._status.status()

    async def overview(self, window_ms: int, n: int) -> Overview:
        def look() -> tuple[tuple[tuple[Mover, ...], tuple[Mover, ...]], tuple[Burning, ...]]:
            return movers(self._engine, window_ms, n), burning(self._engine, n)

        (by_oi, by_price), firing = await self._live.at_tick(look)
        lanes = tuple(
            LaneGlance(one.name, one.delivered, one.retried, one.buried, one.paused_s, one.dead_reason or "")
            for one in self._lanes()
        )
        return Overview(self._engine.now_ms, window_ms, await self.status(), by_oi, by_price, firing, lanes)
