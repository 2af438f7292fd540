"""From a plan to an order: where the firing was told, and what the message says. Reads the outbox, writes nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot import log
from bot.delivery import digest
from bot.delivery.destination import Form, Order
from bot.delivery.items import ENDINGS
from bot.delivery.plans import Plan, Told, by_alert
from bot.delivery.unstored import Unstored
from bot.errors import StorageError
from bot.model.alert import TellKind
from bot.model.outbox import Layout, Message, OutboxRow
from bot.model.outbox_ports import Outbox
from bot.model.view import AlertView

MAX_KNOWN: Final = 500
"""Where firings were told; others are looked up."""
MAX_DOUBTED: Final = 10_000

_log = log.get("delivery")


class Orders:
    """Makes the orders of one lane."""

    def __init__(self, outbox: Outbox, unstored: Unstored, *, destination: str) -> None:
        self._outbox = outbox
        self._unstored = unstored
        self._destination = destination
        self._told: dict[str, Told] = {}
        self._maybe_told: dict[str, None] = {}
        self._since_ms = 0

    def begin_at(self, since_ms: int) -> None:
        """Alerts that fired before this venue time were told at another address. What has the same number here is something
        else, and must not be edited.
        """
        if since_ms != self._since_ms:
            self._since_ms = since_ms
            self._told.clear()

    async def told(self, rows: Sequence[OutboxRow]) -> dict[str, Told]:
        """Where the firings were told of alerts whose firing is not among the rows. Raises `StorageError`."""
        found = {}
        for alert in by_alert(rows):
            key = alert[0].key
            kind = TellKind.SCORE if alert[0].kind is TellKind.SCORE else TellKind.FIRE
            if alert[0].kind is TellKind.FIRE:
                continue
            place = await self._place(key, alert[0].view.fired_ms, kind)
            if place is not None:
                found[key] = place
        return found

    def known(self, rows: Sequence[OutboxRow]) -> dict[str, Told]:
        """The same, as far as memory knows: where nothing can be read."""
        found = {row.key: self._known(row.key, row.view.fired_ms) for row in rows}
        return {key: place for key, place in found.items() if place is not None}

    def _known(self, key: str, fired_ms: int) -> Told | None:
        remembered = self._unstored.fire(key)
        return self._told.get(key) or (None if remembered is None else self._here(remembered[0], fired_ms))

    def _here(self, message: Message, fired_ms: int) -> Told:
        provider_id = message.provider_id if fired_ms >= self._since_ms else None
        return Told(message.id, provider_id, message.layout)

    async def _place(self, key: str, fired_ms: int, kind: TellKind = TellKind.FIRE) -> Told | None:
        if (known := self._known(key, fired_ms)) is not None:
            return known
        message = await self._outbox.message_of(key, kind, self._destination)
        if message is None:
            return None
        self._know(key, self._here(message, fired_ms))
        return self._told[key]

    def _know(self, key: str, told: Told) -> None:
        self._told[key] = told
        while len(self._told) > MAX_KNOWN:
            self._told.pop(next(iter(self._told)))

    def delivered(self, plan: Plan, provider_id: str | None) -> None:
        """A message arrived: what it told is found without asking the database."""
        told = Told(plan.message().id, provider_id, plan.layout)
        for row in plan.rows:
            self._maybe_told.pop(row.id, None)
            if row.kind in {TellKind.FIRE, TellKind.SCORE}:
                self._know(row.key, told)

    def in_doubt(self, plan: Plan) -> None:
        """It may have arrived: when it is sent again, it says so."""
        self._maybe_told |= dict.fromkeys(row.id for row in plan.rows)
        while len(self._maybe_told) > MAX_DOUBTED:
            self._maybe_told.pop(next(iter(self._maybe_told)))

    async def make(self, plan: Plan, *, n_instruments: int) -> Order | None:
        """What to send. Without a message to edit or answer it becomes a message of its own; None for new figures, which
        are none.
        """
        if plan.layout is not Layout.ALERT:
            order = await self._among(plan, n_instruments)
        else:
            order = await self._single(plan)
        if order is None:
            return None
        doubt = any((r.tried is not None and r.tried.ambiguous) or r.id in self._maybe_told for r in plan.rows)
        # Editing twice changes nothing.
        return replace(order, urgent=plan.is_urgent, repeated=doubt and not order.edits)

    async def _among(self, plan: Plan, n_instruments: int) -> Order | None:
        if plan.form is not Form.EDIT:
            return Order(rows=plan.rows, card=digest.compose(plan.layout, plan.rows, n_instruments=n_instruments))
        order = await self.anew_of(plan.told, n_instruments=n_instruments, rows=plan.rows) if plan.told else None
        if order is None and any(row.kind in ENDINGS for row in plan.rows):
            return self.anew(plan)
        return order

    async def anew_of(self, place: Told, *, n_instruments: int, rows: Sequence[OutboxRow] = ()) -> Order | None:
        """A message about many as it stands now, with what came since and `rows`. None where it cannot be edited, or read."""
        if place.provider_id is None:
            return None
        try:
            told = await self._outbox.rows_of(place.message_id)
            later = await self._outbox.later_of(place.message_id)
        except StorageError as error:
            _log.debug("outbox.unavailable", reason=str(error))
            return None
        if not told:
            return None
        # The database has no ends that it did not take, and this is the last that the message says of them.
        ends = self._unstored.ends(dict.fromkeys(row.key for row in told))
        found = {row.id: row for row in (*told, *later, *ends, *rows)}
        card = digest.compose(place.layout, tuple(found.values()), n_instruments=n_instruments)
        return Order(rows=tuple(rows or told), form=Form.EDIT, target=place.provider_id, card=card)

    @staticmethod
    def anew(plan: Plan) -> Order:
        """Ends as a message of their own, where the message that they belong to is not there."""
        ended = {row.key for row in plan.rows if row.kind in ENDINGS}
        return Order(rows=plan.rows, card=digest.endings_card([row for row in plan.rows if row.key in ended]))

    async def _single(self, plan: Plan) -> Order:
        if plan.form is Form.NEW:
            return Order(rows=plan.rows)
        key, fired_ms = plan.rows[-1].view.answers or plan.rows[-1].key, plan.rows[-1].view.fired_ms
        if plan.told is not None:
            return _related(plan, plan.told, None)
        if (remembered := self._unstored.fire(key)) is not None:
            return _related(plan, self._known(key, fired_ms), remembered[1])
        fire: AlertView | None = None
        place: Told | None = None
        try:
            place = await self._place(key, fired_ms)
            found = await self._outbox.row_of(key, TellKind.FIRE, self._destination)
            fire = found.view if found else None
        except StorageError as error:
            _log.debug("outbox.unavailable", reason=str(error))
        return _related(plan, place, fire)


def _related(plan: Plan, place: Told | None, fire: AlertView | None) -> Order:
    if place is None or place.provider_id is None:
        return Order(rows=plan.rows, fire=fire)
    # A message about many is never edited into the story of one.
    form = plan.form if place.layout is Layout.ALERT else Form.REPLY
    return Order(rows=plan.rows, form=form, target=place.provider_id, fire=fire)
