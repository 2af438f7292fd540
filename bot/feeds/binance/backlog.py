"""What of the past is still to be fetched, and in which order. Pure: time is an argument, nothing is sent.

Promises: most urgent first. What waits reaches as far back as was wanted when its wait began, however long that takes. A thing
that is wanted again while it waits is asked for once, as far back as either wish needs; while it is under way, once more
after that, as the answer may not hold what came since.
"""

import asyncio
import heapq
from dataclasses import dataclass
from typing import Final

from bot.model.ports import Sink
from bot.model.updates import Progress

_PROGRESS_EVERY: Final = 10

Order = tuple[bool, float, str]
Key = tuple[str, str, int, int]
"""Symbol, series, bar in ms, bars before now at which it ends."""


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """One call. Jobs compare by urgency."""

    stage: int
    order: Order
    symbol: str
    series: str
    bar_ms: int
    n_bars: int
    attempts: int = 0
    skip: int = 0
    """How many bars before now it ends."""
    spare: int = 0
    """How many of the bars are more than is needed."""
    at_ms: float = 0.0
    """When it was wanted, `Clock.monotonic_ms`: its bars count back from there."""

    @property
    def key(self) -> Key:
        return self.symbol, self.series, self.bar_ms, self.skip

    @property
    def since_ms(self) -> float:
        """How far back it has to reach, `Clock.monotonic_ms`."""
        return self.at_ms - (self.n_bars - self.spare) * self.bar_ms

    def n_bars_at(self, now_ms: float) -> int:
        """How many bars reach back as far when it is sent now."""
        waited = int((now_ms - self.at_ms) // self.bar_ms)
        return self.n_bars + max(0, waited - self.spare)


class Backlog:
    """Jobs of one kind, with progress."""

    def __init__(self, task: str, sink: Sink) -> None:
        self._task = task
        self._sink = sink
        self._heap: list[Job] = []
        self._jobs: dict[Key, Job] = {}
        self._under_way: set[Key] = set()
        self._again: dict[Key, Job] = {}
        self._arrived = asyncio.Event()
        self._done = self._total = 0

    @property
    def pending(self) -> int:
        """Jobs waiting or under way."""
        return len(self._jobs)

    @property
    def stage(self) -> int | None:
        """Of the most urgent job that waits."""
        return self._heap[0].stage if self._heap else None

    def put(self, job: Job) -> None:
        key = job.key
        if key in self._under_way:
            self._again[key] = _further(job, self._again.get(key, job))
        elif key in self._jobs:
            self._jobs[key] = _further(self._jobs[key], job)
        else:
            if not self._jobs:
                self._done = self._total = 0
            self._total += 1
            self._push(job)

    def _push(self, job: Job) -> None:
        self._jobs[job.key] = job
        heapq.heappush(self._heap, job)
        self._arrived.set()

    async def get(self) -> Job:
        while not self._heap:
            self._arrived.clear()
            await self._arrived.wait()
        key = heapq.heappop(self._heap).key
        self._under_way.add(key)
        return self._jobs[key]

    def back(self, job: Job) -> None:
        """Return a job that could not be done now."""
        self._under_way.discard(job.key)
        self._push(_further(job, self._again.pop(job.key, job)))

    def done(self, job: Job) -> None:
        self._under_way.discard(job.key)
        self._done += 1
        again = self._again.pop(job.key, None)
        if again is None:
            del self._jobs[job.key]
        else:
            self._total += 1
            self._push(again)
        if self._done % _PROGRESS_EVERY == 0 or not self._jobs:
            self._sink.put(Progress(self._task, self._done, self._total))


def _further(job: Job, other: Job) -> Job:
    """The one that reaches further back."""
    return other if other.since_ms < job.since_ms else job
