"""The long/short ratio of top traders, polled: a row every five minutes for the instruments whose rules read it.

Promises: an instrument first gets the rows that its windows reach over, then the newest one of every five minutes, asked
for as soon as the venue has published it (one call finds out for all), so that no row expires before the next is there; watched
instruments first, then the large. Calls share the pool of open-interest history and keep its limit. The feed is called lost when the newest row of
the median instrument is older than two and a half rounds, or at once when the venue shuts us out.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bot import log
from bot.clock import Clock
from bot.errors import PayloadError
from bot.feeds.binance import flows, rest
from bot.feeds.binance.constants import HISTORY_MAX_LIMIT
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.model.ports import PollNeed, Rows, Sink
from bot.model.updates import FeedStatus, History

FEED: Final = "long/short"
ROW_MS: Final = 300_000

PUBLISHED_AFTER_MS: Final = 5_000
"""A row is asked for this long after its time; right at it, the one before is still the newest."""
SCOUT_EVERY_MS: Final = 10_000
AGAIN_AFTER_MS: Final = 20_000
_WORKERS: Final = 4
_LOOK_EVERY_S: Final = 1.0
_ROUNDS_LOST: Final = 2.5
# So many refused instruments, and none answered: the venue refuses us, not them. It may come to ask for a key.
_A_FEW: Final = 3
_LONGEST_REACH_MS: Final = 30 * 86_400_000 - ROW_MS

_log = log.get("ratios")


@dataclass(slots=True)
class _Known:
    """What one instrument has."""

    newest_ms: int = 0
    oldest_ms: int = 0
    """How far back its rows reach, or would if the venue had them."""
    since_ms: int = 0
    """Since when it is wanted; venue time."""
    ask_at_ms: int = 0


class RatioPoller:
    """`want` says what is needed, `run` keeps it coming."""

    def __init__(
        self, *, client: RestClient, clock: Clock, rows: Rows, sink: Sink, venue_now: Callable[[], int]
    ) -> None:
        self._client = client
        self._clock = clock
        self._rows = rows
        self._sink = sink
        self._venue_now = venue_now
        self._needs: dict[str, PollNeed] = {}
        self._known: dict[str, _Known] = {}
        self._busy: set[str] = set()
        self._published_ms = 0
        """The newest row that any instrument got."""
        self._scout_at_ms = 0
        self._refused: dict[str, str] = {}
        """Why the venue does not answer about an instrument."""
        self._live: bool | None = None
        self.n_rows = 0
        self.n_failures = 0

    def want(self, needs: Sequence[PollNeed]) -> None:
        """Follow these needs from now on."""
        wanted = [need for need in needs if need.trading and need.long_short_window_ms > 0]
        wanted.sort(key=lambda n: (not n.watched, -n.oi_usd if math.isfinite(n.oi_usd) else 0.0, n.symbol))
        before, self._needs = self._needs, {need.symbol: need for need in wanted}
        now_ms = self._venue_now()
        # A symbol that left and came back has another row, and nothing in it.
        same = {
            symbol for symbol, need in before.items() if symbol in self._needs and self._needs[symbol].row == need.row
        }
        self._known = {s: self._known[s] if s in same else _Known(since_ms=now_ms) for s in self._needs}
        self._refused = {symbol: text for symbol, text in self._refused.items() if symbol in self._needs}

    def start_afresh(self) -> None:
        """All windows were emptied: ask for everything again."""
        self._known = {symbol: _Known(since_ms=self._venue_now()) for symbol in self._needs}
        self._published_ms = self._scout_at_ms = 0

    async def run(self) -> None:
        """Poll until cancelled."""
        self._busy.clear()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_WORKERS):
                tasks.create_task(self._work())
            while True:
                self._tell(self._venue_now())
                await self._clock.sleep(_LOOK_EVERY_S)

    async def _work(self) -> None:
        while True:
            symbol = self._next(self._venue_now())
            if symbol is None:
                await self._clock.sleep(_LOOK_EVERY_S)
                continue
            self._busy.add(symbol)
            try:
                await self._poll(self._needs[symbol], self._known[symbol])
            finally:
                self._busy.discard(symbol)

    # What to ask

    def _next(self, now_ms: int) -> str | None:
        """The first instrument that lacks its newest row; when none does, the first that lacks older ones."""
        free = [(s, k) for s, k in self._known.items() if s not in self._busy and k.ask_at_ms <= now_ms]
        due_ms = (now_ms - PUBLISHED_AFTER_MS) // ROW_MS * ROW_MS
        behind = [(symbol, known.newest_ms) for symbol, known in free if known.newest_ms < due_ms]
        if self._published_ms >= due_ms:
            if behind:
                return behind[0][0]
        else:
            fresh = next((symbol for symbol, newest_ms in behind if newest_ms == 0), None)
            if fresh is not None:
                return fresh
            if behind and now_ms >= self._scout_at_ms:
                self._scout_at_ms = now_ms + SCOUT_EVERY_MS
                return behind[0][0]
        return next((symbol for symbol, known in free if self._is_short(symbol, known)), None)

    def _is_short(self, symbol: str, known: _Known) -> bool:
        return known.oldest_ms > known.newest_ms - self._reach_ms(symbol)

    def _reach_ms(self, symbol: str) -> int:
        """How far back rows are needed; one beyond the far end of the window."""
        return min(self._needs[symbol].long_short_window_ms + 2 * ROW_MS, _LONGEST_REACH_MS)

    def _request(self, symbol: str, known: _Known, now_ms: int) -> rest.Request:
        due_ms = (now_ms - PUBLISHED_AFTER_MS) // ROW_MS * ROW_MS
        if known.newest_ms and known.newest_ms >= due_ms:
            missing_ms = known.oldest_ms - (known.newest_ms - self._reach_ms(symbol))
            limit = min(math.ceil(missing_ms / ROW_MS) + 1, HISTORY_MAX_LIMIT)
            return rest.top_position_ratio(symbol, limit=limit, end_ms=known.oldest_ms)
        since_ms = known.newest_ms or now_ms - self._reach_ms(symbol)
        return rest.top_position_ratio(symbol, limit=min((now_ms - since_ms) // ROW_MS + 2, HISTORY_MAX_LIMIT))

    # One call

    async def _poll(self, need: PollNeed, known: _Known) -> None:
        asked_ms = self._venue_now()
        request = self._request(need.symbol, known, asked_ms)
        is_older = any(key == "endTime" for key, _ in request.params)
        priority = Priority.POLL if known.newest_ms and not is_older else Priority.BACKGROUND
        body = await self._client.get(request, priority=priority, attempts=1)
        found = self._read(need.symbol, body)
        is_lasting = isinstance(body, Failure) and not (body.is_passing or body.is_pause)
        is_empty = found is not None and not len(found.time_ms)
        known.ask_at_ms = self._venue_now() + (ROW_MS if is_lasting or is_empty else AGAIN_AFTER_MS)
        if isinstance(body, Failure) and is_lasting:
            self._refused[need.symbol] = body.text
        if found is None:
            self.n_failures += 1
            return
        self._refused.pop(need.symbol, None)
        n_asked = int(dict(request.params)["limit"])
        if is_older:
            known.oldest_ms -= (n_asked - 1) * ROW_MS
            known.ask_at_ms = 0
        elif len(found.time_ms):
            newest_ms = int(found.time_ms[-1])
            if known.newest_ms == 0 or int(found.time_ms[0]) > known.newest_ms + ROW_MS:
                known.oldest_ms = newest_ms - (n_asked - 1) * ROW_MS
            if newest_ms > known.newest_ms:
                known.newest_ms, known.ask_at_ms = newest_ms, 0
                self._published_ms = max(self._published_ms, newest_ms)
        if len(found.time_ms):
            self.n_rows += len(found.time_ms)
            self._sink.put(found)

    def _read(self, symbol: str, body: bytes | Failure) -> History | None:
        row = self._rows.row(symbol)
        if isinstance(body, Failure) or row is None:
            return None
        try:
            return flows.parse_long_short(body, row)
        except PayloadError as error:
            _log.warning("answer.unreadable", path="topLongShortPositionRatio", error=str(error))
            return None

    # Is it alive

    def _tell(self, now_ms: int) -> None:
        verdict = self._verdict(now_ms)
        if verdict is None or verdict[0] is self._live:
            return
        self._live, reason = verdict
        self._sink.put(FeedStatus(FEED, self._live, reason, self._clock.monotonic_ms()))

    def _verdict(self, now_ms: int) -> tuple[bool, str] | None:
        """Live or lost and why; None while there is nothing to say."""
        if not self._known:
            return (True, "no rule needs it") if self._live is False else None
        failure = self._client.failure
        if failure is not None and failure.kind in {"ban", "region", "firewall"}:
            return False, failure.text
        has_rows = any(known.newest_ms for known in self._known.values())
        if not has_rows and len(self._refused) >= min(_A_FEW, len(self._known)):
            return False, next(iter(self._refused.values()))
        age_ms = median(now_ms - (known.newest_ms or known.since_ms) for known in self._known.values())
        if age_ms > _ROUNDS_LOST * ROW_MS:
            why = failure.text if failure is not None else "the venue publishes no new rows"
            return False, why
        if has_rows:
            return True, f"polling {len(self._known)} instruments"
        return None
