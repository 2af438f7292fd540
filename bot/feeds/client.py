"""The REST shell: the only code that sends requests to a venue.

Promises: one gate and one budget for the whole process. A call waits until its pool has room, is answered within 10 s,
and comes back as bytes or as a `Failure`, never as an exception. Weight is read back after each answer. What the venue
asked for (a pause, a ban) is obeyed by all calls, stored before anything else is sent, and obeyed after a restart.
Failures that may pass are tried again with full jitter, refusals never. Never decodes a body.
"""

import asyncio
import contextlib
import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from bot import log
from bot.clock import Clock
from bot.errors import StorageError
from bot.feeds.backoff import Backoff
from bot.feeds.budget import WeightBudget
from bot.feeds.calls import WEIGHT, Request, RestProtocol
from bot.feeds.gate import Failure, Gate, StoredPause
from bot.feeds.transport import Http, Transport, trouble_of
from bot.model.ports import KeyValues

_SAVE_EVERY_S: Final = 5.0
_SAVE_AT_STOP_S: Final = 2.0
# As many calls at once as the pace needs: a host that answers within this time is asked one call at a time, so that a
# ban meets one call and not eight. One that hangs holds the others up for no longer than `_PATIENCE_S`.
_QUICK_MS: Final = 30.0
_PATIENCE_S: Final = 0.3
# A warm start may not take every connection: what is regular or asked for finds some free.
_KEPT_FREE: Final = 2
_RETRY_FIRST_S: Final = 0.5
_RETRY_CAP_S: Final = 8.0

_log = log.get("rest")


class Priority(IntEnum):
    """Who goes first when the budget is short."""

    QUESTION = 0
    """A person waits, or the whole bot does."""
    POLL = 1
    BACKGROUND = 2
    """A warm start or a refill: at most two thirds of the budget."""


@dataclass(slots=True)
class RestCounters:
    """What was sent and what came back since the start."""

    requests: int = 0
    by_status: dict[int, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    """By kind of failure."""
    weight_spent: int = 0


class _Stored(msgspec.Struct):
    minute: int = -1
    own: int = 0
    calls: dict[str, list[tuple[int, int]]] = {}
    """Of the pools that count calls: second and number of calls in it."""
    pause: StoredPause = StoredPause()


class _Waiter:
    def __init__(self, order: tuple[int, int]) -> None:
        self.order = order
        self.first = asyncio.Event()

    def __lt__(self, other: "_Waiter") -> bool:
        return self.order < other.order


class RestClient:
    """Use as `async with RestClient(...) as client`, with `keep_saved` running beside it."""

    def __init__(
        self,
        *,
        venue: RestProtocol,
        base_url: str,
        clock: Clock,
        store: KeyValues,
        random: Random,
        venue_now: Callable[[], int],
        weight_share: float = 0.5,
        concurrency: int = 8,
        timeout_s: float = 10.0,
        transport: Transport | None = None,
    ) -> None:
        self._venue = venue
        self._host = urlsplit(base_url).hostname or base_url
        self._transport: Transport = transport or Http(base_url=base_url, connections=concurrency, speed=clock.speed)
        self._clock = clock
        self._store = store
        self._random = random
        self._venue_now = venue_now
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        # Wall time is read once: a clock that is set while we run must not end a ban or open a pool.
        self._epoch_ms = clock.wall_ms() - clock.monotonic_ms()
        self.counters = RestCounters()
        self._weight = WeightBudget(limit=venue.weight_limit, share=weight_share)
        self._calls = venue.pools()
        self._gate = Gate(host=self._host, random=random, longest_ban_s=venue.longest_ban_s)
        self._queues: dict[str, list[_Waiter]] = {pool: [] for pool in (WEIGHT, *self._calls)}
        self._numbers = itertools.count()
        self._in_flight = 0
        self._latency_ms = 0.0
        self._sent_ms = float("-inf")
        self._freed = asyncio.Event()
        self._told: str | None = None
        self._loaded = False
        self._is_open = False
        self._saved = ""

    @property
    def state_key(self) -> str:
        """What its state is stored under."""
        return f"feeds.{self._venue.name}.rest"

    # Life

    async def __aenter__(self) -> Self:
        await self._load()
        await self._transport.open()
        self._is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_open = False
        await self._transport.close()
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(_SAVE_AT_STOP_S):
                await self._save()

    async def keep_saved(self) -> None:
        """Store every few seconds what a restart must obey. Runs until cancelled."""
        while True:
            await self._clock.sleep(_SAVE_EVERY_S)
            await self._save()

    async def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        try:
            text = await self._store.get(self.state_key)
            if text is None:
                return
            stored = msgspec.json.decode(text, type=_Stored)
        except Exception as error:  # noqa: BLE001 - a damaged database must not stop the feeds
            _log.warning("budget.unreadable", error=str(error))
            return
        now_ms = self._now_ms()
        self._weight.restore((stored.minute, stored.own))
        for pool, calls in self._calls.items():
            calls.restore(stored.calls.get(pool, ()), now_ms)
        self._gate.restore(stored.pause, now_ms)
        if self._gate.failure is not None:
            _log.warning("rest.still_paused", reason=self._gate.failure.text)

    async def _save(self) -> None:
        now_ms = self._now_ms()
        minute, own = self._weight.state(self._venue_now())
        shift_s = self._shift_s()
        calls = {
            pool: [(second + shift_s, n) for second, n in budget.state(now_ms)] for pool, budget in self._calls.items()
        }
        pause = self._gate.state(now_ms)
        if pause.until_ms:
            pause = msgspec.structs.replace(pause, until_ms=pause.until_ms + shift_s * 1000)
        text = msgspec.json.encode(_Stored(minute, own, calls, pause)).decode()
        if text == self._saved:
            return
        try:
            await self._store.put(self.state_key, text)
            self._saved = text
        except StorageError as error:  # the next round tries again; whoever watches over storage says it once
            _log.debug("budget.not_saved", reason=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the feeds
            _log.warning("budget.save_failed", error=str(error))

    # What others may know

    def _now_ms(self) -> float:
        return self._epoch_ms + self._clock.monotonic_ms()

    def _shift_s(self) -> int:
        """How far the machine's clock has left ours since the start: it was set, or the machine slept. A next start reads
        that clock.
        """
        return round((self._clock.wall_ms() - self._now_ms()) / 1000.0)

    @property
    def failure(self) -> Failure | None:
        """Why calls fail at present; None while they are answered."""
        return self._gate.failure

    @property
    def banned_until_ms(self) -> int | None:
        """When the ban ends by the machine's clock."""
        until_ms = self._gate.banned_until_ms(self._now_ms())
        return None if until_ms is None else until_ms + self._shift_s() * 1000

    @property
    def paused_until_ms(self) -> int | None:
        """Until when nothing at all is sent, for whatever reason; None when calls may go."""
        return int(self._gate.closed_until_ms) if self._gate.wait_ms(self._now_ms()) > 0 else None

    @property
    def used_share(self) -> float:
        """Used part of the venue's pool in this minute, others on this address included."""
        return self._weight.used_share(self._venue_now())

    @property
    def weight_used(self) -> int:
        """Weight used on this address in this minute, as far as is known."""
        return self._weight.used(self._venue_now())

    @property
    def weight_cap(self) -> float:
        """What of the venue's pool the bot uses at most in a minute."""
        return self._weight.cap

    @property
    def weight_per_minute(self) -> float:
        """What can be spent per minute in the long run."""
        return self._weight.per_minute

    # Calls

    async def get(self, request: Request, *, priority: Priority, attempts: int = 3) -> bytes | Failure:
        """Send when there is room, and answer with the body or with why there is none."""
        backoff = Backoff(random=self._random, first_s=_RETRY_FIRST_S, cap_s=_RETRY_CAP_S)
        while True:
            await self._admit(request, priority)
            outcome = await self._attempt(request)
            attempts -= 1
            if isinstance(outcome, bytes) or not outcome.is_passing or attempts <= 0:
                return outcome
            await self._clock.sleep(backoff.next_s())

    async def _admit(self, request: Request, priority: Priority) -> None:
        """Wait for our turn: by priority, then in order of arrival."""
        queue = self._queues[request.pool]
        me = _Waiter((priority, next(self._numbers)))
        heapq.heappush(queue, me)
        try:
            while True:
                if queue[0] is not me:
                    me.first.clear()
                    await me.first.wait()
                    continue
                wait_s = self._try(request, priority)
                if wait_s is None:
                    self._freed.clear()
                    with contextlib.suppress(TimeoutError):
                        async with self._clock.timeout(_PATIENCE_S):
                            await self._freed.wait()
                elif wait_s > 0:
                    await self._clock.sleep(wait_s)
                else:
                    return
        finally:
            queue.remove(me)
            heapq.heapify(queue)
            if queue:
                queue[0].first.set()

    def _try(self, request: Request, priority: Priority) -> float | None:
        """Count the call as sent and return 0, or return the seconds to wait; None: a moment, or until another call is over."""
        if not self._is_open:
            return None  # charts may be asked for before the feed has begun, or while it begins anew
        now_ms = self._now_ms()
        closed_ms = self._gate.wait_ms(now_ms)
        if closed_ms > 0:
            return closed_ms / 1000.0
        if not self._has_room(priority, now_ms):
            return None
        if request.pool == WEIGHT:
            background = priority is Priority.BACKGROUND
            wait_s = self._weight.acquire(request.weight, self._venue_now(), background=background)
        else:
            wait_s = self._calls[request.pool].acquire(now_ms, is_regular=priority is Priority.POLL)
        if wait_s == 0:
            self._in_flight += 1
            self._sent_ms = now_ms
            self.counters.requests += 1
        return wait_s

    def _has_room(self, priority: Priority, now_ms: float) -> bool:
        most = self._concurrency - (_KEPT_FREE if priority is Priority.BACKGROUND else 0)
        if self._gate.is_trying:
            return self._in_flight == 0
        if self._in_flight >= most:
            return False
        needed = math.ceil(self._latency_ms / _QUICK_MS)
        return self._in_flight < max(1, needed) or now_ms - self._sent_ms >= _PATIENCE_S * 1000.0

    async def _attempt(self, request: Request) -> bytes | Failure:
        weight = request.weight if request.pool == WEIGHT else 0
        self.counters.weight_spent += weight
        ticket = self._weight.ticket()
        used: int | None = None
        sent_ms = self._now_ms()
        try:
            async with self._clock.timeout(self._timeout_s):
                answer = await self._transport.get(request.target)
            used = self._venue.used_weight(answer.headers)
            self.counters.by_status[answer.status] = self.counters.by_status.get(answer.status, 0) + 1
            if answer.status == 200 and _looks_like_json(answer.body):
                self._answered()
                return answer.body
            error = self._venue.classify(answer.status, answer.headers, answer.body)
            failure = self._gate.refused(error, self._now_ms(), self._venue_now())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            failure = self._gate.unreachable(trouble_of(error, self._host), self._now_ms())
        finally:
            self._weight.settle(weight, ticket, used, self._venue_now())
            self._latency_ms += 0.2 * (self._now_ms() - sent_ms - self._latency_ms)
            self._in_flight -= 1
            self._freed.set()
        self.counters.failures[failure.kind] = self.counters.failures.get(failure.kind, 0) + 1
        self._tell(failure)
        if failure.is_pause:
            await self._save()
        return failure

    def _answered(self) -> None:
        self._gate.answered(self._now_ms())
        if self._told is not None and self._gate.failure is None:
            _log.info("rest.resumed")
            self._told = None

    def _tell(self, failure: Failure) -> None:
        """Log once per kind of pause; single failures only at a low level."""
        if failure.is_pause or (failure.is_passing and self._gate.wait_ms(self._now_ms()) > 0):
            if failure.kind != self._told:
                _log.warning("rest.paused", reason=failure.text)
            self._told = failure.kind
        else:
            _log.debug("rest.failed", reason=failure.text)


def _looks_like_json(body: bytes) -> bool:
    """Whether it begins and ends as a JSON object or array: pages of proxies and cut answers don't."""
    text = body.strip()
    return text[:1] + text[-1:] in (b"{}", b"[]")
