"""The owner whom a link made counts as the one that the settings name; where they name one, no link counts."""

from bot.app.data_dir import DataDir
from bot.chat.asker import telegram_number
from bot.model.members import Member
from bot.settings import Settings
from bot.storage.database import Database
from bot.storage.members import SqliteMemberStore, peek_owner


def is_claimable(settings: Settings) -> bool:
    """Whether a link may make the owner: there is a bot, and the settings name nobody. Ask this of settings as they were
    read.
    """
    return settings.telegram.token is not None and settings.telegram.owner_id is None


def with_owner(settings: Settings, owner: Member | None = None) -> Settings:
    """The settings with the owner that the database knows, or the one given, where they name none."""
    if not is_claimable(settings):
        return settings
    owner = owner if owner is not None else peek_owner(DataDir(settings.data_dir).database)
    if owner is None:
        return settings
    telegram = settings.telegram.model_copy(update={"owner_id": telegram_number(owner.user)})
    return settings.model_copy(update={"telegram": telegram})


async def other_owner(settings: Settings, database: Database, *, is_claimable: bool) -> Member | None:
    """Whom the database knows where the settings know nobody, as when a backup took the place of a database that could not
    be read before.
    """
    if not is_claimable or settings.telegram.owner_id is not None:
        return None
    return await SqliteMemberStore(database).owner()
