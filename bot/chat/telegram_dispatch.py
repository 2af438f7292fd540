"""One Telegram update to at most one answer: who asks, what is asked, where the answer goes.

Promises: access is decided for every message and every button press; nothing is said in chats that are not ours; a press
edits the answer it sits on, and is answered below an alert. Never: polls, keeps offsets.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from telegram import CallbackQuery, MaybeInaccessibleMessage, Message, Update, User
from telegram.constants import ChatType

from bot import log
from bot.chat.access import Gate, Incoming, Verdict
from bot.chat.actions import Actions
from bot.chat.asker import Asker, in_telegram
from bot.chat.buttons import DRAWN_ANEW, OUT_OF_DATE, Buttons
from bot.chat.claims import shown_code
from bot.chat.commands import Command, UsageError, parse
from bot.chat.front import answer_safely
from bot.chat.invites import shown_invite
from bot.chat.redrawing import drawn_by, is_look
from bot.chat.reply import BLANK, Attachment, Reply, line
from bot.chat.rights import rate_of
from bot.chat.telegram_client import TelegramClient
from bot.chat.telegram_door import ASK, Door
from bot.chat.telegram_extras import eyes, send_file
from bot.chat.telegram_failure import Failure, Kind
from bot.chat.telegram_html import keyboard, parts
from bot.chat.telegram_later import Later
from bot.chat.telegram_stale import living, shows
from bot.clock import Clock
from bot.model import numbers
from bot.model.access import is_least
from bot.model.buttons import Keyboard, Pressed, Stale
from bot.model.chart_ports import ChartMaker
from bot.model.charts import ChartData, NoPicture
from bot.model.chat_ports import ChatFollower
from bot.model.members import Role
from bot.texts import ENGLISH, say, speaking

_log = log.get("chat.telegram")


class Dispatcher:
    """Answers updates of one bot."""

    def __init__(
        self,
        *,
        client: TelegramClient,
        gate: Gate,
        actions: Actions,
        buttons: Buttons,
        clock: Clock,
        counts: Counter[str],
        save_refusals: Callable[[], Awaitable[None]],
        on_seen: Callable[[int], None] | None,
        moves: ChatFollower | None,
        door: Door,
        charts: ChartMaker | None = None,
    ) -> None:
        """`charts` draws; None: replies go without pictures."""
        self._client = client
        self._gate = gate
        self._actions = actions
        self._buttons = buttons
        self._clock = clock
        self._counts = counts
        self._save_refusals = save_refusals
        self._door = door
        self._on_seen = on_seen
        self._moves = moves
        self._charts = charts
        self.later = Later(client, self._drawn, self._note, clock)
        """Its `run` has to be running."""
        self.bot_name = ""
        """Our user name, once known; commands to other names are not ours."""

    async def dispatch(self, update: Update, *, is_of_absence: bool = False) -> None:
        """Answer one update, or leave it. `is_of_absence`: it waited while the bot was not there, who knows how long."""
        chat = update.effective_chat
        spoken = self._actions.language_of(f"telegram:{chat.id}") if chat is not None else ENGLISH
        with speaking(spoken):
            await self._dispatch(update, is_of_absence=is_of_absence)
        if chat is not None and self._actions.language_of(f"telegram:{chat.id}") != spoken:
            await self._door.language_chosen(chat.id)

    async def _dispatch(self, update: Update, *, is_of_absence: bool) -> None:
        if update.my_chat_member is not None:
            await self._door.membership(update.my_chat_member)
        elif update.callback_query is not None:
            await self._press(update.callback_query, is_of_absence=is_of_absence)
        elif update.message is not None:
            await self._message(update.message)
        else:
            self._decide(Incoming(None, None, is_private=False, is_odd=True))

    def _decide(self, incoming: Incoming) -> Verdict:
        now_ms = self._clock.wall_ms()
        verdict = self._gate.decide(incoming, now_ms=now_ms)
        self._counts[verdict.value] += 1
        ignored = self._gate.report(now_ms=now_ms)
        if ignored:
            _log.info("messages.ignored", **ignored)
        return verdict

    async def _message(self, message: Message) -> None:
        chat_id, is_private = message.chat.id, message.chat.type == ChatType.PRIVATE
        if message.migrate_to_chat_id or message.migrate_from_chat_id:
            await self._move(message.migrate_from_chat_id or chat_id, message.migrate_to_chat_id or chat_id)
            return
        if is_private and await self._is_link(message):
            return
        asked = parse(message.text or "", bot_name=self.bot_name, is_slash_optional=is_private)
        if asked is None or (not is_private and _is_for_others(asked, message.text or "")):
            return
        incoming = replace(incoming_of(message), is_join=isinstance(asked, Command) and asked.name == "join")
        verdict = self._decide(incoming)
        thread_id = message.message_thread_id if message.is_topic_message else None
        user, png = "", None
        match verdict:
            case Verdict.ANSWER:
                self._see(chat_id)
                asker = self._asker(incoming, message.from_user, thread_id)
                user = asker.user
                async with eyes(self._client, self._clock, chat_id, message.message_id):
                    reply = await answer_safely(self._actions, asked, asker=asker, clock=self._clock)
                    reply = _named(reply, asked, message.text or "")
                    reply, png = await self._drawn(reply)
            case Verdict.REFUSE:
                await self._save_refusals()
                reply, user = self._door.refusal, f"telegram:{incoming.user_id}"
            case Verdict.SLOW_DOWN:
                reply = Reply((line(self._slow_down(incoming)),))
            case Verdict.IGNORE:
                return
        if not reply.blocks:
            return  # all is said
        quoted = None if is_private else message.message_id
        if reply.file is not None:
            sent = await send_file(self._client, chat_id, reply, reply.file, user=user, thread_id=thread_id)
            self._note(sent, chat_id)
            return
        sent = await self._client.send(chat_id, reply, user=user, thread_id=thread_id, reply_to=quoted, png=png)
        if isinstance(sent, Failure) and sent.new_chat_id is not None:
            await self._move(chat_id, sent.new_chat_id)
            sent = await self._client.send(sent.new_chat_id, reply, user=user, png=png)
        self._note(sent, chat_id)
        self.later.follow(chat_id, sent, reply, user)

    async def _move(self, old: int, new: int) -> None:
        """A group became a supergroup: whatever is ours there follows."""
        if self._gate.is_listed(old):
            _log.warning("group.migrated", chat_id=old, new_chat_id=new)
            if self._moves is not None:
                await self._moves.moved(old, new)
            self._gate.follow(old, new)
            await self._door.show_menu(new, Role.VIEWER, in_group=True)

    async def _is_link(self, message: Message) -> bool:
        """Whether somebody opened a link, which is taken or not, and answered or not."""
        text = message.text or ""
        claim, invite = shown_code(text), shown_invite(text)
        if claim is None and invite is None:
            return False
        if not incoming_of(message).is_odd:
            if claim is not None:
                reply = await self._door.claim(message, claim)
            else:
                reply = await self._door.invite(message, invite or "")
            if reply is not None:
                self._note(await self._client.send(message.chat.id, reply), message.chat.id)
        return True

    def _slow_down(self, incoming: Incoming) -> str:
        role = self._gate.role_of(incoming.user_id, incoming.chat_id) if incoming.user_id is not None else None
        return say("That was a lot at once: I answer {n} commands a minute.", n=rate_of(role))

    async def _press(self, query: CallbackQuery, *, is_of_absence: bool) -> None:
        """A button is the command that stands behind it, of the one who pressed it. The press itself is answered first."""
        message = query.message
        incoming = Incoming(
            user_id=query.from_user.id,
            chat_id=message.chat.id if message else None,
            is_private=message is not None and message.chat.type == ChatType.PRIVATE,
            is_odd=message is None or query.from_user.is_bot,
            is_press=True,
        )
        if message is not None and not incoming.is_odd and self._door.is_stranger(query.from_user.id, message.chat.id):
            await self._press_of_stranger(query)
            return
        if await self._is_listing(query, incoming):
            incoming = replace(incoming, is_join=True)
        verdict = self._decide(incoming)
        if verdict is Verdict.IGNORE or message is None:
            return
        if verdict is not Verdict.ANSWER:
            text = say("This bot is private.") if verdict is Verdict.REFUSE else self._slow_down(incoming)
            await self._client.answer_press(query.id, text)
            return
        asker = self._asker(incoming, query.from_user, _topic_of(message))
        found = await self._buttons.press(query.data or "", chat=asker.chat, user=asker.user)
        asked = parse(found.command, bot_name=self.bot_name) if isinstance(found, Pressed) else None
        if not isinstance(found, Pressed) or not isinstance(asked, Command):
            await self._press_stale(query, message, found, asker)
            return
        # Said to whoever pressed alone: the message belongs to all of the chat.
        refused = self._actions.refusal(asked, asker)
        if refused is not None:
            self._counts["press_refused"] += 1
            await self._client.answer_press(query.id, refused)
            return
        if not await self._client.answer_press(query.id) and is_of_absence and not is_look(asked):
            # What was wanted hours ago may be wanted no more, and whoever pressed saw that nothing happened.
            self._counts["press_too_old"] += 1
            return
        self._see(message.chat.id)
        asker = replace(asker, place=found.place)
        reply = await answer_safely(self._actions, asked, asker=asker, clock=self._clock)
        origin = found.keyboard.origin if found.keyboard is not None and not asker.place else ""
        if reply.is_gone and (fresh := await self._redrawn(origin, asker)) is not None:
            reply = replace(fresh, blocks=(*reply.blocks, BLANK, *fresh.blocks))
        else:
            reply = _named(reply, asked, found.command, found.keyboard)
        if not asker.place:
            self.later.leave(message.chat.id, message.message_id)
        sent = await self._answer_press(message, reply, asker)
        self._note(sent, message.chat.id)
        self.later.follow(message.chat.id, sent, reply, asker.user)

    async def _press_stale(
        self, query: CallbackQuery, message: MaybeInaccessibleMessage, found: Pressed | Stale, asker: Asker
    ) -> None:
        """The message of a button that leads nowhere: drawn anew where it is known how, else without what leads nowhere."""
        self._counts["press_stale"] += 1
        stale = found if isinstance(found, Stale) else OUT_OF_DATE
        keyboard = found.keyboard if isinstance(found, Pressed) and not found.place else None
        is_shown = stale == OUT_OF_DATE and isinstance(message, Message) and shows(message, query.data or "")
        origin = keyboard.origin if keyboard is not None and is_shown else ""
        await self._client.answer_press(query.id, say(DRAWN_ANEW.text if origin else stale.text))
        if not is_shown or not isinstance(message, Message):
            return
        chat_id, message_id = message.chat.id, message.message_id
        fresh = await self._redrawn(origin, asker)
        if fresh is not None:
            self.later.leave(chat_id, message_id)
            drawn, png = await self._drawn(fresh)
            done = await self._client.edit(chat_id, message_id, drawn, user=asker.user, png=png)
            if not isinstance(done, Failure) or done.kind is not Kind.CANNOT_EDIT:
                self._note(done, chat_id)
                self.later.follow(chat_id, done, drawn, asker.user)
                return

        async def lives(data: str) -> bool:
            one = await self._buttons.press(data, chat=asker.chat, user=asker.user)
            if isinstance(one, Stale):
                return one != OUT_OF_DATE
            return isinstance(parse(one.command, bot_name=self.bot_name), Command)

        await self._client.edit_buttons(chat_id, message_id, await living(message, lives))

    async def _redrawn(self, origin: str, asker: Asker) -> Reply | None:
        """One message anew, by the rights of whoever pressed; None where that cannot be."""
        asked = parse(origin, bot_name=self.bot_name)
        if not isinstance(asked, Command) or not is_look(asked):
            return None
        reply = await answer_safely(self._actions, asked, asker=asker, clock=self._clock)
        is_one = reply.blocks and not reply.is_refusal and reply.file is None and len(parts(reply)) == 1
        return replace(reply, drawn_by=origin) if is_one else None

    async def _press_of_stranger(self, query: CallbackQuery) -> None:
        """The one button that a stranger has; of others not even the spinner is stopped."""
        user = f"telegram:{query.from_user.id}"
        if not self._door.may_knock(query.from_user.id):
            return
        found = await self._buttons.press(query.data or "", chat=user, user=user)
        if isinstance(found, Pressed) and found.command == ASK:
            await self._door.ask(query)

    async def _is_listing(self, query: CallbackQuery, incoming: Incoming) -> bool:
        """Whether an admin of ours says by a button that the bot may work in a group that is not on the list."""
        if incoming.is_odd or incoming.is_private or incoming.chat_id is None or self._gate.is_listed(incoming.chat_id):
            return False
        if not is_least(self._gate.role_of(query.from_user.id), Role.ADMIN):
            return False
        chat, user = f"telegram:{incoming.chat_id}", f"telegram:{query.from_user.id}"
        found = await self._buttons.press(query.data or "", chat=chat, user=user)
        return isinstance(found, Pressed) and found.command == "/join"

    async def _answer_press(self, message: MaybeInaccessibleMessage, reply: Reply, asker: Asker) -> int | Failure:
        """In the place of the answer that the button belongs to; below the message of an alert, which stays."""
        chat_id = message.chat.id
        if not reply.blocks:
            return message.message_id
        reply, png = await self._drawn(reply)
        if reply.file is not None:
            topic = _topic_of(message)
            return await send_file(self._client, chat_id, reply, reply.file, user=asker.user, thread_id=topic)
        if not asker.place:
            first, *more = parts(reply) if png is None else (reply,)
            result = await self._client.edit(chat_id, message.message_id, first, user=asker.user, png=png)
            if not isinstance(result, Failure) and more:
                rest = replace(reply, blocks=tuple(block for part in more for block in part.blocks))
                return await self._client.send(chat_id, rest, user=asker.user, thread_id=_topic_of(message))
            if not isinstance(result, Failure) or result.kind is not Kind.CANNOT_EDIT:
                return result
            # Gone, or a picture that cannot become a text again.
        quoted, topic = message.message_id if asker.place else None, _topic_of(message)
        return await self._client.send(chat_id, reply, user=asker.user, thread_id=topic, reply_to=quoted, png=png)

    async def _drawn(self, reply: Reply) -> tuple[Reply, bytes | None]:
        """With its picture, or with a line that says why there is none."""
        wanted = reply.chart if reply.chart is not None else reply.picture
        if wanted is None or self._charts is None:
            return reply, None
        found = await self._charts.draw(wanted)
        if isinstance(found, NoPicture):
            return replace(
                reply, blocks=(*reply.blocks, line(say("No picture: {reason}.", reason=say(found.reason))))
            ), None
        if reply.is_full_size and reply.chart is not None:
            return replace(reply, chart=None, file=Attachment(f"{_file_name(reply.chart)}.png", found.png)), None
        return reply, found.png

    def _asker(self, incoming: Incoming, user: User | None, topic: int | None) -> Asker:
        """Of a message that is answered, which has both numbers."""
        assert incoming.chat_id is not None
        assert incoming.user_id is not None
        return in_telegram(
            incoming.chat_id,
            incoming.user_id,
            role=self._gate.role_of(incoming.user_id, incoming.chat_id),
            name=user.full_name if user is not None else "",
            topic=topic,
        )

    def _see(self, chat_id: int) -> None:
        if self._on_seen is not None:
            self._on_seen(chat_id)

    def _note(self, result: int | Failure, chat_id: int) -> None:
        if isinstance(result, Failure):
            self._counts["reply_lost"] += 1
            _log.warning("reply.lost", chat_id=chat_id, kind=result.kind.value, reason=result.text)
        else:
            self._counts["reply_sent"] += 1


def _named(reply: Reply, asked: Command | UsageError, typed: str, pressed: Keyboard | None = None) -> Reply:
    """With what draws it anew. The same buttons below the same message stay the same keyboard, by whatever name it was
    asked for.
    """
    if not isinstance(asked, Command) or reply.is_refusal:
        return reply
    commands = tuple(one.command for row in keyboard(reply) for one in row if not one.url)
    if pressed is not None and commands == pressed.commands:
        return replace(reply, drawn_by=pressed.origin)
    return replace(reply, drawn_by=drawn_by(asked, typed))


def _is_for_others(asked: Command | UsageError, text: str) -> bool:
    """In a group an unknown command may be another bot's, unless it names us."""
    return isinstance(asked, UsageError) and asked.is_unknown and "@" not in text.split(maxsplit=1)[0]


def _file_name(chart: ChartData) -> str:
    """`BTCUSDT-4h`, for names of files; symbols in other letters are left out."""
    symbol = chart.symbol if chart.symbol.isascii() and chart.symbol.isalnum() else "chart"
    return f"{symbol}-{numbers.window(chart.span_ms)}"


def _topic_of(message: MaybeInaccessibleMessage) -> int | None:
    return message.message_thread_id if isinstance(message, Message) and message.is_topic_message else None


def incoming_of(message: Message) -> Incoming:
    """What access needs to know of a message."""
    user = message.from_user
    return Incoming(
        user_id=user.id if user else None,
        chat_id=message.chat.id,
        is_private=message.chat.type == ChatType.PRIVATE,
        is_odd=(
            user is None
            or user.is_bot
            or message.sender_chat is not None
            or message.forward_origin is not None
            or message.via_bot is not None
            or bool(message.is_automatic_forward)
        ),
    )
