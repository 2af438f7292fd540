"""Charts that follow alerts: what a lane still has to put over messages that arrived.

Promises: text first, a picture when nothing else is to be told; the words under it are those that the message shows by
then. A bounded number waits for a bounded time; what does not make it is dropped, for a picture is no news. Forgotten at a stop.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from bot import log
from bot.delivery.destination import Answer, Form, Order
from bot.delivery.plans import Plan
from bot.model.alert import TellKind
from bot.model.chart_ports import AlertPictures
from bot.model.outbox import Delivered, Layout, Outcome

MAX_WAITING: Final = 8
MAX_AGE_MS: Final = 120_000.0
NEXT_S: Final = 2.0
"""A picture does not go where a message is about to."""


_log = log.get("delivery")


@runtime_checkable
class TakesPictures(Protocol):
    """A destination that can put a picture over a message of its own."""

    async def attach(self, order: Order, png: bytes) -> Answer:
        """One attempt. `order.target` is the message, what it says goes under the picture."""
        ...


@dataclass(slots=True, eq=False)
class Hanging:
    """One picture on its way."""

    target: str
    order: Order
    told_ms: float
    png: bytes | None = None


@dataclass(slots=True)
class PictureCounts:
    """Since the start."""

    attached: int = 0
    dropped: int = 0
    """Too late, too many, not drawn, or refused."""


@dataclass(slots=True)
class LanePictures:
    """Of one lane. `wake` is called when a picture is ready."""

    desk: AlertPictures | None
    wake: Callable[[], None]
    counts: PictureCounts = field(default_factory=PictureCounts)
    _waiting: list[Hanging] = field(default_factory=list)

    def told(self, plan: Plan, order: Order, outcome: Outcome, *, now_ms: float) -> None:
        """A message was tried: a firing that arrived gets a picture, an edit changes the words under it."""
        if self.desk is None or not isinstance(outcome, Delivered):
            return
        if order.edits:
            for one in self._waiting:
                if one.target == order.target:
                    one.order = order
            return
        row = plan.rows[-1]
        is_one_firing = plan.form is Form.NEW and plan.layout is Layout.ALERT and row.kind is TellKind.FIRE
        if not (is_one_firing and row.view.chart and outcome.provider_id):
            return
        hanging = Hanging(outcome.provider_id, order, now_ms)
        if len(self._waiting) >= MAX_WAITING:
            self.drop(self._waiting[0])
        self._waiting.append(hanging)
        self.desk.want(row.view, lambda png: self._ready(hanging, png))

    def _ready(self, hanging: Hanging, png: bytes | None) -> None:
        if hanging not in self._waiting:
            return
        if png is None:
            self.drop(hanging)
            return
        hanging.png = png
        self.wake()

    def next(self, *, now_ms: float, next_s: float | None) -> Hanging | None:
        """What may go now. `next_s`: when there will be something else to send; None: nothing in sight."""
        for one in [one for one in self._waiting if now_ms - one.told_ms > MAX_AGE_MS]:
            self.drop(one)
        if next_s is not None and next_s < NEXT_S:
            return None
        return next((one for one in self._waiting if one.png is not None), None)

    def drop(self, hanging: Hanging) -> None:
        if hanging in self._waiting:
            self._waiting.remove(hanging)
            self.counts.dropped += 1

    def tried(self, hanging: Hanging, answer: Answer) -> Answer:
        """Once is enough, whatever came of it."""
        if not isinstance(answer, Delivered):
            _log.info("picture.dropped", reason=answer.reason)
            self.drop(hanging)
        elif hanging in self._waiting:
            self._waiting.remove(hanging)
            self.counts.attached += 1
        return answer
