"""When the figures of an alert have moved enough that its message is to say the new ones.

An alert is looked at a minute after its message said something, then every ten seconds until there is news; so it is
updated at most once a minute, and never when nothing changed. After a quarter of an hour its message stays as it is.
A few alerts are looked at per tick, so that a storm costs no tick more than another.
"""

import heapq
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from bot.alerts.book import Change
from bot.engine.feeds_lost import is_feed_record
from bot.market.universe import Universe
from bot.market.view import View
from bot.model.alert import AlertRecord, Notice, State, TellKind, Transition
from bot.model.instrument import MARKET

EVERY_MS: Final = 60_000
LOOK_AGAIN_MS: Final = 10_000
UPDATED_FOR_MS: Final = 900_000
MAX_PER_TICK: Final = 100
VALUE_SHARE: Final = 0.1
"""News: the measured value moved by this share of what was said."""
PRICE_SHARE: Final = 0.005
OI_SHARE: Final = 0.01

ReadValue = Callable[[str, int], float | None]
"""The measured value of an alert now, by rule id and row; None where it is unknown."""


@dataclass(slots=True)
class _Said:
    """What the message of a firing says."""

    rule_id: str
    instrument: str
    fired_ms: int
    at_ms: int
    value: float | None
    price: float | None = None
    oi: float | None = None


class Updates:
    """All firings whose messages are kept up to date."""

    def __init__(self, universe: Universe, records: Iterable[AlertRecord]) -> None:
        self._universe = universe
        self._said: dict[str, _Said] = {}
        self._due: list[tuple[int, str]] = []
        for r in records:
            if r.state is State.FIRING and not r.n_held and not is_feed_record(r):
                self._note(r.key, _Said(r.rule_id, r.instrument, r.fired_ms, r.told_ms, r.told_value))

    def _note(self, key: str, said: _Said) -> None:
        self._said[key] = said
        heapq.heappush(self._due, (said.at_ms + EVERY_MS, key))

    def told(self, notices: Iterable[Notice]) -> None:
        """Messages now say this."""
        for n in notices:
            if n.kind in {TellKind.END, TellKind.CLOSE}:
                self._said.pop(n.key, None)
            elif n.key in self._said or n.kind is TellKind.FIRE:
                view = n.view
                price, oi = (move.now if move is not None else None for move in (view.price, view.oi))
                self._note(n.key, _Said(n.rule_id, n.instrument, view.fired_ms, n.at_ms, view.value, price, oi))

    def measure_again(self, rule_ids: Collection[str]) -> None:
        """These rules measure something else now, with which what their messages say does not compare."""
        for said in self._said.values():
            if said.rule_id in rule_ids:
                said.value = None

    def over(self, transitions: Iterable[Transition]) -> None:
        """What ended fires no more, whether or not that is told: of a crossing it is not."""
        for t in transitions:
            if t.state in {State.RESOLVED, State.CLOSED}:
                self._said.pop(t.key, None)

    def due(self, view: View, read: ReadValue, changed: Collection[str]) -> list[Change]:
        """Updates to tell at a tick, at its place 0. `changed`: keys that something else is told of."""
        now_ms = int(view.now_ms[0])
        found = []
        n_left = MAX_PER_TICK
        while self._due and self._due[0][0] <= now_ms and n_left:
            due_ms, key = heapq.heappop(self._due)
            said = self._said.get(key)
            if said is None or due_ms < said.at_ms + EVERY_MS:
                continue  # over, or something was said since
            if now_ms - said.fired_ms > UPDATED_FOR_MS:
                del self._said[key]
                continue
            n_left -= 1
            row = 0 if said.instrument == MARKET else self._universe.row(said.instrument)
            if (
                row is not None
                and key not in changed
                and self._is_news(said, view, row, now := read(said.rule_id, row))
            ):
                found.append(_change(key, said, row, now_ms, now))
            # Also after an update: it may not be told, because another rule keeps it quiet.
            heapq.heappush(self._due, (now_ms + LOOK_AGAIN_MS, key))
        return found

    @staticmethod
    def _is_news(said: _Said, view: View, row: int, now: float | None) -> bool:
        if now is None:
            return False
        if _moved(said.value, now, VALUE_SHARE):
            return True
        if said.instrument == MARKET:
            return False
        price, oi = float(view.value("price")[0, row]), float(view.value("oi")[0, row])
        return _moved(said.price, price, PRICE_SHARE) or _moved(said.oi, oi, OI_SHARE)


def _moved(said: float | None, now: float, share: float) -> bool:
    """Unknown is no news, and compares as nothing does."""
    return said is not None and now != said and abs(now - said) >= share * abs(said)


def _change(key: str, said: _Said, row: int, now_ms: int, value: float | None) -> Change:
    return Change(
        t=0,
        rule_id=said.rule_id,
        row=row,
        instrument=said.instrument,
        at_ms=now_ms,
        state=None,
        tell=TellKind.UPDATE,
        key=key,
        value=value,
        value_before=said.value,
        fired_ms=said.fired_ms,
        # A minute has at most one, also over restarts.
        n=(now_ms - said.fired_ms) // EVERY_MS,
    )
