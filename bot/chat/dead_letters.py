"""`/deadletters`: what could not be told, why, and telling it after all. For the owner alone: it names other chats."""

from collections.abc import Mapping
from typing import Final

from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, shorten
from bot.chat.reply import BLANK, Button, Reply, code, line, refusal
from bot.chat.silence_pages import when
from bot.model.alert import short_id
from bot.model.outbox import Entry
from bot.model.outbox_ports import OutboxCare
from bot.texts import say

N_SHOWN: Final = 10
MAX_READ: Final = 10_000
MIN_ID: Final = 4


def _nothing() -> Reply:
    return Reply((line(say("Everything could be told.")),))


class DeadLetters:
    """Answers the command."""

    def __init__(self, outbox: OutboxCare) -> None:
        self._outbox = outbox

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"deadletters": self.answer}

    async def answer(self, command: Command, _asker: Asker) -> Reply:
        entries = await self._outbox.entries(("buried",), limit=MAX_READ)
        if not entries:
            return _nothing()
        if command.words:
            return await self._retry(command.words[1], entries)
        return _page(entries)

    async def _retry(self, wanted: str, entries: list[Entry]) -> Reply:
        chosen = [e for e in entries if wanted == "all" or short_id(e.row.key).startswith(wanted)]
        if wanted != "all" and (len(wanted) < MIN_ID or len({e.row.key for e in chosen}) != 1):
            return refusal(say("I know no such message, or several: "), code(wanted), say(". /deadletters shows them."))
        # The oldest first, as they happened.
        n = await self._outbox.retry([entry.row.id for entry in reversed(chosen)])
        if n == 0:
            return refusal(say("Something later of the same alert was told already; it stays as it is."))
        return Reply(
            (line(say("{n} will be told within half a minute.", n=n)),), did=f"told {n} dead letters after all"
        )


def _page(entries: list[Entry]) -> Reply:
    lines = [line(say("{n} could not be told:", n=len(entries))), BLANK]
    for entry in entries[:N_SHOWN]:
        row = entry.row
        what = f" {shorten(row.view.symbol)} {shorten(row.view.title)}, {row.kind.value}, {row.destination}: "
        # With the day: they are kept for weeks.
        at = when(row.created_ms, "UTC", now_ms=0)
        lines.append(line(code(f"#{short_id(row.key)}"), f" {at}", what, shorten(say(entry.reason), 120)))
    if len(entries) > N_SHOWN:
        lines.append(line(say("and {n} more: oibot outbox list --state buried", n=len(entries) - N_SHOWN)))
    return Reply(tuple(lines), ((Button(say("Tell them after all"), "/deadletters retry all"),),))
