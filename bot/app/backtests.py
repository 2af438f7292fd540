"""Backtests that people ask for in chat: one process at a time, bounded in time and memory, and none of it in the bot.

One for each chat waits or runs; more chats wait in a line. A process that takes too long, grows too large or dies costs its own
answer alone.
"""

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bot import log
from bot.app import short_process
from bot.clock import Clock
from bot.model.backtests import BacktestAnswer, BacktestAsked
from bot.texts import mark

MAX_WAITING: Final = 8
MAX_CHATS: Final = 100
"""Of so many chats the last answer is kept."""
WORK_S: Final = 180.0
MEMORY_MB: Final = 500
MAX_LINE: Final = 4_000_000
CANCELLED: Final = mark("cancelled")
STOPPED: Final = mark("the bot is stopping")
RUNNING: Final = mark("one is running here already")
TOO_MANY: Final = mark("too many wait already; try again in a few minutes")

_log = log.get("backtests")


class Order(msgspec.Struct, frozen=True):
    """What the process is asked to do."""

    folder: str
    """Of the history."""
    rules_dir: str
    asked: BacktestAsked
    memory_mb: int


class Word(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the process."""

    share: float = 0.0
    answer: BacktestAnswer | None = None
    error: str = ""
    peak_mb: float = 0.0


class Run:
    """As `BacktestRun`."""

    def __init__(self, chat: str, asked: BacktestAsked, place: "Callable[[Run], int]", clock: Clock) -> None:
        self.chat = chat
        self.asked = asked
        self.share = 0.0
        self.found: BacktestAnswer | str | None = None
        self._place = place
        self._clock = clock
        self._ended = asyncio.Event()

    @property
    def n_before(self) -> int:
        return self._place(self)

    async def wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(seconds):
                await self._ended.wait()

    def settle(self, found: BacktestAnswer | str) -> None:
        if self.found is None:
            self.found = found
            self._ended.set()


class Backtests:
    """The `BacktestDesk` port. `run` has to be running."""

    def __init__(
        self,
        *,
        clock: Clock,
        history: Path,
        rules_dir: Path,
        command: Sequence[str] | None = None,
        work_s: float = WORK_S,
    ) -> None:
        """`command`: what to start in the place of our worker; `work_s`: how many real seconds it may take."""
        self._clock = clock
        self._history, self._rules_dir = history, rules_dir
        self._command = tuple(command or short_process.command_of("bot.app.backtest_worker"))
        self._work_s = work_s
        self._waiting: deque[Run] = deque()
        self._current: Run | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._last: OrderedDict[str, Run] = OrderedDict()
        self._arrived = asyncio.Event()

    @property
    def components(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What the supervisor runs, by name."""
        return {"backtests": self.run}

    # -- the port ------------------------------------------------------------------------------------------------

    def last(self, chat: str) -> Run | None:
        return self._last.get(chat)

    def start(self, chat: str, asked: BacktestAsked) -> Run | str:
        before = self._last.get(chat)
        if before is not None and before.found is None:
            return RUNNING
        if len(self._waiting) >= MAX_WAITING:
            return TOO_MANY
        run = Run(chat, asked, self._n_before, self._clock)
        self._last[chat] = run
        self._last.move_to_end(chat)
        while len(self._last) > MAX_CHATS and next(iter(self._last.values())).found is not None:
            self._last.popitem(last=False)
        self._waiting.append(run)
        self._arrived.set()
        return run

    def cancel(self, chat: str) -> bool:
        run = self._last.get(chat)
        if run is None or run.found is not None:
            return False
        run.settle(CANCELLED)
        if run is self._current:
            self._kill()
        return True

    def _n_before(self, run: Run) -> int:
        if run is self._current or run not in self._waiting:
            return 0
        ahead = (one for one in self._waiting if one.found is None)
        return list(ahead).index(run) + (self._current is not None) if run.found is None else 0

    # -- running -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry out what is asked for, until cancelled."""
        try:
            while True:
                while not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                self._current = self._waiting.popleft()
                if self._current.found is None:
                    await self._carry_out(self._current)
                self._current = None
        finally:
            for run in (*self._waiting, *([self._current] if self._current is not None else [])):
                run.settle(STOPPED)
            self._waiting.clear()
            self._current = None

    async def _carry_out(self, run: Run) -> None:
        begun_ms = self._clock.monotonic_ms()
        peak_mb = 0.0
        try:
            # A process is as slow as it is, however fast the clock runs.
            async with self._clock.timeout(self._work_s * max(1.0, self._clock.speed)):
                peak_mb = await self._listen(run)
        except TimeoutError:
            run.settle(f"it took longer than {self._work_s:.0f} s; ask for fewer days or name contracts")
        except (OSError, ValueError, msgspec.DecodeError) as error:
            run.settle(f"its process ended ({type(error).__name__})")
        finally:
            await self._end()
        run.settle(mark("its process ended before it had an answer"))
        failed = run.found if isinstance(run.found, str) else ""
        took_s = round((self._clock.monotonic_ms() - begun_ms) / 1000, 1)
        _log.info("backtest.ended", rule=run.asked.rule_id, reason=failed, took_s=took_s, peak_mb=peak_mb)

    async def _listen(self, run: Run) -> float:
        """To what the process says, until it says no more; the memory it took."""
        order = Order(str(self._history), str(self._rules_dir), run.asked, MEMORY_MB)
        process = self._process = await short_process.start(self._command, max_line=MAX_LINE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        process.stdin.close()
        if run.found is not None:
            # Cancelled before there was anything to kill.
            self._kill()
        peak_mb = 0.0
        while line := await process.stdout.readline():
            word = msgspec.json.decode(line, type=Word)
            run.share = max(run.share, word.share)
            peak_mb = max(peak_mb, word.peak_mb)
            if word.answer is not None or word.error:
                run.settle(word.answer if word.answer is not None else word.error)
        return peak_mb

    def _kill(self) -> None:
        if self._process is not None:
            short_process.kill(self._process)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await short_process.end(process)
