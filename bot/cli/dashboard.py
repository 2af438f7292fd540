"""`oibot dashboard`: a link that opens the web pages of the running bot once, within five minutes.

Exit code 0 with a link; 1 where no bot runs or its pages are switched off.
"""

from bot.chat.local_asking import Request
from bot.chat.reply import Line
from bot.chat.wire import unpack
from bot.cli.asking import ask_bot
from bot.errors import BotError


def dashboard() -> None:
    """Print a link that opens the dashboard of the running bot; it counts once and for five minutes."""
    answer = ask_bot(Request("say", text="/dashboard"), command="dashboard")
    if answer.reply is None:
        raise BotError(f"dashboard: {answer.error}")
    blocks = unpack(answer.reply).blocks
    lines = ["".join(span.text for span in block.spans) for block in blocks if isinstance(block, Line)]
    if not answer.ok:
        raise BotError(f"dashboard: {' '.join(lines)}")
    print("\n".join(lines))
