"""What sends: the destinations of a plan, and the lanes to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.app.destinations import Builder, Plan
from bot.clock import Clock
from bot.delivery.lanes import Lanes
from bot.delivery.manners import Manners
from bot.model.outbox import OutboxRow
from bot.model.ports import AlertPictures, KeyValues, Outbox
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Sending:
    """One per bot."""

    lanes: Lanes
    builder: Builder
    """Keeps the limits that all share who send with one token."""

    def tell(self, unstored: Sequence[OutboxRow]) -> None:
        """Rows were committed; those that the database has not taken are told from memory."""
        if unstored:
            self.lanes.offer(unstored)
        self.lanes.notify()


async def open_sending(
    settings: Settings,
    builder: Builder,
    plan: Plan | None,
    *,
    clock: Clock,
    outbox: Outbox,
    store: KeyValues,
    venue_now: Callable[[], int],
    n_instruments: Callable[[], int],
    desk: AlertPictures | None = None,
) -> Sending:
    """Open all destinations of a plan; without one nothing is told."""
    owner = plan.routes.by_chat.get(f"telegram:{settings.telegram.owner_id}") if plan is not None else None
    lanes = Lanes(
        outbox=outbox,
        destinations=await builder.all(plan) if plan is not None else [],
        clock=clock,
        venue_now=venue_now,
        manners=Manners(**settings.delivery.model_dump()),
        store=store,
        n_instruments=n_instruments,
        owner=owner,
        desk=desk,
    )
    builder.on_note = lambda text: lanes.report(text, text)
    return Sending(lanes, builder)
