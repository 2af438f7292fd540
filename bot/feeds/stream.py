"""The WebSocket shell: keeps one connection to a venue alive, and says plainly when it cannot.

Promises: `Stream.run` never returns by itself and never dies of what a network or a venue does. A subscription counts as
live after its first data frame. A connection is renewed before the venue ends it, and a stream that falls silent gets a
new connection, the old one being read until the new one delivers: both feed the sink meanwhile, so duplicates may occur
and gaps do not. At most one attempt per `ATTEMPT_GAP_S`, at most two connections at a time, no task left behind on
cancellation. Never sends a request, never decodes a frame, never looks at a symbol.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from ssl import SSLContext
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bot import log
from bot.clock import Clock
from bot.feeds.backoff import Backoff
from bot.feeds.frames import StreamProtocol
from bot.feeds.trouble import Trouble, TroubleKind, from_exception, from_status
from bot.feeds.watch import FeedWatch
from bot.model.ports import Sink
from bot.model.updates import Update

ATTEMPT_GAP_S: Final = 1.1
"""Between the starts of two attempts; a little over a second keeps any five minutes under 300 attempts."""

_MAX_FRAME_BYTES: Final = 8 * 2**20
_LOOK_EVERY_S: Final = 0.25
# A look that comes this late means that the process was suspended: what waits in the sockets is read first.
_SUSPENDED_MS: Final = 3000.0
# Both connections are read for this long, so that a message that reached only the old one is not lost with it.
_OVERLAP_MS: Final = 1000.0
# How long a new connection may take to deliver what the old one still delivers.
_CATCH_UP_MS: Final = 5000.0
_REFUSED_WAIT_S: Final = 3600.0
_LIMITED_WAIT_S: Final = 60.0

_log = log.get("stream")


@dataclass(slots=True)
class StreamCounters:
    """What happened to the connections since the start."""

    attempts: int = 0
    attempts_failed: int = 0
    connections: int = 0
    """How many came to carry data."""
    renewals: int = 0
    connections_lost: int = 0
    frames_failed: int = 0
    """Frames on which our own code failed; always a fault of ours."""


class _Null:
    def put(self, update: Update) -> None:
        """Drop it."""


class _Connection:
    """One socket from its attempt to its end. `run` returns when it is over and says why in `ended`."""

    def __init__(self, shell: "Stream", purpose: str, started_ms: float) -> None:
        self._shell = shell
        self.purpose = purpose
        self.started_ms = started_ms
        self.opened_ms: float | None = None
        self.first_ms: float | None = None
        """When its first data frame came."""
        self.heard_ms: dict[str, float] = {}
        self.garbage_since_ms: float | None = None
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
            while True:
                self._take(await socket.recv(decode=False))
        except ConnectionClosed as error:
            self.ended = _closed(error, shell.host)
        finally:
            await socket.close()

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
            shell.heard(received.stream, now_ms)
        elif not received.readable and self.garbage_since_ms is None:
            self.garbage_since_ms = now_ms
            _log.warning("frame.unreadable", size=len(frame))
        if received.error:
            _log.warning("stream.complained", text=received.error)

    def silent(self, now_ms: float) -> list[str]:
        """The dense streams that have been quiet for too long on this connection."""
        if self.opened_ms is None:
            return []
        quiet: list[str] = []
        for spec in self._shell.protocol.streams:
            if spec.silence_s is None:
                continue
            heard_ms = self.heard_ms.get(spec.name)
            limit_s = self._shell.first_frame_s if heard_ms is None else spec.silence_s
            if now_ms - (self.opened_ms if heard_ms is None else heard_ms) > limit_s * 1000.0:
                quiet.append(spec.name)
        return quiet

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Stream:
    """One venue's streams. `url` names them all, so that nothing has to be subscribed."""

    def __init__(
        self,
        *,
        url: str,
        protocol: StreamProtocol,
        sink: Sink,
        clock: Clock,
        random: Random,
        first_frame_s: float = 10.0,
        garbage_s: float = 10.0,
        renew_after_s: float = 23 * 3600.0,
        renew_jitter_s: float = 1800.0,
        open_timeout_s: float = 10.0,
        close_timeout_s: float = 1.0,
        ssl: SSLContext | None = None,
    ) -> None:
        self.url = url
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self.protocol = protocol
        self.sink = sink
        self.clock = clock
        self.first_frame_s = first_frame_s
        self.open_timeout_s = open_timeout_s
        self.close_timeout_s = close_timeout_s
        self.ssl: SSLContext | bool | None = (ssl or True) if url.startswith("wss:") else None
        self.counters = StreamCounters()
        self.trouble: Trouble | None = None
        """Why there is no healthy connection; None while there is one, and before the first attempt has ended."""
        self._garbage_ms = garbage_s * 1000.0
        self._renew_after_s = renew_after_s
        self._renew_jitter_s = renew_jitter_s
        self._random = random
        self._backoff = Backoff(random=random)
        self._watch = FeedWatch(protocol.streams, first_frame_s=first_frame_s, now_ms=clock.monotonic_ms())
        self._current: _Connection | None = None
        self._candidate: _Connection | None = None
        self._renew_at_ms = 0.0
        self._next_attempt_ms = 0.0
        self._last_attempt_ms = float("-inf")

    @property
    def is_live(self) -> bool:
        """Whether the most important stream brings data."""
        return self._watch.is_live(self.protocol.streams[0].name)

    async def run(self) -> None:
        """Stay connected until cancelled; may be called again after that."""
        self._current = self._candidate = None
        self._watch = FeedWatch(
            self.protocol.streams, first_frame_s=self.first_frame_s, now_ms=self.clock.monotonic_ms()
        )
        async with asyncio.TaskGroup() as tasks:
            looked_ms = self.clock.monotonic_ms()
            while True:
                now_ms = self.clock.monotonic_ms()
                if now_ms - looked_ms <= _SUSPENDED_MS:
                    self._look(now_ms, tasks)
                looked_ms = now_ms
                await self.clock.sleep(_LOOK_EVERY_S)

    def heard(self, stream: str, now_ms: float) -> None:
        """Note a data frame of any connection."""
        for status in self._watch.heard(stream, now_ms):
            self.sink.put(status)

    def _look(self, now_ms: float, tasks: asyncio.TaskGroup) -> None:
        """One round of decisions. Nothing here waits."""
        self._drop_garbage(now_ms)
        self._reap(now_ms)
        self._promote(now_ms)
        self._give_up(now_ms)
        purpose = self._purpose(now_ms)
        if purpose in {None, "renewal"}:
            self.trouble = None
        if self._candidate is None and purpose is not None and now_ms >= self._next_attempt_ms:
            self._attempt(purpose, now_ms, tasks)
        elif self._candidate is not None and purpose is None:
            self._candidate.stop()
            self._candidate = None
        for status in self._watch.check(now_ms, self.trouble or self._garbage()):
            self.sink.put(status)

    def _purpose(self, now_ms: float) -> str | None:
        """Why another connection is wanted; None when all is well."""
        if self._current is None:
            return "connect"
        if self._current.silent(now_ms):
            return "silence"
        return "renewal" if now_ms >= self._renew_at_ms else None

    def _attempt(self, purpose: str, now_ms: float, tasks: asyncio.TaskGroup) -> None:
        self.counters.attempts += 1
        self._last_attempt_ms = now_ms
        self._next_attempt_ms = now_ms + ATTEMPT_GAP_S * 1000.0
        self._candidate = connection = _Connection(self, purpose, now_ms)
        connection.task = tasks.create_task(connection.run(), name=f"stream {self.host}")
        _log.info("stream.connecting", host=self.host, purpose=purpose)

    def _reap(self, now_ms: float) -> None:
        """Let go of connections that have ended."""
        if self._current is not None and self._current.ended is not None:
            self.counters.connections_lost += 1
            self._failed(self._current.ended, now_ms)
            self._current = None
        if self._candidate is not None and self._candidate.ended is not None:
            self.counters.attempts_failed += 1
            self._failed(self._candidate.ended, now_ms)
            self._candidate = None

    def _failed(self, trouble: Trouble, now_ms: float) -> None:
        self.trouble = trouble
        if trouble.kind in {TroubleKind.REGION, TroubleKind.FORBIDDEN}:
            wait_s = _REFUSED_WAIT_S * self._random.uniform(1.0, 1.05)
        else:
            wait_s = self._backoff.next_s()
            if trouble.kind is TroubleKind.LIMIT:
                wait_s = max(wait_s, trouble.retry_after_s or _LIMITED_WAIT_S)
        self._next_attempt_ms = max(now_ms + wait_s * 1000.0, self._last_attempt_ms + ATTEMPT_GAP_S * 1000.0)
        _log.warning("stream.failed", host=self.host, kind=trouble.kind.value, text=trouble.text, next_in_s=wait_s)

    def _garbage(self) -> Trouble | None:
        """The trouble of a current connection that has brought only garbage since its last good frame."""
        if self._current is None or self._current.garbage_since_ms is None:
            return None
        return _garbage(self.host)

    def _drop_garbage(self, now_ms: float) -> None:
        for connection in (self._current, self._candidate):
            since_ms = None if connection is None else connection.garbage_since_ms
            if connection is not None and since_ms is not None and now_ms - since_ms >= self._garbage_ms:
                connection.stop()
                connection.ended = connection.ended or _garbage(self.host)

    def _promote(self, now_ms: float) -> None:
        """Put the candidate in the place of the current connection once it is the better one."""
        new, old = self._candidate, self._current
        if new is None or not self._is_better(new, old, now_ms):
            return
        self._current, self._candidate = new, None
        self.counters.connections += 1
        self.counters.renewals += old is not None
        self.trouble = None
        self._backoff.reset()
        jitter_s = self._random.uniform(-self._renew_jitter_s, self._renew_jitter_s)
        self._renew_at_ms = new.started_ms + (self._renew_after_s + jitter_s) * 1000.0
        if old is not None:
            old.stop()
        _log.info("stream.connected", host=self.host, purpose=new.purpose)

    def _is_better(self, new: _Connection, old: _Connection | None, now_ms: float) -> bool:
        if new.first_ms is None or new.ended is not None:
            return False
        if old is None:
            return True
        if now_ms - new.first_ms < _OVERLAP_MS:
            return False
        silent = old.silent(now_ms)
        if not silent:
            return self.protocol.streams[0].name in new.heard_ms
        if not any(name in new.heard_ms for name in silent):
            return False
        alive = {spec.name for spec in self.protocol.streams if spec.silence_s is not None} - set(silent)
        return alive <= new.heard_ms.keys() or now_ms - new.first_ms > _CATCH_UP_MS

    def _give_up(self, now_ms: float) -> None:
        """End an attempt that opened and then brought nothing that was wanted."""
        candidate = self._candidate
        if candidate is None or candidate.opened_ms is None:
            return
        if now_ms - candidate.opened_ms <= self.first_frame_s * 1000.0:
            return
        candidate.stop()
        self._candidate = None
        self.counters.attempts_failed += 1
        missing = [
            s.feed for s in self.protocol.streams if s.silence_s is not None and s.name not in candidate.heard_ms
        ]
        self._failed(_no_data(self.host, self.first_frame_s, missing if candidate.heard_ms else []), now_ms)


async def probe(
    *, url: str, protocol: StreamProtocol, clock: Clock, timeout_s: float = 10.0, ssl: SSLContext | None = None
) -> Trouble | None:
    """Connect once and wait for one data frame. None when it came, else what stands in the way."""
    shell = Stream(
        url=url,
        protocol=protocol,
        sink=_Null(),
        clock=clock,
        random=Random(0),  # noqa: S311 - an attempt that is not repeated draws no delay
        open_timeout_s=timeout_s,
        first_frame_s=timeout_s,
        ssl=ssl,
    )
    connection = _Connection(shell, "probe", clock.monotonic_ms())
    async with asyncio.TaskGroup() as tasks:
        connection.task = tasks.create_task(connection.run(), name=f"probe {shell.host}")
        with contextlib.suppress(TimeoutError):
            async with clock.timeout(2 * timeout_s):
                while connection.ended is None and not connection.heard_ms:
                    opened_ms = connection.opened_ms
                    if opened_ms is not None and clock.monotonic_ms() - opened_ms > timeout_s * 1000.0:
                        break
                    await clock.sleep(_LOOK_EVERY_S)
        connection.stop()
    if connection.heard_ms:
        return None
    return connection.ended or _no_data(shell.host, timeout_s)


def _no_data(host: str, seconds: float, missing: Sequence[str] = ()) -> Trouble:
    what = " and ".join(missing) or "data"
    text = f"{host} accepted the connection, but no {what} came within {seconds:.0f} s: the route is wrong or blocked"
    return Trouble(TroubleKind.NO_DATA, text)


def _garbage(host: str) -> Trouble:
    return Trouble(TroubleKind.GARBAGE, f"{host} sends nothing readable")


def _closed(error: ConnectionClosed, host: str) -> Trouble:
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
