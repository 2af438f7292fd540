"""What people set for one chat: which rules it is told, with what numbers, where and how. Values.

A chat is `terminal`, or `telegram:` and its number.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from bot.model.alert import short_id
from bot.model.view import Detail

Level = Literal["fewer", "normal", "more"]

LEVELS: Final[tuple[Level, ...]] = ("fewer", "normal", "more")
DETAILS: Final[tuple[Detail, ...]] = ("short", "normal", "full")
FACTORS: Final[dict[Level, float]] = {"fewer": 1.6, "normal": 1.0, "more": 0.7}
"""How far a rule's number is moved away from zero, or towards it where less is asked for."""
EVERY_RULE: Final = ""
EVERYTHING: Final = "all"
"""What a topic takes that takes all."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """How a chat is told one rule, or every rule; what is None is as elsewhere."""

    chat: str
    rule: str = EVERY_RULE
    """Id of a rule in a file."""
    is_on: bool | None = None
    level: Level | None = None
    number: float | None = None
    """The rule's number for this chat; 8% is 0.08."""
    since_ms: int = 0
    """Venue time of the last change; what fired before is told to its end as it began."""

    @property
    def says_nothing(self) -> bool:
        return self.is_on is None and self.level is None and self.number is None


@dataclass(frozen=True, slots=True)
class Look:
    """How messages look in a chat."""

    zone: str = "UTC"
    """IANA name."""
    detail: Detail = "normal"
    has_charts: bool = True
    language: str = ""
    """A code of `bot.texts`; empty: nobody has chosen one, so it is English."""


@dataclass(frozen=True, slots=True)
class TopicRoute:
    """What matches is told in one topic of a group, and not in the group beside it."""

    chat: str
    topic: int
    what: str
    """`all`, `rule:` and an id, or `tag:` and a tag."""
    since_ms: int
    author: str = ""


def form_id(chat: str, rule: str) -> str:
    """The id of the form of a rule that one chat is told. It stays the same when the number changes."""
    return "c_" + short_id(hashlib.sha256(f"form\n{chat}\n{rule}".encode()).hexdigest())


class SubscriptionStore(Protocol):
    """What chats have set. There is little of it: all is held in memory by whoever uses it."""

    async def put(self, one: Subscription) -> None:
        """Store one; one that says nothing is forgotten."""
        ...

    async def forget(self, chat: str) -> int:
        """Forget what a chat has set about rules; returns how many went."""
        ...

    async def all(self) -> list[Subscription]:
        """By chat and rule."""
        ...

    async def put_look(self, chat: str, look: Look) -> None: ...

    async def forget_look(self, chat: str) -> None: ...

    async def looks(self) -> dict[str, Look]: ...

    async def put_topic(self, route: TopicRoute) -> None:
        """Store one, in the place of what that topic said of the same."""
        ...

    async def drop_topic(self, chat: str, topic: int) -> int:
        """Forget all of a topic; returns how many went."""
        ...

    async def topics(self) -> list[TopicRoute]:
        """By chat, topic and what."""
        ...


@dataclass(frozen=True, slots=True)
class RuleTold:
    """One rule of a file, as a chat is told it."""

    id: str
    title: str
    is_enabled: bool
    """False for one that its file switches off: then nobody is told it."""
    is_told: bool
    condition: str
    """With the numbers of this chat, canonical."""
    number: float | None
    """As told here; None where the rule has none that could be moved."""
    number_of_file: float | None
    is_ratio: bool
    """Whether the number is written as a percentage."""
    level: Level
    n_firing: int
    n_dropped: int
    """Firings that this chat was not told since the start."""
    ends: tuple[Level, ...] = ()
    """Levels at which it would be told as by its file, since there is no number beyond its own that could be passed."""


class RuleDesk(Protocol):
    """What chat may ask about the rules that a chat is told, and how it changes them."""

    def place(self, chat: str) -> str | None:
        """The destination of a chat; None where no alerts are told."""
        ...

    def rules(self, chat: str) -> Sequence[RuleTold]:
        """In the order of the files."""
        ...

    async def fired_today(self, chat: str) -> Mapping[str, int]:
        """How often rules fired since the last midnight of the chat's time zone, with the chat's own numbers, by id; those
        that did not are left out.
        """
        ...

    def tags(self) -> frozenset[str]:
        """Of all rules."""
        ...

    def wish(self, chat: str, rule: str = EVERY_RULE) -> Subscription:
        """What the chat has set; one that says nothing where it has not."""
        ...

    async def set(self, one: Subscription) -> None:
        """Store a wish and follow it from the next tick on; `since_ms` is filled in.

        Raises `ValueError` where its rule cannot be run so.
        """
        ...

    async def forget(self, chat: str) -> int:
        """Let the chat be told all as the files say; returns how many wishes went."""
        ...

    def look(self, chat: str) -> Look: ...

    async def set_look(self, chat: str, look: Look) -> None: ...

    def topics(self, chat: str) -> Sequence[TopicRoute]: ...

    async def set_topic(self, route: TopicRoute) -> None:
        """Tell it there from now on; `since_ms` is filled in."""
        ...

    async def drop_topic(self, chat: str, topic: int) -> int:
        """Tell nothing there any more; returns how many went."""
        ...
