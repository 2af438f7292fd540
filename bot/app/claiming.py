"""Making an owner from the command line: a link is made, and somebody opens it.

Where a bot runs on the data folder, it takes the link and the database tells when; else the link is waited for by a poll of
our own, and the folder is held meanwhile so that no bot starts beside it.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from bot.app.data_dir import DataDir, FolderInUseError
from bot.app.proxy import usable_proxy
from bot.chat.claims import LIFE_MS, Claims, link_of
from bot.chat.telegram_claim import ClaimPoll
from bot.chat.telegram_client import TelegramClient
from bot.chat.telegram_failure import Failure, Kind
from bot.clock import Clock
from bot.errors import BotError, ConfigError
from bot.model.members import Member
from bot.settings import Settings
from bot.storage.access import SqliteAuditLog
from bot.storage.database import Database, join_database, open_database
from bot.storage.members import SqliteMemberStore

LOOK_EVERY_S: Final = 0.5


class TokenRefusedError(ConfigError):
    """Telegram does not know the token."""


def explained(failure: Failure, api_url: str) -> BotError:
    """A failed call as an error for people."""
    match failure.kind:
        case Kind.UNAUTHORIZED:
            return TokenRefusedError("Telegram does not accept this token (401); copy it from @BotFather again, whole")
        case Kind.NOT_FOUND:
            return TokenRefusedError(
                f"{api_url} knows no such bot (404); copy the token from @BotFather again, or check OIBOT_TELEGRAM__API_URL"
            )
        case Kind.CONFLICT:
            return ConfigError(
                "another program polls this bot (409): most likely an oibot on another machine or in another folder. "
                "Stop it and run `oibot claim` here, or run `oibot claim` there"
            )
        case Kind.NETWORK | Kind.TIMED_OUT:
            return ConfigError(
                f"{api_url} cannot be reached ({failure.text}); check the network of this machine, and HTTPS_PROXY where "
                "it needs a proxy"
            )
        case _:
            return ConfigError(f"Telegram answered: {failure.text}")


@contextlib.asynccontextmanager
async def client_of(settings: Settings, clock: Clock) -> AsyncIterator[TelegramClient]:
    """The bot of the settings, which have a token."""
    assert settings.telegram.token is not None
    with usable_proxy("Telegram"):
        client = TelegramClient(
            token=settings.telegram.token.get_secret_value(), api_url=settings.telegram.api_url, clock=clock
        )
    try:
        yield client
    finally:
        await client.close()


async def bot_name(settings: Settings, clock: Clock) -> str:
    """The user name of the bot whose token the settings hold; raises `BotError` with what to do."""
    async with client_of(settings, clock) as client:
        name = await client.name()
    if isinstance(name, Failure):
        raise explained(name, settings.telegram.api_url)
    return name


@dataclass(frozen=True, slots=True)
class Link:
    """A link that makes an owner."""

    url: str
    expires_ms: int
    is_taken_by_bot: bool
    """A bot runs here that takes it."""
    replaces: Member | None
    """The owner there is, whose place somebody will take."""


class Claiming:
    """One link, and the wait for it. Made by `open_claiming`."""

    def __init__(
        self,
        settings: Settings,
        store: SqliteMemberStore,
        audit: SqliteAuditLog,
        clock: Clock,
        *,
        is_bot_running: bool,
        note: str = "",
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._claims = Claims(store, clock, audit)
        self._is_bot_running = is_bot_running
        self._before: Member | None = None
        self._poll: ClaimPoll | None = None
        self.note = note
        """What was wrong with the database, for people; empty for nothing."""

    @property
    def trouble(self) -> str:
        """What the wait meets at present, for people; empty where all is well."""
        return self._poll.trouble if self._poll is not None else ""

    async def link(self, bot: str) -> Link:
        """A fresh one; earlier ones are void."""
        self._before = await self._store.owner()
        code = await self._claims.issue()
        expires_ms = self._clock.wall_ms() + LIFE_MS
        return Link(link_of(bot, code), expires_ms, self._is_bot_running, self._before)

    async def wait(self, link: Link) -> Member | None:
        """The new owner; None when the link's time is over. Raises `BotError` where waiting is useless."""
        try:
            async with self._clock.timeout((link.expires_ms - self._clock.wall_ms()) / 1000):
                return await (self._watch() if self._is_bot_running else self._ask())
        except TimeoutError:
            return None

    async def _watch(self) -> Member:
        while True:
            owner = await self._store.owner()
            if owner is not None and owner != self._before:
                return owner
            await self._clock.sleep(LOOK_EVERY_S)

    async def _ask(self) -> Member:
        async with client_of(self._settings, self._clock) as client:
            self._poll = ClaimPoll(client=client, claims=self._claims, clock=self._clock)
            found = await self._poll.wait()
        if isinstance(found, Failure):
            raise explained(found, self._settings.telegram.api_url)
        return found


@contextlib.asynccontextmanager
async def open_claiming(settings: Settings, clock: Clock) -> AsyncIterator[Claiming]:
    """Raises `BotError` where the data folder or its database cannot be used."""
    async with open_members(settings, clock) as (store, audit, is_bot_running, note):
        yield Claiming(settings, store, audit, clock, is_bot_running=is_bot_running, note=note)


@contextlib.asynccontextmanager
async def open_members(
    settings: Settings, clock: Clock
) -> AsyncIterator[tuple[SqliteMemberStore, SqliteAuditLog, bool, str]]:
    """People and codes of the data folder, who changed what, whether a bot runs on it, and what was wrong with the database. Where none runs,
    the folder is held meanwhile. Raises `BotError` where the folder or its database cannot be used.
    """
    folder = DataDir(settings.data_dir)
    async with contextlib.AsyncExitStack() as stack:
        database: Database
        try:
            stack.enter_context(folder)
        except FolderInUseError:
            database = await join_database(folder.database)
            stack.push_async_callback(database.disconnect)
            is_bot_running, note = True, ""
        else:
            opened = await open_database(folder.database, now_ms=clock.wall_ms(), clock=clock, backups=folder.backups)
            database = opened.database
            stack.push_async_callback(database.close)
            is_bot_running, note = False, opened.damage or opened.doubt or ""
        yield SqliteMemberStore(database), SqliteAuditLog(database), is_bot_running, note
