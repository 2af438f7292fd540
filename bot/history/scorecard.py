"""Which alerts are to be scored when, and their scores. Synchronous: time is an argument, storing is somebody else's.

A score is settled once all that can be known is known, or when nobody can expect more: then what is unknown stays so. It is
read from what memory holds of the time until it was due, whenever that is done; so a restart in between loses only what
memory does not get back.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.model import numbers
from bot.model.chat_alert import is_alert_id
from bot.model.instrument import MARKET
from bot.model.outbox import OutboxRow
from bot.model.scorecard import (
    ALERT,
    HORIZONS_MS,
    N_DRAWS,
    Moment,
    Quadrant,
    Score,
    draw_ms,
)
from bot.model.scorecard_ports import Aftermath
from bot.model.view import AlertView
from bot.rules.schema import CHAT_PREFIX

GRACE_MS: Final = 3_000
"""After a score is due, so that samples on their way have come."""
PATIENCE_MS: Final = 120_000
"""How long a score waits for what is missing."""
WARMING_MS: Final = 900_000
"""How long after a start the past may still come in; nothing is given up before."""
RETRY_MS: Final = 15_000
MAX_AT_ONCE: Final = 400
"""Scores tried in one go; the alerts after that wait for the next."""
MAX_OPEN: Final = 4_000
"""Alerts that wait for scores; one more, and the oldest gets no more of them."""

_ALL: Final = tuple((draw, n) for draw in range(N_DRAWS + 1) for n in range(len(HORIZONS_MS)))
_QUADRANTS: Final = {
    (1, 1): Quadrant.UP_UP,
    (1, -1): Quadrant.UP_DOWN,
    (-1, 1): Quadrant.DOWN_UP,
    (-1, -1): Quadrant.DOWN_DOWN,
}


def quadrant_of(view: AlertView) -> Quadrant:
    """With the same dead zone as the line that reads it for people."""
    price, oi = (move.change if move is not None else None for move in (view.price, view.oi))
    found = numbers.directions(price, oi, usual_range=view.price_usual_range)
    return Quadrant.UNKNOWN if found is None else _QUADRANTS.get(found, Quadrant.FLAT)


def _due_ms(moment: Moment, draw: int, n: int) -> int:
    return draw_ms(moment, draw) + HORIZONS_MS[n] + GRACE_MS


def is_scored(row: OutboxRow) -> bool:
    """Alerts about one contract. What is about the whole market, or about the bot itself, has no price of its own."""
    return row.view.symbol != MARKET and not row.view.report


@dataclass(slots=True)
class _Open:
    """An alert that lacks scores, and which."""

    moment: Moment
    missing: list[tuple[int, int]]
    """Draw and number of the horizon, ascending. Many alerts wait, and a set takes several times the memory of a list."""


class Scorer:
    """Of one run."""

    def __init__(self, aftermath: Aftermath, *, started_ms: int) -> None:
        self._aftermath = aftermath
        self._patient_until_ms = started_ms + WARMING_MS
        self._open: dict[str, _Open] = {}
        """The one that came first at the head."""
        self._looks: list[tuple[int, str]] = []
        """When to look at which alert next; a heap with one entry each."""
        self.n_given_up = 0
        """Alerts whose last scores were not awaited, since there were too many."""

    def __len__(self) -> int:
        """Alerts that lack scores."""
        return len(self._open)

    def take(self, row: OutboxRow) -> Moment:
        """An alert that went out, from the row that tells it."""
        view = row.view
        key = f"{view.venue}:{view.symbol}"
        price = view.price.now if view.price is not None else None
        oi = view.oi.now if view.oi is not None else None
        read = self._aftermath.at
        return self._with_usual(
            Moment(
                key=row.key,
                rule_id=view.rule_id,
                title=view.title,
                instrument=key,
                fired_ms=view.fired_ms,
                price=read(key, "price", view.fired_ms) if price is None else price,
                oi=read(key, "oi", view.fired_ms) if oi is None else oi,
                quadrant=quadrant_of(view),
                is_public=not (is_alert_id(view.rule_id) or view.rule_id.startswith(CHAT_PREFIX)),
            )
        )

    def _with_usual(self, moment: Moment) -> Moment:
        found = [
            tuple(
                self._aftermath.usual(moment.instrument, series, horizon_ms, before_ms=moment.fired_ms)
                for horizon_ms in HORIZONS_MS
            )
            for series in ("price", "oi")
        ]
        return replace(moment, price_usual=found[0], oi_usual=found[1])

    def add(self, moment: Moment, scores: Iterable[Score] = ()) -> None:
        """Let an alert be scored; `scores`: what it has already."""
        settled = {(score.draw, HORIZONS_MS.index(score.horizon_ms)) for score in scores}
        missing = [one for one in _ALL if one not in settled]
        if moment.key in self._open or not missing:
            return
        while len(self._open) >= MAX_OPEN:
            del self._open[next(iter(self._open))]
            self.n_given_up += 1
        self._open[moment.key] = _Open(moment, missing)
        heapq.heappush(self._looks, (min(_due_ms(moment, *one) for one in missing), moment.key))

    def soon(self, keys: Iterable[str], horizon_ms: int, *, now_ms: int, within_ms: int) -> bool:
        """Whether one of these alerts will itself be scored over a horizon before long."""
        moments = (self._open[key].moment for key in keys if key in self._open)
        return any(0 < m.fired_ms + horizon_ms + GRACE_MS - now_ms <= within_ms for m in moments)

    def due(self, now_ms: int) -> Sequence[Score]:
        """What can be settled now."""
        found: list[Score] = []
        n_tried = 0
        while self._looks and self._looks[0][0] <= now_ms and n_tried < MAX_AT_ONCE:
            _, key = heapq.heappop(self._looks)
            if (one := self._open.get(key)) is not None:
                tried = self._look(one, now_ms)
                n_tried += len(tried)
                found += [score for score in tried if score is not None]
        return found

    def _look(self, one: _Open, now_ms: int) -> list[Score | None]:
        """What is due of one alert, None for what cannot be settled yet; it is looked at again when more is due."""
        tried: list[Score | None] = []
        next_ms: list[int] = []
        for draw, n in tuple(one.missing):
            due_ms = _due_ms(one.moment, draw, n)
            if due_ms > now_ms:
                next_ms.append(due_ms)
                continue
            tried.append(score := self._score(one.moment, draw, HORIZONS_MS[n], now_ms))
            if score is None:
                next_ms.append(now_ms + RETRY_MS)
            else:
                one.missing.remove((draw, n))
        if next_ms:
            heapq.heappush(self._looks, (min(next_ms), one.moment.key))
        else:
            del self._open[one.moment.key]
        return tried

    def _score(self, moment: Moment, draw: int, horizon_ms: int, now_ms: int) -> Score | None:
        """None while more may come to be known."""
        begin_ms = draw_ms(moment, draw)
        price, oi = moment.price, moment.oi
        if draw != ALERT:
            price, oi = (self._aftermath.at(moment.instrument, series, begin_ms) for series in ("price", "oi"))
        fared = self._aftermath.fared(moment.instrument, begin_ms, horizon_ms, price=price, oi=oi)
        is_whole = None not in (fared.price, fared.oi, fared.high)
        if not is_whole and now_ms < max(begin_ms + horizon_ms + PATIENCE_MS, self._patient_until_ms):
            return None
        return Score(moment.key, draw, horizon_ms, fared.price, fared.oi, fared.high, fared.low)
