"""A network in between that misbehaves: a TCP proxy on loopback.

`async with Proxy("127.0.0.1", port) as proxy:` then let the client use `proxy.port`. What it does may change at any time
and holds for open connections too, but for `cut_after`, which counts from its setting. The honest half-open link is
`stopped`: a process that is alive, connected and silent.
"""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

CHUNK = 16_384


@dataclass
class Manner:
    """How the network behaves; the default is well."""

    delay_s: float = 0.0
    """Each chunk waits that long, in both directions."""
    bytes_per_s: float | None = None
    cut_after: int | None = None
    """Close both sides of the connection that brings so many bytes from the server, counted over all; once."""
    resets: bool = False
    """Ends are RST (`SO_LINGER` 0), not FIN."""
    refuses: bool = False
    """New connections are reset at once."""
    black_hole: bool = False
    """Accept, read nothing, pass on nothing."""


class Proxy:
    """Passes bytes between clients and one server."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self.manner = Manner()
        self.n_connections = 0
        self.n_cut = 0
        self.host = "127.0.0.1"
        self.port = 0
        self._server: asyncio.Server | None = None
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task] = set()
        self._passed = 0
        self._opened = asyncio.Event()
        self._opened.set()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def set(self, **manner) -> None:
        """Behave so from now on; without arguments, well."""
        self.manner = Manner(**manner)
        self._passed = 0
        if self.manner.black_hole:
            self._opened.clear()
        else:
            self._opened.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.break_all(resets=False)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def break_all(self, *, resets: bool = True) -> None:
        """End every open connection now."""
        for link in list(self._links):
            for writer in link:
                _end(writer, resets=resets)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        if self.manner.refuses:
            _end(writer, resets=True)
            return
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._opened.wait()
            away_reader, away_writer = await asyncio.open_connection(*self._to)
        except OSError:
            _end(writer, resets=True)
            self._tasks.discard(task)
            return
        except asyncio.CancelledError:
            _end(writer, resets=False)
            return
        link = (writer, away_writer)
        self._links.add(link)
        pumps = [
            asyncio.create_task(self._pump(reader, away_writer, counts=False)),
            asyncio.create_task(self._pump(away_reader, writer, counts=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for one in link:
                _end(one, resets=self.manner.resets)
            self._links.discard(link)
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while True:
                await self._opened.wait()
                chunk = await reader.read(CHUNK)
                if not chunk:
                    return
                await self._opened.wait()
                manner = self.manner
                if manner.delay_s:
                    await asyncio.sleep(manner.delay_s)
                if counts and manner.cut_after is not None:
                    left = manner.cut_after - self._passed
                    self._passed += len(chunk)
                    if left < len(chunk):
                        writer.write(chunk[: max(0, left)])
                        with contextlib.suppress(OSError):
                            await writer.drain()
                        self.n_cut += 1
                        self.manner = replace(manner, cut_after=None)
                        return
                if manner.bytes_per_s is None:
                    writer.write(chunk)
                    await writer.drain()
                    continue
                await self._trickle(chunk, writer)

    async def _trickle(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        step = max(1, int(self.manner.bytes_per_s / 20))
        for at in range(0, len(chunk), step):
            rate = self.manner.bytes_per_s
            writer.write(chunk[at : at + step])
            await writer.drain()
            if rate is not None:
                await asyncio.sleep(step / rate)


def _end(writer: asyncio.StreamWriter, *, resets: bool) -> None:
    if resets:
        held = writer.get_extra_info("socket")
        if held is not None:
            with contextlib.suppress(OSError):
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that is connected and silent: SIGSTOP, and SIGCONT at the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline_s = time.monotonic() + 5
        while _state(pid) != "T" and time.monotonic() < deadline_s:
            time.sleep(0.01)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()[0]
