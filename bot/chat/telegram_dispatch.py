"""One Telegram update to at most one answer: who asks, what is asked, where the answer goes.

Promises: access is decided for every message and every button press; nothing is said in chats that are not ours; a press
edits the answer it sits on, and is answered below an alert. Never: polls, keeps offsets.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from telegram import CallbackQuery, MaybeInaccessibleMessage, Message, Update, User
from telegram.constants import ChatMemberStatus, ChatType

from bot import log
from bot.chat.access import USER_PER_MINUTE, Gate, Incoming, Verdict
from bot.chat.actions import Actions
from bot.chat.asker import Asker, in_telegram
from bot.chat.buttons import OUT_OF_DATE, Buttons
from bot.chat.claims import ALREADY, NOT_NOW, Claims, answer_to, shown_code
from bot.chat.commands import Command, UsageError, clean, menu, parse
from bot.chat.front import answer_safely
from bot.chat.reply import Reply, line
from bot.chat.telegram_client import Failure, Kind, TelegramClient
from bot.chat.telegram_extras import eyes, send_file
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.buttons import Pressed, Stale
from bot.model.chart_ports import ChartMaker
from bot.model.charts import NoPicture
from bot.model.chat_ports import ChatFollower
from bot.model.members import Member, Redeemed

_PRIVATE: Final = "This bot is private."
_SLOW_DOWN: Final = f"That was a lot at once: I answer {USER_PER_MINUTE} commands a minute."

_PRESENT: Final = frozenset({ChatMemberStatus.MEMBER, ChatMemberStatus.ADMINISTRATOR, ChatMemberStatus.OWNER})

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
        charts: ChartMaker | None = None,
        claims: Claims | None = None,
    ) -> None:
        """`charts` draws; None: replies go without pictures. `claims` None: the settings name the owner, and no link makes another."""
        self._claims = claims
        self._client = client
        self._gate = gate
        self._actions = actions
        self._buttons = buttons
        self._clock = clock
        self._counts = counts
        self._save_refusals = save_refusals
        self._on_seen = on_seen
        self._moves = moves
        self._charts = charts
        self.bot_name = ""
        """Our user name, once known; commands to other names are not ours."""
        self.claimed: Member | None = None
        """Who has become the owner since this began."""

    async def dispatch(self, update: Update) -> None:
        """Answer one update, or leave it."""
        if update.my_chat_member is not None:
            changed = update.my_chat_member
            _log.info(
                "membership.changed",
                chat_id=changed.chat.id,
                status=changed.new_chat_member.status,
                is_listed=self._gate.is_listed(changed.chat.id),
            )
            if changed.new_chat_member.status in _PRESENT and self._gate.is_listed(changed.chat.id):
                self._see(changed.chat.id)
        elif update.callback_query is not None:
            await self._press(update.callback_query)
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
        code = shown_code(message.text or "") if is_private and self._claims is not None else None
        if code is not None:
            await self._claim(message, code)
            return
        asked = parse(message.text or "", bot_name=self.bot_name, is_slash_optional=is_private)
        if asked is None or (not is_private and _is_for_others(asked, message.text or "")):
            return
        incoming = incoming_of(message)
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
                    reply, png = await self._drawn(reply)
            case Verdict.REFUSE:
                await self._save_refusals()
                reply = Reply((line(_PRIVATE),))
            case Verdict.SLOW_DOWN:
                reply = Reply((line(_SLOW_DOWN),))
            case Verdict.IGNORE:
                return
        quoted = None if is_private else message.message_id
        if reply.file is not None:
            self._note(await send_file(self._client, chat_id, reply, reply.file, user=user), chat_id)
            return
        sent = await self._client.send(chat_id, reply, user=user, thread_id=thread_id, reply_to=quoted, png=png)
        if isinstance(sent, Failure) and sent.new_chat_id is not None:
            await self._move(chat_id, sent.new_chat_id)
            sent = await self._client.send(sent.new_chat_id, reply, user=user, png=png)
        self._note(sent, chat_id)

    async def _move(self, old: int, new: int) -> None:
        """A group became a supergroup: whatever is ours there follows."""
        if self._gate.is_listed(old):
            _log.warning("group.migrated", chat_id=old, new_chat_id=new)
            if self._moves is not None:
                await self._moves.moved(old, new)
            self._gate.follow(old, new)
            await self._client.set_menu(menu(), chat_id=new)

    async def _claim(self, message: Message, code: str) -> None:
        """Somebody opened a link that makes an owner."""
        incoming, user = incoming_of(message), message.from_user
        if self._claims is None or incoming.is_odd or user is None:
            return
        if not self._gate.may_knock(user.id, message.chat.id, now_ms=self._clock.wall_ms()):
            return
        if self._gate.is_owner(user.id) or (self.claimed is not None and self.claimed.chat == f"telegram:{user.id}"):
            self._note(await self._client.send(message.chat.id, ALREADY), message.chat.id)
            return
        try:
            redeemed, member = await self._claims.redeem(code, user_id=user.id, name=clean(user.full_name))
        except StorageError as error:
            _log.warning("claim.failed", reason=str(error))
            self._note(await self._client.send(message.chat.id, NOT_NOW), message.chat.id)
            return
        _log.info("claim.tried", outcome=redeemed.value, user_id=user.id)
        if redeemed is Redeemed.TAKEN:
            self.claimed = member
        elif redeemed is not Redeemed.EXPIRED:
            # Who shows an old link once had the real one, and is told each time what to do.
            verdict = self._gate.refuse(user.id, now_ms=self._clock.wall_ms())
            self._counts[verdict.value] += 1
            if verdict is not Verdict.REFUSE:
                return
            await self._save_refusals()
        self._note(await self._client.send(message.chat.id, answer_to(redeemed)), message.chat.id)

    async def _press(self, query: CallbackQuery) -> None:
        """A button is the command that stands behind it, of the one who pressed it. The press itself is answered first."""
        message = query.message
        incoming = Incoming(
            user_id=query.from_user.id,
            chat_id=message.chat.id if message else None,
            is_private=message is not None and message.chat.type == ChatType.PRIVATE,
            is_odd=message is None or query.from_user.is_bot,
        )
        verdict = self._decide(incoming)
        if verdict is Verdict.IGNORE or message is None:
            return
        if verdict is not Verdict.ANSWER:
            await self._client.answer_press(query.id, _PRIVATE if verdict is Verdict.REFUSE else _SLOW_DOWN)
            return
        asker = self._asker(incoming, query.from_user, _topic_of(message))
        found = await self._buttons.press(query.data or "", chat=asker.chat, user=asker.user)
        asked = parse(found.command, bot_name=self.bot_name) if isinstance(found, Pressed) else None
        if not isinstance(found, Pressed) or not isinstance(asked, Command):
            self._counts["press_stale"] += 1
            await self._client.answer_press(query.id, found.text if isinstance(found, Stale) else OUT_OF_DATE.text)
            return
        await self._client.answer_press(query.id)
        self._see(message.chat.id)
        asker = replace(asker, place=found.place)
        reply = await answer_safely(self._actions, asked, asker=asker, clock=self._clock)
        self._note(await self._answer_press(message, reply, asker), message.chat.id)

    async def _answer_press(self, message: MaybeInaccessibleMessage, reply: Reply, asker: Asker) -> int | Failure:
        """In the place of the answer that the button belongs to; below the message of an alert, which stays."""
        chat_id = message.chat.id
        if reply.file is not None:
            return await send_file(self._client, chat_id, reply, reply.file, user=asker.user)
        reply, png = await self._drawn(reply)
        if not asker.place:
            result = await self._client.edit(chat_id, message.message_id, reply, user=asker.user, png=png)
            if not isinstance(result, Failure) or result.kind is not Kind.CANNOT_EDIT:
                return result
            # Gone, or a picture that cannot become a text again.
        quoted, topic = message.message_id if asker.place else None, _topic_of(message)
        return await self._client.send(chat_id, reply, user=asker.user, thread_id=topic, reply_to=quoted, png=png)

    async def _drawn(self, reply: Reply) -> tuple[Reply, bytes | None]:
        """With its picture, or with a line that says why there is none."""
        if reply.chart is None or self._charts is None:
            return reply, None
        found = await self._charts.draw(reply.chart)
        if isinstance(found, NoPicture):
            return replace(reply, blocks=(*reply.blocks, line(f"No picture: {found.reason}."))), None
        return reply, found.png

    def _asker(self, incoming: Incoming, user: User | None, topic: int | None) -> Asker:
        """Of a message that is answered, which has both numbers."""
        assert incoming.chat_id is not None
        assert incoming.user_id is not None
        return in_telegram(
            incoming.chat_id,
            incoming.user_id,
            is_owner=self._gate.is_owner(incoming.user_id),
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


def _is_for_others(asked: Command | UsageError, text: str) -> bool:
    """In a group an unknown command may be another bot's, unless it names us."""
    return isinstance(asked, UsageError) and asked.is_unknown and "@" not in text.split(maxsplit=1)[0]


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
