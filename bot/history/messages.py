"""How many messages a chat would have got: what fired goes through the very planning that lanes use, on the clock of the bars.

Takes a chat with the default manners that answers at once. Edits (ends, new figures) make no sound and are not counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from bot.delivery.destination import Form
from bot.delivery.manners import Manners
from bot.delivery.planning import Planner
from bot.delivery.plans import Plan, Told
from bot.model.alert import Notice, TellKind
from bot.model.outbox import Layout, OutboxRow, row_id

DAY_MS = 86_400_000
_DESTINATION = "backtest"
_FOR_EVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Messages:
    """What a chat would have got."""

    n: int = 0
    """New messages and answers, each of which makes a sound."""
    n_together: int = 0
    """Those of them that told several alerts: digests, market cards, what was late or held back."""
    busiest_day_ms: int = 0
    """Begin of the day (UTC) with the most; 0 without any."""
    n_busiest: int = 0


def count(notices: Iterable[Notice], *, n_instruments: int, manners: Manners | None = None) -> Messages:
    """Messages about notices, which come in order of time."""
    chat = _Chat(manners if manners is not None else Manners(), n_instruments)
    told = (n for n in notices if n.kind is not TellKind.UPDATE)
    for at_ms, batch in groupby(told, key=lambda n: n.at_ms):
        chat.until(at_ms)
        chat.take(list(batch))
    chat.until(_FOR_EVER)
    busiest = max(chat.per_day, key=lambda day: (chat.per_day[day], -day), default=0)
    return Messages(sum(chat.per_day.values()), chat.n_together, busiest * DAY_MS, chat.per_day.get(busiest, 0))


class _Chat:
    """One destination that takes everything at once."""

    def __init__(self, manners: Manners, n_instruments: int) -> None:
        self._planner = Planner(manners, n_instruments=n_instruments)
        self._waiting: list[OutboxRow] = []
        self._told: dict[str, Told] = {}
        self._now_ms = 0.0
        self.per_day: dict[int, int] = {}
        self.n_together = 0

    def take(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self._waiting.append(
                OutboxRow(
                    id=row_id(notice.key, notice.kind, notice.n, _DESTINATION),
                    key=notice.key,
                    kind=notice.kind,
                    destination=_DESTINATION,
                    severity=notice.severity,
                    created_ms=notice.at_ms,
                    view=notice.view,
                )
            )

    def until(self, at_ms: int) -> None:
        """Send what may go before that time, as lanes do."""
        while self._waiting:
            now_ms = round(self._now_ms)
            found = self._planner.next(self._waiting, self._told, now_ms=self._now_ms, venue_ms=now_ms)
            if isinstance(found, Plan):
                self._send(found, now_ms)
                continue
            if found is None or self._now_ms + found * 1000 >= at_ms:
                break
            # At least a millisecond, so that time moves whatever is asked for.
            self._now_ms += max(1.0, found * 1000)
        self._now_ms = max(self._now_ms, float(at_ms)) if at_ms < _FOR_EVER else self._now_ms

    def _send(self, plan: Plan, now_ms: int) -> None:
        gone = {row.id for row in plan.rows}
        self._waiting = [row for row in self._waiting if row.id not in gone]
        message = plan.message()
        for row in plan.rows:
            if row.kind is TellKind.FIRE:
                self._told[row.key] = Told(message.id, message.id, plan.layout)
            elif row.kind in {TellKind.END, TellKind.CLOSE}:
                self._told.pop(row.key, None)
        if plan.form is Form.DROP:
            return
        self._planner.delivered(plan, now_ms=self._now_ms, venue_ms=now_ms)
        if plan.form is not Form.EDIT:
            day = now_ms // DAY_MS
            self.per_day[day] = self.per_day.get(day, 0) + 1
            self.n_together += plan.layout is not Layout.ALERT
