"""Telling whoever runs the bot that data is lost, and that it comes again: once each, in one message for all feeds of an
outage.

A loss is told when it has lasted a few seconds. While prices are lost nothing else is told: what else the venue stops is no news.
The return is told when all that was told of is back, or a while after the first of it came back. What is lost
again soon after that is told only when it lasts. Pure decisions in `take` and `due`; `run` is a component.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.notices import Notice, Words
from bot.model import numbers
from bot.model.updates import FeedStatus
from bot.texts import say

LOOK_S: Final = 0.5
GRACE_MS: Final = 3_000.0
"""A loss that is over sooner is not told."""
SPARSE_GRACE_MS: Final[Mapping[str, float]] = {"liquidations": 60_000.0, "contract info": 60_000.0}
"""Feeds of events: each second not heard is a loss, and most are over with the next connection."""
BACK_MS: Final = 60_000.0
"""For so long the first feed that is back waits for the others."""
AGAIN_MS: Final = 600_000.0
LASTS_MS: Final = 20_000.0
MAIN: Final = "mark price"

_log = log.get("feed news")


@dataclass(slots=True)
class _Lost:
    since_ms: float
    reason: str
    is_told: bool = False
    back_ms: float | None = None


class FeedNews:
    """Times are `Clock.monotonic_ms`."""

    def __init__(self, tell: Callable[[Words], None], clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._lost: dict[str, _Lost] = {}
        self._ended_ms: dict[str, float] = {}

    async def run(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            for words in self.due(self._clock.monotonic_ms()):
                self._tell(words)

    def take(self, status: FeedStatus) -> None:
        """Note what became of a feed."""
        now_ms = self._clock.monotonic_ms()
        lost = self._lost.get(status.feed)
        if not status.live:
            if lost is None:
                self._lost[status.feed] = _Lost(now_ms, status.reason)
            else:
                lost.reason, lost.back_ms = status.reason, None
        elif lost is not None and lost.is_told:
            lost.back_ms = now_ms if lost.back_ms is None else lost.back_ms
        else:
            self._lost.pop(status.feed, None)

    def due(self, now_ms: float) -> list[Words]:
        """What is to be told now."""
        return [*self._losses(now_ms), *self._returns(now_ms)]

    def _losses(self, now_ms: float) -> list[Words]:
        main = self._lost.get(MAIN)
        is_main_told = main is not None and main.is_told and main.back_ms is None
        ripe = [feed for feed, lost in self._lost.items() if not lost.is_told and self._is_ripe(feed, lost, now_ms)]
        if not ripe:
            return []
        # What fell together is told together.
        together = [f for f, lost in self._lost.items() if not lost.is_told and f not in SPARSE_GRACE_MS]
        names = sorted({*ripe, *together}, key=lambda feed: (feed != MAIN, feed))
        for feed in names:
            self._lost[feed].is_told = True
        if is_main_told:
            return []
        reasons = tuple(dict.fromkeys(self._lost[feed].reason for feed in names))
        _log.info("feeds.lost_told", feeds=names)
        return [lambda: _loss(names, reasons)]

    def _is_ripe(self, feed: str, lost: _Lost, now_ms: float) -> bool:
        ended_ms = self._ended_ms.get(feed)
        is_again = ended_ms is not None and lost.since_ms - ended_ms < AGAIN_MS
        grace_ms = max(SPARSE_GRACE_MS.get(feed, GRACE_MS), LASTS_MS if is_again else 0.0)
        return now_ms - lost.since_ms >= grace_ms

    def _returns(self, now_ms: float) -> list[Words]:
        told = {feed: lost for feed, lost in self._lost.items() if lost.is_told}
        back = {feed: lost for feed, lost in told.items() if lost.back_ms is not None}
        if not back:
            return []
        waited_ms = now_ms - min(lost.back_ms or now_ms for lost in back.values())
        if len(back) < len(told) and waited_ms < BACK_MS:
            return []
        lasted_ms = max((lost.back_ms or now_ms) - lost.since_ms for lost in back.values())
        names = sorted(back, key=lambda feed: (feed != MAIN, feed))
        away = sorted(told.keys() - back.keys())
        for feed in back:
            self._ended_ms[feed] = now_ms
            del self._lost[feed]
        _log.info("feeds.back_told", feeds=names, still_lost=away)
        return [lambda: _return(names, away, lasted_ms)]


def _loss(names: Sequence[str], reasons: Sequence[str]) -> Notice:
    text = say(
        "No data: {feeds}.\nReason: {reasons}.\nRules that need it are unknown until it is back: they fire nothing and end nothing. I keep trying.",
        feeds=", ".join(say(name) for name in names),
        reasons="; ".join(say(reason) for reason in reasons),
    )
    return Notice(say("Market data is lost"), text)


def _return(names: Sequence[str], away: Sequence[str], lasted_ms: float) -> Notice:
    rest = say(" Still lost: {feeds}.", feeds=", ".join(say(name) for name in away)) if away else ""
    text = say(
        "After {duration}: {feeds}.{rest} Gaps are filled from the venue's history.",
        duration=numbers.duration(lasted_ms),
        feeds=", ".join(say(name) for name in names),
        rest=rest,
    )
    return Notice(say("Market data is back"), text, "info")
