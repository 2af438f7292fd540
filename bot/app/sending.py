"""What sends: the destinations of a plan, and the lanes to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.app.destinations import Builder, Plan, Secrets
from bot.app.subscribing import Subscribing
from bot.clock import Clock
from bot.delivery.destination import Destination
from bot.delivery.lanes import Lanes
from bot.delivery.manners import Manners
from bot.model.chart_ports import AlertPictures
from bot.model.destinations import Described
from bot.model.outbox import OutboxRow
from bot.model.outbox_ports import Outbox
from bot.model.ports import KeyValues
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Switch:
    """From some destinations to others, ready to be made."""

    made: tuple[Destination, ...]
    """New ones, and those that lead elsewhere."""
    gone: tuple[str, ...]
    keys: dict[str, tuple[object, ...]]
    plan: Plan
    owners: tuple[str, ...]
    """Names of destinations by which the owner hears of the bot, the best first."""


@dataclass(slots=True)
class Sending:
    """One per bot."""

    lanes: Lanes
    builder: Builder
    """Keeps the limits that all share who send with one token."""
    plan: Plan | None
    """What is told now; None where nothing ever is."""
    keys: dict[str, tuple[object, ...]]
    """What each destination that is told is made of, see `Builder.key`."""
    also: Callable[[Plan], Sequence[Described]] = lambda _: ()
    """Destinations beside those of the plan."""

    async def prepare(self, plan: Plan, settings: Settings) -> "Switch":
        """Make what `plan` describes otherwise than what is told now; raises `ConfigError` where a secret is gone."""
        if self.plan is None:
            return Switch((), (), {}, plan, ())
        builder, before = self.builder, self.builder.secrets
        builder.secrets = Secrets(settings)
        everywhere = self._everywhere(plan)
        keys = {d.name: builder.key(d) for d in everywhere}
        wanted = [d for d in everywhere if self.keys.get(d.name) != keys[d.name]]
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
        return Switch(tuple(made), gone, keys, plan, owners_of(plan, settings))

    async def add(self, described: Described) -> None:
        """Tell one more; one that is told already stays. Raises `ConfigError` where a secret is missing."""
        if self.plan is None or self.keys.get(described.name) == self.builder.key(described):
            return
        made = await self.builder.one(described)
        self.keys[described.name] = self.builder.key(described)
        self.lanes.switch((made,), (), on_left=self.builder.close)

    async def add_others(self) -> None:
        """Tell also what goes beside the plan by now."""
        for described in () if self.plan is None else self.also(self.plan):
            await self.add(described)

    def remove(self, name: str) -> None:
        """Tell it no more."""
        if self.keys.pop(name, None) is not None:
            self.lanes.switch((), (name,), on_left=self.builder.close)

    def switch(self, switch: "Switch") -> None:
        """Tell these from now on; waits for nothing. What a destination that is gone was not told stays in the outbox."""
        if self.plan is None:
            return
        self.plan, self.keys = switch.plan, switch.keys
        self.lanes.notices.prefer(switch.owners)
        self.lanes.switch(switch.made, switch.gone, on_left=self.builder.close)

    def _everywhere(self, plan: Plan) -> tuple[Described, ...]:
        return (*plan.everywhere, *self.also(plan))

    async def renew(self, name: str) -> Destination | None:
        """The `Renew` of lanes: a destination that died, where its address or secret is another by now."""
        described = next((d for d in self._everywhere(self.plan) if d.name == name), None) if self.plan else None
        if described is None or name not in self.keys:
            return None
        old = self.lanes.destination(name)
        anew = await self.builder.renewed(described, self.keys[name])
        if anew is None or old is None:
            return anew
        if self.lanes.destination(name) is not old:
            # A reload was faster.
            await self.builder.close(anew)
            return None
        self.keys[name] = self.builder.key(described)
        await self.builder.close(old)
        return anew

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
    subscribing: Subscribing | None = None,
) -> Sending:
    """Open all destinations of a plan, and those of topics beside it; without a plan nothing is told.

    `subscribing`: what chats have set; None: nothing.
    """

    def also(plan: Plan) -> Sequence[Described]:
        return subscribing.destinations(plan.routes) if subscribing is not None else ()

    def language_at(name: str) -> str:
        if subscribing is None or sending.plan is None:
            return ""
        return subscribing.language_at(sending.plan.routes, name)

    everywhere = (*plan.everywhere, *also(plan)) if plan is not None else ()
    lanes = Lanes(
        outbox=outbox,
        destinations=[await builder.one(described) for described in everywhere],
        clock=clock,
        venue_now=venue_now,
        manners=Manners(**settings.delivery.model_dump()),
        store=store,
        n_instruments=n_instruments,
        preferred=owners_of(plan, settings) if plan is not None else (),
        renew=lambda name: sending.renew(name),  # noqa: PLW0108, made below
        desk=desk,
        language_of=language_at,
    )
    builder.report = lanes.notices.report
    keys = {d.name: builder.key(d) for d in everywhere}
    sending = Sending(lanes, builder, plan, keys, also)
    return sending


def owners_of(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """Destinations by which the owner hears of the bot, the best first: the owner's own chat, then what the settings and files
    name. Not the chats of members and groups.
    """
    return tuple(dict.fromkeys((*plan.of_chat(settings.telegram.owner_id or 0), *(d.name for d in plan.described))))
