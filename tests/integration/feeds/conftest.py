"""A venue on loopback that does as it is told, and a sink that remembers."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from bot.model.updates import FeedStatus, MarkPrices, Update

MARK, TICKER = "!markPrice@arr@1s", "!miniTicker@arr"


class RecordingSink:
    def __init__(self) -> None:
        self.updates: list[Update] = []

    def put(self, update: Update) -> None:
        self.updates.append(update)

    def statuses(self, feed: str) -> list[tuple[bool, str]]:
        return [(u.live, u.reason) for u in self.updates if isinstance(u, FeedStatus) and u.feed == feed]

    def seconds(self) -> list[int]:
        return [int(u.event_ms[0]) // 1000 for u in self.updates if isinstance(u, MarkPrices)]


class OneRow:
    """Rows with a single tracked symbol."""

    generation = 1

    def row(self, symbol: str) -> int | None:
        return 0 if symbol == "BTCUSDT" else None

    def instruments(self) -> list[tuple[int, object]]:
        return []


class Venue:
    """Sends one frame of each dense stream a (fast) second; what misbehaves is set by the test."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.muted: set[str] = set()
        self.garbage = False
        self.frozen = False
        self.over = False
        self.close_after: int | None = None
        self.closes_with = 1001
        self.connections: list[ServerConnection] = []
        self.paths: list[str] = []
        self.second = 1_789_478_297
        self.server: Server | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        port = next(iter(self.server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}"

    @property
    def n_open(self) -> int:
        return sum(connection.state is State.OPEN for connection in self.connections)

    def frames(self, _connection: int) -> list[str]:
        mark = {
            "e": "markPriceUpdate", "E": self.second * 1000, "s": "BTCUSDT", "p": "76916.9", "i": "76959.6",
            "P": "77018.7", "ap": "76916.9", "r": "0.00008972", "T": 1_789_488_000_000, "st": 1,
        }  # fmt: skip
        ticker = {"e": "24hrMiniTicker", "E": self.second * 1000, "s": "BTCUSDT", "q": "13258734360.38", "st": 1}
        both = {MARK: [mark], TICKER: [ticker]}
        return [
            json.dumps({"stream": name, "data": data}, separators=(",", ":"))
            for name, data in both.items()
            if name not in self.muted
        ]

    async def handle(self, socket: ServerConnection) -> None:
        number = len(self.connections)
        self.connections.append(socket)
        self.paths.append(socket.request.path if socket.request else "")
        n = 0
        try:
            while not self.over:
                await asyncio.sleep(1 / self.speed)
                if self.frozen:
                    continue
                for frame in ["\x00{garbage"] if self.garbage else self.frames(number):
                    await socket.send(frame)
                n += 1
                if self.close_after is not None and n >= self.close_after:
                    await socket.close(self.closes_with)
                    return
        except ConnectionClosed:
            return

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(1 / self.speed)
            self.second += 1


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def rows() -> OneRow:
    return OneRow()


SPEED = 25.0


@pytest.fixture
def speed() -> float:
    return SPEED


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    venue = Venue(SPEED)
    async with serve(venue.handle, "127.0.0.1", 0, compression=None) as server:
        venue.server = server
        ticking = asyncio.create_task(venue.tick())
        yield venue
        venue.over = True
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
        for connection in venue.connections:
            connection.transport.abort()
