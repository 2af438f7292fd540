"""Commands to replies, through ports only. The same for every front.

What the bot can do comes in families: objects with `handlers`, which map names of commands to what carries them out.
Raises only what a port raises; the front that called turns that into an apology.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bot.chat import pages
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError, find
from bot.chat.expanding import expand
from bot.chat.reply import Reply, refusal
from bot.chat.watchlists import Watchlists

Handler = Callable[[Command, Asker], Awaitable[Reply]]

_NOT_HERE: Final = "I cannot do that here."


class Actions:
    """What the bot can do for people."""

    def __init__(self, *families: Mapping[str, Handler], lists: Watchlists | None = None) -> None:
        """A command that no family carries out is answered with the `without` of its row. `lists`: what `@name` stands for
        where symbols are expected.
        """
        self._lists = lists
        self._handlers = {name: handler for family in families for name, handler in family.items()}

    @property
    def handled(self) -> frozenset[str]:
        """Names of commands that have a handler."""
        return frozenset(self._handlers)

    async def answer(self, command: Command | UsageError, *, asker: Asker) -> Reply:
        """Carry a command out."""
        if isinstance(command, UsageError):
            return pages.usage(command)
        handler = self._handlers.get(command.name)
        if handler is None:
            spec = find(command.name)
            return refusal(spec.without if spec is not None and spec.without else _NOT_HERE)
        if self._lists is not None and any(word.startswith("@") for word in command.words):
            expanded = expand(command, asker, self._lists)
            if isinstance(expanded, Reply):
                return expanded
            command = expanded
        return await handler(command, asker)
