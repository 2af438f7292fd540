"""Which alerts are to be scored when, and their scores. Synchronous: time is an argument, storing is somebody else's.

A score is settled once all that can be known is known, or when nobody can expect more: then what is unknown stays so. It is
read from what memory holds of the time until it was due, whenever that is done; so a restart in between loses only what
memory does not get back.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from bot.model import numbers
from bot.model.instrument import MARKET
from bot.model.outbox import OutboxRow
from bot.model.scorecard import (
    ALERT,
    FULL,
    HORIZONS_MS,
    N_DRAWS,
    Moment,
    Quadrant,
    Score,
    draw_ms,
)
from bot.model.scorecard_ports import Aftermath
from bot.model.view import AlertView

GRACE_MS: Final = 3_000
"""After a score is due, so that samples on their way have come."""
PATIENCE_MS: Final = 120_000
"""How long a score waits for what is missing."""
WARMING_MS: Final = 900_000
"""How long after a start the past may still come in; nothing is given up before."""
RETRY_MS: Final = 15_000
MAX_AT_ONCE: Final = 400
"""Scores looked at in one go; the others wait for the next."""

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


def is_scored(row: OutboxRow) -> bool:
    """Alerts about one contract. What is about the whole market, or about the bot itself, has no price of its own."""
    return row.view.symbol != MARKET and not row.view.report


class Scorer:
    """Of one run."""

    def __init__(self, aftermath: Aftermath, *, started_ms: int) -> None:
        self._aftermath = aftermath
        self._patient_until_ms = started_ms + WARMING_MS
        self._moments: dict[str, Moment] = {}
        self._missing: dict[str, int] = {}
        """How many scores of each alert are still to come."""
        self._due: list[tuple[int, str, int, int]] = []
        """When to look, key, draw, number of the horizon; a heap."""

    def __len__(self) -> int:
        """Alerts that lack scores."""
        return len(self._moments)

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
        settled = {(score.draw, score.horizon_ms) for score in scores}
        if moment.key in self._moments or len(settled) >= FULL:
            return
        self._moments[moment.key] = moment
        self._missing[moment.key] = FULL - len(settled)
        for draw in range(N_DRAWS + 1):
            begin_ms = draw_ms(moment, draw)
            for n, horizon_ms in enumerate(HORIZONS_MS):
                if (draw, horizon_ms) not in settled:
                    heapq.heappush(self._due, (begin_ms + horizon_ms + GRACE_MS, moment.key, draw, n))

    def soon(self, keys: Iterable[str], horizon_ms: int, *, now_ms: int, within_ms: int) -> bool:
        """Whether one of these alerts will itself be scored over a horizon before long."""
        moments = (self._moments[key] for key in keys if key in self._moments)
        return any(0 <= m.fired_ms + horizon_ms + GRACE_MS - now_ms <= within_ms for m in moments)

    def due(self, now_ms: int) -> Sequence[Score]:
        """What can be settled now."""
        found = []
        for _ in range(MAX_AT_ONCE):
            if not self._due or self._due[0][0] > now_ms:
                break
            _, key, draw, n = heapq.heappop(self._due)
            score = self._score(self._moments[key], draw, HORIZONS_MS[n], now_ms)
            if score is None:
                heapq.heappush(self._due, (now_ms + RETRY_MS, key, draw, n))
                continue
            found.append(score)
            self._missing[key] -= 1
            if not self._missing[key]:
                del self._missing[key], self._moments[key]
        return found

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
