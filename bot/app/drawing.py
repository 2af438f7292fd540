"""Charts, put together: the drawing process, where its data comes from, and the desk at which delivery orders pictures.

An alert's chart is wanted by several destinations at about the same time: it is drawn once and kept for a minute. When more are
wanted than can be drawn, the newest go without.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bot import log
from bot.app.charting import ChartSource
from bot.app.live import Live
from bot.charts.studio import Studio
from bot.chat.chart_actions import ChartActions
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.feeds.binance.feed import BinanceFeed
from bot.feeds.binance.past import PastReader
from bot.model.chart_ports import ChartMaker, ChartReader, VenuePast
from bot.model.charts import ChartData, NoPicture, Picture
from bot.model.charts import Drawing as Drawn
from bot.model.past import PastDesk
from bot.model.ports import MarketReader
from bot.model.view import AlertView
from bot.settings_sections import ChartsSection

MAX_WANTED: Final = 16
KEPT: Final = 16
KEPT_MS: Final = 60_000.0

_log = log.get("charts")

OnReady = Callable[[bytes | None], None]


async def draw_once(data: Drawn, *, clock: Clock, folder: Path) -> Picture | NoPicture:
    """One picture by a process of its own, for commands. `folder`: where lists of fonts are kept."""
    studio = Studio(clock=clock, cache_dir=folder)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(studio.run(), name="charts")
        await clock.sleep(0)
        found = await studio.draw(data)
        running.cancel()
    return found


class PictureDesk:
    """The `AlertPictures` port. `run` has to be running."""

    def __init__(self, *, clock: Clock, maker: ChartMaker) -> None:
        self._clock = clock
        self._maker = maker
        self._wanted: OrderedDict[tuple[str, int], tuple[AlertView, list[OnReady]]] = OrderedDict()
        self._drawn: OrderedDict[tuple[str, int], tuple[float, bytes]] = OrderedDict()
        self._arrived = asyncio.Event()
        self.data_of: Callable[[AlertView], Awaitable[ChartData | NoPicture]] | None = None
        """Set once there is a market; until then nothing is drawn."""
        self.n_refused = 0

    def want(self, view: AlertView, on_ready: OnReady) -> None:
        key = view.short_id, view.fired_ms
        if (kept := self._drawn.get(key)) is not None and self._clock.monotonic_ms() - kept[0] <= KEPT_MS:
            on_ready(kept[1])
        elif (same := self._wanted.get(key)) is not None:
            same[1].append(on_ready)
        elif self.data_of is None or len(self._wanted) >= MAX_WANTED:
            self.n_refused += 1
            on_ready(None)
        else:
            self._wanted[key] = view, [on_ready]
            self._arrived.set()

    async def run(self) -> None:
        """Draw what is wanted, one after the other, until cancelled."""
        while True:
            while self._wanted:
                key, (view, _) = next(iter(self._wanted.items()))
                png: bytes | None = None
                try:
                    png = await self._draw(view)
                finally:
                    # Whoever asked meanwhile is among them.
                    _, asked = self._wanted.pop(key)
                    for on_ready in asked:
                        on_ready(png)
                if png is not None:
                    now_ms = self._clock.monotonic_ms()
                    for old in [known for known, (at_ms, _) in self._drawn.items() if now_ms - at_ms > KEPT_MS]:
                        del self._drawn[old]
                    self._drawn[key] = now_ms, png
                    while len(self._drawn) > KEPT:
                        self._drawn.popitem(last=False)
            self._arrived.clear()
            await self._arrived.wait()

    async def _draw(self, view: AlertView) -> bytes | None:
        assert self.data_of is not None
        try:
            data = await self.data_of(view)
            found = data if isinstance(data, NoPicture) else await self._maker.draw(data)
        except Exception:  # noqa: BLE001, one chart; the alert is told already
            _log.exception("chart.crashed", symbol=view.symbol[:40])
            return None
        if isinstance(found, NoPicture):
            _log.info("chart.none", symbol=view.symbol[:40], reason=found.reason)
            return None
        return found.png


class Drawing:
    """One per bot; `studio`, `desk` and `source` are None where charts are switched off."""

    def __init__(self, settings: ChartsSection, *, clock: Clock, folder: Path) -> None:
        """`folder`: where the drawing process keeps what it may."""
        self._zone, self._clock = settings.zone, clock
        self.studio = Studio(clock=clock, cache_dir=folder) if settings.enabled else None
        self.desk = PictureDesk(clock=clock, maker=self.studio) if self.studio is not None else None
        self.source: ChartSource | None = None
        self.data: ChartReader | None = None
        """What charts are made of, for whoever draws them without us."""
        self.venue: VenuePast | None = None
        """Once connected."""

    def connect(self, engine: Engine, live: Live, feed: BinanceFeed, stored: PastDesk) -> None:
        """Once there is a market to read; what it has not seen is asked of the history and of the venue."""
        self.venue = past = PastReader(client=feed.client, clock=self._clock, venue_now=live.venue_now)
        self.data = source = ChartSource(engine=engine, live=live, past=past, desk=stored, zone=self._zone)
        if self.desk is not None:
            self.source = source
            self.desk.data_of = source.of_alert

    @property
    def components(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What has to run, by name."""
        if self.studio is None or self.desk is None:
            return {}
        return {"charts": self.studio.run, "alert charts": self.desk.run}

    def actions(self, market: MarketReader) -> ChartActions | None:
        """What answers `/chart`, where there are charts."""
        return None if self.source is None else ChartActions(market, self.source)

    @property
    def local(self) -> tuple[ChartReader, ChartMaker] | None:
        """For this machine's own commands."""
        return None if self.source is None or self.studio is None else (self.source, self.studio)
