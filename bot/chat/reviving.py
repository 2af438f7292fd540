"""`/revive`: destinations that take no messages any more, and trying one again. For the owner alone: it names other chats."""

from collections.abc import Mapping
from typing import Final

from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, shorten
from bot.chat.reply import Button, Line, Reply, code, line
from bot.model.chat_ports import Revival
from bot.texts import say

N_SHOWN: Final = 10


def _all_live() -> Reply:
    return Reply((line(say("Every destination takes messages.")),))


class Reviving:
    """Answers the command."""

    def __init__(self, revival: Revival) -> None:
        self._revival = revival

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"revive": self.answer}

    async def answer(self, command: Command, _asker: Asker) -> Reply:
        dead = self._revival.dead()
        if not command.words:
            return _listing(dead)
        [name] = command.words
        if self._revival.revive(name):
            said = line(code(shorten(name)), say(" is tried again now; what it missed is told."))
            return Reply((said,), did=f"revived {name}")
        said = line(code(shorten(name)), say(" is not among those that are dead. /revive shows them."))
        return Reply((said, *_lines(dead)), _buttons(dead), is_refusal=True)


def _listing(dead: Mapping[str, str]) -> Reply:
    return Reply(_lines(dead), _buttons(dead)) if dead else _all_live()


def _lines(dead: Mapping[str, str]) -> tuple[Line, ...]:
    shown = [
        line(code(shorten(name, 60)), f": {shorten(reason, 160)}") for name, reason in list(dead.items())[:N_SHOWN]
    ]
    more = [line(say("and {n} more", n=len(dead) - N_SHOWN))] if len(dead) > N_SHOWN else []
    return (*shown, *more)


def _buttons(dead: Mapping[str, str]) -> tuple[tuple[Button, ...], ...]:
    return tuple((Button(say("Try {name} again", name=name), f"/revive {name}"),) for name in list(dead)[:N_SHOWN])
