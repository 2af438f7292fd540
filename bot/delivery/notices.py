"""News of the bot itself for whoever runs it. One path for all of them: here they are put into words, told once, no more
often than once an hour about one thing, on the owner's destination or else on another that the owner has set. Chats of
others hear nothing of it.

They are rows like those of alerts, so that a lane paces and repeats them, but they live in memory alone: the database need
not work for them. What waits in a lane whose destination turns out to be dead is told elsewhere; while none lives it waits.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from bot import log
from bot.clock import Clock
from bot.delivery.destination import Destination, Order
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.instrument import MARKET
from bot.model.news import (
    ChatMoved,
    DestinationDied,
    MessageBuried,
    News,
    SecondCopy,
    TokenRefused,
    TopicGone,
)
from bot.model.outbox import Delivered, OutboxRow, row_id
from bot.model.view import AlertView
from bot.texts import ENGLISH, say, speaking

SOURCE: Final = "oibot"
REPORT_EVERY_S: Final = 3_600.0
"""The owner hears of one thing no more often."""
MAX_TOPICS: Final = 1_000
MAX_WAITING: Final = 100
"""Notices that did not arrive yet; the oldest goes first."""
SLOW_S: Final = 60.0
"""A lane that pauses longer is not asked when there is another."""

_log = log.get("notices")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell."""

    title: str
    text: str
    severity: str = "critical"


Words = Notice | Callable[[], Notice]
"""A function puts it into words again, in the language of where it is told."""


def said(words: Words) -> Notice:
    """In the language spoken now."""
    return words if isinstance(words, Notice) else words()


class Place(Protocol):
    """What is needed of a lane."""

    @property
    def name(self) -> str: ...

    @property
    def dead_reason(self) -> str | None: ...

    @property
    def paused_s(self) -> float: ...

    def offer(self, row: OutboxRow, *, is_news: bool) -> None: ...

    def withdraw(self, row_id: str) -> None: ...

    def owner_told(self) -> None: ...


def dead_topic(name: str) -> str:
    return f"dead:{name}"


def worded(news: News) -> tuple[str, Notice]:
    """Topic and words."""
    match news:
        case DestinationDied(name, reason):
            text = say(
                "{reason}. What it missed is kept. It is tried again when its person writes, when its address or secret changes, or by /revive {name}.",
                reason=say(reason),
                name=name,
            )
            return dead_topic(name), Notice(say("{name} takes no messages any more", name=name), text)
        case MessageBuried(name, ids, reason):
            which = ", ".join(f"#{one}" for one in ids)
            text = say("{alerts}: {reason}. /deadletters lists all.", alerts=which, reason=say(reason))
            return f"buried:{name}", Notice(say("{name}: something could not be told", name=name), text, "warning")
        case TopicGone(name):
            text = say("Alerts go to the chat itself.")
            return f"topic:{name}", Notice(say("{name}: its topic is closed or deleted", name=name), text, "warning")
        case ChatMoved(old, new):
            text = say(
                "{old} is {new} now. I follow it; put the new number into the settings when you have time.",
                old=old,
                new=new,
            )
            return f"moved:{old}", Notice(say("A group became a supergroup"), text, "warning")
        case SecondCopy():
            text = say(
                "It polls Telegram with the same token. Stop one of them: until then commands may go unanswered."
            )
            return "second copy", Notice(say("Another copy of this bot runs"), text, "warning")
        case TokenRefused():
            text = say(
                "Get the token from @BotFather, put it into OIBOT_TELEGRAM__TOKEN, restart. No command is heard until then."
            )
            return "token", Notice(say("Telegram refused the token"), text)


def row_of(notice: Notice, destination: str, at_ms: int) -> OutboxRow:
    """The notice as a row of the outbox. `at_ms` is venue time."""
    key = alert_key(SOURCE, notice.title, at_ms)
    view = AlertView.news(
        SOURCE, notice.title, notice.text, symbol=MARKET, severity=notice.severity, short_id=short_id(key), at_ms=at_ms
    )
    return OutboxRow(
        id=row_id(key, TellKind.FIRE, 0, destination),
        key=key,
        kind=TellKind.FIRE,
        destination=destination,
        severity=notice.severity,
        created_ms=at_ms,
        view=view,
    )


@dataclass(slots=True)
class _Waiting:
    words: Words
    at_ms: int
    topic: str
    place: str = ""
    """The destination that has it now; empty while none lives."""
    row_id: str = ""


class Notices:
    """The one path. `places`: the lanes; `preferred`: names of destinations, the owner's own first; others come after."""

    def __init__(
        self,
        places: Callable[[], Iterable[Place]],
        *,
        preferred: Sequence[str] | None = None,
        clock: Clock,
        venue_now: Callable[[], int],
        language_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._places = places
        self._preferred = preferred
        self._clock = clock
        self._venue_now = venue_now
        self._language_of = language_of
        self._waiting: list[_Waiting] = []
        self._reported_ms: dict[str, float] = {}

    def report(self, news: News) -> None:
        """Tell of something that happened; of one thing at most once an hour."""
        topic, _ = worded(news)
        now_ms = self._clock.monotonic_ms()
        last_ms = self._reported_ms.get(topic)
        if last_ms is not None and (now_ms - last_ms) / 1000 < REPORT_EVERY_S:
            return
        self._reported_ms[topic] = now_ms
        while len(self._reported_ms) > MAX_TOPICS:
            self._reported_ms.pop(next(iter(self._reported_ms)))
        self._tell(lambda: worded(news)[1], topic)

    def tell(self, words: Words) -> None:
        """Tell it on the first destination of the owner's that lives."""
        self._tell(words, "")

    def _tell(self, words: Words, topic: str) -> None:
        self._waiting = [*self._waiting[1 - MAX_WAITING :], _Waiting(words, self._venue_now(), topic)]
        self.look_again()

    def told(self, row_id: str) -> None:
        """A lane delivered one."""
        for one in [w for w in self._waiting if w.row_id == row_id]:
            self._waiting.remove(one)
            dead = next((p for p in self._places() if dead_topic(p.name) == one.topic), None)
            if dead is not None:
                dead.owner_told()

    def given_up(self, row_id: str) -> None:
        """A lane could not deliver one and never will."""
        self._waiting = [w for w in self._waiting if w.row_id != row_id]

    def revived(self, name: str) -> None:
        """A destination lives again: that it died is no news any more, and what found no place may go there."""
        self._reported_ms.pop(dead_topic(name), None)
        for one in [w for w in self._waiting if w.topic == dead_topic(name)]:
            self._withdraw(one)
            self._waiting.remove(one)
        self.look_again()

    def prefer(self, names: Sequence[str]) -> None:
        """Tell on these from now on, the first that lives."""
        self._preferred = tuple(names)

    def left(self, name: str) -> None:
        """A destination is taken out: what waits there is to be told elsewhere, and that it died is no news any more."""
        self._reported_ms.pop(dead_topic(name), None)
        self._waiting = [w for w in self._waiting if w.topic != dead_topic(name)]
        for one in [w for w in self._waiting if w.place == name]:
            self._withdraw(one)

    def look_again(self) -> None:
        """Find a place for what has none, or whose place has died. Cheap; call it now and then."""
        if not self._waiting:
            return
        places = {place.name: place for place in self._places()}
        ours = places if self._preferred is None else dict.fromkeys(self._preferred)
        living = [name for name in ours if name in places and not places[name].dead_reason]
        best = next((n for n in living if places[n].paused_s < SLOW_S), living[0] if living else "")
        for one in self._waiting:
            if one.place and places[one.place].dead_reason is None:
                continue
            self._withdraw(one)
            if best:
                with speaking(self._language_of(best)):
                    # However long it found no place: it is out of date no sooner for that.
                    row = replace(row_of(said(one.words), best, one.at_ms), created_ms=self._venue_now())
                one.place, one.row_id = best, row.id
                with speaking(ENGLISH):
                    _log.info("notice.told", title=said(one.words).title, destination=best)
                places[best].offer(row, is_news=True)

    def _withdraw(self, one: _Waiting) -> None:
        """It must not be told twice should its place live again."""
        for place in self._places():
            if place.name == one.place:
                place.withdraw(one.row_id)
        one.place, one.row_id = "", ""


async def tell_directly(destinations: Sequence[Destination], notice: Notice, *, at_ms: int) -> bool:
    """Tell before there are lanes: one attempt each, in order, until one arrives."""
    for destination in destinations:
        if isinstance(await destination.send(Order(rows=(row_of(notice, destination.name, at_ms),))), Delivered):
            return True
    return False
