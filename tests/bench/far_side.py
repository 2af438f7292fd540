"""The other ends of rows 10 and 11, as processes of their own that note the time of every message.

Times are `time.monotonic_ns`, which all processes of a machine share.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

Pushes = Sequence[tuple[bytes, ...]]


@contextmanager
def started(target: Any, *arguments: Any) -> Iterator[Connection]:
    """Runs `target(connection, *arguments)` in another process; yields our end of the connection."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.terminate()
        process.join()


def push_frames(connection: Connection, per_second: float) -> None:
    """A market stream: receives the pushes, tells its port, sends them in pace to the first client, tells when."""
    asyncio.run(_push_frames(connection, connection.recv(), per_second))


async def _push_frames(connection: Connection, pushes: Pushes, per_second: float) -> None:
    sent_ns: list[int] = []
    done = asyncio.Event()

    async def stream(client: ServerConnection) -> None:
        start = time.monotonic()
        for k, frames in enumerate(pushes):
            await asyncio.sleep(max(0.0, start + k / per_second - time.monotonic()))
            sent_ns.append(time.monotonic_ns())
            for frame in frames:
                await client.send(frame, text=True)
        done.set()
        await client.wait_closed()

    async with serve(stream, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None) as server:
        connection.send(server.sockets[0].getsockname()[1])
        await done.wait()
        connection.send(sent_ns)
        await asyncio.sleep(60)


class _ChatConnection(asyncio.Protocol):
    """Enough of HTTP/1.1 to answer one client that keeps its connection and names its lengths."""

    def __init__(self, arrived_ns: list[int]) -> None:
        self._arrived_ns = arrived_ns
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._arrived_ns.append(time.monotonic_ns())
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        lines = head.decode("latin-1").lower().split("\r\n")[1:]
        length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
        if len(body) < length:
            return
        self._buffer = b""
        n = len(self._arrived_ns)
        message = {"message_id": n, "date": 1_700_000_000, "chat": {"id": 1, "type": "private"}, "text": "x"}
        answer = json.dumps({"id": str(n), "ok": True, "result": message}).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
        )


def chat(connection: Connection) -> None:
    """Stands in for Telegram and Discord: tells its port, then, each time it is asked, when requests arrived."""
    asyncio.run(_chat(connection))


async def _chat(connection: Connection) -> None:
    arrived_ns: list[int] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _ChatConnection(arrived_ns), "127.0.0.1", 0)
    async with server:
        connection.send(server.sockets[0].getsockname()[1])
        asked = asyncio.Event()
        loop.add_reader(connection.fileno(), asked.set)
        while True:
            await asked.wait()
            asked.clear()
            try:
                connection.recv()
            except EOFError:
                return
            connection.send(list(arrived_ns))
