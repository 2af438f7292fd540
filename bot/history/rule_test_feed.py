"""The series of a rule test as what an engine consumes, step by step.

A value stands at the time of its step and speaks as long as it would live, and at least for a step and a half, as a bar
does. Open interest counts as polled once a step. Flows are amounts of the step that ends there.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from bot.engine.inputs import Coverage, Input, Listed, Samples
from bot.market.series import MINUTE_MS
from bot.market.validity import POLLS_VALID, valid_for_ms
from bot.model.updates import F64, Bars, InstrumentList, Liquidations
from bot.rules.rule_test import RuleTest

STEPS_VALID: Final = 1.5
_LIQUIDATIONS: Final = ("liq_long", "liq_short")


class Feed:
    """What a test gives, for one engine. Instruments have the rows in which they stand in the test."""

    def __init__(self, test: RuleTest, *, start_ms: int, interval_ms: int) -> None:
        self._start_ms = start_ms
        self._interval_ms = interval_ms
        self._test = test
        self._span_ms = max(interval_ms, MINUTE_MS)
        self.n_steps = test.n_steps
        self._values = {
            name: self._column(name) for name in dict.fromkeys(name for given in test.given for name in given.series)
        }
        self._derive()
        self._hears = any(name in self._values for name in _LIQUIDATIONS)
        self._is_heard = self._hears

    def _column(self, name: str) -> F64:
        """A series of all instruments, shape (n_steps, n_instruments)."""
        found = np.full((self.n_steps, len(self._test.given)), np.nan)
        for row, given in enumerate(self._test.given):
            if name in given.series:
                found[: len(given.series[name]), row] = given.series[name]
        return found

    def _derive(self) -> None:
        values = self._values
        if "price" in values and "index" in values:
            values["basis"] = (values["price"] - values["index"]) / values["index"]
        if "funding" in values:
            hours = np.array([given.instrument.funding_interval_h for given in self._test.given])
            values["funding_8h"] = values["funding"] * (8.0 / hours)

    def begin(self) -> Iterator[Input]:
        """Before the first step."""
        instruments = tuple(given.instrument for given in self._test.given)
        yield Listed(InstrumentList(instruments[0].venue, instruments), self._start_ms)
        if self._hears:
            yield Coverage("liquidations", live=True, at_ms=self._start_ms - self._interval_ms)

    def at(self, step: int) -> Iterator[Input]:
        """What comes with one step."""
        if step >= self.n_steps:
            if self._is_heard:
                yield self._cover(step, live=False)
            return
        now_ms = self._start_ms + step * self._interval_ms
        for name, column in self._values.items():
            if name != "volume" and name not in _LIQUIDATIONS:
                yield from self._samples(name, column[step], now_ms)
        if "volume" in self._values and now_ms % self._span_ms == 0:
            yield from self._bars(step, now_ms)
        if self._hears:
            yield from self._liquidations(step, now_ms)

    def _samples(self, name: str, values: F64, now_ms: int) -> Iterator[Input]:
        rows = np.flatnonzero(np.isfinite(values)).astype(np.int32)
        if not len(rows):
            return
        steps = POLLS_VALID if name == "oi" else STEPS_VALID
        # Of open interest and bars the step alone says how long they speak.
        live_ms = 0 if name in {"oi", "taker_buy"} else valid_for_ms(name)
        yield Samples(
            series=name,
            rows=rows,
            time_ms=np.full(len(rows), now_ms, dtype=np.int64),
            value=values[rows],
            valid_ms=max(int(steps * self._interval_ms), live_ms),
            interval_ms=self._interval_ms,
        )

    def _bars(self, step: int, now_ms: int) -> Iterator[Input]:
        """The bar that closes now; steps shorter than a minute are added up, and all have to be known."""
        n = self._span_ms // self._interval_ms
        if step + 1 < n:
            return
        amounts = self._values["volume"][step + 1 - n : step + 1].sum(axis=0)
        rows = np.flatnonzero(np.isfinite(amounts)).astype(np.int32)
        if len(rows):
            closes = np.full(len(rows), now_ms, dtype=np.int64)
            yield Bars(rows, closes, amounts[rows], np.full(len(rows), np.nan), self._span_ms, received_ms=0.0)

    def _liquidations(self, step: int, now_ms: int) -> Iterator[Input]:
        """One stream tells them of all instruments, so a step without a value is an outage for all."""
        columns = {name: self._values[name][step] for name in _LIQUIDATIONS if name in self._values}
        given = {name: [name in one.series for one in self._test.given] for name in columns}
        heard = all(np.isfinite(values[given[name]]).all() for name, values in columns.items())
        if heard is not self._is_heard:
            yield self._cover(step, live=heard)
        for name, values in columns.items():
            rows = np.flatnonzero(values > 0).astype(np.int32)
            if len(rows):
                times = np.full(len(rows), now_ms, dtype=np.int64)
                longs = np.full(len(rows), name == "liq_long")
                yield Liquidations(rows, times, values[rows], longs, received_ms=0.0)

    def _cover(self, step: int, *, live: bool) -> Coverage:
        """From the end of the step before on."""
        self._is_heard = live
        return Coverage("liquidations", live=live, at_ms=self._start_ms + (step - 1) * self._interval_ms)
