"""The WebSocket shell: keeps one connection to a venue alive, and says plainly when it cannot.

Promises: `Stream.run` never returns by itself and never dies of what a network or a venue does. A subscription counts as
live after its first data frame. A connection is renewed before the venue ends it, and a stream that falls silent gets a
new connection, the old one being read until the new one delivers: both feed the sink meanwhile, so duplicates may occur
and gaps do not. At most one attempt per `ATTEMPT_GAP_S`, at most two connections at a time, no task left behind on
cancellation. What a protocol wants said on a connection is said there. Never decodes a frame, never looks at a symbol.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from random import Random
from ssl import SSLContext, create_default_context
from typing import Final
from urllib.parse import urlsplit

from bot import log
from bot.clock import Clock
from bot.feeds.backoff import Backoff
from bot.feeds.connection import Connection, garbage, no_data
from bot.feeds.frames import StreamProtocol, StreamSpec
from bot.feeds.sparse import SparseWatch
from bot.feeds.trouble import Trouble, TroubleKind
from bot.feeds.watch import FeedWatch
from bot.model.ports import Sink
from bot.model.updates import FeedStatus, Update

ATTEMPT_GAP_S: Final = 1.1
"""Between the starts of two attempts; a little over a second keeps any five minutes under 300 attempts."""

_LOOK_EVERY_S: Final = 0.25
# A look that comes this late means that the process was suspended: what waits in the sockets is read first.
_SUSPENDED_MS: Final = 3000.0
# Both connections are read for this long, so that a message that reached only the old one is not lost with it.
_OVERLAP_MS: Final = 1000.0
# How long a new connection may take to deliver what the old one still delivers.
_CATCH_UP_MS: Final = 5000.0
# A venue that announces the end of each new connection at once must not be asked for one after the other.
_RENEW_AGAIN_MS: Final = 15_000.0
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


@cache
def certificates() -> SSLContext:
    """Those that this machine trusts. One for all connections: each would hold nearly a megabyte of its own, and reading them
    keeps the loop busy for 25 ms.
    """
    return create_default_context()


class _Null:
    def put(self, update: Update) -> None:
        """Drop it."""


class Pace:
    """One clock of attempts for all connections to one venue: shells that share it share the limit."""

    def __init__(self) -> None:
        self.last_ms = float("-inf")
        self.held_until_ms = float("-inf")
        """Until when the venue asked this address to stay away."""

    def is_free(self, now_ms: float) -> bool:
        return now_ms >= max(self.last_ms + ATTEMPT_GAP_S * 1000.0, self.held_until_ms)

    def hold(self, until_ms: float) -> None:
        """Begin no attempt before; never shortens what was asked for earlier."""
        self.held_until_ms = max(self.held_until_ms, until_ms)


class Stream:
    """One connection to a venue, kept alive. Which streams it carries is named in `url` or said by the protocol's session."""

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
        pace: Pace | None = None,
    ) -> None:
        """`pace` is shared by the shells of one venue; without it this one keeps its own."""
        self.url = url
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self.protocol = protocol
        self.sink = sink
        self.clock = clock
        self.first_frame_s = first_frame_s
        self.open_timeout_s = open_timeout_s
        self.close_timeout_s = close_timeout_s
        self.ssl = (ssl or certificates()) if url.startswith("wss:") else None
        self.counters = StreamCounters()
        self.trouble: Trouble | None = None
        """Why there is no healthy connection; None while there is one, and before the first attempt has ended."""
        self._garbage_ms = garbage_s * 1000.0
        self._renew_after_s = renew_after_s
        self._renew_jitter_s = renew_jitter_s
        self._random = random
        self._backoff = Backoff(random=random)
        now_ms = clock.monotonic_ms()
        self._watch = self._new_watch(now_ms)
        self._sparse = tuple(SparseWatch(spec, now_ms=now_ms) for spec in protocol.streams if spec.is_sparse)
        self._current: Connection | None = None
        self._candidate: Connection | None = None
        self._n_connections = 0
        self._renew_at_ms = 0.0
        self._next_attempt_ms = 0.0
        self._refused_until_ms = float("-inf")
        self._pace = pace or Pace()

    @property
    def is_live(self) -> bool:
        """Whether the most important stream brings data."""
        return self._watch.is_live(self.protocol.streams[0].name)

    def heard_ms(self) -> dict[str, float]:
        """When each dense feed on this connection last spoke, `Clock.monotonic_ms`; without those that have not yet."""
        return self._watch.heard_ms()

    async def run(self) -> None:
        """Stay connected until cancelled; may be called again after that."""
        looked_ms = self.clock.monotonic_ms()
        for connection in (self._current, self._candidate):
            self._let_go(connection, "the connection was given up", looked_ms)
        self._current = self._candidate = None
        self._watch = self._new_watch(looked_ms)
        async with asyncio.TaskGroup() as tasks:
            while True:
                now_ms = self.clock.monotonic_ms()
                if now_ms - looked_ms <= _SUSPENDED_MS:
                    self._look(now_ms, tasks)
                looked_ms = now_ms
                await self.clock.sleep(_LOOK_EVERY_S)

    def _gauges(self) -> tuple[StreamSpec, ...]:
        """What a protocol expects of a stream may change with what it carries."""
        return tuple(spec for spec in self.protocol.streams if not spec.is_sparse)

    def _new_watch(self, now_ms: float) -> FeedWatch:
        return FeedWatch(self._gauges(), first_frame_s=self.first_frame_s, now_ms=now_ms)

    def heard(self, connection: int, stream: str, now_ms: float) -> None:
        """Note a data frame of any connection."""
        self._tell(self._watch.heard(stream, now_ms))
        for watch in self._sparse:
            self._tell(watch.heard(connection, stream, now_ms))

    def listed(self, connection: int, streams: Collection[str], now_ms: float) -> None:
        """Note what the venue says a connection carries."""
        for watch in self._sparse:
            self._tell(watch.listed(connection, streams, now_ms))

    def _tell(self, statuses: Iterable[FeedStatus]) -> None:
        for status in statuses:
            self.sink.put(status)

    def _let_go(self, connection: Connection | None, reason: str, now_ms: float) -> None:
        """Read a connection no more."""
        if connection is not None:
            connection.stop()
            for watch in self._sparse:
                self._tell(watch.gone(connection.number, reason, now_ms))

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
            if self._pace.is_free(now_ms):
                self._attempt(purpose, now_ms, tasks)
        elif self._candidate is not None and purpose is None:
            self._let_go(self._candidate, "it was not needed", now_ms)
            self._candidate = None
        trouble = self.trouble or self._garbage()
        self._watch.follow(self._gauges(), now_ms)
        self._tell(self._watch.check(now_ms, trouble))
        for watch in self._sparse:
            self._tell(watch.check(now_ms, trouble))

    def _purpose(self, now_ms: float) -> str | None:
        """Why another connection is wanted; None when all is well."""
        if self._current is None:
            return "connect"
        if self._current.silent(now_ms):
            return "silence"
        ends_soon = self._current.ends_soon and now_ms - self._current.started_ms >= _RENEW_AGAIN_MS
        return "renewal" if ends_soon or now_ms >= self._renew_at_ms else None

    def _attempt(self, purpose: str, now_ms: float, tasks: asyncio.TaskGroup) -> None:
        self.counters.attempts += 1
        self._pace.last_ms = now_ms
        self._next_attempt_ms = now_ms + ATTEMPT_GAP_S * 1000.0
        self._n_connections += 1
        self._candidate = connection = Connection(self, purpose, self._n_connections, now_ms)
        connection.task = tasks.create_task(connection.run(), name=f"stream {self.host}")
        _log.info("stream.connecting", host=self.host, purpose=purpose)

    def _reap(self, now_ms: float) -> None:
        """Let go of connections that have ended."""
        if self._current is not None and self._current.ended is not None:
            self.counters.connections_lost += 1
            self._failed(self._current.ended, now_ms)
            self._let_go(self._current, self._current.ended.text, now_ms)
            self._current = None
        if self._candidate is not None and self._candidate.ended is not None:
            self.counters.attempts_failed += 1
            self._failed(self._candidate.ended, now_ms)
            self._let_go(self._candidate, self._candidate.ended.text, now_ms)
            self._candidate = None

    def _failed(self, trouble: Trouble, now_ms: float) -> None:
        self.trouble = trouble
        if trouble.kind in {TroubleKind.REGION, TroubleKind.FORBIDDEN}:
            self._refused_until_ms = now_ms + _REFUSED_WAIT_S * self._random.uniform(1.0, 1.05) * 1000.0
        elif trouble.kind is TroubleKind.LIMIT:
            self._pace.hold(now_ms + (trouble.retry_after_s or _LIMITED_WAIT_S) * 1000.0)
        # The end of another connection must not shorten what the venue asked for.
        asked_ms = max(self._refused_until_ms, self._pace.held_until_ms)
        self._next_attempt_ms = max(now_ms + self._backoff.next_s() * 1000.0, asked_ms)
        wait_s = round((self._next_attempt_ms - now_ms) / 1000.0, 3)
        _log.warning("stream.failed", host=self.host, kind=trouble.kind.value, text=trouble.text, next_in_s=wait_s)

    def _garbage(self) -> Trouble | None:
        """The trouble of a current connection that has brought only garbage since its last good frame."""
        if self._current is None or self._current.garbage_since_ms is None:
            return None
        return garbage(self.host)

    def _drop_garbage(self, now_ms: float) -> None:
        for connection in (self._current, self._candidate):
            since_ms = None if connection is None else connection.garbage_since_ms
            if connection is not None and since_ms is not None and now_ms - since_ms >= self._garbage_ms:
                connection.stop()
                connection.ended = connection.ended or garbage(self.host)

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
        self._let_go(old, "the connection was replaced", now_ms)
        _log.info("stream.connected", host=self.host, purpose=new.purpose)

    def _is_better(self, new: Connection, old: Connection | None, now_ms: float) -> bool:
        if new.first_ms is None or new.ended is not None:
            return False
        if old is None:
            return True
        if now_ms - new.first_ms < _OVERLAP_MS:
            return False
        is_patient = now_ms - new.first_ms <= _CATCH_UP_MS
        if is_patient and not all(watch.may_follow(new.number, old.number) for watch in self._sparse):
            return False
        specs = self.protocol.streams
        # An event stream that is silent may be so on the new connection as well; the others must be as alive as before.
        silent = set(old.silent(now_ms)) - {spec.name for spec in specs if spec.is_sparse}
        if not silent:
            return specs[0].name in new.heard_ms
        if not silent & new.heard_ms.keys():
            return False
        alive = {spec.name for spec in specs if spec.silence_s is not None and not spec.is_sparse} - silent
        return alive <= new.heard_ms.keys() or not is_patient

    def _give_up(self, now_ms: float) -> None:
        """End an attempt that opened and then brought nothing that was wanted."""
        candidate = self._candidate
        if candidate is None or candidate.opened_ms is None:
            return
        if now_ms - candidate.opened_ms <= self.first_frame_s * 1000.0:
            return
        self._candidate = None
        self.counters.attempts_failed += 1
        dense = [s for s in self.protocol.streams if s.silence_s is not None and not s.is_sparse]
        missing = " and ".join(s.feed for s in dense if s.name not in candidate.heard_ms)
        trouble = no_data(self.host, self.first_frame_s, missing if candidate.heard_ms else "")
        self._let_go(candidate, trouble.text, now_ms)
        self._failed(trouble, now_ms)


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
    connection = Connection(shell, "probe", 0, clock.monotonic_ms())
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
    return connection.ended or no_data(shell.host, timeout_s)
