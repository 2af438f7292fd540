"""The awake ones among the threshold alerts: pending and firing, one column per number.

A firing alert has a peak to follow, a pending one a clock; both look at every value. A few vector operations do that for
all of them at once and say which must be moved by the life cycle: most ticks, hardly any.

Everything is turned so that an alert fires upwards: `x` is the value times its sign, `start` the least x at which it is
true, `stop` the greatest at which it drops or ends. NaN (unknown) compares false with all, so it moves nothing.
"""

from dataclasses import dataclass
from math import inf, isfinite, isnan, nan
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.alerts.lifecycle import Policy
from bot.model.alert import AlertRecord, State, alert_key

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_FLOATS: Final = ("sign", "start", "stop", "peak", "told", "escalate", "value")
_INTS: Final = (
    "slot",
    "e",
    "row",
    "repeat_ms",
    "told_ms",
    "fired_ms",
    "for_ms",
    "held_ms",
    "pending_since_ms",
    "cooldown_until_ms",
    "n_told",
)
_BOOLS: Final = ("firing", "was_true", "has_news")
_NEVER_MS: Final = 1 << 61


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an alert looks and what moves it, in turned values."""

    slot: int
    e: int
    row: int
    sign: int
    start: float
    stop: float


class Watch:
    """Pending and firing alerts by slot."""

    def __init__(self, *, max_gap_ms: int) -> None:
        self._max_gap_ms = max_gap_ms
        self._f: dict[str, F64] = {name: np.zeros(0) for name in _FLOATS}
        self._i: dict[str, I64] = {name: np.zeros(0, dtype=np.int64) for name in _INTS}
        self._b: dict[str, Mask] = {name: np.zeros(0, dtype=np.bool_) for name in _BOOLS}
        self._spots: dict[int, int] = {}
        self._last_ms = 0

    def __len__(self) -> int:
        return len(self._spots)

    def __contains__(self, slot: int) -> bool:
        return slot in self._spots

    def slots(self, *, firing: bool) -> list[int]:
        """Of all that fire, or of all that are pending."""
        n = len(self)
        found: list[int] = self._i["slot"][:n][self._b["firing"][:n] == firing].tolist()
        return found

    def put(self, placed: Placed, policy: Policy, record: AlertRecord, *, was_true: bool) -> None:
        """Watch a slot, or note its new state. `was_true`: its condition holds at this tick, so `for` runs from here."""
        spot = self._spots.get(placed.slot)
        if spot is None:
            spot = self._spots[placed.slot] = len(self)
            if spot == len(self._i["slot"]):
                self._grow()
        f, i, b = self._f, self._i, self._b
        i["slot"][spot], i["e"][spot], i["row"][spot] = placed.slot, placed.e, placed.row
        f["sign"][spot], f["start"][spot], f["stop"][spot] = placed.sign, placed.start, placed.stop
        f["peak"][spot] = -inf if record.peak is None else record.peak * placed.sign
        f["told"][spot] = nan if record.told_value is None else record.told_value * placed.sign
        f["value"][spot] = nan if record.value is None else record.value
        f["escalate"][spot] = inf if policy.escalate is None else policy.escalate
        i["repeat_ms"][spot] = _NEVER_MS if policy.repeat_ms is None else policy.repeat_ms
        i["for_ms"][spot] = policy.for_ms
        i["told_ms"][spot], i["n_told"][spot] = record.told_ms, record.n_told
        i["fired_ms"][spot], i["pending_since_ms"][spot] = record.fired_ms, record.pending_since_ms
        i["held_ms"][spot], i["cooldown_until_ms"][spot] = record.held_ms, record.cooldown_until_ms
        b["firing"][spot] = record.state is State.FIRING
        b["was_true"][spot], b["has_news"][spot] = was_true, False

    def drop(self, slot: int) -> None:
        """Watch it no more; the last one takes its place."""
        spot, last = self._spots.pop(slot), len(self._spots)
        if spot != last:
            for columns in (self._f, self._i, self._b):
                for column in columns.values():
                    column[spot] = column[last]
            self._spots[int(self._i["slot"][spot])] = spot

    def turn_back(self, now_ms: int) -> None:
        """The clock went back to now: what was told later counts as told now."""
        told_ms = self._i["told_ms"][: len(self)]
        self._b["has_news"][: len(self)] |= told_ms > now_ms
        np.minimum(told_ms, now_ms, out=told_ms)

    def rename_expr(self, old: int, new: int) -> None:
        """An expression has another row now."""
        column = self._i["e"][: len(self)]
        column[column == old] = new

    def due(self, now_ms: int, values: F64) -> list[int]:
        """Follow peaks and clocks through one tick of values (E, N); slots that the life cycle must move."""
        elapsed_ms, self._last_ms = now_ms - self._last_ms, now_ms
        n = len(self)
        if not n:
            return []
        f = {name: column[:n] for name, column in self._f.items()}
        i = {name: column[:n] for name, column in self._i.items()}
        firing, was_true = self._b["firing"][:n], self._b["was_true"][:n]
        x = values[i["e"], i["row"]] * f["sign"]
        is_true = x >= f["start"]
        if elapsed_ms <= self._max_gap_ms:
            i["held_ms"][was_true & ~firing] += elapsed_ms
        was_true[:] = is_true
        ready = is_true & ~firing & (i["held_ms"] >= i["for_ms"]) & (now_ms >= i["cooldown_until_ms"])
        repeats = (now_ms - i["told_ms"] >= i["repeat_ms"]) & ~np.isnan(x)
        told_again = firing & (repeats | (x - f["told"] >= f["escalate"]))
        higher = firing & (x > f["peak"])
        f["peak"][higher] = x[higher]
        self._b["has_news"][:n] |= higher
        due: list[int] = i["slot"][(x <= f["stop"]) | ready | told_again].tolist()
        return due

    def record(self, slot: int, rule_id: str, instrument: str) -> AlertRecord:
        """The state to store."""
        spot = self._spots[slot]
        f, i, b = self._f, self._i, self._b
        peak, told, value = f["peak"][spot].item(), f["told"][spot].item(), f["value"][spot].item()
        sign, fired_ms = f["sign"][spot].item(), i["fired_ms"][spot].item()
        return AlertRecord(
            rule_id=rule_id,
            instrument=instrument,
            condition=rule_id,
            state=State.FIRING if b["firing"][spot] else State.PENDING,
            held_ms=i["held_ms"][spot].item(),
            pending_since_ms=i["pending_since_ms"][spot].item(),
            fired_ms=fired_ms,
            cooldown_until_ms=i["cooldown_until_ms"][spot].item(),
            key=alert_key(rule_id, instrument, fired_ms) if fired_ms else "",
            value=None if isnan(value) else value,
            peak=peak * sign if isfinite(peak) else None,
            told_value=None if isnan(told) else told * sign,
            told_ms=i["told_ms"][spot].item(),
            n_told=i["n_told"][spot].item(),
        )

    def take_unsaved(self) -> list[int]:
        """Slots whose clocks or peaks moved since this was last asked, or since `put`."""
        n = len(self)
        found: list[int] = self._i["slot"][:n][~self._b["firing"][:n] | self._b["has_news"][:n]].tolist()
        self._b["has_news"][:n] = False
        return found

    def _grow(self) -> None:
        more = max(16, len(self._i["slot"]) // 2)
        for name, floats in self._f.items():
            self._f[name] = np.concatenate([floats, np.zeros(more)])
        for name, ints in self._i.items():
            self._i[name] = np.concatenate([ints, np.zeros(more, dtype=np.int64)])
        for name, flags in self._b.items():
            self._b[name] = np.concatenate([flags, np.zeros(more, dtype=np.bool_)])
