"""A timeline: what happens in the world and when, what people must see and when, and that they see nothing else.

    line = Timeline(clock, chats.happenings)
    line.at(5, lambda: market.jump("BTCUSDT", 0.06))
    line.want(between(5, 9), TELEGRAM, "BTCUSDT", Told.FIRE)
    await line.run(until_s=20)
    assert line.problems() == []

Times are clock seconds from the start of `run`.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.clock import Clock
from bot.sim.chat_log import Happening, What
from tests.support.arrivals import UPDATE, ended_in

Chat = tuple[str, str]
"""Service and chat."""
Action = Callable[[], Awaitable[None] | None]


class Told(StrEnum):
    """What a message tells of an alert."""

    FIRE = "fire"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True)
class Span:
    """Seconds from, to."""

    first_s: float
    last_s: float


def between(first_s: float, last_s: float) -> Span:
    return Span(first_s, last_s)


@dataclass(frozen=True)
class Want:
    """One thing that people of one chat must see."""

    span: Span
    chat: Chat
    says: str
    told: Told

    def __str__(self) -> str:
        return f"{self.told} of {self.says} in {self.chat[0]} between {self.span.first_s} and {self.span.last_s} s"


@dataclass
class Timeline:
    """Declare with `at` and `want`, then `run`, then ask for `problems`."""

    clock: Clock
    happenings: Sequence[Happening]
    began_ms: float = 0.0
    _actions: list[tuple[float, Action]] = field(default_factory=list)
    _wants: list[Want] = field(default_factory=list)
    _skip: int = 0

    def at(self, second: float, action: Action) -> None:
        self._actions.append((second, action))

    def want(self, span: Span, chats: Chat | Sequence[Chat], says: str, told: Told) -> None:
        """In each of these chats a message of that kind in whose text `says` stands."""
        several = [chats] if isinstance(chats[0], str) else chats
        self._wants += [Want(span, chat, says, told) for chat in several]

    async def run(self, *, until_s: float) -> None:
        """What was seen before is forgotten; `until_s` is when the last message may come."""
        self._skip = len(self.happenings)
        self.began_ms = self.clock.monotonic_ms()
        for second, action in sorted(self._actions, key=lambda one: one[0]):
            await self._until(second)
            found = action()
            if inspect.isawaitable(found):
                await found
        await self._until(until_s)

    async def _until(self, second: float) -> None:
        await self.clock.sleep(second - (self.clock.monotonic_ms() - self.began_ms) / 1_000)

    def problems(self) -> list[str]:
        """Sentences: what did not come, and what came and was not wanted. Empty when all is well."""
        seen = [(one, self._second(one)) for one in self.happenings[self._skip :]]
        left = list(seen)
        found = []
        for want in self._wants:
            match = next((one for one in left if fits(want, *one)), None)
            if match is None:
                near = [
                    f"{kind_of(h)} at {at:.1f} s"
                    for h, at in seen
                    if (h.service, h.chat) == want.chat and want.says in h.text
                ]
                found.append(f"missing: {want} (seen: {', '.join(near) or 'nothing'})")
            else:
                left.remove(match)
        return found + [
            f"unwanted: {kind_of(h)} in {h.service} {h.chat} at {at:.1f} s: {h.text[:80]!r}" for h, at in left
        ]

    def _second(self, one: Happening) -> float:
        return (one.at_ms - self.began_ms) / 1_000


def kind_of(seen: Happening) -> Told | str:
    """What a change in a chat tells of its alert."""
    if seen.what is What.EDIT or (seen.what is What.NEW and ended_in(seen.text)):
        return Told.END if ended_in(seen.text) else "edit"
    if seen.what is not What.NEW:
        return seen.what
    is_update = seen.reply_to is not None or any(UPDATE.search(row) for row in seen.text.splitlines()[:2])
    return Told.UPDATE if is_update else Told.FIRE


def fits(want: Want, seen: Happening, at_s: float) -> bool:
    is_there = (seen.service, seen.chat) == want.chat and want.says in seen.text and kind_of(seen) == want.told
    return is_there and want.span.first_s <= at_s <= want.span.last_s
