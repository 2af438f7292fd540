"""What Telegram allows one bot: over all chats, in one chat, in one group. Shared by all that send with one token.

A slot is taken before a request and given back when it is answered. Requests under way count, and answered ones for the
length of the window after their answer: the server saw them at some moment before it, so no window of its own can hold
more than the limit, however long the way was. Urgent requests go first when the common budget is short.
"""

import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from bot.clock import Clock

PER_SECOND: Final = 30
GROUP_PER_MINUTE: Final = 20
MARGIN_MS: Final = 50.0
"""Clocks differ a little in how long a second is."""
HUNG_MS: Final = 10_000.0
"""A request that takes longer has arrived long ago, or never will: it must not hold others up."""
MAX_PAUSE_S: Final = 3_600.0
MAX_CHATS: Final = 1_000
_LOOK_AGAIN_S: Final = 0.25


class Window:
    """At most `n` requests within a time. Monotonic ms are an argument."""

    def __init__(self, n: int, window_ms: float) -> None:
        self._n = n
        self._window_ms = window_ms + MARGIN_MS
        self._under_way: list[float] = []
        self._answered: deque[float] = deque()

    def _tidy(self, now_ms: float) -> None:
        hung = [at for at in self._under_way if now_ms - at >= HUNG_MS]
        if hung:
            self._under_way = [at for at in self._under_way if now_ms - at < HUNG_MS]
            self._answered = deque(sorted([*self._answered, *(at + HUNG_MS for at in hung)]))
        while self._answered and now_ms - self._answered[0] >= self._window_ms:
            self._answered.popleft()

    def free(self, now_ms: float) -> int:
        self._tidy(now_ms)
        return self._n - len(self._under_way) - len(self._answered)

    def wait_s(self, now_ms: float) -> float:
        """0 when one more may go; else when to ask again."""
        missing = 1 - self.free(now_ms)
        if missing <= 0:
            return 0.0
        if missing > len(self._answered):
            return _LOOK_AGAIN_S
        return max(0.001, (self._answered[missing - 1] + self._window_ms - now_ms) / 1000)

    def is_half_free(self, now_ms: float) -> bool:
        return 2 * self.free(now_ms) >= self._n

    def take(self, now_ms: float) -> None:
        self._under_way.append(now_ms)

    def give_back(self, taken_ms: float, now_ms: float, *, was_used: bool) -> None:
        if taken_ms in self._under_way:
            self._under_way.remove(taken_ms)
            if was_used:
                self._answered.append(now_ms)

    @property
    def is_idle(self) -> bool:
        return not self._under_way and not self._answered


@dataclass(slots=True)
class _Chat:
    """One chat's windows and pause."""

    windows: tuple[Window, ...]
    paused_until_ms: float = 0.0
    flooded_ms: float = field(default=-1e18)


@dataclass(frozen=True, slots=True)
class Slot:
    """Leave to make one request."""

    chat_id: int
    taken_ms: float


class TelegramLimits:
    """One bot's budget. One object per token."""

    def __init__(self, clock: Clock, *, per_second: int = PER_SECOND) -> None:
        self._clock = clock
        self._all = Window(per_second, 1_000.0)
        self._chats: dict[int, _Chat] = {}
        self._paused_until_ms = 0.0
        self._urgent: dict[int, float] = {}

    def take(self, chat_id: int, *, urgent: bool = False, spare: bool = False) -> Slot | float:
        """A slot, or the seconds after which to ask again. `spare`: only while half of all room is left."""
        now_ms = self._clock.monotonic_ms()
        chat = self._chat(chat_id, now_ms)
        wait_s = max(0.0, (max(self._paused_until_ms, chat.paused_until_ms) - now_ms) / 1000)
        wait_s = max(wait_s, *(window.wait_s(now_ms) for window in chat.windows))
        if spare and not all(window.is_half_free(now_ms) for window in (self._all, *chat.windows)):
            wait_s = max(wait_s, 1.0)
        if wait_s > 0:
            self._urgent.pop(chat_id, None)
            return wait_s
        wait_s = self._all.wait_s(now_ms)
        self._urgent = {who: until_ms for who, until_ms in self._urgent.items() if until_ms > now_ms}
        if wait_s == 0 and not urgent and self._all.free(now_ms) <= len(self._urgent.keys() - {chat_id}):
            wait_s = 0.05
        if wait_s > 0:
            if urgent:
                # It is back before this is over, or it needs no slot any more.
                self._urgent[chat_id] = now_ms + wait_s * 1000 + 100
            return wait_s
        self._urgent.pop(chat_id, None)
        for window in (self._all, *chat.windows):
            window.take(now_ms)
        return Slot(chat_id, now_ms)

    def give_back(self, slot: Slot, *, was_used: bool = True) -> None:
        """The request was answered, or was not made."""
        now_ms = self._clock.monotonic_ms()
        chat = self._chats.get(slot.chat_id)
        for window in (self._all, *(chat.windows if chat else ())):
            window.give_back(slot.taken_ms, now_ms, was_used=was_used)

    def pause(self, chat_id: int, seconds: float) -> None:
        """Telegram asked for a pause. When it asks in two chats at once, it means the bot and not the chat."""
        now_ms = self._clock.monotonic_ms()
        until_ms = now_ms + min(max(seconds, 0.0), MAX_PAUSE_S) * 1000
        chat = self._chat(chat_id, now_ms)
        chat.paused_until_ms = max(chat.paused_until_ms, until_ms)
        chat.flooded_ms = now_ms
        window_ms = min(seconds, MAX_PAUSE_S) * 1000
        others = (one for who, one in self._chats.items() if who != chat_id)
        if any(now_ms - one.flooded_ms <= window_ms and one.paused_until_ms > now_ms for one in others):
            self._paused_until_ms = max(self._paused_until_ms, until_ms)

    def pause_all(self, seconds: float) -> None:
        now_ms = self._clock.monotonic_ms()
        self._paused_until_ms = max(self._paused_until_ms, now_ms + min(max(seconds, 0.0), MAX_PAUSE_S) * 1000)

    @property
    def paused_s(self) -> float:
        """How long the whole bot still has to be quiet."""
        return max(0.0, (self._paused_until_ms - self._clock.monotonic_ms()) / 1000)

    @contextlib.asynccontextmanager
    async def slot(
        self, chat_id: int, *, within_s: float, urgent: bool = True, spare: bool = False
    ) -> AsyncIterator[bool]:
        """Wait for a slot, at most so long; False where there was none in time. For answers to people."""
        deadline_ms = self._clock.monotonic_ms() + within_s * 1000
        urgent = urgent and not spare
        found = self.take(chat_id, urgent=urgent, spare=spare)
        while not isinstance(found, Slot):
            if self._clock.monotonic_ms() + found * 1000 > deadline_ms:
                yield False
                return
            await self._clock.sleep(found)
            found = self.take(chat_id, urgent=urgent, spare=spare)
        try:
            yield True
        finally:
            self.give_back(found)

    def _chat(self, chat_id: int, now_ms: float) -> _Chat:
        chat = self._chats.get(chat_id)
        if chat is None:
            if len(self._chats) >= MAX_CHATS:
                self._forget_idle(now_ms)
            windows = (Window(1, 1_000.0), *([Window(GROUP_PER_MINUTE, 60_000.0)] if chat_id < 0 else []))
            chat = self._chats[chat_id] = _Chat(windows)
        return chat

    def _forget_idle(self, now_ms: float) -> None:
        for chat_id, chat in list(self._chats.items()):
            for window in chat.windows:
                window.free(now_ms)
            if chat.paused_until_ms <= now_ms and all(window.is_idle for window in chat.windows):
                del self._chats[chat_id]


class DiscordLimits:
    """What all webhooks share: Discord counts calls without a login by address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._paused_until_ms = 0.0

    def pause_all(self, seconds: float) -> None:
        now_ms = self._clock.monotonic_ms()
        self._paused_until_ms = max(self._paused_until_ms, now_ms + min(max(seconds, 0.0), MAX_PAUSE_S) * 1000)

    @property
    def paused_s(self) -> float:
        return max(0.0, (self._paused_until_ms - self._clock.monotonic_ms()) / 1000)
