"""The `PastDesk` port: the history is read by short-lived processes, one at a time, so that the bot never loads what reads it.

Whoever asks waits a few seconds at most. A process that takes longer goes on, and its answer is kept for the next who asks;
one that takes too long, grows too large or dies costs its own answer alone.
"""

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bot import log, settings
from bot.app import short_process
from bot.app.data_dir import DataDir
from bot.clock import Clock
from bot.model.chat_alert import ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.past import DailyPast
from bot.model.rehearsal import Rehearsed
from bot.texts import say

PATIENCE_S: Final = 6.0
"""So long a chart waits; an answer in chat has ten seconds."""
REHEARSAL_PATIENCE_S: Final = 30.0
"""So long a line waits that is added to an answer later."""
WORK_S: Final = 60.0
MEMORY_MB: Final = 500
MAX_WAITING: Final = 6
MAX_KEPT: Final = 8
MAX_KEYS: Final = 5
"""So many instruments are read for one question."""
FRESH_MS: Final = 300_000.0
MAX_LINE: Final = 4_000_000
DAY_MS: Final = 86_400_000
REHEARSAL_DAYS: Final = 30
PARTS: Final = "parts"

_log = log.get("past")


class DailyOrder(msgspec.Struct, frozen=True, tag="daily"):
    """One instrument by days."""

    folder: str
    """Of the history."""
    rule_dirs: tuple[str, ...]
    """Where rules for tops and bottoms are looked for, the first counts."""
    key: str
    from_ms: int
    to_ms: int
    memory_mb: int = MEMORY_MB


class RehearsalOrder(msgspec.Struct, frozen=True, tag="rehearsal"):
    """Conditions over the last weeks of some instruments."""

    folder: str
    alerts: tuple[ChatAlert, ...]
    rules: tuple[ChatRule, ...]
    keys: tuple[str, ...]
    from_ms: int
    to_ms: int
    memory_mb: int = MEMORY_MB


Order = DailyOrder | RehearsalOrder


class PastWord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the process says: one line."""

    daily: DailyPast | None = None
    rehearsed: dict[str, Rehearsed] | None = None
    error: str = ""
    peak_mb: float = 0.0


class _Question:
    """One that was asked."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.found: PastWord | None = None
        self.ended = asyncio.Event()
        self.at_ms = 0.0

    def settle(self, found: PastWord) -> None:
        if self.found is None:
            self.found = found
            self.ended.set()


class PastReading:
    """One per bot. `run` has to be running."""

    def __init__(
        self,
        *,
        clock: Clock,
        history: Path,
        rule_dirs: Sequence[Path],
        venue_now: Callable[[], int],
        command: Sequence[str] | None = None,
        patience_s: float = PATIENCE_S,
        work_s: float = WORK_S,
    ) -> None:
        """`rule_dirs`: where rules for tops and bottoms are looked for; `command`: what to start in the place of our worker;
        `patience_s`: so long a chart waits; `work_s`: so many real seconds a process may take.
        """
        self._clock = clock
        self._history, self._rule_dirs = history, tuple(str(one) for one in rule_dirs)
        self._venue_now = venue_now
        self._command = tuple(command or short_process.command_of("bot.app.past_worker"))
        self._patience_s, self._work_s = patience_s, work_s
        self._waiting: deque[_Question] = deque()
        self._kept: OrderedDict[tuple[str, int], _Question] = OrderedDict()
        self._arrived = asyncio.Event()

    @property
    def is_there(self) -> bool:
        """Whether there is a part to read: what lies in logs alone is in memory too."""
        try:
            return next((self._history / PARTS).iterdir(), None) is not None
        except OSError:
            return False

    # -- the port ------------------------------------------------------------------------------------------------

    async def daily(self, key: str, from_ms: int, to_ms: int) -> DailyPast | str:
        if not self.is_there:
            return DailyPast()
        place = key, from_ms // DAY_MS
        question = self._kept.get(place)
        if question is None or (question.found is not None and self._clock.monotonic_ms() - question.at_ms > FRESH_MS):
            question = self._ask(DailyOrder(str(self._history), self._rule_dirs, key, from_ms, to_ms))
            if question is None:
                return say("too many charts are asked for just now; try again in a minute")
            self._kept[place] = question
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        word = await self._answer(question, self._patience_s)
        if word is None:
            return say("the history is still being read; ask again in a minute")
        if word.daily is None:
            self._kept.pop(place, None)
            return word.error
        return word.daily

    async def rehearse(self, ones: Sequence[ChatAlert | ChatRule], keys: Sequence[str]) -> Sequence[Rehearsed | None]:
        nothing: list[Rehearsed | None] = [None] * len(ones)
        if not self.is_there or len(keys) > MAX_KEYS:
            return nothing
        now_ms = self._venue_now()
        question = self._ask(
            RehearsalOrder(
                folder=str(self._history),
                alerts=tuple(one for one in ones if isinstance(one, ChatAlert)),
                rules=tuple(one for one in ones if isinstance(one, ChatRule)),
                keys=tuple(keys),
                from_ms=now_ms - REHEARSAL_DAYS * DAY_MS,
                to_ms=now_ms,
            )
        )
        word = None if question is None else await self._answer(question, REHEARSAL_PATIENCE_S)
        if word is None or word.rehearsed is None:
            return nothing
        return [word.rehearsed.get(one.id) for one in ones]

    def _ask(self, order: Order) -> _Question | None:
        if len(self._waiting) >= MAX_WAITING:
            return None
        question = _Question(order)
        self._waiting.append(question)
        self._arrived.set()
        return question

    async def _answer(self, question: _Question, patience_s: float) -> PastWord | None:
        """None where it does not come in time."""
        with contextlib.suppress(TimeoutError):
            # On a fast clock a slow machine still gets a real second.
            async with self._clock.timeout(max(patience_s, self._clock.speed)):
                await question.ended.wait()
        return question.found

    # -- running -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Answer questions, until cancelled."""
        current: _Question | None = None
        try:
            while True:
                while not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                current = self._waiting.popleft()
                await self._carry_out(current)
                current.at_ms = self._clock.monotonic_ms()
                current = None
        finally:
            for one in (*self._waiting, *([current] if current is not None else [])):
                one.settle(PastWord(error=say("the bot is stopping")))
            self._waiting.clear()

    async def _carry_out(self, question: _Question) -> None:
        begun_ms = self._clock.monotonic_ms()
        word = PastWord(error=say("the process that reads the history ended before it had an answer"))
        try:
            # A process is as slow as it is, however fast the clock runs.
            async with self._clock.timeout(self._work_s * max(1.0, self._clock.speed)):
                word = await self._listen(question.order) or word
        except TimeoutError:
            word = PastWord(error=say("reading the history took too long"))
        except (OSError, ValueError, msgspec.DecodeError) as error:
            word = PastWord(error=f"{word.error} ({type(error).__name__})")
        took_s = round((self._clock.monotonic_ms() - begun_ms) / 1000, 1)
        _log.info(
            "past.read", symbol=_of_what(question.order)[:40], reason=word.error, took_s=took_s, peak_mb=word.peak_mb
        )
        question.settle(word)

    async def _listen(self, order: Order) -> PastWord | None:
        """Start the process and hear its one line; it is gone when this returns."""
        process = await short_process.start(self._command, max_line=MAX_LINE)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            process.stdin.close()
            line = await process.stdout.readline()
            return msgspec.json.decode(line, type=PastWord) if line else None
        finally:
            await short_process.end(process)


def _of_what(order: Order) -> str:
    return order.key if isinstance(order, DailyOrder) else " ".join(order.keys)


def past_reading(
    chosen: settings.Settings, data_dir: DataDir, clock: Clock, venue_now: Callable[[], int]
) -> PastReading:
    """Of a bot with these settings. Its own rules count before those that come with it."""
    folders = chosen.rules_dir, settings.shipped_rules()
    return PastReading(clock=clock, history=data_dir.history, rule_dirs=folders, venue_now=venue_now)
