"""`/users`, `/user`, `/admit`, `/invite`, `/join`, `/audit`: who may use the bot, decided in chat.

Promises: only the owner makes or changes admins; nobody changes the owner or themselves; of two admins who answer one
request, the second is told of the first; whoever loses their role loses the alerts of their private chat with it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from bot.chat import people_pages as pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker, telegram_number
from bot.chat.commands import Command
from bot.chat.ending import Ending
from bot.chat.invites import invite_link
from bot.chat.people import People, name_of
from bot.chat.reply import Reply
from bot.clock import Clock
from bot.model.access import AuditLog, Standing, is_least
from bot.model.members import Role

_STANDINGS: Final = {"decline": Standing.DECLINED, "block": Standing.BLOCKED, "remove": None}


class PeopleActions:
    """The commands of owner and admins."""

    def __init__(self, people: People, *, audit: AuditLog, ending: Ending, clock: Clock) -> None:
        self._people = people
        self._audit = audit
        self._ending = ending
        self._clock = clock

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "users": self.users,
            "user": self.user,
            "admit": self.admit,
            "invite": self.invite,
            "join": self.join,
            "audit": self.audit,
        }

    async def users(self, command: Command, asker: Asker) -> Reply:
        """`/users [PAGE]`"""
        if not asker.is_private:
            return pages.only_private()
        people = self._people
        names = {number: people.name(number) for number, _ in people.members}
        page = max(1, int(command.words[0])) if command.words else 1
        return pages.users(people.members, names, people.strangers, people.groups, page=page)

    async def user(self, command: Command, asker: Asker) -> Reply:
        """`/user ID [viewer|member|admin|remove|decline|block]`"""
        if not asker.is_private:
            return pages.only_private()
        number, people = int(command.words[0]), self._people
        async with people.deciding:
            if len(command.words) == 1:
                return self._person(number)
            return await self._decide(number, command.words[1], asker, undo=self._undo_of(number))

    def _person(self, number: int, note: str = "") -> Reply:
        people = self._people
        stranger = people.stranger(number)
        standing = stranger.standing if stranger is not None else None
        return pages.person(number, people.name(number), people.role_of(number), standing, note=note)

    def _undo_of(self, number: int) -> str:
        """What brings back how it stands now."""
        role, stranger = self._people.role_of(number), self._people.stranger(number)
        if role is not None:
            return f"/user {number} {role.value}"
        if stranger is None:
            return f"/user {number} remove"
        if stranger.standing is Standing.ASKED:
            return f"/admit {number}"
        return f"/user {number} {'block' if stranger.standing is Standing.BLOCKED else 'decline'}"

    async def _decide(self, number: int, fate: str, asker: Asker, *, undo: str) -> Reply:
        people, before = self._people, self._people.role_of(number)
        if before is Role.OWNER:
            return pages.not_owner()
        if f"telegram:{number}" == asker.user:
            return pages.not_yourself()
        if (before is Role.ADMIN or fate == Role.ADMIN.value) and not asker.is_owner:
            return pages.not_admins()
        name, now_ms = people.name(number), self._clock.wall_ms()
        if fate in _STANDINGS:
            standing = _STANDINGS[fate]
            await people.take(number, by=asker, standing=standing)
            if before is not None:
                await self._ending.end(f"telegram:{number}")
            if standing is Standing.DECLINED:
                await self._tell(number, pages.declined)
            return pages.decided(name, standing, at_ms=now_ms, undo=undo)
        role = Role(fate)
        if before is not role:
            await people.give(number, role, by=asker)
            await self._tell(number, lambda: pages.let_in(role))
        if not is_least(role, Role.MEMBER):
            await self._ending.end(f"telegram:{number}")
        return pages.decided(name, role, at_ms=now_ms, undo=undo)

    async def admit(self, command: Command, asker: Asker) -> Reply:
        """`/admit ID [member|viewer|decline|block]`: answers a request; without a word, opens it again."""
        if not asker.is_private:
            return pages.only_private()
        number, people = int(command.words[0]), self._people
        async with people.deciding:
            stranger, role = people.stranger(number), people.role_of(number)
            if len(command.words) == 1:
                return await self._reopen(number, asker)
            if stranger is None or stranger.standing is not Standing.ASKED:
                standing = stranger.standing if stranger is not None else None
                return pages.known_already(people.name(number), role, standing, number)
            return await self._decide(number, command.words[1], asker, undo=f"/admit {number}")

    async def _reopen(self, number: int, asker: Asker) -> Reply:
        people, role, stranger = self._people, self._people.role_of(number), self._people.stranger(number)
        if role is Role.OWNER or f"telegram:{number}" == asker.user:
            return pages.not_owner() if role is Role.OWNER else pages.not_yourself()
        if role is Role.ADMIN and not asker.is_owner:
            return pages.not_admins()
        if role is None and stranger is None:
            return pages.known_already(people.name(number), None, None, number)
        await people.take(number, by=asker, standing=Standing.ASKED)
        if role is not None:
            await self._ending.end(f"telegram:{number}")
            await self._tell(number, pages.taken_back)
        again = people.stranger(number)
        assert again is not None
        return pages.card(again)

    async def invite(self, command: Command, asker: Asker) -> Reply:
        """`/invite [viewer|member|admin]`"""
        role = Role(command.words[0]) if command.words else Role.MEMBER
        if role is Role.ADMIN and not asker.is_owner:
            return pages.not_admins()
        people, front = self._people, self._people.front
        if not asker.is_owner or not asker.is_private or front is None or not front.bot_name:
            return pages.no_link_here(role)
        code = await people.invites.issue(role, by=asker.user)
        await self._people.note(asker, f"made an invitation for {pages.A[role]}")
        return pages.invitation(invite_link(front.bot_name, code), role)

    async def join(self, command: Command, asker: Asker) -> Reply:
        """`/join`, `/join off`, in the group that is meant."""
        number, people = telegram_number(asker.chat), self._people
        if number is None or asker.is_private:
            return pages.only_groups()
        if command.words:
            if not await people.unlist_group(number, by=asker.user):
                return pages.of_settings()
            await self._ending.end(asker.chat)
            if people.front is not None:
                await people.front.tell(number, pages.goodbye)
                await people.front.leave(number)
            return Reply(())  # said, before I went
        if people.has_group(number):
            return pages.listed_already()
        return (
            pages.listed()
            if await people.list_group(number, people.titles.get(number, ""), by=asker)
            else pages.full_of_groups()
        )

    async def audit(self, command: Command, asker: Asker) -> Reply:
        """`/audit [PAGE]`"""
        if not asker.is_private:
            return pages.only_private()
        page = max(1, int(command.words[0])) if command.words else 1
        found = await self._audit.latest(pages.AUDIT_PAGE + 1, (page - 1) * pages.AUDIT_PAGE)
        people = self._people
        words = {word for change in found for word in (change.user, *change.what.split(" "))}
        numbers = {word: telegram_number(word) for word in words}
        names = {word: people.name(n) for word, n in numbers.items() if n is not None and n > 0}
        groups = {g.chat: name_of(g.title, g.chat) for g in people.groups}
        is_more = len(found) > pages.AUDIT_PAGE
        return pages.audit(found[: pages.AUDIT_PAGE], {**names, **groups}, page=page, is_more=is_more)

    async def _tell(self, number: int, page: Callable[[], Reply]) -> None:
        if self._people.front is not None:
            await self._people.front.tell(number, page)
