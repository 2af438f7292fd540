"""`oibot chat`: talk to the running bot from this terminal, with the commands of Telegram.

Each line is a question of its own over the control socket, so a bot that was restarted in between is found again. Only
answers are shown; alerts go where the settings send them. What a job says later is waited for; Ctrl-C goes on without it. Exit
code 0, or 1 where no bot runs at the beginning.
"""

import sys

from rich.console import Console
from rich.text import Text

from bot import settings
from bot.app.data_dir import DataDir
from bot.chat.commands import clean
from bot.chat.completion import DELIMITERS, complete
from bot.chat.local_asking import Answer, Request
from bot.chat.terminal_text import to_text
from bot.chat.wire import Words, unpack
from bot.cli.asking import WAIT_S, ask_bot, follow_bot
from bot.cli.line_editing import LineEditor
from bot.errors import BotError

PROMPT = "› "
_LEAVING = frozenset({"/quit", "quit", "/exit", "exit"})


def chat() -> None:
    """Talk to the running bot: history, Tab completes, Ctrl-C drops a line, Ctrl-D leaves. Alerts are not shown here."""
    is_person = sys.stdin.isatty()
    talk = Talk(Console(highlight=False, soft_wrap=True))
    talk.learn()
    if not is_person:
        for line in sys.stdin:
            if line.strip().casefold() in _LEAVING:
                return
            talk.say(line)
        return
    talk.console.print(
        "Answers of the running bot; alerts go where its settings send them, not here. /help lists the commands, Tab "
        "completes, Ctrl-D leaves.",
        style="dim",
    )
    history = DataDir(settings.load().data_dir).chat_history
    with LineEditor(history, lambda before: complete(before, talk.words), delimiters=DELIMITERS) as editor:
        while True:
            try:
                line = editor.read(PROMPT)
            except EOFError:
                talk.console.print()
                return
            except KeyboardInterrupt:
                talk.console.print()
                continue
            if line.strip().casefold() in _LEAVING:
                return
            try:
                talk.say(line)
            except KeyboardInterrupt:
                talk.console.print("Not waited for; what was asked may have been done.", style="dim")


class Talk:
    """Questions and answers, and whether there is somebody who answers."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.words = Words()
        self._is_gone = False

    def learn(self) -> None:
        """Ask for what may be typed. Raises `BotError` where no bot runs."""
        answer = ask_bot(Request("words"), command="chat")
        if answer.words is None:
            raise BotError("chat: the running bot is of a version that knows no chat here; restart it")
        self.words = answer.words

    def say(self, line: str) -> None:
        """Ask and print the answer, or why there is none."""
        text = clean(line)
        if not text:
            return
        try:
            is_first = True
            for answer in follow_bot(Request("say", text=text, wait_s=WAIT_S), command="chat"):
                self._show(answer, is_first=is_first)
                is_first = False
            self.learn()
        except BotError as error:
            self._is_gone = True
            self.console.print(
                Text(f"No answer: {str(error).removeprefix('chat: ')}. The next line asks again.", style="red")
            )

    def _show(self, answer: Answer, *, is_first: bool) -> None:
        if self._is_gone:
            self.console.print("The bot is there again.", style="dim")
            self._is_gone = False
        if answer.reply is None:
            self.console.print(Text(answer.error, style="yellow"))
        elif is_first or not answer.is_interim:
            # Lines once printed stay, so of how far a job is only the first is shown.
            self.console.print(to_text(unpack(answer.reply)))
