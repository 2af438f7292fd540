"""The simulated venue: Binance's USDⓈ-M protocol over REST and WebSocket on one loopback port.

It enforces the published limits and shapes, tells one consistent story from a seeded market, and misbehaves on
request. It promises that nothing it does needs the outside world. It keeps no secrets and must not be exposed.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from aiohttp import web

from bot import log
from bot.clock import Clock, SystemClock
from bot.sim import events
from bot.sim.control import Control
from bot.sim.faults import Faults
from bot.sim.lifecycle import Lifecycle
from bot.sim.market import Market
from bot.sim.rest import PAGE, Rest
from bot.sim.streams import Hub
from bot.sim.ticker import Ticker

_MOVE_S = 2.0

_log = log.get("sim.venue")


class Venue:
    """A running venue: `async with Venue(...) as venue: venue.rest_url, venue.stream_url`."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        seed: int = 1,
        n_instruments: int = 120,
        host: str = "127.0.0.1",
        port: int = 0,
        script: bool = True,
    ) -> None:
        """Prepare a venue. Without `script` no event follows the first subscriber and nobody is listed or delisted."""
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._host = host
        self._port = port
        self.faults = Faults()
        self.market = Market(seed=seed, n_instruments=n_instruments, start_ms=self.clock.wall_ms(), script=script)
        self.hub = Hub(clock=self.clock, faults=self.faults)
        self.rest = Rest(market=self.market, clock=self.clock, faults=self.faults)
        self.ticker = Ticker(market=self.market, clock=self.clock, hub=self.hub)
        self.lifecycle = Lifecycle(market=self.market, clock=self.clock, hub=self.hub, scheduled=script)
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._thaw_at_ms: int | None = None
        self._close_at_ms: int | None = None

    @property
    def rest_url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def stream_url(self) -> str:
        return f"ws://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        now_ms = self.clock.wall_ms()
        prices = self.market.prices(now_ms)
        self.market.volumes_24h(now_ms)
        self.market.day_ranges(prices, now_ms)
        app = web.Application()
        Control(self).add_to(app)
        app.router.add_route("*", "/{rest:.*}", self._dispatch)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self._host, self._port)
        await site.start()
        self._port = runner.addresses[0][1]
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._tasks = [group.create_task(task) for task in (self.ticker.run(), self.lifecycle.run(), self._thaw())]
        _log.info("venue.started", rest=self.rest_url, instruments=len(self.market.specs))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hub.close()
        for task in self._tasks:
            task.cancel()
        await self._stack.__aexit__(None, None, None)
        _log.info("venue.stopped", ticks=self.ticker.n_ticks, skipped=self.ticker.n_skipped)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await self.rest.handle(request)
        parts = [part for part in request.path.split("/") if part]
        route = parts.pop(0) if parts and parts[0] in {"market", "public", "private"} else "unrouted"
        mode = parts.pop(0) if parts else ""
        if mode not in {"ws", "stream"}:
            return web.Response(status=404)
        now_ms = self.clock.wall_ms()
        refused = next((f for f in self.faults.listed(now_ms) if f.kind.startswith("ws_")), None)
        if refused is not None:
            self.hub.n_refused += 1
            headers = (
                {"Retry-After": str(max(1, -((now_ms - refused.until_ms) // 1000)))} if refused.kind == "ws_429" else {}
            )
            return web.Response(status=int(refused.kind[3:]), text=PAGE, content_type="text/html", headers=headers)
        combined = mode == "stream"
        names = request.query.get("streams", "").split("/") if combined else parts
        return await self.hub.handle(request, route, combined=combined, streams=[n for n in names if n])

    # Misbehaviour

    def fault(self, kind: str, *, seconds: float = 60.0, stream: str | None = None, amount: float = 0.0) -> None:
        """Switch a fault on; kinds are listed in `bot.sim.faults`.

        Raises:
            ValueError: there is no such kind.
        """
        now_ms = self.clock.wall_ms()
        self.faults.start(kind, now_ms, seconds, stream, amount=amount)
        if kind in {"418", "418_plain"}:
            self.rest.limits_of(self._host).ban(now_ms, int(seconds * 1000))
        elif kind == "reset":
            self.hub.reset_all()
        elif kind == "half_open":
            self.hub.freeze_all()
            self._thaw_at_ms = now_ms + int(seconds * 1000)
        _log.info("fault.started", kind=kind, seconds=seconds, stream=stream)

    def shut_down(self, seconds: float) -> None:
        """Announce the end of all connections, and end them so many seconds later."""
        self.hub.announce_shutdown()
        self._close_at_ms = self.clock.wall_ms() + int(seconds * 1000)

    def heal(self) -> None:
        """Switch every fault off, bans too."""
        self.faults.stop()
        for address in (self._host,):
            self.rest.limits_of(address).ban(0, 0)
        self.hub.thaw_all()
        self._thaw_at_ms = None

    async def _thaw(self) -> None:
        while True:
            await self.clock.sleep(1.0)
            if self._thaw_at_ms is not None and self.clock.wall_ms() >= self._thaw_at_ms:
                self._thaw_at_ms = None
                self.hub.thaw_all()
            if self._close_at_ms is not None and self.clock.wall_ms() >= self._close_at_ms:
                self._close_at_ms = None
                await self.hub.close(announced=True)

    def move(self, symbol: str, *, price: float = 0.0, oi: float = 0.0, seconds: float = 60.0) -> None:
        """Move one coin by these ratios now, back after that long; there and back take two seconds each.

        Raises:
            KeyError: there is no such symbol.
            ValueError: nothing would be left.
        """
        if price <= -1 or oi <= -1:
            raise ValueError(f"expected changes above -1, got {min(price, oi)}")
        row, now_ms = self.market.rows[symbol], self.clock.wall_ms()
        self.market.move(events.move(now_ms, row, price=price, oi=oi, rise_s=_MOVE_S, hold_s=seconds, fall_s=_MOVE_S))

    # What happened

    def stats(self) -> dict[str, object]:
        """Return the counters a test or an operator may want."""
        limits = self.rest.limit_stats
        now_ms = self.clock.wall_ms()
        return {
            "venue_ms": now_ms,
            "anchor_ms": self.market.anchor_ms,
            "instruments": len(self.market.specs),
            "requests": dict(self.rest.requests),
            "errors": dict(self.rest.errors),
            "weight_per_minute": {str(minute): used for minute, used in limits.weight_per_minute.items()},
            "max_used_weight": limits.max_used_weight,
            "max_data_5m": limits.max_data_5m,
            "max_funding_5m": limits.max_funding_5m,
            "n_429": limits.n_429,
            "n_418": limits.n_418,
            "n_in_ban": limits.n_in_ban,
            "n_connected": self.hub.n_connected,
            "n_refused": self.hub.n_refused,
            "n_dropped_slow": self.hub.n_dropped_slow,
            "n_closed_flood": self.hub.n_closed_flood,
            "n_ticks": self.ticker.n_ticks,
            "n_skipped": self.ticker.n_skipped,
            "faults": [{"kind": f.kind, "until_ms": f.until_ms, "stream": f.stream} for f in self.faults.listed(now_ms)],
            "clients": [
                {
                    "number": c.number, "route": c.route, "streams": sorted(c.streams), "combined": c.combined,
                    "opened_ms": c.opened_ms, "n_sent": c.n_sent, "n_received": c.n_received,
                    "n_pongs": c.n_pongs,
                }
                for c in self.hub.clients.values()
            ],
        }  # fmt: skip


async def serve(
    *,
    stop: asyncio.Event,
    clock: Clock | None = None,
    seed: int = 1,
    n_instruments: int = 120,
    host: str = "127.0.0.1",
    port: int = 0,
    script: bool = True,
) -> None:
    """Run a venue until `stop` is set. Prints where it listens: `rest URL` and `stream URL`, one line each."""
    async with Venue(clock=clock, seed=seed, n_instruments=n_instruments, host=host, port=port, script=script) as venue:
        print(f"rest {venue.rest_url}\nstream {venue.stream_url}", flush=True)  # noqa: T201 - a parent process reads these two lines
        await stop.wait()
