"""One Telegram chat, or one topic of it, as a destination. The library only builds requests and parses answers.

Its rate limiter, its retries and its start-up call are not used: a bot whose token is wrong, or whose Telegram is down,
still starts. A group that becomes a supergroup is followed for the life of the process; after a restart Telegram names
the new chat again on the first message.
"""

from types import TracebackType
from typing import Final, Self

from telegram import Bot, LinkPreviewOptions, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import ChatMigrated, TelegramError
from telegram.request import HTTPXRequest

from bot import log
from bot.clock import Clock
from bot.delivery import layout, markup
from bot.delivery.destination import Answer, Form, Order
from bot.delivery.pace import Pace
from bot.delivery.telegram_errors import AMBIGUOUS_PAUSE_S, answer_of
from bot.model.outbox import Delivered, RetryLater

CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0
"""Telegram may take long and deliver all the same; giving up early makes duplicates."""
_CHAT_LIMITS: Final = ((1, 1.0),)
_GROUP_LIMITS: Final = ((1, 1.0), (20, 60.0))

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
        topic: int | None = None,
        beside: "TelegramDestination | None" = None,
    ) -> None:
        """`api_url` is the server without `/bot`; the library's timers are divided by the clock's speed. `topic` is one of
        a group that has topics. `beside` sends to the same chat with the same token, so they share its limits.
        """
        self._name = name
        self._chat_id = chat_id
        self._topic = topic
        speed = clock.speed
        # Two, because the library wants one of its own for updates; that one is never used.
        self._requests = [
            HTTPXRequest(
                connection_pool_size=n,
                connect_timeout=CONNECT_TIMEOUT_S / speed,
                read_timeout=READ_TIMEOUT_S / speed,
                write_timeout=CONNECT_TIMEOUT_S / speed,
                pool_timeout=CONNECT_TIMEOUT_S / speed,
            )
            for n in (4, 1)
        ]
        self._bot = Bot(
            token=token,
            base_url=f"{api_url}/bot",
            base_file_url=f"{api_url}/file/bot",
            request=self._requests[0],
            get_updates_request=self._requests[1],
        )
        limits = _GROUP_LIMITS if chat_id < 0 else _CHAT_LIMITS
        self.pace: Pace = beside.pace if beside is not None else Pace(clock, limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for request in self._requests:
            await request.shutdown()

    @property
    def name(self) -> str:
        return self._name

    @property
    def chat_id(self) -> int:
        """Where messages go now; changes when a group becomes a supergroup."""
        return self._chat_id

    def ready_in_s(self) -> float:
        return self.pace.ready_in_s()

    async def send(self, order: Order) -> Answer:
        """Make one attempt."""
        edit = order.form is Form.EDIT and order.target is not None
        card = layout.compose(order.rows, fire=order.fire, edit=edit)
        text = markup.plain_text(card) if order.plain else markup.telegram_html(card)
        try:
            return Delivered(await self._call(text, order))
        except ChatMigrated as error:
            _log.warning("chat.migrated", old=self._chat_id, new=error.new_chat_id)
            self._chat_id = error.new_chat_id
            return answer_of(error)
        except TelegramError as error:
            return answer_of(error, target=order.target)
        except Exception as error:  # noqa: BLE001, an answer that the library cannot digest
            _log.warning("answer.unreadable", error=type(error).__name__)
            return RetryLater(AMBIGUOUS_PAUSE_S, "Telegram's answer could not be read", ambiguous=True)
        finally:
            self.pace.use()

    async def _call(self, text: str, order: Order) -> str:
        """One request; the id of the message that now says it."""
        parse_mode = None if order.plain else ParseMode.HTML
        preview = LinkPreviewOptions(is_disabled=True)
        if order.form is Form.EDIT and order.target is not None:
            await self._bot.edit_message_text(
                text,
                chat_id=self._chat_id,
                message_id=int(order.target),
                parse_mode=parse_mode,
                link_preview_options=preview,
            )
            return order.target
        reply = None
        if order.form is Form.REPLY and order.target is not None:
            reply = ReplyParameters(message_id=int(order.target), allow_sending_without_reply=True)
        sent = await self._bot.send_message(
            self._chat_id,
            text,
            parse_mode=parse_mode,
            link_preview_options=preview,
            reply_parameters=reply,
            disable_notification=order.rows[-1].view.silent,
            message_thread_id=self._topic,
        )
        return str(sent.message_id)
