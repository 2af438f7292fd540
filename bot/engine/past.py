"""What memory still holds of one instrument, as samples: for running a condition over it again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.engine.engine import Engine
from bot.market.flows import Volume
from bot.market.series import INDEX, PARTS, SAMPLED
from bot.model.instrument import Instrument
from bot.model.updates import F64, I64


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Samples by series, ascending; times in ms of the venue. Taken from the grid of minutes, so at most one a minute. Traded
    volume is among them as `volume`: the closes of minutes that are known, and what was traded in them.
    """

    instrument: Instrument
    samples: Mapping[str, tuple[I64, F64]]
    start_ms: int
    """As far back as all series are held and known; what came before is unknown."""
    now_ms: int
    oi_interval_ms: int


SLACK_MS: Final = 750_000
"""So much later than its ring begins may the first sample come: rows of open interest stand five minutes apart."""


def parts_of(series: Iterable[str]) -> frozenset[str]:
    """What derived series are made of, and the price, which is always wanted."""
    return frozenset(part for name in series for part in PARTS.get(name, (name,))) | {"price"}


def past_of(engine: Engine, key: str, series: Iterable[str], *, span_ms: int) -> Past | None:
    """Of at most `span_ms`; None for an instrument that is not listed, or a series that has no samples."""
    market = engine.market
    row = market.universe.row(key)
    instrument = None if row is None else market.universe.at(row)
    parts = parts_of(series)
    if row is None or instrument is None or not parts <= {*SAMPLED, "volume"}:
        return None
    tier = market.coarse
    last = engine.now_ms // tier.step_ms
    n = span_ms // tier.step_ms
    samples, held = {}, []
    for name in sorted(parts):
        if name == "volume":
            if not market.volume.is_held or market.volume.newest is None:
                return None
            samples[name], first_ms = _traded(market.volume, row, span_ms)
            held.append(first_ms)
            continue
        gauge = INDEX[name]
        if not tier.slots[gauge]:
            return None
        reach = min(n, int(tier.slots[gauge]) - 1)
        numbers = np.arange(last - reach + 1, last + 1)
        at = tier.base[gauge] + numbers % tier.slots[gauge]
        values, ages = tier.value[at, row].astype(np.float64), tier.age[at, row].astype(np.int64) * tier.unit_ms
        times = numbers * tier.step_ms - ages
        known = np.isfinite(values) & (tier.newest is not None) & (numbers <= (tier.newest or 0))
        times, values = times[known], values[known]
        new = np.ones(len(times), dtype=np.bool_)
        new[1:] = times[1:] > times[:-1]
        samples[name] = (times[new], values[new])
        reach_ms, first_ms = int(numbers[0]) * tier.step_ms, int(times[0]) if len(times) else engine.now_ms
        held.append(reach_ms if first_ms - reach_ms <= SLACK_MS else first_ms)
    interval = int(market.oi_interval_ms[row])
    return Past(instrument, samples, max(held), engine.now_ms, interval)


def _traded(volume: Volume, row: int, span_ms: int) -> tuple[tuple[I64, F64], int]:
    """Closes and amounts of known minutes, and since when they are held."""
    assert volume.newest is not None
    n = min(span_ms // volume.step_ms, volume.n_slots)
    numbers = np.arange(volume.newest - n + 1, volume.newest + 1)
    amounts, spans = (plane[numbers % volume.n_slots, row] for plane in volume.planes)
    known = spans > 0
    return (numbers[known] * volume.step_ms, amounts[known].astype(np.float64)), int(numbers[0] - 1) * volume.step_ms
