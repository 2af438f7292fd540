"""Everyone whom the bot knows, in memory as stored: members, people at the door, groups on the list.

Promises: what is confirmed is stored before it counts; of two who decide about one person at once, the second is told of
the first. Whom the settings name as the owner is the owner, whatever is stored. Never: talks to a chat service; that is
the front, which is told by way of `Front`.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from bot import log
from bot.chat.asker import Asker, telegram_number
from bot.chat.commands import clean, shorten
from bot.chat.invites import Invites
from bot.chat.reply import Reply
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.access import (
    ASK_EVERY_MS,
    DAY_MS,
    MAX_GROUPS,
    AuditLog,
    Change,
    Group,
    GroupStore,
    Standing,
    Stranger,
    StrangerStore,
    is_least,
)
from bot.model.members import Member, MemberStore, Role

MAX_NAME_CHARS: Final = 60
CARDS_PER_DAY: Final = 30
"""Over all strangers; who asks beyond that is found in `/users`."""

_log = log.get("chat.people")


class Front(Protocol):
    """What speaks to people."""

    @property
    def bot_name(self) -> str:
        """The bot's user name; empty while unknown."""
        ...

    async def tell(self, chat_id: int, page: Callable[[], Reply]) -> bool:
        """Say something unasked, in the language of that chat; whether it arrived."""
        ...

    async def show_menu(self, chat_id: int, role: Role | None, *, in_group: bool) -> None:
        """Offer the commands of a role; None takes the menu away."""
        ...

    async def leave(self, chat_id: int) -> None:
        """Go out of a group."""
        ...


OpenWay = Callable[[int], Awaitable[None]]


async def _no_way(_chat_id: int) -> None: ...


def name_of(text: str, user: str) -> str:
    """What somebody calls themselves, fit to be shown; else their number."""
    return shorten(clean(text), MAX_NAME_CHARS) or user.partition(":")[2]


class People:
    """Of one bot. `load` before use."""

    def __init__(
        self,
        *,
        members: MemberStore,
        strangers: StrangerStore,
        groups: GroupStore,
        audit: AuditLog,
        clock: Clock,
        owner_id: int | None,
        open_way: OpenWay = _no_way,
    ) -> None:
        """`open_way`: lets alerts that were asked for in a chat be told there."""
        self._member_store = members
        self.invites = Invites(members, clock)
        self._stranger_store = strangers
        self._group_store = groups
        self._audit = audit
        self._clock = clock
        self._owner_id = owner_id
        self._open_way = open_way
        self._members: dict[int, Member] = {}
        self._strangers: dict[int, Stranger] = {}
        self._groups: dict[int, Group] = {}
        self._cards: deque[int] = deque()
        self.deciding = asyncio.Lock()
        """Held while somebody decides about a person."""
        self.front: Front | None = None
        self.titles: OrderedDict[int, str] = OrderedDict()
        """Of groups in which I am and that are not on the list, as far as I have heard."""

    async def load(self) -> None:
        """Read all of them; raises `StorageError`."""
        members = {telegram_number(m.user): m for m in await self._member_store.all()}
        self._members = {n: m for n, m in members.items() if n is not None}
        strangers = {telegram_number(s.user): s for s in await self._stranger_store.all()}
        self._strangers = {n: s for n, s in strangers.items() if n is not None}
        groups = {telegram_number(g.chat): g for g in await self._group_store.all()}
        self._groups = {n: g for n, g in groups.items() if n is not None}
        lately = self._clock.wall_ms() - DAY_MS
        self._cards = deque(sorted(s.asked_ms for s in self._strangers.values() if s.asked_ms > lately))
        for chat_id in (*self.private_chats, *self._groups):
            await self._open_way(chat_id)

    # -- who is who ------------------------------------------------------------------------------------------------

    def role_of(self, user_id: int) -> Role | None:
        """None for strangers. There is one owner: whoever is stored as such beside the one of the settings is nobody."""
        if user_id == self._owner_id:
            return Role.OWNER
        member = self._members.get(user_id)
        return None if member is None or member.role is Role.OWNER else member.role

    def is_blocked(self, user_id: int) -> bool:
        stranger = self._strangers.get(user_id)
        return stranger is not None and stranger.standing is Standing.BLOCKED and self.role_of(user_id) is None

    def has_group(self, chat_id: int) -> bool:
        return chat_id in self._groups

    def member(self, user_id: int) -> Member | None:
        return self._members.get(user_id) if self.role_of(user_id) is not None else None

    def stranger(self, user_id: int) -> Stranger | None:
        return self._strangers.get(user_id) if self.role_of(user_id) is None else None

    def name(self, user_id: int) -> str:
        found = self._members.get(user_id) or self._strangers.get(user_id)
        return name_of(found.name if found is not None else "", f"telegram:{user_id}")

    @property
    def owner_id(self) -> int | None:
        return self._owner_id

    @property
    def members(self) -> Sequence[tuple[int, Role]]:
        """All with a role, the highest first, the oldest first among equals."""
        known = {n: role for n in self._members if (role := self.role_of(n)) is not None}
        if self._owner_id is not None:
            known[self._owner_id] = Role.OWNER
        order = list(Role)
        since = {n: m.since_ms for n, m in self._members.items()}
        return sorted(known.items(), key=lambda one: (order.index(one[1]), since.get(one[0], 0), one[0]))

    @property
    def strangers(self) -> Sequence[Stranger]:
        """Who waits first, then who was declined or blocked."""
        order = list(Standing)
        known = [s for n, s in self._strangers.items() if self.role_of(n) is None]
        return sorted(known, key=lambda s: (order.index(s.standing), s.asked_ms))

    @property
    def groups(self) -> Sequence[Group]:
        return tuple(self._groups.values())

    @property
    def admins(self) -> tuple[int, ...]:
        """Owner and admins; their private chats bear the same numbers."""
        return tuple(number for number, role in self.members if is_least(role, Role.ADMIN))

    @property
    def private_chats(self) -> tuple[int, ...]:
        """Of those who may make alerts, but for the owner, who has a way of their own."""
        return tuple(n for n, role in self.members if is_least(role, Role.MEMBER) and n != self._owner_id)

    # -- changes ---------------------------------------------------------------------------------------------------

    async def note(self, asker: Asker, what: str) -> None:
        """A line for the audit log; what was done stands, whether it can be noted or not."""
        await self._note(asker.user, asker.chat, what)

    async def _note(self, user: str, chat: str, what: str) -> None:
        try:
            await self._audit.add(Change(self._clock.wall_ms(), user, chat, what[:500]))
        except StorageError as error:
            _log.error("audit.unstored", what=what[:200], by=user, reason=str(error))

    async def give(self, user_id: int, role: Role, *, by: Asker, name: str = "") -> None:
        """Make somebody a member, or change what one is. `role` is not that of the owner."""
        user, before = f"telegram:{user_id}", self._members.get(user_id)
        known = name or (before.name if before is not None else "") or self.name(user_id)
        since_ms = before.since_ms if before is not None else self._clock.wall_ms()
        member = Member(user, role, user, known[:100], since_ms, by.user)
        await self._member_store.put(member)
        self._members[user_id] = member
        if self._strangers.pop(user_id, None) is not None:
            await self._stranger_store.drop(user)
        await self.note(by, f"made {user} {role.value}")
        await self._changed(user_id)

    async def take(self, user_id: int, *, by: Asker, standing: Standing | None = None, handle: str = "") -> None:
        """Take somebody's role away, if they have one, and remember how it stands with them, or nothing."""
        user, name = f"telegram:{user_id}", self.name(user_id)
        had_role = self._members.pop(user_id, None) is not None
        if had_role:
            await self._member_store.drop(user)
        if standing is None:
            await self._stranger_store.drop(user)
            self._strangers.pop(user_id, None)
        else:
            known = self._strangers.get(user_id)
            now_ms = self._clock.wall_ms()
            stranger = known or Stranger(user, user, name, handle, standing, now_ms)
            stranger = replace(stranger, standing=standing, by="" if standing is Standing.ASKED else by.user)
            await self._stranger_store.put(stranger)
            self._strangers[user_id] = stranger
        verb = "removed" if standing is None else f"{standing.value}"
        await self.note(by, f"{verb} {user}")
        if had_role:
            await self._changed(user_id)

    async def joined(self, member: Member) -> None:
        """Somebody has shown a code, and is stored."""
        number = telegram_number(member.user)
        if number is None:
            return
        stored = {m.user: m for m in await self._member_store.all()}
        self._members[number] = stored.get(member.user, member)
        if self._strangers.pop(number, None) is not None:
            await self._stranger_store.drop(member.user)
        role = self._members[number].role
        await self._note(member.user, member.chat, f"came in as {role.value} by a link of {member.by or 'terminal'}")
        await self._changed(number)

    def forgotten(self, user_id: int) -> None:
        """Somebody is not stored any more."""
        self._members.pop(user_id, None)
        self._strangers.pop(user_id, None)

    async def _changed(self, user_id: int) -> None:
        role = self.role_of(user_id)
        if is_least(role, Role.MEMBER):
            await self._open_way(user_id)
        if self.front is not None:
            await self.front.show_menu(user_id, role, in_group=False)

    async def ask(self, user_id: int, name: str, handle: str) -> tuple[bool, bool]:
        """Somebody wants to be let in: whether that is news (at most once a day), and whether admins get a card about it."""
        now_ms, known = self._clock.wall_ms(), self._strangers.get(user_id)
        if self.role_of(user_id) is not None or self.is_blocked(user_id):
            return False, False
        if known is not None and now_ms - known.asked_ms < ASK_EVERY_MS:
            return False, False
        user = f"telegram:{user_id}"
        stranger = Stranger(user, user, clean(name)[:100], clean(handle)[:64], Standing.ASKED, now_ms)
        await self._stranger_store.put(stranger)
        self._strangers[user_id] = stranger
        while self._cards and self._cards[0] <= now_ms - DAY_MS:
            self._cards.popleft()
        has_card = len(self._cards) < CARDS_PER_DAY
        if has_card:
            self._cards.append(now_ms)
        return True, has_card

    async def list_group(self, chat_id: int, title: str, *, by: Asker) -> bool:
        """Answer in a group from now on; False where there are too many."""
        if chat_id not in self._groups and len(self._groups) >= MAX_GROUPS:
            return False
        chat = f"telegram:{chat_id}"
        group = Group(chat, clean(title)[:100], self._clock.wall_ms(), by.user)
        await self._group_store.put(group)
        self._groups[chat_id] = group
        await self.note(by, f"put {chat} on the list")
        await self._open_way(chat_id)
        if self.front is not None:
            await self.front.show_menu(chat_id, Role.VIEWER, in_group=True)
        return True

    async def unlist_group(self, chat_id: int, *, by: str) -> bool:
        """Answer there no more; False for one that is not on the list, as those of the settings."""
        if self._groups.pop(chat_id, None) is None:
            return False
        chat = f"telegram:{chat_id}"
        await self._group_store.drop(chat)
        await self._note(by, chat, f"took {chat} off the list")
        return True

    def heard_of(self, chat_id: int, title: str) -> None:
        """A group that is not on the list, and may be soon."""
        self.titles[chat_id] = title
        while len(self.titles) > MAX_GROUPS:
            self.titles.popitem(last=False)

    def moved(self, old: int, new: int) -> None:
        """A group has another number; the store is told by `ChatMoves`."""
        if (group := self._groups.pop(old, None)) is not None:
            self._groups[new] = replace(group, chat=f"telegram:{new}")

    async def tell_admins(self, page: Callable[[], Reply]) -> None:
        """One message to the owner and to each admin."""
        if self.front is not None:
            for number in self.admins:
                await self.front.tell(number, page)
