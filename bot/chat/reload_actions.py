"""`/reload`: take the rules folder as it is now. For the owner alone: an error shows lines of his files."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, clean, shorten
from bot.chat.reply import Reply, code, line, refusal
from bot.model.reload import ReloadReport, Reloads
from bot.texts import say

MAX_LINE: Final = 300


def _not_yours() -> Reply:
    return refusal(say("Only the owner may do that."))


class ReloadActions:
    """Answers the command."""

    def __init__(self, reloads: Reloads) -> None:
        self._reloads = reloads

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"reload": self.answer}

    async def answer(self, _command: Command, asker: Asker) -> Reply:
        if not asker.is_owner:
            return _not_yours()
        report = await self._reloads.reload()
        return replace(page(report), did="took the rules folder anew" if report.is_taken else "")


def page(report: ReloadReport) -> Reply:
    """What stands in a file is shown with its spaces, so that a caret stands below its place."""
    first, *rest = report.lines
    mark = "✅" if report.is_taken else "⚠️"
    shown = [
        line(code(shorten(text[4:], MAX_LINE))) if text.startswith("    ") else line(shorten(clean(text), MAX_LINE))
        for text in rest
    ]
    return Reply((line(f"{mark} {first}"), *shown), is_refusal=not report.is_taken)
