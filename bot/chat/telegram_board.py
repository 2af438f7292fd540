"""Keeps the live boards of Telegram up to date: one edit a minute at most, only of what changed, never before anything else.

An edit is left out where the limits are half used up; the next one shows what it would have shown. A board that
somebody deleted is posted again; in a chat that does not take messages any more it ends.
"""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from bot import log
from bot.chat import board as pages
from bot.chat.board import UNSEEN_MS, WINDOW_MS, Board, Boards, off_page
from bot.chat.reply import Reply
from bot.chat.telegram_client import TelegramClient
from bot.chat.telegram_failure import Failure, Kind
from bot.clock import Clock
from bot.model.overview import Overview, OverviewReader
from bot.texts import say, speaking

LOOK_S: Final = 2.0
EVERY_MS: Final = 60_000

_log = log.get("chat.board")


class Screen(Protocol):
    """What the boards need of Telegram. A message id, or why not."""

    async def send(self, chat_id: int, reply: Reply) -> int | Failure: ...

    async def edit(self, chat_id: int, message_id: int, reply: Reply) -> int | Failure:
        """`Kind.BUSY` where others need the room."""
        ...

    async def pin(self, chat_id: int, message_id: int) -> Failure | None: ...

    async def unpin(self, chat_id: int, message_id: int) -> Failure | None: ...


class TelegramScreen:
    """The boards' part of a client."""

    def __init__(self, client: TelegramClient) -> None:
        self._client = client

    async def send(self, chat_id: int, reply: Reply) -> int | Failure:
        return await self._client.send(chat_id, reply)

    async def edit(self, chat_id: int, message_id: int, reply: Reply) -> int | Failure:
        return await self._client.edit(chat_id, message_id, reply, spare=True)

    async def pin(self, chat_id: int, message_id: int) -> Failure | None:
        call = self._client.bot.pin_chat_message(chat_id, message_id, disable_notification=True)
        done = await self._client.call(call)
        return done if isinstance(done, Failure) else None

    async def unpin(self, chat_id: int, message_id: int) -> Failure | None:
        done = await self._client.call(self._client.bot.unpin_chat_message(chat_id, message_id))
        return done if isinstance(done, Failure) else None


class BoardKeeper:
    """Runs beside the front of Telegram."""

    def __init__(
        self,
        boards: Boards,
        reader: OverviewReader,
        screen: Screen,
        clock: Clock,
        language_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`language_of`: what is spoken in a chat."""
        self._boards = boards
        self._reader = reader
        self._screen = screen
        self._clock = clock
        self._language_of = language_of
        self._looked_ms: dict[int, int] = {}
        """When a board was found to say what it should, or was left out."""

    async def run(self) -> None:
        """Until cancelled."""
        await self._boards.load()
        while True:
            try:
                await self.step()
            except Exception:  # noqa: BLE001 - one look; logged, and whoever asks and is told does not suffer
                _log.exception("board.failed")
            await self._clock.sleep(LOOK_S)

    async def step(self) -> None:
        """Look after every board once."""
        due = [board for board in self._boards.all() if self._is_due(board)]
        if due:
            seen = await self._reader.overview(WINDOW_MS, pages.ROWS)
            for board in due:
                with speaking(self._language_of(f"telegram:{board.chat_id}")):
                    await self._update(board, seen)

    def _is_due(self, board: Board) -> bool:
        now_ms = self._clock.wall_ms()
        if board.is_ending:
            return True
        if self._is_unseen(board) and board.is_stopped:
            return False
        last_ms = max(board.touched_ms, self._looked_ms.get(board.chat_id, 0))
        return not 0 <= now_ms - last_ms < EVERY_MS

    def _is_unseen(self, board: Board) -> bool:
        return self._clock.wall_ms() - board.seen_ms >= UNSEEN_MS

    async def _update(self, board: Board, seen: Overview) -> None:
        if board.is_ending:
            await self._end(board)
        elif board.message_id is None:
            await self._post(board, seen)
        else:
            await self._edit(board, board.message_id, seen)

    async def _end(self, board: Board) -> None:
        if board.message_id is not None:
            done = await self._screen.edit(board.chat_id, board.message_id, off_page())
            if isinstance(done, Failure) and done.kind is Kind.BUSY:
                return
            await self._screen.unpin(board.chat_id, board.message_id)
        self._looked_ms.pop(board.chat_id, None)
        now = self._boards.of(board.chat_id)
        if now is None or now.is_ending:
            await self._boards.drop(board.chat_id)
        else:
            # Turned on again meanwhile: the old message says that it is off.
            await self._keep(board, message_id=None, shown="", touched_ms=0)

    async def _post(self, board: Board, seen: Overview) -> None:
        now_ms = self._clock.wall_ms()
        sent = await self._screen.send(board.chat_id, pages.page(seen))
        if isinstance(sent, Failure):
            await self._failed(board, sent)
            return
        unpinned = await self._screen.pin(board.chat_id, sent)
        if unpinned is not None:
            _log.info("board.unpinned", chat_id=board.chat_id, reason=unpinned.text)
        await self._keep(
            board,
            message_id=sent,
            shown=_figures(seen),
            touched_ms=now_ms,
            is_stopped=False,
            is_unpinned=unpinned is not None,
        )

    async def _edit(self, board: Board, message_id: int, seen: Overview) -> None:
        now_ms, stops = self._clock.wall_ms(), self._is_unseen(board)
        self._looked_ms[board.chat_id] = now_ms
        if not stops and not board.is_stopped and board.shown == _figures(seen):
            return
        tail = say("I may not pin it here.") if board.is_unpinned else ""
        reply = pages.stopped(seen) if stops else pages.page(seen, tail=tail)
        done = await self._screen.edit(board.chat_id, message_id, reply)
        if isinstance(done, Failure):
            await self._failed(board, done)
        else:
            await self._keep(board, shown=_figures(seen), touched_ms=now_ms, is_stopped=stops)

    async def _failed(self, board: Board, failure: Failure) -> None:
        if failure.kind is Kind.BUSY:
            return
        _log.info("board.not_shown", chat_id=board.chat_id, kind=failure.kind.value, reason=failure.text)
        if failure.new_chat_id is not None:
            self._boards.moved(board.chat_id, failure.new_chat_id)
        elif failure.kind is Kind.CANNOT_EDIT:
            self._looked_ms.pop(board.chat_id, None)
            await self._keep(board, message_id=None, shown="", touched_ms=0)
        elif failure.kind in {Kind.FORBIDDEN, Kind.BAD_REQUEST}:
            await self._boards.drop(board.chat_id)
        else:
            await self._keep(board, touched_ms=self._clock.wall_ms())

    async def _keep(self, board: Board, **changed: object) -> None:
        """Unless it was turned off meanwhile; when it was seen meanwhile, that stays."""
        now = self._boards.of(board.chat_id)
        if now is not None:
            await self._boards.put(msgspec.structs.replace(now, **changed))


def _figures(seen: Overview) -> str:
    return msgspec.json.encode(pages.figures(seen)).decode()
