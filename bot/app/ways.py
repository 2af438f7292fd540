"""Ways to chats that no settings name: of members, and of groups that somebody put on the list.

They have to be known before anything is made of what chats have set; the destinations behind them are opened later, see
`society`.
"""

from bot import log
from bot.chat.asker import telegram_number
from bot.errors import StorageError
from bot.model.members import Role
from bot.settings import Settings
from bot.storage.access import SqliteGroupStore
from bot.storage.database import Database
from bot.storage.members import SqliteMemberStore

_log = log.get("society")


async def known_ways(database: Database, settings: Settings) -> dict[str, str]:
    """By chat, the names of their destinations; none where there is no bot that could tell them anything."""
    if settings.telegram.token is None:
        return {}
    owner = f"telegram:{settings.telegram.owner_id}"
    try:
        members, groups = await SqliteMemberStore(database).all(), await SqliteGroupStore(database).all()
    except StorageError as error:
        # The front reads all people again; until then the owner alone is known.
        _log.warning("people.unreadable", reason=str(error))
        return {}
    # There is one owner, who has a way by the settings: whoever is stored as such beside that one is nobody.
    people = [one.user for one in members if one.role in {Role.ADMIN, Role.MEMBER} and one.user != owner]
    chats = (*people, *(group.chat for group in groups))
    return {chat: chat for chat in chats if telegram_number(chat) is not None}
