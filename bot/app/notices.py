"""News of the bot itself for whoever runs it: told once, where it can be read, from memory.

They are rows like those of alerts, so that a lane paces and repeats them; the database need not work for them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.destination import Destination, Order
from bot.delivery.lanes import Lanes
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.instrument import MARKET
from bot.model.outbox import Delivered, OutboxRow, row_id
from bot.model.view import AlertView

SOURCE: Final = "oibot"
PATIENCE_MS: Final = 300_000
"""For how long a notice is told elsewhere should its destination turn out to be dead."""
SLOW_S: Final = 60.0
"""A lane that pauses longer is not asked when there is another."""

_log = log.get("notices")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell."""

    title: str
    text: str
    severity: str = "critical"


def row_of(notice: Notice, destination: str, at_ms: int) -> OutboxRow:
    """The notice as a row of the outbox. `at_ms` is venue time."""
    key = alert_key(SOURCE, notice.title, at_ms)
    view = AlertView(
        rule_id=SOURCE,
        title=notice.title,
        symbol=MARKET,
        venue="",
        base="",
        severity=notice.severity,
        short_id=short_id(key),
        kind=TellKind.FIRE.value,
        at_ms=at_ms,
        fired_ms=at_ms,
        condition="",
        value_text="",
        value=None,
        value_is_ratio=False,
        report=notice.text,
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
class _Told:
    notice: Notice
    at_ms: int
    until_ms: float
    tried: list[str] = field(default_factory=list)


class Notices:
    """Tells through the lanes. `preferred`: names of destinations, the owner's own first; others come after them."""

    def __init__(self, lanes: Lanes, *, preferred: Sequence[str], clock: Clock, venue_now: Callable[[], int]) -> None:
        self._lanes = lanes
        self._preferred = preferred
        self._clock = clock
        self._venue_now = venue_now
        self._recent: list[_Told] = []

    def tell(self, notice: Notice) -> None:
        """Tell on the first destination that lives."""
        told = _Told(notice, self._venue_now(), self._clock.monotonic_ms() + PATIENCE_MS)
        self._recent.append(told)
        self._offer(told)

    def prefer(self, names: Sequence[str]) -> None:
        """Tell on these first from now on."""
        self._preferred = names

    def look_again(self) -> None:
        """Tell elsewhere what went to a destination that has died since. Call it now and then."""
        now_ms = self._clock.monotonic_ms()
        self._recent = [told for told in self._recent if now_ms < told.until_ms]
        dead = {lane.name for lane in self._lanes.status() if lane.dead_reason is not None}
        for told in self._recent:
            if told.tried and told.tried[-1] in dead:
                self._offer(told)

    def _offer(self, told: _Told) -> None:
        lanes = {lane.name: lane for lane in self._lanes.status() if lane.name not in told.tried}
        names = [n for n in dict.fromkeys((*self._preferred, *lanes)) if n in lanes]
        living = [n for n in names if lanes[n].dead_reason is None]
        names = [n for n in living if lanes[n].paused_s < SLOW_S] or living or ([] if told.tried else names)
        if not names:
            return
        told.tried.append(names[0])
        _log.info("notice.told", title=told.notice.title, destination=names[0])
        self._lanes.offer([row_of(told.notice, names[0], told.at_ms)])


async def tell_directly(destinations: Sequence[Destination], notice: Notice, *, at_ms: int) -> bool:
    """Tell before there are lanes: one attempt each, in order, until one arrives."""
    for destination in destinations:
        if isinstance(await destination.send(Order(rows=(row_of(notice, destination.name, at_ms),))), Delivered):
            return True
    return False
