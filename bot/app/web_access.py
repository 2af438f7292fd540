"""The dashboard's door over the people the bot knows: who may look, and what they may ask there."""

from dataclasses import dataclass
from typing import Final

from bot.chat.actions import Actions
from bot.chat.asker import AT_TERMINAL, Asker, telegram_number
from bot.chat.commands import parse
from bot.chat.front import answer_safely
from bot.chat.people import People
from bot.chat.reply import Table, table_lines
from bot.clock import Clock
from bot.model.access import is_least
from bot.model.dashboard import Said
from bot.model.members import Role
from bot.web.door import Visitor

COLUMNS: Final = 80
TERMINAL: Final = Visitor(AT_TERMINAL.chat, AT_TERMINAL.user)


@dataclass(frozen=True, slots=True)
class WebPeople:
    """Roles as of now, whatever they were when the link was made."""

    people: People
    actions: Actions
    clock: Clock

    def asker(self, visitor: Visitor) -> Asker:
        """With the rights that the person has in their private chat."""
        if visitor == TERMINAL:
            return AT_TERMINAL
        number = telegram_number(visitor.user)
        return Asker(visitor.chat, visitor.user, None if number is None else self.people.role_of(number))

    def may_look(self, visitor: Visitor) -> bool:
        """Owner and admins: the pages show what all chats are told."""
        return is_least(self.asker(visitor).role, Role.ADMIN)

    def is_owner(self, visitor: Visitor) -> bool:
        return self.asker(visitor).is_owner

    async def say(self, visitor: Visitor, text: str) -> Said:
        asked = parse(text)
        if asked is None:
            return Said(is_done=False, lines=("That is no command.",))
        reply = await answer_safely(self.actions, asked, asker=self.asker(visitor), clock=self.clock)
        lines: list[str] = []
        for block in reply.blocks:
            if isinstance(block, Table):
                lines += table_lines(block, width=COLUMNS)
            else:
                lines.append("".join(span.text for span in block.spans))
        return Said(is_done=not reply.is_refusal, lines=tuple(filter(None, lines)))
