"""Once a day: a backup, then what is old goes, then free pages go back to the disk.

All of it in small steps or on a reading connection, so that alerts never wait for it. A backup that fails is tried again
every hour, and said once. When the last backup was made is read from the folder, so that restarts do not put it off.
"""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bot import log
from bot.app.background import in_background
from bot.clock import Clock
from bot.delivery.notices import Notice, Words
from bot.errors import StorageError
from bot.model import numbers
from bot.model.access import AUDIT_KEPT_MS, MAX_STRANGERS, STRANGERS_KEPT_MS
from bot.model.buttons import KEEP_MS as BUTTONS_KEEP_MS
from bot.model.buttons import MAX_STORED
from bot.storage import copies
from bot.storage.access import SqliteAuditLog, SqliteStrangerStore
from bot.storage.alerts import SqliteAlertStore
from bot.storage.buttons import SqliteButtonStore
from bot.storage.chat_alerts import SqliteChatAlertStore
from bot.storage.chat_rules import SqliteChatRuleStore
from bot.storage.database import Database
from bot.storage.members import SqliteMemberStore
from bot.storage.pruning import shrink
from bot.storage.silences import SqliteSilenceStore
from bot.texts import say

FIRST_S: Final = 600.0
"""After a start there is more important work."""
EVERY_S: Final = 3_600.0
DAY_MS: Final = 86_400_000
KEEP_MS: Final = 30 * DAY_MS
UNDO_MS: Final = 86_400_000
"""What was deleted in chat can be brought back for so long."""
"""How long transitions and settled rows are kept."""
MAX_AHEAD_MS: Final = 3_600_000
"""A backup that claims to be made later than this from now tells of a wrong clock, not of a fresh backup."""

_log = log.get("upkeep")


class Upkeep:
    """`run` is a component."""

    def __init__(
        self,
        *,
        database: Database,
        folder: Path,
        keep: int,
        clock: Clock,
        venue_now: Callable[[], int],
        tell: Callable[[Words], None],
    ) -> None:
        """`folder` and `keep`: where backups are, and how many; 0 for none."""
        self._database = database
        self._alerts = SqliteAlertStore(database)
        self._chat_alerts = SqliteChatAlertStore(database)
        self._chat_rules = SqliteChatRuleStore(database)
        self._silences = SqliteSilenceStore(database)
        self._members = SqliteMemberStore(database)
        self._strangers = SqliteStrangerStore(database)
        self._audit = SqliteAuditLog(database)
        self._buttons = SqliteButtonStore(database)
        self._folder = folder
        self._keep = keep
        self._clock = clock
        self._venue_now = venue_now
        self._tell = tell
        self._pruned_ms: float | None = None
        self.failure = ""
        """Why the last backup failed; empty when it did not."""

    async def run(self) -> None:
        await self._clock.sleep(FIRST_S)
        while True:
            if self._keep and self._is_backup_due():
                await self.back_up()
            if self._pruned_ms is None or self._clock.monotonic_ms() - self._pruned_ms >= DAY_MS:
                await self.prune()
            await self._clock.sleep(EVERY_S)

    def _newest(self) -> copies.Copy | None:
        found = copies.listed(self._folder)
        return found[-1] if found else None

    def _is_backup_due(self) -> bool:
        newest = self._newest()
        return newest is None or not -MAX_AHEAD_MS < self._clock.wall_ms() - newest.at_ms < DAY_MS

    def text(self) -> str:
        """For `/status`: `5h ago, 7 kept`."""
        if not self._keep:
            return ""
        newest = self._newest()
        if newest is None:
            return say("none yet")
        age = numbers.duration(max(0, self._clock.wall_ms() - newest.at_ms))
        return say("{age} ago, {n} kept", age=age, n=len(copies.listed(self._folder)))

    def lines(self) -> tuple[str, ...]:
        """For `/status`: what is wrong."""
        return (say("The last backup failed: {failure}.", failure=self.failure),) if self.failure else ()

    async def back_up(self) -> bool:
        """Make one now, and let the oldest go."""
        opened: list[sqlite3.Connection] = []
        try:
            made = await in_background(
                "backup",
                lambda: copies.back_up(
                    self._database.path,
                    self._folder,
                    now_ms=self._clock.wall_ms(),
                    keep=self._keep,
                    on_open=opened.append,
                ),
                stop=lambda: _interrupt(opened),
            )
        except StorageError as error:
            _log.error("backup.failed", reason=str(error))
            if not self.failure:
                why = str(error)
                self._tell(lambda: _failed(why))
            self.failure = str(error)
            return False
        _log.info("backup.made", file=made.path.name, bytes=made.path.stat().st_size)
        if self.failure:
            self.failure = ""
            name = made.path.name
            self._tell(lambda: Notice(say("Backups work again"), say("{name} was made.", name=name), "info"))
        return True

    async def prune(self) -> None:
        """Forget what was told or ended long ago, and what deleted alerts left behind."""
        try:
            gone = await self._alerts.prune(before_ms=self._venue_now() - KEEP_MS)
            undo_ms = self._clock.wall_ms() - UNDO_MS
            gone += await self._chat_alerts.prune(before_ms=undo_ms) + await self._chat_rules.prune(before_ms=undo_ms)
            gone += await self._silences.prune(before_ms=self._venue_now() - KEEP_MS)
            gone += await self._members.prune(now_ms=self._clock.wall_ms())
            gone += await self._buttons.prune(before_ms=self._clock.wall_ms() - BUTTONS_KEEP_MS, keep=MAX_STORED)
            now_ms = self._clock.wall_ms()
            gone += await self._strangers.prune(before_ms=now_ms - STRANGERS_KEPT_MS, keep=MAX_STRANGERS)
            gone += await self._audit.prune(before_ms=now_ms - AUDIT_KEPT_MS)
            pages = await shrink(self._database)
        except StorageError as error:
            _log.warning("pruning.failed", reason=str(error))
            return
        self._pruned_ms = self._clock.monotonic_ms()
        _log.info("database.pruned", rows=gone, pages=pages)


def _interrupt(opened: list[sqlite3.Connection]) -> None:
    for connection in opened:
        # The copy may be made already, and its connection closed; what is left is short.
        with contextlib.suppress(sqlite3.ProgrammingError):
            connection.interrupt()


def _failed(why: str) -> Notice:
    text = say("{error}.\nIt is tried again every hour; `oibot backup` tries it at once.", error=why)
    return Notice(say("The backup failed"), text, "warning")
