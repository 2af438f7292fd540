"""`/dashboard`: a link that opens the web pages once, for the owner and admins.

Where the pages have no address of their own they listen on the bot's machine alone; then the answer tells how to reach it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from bot.chat.actions import Handler
from bot.chat.asker import Asker, telegram_number
from bot.chat.commands import Command
from bot.chat.reply import Button, Reply, bold, code, line, refusal
from bot.texts import say

MINUTES: Final = 5


class DashboardActions:
    """Answers the command. `path_for` makes a new link, without the address before it."""

    def __init__(self, *, path_for: Callable[[Asker], str], origin: str, here: Callable[[], str]) -> None:
        """`origin`: where people reach the pages; empty where nobody said. `here`: where they listen; empty while they do not."""
        self._path_for = path_for
        self._origin = origin
        self._here = here

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"dashboard": self.answer}

    async def answer(self, _command: Command, asker: Asker) -> Reply:
        here = self._here()
        if not asker.is_private:
            return refusal(say("Only in our private chat: whoever opens the link looks with your rights."))
        if not here:
            return refusal(
                say("The pages are not there: their port is taken, or the bot has only just started. The log says.")
            )
        path = self._path_for(asker)
        counts = line(say("It opens once, within {minutes} minutes.", minutes=MINUTES))
        if telegram_number(asker.chat) is None:
            return Reply((line(f"{self._origin or here}{path}"), counts))
        if self._origin:
            button = Button(say("Open the dashboard"), "", f"{self._origin}{path}")
            return Reply((line(bold(say("The dashboard"))), counts), ((button,),))
        port = here.rpartition(":")[2]
        return Reply(
            (
                line(say("The dashboard listens on its own machine alone. From yours, open a way there:")),
                line(code(f"ssh -N -L {port}:127.0.0.1:{port} you@machine")),
                line(say("and then, in a browser:")),
                line(code(f"http://127.0.0.1:{port}{path}")),
                counts,
                line(say("OIBOT_WEB__URL gives it an address of its own.")),
            )
        )
