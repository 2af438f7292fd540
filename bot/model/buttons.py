"""Buttons below a message as they are remembered: what stands behind each, and who may press it where."""

from dataclasses import dataclass, field
from typing import Final

MAX_COMMAND_CHARS: Final = 1_000
MAX_BUTTONS: Final = 96
"""Below one message."""
MAX_STORED: Final = 50_000
"""Keyboards; the oldest go first."""
KEEP_MS: Final = 30 * 86_400_000
"""As long as alerts are kept."""


@dataclass(frozen=True, slots=True)
class Keyboard:
    """The buttons of one message. A chat service carries only its id and a number, never a command."""

    id: str
    """Nobody outside can guess it."""
    chat: str
    """Where it may be pressed, such as `telegram:-1001`."""
    user: str
    """Who may press it; empty for everyone whom the bot answers in that chat."""
    place: str
    """The destination whose message it belongs to; empty for an answer to a command."""
    commands: tuple[str, ...]
    """Text as typed, one for each button."""
    issued_ms: int
    """When it was last put below a message. Wall ms."""
    origin: str = ""
    """Text as typed, which only looks and draws the message anew; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a press asks for. It is carried out with the rights of whoever pressed."""

    command: str
    place: str = ""
    """The destination whose message it sits on; empty for an answer, which the next answer may replace."""
    keyboard: Keyboard | None = field(default=None, compare=False, repr=False)
    """All of the message's buttons."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A press that leads nowhere, and why, in words for people."""

    text: str
