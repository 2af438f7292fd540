"""One life of a bot, from its settings to its exit code: what has to be there before its parts are made, and goes after them.

Rules and destinations are read, the data folder is held, the database is waited for, and the owner must be the one of the
settings; at the end the database is closed, whatever hangs.
"""

import asyncio
import contextlib
from typing import Final

from bot.app.bot import Bot
from bot.app.data_dir import DataDir
from bot.app.loading import load, require_folder, say_problems
from bot.app.opening import open_patiently
from bot.app.options import Options
from bot.app.ownership import other_owner
from bot.app.voice import Voice
from bot.clock import Clock, SystemClock
from bot.model.members import Member
from bot.settings import Settings
from bot.storage.database import Opened

CLOSE_S: Final = 1.0
"""Comes after the seconds that a stop takes, see `running`."""


class Lifetime:
    """Of one bot with these settings. Raises `ConfigError` where it cannot begin."""

    def __init__(self, settings: Settings, options: Options) -> None:
        self._settings = settings
        self._options = options
        self.clock: Clock = SystemClock(speed=settings.clock.speed, epoch_ms=settings.clock.epoch_ms)
        self.stop = asyncio.Event()
        require_folder(settings)
        self._loaded = load(settings, plan=options.plan, asks_secrets=options.delivers)
        self._loaded.plan.require_sound()
        self.claimed: Member | None = None
        """The owner for whom the bot has to begin anew: what is told where depends on it."""
        self._bot: Bot | None = None

    def reload_soon(self) -> None:
        """Take the rules folder anew; nothing before the bot is there."""
        if self._bot is not None:
            self._bot.reload_soon()

    async def run(self, *, for_s: float | None = None) -> int:
        """Run until `stop` is set or, when given, for so many clock seconds; returns the exit code."""
        say_problems(self._loaded.rules, self._options.console)
        voice = Voice(self._settings, self._options, self.clock, lambda: self._loaded.plan)
        with DataDir(self._settings.data_dir) as data_dir:
            opened = await open_patiently(
                data_dir.database, backups=data_dir.backups, clock=self.clock, stop=self.stop, say=voice.directly
            )
            if opened is None:
                return 0
            try:
                return await self._run(data_dir, opened, for_s)
            finally:
                # A statement that hangs on the disk must not hang the stop: what it held is not acknowledged.
                with contextlib.suppress(TimeoutError):
                    async with self.clock.timeout(CLOSE_S):
                        await opened.database.close()

    async def _run(self, data_dir: DataDir, opened: Opened, for_s: float | None) -> int:
        self.claimed = await other_owner(self._settings, opened.database, is_claimable=self._options.is_claimable)
        if self.claimed is not None:
            return 0
        self._bot = Bot(
            self._settings,
            self._options,
            self._loaded,
            clock=self.clock,
            stop=self.stop,
            data_dir=data_dir,
            opened=opened,
            on_claimed=self._take_owner,
        )
        return await self._bot.run(for_s=for_s)

    def _take_owner(self, owner: Member) -> None:
        self.claimed = owner
        self.stop.set()
