"""Answers of jobs in Telegram: the message that said "running" changes while the job runs, and becomes what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import replace
from typing import Final

from bot import log
from bot.chat.reply import Reply
from bot.chat.telegram_client import TelegramClient
from bot.chat.telegram_failure import Failure, Kind
from bot.clock import Clock

MAX_FOLLOWED: Final = 50
"""Messages that change at a time; jobs of more are told when they are asked for."""

N_TRIES: Final = 4
MAX_PAUSE_S: Final = 60.0

Drawn = Callable[[Reply], Awaitable[tuple[Reply, bytes | None]]]

_log = log.get("chat.telegram")


class Later:
    """`run` has to be running."""

    def __init__(
        self, client: TelegramClient, drawn: Drawn, note: Callable[[int | Failure, int], None], clock: Clock
    ) -> None:
        """`drawn`: with its picture; `note`: told what became of each final answer."""
        self._client = client
        self._drawn = drawn
        self._note = note
        self._clock = clock
        self._arrived: asyncio.Queue[tuple[int, int, Reply, str, Context]] = asyncio.Queue(MAX_FOLLOWED)
        self._n_followed = 0
        self._newest: dict[tuple[int, int], Reply] = {}
        """What each message that is followed was last sent as."""

    def follow(self, chat_id: int, sent: int | Failure, reply: Reply, user: str) -> None:
        """What a reply becomes, in the message it was sent as; nothing for replies that stay."""
        if reply.later is None or isinstance(sent, Failure) or self._n_followed >= MAX_FOLLOWED:
            return
        self._n_followed += 1
        self._newest[chat_id, sent] = reply
        # In the language in which it was asked for.
        self._arrived.put_nowait((chat_id, sent, reply, user, copy_context()))

    def leave(self, chat_id: int, message_id: int) -> None:
        """Something else takes the place of a message: what was to come of it is not shown any more."""
        self._newest.pop((chat_id, message_id), None)

    async def run(self) -> None:
        """Change messages until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                chat_id, sent, reply, user, context = await self._arrived.get()
                tasks.create_task(self._one(chat_id, sent, reply, user), name="later answer", context=context)

    async def _one(self, chat_id: int, message_id: int, first: Reply, user: str) -> None:
        assert first.later is not None
        try:
            async for reply in first.later():
                if self._newest.get((chat_id, message_id)) is not first:
                    return
                reply = replace(reply, drawn_by=first.drawn_by)  # noqa: PLW2901
                if reply.is_interim:
                    # Whatever comes of it: the next says more.
                    await self._client.edit(chat_id, message_id, reply, user=user, spare=True)
                else:
                    self._note(await self._last(chat_id, message_id, reply, user), chat_id)
        except Exception:  # noqa: BLE001 - one answer; logged, and the others go on
            _log.exception("reply.failed")
        finally:
            self._n_followed -= 1
            if self._newest.get((chat_id, message_id)) is first:
                self._newest.pop((chat_id, message_id))

    async def _last(self, chat_id: int, message_id: int, reply: Reply, user: str) -> int | Failure:
        reply, png = await self._drawn(reply)
        for _ in range(N_TRIES):
            result = await self._client.edit(chat_id, message_id, reply, user=user, png=png)
            if not isinstance(result, Failure) or result.kind is not Kind.FLOOD:
                break
            # A job may have taken minutes: its answer is worth a wait.
            await self._clock.sleep(min(max(result.retry_after_s, 1.0), MAX_PAUSE_S))
        if isinstance(result, Failure) and result.kind is Kind.BAD_REQUEST and png is not None:
            _log.warning("picture.refused", chat_id=chat_id, reason=result.text)
            result = await self._client.edit(chat_id, message_id, reply, user=user)
        if isinstance(result, Failure) and result.kind is Kind.CANNOT_EDIT:
            return await self._client.send(chat_id, reply, user=user, png=png)
        return result
