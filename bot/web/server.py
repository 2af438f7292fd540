"""A small HTTP server: `/healthz`, `/readyz` and `/metrics`.

`/healthz` answers as long as the event loop turns, without details. `/readyz` says whether the bot does its work, with
reasons. A web page that a browser on the same machine has open could reach a loopback address under a name of its
own; so only known host names are answered.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from bot import log
from bot.clock import Clock
from bot.model.readiness import Readiness
from bot.web.site import Site

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
STOP_S: Final = 0.5
RETRY_S: Final = 60.0
"""When the address is taken."""
MAX_BODY: Final = 4_096
_FIGURES: Final = ("/healthz", "/readyz", "/metrics")

_log = log.get("web")


class Server:
    """`run` is a component."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        hosts: Collection[str],
        readiness: Callable[[], Readiness],
        metrics: Callable[[str], Awaitable[tuple[bytes, str]]],
        clock: Clock,
        site: Site | None = None,
        on_listening: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`hosts`: further names that requests may use. `metrics` gets what the client accepts, and returns body and type.
        `site`: pages beside them. `on_listening` gets the port.
        """
        self._host = host
        self._port = port
        self._hosts = frozenset(h.lower() for h in (*LOOPBACK, host, *hosts))
        self._readiness = readiness
        self._metrics = metrics
        self._clock = clock
        self._site = site
        self._on_listening = on_listening
        self.port: int | None = None
        """Where it listens; None while it does not."""

    async def run(self) -> None:
        """Serve until cancelled; an address that is taken is tried again each minute."""
        is_said = False
        while True:
            try:
                async with self._listening():
                    await asyncio.Event().wait()
            except OSError as error:
                if not is_said:
                    at = f"{self._host}:{self._port}"
                    _log.error("web.not_listening", at=at, reason=error.strerror or str(error), fix="OIBOT_WEB__PORT")
                is_said = True
            await self._clock.sleep(RETRY_S)

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        app.on_response_prepare.append(self._sign)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._scrape)
        if self._site is not None:
            app.router.add_routes(self._site.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S / self._clock.speed, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            self.port = int(runner.addresses[0][1])
            _log.info("web.listening", host=self._host, port=self.port)
            self._on_listening(self.port)
            yield
        finally:
            self.port = None
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if _name(request.host) not in self._hosts:
            _log.warning("web.refused", host=request.host[:100], fix="OIBOT_WEB__HOSTS")
            answer: web.StreamResponse = web.Response(status=421, text="unknown host name; see OIBOT_WEB__HOSTS\n")
        else:
            try:
                answer = await self._answer(request, handler)
            except web.HTTPException as error:
                answer = web.Response(status=error.status, text=f"{error.reason}\n")
        return answer

    async def _sign(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Headers of every answer, also of those that are sent in parts."""
        answer.headers["Server"] = "oibot"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers.setdefault("Cache-Control", "no-cache" if request.path.startswith("/static/") else "no-store")

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Figures are open to whoever reaches them; pages have a door of their own."""
        if self._site is None or request.path in _FIGURES:
            return await handler(request)
        return await self._site.guard(request, handler)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        found = self._readiness()
        body = msgspec.json.encode({"ready": found.is_ready, "reasons": found.reasons, "notes": found.notes})
        return web.Response(status=200 if found.is_ready else 503, body=body + b"\n", content_type="application/json")

    async def _scrape(self, request: web.Request) -> web.Response:
        body, content_type = await self._metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


def _name(host: str) -> str:
    """The name of a Host header without its port, lower case."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]
