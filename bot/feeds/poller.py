"""The open-interest poller: one for all users, knows no venue.

Promises: polls leave evenly, by the intervals of `bot.feeds.schedule`; each sample carries the interval at which its
instrument was scheduled and the time of its own answer; an answer older than the last one is dropped. A contract that
does not trade is left alone until the venue's list says it does, an unknown symbol until the list changes or half an hour
later still names it: a listing may be polled before the venue knows it everywhere. The feed is
called lost when the median instrument is older than 2.5 of its polls, or at once when the venue shuts us out, and live
again when that is over. Never raises for what a venue does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bot import log
from bot.clock import Clock
from bot.feeds.gate import Failure
from bot.feeds.schedule import TAIL_MS, Schedule, Slot, intervals
from bot.model.instrument import Instrument
from bot.model.ports import PollNeed, Rows, Sink
from bot.model.updates import FeedStatus, OpenInterest, Progress

FEED: Final = "open interest"
PLAN_EVERY_S: Final = 60.0
POLLS_VALID: Final = 2.5
GAP_MS: Final = 450_000.0
"""Longer than this without a sample, and the venue's 5-minute history fills the gap."""

UNKNOWN_AGAIN_MS: Final = 1_800_000.0

_LOOK_EVERY_S: Final = 2.0
_FIRST_ANSWER_MS: Final = 15_000.0
_WORKERS: Final = 6

_log = log.get("poller")


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: base units and the venue's own time of it."""

    amount: float
    venue_ms: int
    """No later than now, as far as now is known."""
    dated_ms: int
    """As the venue said: after the machine slept that tells it first."""


@dataclass(frozen=True, slots=True)
class Polling:
    """What the poller may use now: polls per minute on average, and how fast they may leave."""

    per_minute: float
    peak_per_minute: float
    tail_ms: int = TAIL_MS
    """The interval that everyone gets."""


@dataclass(slots=True)
class PollCounters:
    """What came of the polls since the start."""

    samples: int = 0
    failures: int = 0
    older: int = 0
    """Answers that were older than the one before."""
    dropped: int = 0
    """Symbols that were left alone for a while."""


@dataclass(frozen=True, slots=True)
class PollHealth:
    """How far the polls are behind."""

    n_polled: int
    """How many instruments are polled."""
    lateness: float | None
    """Age of open interest over the interval at which it is polled: four fifths of the instruments are at or below it.
    None while the first sweep is under way."""
    cycle_s: float | None
    """How long the last round took in which everyone was polled; None before the first has ended."""


@dataclass(slots=True)
class _Last:
    at_ms: float
    interval_ms: int
    venue_ms: int


class OpenInterestPoller:
    """`run` polls for ever once `begin` was called."""

    def __init__(
        self,
        *,
        clock: Clock,
        rows: Rows,
        sink: Sink,
        needs: Callable[[], Sequence[PollNeed]],
        fetch: Callable[[str], Awaitable[Sample | Failure]],
        polling: Callable[[], Polling],
        failure: Callable[[], Failure | None],
        on_gap: Callable[[str], None] = lambda _: None,
        on_drop: Callable[[], None] = lambda: None,
    ) -> None:
        """`failure` tells why calls fail at present, `on_drop` that a symbol of the list is not polled any more."""
        self._clock = clock
        self._rows = rows
        self._sink = sink
        self._needs = needs
        self._fetch = fetch
        self._polling = polling
        self._failure = failure
        self._on_gap = on_gap
        self._on_drop = on_drop
        self.counters = PollCounters()
        self.last_sample_ms: float | None = None
        """When the newest sample came, `Clock.monotonic_ms`."""
        self.swept = asyncio.Event()
        """Set once everything was polled for the first time."""
        self._begun = asyncio.Event()
        self._replan = asyncio.Event()
        self._turn = asyncio.Lock()
        self._schedule = Schedule()
        self._order: tuple[int, ...] = ()
        self._to_sweep: set[int] = set()
        self._n_sweep = 0
        self._to_poll: set[int] = set()
        self._round_ms: float | None = None
        self._cycle_s: float | None = None
        self._last: dict[str, _Last] = {}
        self._n_clocks = 0
        self._planned_ms: dict[str, float] = {}
        self._busy: set[int] = set()
        self._halted: set[str] = set()
        self._unknown: dict[str, float] = {}
        """Since when, `Clock.monotonic_ms`."""
        self._symbols: frozenset[str] = frozenset()
        self._live: bool | None = None
        self._told: str | None = None
        self._started_ms = clock.monotonic_ms()

    def begin(self, order: Iterable[int]) -> None:
        """Start with one sweep over these rows, in this order."""
        self._order = tuple(order)
        self._begun.set()
        self._replan.set()

    def replan(self) -> None:
        """The budget or the instruments changed: look again at who is polled how often."""
        self._replan.set()

    def listed(self, instruments: Iterable[Instrument]) -> None:
        """The venue's list is new: what it calls trading is polled again."""
        trading, symbols = set(), set()
        for instrument in instruments:
            symbols.add(instrument.symbol)
            if instrument.is_trading:
                trading.add(instrument.symbol)
        self._halted -= trading
        since_ms = self._clock.monotonic_ms() - UNKNOWN_AGAIN_MS
        self._unknown = {s: at_ms for s, at_ms in self._unknown.items() if s not in trading or at_ms > since_ms}
        if self._symbols != symbols:
            self._symbols = frozenset(symbols)
            self._unknown.clear()
            for gone in self._last.keys() - symbols:
                del self._last[gone]
        self._replan.set()

    def start_afresh(self) -> None:
        """The venue's clock went back: what was answered before it did dates nothing any more."""
        self._n_clocks += 1
        for last in self._last.values():
            last.venue_ms = 0

    async def run(self) -> None:
        """Poll until cancelled."""
        self._busy.clear()
        self._started_ms = self._clock.monotonic_ms()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._plan())
            tasks.create_task(self._look())
            for _ in range(_WORKERS):
                tasks.create_task(self._work())

    # Who and when

    async def _plan(self) -> None:
        await self._begun.wait()
        generation = -1
        planned_ms = float("-inf")
        while True:
            now_ms = self._clock.monotonic_ms()
            due = now_ms - planned_ms >= PLAN_EVERY_S * 1000.0
            if due or self._replan.is_set() or self._rows.generation != generation:
                self._replan.clear()
                generation, planned_ms = self._rows.generation, now_ms
                self._set_plan(now_ms)
            await self._clock.sleep(1.0)

    def _set_plan(self, now_ms: float) -> None:
        away = self._halted | self._unknown.keys()
        needs = [need for need in self._needs() if need.symbol not in away]
        polling = self._polling()
        slots = intervals(needs, polling.per_minute, tail_ms=polling.tail_ms)
        self._schedule.set_plan(slots, per_minute=polling.peak_per_minute, now_ms=now_ms)
        symbols = {slot.symbol for slot in slots}
        self._planned_ms = {symbol: self._planned_ms.get(symbol, now_ms) for symbol in symbols}
        if self._order and slots:
            first = [row for row in self._order if self._schedule.slot(row) is not None]
            self._order = ()
            self._to_sweep = set(first)
            self._n_sweep = len(first)
            self._schedule.poll_first(first, now_ms)
        rows = {slot.row for slot in slots}
        self._to_sweep &= rows
        self._to_poll &= rows
        self._swept(None)

    def _swept(self, row: int | None) -> None:
        self._to_sweep.discard(-1 if row is None else row)
        if not self._n_sweep or self.swept.is_set():
            return
        done = self._n_sweep - len(self._to_sweep)
        if done % 10 == 0 or done == self._n_sweep:
            self._sink.put(Progress(FEED, done, self._n_sweep))
        if done == self._n_sweep:
            self.swept.set()

    def _count_round(self, row: int) -> None:
        """A round is over when everyone was polled since it began."""
        self._to_poll.discard(row)
        if self._to_poll:
            return
        now_ms = self._clock.monotonic_ms()
        if self._round_ms is not None:
            self._cycle_s = (now_ms - self._round_ms) / 1000.0
        self._round_ms = now_ms
        self._to_poll = {slot.row for slot in self._schedule.slots}

    # One poll

    async def _work(self) -> None:
        while True:
            async with self._turn:
                slot = await self._next()
            try:
                await self._poll(slot)
            finally:
                self._busy.discard(slot.row)
                self._swept(slot.row)
                self._count_round(slot.row)

    async def _next(self) -> Slot:
        while True:
            found = self._schedule.pop(self._clock.monotonic_ms())
            if isinstance(found, Slot):
                if found.row not in self._busy:
                    self._busy.add(found.row)
                    return found
            else:
                await self._clock.sleep(found)

    async def _poll(self, slot: Slot) -> None:
        n_clocks = self._n_clocks
        outcome = await self._fetch(slot.symbol)
        if isinstance(outcome, Failure):
            self.counters.failures += 1
            if outcome.kind in {"not_trading", "unknown_symbol"}:
                self._drop(slot.symbol, outcome)
            return
        row = self._rows.row(slot.symbol)
        if row is None or n_clocks != self._n_clocks:
            return
        now_ms = self._clock.monotonic_ms()
        last = self._last.get(slot.symbol)
        if last is not None and outcome.venue_ms < last.venue_ms:
            self.counters.older += 1
            return
        self._last[slot.symbol] = _Last(now_ms, slot.interval_ms, outcome.venue_ms)
        self.last_sample_ms = now_ms
        self.counters.samples += 1
        self._sink.put(OpenInterest(row, outcome.amount, outcome.dated_ms, slot.interval_ms, now_ms))
        if last is not None and now_ms - last.at_ms > GAP_MS:
            self._on_gap(slot.symbol)

    def _drop(self, symbol: str, failure: Failure) -> None:
        if symbol in self._halted or symbol in self._unknown:
            return
        if failure.kind == "not_trading":
            self._halted.add(symbol)
        else:
            self._unknown[symbol] = self._clock.monotonic_ms()
        self.counters.dropped += 1
        _log.info("symbol.dropped", symbol=symbol, reason=failure.text)
        self._on_drop()
        self._replan.set()

    # Is it alive

    def health(self) -> PollHealth:
        """How it stands now; reads every slot, so not to be asked at each tick."""
        lateness = sorted(self._lateness(self._clock.monotonic_ms())) if self.swept.is_set() else []
        late = lateness[min(len(lateness) * 4 // 5, len(lateness) - 1)] if lateness else None
        return PollHealth(len(self._schedule), late, self._cycle_s)

    def _lateness(self, now_ms: float) -> list[float]:
        """Of each instrument: age of its sample, or of the wish for one, over the interval at which it is polled."""
        found: list[float] = []
        for slot in self._schedule.slots:
            last = self._last.get(slot.symbol)
            since_ms = self._planned_ms.get(slot.symbol, now_ms) if last is None else last.at_ms
            interval_ms = slot.interval_ms if last is None else max(last.interval_ms, 1)
            found.append((now_ms - since_ms) / interval_ms)
        return found

    async def _look(self) -> None:
        while True:
            self._tell(self._clock.monotonic_ms())
            await self._clock.sleep(_LOOK_EVERY_S)

    def _tell(self, now_ms: float) -> None:
        failure = self._failure()
        verdict = self._verdict(now_ms, failure)
        if verdict is None:
            return
        live, reason = verdict
        told = "" if live else (failure.kind if failure is not None else "silent")
        if live is self._live and told == self._told:
            return
        if live is self._live and not live and failure is None:
            return  # the trouble is over, its traces are not: nothing new to tell
        self._live, self._told = live, told
        self._sink.put(FeedStatus(FEED, live, reason, now_ms))

    def _verdict(self, now_ms: float, failure: Failure | None) -> tuple[bool, str] | None:
        """Live or lost and why; None while it is too early to say."""
        if failure is not None and failure.kind in {"ban", "region", "firewall"}:
            return False, failure.text
        lateness = self._lateness(now_ms)
        known = sum(slot.symbol in self._last for slot in self._schedule.slots)
        if known == 0 or not self.swept.is_set():
            waited_ms = now_ms - max(self._started_ms, self.last_sample_ms or self._started_ms)
            return (False, failure.text) if failure is not None and waited_ms > _FIRST_ANSWER_MS else None
        if median(lateness) > POLLS_VALID:
            age_s = (now_ms - (self.last_sample_ms or now_ms)) / 1000.0
            return (
                False,
                failure.text if failure is not None else f"half of it is overdue; last answer {age_s:.0f} s ago",
            )
        return True, f"polling {len(lateness)} instruments"
