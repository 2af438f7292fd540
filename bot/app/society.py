"""Who may use the bot, put together: people, invitations, what they may ask about themselves, and ways to their chats."""

from dataclasses import dataclass

from bot import log
from bot.app.chatrooms import Chatrooms
from bot.app.sending import Sending
from bot.chat.ending import Ending
from bot.chat.own_data import OwnData
from bot.chat.people import People
from bot.chat.people_actions import PeopleActions
from bot.clock import Clock
from bot.errors import ConfigError, StorageError
from bot.model.members import MemberStore
from bot.settings import Settings
from bot.storage.access import SqliteAuditLog, SqliteGroupStore, SqliteStrangerStore
from bot.storage.database import Database
from bot.storage.members import SqliteMemberStore
from bot.storage.personal import SqlitePersonalData

_log = log.get("society")


@dataclass(frozen=True, slots=True)
class Society:
    """Made by `open_society`, before alerts are told."""

    people: People
    members: MemberStore
    database: Database
    clock: Clock

    def families(self, ending: Ending) -> tuple[PeopleActions, OwnData]:
        """The commands."""
        audit = SqliteAuditLog(self.database)
        admins = PeopleActions(self.people, audit=audit, ending=ending, clock=self.clock)
        return admins, OwnData(self.people, SqlitePersonalData(self.database), ending, self.clock)


async def open_society(database: Database, settings: Settings, rooms: Chatrooms, sending: Sending) -> Society:
    """Everyone who is known; the chats of members and listed groups get a way of their own for alerts asked for there."""
    has_way = settings.telegram.token is not None and sending.plan is not None

    async def open_way(chat_id: int) -> None:
        name, by_chat = f"telegram:{chat_id}", rooms.moves.by_chat
        if name in sending.lanes.names or by_chat.get(name, name) != name or not has_way:
            return
        try:
            destination = await sending.builder.chat(name, chat_id)
        except ConfigError as error:
            _log.warning("way.unopened", chat_id=chat_id, reason=str(error))
            return
        sending.lanes.switch((destination,), (), on_left=sending.builder.close)
        is_known = name in rooms.ways
        # Of the routes of now, and of those after the next reload.
        by_chat[name] = rooms.ways[name] = name
        if not is_known:
            # A group that the bot is back in may have set something before.
            rooms.subscribing.follow_again(name)
            await sending.add_others()

    members = SqliteMemberStore(database)
    people = People(
        members=members,
        strangers=SqliteStrangerStore(database),
        groups=SqliteGroupStore(database),
        audit=SqliteAuditLog(database),
        clock=rooms.clock,
        owner_id=settings.telegram.owner_id,
        open_way=open_way,
    )
    try:
        await people.load()
    except StorageError as error:
        # The front tries again; until then the owner alone is known.
        _log.warning("people.unreadable", reason=str(error))
    return Society(people, members, database, rooms.clock)
