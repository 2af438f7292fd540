"""Numbers that no contract has are no numbers."""

import json

import pytest

from bot.feeds.binance.decoding import number, positive
from bot.feeds.binance.protocol import Protocol

ROW = {
    "e": "markPriceUpdate", "E": 1_789_478_297_000, "s": "AUSDT", "p": "1.50000000", "i": "1.50000000",
    "r": "0.00010000", "T": 1_789_478_400_000, "st": 1,
}  # fmt: skip


class TwoRows:
    generation = 1

    def row(self, symbol):
        return {"AUSDT": 0, "BUSDT": 1}.get(symbol)

    def instruments(self):
        return []


@pytest.mark.parametrize("absurd", ["1e308", "1e19", 1e300, "9" * 40])
def test_an_absurd_price_costs_its_row_only(absurd):
    bad = {**ROW, "s": "BUSDT", "p": absurd}
    frame = json.dumps({"stream": "!markPrice@arr@1s", "data": [ROW, bad]}, separators=(",", ":")).encode()
    protocol = Protocol(TwoRows())
    (update,) = protocol.receive(frame, 1.0).updates
    assert update.rows.tolist() == [0]
    assert protocol.counters.rows_bad_price == 1


@pytest.mark.parametrize("absurd", ["1e308", "-1e308", "1e19"])
def test_an_absurd_amount_is_not_read(absurd):
    assert number(absurd) != number(absurd)
    assert positive(absurd) is None
