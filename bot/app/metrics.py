"""Metrics in Prometheus' text format, gathered from the bot's parts when somebody asks.

Nothing is counted for the sake of metrics on the way of a price: the parts keep their few numbers, and this reads them.
The form is written by `prometheus_client`, without its registry of the whole process.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from prometheus_client import Metric, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from bot import log
from bot.app import metric_families as families
from bot.app.loop_watch import LoopWatch
from bot.app.vitals import Parts
from bot.errors import StorageError
from bot.model.outbox import Backlog

PATIENCE_S: Final = 1.0
"""For the database; what it does not answer in this time is left out."""

_log = log.get("metrics")


class Pings(Protocol):
    """What the dead-man ping counts."""

    n_sent: int
    n_failed: int
    ok_ms: float | None


@dataclass(frozen=True, slots=True)
class _Look(Collector):
    """One look at everything; `collect` is called once."""

    parts: Parts
    loop: LoopWatch
    pings: Pings | None
    pinned: Sequence[str]
    backlog: Sequence[Backlog] | None
    process: Collector

    def collect(self) -> Iterable[Metric]:
        yield from self.process.collect()
        yield from families.of_bot(self.parts)
        yield from families.of_feeds(self.parts)
        yield from families.of_rest(self.parts)
        yield from families.of_rules(self.parts)
        yield from families.of_delivery(self.parts, self.backlog)
        yield from families.of_storage(self.parts)
        yield from families.of_market(self.parts, self.pinned)
        yield from self._of_loop()

    def _of_loop(self) -> Iterator[Metric]:
        lag = self.loop.lag_s
        yield families.histogram("oibot_event_loop_lag_seconds", "How late the event loop was when asked to sign", lag)
        yield families.counter(
            "oibot_event_loop_blocked",
            "How often the event loop was blocked for longer than it may be",
            self.loop.n_blocked,
        )
        if self.pings is not None:
            sent, failed = self.pings.n_sent, self.pings.n_failed
            yield families.counter("oibot_pings", "Requests to the dead-man's switch, tried", sent)
            yield families.counter("oibot_pings_failed", "Requests to the dead-man's switch that failed", failed)


class Metrics:
    """Answers a scrape."""

    def __init__(self, parts: Parts, loop: LoopWatch, pings: Pings | None, *, pinned: Sequence[str]) -> None:
        """`pinned`: symbols with gauges of their own."""
        self._parts = parts
        self._loop = loop
        self._pings = pings
        self._pinned = tuple(pinned)
        self._process = ProcessCollector(registry=None)

    async def render(self, accept: str) -> tuple[bytes, str]:
        """Body and content type, in the newest form that the client accepts."""
        backlog = await self._backlog()
        look = _Look(self._parts, self._loop, self._pings, self._pinned, backlog, self._process)
        encode, content_type = choose_encoder(accept)
        return encode(look), content_type

    async def _backlog(self) -> list[Backlog] | None:
        clock = self._parts.clock
        try:
            async with clock.timeout(PATIENCE_S * clock.speed):
                return await self._parts.outbox.backlog()
        except (StorageError, TimeoutError) as error:
            _log.debug("metrics.outbox_unread", reason=str(error))
            return None
