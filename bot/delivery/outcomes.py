"""What follows an attempt: what arrived is noted, what may yet arrive waits its time, what many were refused together is tried in
halves, and what is refused for good is buried with its reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.attempts import backoff_s
from bot.delivery.lane_stats import LaneStats
from bot.delivery.life import Life
from bot.delivery.notices import SOURCE, Notices
from bot.delivery.planning import OUT_OF_DATE, Planner
from bot.delivery.plans import Plan, halves, ids_of
from bot.delivery.unsettled import Unsettled
from bot.model.alert import TellKind
from bot.model.news import MessageBuried
from bot.model.outbox import Delivered, Message, Outcome, Rejected, RetryLater

MAX_MESSAGE_BACKOFF_S: Final = 300.0
MAX_COUNTED: Final = 10_000


class Outcomes:
    """Of one lane."""

    def __init__(
        self,
        *,
        life: Life,
        unsettled: Unsettled,
        planner: Planner,
        notices: Notices,
        stats: LaneStats,
        clock: Clock,
        now_ms: Callable[[], int],
        venue_now: Callable[[], int],
    ) -> None:
        """`now_ms`: the time of due times."""
        self._life = life
        self._unstored, self._notebook, self._orders = unsettled.unstored, unsettled.notebook, unsettled.orders
        self._planner = planner
        self._notices = notices
        self._stats = stats
        self._clock = clock
        self._now_ms = now_ms
        self._venue_now = venue_now
        self._log = log.get("delivery").bind(destination=life.destination.name)
        self._n_tried: dict[str, int] = {}

    async def take(self, plan: Plan, outcome: Outcome) -> None:
        """Note it, and let everyone know who has to."""
        message = plan.message()
        n = self._n_tried.get(message.id, 0) + 1
        match outcome:
            case Delivered(provider_id):
                self._stats.arrived(plan.rows, self._venue_now())
                self._life.succeeded()
                self._n_tried.pop(message.id, None)
                self._orders.delivered(plan, provider_id)
                self._planner.delivered(plan, now_ms=self._clock.monotonic_ms(), venue_ms=self._venue_now())
                for row in plan.rows:
                    self._notices.told(row.id)
                alerts = ", ".join(f"#{one}" for one in ids_of(plan.rows))
                self._log.info("message.delivered", message=message.id, attempt=n, rows=len(plan.rows), alerts=alerts)
            case RetryLater():
                outcome = self._postpone(plan, message, outcome, n)
            case Rejected(reason, destination_dead=True):
                self._life.die(reason)
                outcome = RetryLater(0.0, reason)
            case Rejected(reason) if parts := halves(plan):
                await self._split(message, parts, reason)
                return
            case Rejected(reason):
                self._bury(plan, message, reason)
        if self._unstored.holds(message.row_ids[0]):
            if not isinstance(outcome, RetryLater):
                self._unstored.settle(message, outcome)
            return
        self._notebook.put(message, outcome, self._now_ms())
        await self._notebook.write()

    async def _split(self, message: Message, parts: Sequence[Plan], reason: str) -> None:
        """One of many that is refused must not take the others with it: halves are tried, down to the one."""
        self._log.warning("message.split", message=message.id, reason=reason)
        self._stats.retried += 1
        self._n_tried.pop(message.id, None)
        for part in (one.message() for one in parts):
            if self._unstored.holds(part.row_ids[0]):
                self._unstored.apart(part)
            else:
                self._notebook.put(part, RetryLater(0.0, reason), self._now_ms())
        await self._notebook.write()

    def _bury(self, plan: Plan, message: Message, reason: str) -> None:
        self._n_tried.pop(message.id, None)
        self._planner.settled(plan)
        # New figures may be dropped, and are not listed among what could not be told.
        missed = [row for row in plan.rows if row.kind is not TellKind.UPDATE]
        if reason == OUT_OF_DATE or not missed:
            self._log.info("message.dropped", message=message.id, reason=reason)
            return
        self._stats.buried += 1
        self._stats.nothing_owed()
        self._log.error("message.buried", message=message.id, reason=reason)
        for row in plan.rows:
            self._notices.given_up(row.id)
        # That its own words were refused is no news for the owner: they would be refused again.
        if ids := ids_of([row for row in missed if row.view.rule_id != SOURCE]):
            self._notices.report(MessageBuried(self._life.destination.name, ids, reason))

    def _postpone(self, plan: Plan, message: Message, outcome: RetryLater, n: int) -> RetryLater:
        """The message waits for its own backoff, the lane for that of the destination: others may go before it."""
        if len(self._n_tried) >= MAX_COUNTED:
            self._n_tried.clear()
        self._n_tried[message.id] = n
        self._stats.retried += 1
        self._stats.ambiguous += outcome.ambiguous
        if outcome.ambiguous:
            self._orders.in_doubt(plan)
        self.pause(outcome)
        # One step longer than the lane, so that a message that fails by itself lets the others by.
        after_s = max(outcome.after_s, backoff_s(n + 1, MAX_MESSAGE_BACKOFF_S))
        self._log.warning(
            "message.postponed",
            message=message.id,
            attempt=n,
            reason=outcome.reason,
            ambiguous=outcome.ambiguous,
            after_s=round(after_s, 1),
            rows=len(plan.rows),
        )
        return replace(outcome, after_s=after_s)

    def pause(self, outcome: RetryLater) -> None:
        """Nothing is sent for a while: the destination asked for it, or fails."""
        self._stats.failed(self._clock.monotonic_ms())
        self._life.pause(outcome)
