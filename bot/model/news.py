"""What happens to the bot itself and whoever runs it should hear of. Facts only; how they are told is decided in one place,
`bot.delivery.notices`.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DestinationDied:
    """Nothing arrives there any more."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class MessageBuried:
    """A message was refused for good."""

    name: str
    """Of the destination."""
    ids: tuple[str, ...]
    """Short ids of what it told."""
    reason: str


@dataclass(frozen=True, slots=True)
class TopicGone:
    """A topic of a group is closed or deleted."""

    name: str
    """Of the destination, which sends to the group itself from now on."""


@dataclass(frozen=True, slots=True)
class ChatMoved:
    """A group became a supergroup and has another number."""

    old: int
    new: int


@dataclass(frozen=True, slots=True)
class SecondCopy:
    """Another process polls with the same token."""


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """No commands are heard any more."""


News = DestinationDied | MessageBuried | TopicGone | ChatMoved | SecondCopy | TokenRefused
Report = Callable[[News], None]


def unheard(news: News) -> None:
    """A `Report` to nobody."""
