"""An HTTP server that notes what it is asked and answers as it is told."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Listener:
    """What came, and how it was answered."""

    url: str = ""
    status: int = 200
    body: dict = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path with query, and text of each request."""

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    found = Listener()

    async def answer(request: web.Request) -> web.Response:
        found.asked.append((request.method, request.path_qs, await request.text()))
        return web.json_response(found.body, status=found.status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()
