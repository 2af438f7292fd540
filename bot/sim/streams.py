"""The stream side of the venue: WebSocket connections, their subscriptions, and the broadcast of payloads.

Routes as the venue has them today: `/market`, `/public` and `/private` serve their own streams; the old unrouted
`/ws` and `/stream` accept, acknowledge and stay silent for ever. A stream name in the wrong case is accepted and
silent. Ping frames every three minutes, dropped without a pong in ten, closed at 24 hours, ten incoming messages a
second, 1024 streams per connection. A reader that falls behind is dropped, as one slow client must not hold the tick.
"""

import asyncio
import contextlib
import re
import socket
import struct
from collections import deque
from collections.abc import Iterable

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from bot import log
from bot.clock import Clock
from bot.sim.damage import Damage
from bot.sim.faults import Faults

PING_EVERY_S = 180.0
PONG_WITHIN_MS = 600_000
LIFETIME_S = 86_400.0
MAX_STREAMS = 1024
MAX_IN_PER_SECOND = 10
TRICKLE_BYTES = 16
MAX_WAITING_BYTES = 32 * 2**20

_log = log.get("sim.streams")

_MARKET_STREAM = re.compile(
    r"^(!markPrice@arr(@1s)?|!miniTicker@arr|!ticker@arr|!contractInfo|!forceOrder@arr"
    r"|[^!@]+@(markPrice(@1s)?|miniTicker|ticker|forceOrder|kline_1m|aggTrade))$"
)


def is_served(route: str, stream: str) -> bool:
    """Whether data ever flows for this name on this route."""
    symbol = stream.split("@", 1)[0]
    return route == "market" and bool(_MARKET_STREAM.match(stream)) and (symbol[:1] == "!" or symbol == symbol.lower())


class Client:
    """One connection."""

    def __init__(self, number: int, ws: web.WebSocketResponse, request: web.Request, route: str, now_ms: int) -> None:
        self.number = number
        self.ws = ws
        self.route = route
        self.combined = False
        self.streams: set[str] = set()
        self.address = request.remote or ""
        self.opened_ms = now_ms
        self.pong_ms = now_ms
        self.n_sent = 0
        self.n_received = 0
        self.n_pongs = 0
        self.half_open = False
        self.is_announced = False
        """Whether it was there when the end of all connections was announced."""
        self.transport = request.transport
        self.waiting: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.n_waiting_bytes = 0
        self.incoming_ms: deque[int] = deque()

    def put(self, payload: bytes, *, is_text: bool = True) -> bool:
        """Queue one frame; False when the client is too far behind."""
        if self.n_waiting_bytes + len(payload) > MAX_WAITING_BYTES:
            return False
        self.n_waiting_bytes += len(payload)
        self.waiting.put_nowait((payload, is_text))
        return True

    def reset(self) -> None:
        """End the connection with RST."""
        if self.transport is None or self.transport.is_closing():
            return
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # the other side may have ended it in this moment
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Hub:
    """All connections."""

    def __init__(self, *, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self.clients: dict[int, Client] = {}
        self.n_connected = 0
        self.n_dropped_slow = 0
        self.n_closed_flood = 0
        self.n_refused = 0
        self._damage = Damage(faults)

    async def handle(
        self, request: web.Request, route: str, *, combined: bool, streams: Iterable[str]
    ) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        now_ms = self._clock.wall_ms()
        if route == "market" and self._faults.active("wrong_route", now_ms):
            route = "unrouted"
        ws = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=65_536)
        await ws.prepare(request)
        self.n_connected += 1
        client = Client(self.n_connected, ws, request, route, now_ms)
        client.combined = combined
        client.streams.update(self._heeded(streams, now_ms))
        self.clients[client.number] = client
        _log.debug("client.connected", number=client.number, path=request.path)
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(self._send(client)), tasks.create_task(self._keep(client))]
                with contextlib.suppress(ConnectionError):
                    await self._read(client)
                for helper in helpers:
                    helper.cancel()
        finally:
            self.clients.pop(client.number, None)
        return ws

    async def _read(self, client: Client) -> None:
        async for message in client.ws:
            if client.half_open:
                continue
            client.n_received += 1
            if self._is_flood(client):
                self.n_closed_flood += 1
                await client.ws.close(code=WSCloseCode.POLICY_VIOLATION, message=b"Too many requests")
                return
            if message.type is WSMsgType.PING:
                if self._faults.active("no_pong", self._clock.wall_ms()):
                    continue
                await client.ws.pong(message.data)
            elif message.type is WSMsgType.PONG:
                client.pong_ms = self._clock.wall_ms()
                client.n_pongs += 1
            elif message.type is WSMsgType.TEXT:
                client.put(msgspec.json.encode(self._control(client, message.data)))
            else:
                return

    def _is_flood(self, client: Client) -> bool:
        now_ms = self._clock.wall_ms()
        times = client.incoming_ms
        times.append(now_ms)
        while times[0] <= now_ms - 1000:
            times.popleft()
        return len(times) > MAX_IN_PER_SECOND

    async def _send(self, client: Client) -> None:
        try:
            while True:
                payload, is_text = await client.waiting.get()
                client.n_waiting_bytes -= len(payload)
                if client.half_open:
                    continue
                if self._faults.active("trickle", self._clock.wall_ms()):
                    await self._trickle(client, payload)
                else:
                    await client.ws.send_frame(payload, WSMsgType.TEXT if is_text else WSMsgType.BINARY)
                client.n_sent += 1
        except ConnectionError:
            client.reset()

    async def _trickle(self, client: Client, payload: bytes) -> None:
        """Write one frame by hand, a few bytes at a time, until the fault is over."""
        transport = client.transport
        if not isinstance(transport, asyncio.Transport):
            return
        frame = b"\x81\x7f" + struct.pack("!Q", len(payload)) + payload
        for k in range(0, len(frame), TRICKLE_BYTES):
            if not self._faults.active("trickle", self._clock.wall_ms()):
                transport.write(frame[k:])
                return
            transport.write(frame[k : k + TRICKLE_BYTES])
            await self._clock.sleep(0.25)

    async def _keep(self, client: Client) -> None:
        try:
            while True:
                await self._clock.sleep(PING_EVERY_S)
                now_ms = self._clock.wall_ms()
                if client.half_open:
                    continue
                if now_ms - client.pong_ms > PONG_WITHIN_MS:
                    client.reset()
                elif now_ms - client.opened_ms >= LIFETIME_S * 1000:
                    await client.ws.close(code=WSCloseCode.GOING_AWAY)
                else:
                    await client.ws.ping(str(now_ms).encode())
        except ConnectionError:
            client.reset()

    def _heeded(self, streams: Iterable[str], now_ms: int) -> list[str]:
        """The streams that a subscription really brings."""
        return [name for name in streams if not self._faults.active("deaf", now_ms, name)]

    # Control frames

    def _control(self, client: Client, text: str) -> object:
        try:
            asked = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            return {"code": 3, "msg": f"Invalid JSON: {error}"}
        if not isinstance(asked, dict):
            return {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}
        number = asked.get("id")
        if "id" in asked and not _is_request_id(number):
            return {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"}
        params = asked.get("params", [])
        match asked.get("method"):
            case "SUBSCRIBE" if _is_names(params):
                if len(client.streams | set(params)) > MAX_STREAMS:
                    return {"code": 2, "msg": "Invalid request: too many subscriptions", "id": number}
                client.streams.update(self._heeded(params, self._clock.wall_ms()))
            case "UNSUBSCRIBE" if _is_names(params):
                client.streams.difference_update(params)
            case "LIST_SUBSCRIPTIONS":
                return {"result": sorted(client.streams), "id": number}
            case "SET_PROPERTY":
                if len(params) != 2 or params[0] != "combined" or not isinstance(params[1], bool):
                    return {"code": 2, "msg": "Invalid request: unknown property", "id": number}
                client.combined = params[1]
            case "GET_PROPERTY":
                return {"result": client.combined, "id": number}
            case _:
                return {"code": 2, "msg": "Invalid request: unknown variant", "id": number}
        return {"result": None, "id": number}

    # Broadcast

    def wanted(self) -> set[str]:
        """Return the streams for which data is worth making now."""
        found: set[str] = set()
        for client in self.clients.values():
            if client.route == "market" and not client.half_open:
                found.update(client.streams)
        return {name for name in found if is_served("market", name)}

    def broadcast(self, stream: str, payload: str) -> int:
        """Send one payload to everyone who asked for that stream; returns to how many."""
        now_ms = self._clock.wall_ms()
        return sum(self._send_all(stream, made) for made in self._damage.of(stream, payload, now_ms))

    def _send_all(self, stream: str, payload: str | bytes) -> int:
        is_text = isinstance(payload, str)
        raw = payload.encode() if isinstance(payload, str) else payload
        enveloped: bytes | None = None
        n = 0
        for client in list(self.clients.values()):
            if client.route != "market" or stream not in client.streams:
                continue
            if client.combined and is_text:
                enveloped = enveloped or b'{"stream":%b,"data":%b}' % (msgspec.json.encode(stream), raw)
                sent = client.put(enveloped)
            else:
                sent = client.put(raw, is_text=is_text)
            if not sent and not client.half_open:
                self.n_dropped_slow += 1
                client.reset()
            n += sent
        return n

    # Faults

    def reset_all(self) -> int:
        """End every connection with RST; returns how many."""
        found = list(self.clients.values())
        for client in found:
            client.reset()
        return len(found)

    def freeze_all(self) -> None:
        """Neither read from nor write to the connections that are open now."""
        for client in self.clients.values():
            client.half_open = True
            if isinstance(client.transport, asyncio.Transport):
                client.transport.pause_reading()

    def thaw_all(self) -> None:
        """Close what was frozen: after such a spell the venue has forgotten them."""
        for client in list(self.clients.values()):
            if client.half_open:
                client.reset()

    def announce_shutdown(self) -> None:
        """Tell the connections that are open now that they will be closed soon."""
        payload = msgspec.json.encode({"e": "serverShutdown", "E": self._clock.wall_ms()})
        for client in self.clients.values():
            client.is_announced = True
            client.put(payload)

    async def close(self, code: int = WSCloseCode.GOING_AWAY, *, announced: bool = False) -> None:
        """Close every connection with that code, or only those to which it was announced."""
        for client in list(self.clients.values()):
            if announced and not client.is_announced:
                continue
            try:
                async with self._clock.timeout(self._clock.speed):
                    await client.ws.close(code=code)
            except (TimeoutError, ConnectionError):
                client.reset()


def _is_names(params: object) -> bool:
    return isinstance(params, list) and all(isinstance(name, str) for name in params)


def _is_request_id(number: object) -> bool:
    # The page says unsigned integers only; the venue's own connector sends UUIDs, so text passes as well.
    return isinstance(number, str) or (isinstance(number, int) and not isinstance(number, bool) and number >= 0)
