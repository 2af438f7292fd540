"""`/mydata` and `/forget me`: what is stored about whoever asks, handed out or deleted. In private chats alone."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from bot.chat.actions import Handler
from bot.chat.asker import AT_TERMINAL, Asker, telegram_number
from bot.chat.commands import Command
from bot.chat.ending import Ending
from bot.chat.people import People
from bot.chat.people_pages import only_private
from bot.chat.reply import Attachment, Button, Reply, line, refusal
from bot.clock import Clock
from bot.model.access import PersonalData, Rows
from bot.texts import say, say_n

SURE_MS: Final = 60_000
"""So long the question counts."""
_MAX_ASKED: Final = 1_000


def _sure() -> Reply:
    return Reply(
        (
            line(
                say(
                    "That deletes your role, your alerts and stops, what you may lose, and your name wherever it stands."
                )
            ),
            line(say("It cannot be undone, and I will not know you afterwards.")),
        ),
        ((Button(say("Delete all of it"), "/forget me yes"), Button(say("Keep it"), "/help")),),
        is_personal=True,
    )


def _done() -> Reply:
    return Reply((line(say("Done. I know nothing about you any more.")),))


def _owner() -> Reply:
    return refusal(say("The owner cannot be forgotten: on the machine, oibot claim hands me to somebody else first."))


def _ids(found: Mapping[str, Rows], table: str, column: str, asker: Asker) -> list[str]:
    return [str(row["id"]) for row in found.get(table, ()) if row.get(column) == asker.user]


class OwnData:
    """The two commands."""

    def __init__(self, people: People, data: PersonalData, ending: Ending, clock: Clock) -> None:
        self._people = people
        self._data = data
        self._ending = ending
        self._clock = clock
        self._asked_ms: dict[str, float] = {}
        """Whom I have asked whether they are sure, and when."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"mydata": self.export, "forget": self.forget}

    async def export(self, _command: Command, asker: Asker) -> Reply:
        """`/mydata`"""
        if not asker.is_private:
            return only_private()
        found = await self._data.export(asker.user)
        n = sum(len(rows) for rows in found.values())
        now = datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC)
        document = {"person": asker.user, "at": now.isoformat(timespec="seconds"), "stored": dict(found)}
        content = msgspec.json.format(msgspec.json.encode(document), indent=2)
        said = line(
            say_n(
                "All that I store about you: {n} row. Times are epoch milliseconds.",
                "All that I store about you: {n} rows. Times are epoch milliseconds.",
                n,
            )
        )
        return Reply((said,), file=Attachment(f"oibot-{now:%Y-%m-%d}.json", content))

    async def forget(self, command: Command, asker: Asker) -> Reply:
        """`/forget me`, and once more to be sure."""
        if not asker.is_private:
            return only_private()
        if asker.is_owner or asker.user == AT_TERMINAL.user:
            return _owner()
        now_ms, asked_ms = self._clock.monotonic_ms(), self._asked_ms.pop(asker.user, None)
        if "yes" not in command.words or asked_ms is None or now_ms - asked_ms > SURE_MS:
            self._asked_ms[asker.user] = now_ms
            while len(self._asked_ms) > _MAX_ASKED:
                self._asked_ms.pop(next(iter(self._asked_ms)))
            return _sure()
        async with self._people.deciding:
            # Also what they made in groups.
            found = await self._data.export(asker.user)
            await self._ending.end(asker.chat)
            await self._ending.end_these(
                _ids(found, "chat_alerts", "user", asker),
                _ids(found, "chat_rules", "user", asker),
                _ids(found, "stop_watches", "person", asker),
            )
            await self._ending.forget_risk(asker.user)
            await self._people.note(asker, f"deleted what was stored about {asker.user}")
            await self._data.forget(asker.user)
            number = telegram_number(asker.user)
            if number is not None:
                self._people.forgotten(number)
                if self._people.front is not None:
                    await self._people.front.show_menu(number, None, in_group=False)
        return _done()
