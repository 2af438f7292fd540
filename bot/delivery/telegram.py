"""One Telegram chat, or one topic of it, as a destination. The library only builds requests and parses answers.

Its rate limiter, its retries and its start-up call are not used: a bot whose token is wrong, or whose Telegram is down,
still starts. A group that becomes a supergroup is followed, over restarts too. A topic that is gone is replaced by the
chat itself.
"""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    LinkPreviewOptions,
    ReplyParameters,
)
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from bot import log
from bot.clock import Clock
from bot.delivery import markup
from bot.delivery.destination import Answer, Form, Order, fingerprint
from bot.delivery.keys import keys_of
from bot.delivery.limits import Slot, TelegramLimits
from bot.delivery.telegram_errors import (
    AMBIGUOUS_PAUSE_S,
    MIN_PAUSE_S,
    answer_of,
    clamp_pause_s,
    is_picture,
    is_topic_gone,
    words,
)
from bot.delivery.text import utf16_length
from bot.model.chat_ports import ButtonIssuer, ChatFollower
from bot.model.news import Report, TopicGone, unheard
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.texts import mark

CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0
"""Telegram may take long and deliver all the same; giving up early makes duplicates."""
_MAX_PICTURED: Final = 500

_log = log.get("delivery.telegram")


class TelegramDestination:
    """Sends to one chat. Use as an async context manager: it owns HTTP connections."""

    def __init__(
        self,
        *,
        name: str = "telegram",
        token: str,
        api_url: str,
        chat_id: int,
        clock: Clock,
        limits: TelegramLimits | None = None,
        topic: int | None = None,
        moves: ChatFollower | None = None,
        report: Report = unheard,
        buttons: ButtonIssuer | None = None,
    ) -> None:
        """Prepare; nothing is asked of Telegram before the first message.

        Args:
            name: Of the destination.
            token: The bot's; never logged.
            api_url: The server without `/bot`.
            chat_id: Where messages go.
            clock: The library's timers are divided by its speed.
            limits: The token's budget, shared with everything else that sends with it.
            topic: One of a group that has topics.
            moves: Knows where a group went, and is told where it goes.
            report: Told what the owner should know.
            buttons: Remembers what stands behind those below alerts; None: there are none, nobody would hear them.
        """
        self._name = name
        self._chat_id = chat_id
        self._topic = topic
        self._moves = moves
        self._report = report
        self._buttons = buttons
        self._limits = limits if limits is not None else TelegramLimits(clock)
        self._slot: Slot | None = None
        self._pictured: dict[str, None] = {}
        self._address = (token, api_url, str(topic))
        speed = clock.speed
        self._request = HTTPXRequest(
            connection_pool_size=4,
            connect_timeout=CONNECT_TIMEOUT_S / speed,
            read_timeout=READ_TIMEOUT_S / speed,
            write_timeout=CONNECT_TIMEOUT_S / speed,
            pool_timeout=CONNECT_TIMEOUT_S / speed,
        )
        # The library wants one for updates too, which is never used: another would hold its own megabyte of certificates.
        self._bot = Bot(
            token=token,
            base_url=f"{api_url}/bot",
            base_file_url=f"{api_url}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._request.shutdown()

    @property
    def name(self) -> str:
        return self._name

    @property
    def chat_id(self) -> int:
        """Where messages go now; changes when a group becomes a supergroup."""
        return self._chat_id if self._moves is None else self._moves.now(self._chat_id)

    @property
    def fingerprint(self) -> str:
        """Another one when a group became a supergroup: its messages have other numbers."""
        token, api_url, topic = self._address
        return fingerprint(token, api_url, str(self.chat_id), topic)

    @property
    def held_s(self) -> float:
        return self._limits.paused_s

    def hold(self, seconds: float) -> None:
        self._limits.pause_all(seconds)

    def take_slot(self, *, urgent: bool) -> float:
        if self._slot is not None:
            return 0.0
        found = self._limits.take(self.chat_id, urgent=urgent)
        if not isinstance(found, Slot):
            return found
        self._slot = found
        return 0.0

    def free_slot(self, *, was_used: bool = False) -> None:
        if self._slot is not None:
            self._limits.give_back(self._slot, was_used=was_used)
            self._slot = None

    async def send(self, order: Order) -> Answer:
        """Make one attempt."""
        return await self._attempt(order, lambda: self._call(order))

    async def attach(self, order: Order, png: bytes) -> Answer:
        """Put a picture over a message. A text that is too long to stand under one stays as it is."""
        if utf16_length(markup.to_plain(order.composed())) > markup.CAPTION_LIMIT:
            self.free_slot()
            return Rejected(mark("the text is too long for a caption"))
        return await self._attempt(order, lambda: self._hang(order, png))

    async def _attempt(self, order: Order, call: Callable[[], Awaitable[str]]) -> Answer:
        try:
            return Delivered(await call())
        except ChatMigrated as error:
            await self._move(error.new_chat_id)
            return answer_of(error)
        except RetryAfter as error:
            self._limits.pause(self.chat_id, clamp_pause_s(error.retry_after))
            return answer_of(error)
        except BadRequest as error:
            if self._topic is not None and is_topic_gone(error):
                self._leave_topic()
                return RetryLater(MIN_PAUSE_S, f"Telegram: {words(error)}; the chat itself is next")
            return answer_of(error, target=order.target)
        except TelegramError as error:
            return answer_of(error, target=order.target)
        except Exception as error:  # noqa: BLE001, an answer that the library cannot digest
            _log.warning("answer.unreadable", error=type(error).__name__)
            return RetryLater(AMBIGUOUS_PAUSE_S, mark("Telegram's answer could not be read"), ambiguous=True)
        finally:
            self.free_slot(was_used=True)

    def _leave_topic(self) -> None:
        _log.warning("topic.gone", destination=self._name, topic=self._topic)
        self._report(TopicGone(self._name))
        self._topic = None

    async def _move(self, new_chat_id: int) -> None:
        """A group became a supergroup and has another number now."""
        _log.warning("chat.migrated", destination=self._name, old=self.chat_id, new=new_chat_id)
        if self._moves is None:
            self._chat_id = new_chat_id
        else:
            await self._moves.moved(self.chat_id, new_chat_id)

    async def _hang(self, order: Order, png: bytes) -> str:
        target = order.target or ""
        photo = InputMediaPhoto(
            png,
            caption=_text(order, markup.CAPTION_LIMIT),
            parse_mode=None if order.plain else ParseMode.HTML,
            show_caption_above_media=True,
        )
        # Without its buttons it would lose them.
        await self._bot.edit_message_media(
            photo, chat_id=self.chat_id, message_id=int(target), reply_markup=await self._markup(order)
        )
        self._know_picture(target)
        return target

    def _know_picture(self, message_id: str) -> None:
        self._pictured[message_id] = None
        while len(self._pictured) > _MAX_PICTURED:
            self._pictured.pop(next(iter(self._pictured)))

    async def _edit(self, order: Order, target: str) -> str:
        """A message under a picture has a caption and no text; which it is may have been forgotten over a restart."""
        keyboard = await self._markup(order)
        if target not in self._pictured:
            try:
                await self._bot.edit_message_text(
                    _text(order),
                    chat_id=self.chat_id,
                    message_id=int(target),
                    parse_mode=None if order.plain else ParseMode.HTML,
                    link_preview_options=LinkPreviewOptions(is_disabled=True),
                    reply_markup=keyboard,
                )
                return target
            except BadRequest as error:
                if not is_picture(error):
                    raise
            self._know_picture(target)
        await self._bot.edit_message_caption(
            chat_id=self.chat_id,
            message_id=int(target),
            caption=_text(order, markup.CAPTION_LIMIT),
            parse_mode=None if order.plain else ParseMode.HTML,
            show_caption_above_media=True,
            reply_markup=keyboard,
        )
        return target

    async def _call(self, order: Order) -> str:
        """One request; the id of the message that now says it."""
        if order.form is Form.EDIT and order.target is not None:
            return await self._edit(order, order.target)
        reply = None
        if order.form is Form.REPLY and order.target is not None:
            reply = ReplyParameters(message_id=int(order.target), allow_sending_without_reply=True)
        sent = await self._bot.send_message(
            self.chat_id,
            _text(order),
            parse_mode=None if order.plain else ParseMode.HTML,
            link_preview_options=LinkPreviewOptions(is_disabled=True),
            reply_parameters=reply,
            disable_notification=order.silent,
            message_thread_id=self._topic,
            reply_markup=await self._markup(order),
        )
        return str(sent.message_id)

    async def _markup(self, order: Order) -> InlineKeyboardMarkup | None:
        """The buttons of an alert. An edit without any takes those away that were there."""
        rows = keys_of(order) if self._buttons is not None else ()
        if self._buttons is None or not rows:
            return None
        commands = [key.command for row in rows for key in row if key.command]
        data = iter(await self._buttons.issue(commands, chat=f"telegram:{self.chat_id}", place=self._name))
        return InlineKeyboardMarkup(
            [
                [
                    InlineKeyboardButton(key.label, url=key.url)
                    if key.url
                    else InlineKeyboardButton(key.label, callback_data=next(data))
                    for key in row
                ]
                for row in rows
            ]
        )


def _text(order: Order, limit: int = markup.TELEGRAM_LIMIT) -> str:
    card = order.composed()
    return markup.plain_text(card, limit) if order.plain else markup.telegram_html(card, limit)
