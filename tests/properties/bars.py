"""Random bars of history, and the live engine driven over them bar by bar: the slow reference of a run in blocks."""

import math
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from bot.engine.engine import Engine
from bot.engine.inputs import Coverage, Listed, Samples
from bot.model.alert import Notice, TellKind, Transition
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.history import BarGrid
from bot.model.updates import Bars, InstrumentList, Liquidations
from bot.rules.schema import Rule
from tests.properties.streams import T0, perpetual

MINUTE_MS = 60_000
DAY_MS = 86_400_000
ASIDE = {TellKind.UPDATE, TellKind.LOST, TellKind.BACK}
"""Told to people who watch, not on history."""
FLOWS = ("volume", "liq_long", "liq_short")


# -- the reference -----------------------------------------------------------------------------------------------------


class Live:
    """The engine, told of one bar after the other as a venue would."""

    def __init__(self, rules: Sequence[Rule], grid: BarGrid, alerts: Sequence[ChatAlert] = ()):
        self.grid, self.step_ms = grid, grid.step_ms
        self.engine = Engine(rules, step_ms=grid.step_ms, dtype="float64")
        start_ms = int(grid.close_ms[0]) - grid.step_ms
        for alert in alerts:
            self.engine.consume(AlertAdded(alert))
        self.engine.alerts_loaded()
        # Room for what alerts of chats look at is made at a tick; over bars it is there before the first of them.
        self.engine.tick(start_ms - grid.step_ms)
        self.engine.consume(Listed(InstrumentList("binance", tuple(grid.instruments)), start_ms))
        self.is_covered = False

    def run(self) -> Iterator[Transition | Notice]:
        for t, now_ms in enumerate(self.grid.close_ms.tolist()):
            self._feed(t, now_ms)
            result = self.engine.tick(now_ms)
            assert not self.engine.faults.counts, self.engine.faults.counts
            yield from result.transitions
            yield from (n for n in result.notices if n.kind not in ASIDE)

    def _feed(self, t: int, now_ms: int) -> None:
        columns = self.grid.columns
        for series, name in (
            ("price", "close"),
            ("index", "index"),
            ("funding", "funding"),
            ("long_short", "long_short"),
            ("taker_buy", "taker_buy"),
        ):
            if name in columns:
                self._sample(series, columns[name][t], now_ms)
        if {"index", "close"} <= set(columns):
            price, index = (np.where(columns[c][t] > 0, columns[c][t], np.nan) for c in ("close", "index"))
            with np.errstate(all="ignore"):
                self._sample("basis", (price - index) / index, now_ms)
        if "funding" in columns:
            hours = np.array([i.funding_interval_h for i in self.grid.instruments])
            self._sample("funding_8h", columns["funding"][t] * (8.0 / hours), now_ms)
        if "volume" in columns:
            self._volume(t, now_ms)
        self._liquidations(t, now_ms)
        if "oi" in columns:
            self._open_interest(t)

    def _sample(self, series: str, values: np.ndarray, now_ms: int) -> None:
        rows = np.flatnonzero(np.isfinite(values)).astype(np.int32)
        if len(rows):
            at = np.full(len(rows), now_ms)
            self.engine.consume(Samples(series, rows, at, values[rows], self.step_ms * 3 // 2, self.step_ms))

    def _volume(self, t: int, now_ms: int) -> None:
        volume = self.grid.columns["volume"]
        rows = np.flatnonzero(np.isfinite(volume[t]) & (volume[t] >= 0)).astype(np.int32)
        nothing = np.full(len(rows), np.nan)
        self.engine.consume(Bars(rows, np.full(len(rows), now_ms), volume[t][rows], nothing, self.step_ms, 0.0))
        day = volume[max(0, t + 1 - DAY_MS // self.step_ms) : t + 1]
        good = np.isfinite(day) & (day >= 0)
        enough = good.sum(axis=0) * self.step_ms >= 0.8 * DAY_MS
        totals = np.where(enough, np.where(good, day, 0.0).sum(axis=0), np.nan)
        self._sample("volume_24h", totals, now_ms)

    def _liquidations(self, t: int, now_ms: int) -> None:
        found = [c for c in ("liq_long", "liq_short") if c in self.grid.columns]
        if not found:
            return
        is_covered = all(np.isfinite(self.grid.columns[c][t]).all() for c in found)
        if is_covered != self.is_covered:
            self.is_covered = is_covered
            self.engine.consume(Coverage("liquidations", live=is_covered, at_ms=now_ms - self.step_ms))
        for name in found:
            amount = self.grid.columns[name][t]
            rows = np.flatnonzero(amount > 0).astype(np.int32)
            at = np.full(len(rows), now_ms)
            self.engine.consume(Liquidations(rows, at, amount[rows], np.full(len(rows), name == "liq_long"), 0.0))

    def _open_interest(self, t: int) -> None:
        value, time_ms, valid = (self.grid.columns[c][t] for c in ("oi", "oi_ms", "oi_valid_ms"))
        for row in np.flatnonzero(np.isfinite(value) & (value > 0)).tolist():
            valid_ms = int(valid[row])
            interval_ms = valid_ms * 2 // 3 if valid_ms >= 450_000 else valid_ms * 2 // 5
            one = np.array([row], dtype=np.int32)
            self.engine.consume(
                Samples("oi", one, time_ms[row : row + 1].astype(np.int64), value[row : row + 1], valid_ms, interval_ms)
            )


# -- bars ----------------------------------------------------------------------------------------------------------------


class Market:
    """Random bars with all that goes wrong: holes, late listings, numbers that cannot be true, silent streams."""

    def __init__(self, seed: int, *, n: int, length: int, step_ms: int = MINUTE_MS, trouble: float = 0.03):
        self.dice = random.Random(seed)
        self.noise = np.random.default_rng(seed)
        self.n, self.length, self.step_ms, self.trouble = n, length, step_ms, trouble
        # Not only at whole hours and days.
        start = T0 + step_ms * self.dice.choice([0, 0, 1, 17, 1_383])
        self.close_ms = start + step_ms * np.arange(1, length + 1, dtype=np.int64)
        hours = [self.dice.choice([8.0, 8.0, 4.0, 1.0]) for _ in range(n)]
        self.instruments = tuple(perpetual(f"S{k}USDT", interval_h=h) for k, h in enumerate(hours))

    def grid(self) -> BarGrid:
        price = self._columns(0.003, [0.0123, 1.7, 67_000.1])
        columns = {
            "close": price,
            "index": price * self.noise.choice([1.0, 0.999, 1.0005], size=price.shape),
            "funding": self._columns(0.02, [1e-4]) * self.noise.choice([1.0, 1.0, 1.0, -0.618], size=price.shape),
            "long_short": self._columns(0.01, [1.4]),
            "taker_buy": self.noise.choice([0.0, 0.25, 0.5, 1.0], size=price.shape),
            "volume": np.floor(self._columns(0.3, [1e5])),
            "liq_long": self._events(),
            "liq_short": self._events(),
        }
        if self.dice.random() < 0.2:
            for name in self.dice.sample(
                [["index"], ["funding"], ["volume"], ["taker_buy"], ["liq_long", "liq_short"]], 2
            ):
                columns = {c: column for c, column in columns.items() if c not in name}
        for name, column in columns.items():
            if not name.startswith("liq"):
                self._spoil(column)
        if self.dice.random() < 0.9:
            columns |= self._open_interest()
        self._outage(columns)
        return BarGrid(self.instruments, self.close_ms, self.step_ms, columns)

    def _columns(self, spread: float, levels: Sequence[float]) -> np.ndarray:
        out = np.empty((self.length, self.n))
        for k in range(self.n):
            level = self.dice.choice(levels) * math.exp(self.dice.gauss(0, 0.3))
            kind = self.dice.choice(["walk", "walk", "walk", "levels", "constant"])
            if kind == "walk":
                out[:, k] = level * np.exp(np.cumsum(self.noise.normal(0, spread, self.length)))
            elif kind == "levels":
                out[:, k] = level * self.noise.choice([1.0, 1.01, 0.99], size=self.length)
            else:
                out[:, k] = level
        return out

    def _events(self) -> np.ndarray:
        shape = (self.length, self.n)
        return self.noise.integers(1, 10**6, size=shape) * (self.noise.random(shape) < 0.3).astype(np.float64)

    def _spoil(self, column: np.ndarray) -> None:
        bad = self.noise.random(column.shape) < self.trouble / 2
        column[bad] = self.noise.choice([math.nan, math.nan, 0.0, -1.0, math.inf], size=int(bad.sum()))
        for k in range(self.n):
            if self.dice.random() < 0.2:
                column[: self.dice.randrange(self.length), k] = math.nan
            for _ in range(2):
                if self.dice.random() < 0.3:
                    begin = self.dice.randrange(self.length)
                    column[begin : begin + self.dice.choice([1, 2, 3, 20, 90]), k] = math.nan

    def _outage(self, columns: dict[str, np.ndarray]) -> None:
        """Nothing of any instrument for a while, and a stream of liquidations that is silent."""
        for names in ([*columns], [c for c in columns if c.startswith("liq")]):
            if self.dice.random() < 0.4:
                begin = self.dice.randrange(self.length)
                end = begin + self.dice.choice([1, 2, 12, 150])
                for name in names:
                    columns[name][begin:end] = math.nan

    def _open_interest(self) -> dict[str, np.ndarray]:
        value = self._columns(0.004, [1e6, 20.0])
        every = self.dice.choice([self.step_ms, 5 * self.step_ms, 2 * self.step_ms])
        valid = self.dice.choice([every * 3 // 2, every * 5 // 2])
        offset = self.noise.integers(0, self.step_ms, size=value.shape)
        offset = np.where(self.noise.random(value.shape) < 0.5, 0, offset)
        absent = self.close_ms[:, None] % every >= self.step_ms
        value[np.broadcast_to(absent, value.shape)] = math.nan
        self._spoil(value)
        nothing = ~np.isfinite(value)
        time_ms = np.where(nothing, math.nan, (self.close_ms[:, None] - offset).astype(np.float64))
        valid_ms = np.where(nothing, math.nan, float(valid))
        return {"oi": value, "oi_ms": time_ms, "oi_valid_ms": valid_ms}


def cut(grid: BarGrid, dice: random.Random) -> list[BarGrid]:
    """The same bars in pieces of any length."""
    places = sorted({0, len(grid.close_ms), *(dice.randrange(1, len(grid.close_ms)) for _ in range(dice.randrange(5)))})
    return [
        BarGrid(grid.instruments, grid.close_ms[a:b], grid.step_ms, {n: c[a:b] for n, c in grid.columns.items()})
        for a, b in pairwise(places)
    ]
