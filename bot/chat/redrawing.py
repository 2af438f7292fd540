"""Which commands only look, so that what they drew may be drawn anew without anybody having asked for more. Pure."""

from typing import Final

from bot.chat.commands import Command, find
from bot.model.buttons import MAX_COMMAND_CHARS

_LOOK: Final = frozenset(
    {
        *("oi", "price", "chart", "funding", "top", "why", "whynot", "pins"),
        *("alerts", "silences", "users", "mydata", "status", "help", "start"),
    }
)
_LOOK_BARE: Final = frozenset({"settings", "risk", "deadletters", "revive"})
"""They change something by their words."""


def is_look(command: Command) -> bool:
    """Whether a command changes nothing."""
    spec = find(command.name)
    if spec is None:
        return False
    if spec.looks is not None:
        return spec.looks(command.words)
    return command.name in _LOOK or (command.name in _LOOK_BARE and not command.words)


def drawn_by(command: Command, typed: str) -> str:
    """What draws the answer to a command anew, from what was typed; empty where that would do more than look."""
    text = typed.strip()
    text = text if text.startswith(("/", "／")) else f"/{text}"
    return text if is_look(command) and len(text) <= MAX_COMMAND_CHARS else ""
