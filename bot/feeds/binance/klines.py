"""Bars of traded volume as they close, for the instruments whose rules need them.

Promises: subscriptions follow the needs, on connections of their own, at most `KLINES_PER_CONNECTION` each; an instrument
stays on its connection while it is needed. Every minute without a bar is asked for over REST: after a gap between two
bars, and where none comes at all, so a contract in which nobody trades has its empty minutes too. One feed status speaks
for all connections: live while each of them is, or lacks nothing as REST brings the bars of its few contracts.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Final
from weakref import WeakSet

from bot.clock import Clock
from bot.feeds.binance.constants import FIRST_FRAME_S, KLINE_SUFFIX, KLINES_PER_CONNECTION, STREAM_PATH
from bot.feeds.binance.decoding import UNREADABLE
from bot.feeds.binance.envelope import MESSAGE, SHUTDOWN_EVENT, request
from bot.feeds.binance.flows import BAR_MS, FlowCounters, KlineReader, is_running
from bot.feeds.frames import Received, StreamSpec
from bot.feeds.stream import Pace, Stream
from bot.model.ports import PollNeed, Rows, Sink
from bot.model.updates import Bars, FeedStatus, Update

FEED: Final = "klines"

_NAMES_PER_MESSAGE: Final = 100
# A few contracts may rightly be quiet for a minute or two; that many together are not quiet for seconds.
_MANY: Final = 30
_SILENCE_S: Final = 20.0
_QUIET_S: Final = 150.0
_LOOK_EVERY_S: Final = 5.0
_LATE_MS: Final = 80_000
"""A bar is due a minute after the one before it; twenty seconds later something is wrong."""
_ASK_AGAIN_MS: Final = 55_000
# Where the stream fails as a whole, REST cannot replace it: then each gap is filled more rarely.
_A_FEW: Final = 60
_ASK_AGAIN_MANY_MS: Final = 300_000
_SUBSCRIBE_AGAIN_MS: Final = 300_000
_STOOD_IN_MS: Final = 200_000
"""Bars that REST brings are asked for within 85 s of the one before, and then once a minute."""

_STILL: Final = Received(stream=FEED)


def stream_of(symbol: str) -> str:
    """The venue's name of a symbol's one-minute bars."""
    return f"{symbol.lower()}{KLINE_SUFFIX}"


class KlineProtocol:
    """What one connection carries."""

    def __init__(self, rows: Rows, counters: FlowCounters) -> None:
        self.wanted: set[str] = set()
        """Symbols whose bars should come."""
        self._counters = counters
        self._reader = KlineReader(rows, counters)
        self._sessions: WeakSet[KlineSession] = WeakSet()
        """Of the connections that are open: each holds its own."""

    @property
    def silence_s(self) -> float:
        return _SILENCE_S if len(self.wanted) >= _MANY else _QUIET_S

    @property
    def streams(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(FEED, FEED, self.silence_s),)

    def session(self) -> "KlineSession":
        session = KlineSession(self.wanted)
        self._sessions.add(session)
        return session

    def again(self, symbol: str) -> None:
        """Subscribe to a symbol once more: its bars don't come."""
        for session in self._sessions:
            session.asked.discard(symbol)

    def receive(self, frame: bytes | str, received_ms: float) -> Received:
        body = frame.encode("utf-8", "replace") if isinstance(frame, str) else frame
        if is_running(body):
            self._counters.frames_running += 1
            return _STILL
        found = self._reader.frame(body, received_ms)
        if isinstance(found, Bars):
            return Received((found,), FEED)
        return _STILL if found else self._other(body)

    @staticmethod
    def _other(body: bytes) -> Received:
        try:
            message = MESSAGE.decode(body)
            return Received(error=message.complaint, ends_soon=message.e == SHUTDOWN_EVENT)
        except UNREADABLE:
            return Received(readable=False)


class KlineSession:
    """What one connection has been told. `wanted` is shared with the protocol and changes."""

    def __init__(self, wanted: set[str]) -> None:
        self.asked: set[str] = set()
        self._wanted = wanted
        self._n = 0

    def message(self) -> str | None:
        for method, symbols in (("SUBSCRIBE", self._wanted - self.asked), ("UNSUBSCRIBE", self.asked - self._wanted)):
            if symbols:
                batch = sorted(symbols)[:_NAMES_PER_MESSAGE]
                self.asked.symmetric_difference_update(batch)
                self._n += 1
                return request(method, [stream_of(symbol) for symbol in batch], self._n)
        return None


class _Block:
    """One connection and its place among the others. It is the sink of its stream."""

    def __init__(
        self, feed: "KlineFeed", stream_of_block: Callable[["_Block"], Stream], protocol: KlineProtocol
    ) -> None:
        self._feed = feed
        self.protocol = protocol
        self.status: FeedStatus | None = None
        self.stream = stream_of_block(self)
        self.task: asyncio.Task[None] | None = None

    def put(self, update: Update) -> None:
        if isinstance(update, FeedStatus):
            self.status = update
            self._feed.tell(update.received_ms)
        elif isinstance(update, Bars):
            self._feed.take(update)


class KlineFeed:
    """`want` says what is needed, `run` keeps it coming."""

    def __init__(
        self,
        *,
        url: str,
        clock: Clock,
        rows: Rows,
        sink: Sink,
        random: Random,
        pace: Pace,
        venue_now: Callable[[], int],
        on_gap: Callable[[str, float], None],
    ) -> None:
        """`url` is scheme and host. `on_gap` gets a symbol and for how long it has had no closed bar, in ms."""
        self._url = f"{url.rstrip('/')}{STREAM_PATH}"
        self._clock = clock
        self._rows = rows
        self._sink = sink
        self._random = random
        self._pace = pace
        self._venue_now = venue_now
        self._on_gap = on_gap
        self.counters = FlowCounters()
        self._blocks: list[_Block] = []
        self._symbols: dict[int, str] = {}
        self._closes: dict[str, int] = {}
        self._asked_ms: dict[str, int] = {}
        self._streamed_ms: dict[str, int] = {}
        """When the stream last brought a bar, or the symbol was subscribed to; venue time."""
        self._since_ms: dict[str, int] = {}
        """Since when the symbol is followed; venue time."""
        self._live: bool | None = None

    @property
    def n_wanted(self) -> int:
        return len(self._symbols)

    @property
    def streams(self) -> list[Stream]:
        """One per connection that is wanted; for counters."""
        return [block.stream for block in self._blocks]

    @property
    def n_connections(self) -> int:
        """Connections that are wanted."""
        return len(self._blocks)

    def want(self, needs: Sequence[PollNeed]) -> None:
        """Follow these needs from now on."""
        self._symbols = {need.row: need.symbol for need in needs if need.trading and need.flow_window_ms > 0}
        wanted = set(self._symbols.values())
        now_ms = self._venue_now()
        self._streamed_ms = {symbol: self._streamed_ms.get(symbol, now_ms) for symbol in wanted}
        self._since_ms = {symbol: self._since_ms.get(symbol, now_ms) for symbol in wanted}
        # A contract that leaves a scope and comes back lacks what closed meanwhile; one that is gone lacks nothing.
        for known in (self._closes, self._asked_ms):
            for symbol in [s for s in known if s not in wanted and self._rows.row(s) is None]:
                del known[symbol]
        for block in self._blocks:
            block.protocol.wanted &= wanted
        self._thin_out(len(wanted))
        missing = sorted(wanted.difference(*(block.protocol.wanted for block in self._blocks)))
        while missing:
            room = [block for block in self._blocks if len(block.protocol.wanted) < KLINES_PER_CONNECTION]
            block = room[0] if room else self._add()
            n = KLINES_PER_CONNECTION - len(block.protocol.wanted)
            block.protocol.wanted.update(missing[:n])
            del missing[:n]
        for block in self._blocks:
            block.stream.first_frame_s = max(FIRST_FRAME_S, block.protocol.silence_s)

    def start_afresh(self) -> None:
        """The venue's clock went back, or windows are filled anew: what is dated ahead means nothing any more."""
        now_ms = self._venue_now()
        self._closes = {symbol: close_ms for symbol, close_ms in self._closes.items() if close_ms <= now_ms}
        self._asked_ms.clear()
        self._streamed_ms = dict.fromkeys(self._streamed_ms, now_ms)
        self._since_ms = dict.fromkeys(self._since_ms, now_ms)

    def _thin_out(self, n_wanted: int) -> None:
        """Give up connections that are empty, or of which there are more than needed; their symbols move."""
        most = -(-n_wanted // KLINES_PER_CONNECTION) + 1
        by_size = sorted(self._blocks, key=lambda block: len(block.protocol.wanted))
        for block in by_size:
            if not block.protocol.wanted or len(self._blocks) > most:
                self._blocks.remove(block)
                if block.task is not None:
                    block.task.cancel()
        self.tell(self._clock.monotonic_ms())

    def _add(self) -> _Block:
        protocol = KlineProtocol(self._rows, self.counters)

        def stream(block: _Block) -> Stream:
            return Stream(
                url=self._url,
                protocol=protocol,
                sink=block,
                clock=self._clock,
                random=self._random,
                pace=self._pace,
                first_frame_s=_QUIET_S,
            )

        block = _Block(self, stream, protocol)
        self._blocks.append(block)
        return block

    async def run(self) -> None:
        """Keep the connections until cancelled."""
        for block in self._blocks:
            block.task = None
        async with asyncio.TaskGroup() as tasks:
            while True:
                for block in self._blocks:
                    if block.task is None:
                        block.task = tasks.create_task(block.stream.run(), name="klines")
                self._look()
                await self._clock.sleep(_LOOK_EVERY_S)

    # Bars

    def take(self, bars: Bars) -> None:
        """A bar of the stream."""
        close_ms = int(bars.close_ms[-1])
        symbol = self._symbols.get(int(bars.rows[-1]))
        if symbol is not None:
            last_ms = self._closes.get(symbol)
            if last_ms is not None and close_ms - last_ms > BAR_MS:
                self._ask(symbol, close_ms - last_ms)
            self.closed(symbol, close_ms)
            self._streamed_ms[symbol] = close_ms
        self._sink.put(bars)

    def closed(self, symbol: str, close_ms: int) -> None:
        """Bars of that symbol are known up to this time, wherever they came from."""
        self._closes[symbol] = max(close_ms, self._closes.get(symbol, 0))

    def _look(self) -> None:
        """Ask for what should have come by now."""
        now_ms = self._venue_now()
        known = ((s, self._closes[s]) for s in self._streamed_ms if s in self._closes)
        late = {s: now_ms - last_ms for s, last_ms in known if now_ms - last_ms > _LATE_MS}
        again_ms = _ASK_AGAIN_MS if len(late) <= _A_FEW else _ASK_AGAIN_MANY_MS
        for symbol, age_ms in late.items():
            if now_ms - self._asked_ms.get(symbol, 0) >= again_ms:
                self._ask(symbol, age_ms)
        for symbol, last_ms in self._streamed_ms.items():
            if now_ms - last_ms > _SUBSCRIBE_AGAIN_MS:
                self._streamed_ms[symbol] = now_ms
                for block in self._blocks:
                    block.protocol.again(symbol)
        self.tell(self._clock.monotonic_ms())

    def _ask(self, symbol: str, gap_ms: float) -> None:
        self._asked_ms[symbol] = self._venue_now()
        self._on_gap(symbol, gap_ms)

    # Is it alive

    def tell(self, now_ms: float) -> None:
        """One connection changed: say what that means for all."""
        states = [block.status for block in self._blocks]
        mute = [block for block in self._blocks if block.status is not None and not block.status.live]
        lost = next((block.status for block in mute if not self._is_stood_in(block)), None)
        if lost is not None:
            live, reason = False, lost.reason
        elif states and all(states):
            live, reason = True, f"bars of {self.n_wanted} instruments are coming in"
        elif not states and self._live is False:
            live, reason = True, "no rule needs it"
        else:
            return
        if live is not self._live:
            self._live = live
            self._sink.put(FeedStatus(FEED, live, reason, now_ms))

    def _is_stood_in(self, block: _Block) -> bool:
        """Whether a connection of a few contracts, which may rightly be quiet, lacks nothing: REST brings its bars."""
        wanted = block.protocol.wanted
        late_ms = self._venue_now() - _STOOD_IN_MS
        # Of a newcomer none can be there yet; but only with bars a feed comes to life.
        since_ms = self._since_ms if self._live else {}
        known = (max(self._closes.get(s, 0), since_ms.get(s, 0)) for s in wanted)
        return len(wanted) < _MANY and all(known_ms >= late_ms for known_ms in known)
