"""Arithmetic of a venue's request limits. Nothing here waits, reads a clock or sends.

Two kinds of limit exist: a weight per minute of the venue's clock, shared by everybody on the address
(`WeightBudget`), and a number of calls in any stretch of time (`CallBudget`). Both answer one question: how long until
this call may go? Zero means that it may go now and has been counted.

Promises: own weight stays under `share` of the limit in each minute of the venue and in any 60 seconds, spread evenly;
the background lane leaves a third to the others; calls stay under their limit in any window. What was used survives
a restart through `state` and `restore`. Times are epoch milliseconds, never going back by design; if they do, nothing
is given back.
"""

from collections import deque
from collections.abc import Iterable

MINUTE_MS = 60_000

# What the pacing holds back at a time. The rest of the budget flows evenly, so that burst plus flow of any 60 seconds
# is the budget, no more.
_BURST_SHARE = 0.04

# Others on the same address are left alone until the pool is this full; then nothing is sent until the next minute.
_CEILING_SHARE = 0.8

BACKGROUND_SHARE = 2 / 3
"""What a warm start may take; regular polling keeps the rest."""

# The venue's minute begins a little before or after the estimate of it.
_MINUTE_MARGIN_MS = 100

# Shorter waits are lost in the rounding of epoch milliseconds, and a caller would spin.
_SHORTEST_WAIT_MS = 1.0


class _Bucket:
    """Tokens that flow in evenly and never pile up beyond `burst`."""

    def __init__(self, *, per_minute: float, burst: float) -> None:
        self.per_ms = per_minute / MINUTE_MS
        self._burst = burst
        self._tokens = burst
        self._at_ms: float | None = None

    def wait_ms(self, cost: float, now_ms: float) -> float:
        """How long until `cost` may be taken. A cost above the burst waits for a full bucket and leaves a debt."""
        if self._at_ms is not None:
            elapsed_ms = min(max(now_ms - self._at_ms, 0.0), float(MINUTE_MS))
            self._tokens = min(self._burst, self._tokens + elapsed_ms * self.per_ms)
        self._at_ms = now_ms
        missing = min(cost, self._burst) - self._tokens
        return 0.0 if missing <= 1e-9 else missing / self.per_ms

    def take(self, cost: float) -> None:
        self._tokens -= cost


class WeightBudget:
    """Weight per minute of the venue.

    `limit` is the venue's, `share` our part of it. `acquire` counts a call as in flight until `settle` says that its
    answer came (with the used weight the venue reported) or that none will.
    """

    def __init__(self, *, limit: int = 2400, share: float = 0.5) -> None:
        self.limit = limit
        self.cap = share * limit
        self._ceiling = max(_CEILING_SHARE, share) * limit
        flow = self.cap * (1 - _BURST_SHARE)
        self._all = _Bucket(per_minute=flow, burst=self.cap * _BURST_SHARE)
        self._background = _Bucket(
            per_minute=flow * BACKGROUND_SHARE, burst=max(1.0, self.cap * _BURST_SHARE * BACKGROUND_SHARE)
        )
        self._minute = -1
        self._own = 0
        self._in_flight = 0
        self._reported = 0
        self._reported_by = -1
        self._n = 0

    @property
    def per_minute(self) -> float:
        """What can be spent per minute in the long run."""
        return self._all.per_ms * MINUTE_MS

    def _roll(self, now_ms: float) -> None:
        minute = int(now_ms // MINUTE_MS)
        if minute == self._minute:
            return
        # What is under way may be counted by the venue in the new minute. A clock that went back frees nothing.
        self._own = self._in_flight if minute > self._minute else self._own
        self._minute = minute
        self._reported, self._reported_by = 0, -1

    def acquire(self, cost: int, now_ms: float, *, background: bool = False) -> float:
        """Take `cost` and return 0, or take nothing and return the seconds after which to ask again."""
        self._roll(now_ms)
        wait_ms = self._all.wait_ms(cost, now_ms)
        if background:
            wait_ms = max(wait_ms, self._background.wait_ms(cost, now_ms))
        own_full = self._own > 0 and self._own + cost > self.cap
        pool_full = self._reported > 0 and self._reported + self._in_flight + cost > self._ceiling
        if own_full or pool_full:
            wait_ms = max(wait_ms, MINUTE_MS - now_ms % MINUTE_MS + _MINUTE_MARGIN_MS)
        if wait_ms > 0:
            return max(wait_ms, _SHORTEST_WAIT_MS) / 1000.0
        self._all.take(cost)
        if background:
            self._background.take(cost)
        self._own += cost
        self._in_flight += cost
        self._n += 1
        return 0.0

    def ticket(self) -> tuple[int, int]:
        """Names the call just acquired, for `settle`: its minute and its number."""
        return self._minute, self._n

    def settle(self, cost: int, ticket: tuple[int, int], used: int | None, now_ms: float) -> None:
        """The call is over. `used` is the weight that the venue says everybody on this address used this minute."""
        self._roll(now_ms)
        self._in_flight = max(0, self._in_flight - cost)
        minute, n = ticket
        # An answer that crossed the minute speaks of the old one; of two answers, the later call knows more.
        if used is not None and minute == self._minute and n > self._reported_by:
            self._reported, self._reported_by = used, n

    def used(self, now_ms: float) -> int:
        """Best knowledge of the weight used on this address in this minute."""
        self._roll(now_ms)
        return max(self._reported + self._in_flight if self._reported else 0, self._own)

    def used_share(self, now_ms: float) -> float:
        return self.used(now_ms) / self.limit

    def state(self, now_ms: float) -> tuple[int, int]:
        """Minute and own weight in it, to be stored."""
        self._roll(now_ms)
        return self._minute, self._own

    def restore(self, state: tuple[int, int]) -> None:
        """Obey what an earlier process used. A minute that is over frees itself."""
        self._minute, self._own = state[0], max(0, state[1])


class CallBudget:
    """Calls in any `window_s` seconds: at most `limit`, the first `n_fast` at `fast_per_s`, the rest at `per_s`; regular
    polls, which come in rounds and are awaited, at `regular_per_s`.
    """

    def __init__(
        self,
        *,
        limit: int = 900,
        window_s: float = 300.0,
        n_fast: int = 200,
        fast_per_s: float = 10.0,
        per_s: float = 3.0,
        regular_per_s: float = 3.0,
    ) -> None:
        self._limit = limit
        self._window_ms = window_s * 1000.0
        self._n_fast = n_fast
        self._fast_gap_ms = 1000.0 / fast_per_s
        self._gap_ms = 1000.0 / per_s
        self._regular_gap_ms = 1000.0 / regular_per_s
        self._calls: deque[float] = deque()
        self._last_ms = float("-inf")

    def _expire(self, now_ms: float) -> None:
        while self._calls and self._calls[0] + self._window_ms < now_ms:
            self._calls.popleft()

    def acquire(self, now_ms: float, *, is_regular: bool = False) -> float:
        """Count one call and return 0, or return the seconds after which to ask again."""
        self._expire(now_ms)
        slow_ms = self._regular_gap_ms if is_regular else self._gap_ms
        # A stamp ahead of now (the clock was set back between two runs) counts as fresh, for one window at most.
        gap_ms = self._fast_gap_ms if len(self._calls) < self._n_fast else slow_ms
        due_ms = min(self._last_ms, now_ms) + gap_ms
        if len(self._calls) >= self._limit:
            due_ms = max(due_ms, min(self._calls[0], now_ms) + self._window_ms + 1.0)
        if due_ms > now_ms:
            return max(due_ms - now_ms, _SHORTEST_WAIT_MS) / 1000.0
        self._calls.append(now_ms)
        self._last_ms = now_ms
        return 0.0

    def used(self, now_ms: float) -> int:
        """Calls in the window that ends now."""
        self._expire(now_ms)
        return len(self._calls)

    def state(self, now_ms: float) -> list[tuple[int, int]]:
        """Second and number of calls in it, ascending, to be stored."""
        self._expire(now_ms)
        counts: dict[int, int] = {}
        for call_ms in self._calls:
            second = int(call_ms // 1000)
            counts[second] = counts.get(second, 0) + 1
        return sorted(counts.items())

    def restore(self, state: Iterable[tuple[int, int]], now_ms: float) -> None:
        """Obey the calls of an earlier process; each counts until the end of its second has left the window."""
        stamps = sorted(
            min(second * 1000.0 + 999.0, now_ms) for second, n in state for _ in range(max(0, min(n, self._limit)))
        )
        self._calls = deque(stamps[-self._limit :])
        self._last_ms = self._calls[-1] if self._calls else float("-inf")
