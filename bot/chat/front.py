"""What both fronts share: carry a command out in the language of the chat, and apologise instead of failing."""

from typing import Final

from bot import log
from bot.chat.actions import Actions
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError
from bot.chat.reply import Reply, refusal
from bot.clock import Clock
from bot.texts import say, speaking

ANSWER_DEADLINE_S: Final = 10.0

_log = log.get("chat")


async def answer_safely(actions: Actions, asked: Command | UsageError, *, asker: Asker, clock: Clock) -> Reply:
    """Answer within a deadline. Never raises but for cancellation; what went wrong stands in the log, not in the chat."""
    name = asked.name if isinstance(asked, Command) else "usage"
    # A fast clock must not leave a slow machine without time to compute: two real seconds at least.
    deadline_s = max(ANSWER_DEADLINE_S, 2.0 * clock.speed)
    with speaking(actions.language_of(asker.chat)):
        try:
            async with clock.timeout(deadline_s):
                return await actions.answer(asked, asker=asker)
        except TimeoutError:
            _log.warning("command.timed_out", command=name, deadline_s=deadline_s)
            return refusal(say("That took too long. Try again in a minute."))
        except Exception:  # noqa: BLE001 - one command; logged, and the person is told
            _log.exception("command.failed", command=name)
            return refusal(say("Something went wrong on my side; the log has the details."))
