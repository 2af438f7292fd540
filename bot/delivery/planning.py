"""Which message comes next for one destination, from its open rows. Keeps state, does no I/O: time is an argument.

Updates may be dropped, ends never: where an end already waits, everything before it is told by the end's message, and
of several waiting updates only the newest is sent. An acknowledgement edits the message of its firing, by itself; where
that message is about many, it answers it. A message carries all rows that it tells.

What was already true when the bot first looked is gathered from the first of them on and told together. New figures edit
the message of their firing, or their line in a message about many; where there is none that can be edited, they are dropped. Lost data is a message of its own,
and so is its return; both in one where nobody was told before.

In this order: what was tried as a digest before (the same rows again, so that a repeat can be recognised), what a cap
held back and may be told now, critical alerts, alerts that are late, alerts one by one or in a digest, then updates and
ends of what was told.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.delivery import digest
from bot.delivery.caps import Caps
from bot.delivery.destination import Form
from bot.delivery.gathering import AtOnce, Gathering, Together
from bot.delivery.items import ENDINGS, items_of
from bot.delivery.manners import Manners
from bot.delivery.market_card import storms
from bot.delivery.plans import Alert, Plan, Told, by_alert, is_urgent
from bot.model.alert import TellKind
from bot.model.chat_alert import is_alert_id
from bot.model.instrument import MARKET
from bot.model.outbox import Layout, OutboxRow
from bot.texts import mark

MAX_AGE_MS: Final = 24 * 3_600_000
"""Older rows are buried: nobody is served by yesterday's alert."""
MAX_STALE: Final = 100
"""Messages that wait for an edit; one more is left as it is."""
TOO_OLD: Final = mark("older than 24 hours")
OUT_OF_DATE: Final = mark("an update that is out of date")

_EDITS: Final = frozenset({TellKind.ACK, TellKind.UPDATE})
_FEEDS: Final = frozenset({TellKind.LOST, TellKind.BACK})


def next_message(rows: Sequence[OutboxRow]) -> Plan:
    """The next message of one alert told by itself, from its open rows; there is at least one."""
    first = rows[0].kind
    for n, row in enumerate(rows):
        if row.kind in ENDINGS:
            return Plan(tuple(rows[: n + 1]), Form.NEW if first is TellKind.FIRE else Form.EDIT)
    if first in {TellKind.FIRE, TellKind.SUMMARY}:
        return Plan((rows[0],), Form.NEW)
    if first in _FEEDS:
        return Plan(tuple(rows), Form.NEW)
    edits = first if first in _EDITS else None
    alike = itertools.takewhile(lambda row: (row.kind if row.kind in _EDITS else None) is edits, rows)
    return Plan(tuple(alike), Form.EDIT if edits else Form.REPLY)


def stands_alone(alert: Sequence[OutboxRow]) -> bool:
    """Never told in a digest: what is critical, what somebody asked for about one contract, news of the bot itself."""
    view = alert[0].view
    return is_urgent(alert) or bool(view.report) or (is_alert_id(view.rule_id) and view.symbol != MARKET)


class Planner:
    """The manners of one lane."""

    def __init__(self, manners: Manners, *, n_instruments: int = 0) -> None:
        self._manners = manners
        self._gathering = Gathering(manners)
        self._late: set[str] = set()
        self._late_ms = -math.inf
        self._more: set[str] = set()
        self._touched_ms: dict[str, float] = {}
        self._stale: dict[str, Told] = {}
        self.caps = Caps(manners)
        self.n_instruments = n_instruments

    def hurry(self) -> None:
        """The bot stops: what is being gathered goes now."""
        self._gathering.hurries = True

    def next(
        self, rows: Sequence[OutboxRow], told: Mapping[str, Told], *, now_ms: float, venue_ms: int
    ) -> Plan | float | None:
        """The next message of the open rows that are due; else seconds until there may be one, None without any.

        `told`: where the firings of alerts were told whose firing is not among the rows, by key.
        """
        fires: list[Alert] = []
        already: list[Alert] = []
        late: list[Alert] = []
        follow: list[Alert] = []
        alone: list[Alert] = []
        for alert in by_alert(rows):
            if too_old := _too_old(alert, venue_ms):
                return Plan(too_old, Form.DROP, reason=TOO_OLD)
            if (tried := alert[0].tried) is not None and tried.layout and alert[0].kind is TellKind.FIRE:
                same = tuple(row for row in rows if row.tried is not None and row.tried.message_id == tried.message_id)
                return Plan(same, Form.NEW, tried.layout)
            if alert[0].kind is not TellKind.FIRE:
                follow.append(alert)
            elif stands_alone(alert):
                alone.append(alert)
            elif self._is_late(alert[0], venue_ms):
                late.append(alert)
            elif tried is not None:
                # What failed by itself may fail again: it must not take others with it.
                alone.append(alert)
            elif alert[0].view.is_already_true:
                already.append(alert)
            else:
                fires.append(alert)
        waits: list[float] = []
        waiting = _Waiting(fires, already, late, alone)
        for found in self._candidates(waiting, _Follow(follow, told), now_ms, venue_ms):
            if isinstance(found, Plan):
                return found
            if found is not None:
                waits.append(found)
        return min(waits, default=None)

    def _candidates(
        self, waiting: "_Waiting", follow: "_Follow", now_ms: float, venue_ms: int
    ) -> Iterator[Plan | float | None]:
        """In the order of what goes first; looked at one after the other, since looking opens windows."""
        fires, already, late = waiting.fires, waiting.already, waiting.late
        yield self._held([*waiting.alone, *late, *already, *fires], now_ms, venue_ms)
        for alert in waiting.alone:
            yield self._alone(alert, now_ms, venue_ms)
        for urgent in (True, False):
            if not urgent:
                yield self._lately(late, now_ms, venue_ms)
                yield self._already_true(already, now_ms, venue_ms)
                yield self._gathered(fires, now_ms, venue_ms)
            for alert in follow.alerts:
                if is_urgent(alert) is urgent:
                    yield self._following(alert, follow, now_ms, venue_ms)

    def settled(self, plan: Plan) -> None:
        """A message arrived, or never will: its alerts wait for nothing any more."""
        for row in plan.rows:
            self.caps.held.pop(row.key, None)
            self._late.discard(row.key)

    def delivered(self, plan: Plan, *, now_ms: float, venue_ms: int) -> None:
        """A message arrived."""
        self.settled(plan)
        if plan.form is Form.EDIT:
            if plan.told is not None:
                self.refreshed(plan.told, now_ms=now_ms)
                if plan.rows[-1].kind in ENDINGS:
                    self._touch(f"ends:{plan.told.message_id}", now_ms)
            return
        if plan.rows[-1].kind is TellKind.SCORE:
            # How old alerts fared must not keep new ones back.
            return
        self.caps.count(urgent=plan.is_urgent, now_ms=now_ms, venue_ms=venue_ms)
        if plan.form is Form.REPLY:
            self._touch(plan.rows[-1].key, now_ms)
            if plan.told is not None and plan.told.provider_id is not None and len(self._stale) < MAX_STALE:
                self._stale[plan.told.message_id] = plan.told
        elif plan.layout is Layout.ALERT and plan.rows[0].kind is TellKind.FIRE and not stands_alone(plan.rows):
            self._gathering.told()

    def _touch(self, what: str, now_ms: float) -> None:
        self._touched_ms.pop(what, None)
        self._touched_ms[what] = now_ms
        while now_ms - self._touched_ms[oldest := next(iter(self._touched_ms))] > self._manners.update_every_s * 1000:
            del self._touched_ms[oldest]

    def _untouched_in_s(self, what: str, now_ms: float) -> float:
        last_ms = self._touched_ms.get(what, -math.inf)
        return max(0.0, self._manners.update_every_s - (now_ms - last_ms) / 1000)

    def _hold_back(self, alerts: Sequence[Alert], *, urgent: bool, now_ms: float, venue_ms: int) -> float:
        """Seconds until the cap lifts; 0 when it is open. What waits for it is remembered."""
        closed_s = self.caps.closed_s(urgent=urgent, now_ms=now_ms, venue_ms=venue_ms)
        if closed_s > 0:
            self.caps.held.update((alert[0].key, urgent) for alert in alerts)
        return closed_s

    def _held(self, alerts: Sequence[Alert], now_ms: float, venue_ms: int) -> Plan | None:
        """What a cap held back, in one message once it lifts; a single one by itself."""
        held = self.caps.held
        for urgent in (True, False):
            tier = [alert for alert in alerts if held.get(alert[0].key) is urgent]
            if not tier or self.caps.closed_s(urgent=urgent, now_ms=now_ms, venue_ms=venue_ms) > 0:
                continue
            if len(tier) == 1:
                return next_message(tier[0])
            return _several(tier, Layout.HELD)
        return None

    def _alone(self, alert: Alert, now_ms: float, venue_ms: int) -> Plan | float:
        closed_s = self._hold_back([alert], urgent=is_urgent(alert), now_ms=now_ms, venue_ms=venue_ms)
        return closed_s or next_message(alert)

    def _lately(self, late: list[Alert], now_ms: float, venue_ms: int) -> Plan | float | None:
        if not late:
            return None
        if closed_s := self._hold_back(late, urgent=False, now_ms=now_ms, venue_ms=venue_ms):
            return closed_s
        rest = [alert for alert in late if alert[0].key in self._late]
        if not rest:
            wait_s = self._manners.update_every_s - (now_ms - self._late_ms) / 1000
            if wait_s > 0:
                return wait_s
            rest, self._late, self._late_ms = late, {alert[0].key for alert in late}, now_ms
        return _several(rest, Layout.LATE)

    def _already_true(self, already: list[Alert], now_ms: float, venue_ms: int) -> Plan | float | None:
        """Together, once the time to gather since the first is over."""
        if not already:
            return None
        age_s = (venue_ms - min(alert[0].created_ms for alert in already)) / 1000
        wait_s = self._manners.gather_s - age_s
        # Of the future they are where the venue's clock went back: nobody waits for it to come there again.
        if wait_s > 0 and age_s >= 0 and not self._gathering.hurries:
            return wait_s
        if closed_s := self._hold_back(already, urgent=False, now_ms=now_ms, venue_ms=venue_ms):
            return closed_s
        return next_message(already[0]) if len(already) == 1 else _several(already, Layout.ALREADY)

    def _gathered(self, fires: list[Alert], now_ms: float, venue_ms: int) -> Plan | float | None:
        if not fires:
            return None
        alerts = {alert[0].key: alert for alert in fires}
        if closed_s := self._hold_back(fires, urgent=False, now_ms=now_ms, venue_ms=venue_ms):
            self._gathering.forget(tuple(alerts))
            return closed_s
        match self._gathering.next(tuple(alerts), now_ms):
            case AtOnce(key):
                return next_message(alerts[key])
            case Together(keys):
                return self._together([alerts[key] for key in keys])
            case wait_s:
                return wait_s

    def _together(self, alerts: list[Alert]) -> Plan:
        """One market card for a storm, then what did not fit on it, then digests of the others."""
        if len(alerts) == 1:
            return next_message(alerts[0])
        self._more &= {alert[0].key for alert in alerts}
        rest = [alert for alert in alerts if alert[0].key not in self._more]
        manners = self._manners
        found = storms(rest, n_instruments=self.n_instruments, share=manners.storm_share, least=manners.storm_least)
        if found:
            storm = sorted(found[0], key=_strength)
            plan = _several(storm, Layout.MARKET)
            carried = {row.key for row in plan.rows}
            self._more |= {alert[0].key for alert in storm} - carried
            return plan
        if self._more:
            return _several([alert for alert in alerts if alert[0].key in self._more], Layout.MORE)
        return _several(sorted(alerts, key=_strength), Layout.DIGEST)

    def _following(self, alert: Alert, follow: "_Follow", now_ms: float, venue_ms: int) -> Plan | float:
        """An update or an end of what was told."""
        key = alert[0].key
        place = follow.told.get(key)
        among = place if place is not None and place.layout is not Layout.ALERT else None
        if any(row.kind in ENDINGS for row in alert):
            return next_message(alert) if among is None else self._edit_among(among, follow, now_ms)
        if alert[0].kind is TellKind.SCORE:
            return self._score(alert, place, now_ms, venue_ms)
        plan = next_message(alert)
        if alert[0].kind is TellKind.ACK:
            return plan if among is None else replace(plan, form=Form.REPLY, told=among)
        if alert[0].kind is TellKind.UPDATE:
            if place is None or place.provider_id is None:
                return replace(plan, form=Form.DROP, reason=OUT_OF_DATE)
            return plan if among is None else self._edit_among(among, follow, now_ms)
        if alert[0].kind is TellKind.SUMMARY or alert[0].kind in _FEEDS:
            return self.caps.closed_s(urgent=plan.is_urgent, now_ms=now_ms, venue_ms=venue_ms) or plan
        plan = replace(plan, told=among)
        if self._is_late(alert[-1], venue_ms) and not alert[-1].again:
            return replace(plan, form=Form.DROP, reason=OUT_OF_DATE)
        wait_s = self.caps.closed_s(urgent=plan.is_urgent, now_ms=now_ms, venue_ms=venue_ms)
        if not plan.is_urgent:
            wait_s = max(wait_s, self._untouched_in_s(key, now_ms))
        return wait_s or plan

    def _is_late(self, row: OutboxRow, venue_ms: int) -> bool:
        ttl_ms = row.view.ttl_ms
        return venue_ms - row.created_ms > (self._manners.ttl_s * 1000 if ttl_ms is None else ttl_ms)

    def _score(self, rows: Alert, place: Told | None, now_ms: float, venue_ms: int) -> Plan | float:
        """How alerts fared: one message under theirs, and edits of that. Only the newest is told."""
        if place is not None and place.provider_id is not None:
            return self._untouched_in_s(place.message_id, now_ms) or Plan(tuple(rows), Form.EDIT, told=place)
        wait_s = self.caps.closed_s(urgent=is_urgent(rows), now_ms=now_ms, venue_ms=venue_ms)
        return wait_s or Plan(tuple(rows), Form.REPLY)

    def _edit_among(self, place: Told, follow: "_Follow", now_ms: float) -> Plan | float:
        """All ends and new figures that wait for one message are shown in it by one edit; ends come last, and wait for no
        figures.
        """
        updates: list[OutboxRow] = []
        ends: list[OutboxRow] = []
        for alert in follow.alerts:
            found = follow.told.get(alert[0].key)
            if found is None or found.message_id != place.message_id:
                continue
            if any(r.kind in ENDINGS for r in alert):
                ends += next_message(alert).rows
            elif alert[0].kind is TellKind.UPDATE and place.provider_id is not None:
                updates += next_message(alert).rows
        if wait_s := self._untouched_in_s(f"ends:{place.message_id}" if ends else place.message_id, now_ms):
            return wait_s
        return Plan((*updates, *ends), Form.EDIT, place.layout, place)

    def stale_message(self, *, now_ms: float) -> Told | float | None:
        """A message about many of which an alert escalated since; else seconds until it may be edited, None without."""
        waits = []
        for place in self._stale.values():
            if (wait_s := self._untouched_in_s(place.message_id, now_ms)) <= 0:
                return place
            waits.append(wait_s)
        return min(waits, default=None)

    def refreshed(self, place: Told, *, now_ms: float) -> None:
        """It is edited now."""
        self._stale.pop(place.message_id, None)
        self._touch(place.message_id, now_ms)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Firings that are to be told, by the way in which that is done."""

    fires: list[Alert]
    already: list[Alert]
    late: list[Alert]
    alone: list[Alert]


@dataclass(frozen=True, slots=True)
class _Follow:
    """Alerts whose firing is not open any more, and where it was told."""

    alerts: list[Alert]
    told: Mapping[str, Told]


def _too_old(alert: Alert, venue_ms: int) -> tuple[OutboxRow, ...]:
    """What serves nobody any more, from the first on. What follows a firing that nobody saw goes with it."""
    old = tuple(itertools.takewhile(lambda row: venue_ms - row.created_ms > MAX_AGE_MS and not row.again, alert))
    return tuple(alert) if old and alert[0].kind is TellKind.FIRE else old


def _strength(alert: Sequence[OutboxRow]) -> tuple[int, float]:
    [item] = items_of(alert)
    return item.rank, -item.strength


def _several(alerts: Sequence[Sequence[OutboxRow]], layout: Layout) -> Plan:
    """As many of them as one message holds."""
    n = digest.n_fitting(layout, alerts)
    return Plan(tuple(row for alert in alerts[:n] for row in alert), Form.NEW, layout)
