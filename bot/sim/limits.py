"""The venue's request limits: weight per minute, the two request pools, and bans. Pure; time is an argument.

As published: 2400 weight a minute for each address, the window ends at second 0 of the minute; 1000 requests in any
five minutes for `/futures/data/`, 500 for funding. Beyond a limit the answer is 429; whoever goes on is banned, two
minutes first, twice as long each time after, three days at most.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

WEIGHT_LIMIT = 2400
DATA_LIMIT = 1000
FUNDING_LIMIT = 500
POOL_MS = 300_000
MINUTE_MS = 60_000
PATIENCE = 10
"""Refused requests in one window after which the ban begins."""
FIRST_BAN_MS = 120_000
LONGEST_BAN_MS = 3 * 86_400_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the limits say to one request."""

    status: int
    """200, 429 or 418."""
    used_weight: int
    retry_after_s: int = 0
    message: str = ""


@dataclass(slots=True)
class LimitStats:
    """What was counted over the venue's life."""

    weight_per_minute: dict[int, int] = field(default_factory=dict)
    """Used weight by minute since the epoch; the last two hours."""
    max_used_weight: int = 0
    max_data_5m: int = 0
    max_funding_5m: int = 0
    n_429: int = 0
    n_418: int = 0
    n_in_ban: int = 0


class Limits:
    """The books on one client address."""

    def __init__(self, address: str, stats: LimitStats) -> None:
        self._address = address
        self._stats = stats
        self._minute = -1
        self._used = 0
        self._refused: Counter[int] = Counter()
        self._pools: dict[str, deque[int]] = {"data": deque(), "funding": deque()}
        self._banned_until_ms = 0
        self._n_bans = 0

    def ban(self, now_ms: int, length_ms: int) -> None:
        """Ban the address from now on."""
        self._n_bans += 1
        self._banned_until_ms = now_ms + length_ms

    def request(self, now_ms: int, weight: int, pool: str | None) -> Verdict:
        """Enter one request and say what becomes of it. `pool` is `data`, `funding` or None."""
        self._turn(now_ms)
        if now_ms < self._banned_until_ms:
            self._stats.n_in_ban += 1
            return self._banned(now_ms)
        self._used += weight
        self._note()
        over = self._used > WEIGHT_LIMIT
        message = f"Too many requests; current limit of IP({self._address}) is {WEIGHT_LIMIT} requests per minute"
        retry_ms = MINUTE_MS - now_ms % MINUTE_MS
        if not over and pool is not None:
            limit = DATA_LIMIT if pool == "data" else FUNDING_LIMIT
            times = self._enter(pool, now_ms)
            if len(times) > limit:
                over = True
                message = f"Too many requests; current limit of IP({self._address}) is {limit} requests per 5 minutes"
                retry_ms = times[0] + POOL_MS - now_ms
        if not over:
            return Verdict(200, self._used)
        self._refused[self._minute] += 1
        if self._refused[self._minute] > PATIENCE:
            self.ban(now_ms, min(FIRST_BAN_MS * 2**self._n_bans, LONGEST_BAN_MS))
            return self._banned(now_ms)
        self._stats.n_429 += 1
        return Verdict(429, self._used, max(1, -(-retry_ms // 1000)), message)

    def _turn(self, now_ms: int) -> None:
        minute = now_ms // MINUTE_MS
        if minute != self._minute:
            self._minute, self._used = minute, 0
            self._refused = Counter({minute: self._refused[minute]})

    def _note(self) -> None:
        stats = self._stats
        stats.max_used_weight = max(stats.max_used_weight, self._used)
        stats.weight_per_minute[self._minute] = max(self._used, stats.weight_per_minute.get(self._minute, 0))
        while len(stats.weight_per_minute) > 120:
            del stats.weight_per_minute[min(stats.weight_per_minute)]

    def _enter(self, pool: str, now_ms: int) -> deque[int]:
        times = self._pools[pool]
        while times and times[0] <= now_ms - POOL_MS:
            times.popleft()
        times.append(now_ms)
        if pool == "data":
            self._stats.max_data_5m = max(self._stats.max_data_5m, len(times))
        else:
            self._stats.max_funding_5m = max(self._stats.max_funding_5m, len(times))
        return times

    def _banned(self, now_ms: int) -> Verdict:
        self._stats.n_418 += 1
        message = (
            f"Way too many requests; IP({self._address}) banned until {self._banned_until_ms}. "
            "Please use the websocket for live updates to avoid bans."
        )
        retry_s = max(1, -(-(self._banned_until_ms - now_ms) // 1000))
        return Verdict(418, self._used, retry_s, message)
