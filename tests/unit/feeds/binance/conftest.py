"""A universe of a few symbols."""

import pytest

from bot.model.instrument import Instrument


class FixedRows:
    def __init__(self, *symbols: str, instruments: tuple[Instrument, ...] = ()) -> None:
        self.generation = 1
        self._at = {symbol: row for row, symbol in enumerate(symbols)}
        self._instruments = instruments

    def row(self, symbol: str) -> int | None:
        return self._at.get(symbol)

    def instruments(self) -> list[tuple[int, Instrument]]:
        return list(enumerate(self._instruments))

    def add(self, symbol: str) -> None:
        self._at[symbol] = len(self._at)
        self.generation += 1


@pytest.fixture
def rows():
    return FixedRows("BTCUSDT", "ETHUSDT", "牛来USDT", "BTCUSDT_261225")


@pytest.fixture
def make_rows():
    return FixedRows
