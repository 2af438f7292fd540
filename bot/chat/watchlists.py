"""What chats have put aside: pins, named lists, and what they looked at last.

All of it is held in memory and stored behind the `WatchlistStore` port. What somebody asks for is stored before it is
confirmed; what was merely looked at is stored a little later, so that no answer waits for the disk. Everything is bounded.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bot import log
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.watchlists import MAX_RECENT, MAX_WATCHED, ListKind, SymbolList, WatchlistStore

STORE_EVERY_S: Final = 5.0
MAX_CHATS: Final = 1_000
"""Whose looks are remembered; the one that looked longest ago goes first."""
PINS: Final = "pins"
RECENT: Final = "recent"
RESERVED: Final = frozenset({PINS, RECENT, "all"})

_NAME = re.compile(r"[a-z0-9_-]{1,20}", re.ASCII)
_log = log.get("chat.watchlists")


def list_name(word: str) -> str | None:
    """`@Majors` or `majors` -> `majors`; None for what can be no name of a list."""
    name = word.removeprefix("@").casefold()
    return name if _NAME.fullmatch(name) and name not in RESERVED else None


class Watchlists:
    """The lists of all chats."""

    def __init__(self, store: WatchlistStore, clock: Clock, *, known: Iterable[SymbolList] = ()) -> None:
        self._store = store
        self._clock = clock
        self._lists: dict[tuple[str, ListKind, str], SymbolList] = {}
        self._unstored: set[str] = set()
        """Chats whose latest looks are not on the disk."""
        for one in sorted(known, key=lambda o: o.changed_ms):
            self._lists[one.chat, one.kind, one.name] = one

    @classmethod
    async def load(cls, store: WatchlistStore, clock: Clock) -> "Watchlists":
        """With all that was stored. Raises `StorageError`."""
        return cls(store, clock, known=await store.all())

    def pins(self, chat: str) -> tuple[str, ...]:
        """Keys, in the order in which they were pinned."""
        return self._get(chat, "pins")

    def recent(self, chat: str) -> tuple[str, ...]:
        """Keys, the latest first."""
        return self._get(chat, "recent")

    def named(self, chat: str) -> Mapping[str, tuple[str, ...]]:
        """All named lists of a chat, by name."""
        found = {one.name: one.instruments for one in self._lists.values() if (one.chat, one.kind) == (chat, "named")}
        return dict(sorted(found.items()))

    def find(self, chat: str, word: str) -> tuple[str, ...] | None:
        """What `@word` stands for in a chat; None where there is no such list."""
        name = word.removeprefix("@").casefold()
        if name == PINS:
            return self.pins(chat)
        if name == RECENT:
            return self.recent(chat)
        found = self._lists.get((chat, "named", name))
        return found.instruments if found is not None else None

    def watched(self) -> tuple[str, ...]:
        """Keys that somebody has pinned; of too many the ones pinned last."""
        lists = sorted((o for o in self._lists.values() if o.kind == "pins"), key=lambda o: -o.changed_ms)
        return tuple(dict.fromkeys(key for one in lists for key in one.instruments))[:MAX_WATCHED]

    async def pin(self, chat: str, keys: Sequence[str]) -> None:
        """Let these be the pins of a chat. Raises `StorageError`, and then nothing has changed."""
        await self._put(chat, "pins", "", keys)

    async def name(self, chat: str, name: str, keys: Sequence[str]) -> None:
        """Let a name stand for these; none forgets it. Raises `StorageError`, and then nothing has changed."""
        await self._put(chat, "named", name, keys)

    def looked_at(self, chat: str, keys: Sequence[str]) -> None:
        """Remember; the last of them counts as the latest."""
        before = self.recent(chat)
        after = tuple(dict.fromkeys((*reversed(keys), *before)))[:MAX_RECENT]
        if after != before:
            self._lists.pop((chat, "recent", ""), None)
            self._lists[chat, "recent", ""] = SymbolList(chat, "recent", "", after, self._clock.wall_ms())
            self._unstored.add(chat)
            self._forget_the_oldest()

    async def run(self) -> None:
        """Store what was looked at, until cancelled. A component."""
        while True:
            await self._clock.sleep(STORE_EVERY_S)
            await self.store_looks()

    async def store_looks(self) -> None:
        """What cannot be stored now is tried again the next time."""
        for chat in sorted(self._unstored):
            kept = self._lists.get((chat, "recent", ""))
            try:
                await self._store.put(kept or SymbolList(chat, "recent", "", (), 0))
            except StorageError as error:
                _log.debug("looks.unstored", reason=str(error))
                return
            if self._lists.get((chat, "recent", "")) == kept:
                self._unstored.discard(chat)

    def moved(self, old: str, new: str) -> None:
        """A chat became another; the store is told by itself. What the new one has stays."""
        for place, one in [(p, o) for p, o in self._lists.items() if o.chat == old]:
            del self._lists[place]
            self._lists.setdefault(
                (new, one.kind, one.name), SymbolList(new, one.kind, one.name, one.instruments, one.changed_ms)
            )

    def _get(self, chat: str, kind: ListKind) -> tuple[str, ...]:
        found = self._lists.get((chat, kind, ""))
        return found.instruments if found is not None else ()

    async def _put(self, chat: str, kind: ListKind, name: str, keys: Sequence[str]) -> None:
        one = SymbolList(chat, kind, name, tuple(dict.fromkeys(keys)), self._clock.wall_ms())
        await self._store.put(one)
        if one.instruments:
            self._lists[chat, kind, name] = one
        else:
            self._lists.pop((chat, kind, name), None)

    def _forget_the_oldest(self) -> None:
        looks = [place for place in self._lists if place[1] == "recent"]
        for place in looks[: max(0, len(looks) - MAX_CHATS)]:
            del self._lists[place]
            self._unstored.add(place[0])
