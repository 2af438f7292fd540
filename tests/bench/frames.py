"""The frame of the measurements: 950 instruments in two messages of one second, about 140 KB together."""

import json

import numpy as np

from bot.market.universe import Universe
from bot.model.instrument import Instrument

N_INSTRUMENTS = 950
SPLIT = 750
T0 = 1_767_225_600_000


def instruments() -> tuple[Instrument, ...]:
    return tuple(
        Instrument("binance", f"C{i:03d}USDT", "perpetual", f"C{i:03d}", "USDT", "TRADING")
        for i in range(N_INSTRUMENTS)
    )


class Market:
    """Independent random walks, one step a second, as frames."""

    def __init__(self, universe: Universe) -> None:
        self.symbols = [i.symbol for _, i in universe.items()]
        self._rng = np.random.default_rng(1)
        self.price = np.exp(self._rng.uniform(-5, 8, len(self.symbols)))

    def frames(self, second: int) -> tuple[bytes, bytes]:
        self.price *= np.exp(self._rng.standard_normal(len(self.price)) * 2e-4)
        event_ms = T0 + second * 1_000
        rows = [
            {
                "e": "markPriceUpdate",
                "E": event_ms,
                "s": symbol,
                "p": f"{price:.8f}",
                "ap": f"{price:.8f}",
                "P": f"{price * 1.0001:.8f}",
                "i": f"{price * 0.9999:.8f}",
                "r": "0.00010000",
                "T": T0 + 28_800_000,
                "st": 1,
            }
            for symbol, price in zip(self.symbols, self.price, strict=True)
        ]
        head, tail = ('{"stream":"!markPrice@arr@1s","data":', "}")
        parts = (rows[:SPLIT], rows[SPLIT:])
        first, second_part = (
            (head + json.dumps(p, separators=(",", ":"), ensure_ascii=False) + tail).encode() for p in parts
        )
        return first, second_part
