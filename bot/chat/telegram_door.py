"""The door of a Telegram bot: links that let people in, requests to be let in, groups that the bot is added to.

Promises: strangers are told one thing a day, of which the answer to a link or a request is a part; blocked ones nothing;
admins get one card about a person and day; the bot stays in no group that no admin of its own wants it in.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from telegram import CallbackQuery, ChatMemberUpdated, Message
from telegram.constants import ChatMemberStatus, ChatType

from bot import log
from bot.chat import people_pages as pages
from bot.chat.access import Gate, Verdict
from bot.chat.asker import in_telegram, telegram_number
from bot.chat.claims import Claims, already, answer_to, not_now
from bot.chat.commands import clean, menu
from bot.chat.invites import CLOSED, EXPIRED, WRONG
from bot.chat.people import People
from bot.chat.reply import Reply, line
from bot.chat.telegram_client import TelegramClient
from bot.chat.telegram_failure import Failure
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.access import is_least
from bot.model.members import Member, Redeemed, Role
from bot.texts import say, speaking

ASK: Final = "/start ask"
"""What stands behind the button of a stranger."""
GOODBYES_PER_HOUR: Final = 20
"""Over all groups that strangers add the bot to; the others it leaves without a word."""
_HOUR_MS: Final = 3_600_000
_GROUPS: Final = frozenset({ChatType.GROUP, ChatType.SUPERGROUP})
_PRESENT: Final = frozenset({ChatMemberStatus.MEMBER, ChatMemberStatus.ADMINISTRATOR, ChatMemberStatus.OWNER})

_log = log.get("chat.door")


class Door:
    """Of one bot. `people` None: nobody but the owner is ever let in."""

    def __init__(
        self,
        *,
        client: TelegramClient,
        gate: Gate,
        clock: Clock,
        claims: Claims | None,
        people: People | None,
        save_refusals: Callable[[], Awaitable[None]],
        on_seen: Callable[[int], None],
        language_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`claims` None: the settings name the owner, and no link makes another. `language_of`: what is spoken in a chat; empty
        where nobody chose.
        """
        self._language_of = language_of
        self._client = client
        self._gate = gate
        self._clock = clock
        self._claims = claims
        self._people = people
        self._save_refusals = save_refusals
        self._on_seen = on_seen
        self._goodbyes: deque[int] = deque()
        self.bot_name = ""
        """Our user name, once known."""
        self.claimed: Member | None = None
        """Who has become the owner since this began."""

    @property
    def refusal(self) -> Reply:
        """What a stranger is told."""
        return pages.private() if self._people is None else pages.private_ask()

    # -- the front of `People` -------------------------------------------------------------------------------------

    async def tell(self, chat_id: int, page: Callable[[], Reply]) -> bool:
        with speaking(self._language_of(f"telegram:{chat_id}")):
            reply = page()
        sent = await self._client.send(chat_id, reply, user=f"telegram:{chat_id}")
        if isinstance(sent, Failure):
            _log.info("untold", chat_id=chat_id, kind=sent.kind.value, reason=sent.text)
        return not isinstance(sent, Failure)

    async def show_menu(self, chat_id: int, role: Role | None, *, in_group: bool) -> None:
        if role is None:
            await self._client.drop_menu(chat_id)
        else:
            spoken = self._language_of(f"telegram:{chat_id}")
            await self._client.set_menu(lambda: menu(role, in_group=in_group), chat_id=chat_id, language=spoken)

    async def language_chosen(self, chat_id: int) -> None:
        """Show the menu of that chat in the language that it speaks now."""
        in_group = chat_id < 0
        role = Role.VIEWER if in_group else self._gate.role_of(chat_id)
        await self.show_menu(chat_id, role, in_group=in_group)

    async def leave(self, chat_id: int) -> None:
        await self._client.leave(chat_id)

    # -- links -----------------------------------------------------------------------------------------------------

    async def claim(self, message: Message, code: str) -> Reply | None:
        """Somebody opened a link that makes an owner; None: nothing is said."""
        user = message.from_user
        if self._claims is None or user is None or not self._may_knock(user.id):
            return None
        if self._gate.is_owner(user.id) or (self.claimed is not None and self.claimed.chat == f"telegram:{user.id}"):
            return already()
        try:
            redeemed, member = await self._claims.redeem(code, user_id=user.id, name=clean(user.full_name))
        except StorageError as error:
            _log.warning("claim.failed", reason=str(error))
            return not_now()
        _log.info("claim.tried", outcome=redeemed.value, user_id=user.id)
        if redeemed is Redeemed.TAKEN:
            self.claimed = member
        return answer_to(redeemed) if await self._may_hear(redeemed, user.id) else None

    async def invite(self, message: Message, code: str) -> Reply | None:
        """Somebody opened an invitation; None: nothing is said."""
        user, people = message.from_user, self._people
        if people is None or user is None or not self._gate.is_open:
            return None
        if self._gate.is_blocked(user.id) or not self._may_knock(user.id):
            return None
        if self._gate.is_owner(user.id):
            return already()
        guest = in_telegram(user.id, user.id, role=None, name=clean(user.full_name))
        try:
            redeemed, member = await people.invites.redeem(code, guest)
            if redeemed is Redeemed.TAKEN:
                async with people.deciding:
                    await people.joined(member)
        except StorageError as error:
            _log.warning("invite.failed", reason=str(error))
            return not_now()
        _log.info("invite.tried", outcome=redeemed.value, user_id=user.id)
        if redeemed is Redeemed.TAKEN:
            role = people.role_of(user.id) or Role.VIEWER
            await self._tell_host(people, user.id, role)
            return pages.let_in(role)
        if not await self._may_hear(redeemed, user.id):
            return None
        return Reply((line(say({Redeemed.WRONG: WRONG, Redeemed.EXPIRED: EXPIRED}.get(redeemed, CLOSED))),))

    async def _tell_host(self, people: People, user_id: int, role: Role) -> None:
        member = people.member(user_id)
        host = telegram_number(member.by) if member is not None and member.by else people.owner_id
        if host is not None and is_least(people.role_of(host), Role.ADMIN):
            await self.tell(host, lambda: pages.came_in(people.name(user_id), user_id, role))

    def _may_knock(self, user_id: int) -> bool:
        return self._gate.may_knock(user_id, user_id, now_ms=self._clock.wall_ms())

    async def _may_hear(self, redeemed: Redeemed, user_id: int) -> bool:
        """Who shows an old link once had the real one, and is told each time what to do; who guesses, once a day."""
        if redeemed in {Redeemed.TAKEN, Redeemed.EXPIRED} or self._gate.role_of(user_id) is not None:
            return True
        is_told = self._gate.refuse(user_id, now_ms=self._clock.wall_ms()) is Verdict.REFUSE
        if is_told:
            await self._save_refusals()
        return is_told

    # -- requests --------------------------------------------------------------------------------------------------

    def is_stranger(self, user_id: int, chat_id: int) -> bool:
        """Whether a press in a private chat can only be a request."""
        if self._people is None or not self._gate.is_open or user_id != chat_id:
            return False
        return self._gate.role_of(user_id) is None and not self._gate.is_blocked(user_id)

    def may_knock(self, user_id: int) -> bool:
        return self._may_knock(user_id)

    async def ask(self, query: CallbackQuery) -> None:
        """A stranger pressed the button that asks to be let in."""
        user, people, message = query.from_user, self._people, query.message
        if people is None or message is None:
            return
        try:
            async with people.deciding:
                is_news, has_card = await people.ask(user.id, user.full_name, user.username or "")
        except StorageError as error:
            _log.warning("request.failed", reason=str(error))
            await self._client.answer_press(query.id, say("I cannot note that now. Please try again in a minute."))
            return
        await self._client.answer_press(query.id, say("Request sent. I will message you here."))
        if not is_news:
            return
        await self._client.edit(message.chat.id, message.message_id, pages.asked())
        stranger = people.stranger(user.id)
        if has_card and stranger is not None:
            await people.tell_admins(lambda: pages.card(stranger))

    # -- groups ----------------------------------------------------------------------------------------------------

    async def membership(self, changed: ChatMemberUpdated) -> None:
        """The bot was added, thrown out, promoted; or blocked by somebody in private."""
        chat, status = changed.chat, changed.new_chat_member.status
        was_in, is_in = _is_in(changed.old_chat_member.status), _is_in(status)
        is_listed = self._gate.is_listed(chat.id)
        _log.info("membership.changed", chat_id=chat.id, status=status, is_listed=is_listed)
        if chat.type == ChatType.PRIVATE:
            if is_in and self._gate.role_of(chat.id) is not None:
                self._on_seen(chat.id)
        elif is_in:
            if is_listed:
                self._on_seen(chat.id)
            elif not was_in and self._gate.is_open and self._people is not None:
                await self._added(changed, self._people)
        elif self._people is not None:
            self._people.titles.pop(chat.id, None)
            if await self._people.unlist_group(chat.id, by=f"telegram:{changed.from_user.id}"):
                _log.info("group.lost", chat_id=chat.id)

    async def _added(self, changed: ChatMemberUpdated, people: People) -> None:
        chat, user = changed.chat, changed.from_user
        role = self._gate.role_of(user.id)
        if chat.type not in _GROUPS or role is None:
            if chat.type in _GROUPS and self._may_say_goodbye():
                await self.tell(chat.id, pages.not_here)
            await self._client.leave(chat.id)
            return
        people.heard_of(chat.id, chat.title or "")
        if not is_least(role, Role.ADMIN):
            sent = await self._client.send(chat.id, pages.ask_admin())
            if isinstance(sent, Failure):
                await self._client.leave(chat.id)
            return
        by = in_telegram(chat.id, user.id, role=role)
        if await people.list_group(chat.id, chat.title or "", by=by):
            await self.tell(chat.id, pages.listed)
        else:
            await self.tell(chat.id, pages.full_of_groups)
            await self._client.leave(chat.id)

    def _may_say_goodbye(self) -> bool:
        now_ms = self._clock.wall_ms()
        while self._goodbyes and self._goodbyes[0] <= now_ms - _HOUR_MS:
            self._goodbyes.popleft()
        if len(self._goodbyes) >= GOODBYES_PER_HOUR:
            return False
        self._goodbyes.append(now_ms)
        return True


def _is_in(status: str) -> bool:
    return status in _PRESENT or status == ChatMemberStatus.RESTRICTED
