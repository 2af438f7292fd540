"""The control endpoints of the simulator, below `/sim/` on the REST port. They are ours and cost no weight.

`POST /sim/fault` {"kind", "seconds", "stream"?, "amount"?}, `POST /sim/heal`, `POST /sim/list` {"base", "price"?},
`POST /sim/{delist,settle,resume}` {"symbol"}, `POST /sim/halt` {"symbol", "status"?}, `POST /sim/close` {"code"}, `POST /sim/shutdown`
{"seconds"} (announces the end of all connections, as the venue's spot streams do, so long before), `GET /sim/stats`, and
`POST /sim/move` {"symbol", "price_change"?, "oi_change"?, "seconds"}: a coin goes there within two seconds, stays, and comes back.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

if TYPE_CHECKING:
    from bot.sim.venue import Venue


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str = ""
    seconds: float = 60.0
    stream: str | None = None
    amount: float = 0.0
    status: str = "TRADING_HALT"
    symbol: str = ""
    base: str = ""
    price: float = 1.0
    code: int = 1001
    price_change: float = 0.0
    oi_change: float = 0.0


class Control:
    """Handlers of `/sim/`."""

    def __init__(self, venue: "Venue") -> None:
        self._venue = venue

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/sim/stats", self._stats)
        app.router.add_post("/sim/{what}", self._post)

    async def _stats(self, _request: web.Request) -> web.Response:
        return _json(self._venue.stats())

    async def _post(self, request: web.Request) -> web.Response:
        venue = self._venue
        lifecycle = venue.lifecycle

        async def fault(body: _Body) -> None:
            venue.fault(body.kind, seconds=body.seconds, stream=body.stream, amount=body.amount)

        async def heal(_body: _Body) -> None:
            venue.heal()

        async def close(body: _Body) -> None:
            await venue.hub.close(body.code)

        async def shutdown(body: _Body) -> None:
            venue.shut_down(body.seconds)

        async def halt(body: _Body) -> None:
            lifecycle.halt(body.symbol, body.status)

        async def list_coin(body: _Body) -> None:
            lifecycle.list_coin(body.base, body.price)

        async def move(body: _Body) -> None:
            venue.move(body.symbol, price=body.price_change, oi=body.oi_change, seconds=body.seconds)

        async def change(body: _Body) -> None:
            changes = {"delist": lifecycle.delist, "settle": lifecycle.settle}
            changes.get(request.match_info["what"], lifecycle.resume)(body.symbol)

        actions: dict[str, Callable[[_Body], Awaitable[None]]] = {
            "fault": fault, "heal": heal, "close": close, "shutdown": shutdown, "list": list_coin, "move": move,
            "delist": change, "settle": change, "halt": halt, "resume": change,
        }  # fmt: skip
        action = actions.get(request.match_info["what"])
        if action is None:
            return _json({"error": f"expected one of {', '.join(actions)}"}, 404)
        raw = await request.read()
        try:
            await action(msgspec.json.decode(raw or b"{}", type=_Body))
        except (msgspec.MsgspecError, ValueError) as error:
            return _json({"error": str(error)}, 400)
        except KeyError as error:
            return _json({"error": f"no such symbol: {error}"}, 404)
        return _json({"ok": True})


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
