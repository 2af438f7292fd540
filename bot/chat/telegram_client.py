"""The Bot API as chat uses it: one call is one `Failure` or a result, never an exception.

python-telegram-bot builds requests and parses answers; its retries, rate limiter and polling are not used. No text that
leaves this module contains the token. All waiting goes through the clock; the HTTP library's own timers are divided by
the clock's speed.
"""

import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    LinkPreviewOptions,
    ReplyParameters,
)
from telegram.constants import ParseMode
from telegram.error import (
    ChatMigrated,
    TelegramError,
)
from telegram.request import HTTPXRequest

from bot import log
from bot.chat.reply import Button, Reply
from bot.chat.telegram_failure import Failure, Kind, classify
from bot.chat.telegram_html import MAX_CAPTION_UNITS, MAX_UNITS, keyboard, parts, to_html, to_plain
from bot.clock import Clock
from bot.model.chat_ports import ButtonIssuer
from bot.model.ports import SendLimits
from bot.texts import ENGLISH, LANGUAGES, speaking

# Without it the library warns on every 429 that a number of seconds will become a timedelta.
os.environ.setdefault("PTB_TIMEDELTA", "1")

CALL_TIMEOUT_S: Final = 10.0
POLL_SLACK_S: Final = 15.0  # that an answer may take beyond the long poll itself
MAX_PAUSE_S: Final = 15.0
"""A person waits no longer for an answer; a longer pause drops it."""
BATCH: Final = 100
ALLOWED_UPDATES: Final = ["message", "callback_query", "my_chat_member"]

Menu = tuple[tuple[str, str], ...]
"""Commands and what they do."""

_log = log.get("chat.telegram")
_T = TypeVar("_T")

Attempt = Callable[[str, str | None, InlineKeyboardMarkup | None], Awaitable["int | Failure"]]
"""Text, parse mode and buttons to the id of the message, or why there is none."""


class TelegramClient:
    """Two HTTP clients to one bot: one only polls, so that a hung poll never delays an answer."""

    def __init__(
        self,
        *,
        token: str,
        api_url: str,
        clock: Clock,
        buttons: ButtonIssuer | None = None,
        limits: SendLimits | None = None,
    ) -> None:
        """`buttons`: remembers what they stand for, None: there are none; `limits`: shared with the alerts that go out with the same token."""
        self._token = token
        self._buttons = buttons
        self._limits = limits
        self._base_url = f"{api_url.rstrip('/')}/bot"
        self._clock = clock
        self._paused_until_ms: dict[int, float] = {}
        self._sender_http = self._http(pool=8)
        self.bot = self._make_bot(self._sender_http)
        self._poller_http = self._http(pool=2)
        self._poller = self._make_bot(self._poller_http)

    def _http(self, *, pool: int) -> HTTPXRequest:
        # Two real seconds at least: however fast the clock, the loopback of a busy machine is not.
        timeout_s = max(2.0, CALL_TIMEOUT_S / self._clock.speed)
        return HTTPXRequest(
            connection_pool_size=pool,
            connect_timeout=timeout_s,
            read_timeout=timeout_s,
            write_timeout=timeout_s,
            pool_timeout=timeout_s,
        )

    def _make_bot(self, http: HTTPXRequest) -> Bot:
        return Bot(self._token, base_url=self._base_url, request=http, get_updates_request=http)

    async def renew_poller(self) -> None:
        """Throw the polling connections away and start with new ones."""
        old = self._poller_http
        self._poller_http = self._http(pool=2)
        self._poller = self._make_bot(self._poller_http)
        await self._close(old)

    async def close(self) -> None:
        await self._close(self._poller_http)
        await self._close(self._sender_http)

    async def _close(self, http: HTTPXRequest) -> None:
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(3.0 * max(1.0, self._clock.speed)):
                await http.shutdown()

    async def call(self, call: Awaitable[_T]) -> _T | Failure:
        """Await one call of the library and sort its errors."""
        try:
            return await call
        except TelegramError as error:
            kind, retry_after_s = classify(error)
            text = f"{type(error).__name__}: {error}".replace(self._token, "***")
            moved = error.new_chat_id if isinstance(error, ChatMigrated) else None
            return Failure(kind, log.redact(text)[:300], retry_after_s, moved)
        except Exception as error:  # noqa: BLE001 - one attempt: an answer that the library cannot read
            _log.warning("answer.unreadable", error=type(error).__name__)
            return Failure(Kind.OTHER, f"unreadable answer ({type(error).__name__})")

    async def name(self) -> str | Failure:
        """Our user name."""
        me = await self.call(self._poller.get_me())
        return me if isinstance(me, Failure) else me.username or str(me.id)

    async def get_updates(self, offset: int, *, poll_s: int) -> list[object] | Failure:
        """One long poll of `poll_s` real seconds; raw, so that one unreadable update spoils no other."""
        arguments = {"timeout": poll_s, "limit": BATCH, "allowed_updates": ALLOWED_UPDATES}
        if offset:
            arguments["offset"] = offset
        # The doubled underscore yields the same method name, but not the library's warning to use its own `getUpdates`,
        # which would fail on the first update that it cannot parse.
        read_timeout_s = poll_s + max(2.0, POLL_SLACK_S / self._clock.speed)
        call = self._poller.do_api_request("get__updates", api_kwargs=arguments, read_timeout=read_timeout_s)
        deadline_s = poll_s * self._clock.speed + max(POLL_SLACK_S, 5.0 * self._clock.speed)
        try:
            async with self._clock.timeout(deadline_s):
                raw = await self.call(call)
        except TimeoutError:
            return Failure(Kind.TIMED_OUT, "no answer to getUpdates")
        unlisted = Failure(Kind.OTHER, "getUpdates answered something that is not a list")
        return raw if isinstance(raw, (Failure, list)) else unlisted

    async def delete_webhook(self) -> None:
        await self.call(self.bot.delete_webhook())

    async def set_menu(self, commands: Callable[[], Menu], *, chat_id: int | None = None, language: str = "") -> None:
        """Show commands in the menu of everyone or of one chat. Display only; a failure changes nothing.

        Args:
            commands: Names and what they do, in the language spoken when it is called.
            chat_id: None for everyone.
            language: What is spoken in that chat. Empty: where one person reads, their own Telegram decides.
        """
        for code in _readers(chat_id):
            with speaking(language or code):
                listed = [BotCommand(*command) for command in commands()]
            call = self.bot.set_my_commands(listed, scope=_scope(chat_id), language_code=code or None)
            done = await self.call(call)
            if isinstance(done, Failure):
                _log.debug("menu.refused", chat_id=chat_id, language=code, reason=done.text)

    async def drop_menu(self, chat_id: int) -> None:
        """Show in that chat what everyone is shown."""
        for code in _readers(chat_id):
            await self.call(self.bot.delete_my_commands(scope=_scope(chat_id), language_code=code or None))

    async def leave(self, chat_id: int) -> None:
        """Go out of a group. Where that fails the bot is out already, or says nothing there anyway."""
        done = await self.call(self.bot.leave_chat(chat_id))
        if isinstance(done, Failure):
            _log.info("group.not_left", chat_id=chat_id, reason=done.text)

    async def answer_press(self, query_id: str, text: str = "") -> bool:
        """Stop the spinner of a button; a lost answer is no harm. False where the press is so old that nobody waits."""
        done = await self.call(self.bot.answer_callback_query(query_id, text=text[:200] or None))
        return not (isinstance(done, Failure) and done.kind is Kind.TOO_LATE)

    async def send(
        self,
        chat_id: int,
        reply: Reply,
        *,
        user: str = "",
        thread_id: int | None = None,
        reply_to: int | None = None,
        png: bytes | None = None,
    ) -> int | Failure:
        """Send a reply, over a picture or not; its message id or why not. Where pictures are not wanted, the text goes alone.
        What is long becomes several messages, the last of which has the buttons and the id. `user`: whom it answers.
        """
        *first, last = (reply,) if png is not None else parts(reply)
        for part in first:
            sent = await self._send(chat_id, part, user=user, thread_id=thread_id, reply_to=reply_to)
            if isinstance(sent, Failure):
                return sent
            reply_to = None
        return await self._send(chat_id, last, user=user, thread_id=thread_id, reply_to=reply_to, png=png)

    async def _send(
        self,
        chat_id: int,
        reply: Reply,
        *,
        user: str,
        thread_id: int | None,
        reply_to: int | None,
        png: bytes | None = None,
    ) -> int | Failure:
        """One message."""
        no_preview = LinkPreviewOptions(is_disabled=True)
        quoted = ReplyParameters(reply_to, allow_sending_without_reply=True) if reply_to else None
        threads = [thread_id]  # emptied when the topic is gone: the chat itself remains

        async def attempt(text: str, mode: str | None, markup: InlineKeyboardMarkup | None) -> int | Failure:
            if png is None:
                asking = self.bot.send_message(
                    chat_id,
                    text,
                    parse_mode=mode,
                    reply_markup=markup,
                    link_preview_options=no_preview,
                    reply_parameters=quoted,
                    message_thread_id=threads[0],
                )
            else:
                asking = self.bot.send_photo(
                    chat_id,
                    png,
                    caption=text,
                    parse_mode=mode,
                    reply_markup=markup,
                    reply_parameters=quoted,
                    message_thread_id=threads[0],
                )
            sent = await self.call(asking)
            if isinstance(sent, Failure) and sent.kind is Kind.NO_TOPIC and threads[0] is not None:
                threads[0] = None
                return await attempt(text, mode, markup)
            return sent if isinstance(sent, Failure) else sent.message_id

        limit = MAX_UNITS if png is None else MAX_CAPTION_UNITS
        result = await self.deliver(chat_id, reply, user, attempt, limit=limit)
        if png is not None and isinstance(result, Failure) and result.kind is Kind.BAD_REQUEST:
            _log.warning("picture.refused", chat_id=chat_id, reason=result.text)
            return await self.send(chat_id, reply, user=user, thread_id=thread_id, reply_to=reply_to)
        return result

    async def edit(
        self,
        chat_id: int,
        message_id: int,
        reply: Reply,
        *,
        user: str = "",
        png: bytes | None = None,
        spare: bool = False,
    ) -> int | Failure:
        """Put a reply in place of a message; the same again counts as done. A text may become a picture, not the other way
        round. `spare`: only where others leave plenty of room, else `Kind.BUSY`.
        """

        async def attempt(text: str, mode: str | None, markup: InlineKeyboardMarkup | None) -> int | Failure:
            if png is None:
                asking = self.bot.edit_message_text(
                    text,
                    chat_id,
                    message_id,
                    parse_mode=mode,
                    reply_markup=markup,
                    link_preview_options=LinkPreviewOptions(is_disabled=True),
                )
            else:
                photo = InputMediaPhoto(png, caption=text, parse_mode=mode)
                asking = self.bot.edit_message_media(photo, chat_id, message_id, reply_markup=markup)
            done = await self.call(asking)
            if isinstance(done, Failure) and done.kind is not Kind.NOT_MODIFIED:
                return done
            return message_id

        limit = MAX_UNITS if png is None else MAX_CAPTION_UNITS
        return await self.deliver(chat_id, reply, user, attempt, spare=spare, limit=limit)

    async def edit_buttons(self, chat_id: int, message_id: int, markup: InlineKeyboardMarkup | None) -> int | Failure:
        """Leave a message with these buttons alone, where others leave room for it."""

        async def attempt(_text: str, _mode: str | None, _markup: InlineKeyboardMarkup | None) -> int | Failure:
            done = await self.call(self.bot.edit_message_reply_markup(chat_id, message_id, reply_markup=markup))
            is_failed = isinstance(done, Failure) and done.kind is not Kind.NOT_MODIFIED
            return done if isinstance(done, Failure) and is_failed else message_id

        return await self.deliver(chat_id, Reply(()), "", attempt, spare=True)

    async def _markup(self, chat_id: int, reply: Reply, user: str) -> InlineKeyboardMarkup | None:
        rows = keyboard(reply)
        if not rows or self._buttons is None:
            return None
        commands = [one.command for row in rows for one in row if not one.url]
        who = user if reply.is_personal else ""
        issued = await self._buttons.issue(commands, chat=f"telegram:{chat_id}", user=who, origin=reply.drawn_by)
        data = iter(issued)

        def key(b: Button) -> InlineKeyboardButton:
            return InlineKeyboardButton(b.label, url=b.url or None, callback_data=None if b.url else next(data))

        return InlineKeyboardMarkup([[key(b) for b in row] for row in rows])

    async def deliver(
        self,
        chat_id: int,
        reply: Reply,
        user: str,
        attempt: Attempt,
        *,
        spare: bool = False,
        limit: int = MAX_UNITS,
    ) -> int | Failure:
        """One attempt; a second one as plain text, after a short pause, or after a lost connection. `limit`: of the text, in
        units.
        """
        if (waited := await self._wait_for_pause(chat_id)) is not None:
            return waited
        if self._limits is not None:
            attempt = self._within(self._limits, chat_id, attempt, spare=spare)
        html = (to_html(reply, limit=limit), ParseMode.HTML.value, await self._markup(chat_id, reply, user))
        result = await attempt(*html)
        if not isinstance(result, Failure):
            return result
        match result.kind:
            case Kind.UNREADABLE:
                _log.error("reply.refused_as_unreadable", reason=result.text)
                return await attempt(to_plain(reply, limit=limit), None, None)
            case Kind.FLOOD:
                self._pause(chat_id, result.retry_after_s)
                waited = await self._wait_for_pause(chat_id)
                return waited if waited is not None else await attempt(*html)
            case Kind.NETWORK:
                await self._clock.sleep(1.0)
                return await attempt(*html)
            case _:
                return result

    @staticmethod
    def _within(limits: SendLimits, chat_id: int, attempt: Attempt, *, spare: bool) -> Attempt:
        """The same attempt, once the limits leave room for it."""

        async def later(text: str, mode: str | None, markup: InlineKeyboardMarkup | None) -> int | Failure:
            async with limits.slot(chat_id, within_s=0.0 if spare else MAX_PAUSE_S, spare=spare) as is_free:
                if is_free:
                    return await attempt(text, mode, markup)
            flood = Failure(Kind.FLOOD, "too much was said in this chat lately", MAX_PAUSE_S)
            return Failure(Kind.BUSY, "others need the room") if spare else flood

        return later

    def _pause(self, chat_id: int, seconds: float) -> None:
        if self._limits is not None:
            self._limits.pause(chat_id, seconds)
        now_ms = self._clock.monotonic_ms()
        paused = {chat: until for chat, until in self._paused_until_ms.items() if until > now_ms}
        self._paused_until_ms = {**paused, chat_id: now_ms + seconds * 1000.0}

    async def _wait_for_pause(self, chat_id: int) -> Failure | None:
        left_s = (self._paused_until_ms.get(chat_id, 0.0) - self._clock.monotonic_ms()) / 1000.0
        if left_s > MAX_PAUSE_S:
            return Failure(Kind.FLOOD, f"Telegram asked to pause for {left_s:.0f} s", left_s)
        if left_s > 0:
            await self._clock.sleep(left_s)
        return None


def _scope(chat_id: int | None) -> BotCommandScopeChat | None:
    return None if chat_id is None else BotCommandScopeChat(chat_id)


def _readers(chat_id: int | None) -> tuple[str, ...]:
    """Languages of Telegram that get a menu of their own, after the one for all others. A group shows one to everybody."""
    is_group = chat_id is not None and chat_id < 0
    return ("",) if is_group else ("", *(code for code in LANGUAGES if code != ENGLISH))
