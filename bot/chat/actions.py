"""Commands to replies, through ports only. The same for every front.

What the bot can do comes in families: objects with `handlers`, which map names of commands to what carries them out.
Raises only what a port raises; the front that called turns that into an apology. Who may use a command is decided here,
for every front and for buttons as for words.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from bot.chat import pages, rights
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError, find
from bot.chat.expanding import expand
from bot.chat.reply import Reply, refusal
from bot.chat.watchlists import Watchlists
from bot.texts import mark, say

Handler = Callable[[Command, Asker], Awaitable[Reply]]

Note = Callable[[Asker, str], Awaitable[None]]
"""Keeps who changed what."""

_NOT_HERE: Final = mark("I cannot do that here.")


class Actions:
    """What the bot can do for people."""

    def __init__(
        self,
        *families: Mapping[str, Handler],
        note: Note | None = None,
        lists: Watchlists | None = None,
        language_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        """A command that no family carries out is answered with the `without` of its row. `note`: the audit log; `lists`:
        what `@name` stands for where symbols are expected; `language_of`: what is spoken in a chat, for the fronts.
        """
        self._note, self._lists, self.language_of = note, lists, language_of
        self._handlers = {name: handler for family in families for name, handler in family.items()}

    @property
    def handled(self) -> frozenset[str]:
        """Names of commands that have a handler."""
        return frozenset(self._handlers)

    async def answer(self, command: Command | UsageError, *, asker: Asker) -> Reply:
        """Carry a command out."""
        if isinstance(command, UsageError):
            return pages.usage(command)
        refused = self.refusal(command, asker)
        if refused is not None:
            return refusal(refused)
        handler = self._handlers.get(command.name)
        if handler is None:
            spec = find(command.name)
            return refusal(say(spec.without if spec is not None and spec.without else _NOT_HERE))
        if self._lists is not None and any(word.startswith("@") for word in command.words):
            expanded = expand(command, asker, self._lists)
            if isinstance(expanded, Reply):
                return expanded
            command = expanded
        reply = await handler(command, asker)
        if not reply.did:
            return reply
        if self._note is not None:
            await self._note(asker, reply.did)
        return replace(reply, did="")

    def refusal(self, command: Command, asker: Asker) -> str | None:
        """Why somebody may not use a command there, in words for people; None where they may."""
        spec = find(command.name)
        return say(_NOT_HERE) if spec is None else rights.refusal(asker, spec, command.words)
