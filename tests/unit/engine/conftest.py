"""A small market fed by hand."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Placed
from bot.model.alert import AlertRecord
from bot.model.instrument import Instrument
from bot.model.updates import InstrumentList, MarkPrices

T0 = 1_767_225_600_000


class Feed:
    """Feeds one engine second by second and remembers what it said."""

    def __init__(self, rules, instruments: list[Instrument], *, records: list[AlertRecord] = (), start=T0, **options):
        self.engine = Engine(rules, records=records, **options)
        self.instruments = instruments
        self.now = start
        self.transitions = []
        self.notices = []
        self.records = {}
        self.engine.consume(Listed(InstrumentList("binance", tuple(instruments)), start))

    def row(self, symbol: str) -> int:
        row = self.engine.market.universe.row(f"binance:{symbol}")
        assert row is not None
        return row

    def prices(self, prices: Mapping[str, float], *, funding: float = 0.0001) -> None:
        n = len(prices)
        self.engine.consume(
            MarkPrices(
                rows=np.array([self.row(s) for s in prices], dtype=np.int32),
                price=np.array(list(prices.values()), dtype=np.float64),
                index=np.array(list(prices.values()), dtype=np.float64),
                funding=np.full(n, funding),
                next_funding_ms=np.zeros(n, dtype=np.int64),
                event_ms=np.full(n, self.now, dtype=np.int64),
                received_ms=0.0,
            )
        )

    def oi(self, symbol: str, amount: float, *, interval_ms: int = 15_000) -> None:
        self.engine.consume(Placed(self.row(symbol), amount, self.now, self.now, interval_ms))

    def tick(self, *, seconds: float = 1.0):
        """Evaluate now, then let time pass."""
        result = self.engine.tick(self.now)
        self.transitions += result.transitions
        self.notices += result.notices
        self.records.update({(r.rule_id, r.instrument): r for r in result.records})
        self.now += int(seconds * 1_000)
        return result

    def states(self):
        return [(t.rule_id, t.symbol, t.state.value) for t in self.transitions]


@pytest.fixture
def feed(perpetual) -> Callable[..., Feed]:
    def make(rules, *bases: str, **options) -> Feed:
        return Feed(rules, [perpetual(b) for b in bases], **options)

    return make
