"""Attempts at one message: as it should be, as a new message where the one it belongs to is gone, as plain text where our
markup is refused. Whatever happens becomes an outcome.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.destination import Answer, Destination, Form, Order, TargetGone, Unlayable
from bot.delivery.lane_stats import LaneStats
from bot.delivery.pictures import TakesPictures
from bot.delivery.planning import OUT_OF_DATE
from bot.model.alert import TellKind
from bot.model.outbox import Outcome, Rejected, RetryLater

ATTEMPT_TIMEOUT_S: Final = 60.0
FIRST_BACKOFF_S: Final = 1.0
MAX_LANE_BACKOFF_S: Final = 60.0
CRASH_PAUSE_S: Final = 5.0
_NOT_ANEW: Final = frozenset({TellKind.UPDATE, TellKind.SCORE})
"""What nobody misses who removed the message that it belongs to."""


def backoff_s(failures: int, cap_s: float) -> float:
    """1, 2, 4 … seconds up to the cap."""
    return min(cap_s, FIRST_BACKOFF_S * float(1 << min(max(failures - 1, 0), 30)))


class Attempts:
    """At one destination. Its slot is taken for the first; the others take their own."""

    def __init__(self, destination: Destination, clock: Clock, stats: LaneStats) -> None:
        self.destination = destination
        self._clock = clock
        self._stats = stats
        self._log = log.get("delivery").bind(destination=destination.name)

    async def make(self, order: Order, *, anew: Callable[[], Order | None]) -> Outcome:
        """Send an order. `anew`: what to send instead where its target is gone; None: the same as a new message."""
        answer = await self.once(order)
        if isinstance(answer, TargetGone) and order.rows and order.rows[-1].kind in _NOT_ANEW:
            return Rejected(OUT_OF_DATE)
        if isinstance(answer, TargetGone):
            self._log.info("message.gone", reason=answer.reason)
            order = anew() or replace(order, form=Form.NEW, target=None)
            answer = await self._again(order)
        if isinstance(answer, Unlayable) and not order.plain:
            rule = order.rows[0].view.rule_id if order.rows else ""
            self._log.error("message.refused", reason=answer.reason, rule=rule)
            self._stats.plain += 1
            answer = await self._again(replace(order, plain=True))
        if isinstance(answer, (TargetGone, Unlayable)):
            return Rejected(answer.reason)
        return answer

    async def once(self, order: Order, *, png: bytes | None = None) -> Answer:
        """One attempt; with a picture, at putting it over the order's target."""
        try:
            async with self._clock.timeout(ATTEMPT_TIMEOUT_S):
                if png is None:
                    return await self.destination.send(order)
                assert isinstance(self.destination, TakesPictures)
                return await self.destination.attach(order, png)
        except TimeoutError:
            return RetryLater(backoff_s(4, MAX_LANE_BACKOFF_S), "no answer in time", ambiguous=True)
        except Exception as error:  # noqa: BLE001, one attempt must not end the lane
            self._log.exception("attempt.crashed", error=type(error).__name__)
            return RetryLater(CRASH_PAUSE_S, f"internal error ({type(error).__name__})", ambiguous=True)
        finally:
            self.destination.free_slot()

    async def _again(self, order: Order) -> Answer:
        while (wait_s := self.destination.take_slot(urgent=order.urgent)) > 0:
            await self._clock.sleep(wait_s)
        return await self.once(order)
