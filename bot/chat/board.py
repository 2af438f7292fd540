"""The live board: which chats have one, and what it says. No I/O but through the store of small values.

A board is one message that is kept up to date while somebody looks: whatever is asked or pressed in its chat counts. After
a day without it stops and says so. Which message it is survives a restart.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from bot import log
from bot.chat.actions import Handler
from bot.chat.asker import Asker, telegram_number
from bot.chat.commands import Command
from bot.chat.reply import BLANK, Button, Reply, Table, bold, line, refusal
from bot.clock import Clock
from bot.errors import StorageError
from bot.model import numbers
from bot.model.overview import Mover, Overview, OverviewReader
from bot.model.ports import KeyValues
from bot.texts import mark, say

ROWS: Final = 8
WINDOW_MS: Final = 900_000
UNSEEN_MS: Final = 86_400_000
SEEN_AGAIN_MS: Final = 600_000
"""Being looked at is stored at most this often."""
MAX_BOARDS: Final = 50
KEY: Final = "chat.boards"
RESUME: Final = "/board resume"

_log = log.get("chat.board")


class Board(msgspec.Struct, frozen=True):
    """One chat's board. Times are wall time in ms."""

    chat_id: int
    seen_ms: int
    message_id: int | None = None
    """None before it is posted, and after it was deleted."""
    shown: str = ""
    """What it says, without the time; empty where it may say anything."""
    touched_ms: int = 0
    """When it was last posted or edited, or that was tried."""
    is_stopped: bool = False
    """It says that it stopped."""
    is_ending: bool = False
    is_unpinned: bool = False
    """The chat does not let it be pinned."""


class Boards:
    """All boards of one bot, remembered."""

    def __init__(self, store: KeyValues, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._boards: dict[int, Board] = {}

    async def load(self) -> None:
        """Take up what an earlier process knew; what cannot be read is as if there were none."""
        try:
            text = await self._store.get(KEY)
            found = msgspec.json.decode(text or "[]", type=tuple[Board, ...])
        except (StorageError, msgspec.DecodeError) as error:
            _log.warning("boards.unreadable", reason=str(error))
            return
        self._boards = {one.chat_id: one for one in found[:MAX_BOARDS]} | self._boards

    def all(self) -> tuple[Board, ...]:
        return tuple(self._boards.values())

    def of(self, chat_id: int) -> Board | None:
        return self._boards.get(chat_id)

    async def turn_on(self, chat_id: int) -> bool:
        """Whether there is one now; there may be too many."""
        known = self._boards.get(chat_id)
        if known is None and len(self._boards) >= MAX_BOARDS:
            return False
        now_ms = self._clock.wall_ms()
        board = known if known is not None else Board(chat_id, now_ms)
        await self.put(msgspec.structs.replace(board, seen_ms=now_ms, is_ending=False))
        return True

    async def turn_off(self, chat_id: int) -> bool:
        """Whether there was one."""
        board = self._boards.get(chat_id)
        if board is not None:
            await self.put(msgspec.structs.replace(board, is_ending=True))
        return board is not None

    async def end(self, chat: str) -> None:
        """The chat, by the name that `Asker` has for it, is gone."""
        chat_id = telegram_number(chat)
        if chat_id is not None and chat_id in self._boards:
            await self.drop(chat_id)

    def seen(self, chat_id: int) -> None:
        """Somebody asked or pressed something there; stored with the next change."""
        board, now_ms = self._boards.get(chat_id), self._clock.wall_ms()
        if board is not None and abs(now_ms - board.seen_ms) >= SEEN_AGAIN_MS:
            self._boards[chat_id] = msgspec.structs.replace(board, seen_ms=now_ms)

    async def put(self, board: Board) -> None:
        self._boards[board.chat_id] = board
        await self._save()

    async def drop(self, chat_id: int) -> None:
        self._boards.pop(chat_id, None)
        await self._save()

    def moved(self, old: int, new: int) -> None:
        """A group became a supergroup, where the old message cannot be edited; stored with the next change."""
        board = self._boards.pop(old, None)
        if board is not None:
            self._boards[new] = msgspec.structs.replace(board, chat_id=new, message_id=None, shown="", touched_ms=0)

    async def _save(self) -> None:
        try:
            await self._store.put(KEY, msgspec.json.encode(self.all()).decode())
        except StorageError as error:
            # After a restart it may be posted anew.
            _log.warning("boards.unstored", reason=str(error))


def _label(one: Mover) -> str:
    return one.symbol.removesuffix("USDT")


def figures(seen: Overview) -> tuple[Table, ...]:
    """The movers alone: what has to differ for the board to be edited."""
    rows = tuple(
        (f"{n} {_label(one)}", numbers.percent(one.oi_change, digits=1), numbers.percent(one.price_change, digits=1))
        for n, one in enumerate(seen.by_oi[:ROWS], 1)
    )
    return (Table(("", say("OI"), say("price")), rows),) if rows else ()


def page(seen: Overview, *, tail: str = "") -> Reply:
    """The board at one tick. `tail` is said at its end."""
    table = figures(seen)
    found = table or (line(say("Nothing is known yet.")),)
    at = numbers.clock_time(seen.at_ms) if seen.at_ms else ""
    end = tuple(line(text) for text in (at, tail) if text)
    buttons = (
        (Button(say("↻ Refresh"), RESUME), *(Button(_label(one), f"/oi {one.symbol}") for one in seen.by_oi[:2])),
    )
    return Reply((line(bold(say("Top OI moves · {window}", window=numbers.window(WINDOW_MS)))), *found, *end), buttons)


def stopped(seen: Overview) -> Reply:
    """The board after a day in which nobody looked."""
    shown = page(seen)
    blocks = (*shown.blocks, BLANK, line(say("It stopped: nobody pressed or asked anything here for a day.")))
    return Reply(blocks, ((Button(say("Resume"), RESUME),),))


def off_page() -> Reply:
    return Reply((line(say("The board is off.")),), ((Button(say("Show it once"), "/board"),),))


_APPEARS: Final = mark(
    "The board appears in a moment, pinned. It is kept up to date, and stops after a day in which nobody presses or asks "
    "anything here."
)
_NOT_HERE: Final = mark("It is shown once here; in Telegram /board on pins one that is kept up to date.")


class BoardActions:
    """`/board`, `/board on`, `/board off`, and the button of the board itself."""

    def __init__(self, boards: Boards, reader: OverviewReader) -> None:
        self._boards = boards
        self._reader = reader

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"board": self.answer}

    async def answer(self, command: Command, asker: Asker) -> Reply:
        """Carry it out."""
        chat_id = telegram_number(asker.chat)
        word = command.words[0] if command.words else ""
        if chat_id is None:
            return page(await self._look(), tail=say(_NOT_HERE) if word else "")
        if word == "resume":
            return await self._resume(chat_id)
        if not word:
            return page(await self._look(), tail="" if self._boards.of(chat_id) else say("/board on pins it here."))
        if word == "off":
            if not await self._boards.turn_off(chat_id):
                return refusal(say("There is no board in this chat."))
            return replace(off_page(), did=asker.for_all("turned the board off"))
        if not await self._boards.turn_on(chat_id):
            return refusal(
                say(
                    "There are {n} boards already. /board off in another chat makes room.",
                    n=MAX_BOARDS,
                )
            )
        buttons = ((Button(say("Turn it off"), "/board off"),),)
        return Reply((line(say(_APPEARS)),), buttons, did=asker.for_all("turned the board on"))

    async def _resume(self, chat_id: int) -> Reply:
        """Anyone who may press may look; where there is no board any more it is shown once."""
        board = self._boards.of(chat_id)
        if board is not None and not board.is_ending:
            await self._boards.turn_on(chat_id)
        return page(await self._look(), tail="" if board else say("It is not kept up to date any more."))

    async def _look(self) -> Overview:
        return await self._reader.overview(WINDOW_MS, ROWS)
