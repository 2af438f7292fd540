"""What sends: the destinations of a plan, and the lanes to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.app.destinations import Builder, Plan, Secrets
from bot.clock import Clock
from bot.delivery.destination import Destination
from bot.delivery.lanes import Lanes
from bot.delivery.manners import Manners
from bot.model.outbox import OutboxRow
from bot.model.ports import AlertPictures, KeyValues, Outbox
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Switch:
    """From some destinations to others, ready to be made."""

    made: tuple[Destination, ...]
    """New ones, and those that lead elsewhere."""
    gone: tuple[str, ...]
    keys: dict[str, tuple[object, ...]]
    owner: str | None


@dataclass(frozen=True, slots=True)
class Sending:
    """One per bot."""

    lanes: Lanes
    builder: Builder
    """Keeps the limits that all share who send with one token."""
    delivers: bool
    keys: dict[str, tuple[object, ...]]
    """What each destination that is told is made of, see `Builder.key`."""

    async def prepare(self, plan: Plan, settings: Settings) -> "Switch":
        """Make what `plan` describes otherwise than what is told now; raises `ConfigError` where a secret is gone."""
        if not self.delivers:
            return Switch((), (), {}, None)
        builder, before = self.builder, self.builder.secrets
        builder.secrets = Secrets(settings)
        keys = {d.name: builder.key(d) for d in plan.everywhere}
        wanted = [d for d in plan.everywhere if self.keys.get(d.name) != keys[d.name]]
        made: list[Destination] = []
        try:
            while len(made) < len(wanted):
                made.append(await builder.one(wanted[len(made)]))
        except BaseException:
            builder.secrets = before
            for destination in made:
                await builder.close(destination)
            raise
        gone = tuple(name for name in self.keys if name not in keys)
        return Switch(tuple(made), gone, keys, _owner(plan, settings))

    def switch(self, switch: "Switch") -> None:
        """Tell these from now on; waits for nothing. What a destination that is gone was not told stays in the outbox."""
        if not self.delivers:
            return
        old = {name: self.lanes.destination(name) for name in (*switch.gone, *(d.name for d in switch.made))}

        async def left(name: str) -> None:
            destination = old[name]
            if destination is not None:
                await self.builder.close(destination)

        self.lanes.switch(switch.made, switch.gone, on_left=left)
        self.lanes.owner = switch.owner
        self.keys.clear()
        self.keys.update(switch.keys)

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
    lanes = Lanes(
        outbox=outbox,
        destinations=await builder.all(plan) if plan is not None else [],
        clock=clock,
        venue_now=venue_now,
        manners=Manners(**settings.delivery.model_dump()),
        store=store,
        n_instruments=n_instruments,
        owner=_owner(plan, settings) if plan is not None else None,
        desk=desk,
    )
    builder.on_note = lambda text: lanes.report(text, text)
    keys = {d.name: builder.key(d) for d in plan.everywhere} if plan is not None else {}
    return Sending(lanes, builder, plan is not None, keys)


def _owner(plan: Plan, settings: Settings) -> str | None:
    """The destination in which the owner is told of the bot's own troubles."""
    return plan.routes.by_chat.get(f"telegram:{settings.telegram.owner_id}")
