"""Minute knots of each contract, one UTC day at a time: price, open interest and traded volume.

A day of one contract is a pure function of (its keys, day). Days join without a step: each is a random walk tied to
two levels of a mean-reverting daily walk. Price returns are a common factor times beta plus own noise, both Student t
with four degrees of freedom, in spells of high and low volatility. Open interest follows price, and on some days
leads it by twelve minutes. Days are made on demand and kept in a bounded cache.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.sim import noise
from bot.sim.universe import Spec

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

MINUTES = 1440
FACTOR_SIGMA = 0.00055
"""Deviation of the common factor's one-minute return; Bitcoin has a beta of one and little of its own."""

_T4 = float(1.0 / np.sqrt(2.0))
_T6 = float(1.0 / np.sqrt(1.5))
_FOLLOW = 0.25
_LEAD_MINUTES = 12
_MEMORY = 0.95
_CACHE_DAYS = 6000


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """Knots at each full minute of a day, both midnights included (1441 of each)."""

    price: F32
    """Deviation of the logarithm of the price from the contract's level."""
    oi: F32
    """Deviation of the logarithm of open interest in base units from the contract's level."""
    volume: F32
    """Quote volume since midnight, in minutes of average volume."""


@dataclass(frozen=True, slots=True, eq=False)
class Weather:
    """What all contracts share on one day: returns of the common factor and the volatility of each minute."""

    factor: F64
    volatility: F64


def _tied(walk: F64, start: float, end: float) -> F64:
    """Return the walk (which begins at 0) bent so that it runs from `start` to `end`."""
    return np.asarray(start + walk + (end - start - walk[-1]) * np.arange(walk.size) / (walk.size - 1))


def _cumulated(steps: F64) -> F64:
    return np.concatenate((np.zeros(1), np.cumsum(steps)))


class Series:
    """The days of all contracts of one seed."""

    def __init__(self, seed: int) -> None:
        self._factor_key = noise.key_of(seed, "factor")
        self._days: OrderedDict[tuple[int, int], Day] = OrderedDict()
        self._weather: dict[int, Weather] = {}

    def weather(self, day: int) -> Weather:
        found = self._weather.get(day)
        if found is None:
            if len(self._weather) > 120:
                self._weather.clear()
            found = self._weather[day] = self._make_weather(day)
        return found

    def _make_weather(self, day: int) -> Weather:
        rng = noise.generator(self._factor_key, day)
        hours = noise.normal(self._factor_key ^ 1, day * 24 + np.arange(25))
        minutes = np.arange(MINUTES)
        spells = np.interp(minutes / 60.0, np.arange(25), 0.35 * hours)
        daily = 1.0 + 0.3 * np.sin(2.0 * np.pi * (minutes / MINUTES - 0.35))
        volatility = np.exp(spells) * daily
        return Weather(FACTOR_SIGMA * volatility * rng.standard_t(4, MINUTES) * _T4, volatility)

    def _price_level(self, spec: Spec, day: int) -> float:
        common = noise.reverting_level(self._factor_key ^ 2, day, FACTOR_SIGMA * 30.0, _MEMORY)
        return spec.beta * common + noise.reverting_level(spec.price_key ^ 2, day, spec.sigma * 30.0, _MEMORY)

    def day(self, spec: Spec, day: int) -> Day:
        """Return one day of one contract."""
        found = self._days.get((spec.key, day))
        if found is not None:
            self._days.move_to_end((spec.key, day))
            return found
        if len(self._days) >= _CACHE_DAYS:
            self._days.popitem(last=False)
        made = self._days[(spec.key, day)] = self._make_day(spec, day)
        return made

    def _make_day(self, spec: Spec, day: int) -> Day:
        weather = self.weather(day)
        rng = noise.generator(spec.price_key, day)
        own = rng.standard_t(4, MINUTES) * _T4
        returns = spec.beta * weather.factor + spec.sigma * weather.volatility * own
        price = _tied(_cumulated(returns), self._price_level(spec, day), self._price_level(spec, day + 1))

        rng = noise.generator(spec.key, day)
        recent = price[10:] - price[:-10]
        pull = np.zeros(MINUTES)
        if noise.uniform(spec.key ^ 4, day) < 0.4:
            pull[: MINUTES - 10 - _LEAD_MINUTES] = recent[_LEAD_MINUTES:-1]
        else:
            pull[10:] = recent[:-1]
        changes = spec.oi_sigma * rng.standard_t(6, MINUTES) * _T6 + _FOLLOW / 10.0 * pull
        levels = [noise.reverting_level(spec.key ^ 3, d, spec.oi_sigma * 25.0, _MEMORY) for d in (day, day + 1)]
        oi = _tied(_cumulated(changes), levels[0], levels[1])

        minutes = np.arange(MINUTES)
        daily = 1.0 + 0.45 * np.sin(2.0 * np.pi * (minutes / MINUTES - 0.35))
        moved = np.abs(own) * weather.volatility
        amounts = daily * np.exp(0.45 * rng.standard_normal(MINUTES) - 0.1) * (0.55 + 0.5 * moved)
        return Day(price.astype(np.float32), oi.astype(np.float32), _cumulated(amounts).astype(np.float32))

    def knots(self, spec: Spec, first_minute: int, count: int) -> tuple[F64, F64, F64]:
        """Return price, open interest and volume knots of `count` minutes from that one (minutes since the epoch).

        The volume runs on over midnights; only differences of it mean anything.
        """
        price, oi, volume = np.empty(count), np.empty(count), np.empty(count)
        filled, carried, last_day = 0, 0.0, -1
        while filled < count:
            day, at = divmod(first_minute + filled, MINUTES)
            found = self.day(spec, day)
            if last_day >= 0:
                carried += float(self.day(spec, last_day).volume[-1])
            take = min(count - filled, MINUTES - at)
            part = slice(filled, filled + take)
            price[part] = found.price[at : at + take]
            oi[part] = found.oi[at : at + take]
            volume[part] = found.volume[at : at + take].astype(np.float64) + carried
            filled += take
            last_day = day
        return price, oi, volume

    def at_minute(self, specs: list[Spec], minute: int) -> tuple[F64, F64, F64]:
        """Return the knots of all contracts at one minute; the volume counts from that day's midnight."""
        day, at = divmod(minute, MINUTES)
        days = [self.day(spec, day) for spec in specs]
        return (
            np.array([d.price[at] for d in days], dtype=np.float64),
            np.array([d.oi[at] for d in days], dtype=np.float64),
            np.array([d.volume[at] for d in days], dtype=np.float64),
        )
