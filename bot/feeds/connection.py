"""One WebSocket connection, from its attempt to its end; `bot.feeds.stream` decides when there is one.

Promises: `run` returns only when the connection is over, and says why in `ended`. Frames are read one by one and handed to
the protocol; what the protocol wants to say is sent at most every `SEND_EVERY_S`, far below what venues allow.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bot import log
from bot.feeds.trouble import Trouble, TroubleKind, from_exception, from_status

if TYPE_CHECKING:
    from bot.feeds.stream import Stream

SEND_EVERY_S: Final = 0.5

_MAX_FRAME_BYTES: Final = 8 * 2**20
_NEXT_ADDRESS_S: Final = 0.25

_log = log.get("stream")


class Connection:
    """One socket."""

    def __init__(self, shell: "Stream", purpose: str, number: int, started_ms: float) -> None:
        self._shell = shell
        self.purpose = purpose
        self.number = number
        self.started_ms = started_ms
        self.opened_ms: float | None = None
        self.first_ms: float | None = None
        """When its first data frame came."""
        self.heard_ms: dict[str, float] = {}
        self.garbage_since_ms: float | None = None
        self.ends_soon = False
        """Whether the venue said that it will close it."""
        self.ended: Trouble | None = None
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        shell = self._shell
        try:
            async with shell.clock.timeout(shell.open_timeout_s):
                socket = await self._open()
        except InvalidStatus as error:
            self.ended = from_status(error.response.status_code, shell.host, _retry_after_s(error))
            return
        except (OSError, TimeoutError, EOFError, WebSocketException) as error:
            self.ended = from_exception(error, shell.host)
            return
        self.opened_ms = shell.clock.monotonic_ms()
        try:
            async with asyncio.TaskGroup() as tasks:
                talk = tasks.create_task(self._talk(socket))
                self.ended = await self._listen(socket)
                talk.cancel()
        finally:
            await socket.close()

    async def _listen(self, socket: ClientConnection) -> Trouble:
        try:
            while True:
                self._take(await socket.recv(decode=False))
        except ConnectionClosed as error:
            return closed(error, self._shell.host)

    async def _talk(self, socket: ClientConnection) -> None:
        shell = self._shell
        session = shell.protocol.session()
        with contextlib.suppress(ConnectionClosed):  # the reader says why
            while True:
                text = session.message()
                if text is not None:
                    await socket.send(text)
                await shell.clock.sleep(SEND_EVERY_S)

    async def _open(self) -> ClientConnection:
        shell = self._shell
        return await connect(
            shell.url,
            compression=None,
            max_size=_MAX_FRAME_BYTES,
            open_timeout=None,
            # Half-open connections are found by silence; a keepalive of ours only closes healthy ones when we are busy.
            ping_interval=None,
            close_timeout=shell.close_timeout_s / shell.clock.speed,
            user_agent_header="oibot",
            ssl=shell.ssl,
            # An address that swallows packets (IPv6 that leads nowhere) must not use up the time of the others.
            happy_eyeballs_delay=_NEXT_ADDRESS_S / shell.clock.speed,
        )

    def _take(self, frame: bytes) -> None:
        shell = self._shell
        now_ms = shell.clock.monotonic_ms()
        try:
            received = shell.protocol.receive(frame, now_ms)
        except Exception:  # noqa: BLE001 - a fault of ours in one frame must not cost the connection
            shell.counters.frames_failed += 1
            _log.exception("frame.failed", size=len(frame))
            return
        for update in received.updates:
            shell.sink.put(update)
        if received.stream is not None:
            self.heard_ms[received.stream] = now_ms
            self.first_ms = now_ms if self.first_ms is None else self.first_ms
            self.garbage_since_ms = None
            shell.heard(self.number, received.stream, now_ms)
        elif not received.readable and self.garbage_since_ms is None:
            self.garbage_since_ms = now_ms
            _log.warning("frame.unreadable", size=len(frame))
        if received.listed is not None:
            shell.listed(self.number, received.listed, now_ms)
        if received.ends_soon:
            _log.info("stream.ends_soon", host=shell.host)
            self.ends_soon = True
        if received.error:
            _log.warning("stream.complained", text=received.error)

    def silent(self, now_ms: float) -> list[str]:
        """The streams that have been quiet for too long on this connection."""
        if self.opened_ms is None:
            return []
        quiet: list[str] = []
        for spec in self._shell.protocol.streams:
            if spec.silence_s is None:
                continue
            heard_ms = self.heard_ms.get(spec.name)
            has_deadline = heard_ms is None and not spec.is_sparse
            limit_s = self._shell.first_frame_s if has_deadline else spec.silence_s
            if now_ms - (self.opened_ms if heard_ms is None else heard_ms) > limit_s * 1000.0:
                quiet.append(spec.name)
        return quiet

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()


def no_data(host: str, seconds: float, missing: str = "") -> Trouble:
    """The trouble of a connection that opened and stayed empty."""
    text = f"no {missing or 'data'} came within {seconds:.0f} s: the route is wrong or blocked"
    return Trouble(TroubleKind.NO_DATA, f"{host} accepted the connection, but {text}")


def garbage(host: str) -> Trouble:
    return Trouble(TroubleKind.GARBAGE, f"{host} sends nothing readable")


def closed(error: ConnectionClosed, host: str) -> Trouble:
    """What a closed connection says of itself; code 1006 is our own word for an end without a closing frame."""
    theirs, ours = error.rcvd, error.sent
    if theirs is not None:
        detail = f"code {theirs.code} {theirs.reason}".strip()
        return Trouble(TroubleKind.CLOSED, f"{host} closed the connection ({detail})")
    if ours is not None:
        detail = f"code {ours.code} {ours.reason}".strip()
        return Trouble(TroubleKind.CLOSED, f"the connection to {host} had to be closed ({detail})")
    return Trouble(TroubleKind.CLOSED, f"the connection to {host} broke off (code 1006)")


def _retry_after_s(error: InvalidStatus) -> float | None:
    value = error.response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None
