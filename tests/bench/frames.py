"""The market of the measurements: 950 instruments as independent random walks, as columns and as frames.

A second of it is two messages (750 and 200 instruments), about 140 KB together.
"""

from dataclasses import dataclass

import numpy as np

from bot.engine.inputs import Samples
from bot.model.instrument import Instrument
from bot.model.updates import MarkPrices

N_INSTRUMENTS = 950
SPLIT = 750
T0 = 1_767_225_600_000
"""A midnight. Histories end here, measured ticks begin."""
OI_EVERY_S = 60
OI_VALID_MS = 150_000
NEXT_FUNDING_MS = T0 + 28_800_000
_HEAD, _TAIL = '{"stream":"!markPrice@arr@1s","data":[', "]}"


def instruments(n: int = N_INSTRUMENTS) -> tuple[Instrument, ...]:
    return tuple(Instrument("binance", f"C{i:03d}USDT", "perpetual", f"C{i:03d}", "USDT", "TRADING") for i in range(n))


@dataclass(frozen=True, slots=True)
class Second:
    """What is true at one second. Columns of one length."""

    at_ms: int
    price: np.ndarray
    index: np.ndarray
    funding: np.ndarray
    oi: np.ndarray
    """As of the last poll of each instrument."""
    oi_ms: np.ndarray
    """When that was."""

    @property
    def basis(self) -> np.ndarray:
        return (self.price - self.index) / self.index

    def marks(self, split: int = SPLIT) -> tuple[MarkPrices, ...]:
        """The two messages as the decoder gives them. Row i is instrument i."""
        n = len(self.price)
        parts = [slice(0, split), slice(split, n)] if n > split else [slice(0, n)]
        return tuple(self._marks(part) for part in parts)

    def _marks(self, part: slice) -> MarkPrices:
        n = len(self.price[part])
        return MarkPrices(
            rows=np.arange(part.start, part.start + n, dtype=np.int32),
            price=self.price[part].copy(),
            index=self.index[part].copy(),
            funding=self.funding[part].copy(),
            next_funding_ms=np.full(n, NEXT_FUNDING_MS, dtype=np.int64),
            event_ms=np.full(n, self.at_ms, dtype=np.int64),
            received_ms=0.0,
        )

    def frames(self, symbols: list[str]) -> tuple[bytes, ...]:
        """The two messages as they come over the socket."""
        # Text, not objects: making a frame must not set off the garbage collector in what is timed next.
        values = zip(symbols, self.price.tolist(), self.index.tolist(), self.funding.tolist(), strict=True)
        rows = [
            f'{{"e":"markPriceUpdate","E":{self.at_ms},"s":"{symbol}","p":"{price:.8f}","ap":"{price:.8f}",'
            f'"P":"{price * 1.0001:.8f}","i":"{index:.8f}","r":"{funding:.8f}","T":{NEXT_FUNDING_MS},"st":1}}'
            for symbol, price, index, funding in values
        ]
        parts = (rows[:SPLIT], rows[SPLIT:])
        return tuple((_HEAD + ",".join(p) + _TAIL).encode() for p in parts if p)


class Walk:
    """The same market each time: seeded, 2 basis points a second."""

    def __init__(self, n: int = N_INSTRUMENTS, *, start_ms: int = T0, seed: int = 1) -> None:
        self._rng = np.random.default_rng(seed)
        self._n = n
        self.at_ms = start_ms
        self._price = np.exp(self._rng.uniform(-3, 8, n))
        self._premium = self._rng.normal(0, 3e-4, n)
        self._funding = self._rng.normal(1e-4, 5e-5, n)
        self._oi_true = np.exp(self._rng.uniform(8, 18, n))
        self._oi = self._oi_true.round(3)
        self._oi_ms = np.full(n, start_ms, dtype=np.int64)

    def advance(self, seconds: int = 1) -> Second:
        """Move by some seconds and tell what is true then. A step of a minute or more polls everybody."""
        rng, n, root = self._rng, self._n, seconds**0.5
        self.at_ms += seconds * 1_000
        self._price *= np.exp(rng.standard_normal(n) * 2e-4 * root)
        self._premium += rng.standard_normal(n) * 1e-5 * root - self._premium * min(1.0, 1e-3 * seconds)
        self._funding += rng.standard_normal(n) * 1e-7 * root - (self._funding - 1e-4) * min(1.0, 1e-4 * seconds)
        self._oi_true *= np.exp(rng.standard_normal(n) * 3e-4 * root)
        polled = self._polled(seconds)
        self._oi, self._oi_ms = self._oi.copy(), self._oi_ms.copy()
        self._oi[polled], self._oi_ms[polled] = self._oi_true[polled].round(3), self.at_ms
        # Eight decimals, as the venue writes them, so that a frame says exactly what the columns say.
        price = self._price.round(8)
        index = (self._price / (1 + self._premium)).round(8)
        return Second(self.at_ms, price, index, self._funding.round(8), self._oi, self._oi_ms)

    def _polled(self, seconds: int) -> np.ndarray:
        if seconds >= OI_EVERY_S:
            return np.arange(self._n, dtype=np.int32)
        second = self.at_ms // 1_000 % OI_EVERY_S
        return np.arange(second, self._n, OI_EVERY_S, dtype=np.int32)

    def polls(self, second: Second, seconds: int = 1) -> Samples:
        """The open interest that was polled in this step."""
        rows = self._polled(seconds)
        return Samples(
            "oi",
            rows,
            np.full(len(rows), second.at_ms, dtype=np.int64),
            second.oi[rows],
            valid_ms=OI_VALID_MS,
            interval_ms=OI_EVERY_S * 1_000,
        )
