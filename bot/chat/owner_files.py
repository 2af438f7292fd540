"""`/backup` and `/logs`: files for the owner, in his private chat, where the settings allow it.

A file in a chat is on the servers of others, so both are off unless switched on. At the terminal, whose files these are
anyway, they say where the files lie.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from bot.chat.actions import Handler
from bot.chat.asker import Asker, telegram_number
from bot.chat.commands import Command
from bot.chat.reply import Attachment, Reply, code, line, refusal
from bot.texts import mark, say

MAX_BYTES: Final = 50_000_000
"""Telegram takes no larger files of bots."""
NO_BACKUP: Final = mark(
    "There is no backup yet: the first is made within an hour of the start. `oibot backup` makes one now."
)

Newest = Callable[[], Awaitable[Attachment | int | None]]
"""The newest backup without secrets; its size in bytes where that is over `MAX_BYTES`; None where there is none."""


class OwnerFiles:
    """The two commands. `folder`: where backups lie, told at the terminal."""

    def __init__(
        self,
        *,
        newest: Newest,
        recent: Callable[[], Sequence[str]],
        folder: str,
        allow_backup: bool,
        allow_logs: bool,
    ) -> None:
        self._newest = newest
        self._recent = recent
        self._folder = folder
        self._allow_backup = allow_backup
        self._allow_logs = allow_logs

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"backup": self.backup, "logs": self.logs}

    async def backup(self, _command: Command, asker: Asker) -> Reply:
        """The newest copy of the database, as a document."""
        if telegram_number(asker.chat) is None:
            return Reply((line(say("Backups lie in "), code(self._folder), say("; `oibot backup` makes one now.")),))
        if (why := _refused(asker, "ALLOW_BACKUP", is_allowed=self._allow_backup)) is not None:
            return why
        found = await self._newest()
        if found is None:
            return refusal(say(NO_BACKUP))
        if isinstance(found, int):
            return refusal(
                say(
                    "The newest backup has {size_mb:.0f} MB; Telegram takes {most_mb:.0f} MB of a bot. It lies in the data folder of the machine, below backups.",
                    size_mb=found / 1e6,
                    most_mb=MAX_BYTES / 1e6,
                )
            )
        text = say(
            "The newest backup, without tokens and other secrets. It holds alerts, chats and names: keep it to yourself. Back with: oibot restore FILE"
        )
        return Reply((line(text),), file=found, did=f"was sent the backup {found.name}")

    async def logs(self, _command: Command, asker: Asker) -> Reply:
        """The last lines of the log, as a document."""
        at_terminal = telegram_number(asker.chat) is None
        if not at_terminal and (why := _refused(asker, "ALLOW_LOGS", is_allowed=self._allow_logs)) is not None:
            return why
        lines = self._recent()
        if not lines:
            return refusal(say("Nothing was logged yet."))
        if at_terminal:
            return Reply(tuple(line(row) for text in lines for row in text.splitlines()))
        text = "\n".join(lines) + "\n"
        return Reply(
            (line(say("The last {n} entries of the log, without secrets.", n=len(lines))),),
            file=Attachment("oibot.log", text.encode("utf-8", "replace")),
            did="was sent the log",
        )


def _refused(asker: Asker, setting: str, *, is_allowed: bool) -> Reply | None:
    if not asker.is_owner:
        return refusal(say("Only the owner may have that."))
    if asker.chat != asker.user:
        return refusal(say("Only in our private chat."))
    if not is_allowed:
        return refusal(
            say("That is switched off. "), code(f"OIBOT_TELEGRAM__{setting}=true"), say(" in the settings allows it.")
        )
    return None
