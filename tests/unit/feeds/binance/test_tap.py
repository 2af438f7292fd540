import numpy as np

from bot.feeds.binance.tap import Tap
from bot.model.instrument import Instrument
from bot.model.updates import InstrumentChange, MarkPrices, VenueTime


class Sink:
    def __init__(self) -> None:
        self.puts: list = []

    def put(self, update) -> None:
        self.puts.append(update)


def prices(rows: list[int], received_ms: float) -> MarkPrices:
    n = len(rows)
    ones = np.ones(n)
    return MarkPrices(
        np.array(rows, np.int32), ones, ones, ones, np.zeros(n, np.int64), np.zeros(n, np.int64), received_ms
    )


def test_everything_is_passed_on_in_order_and_prices_are_timed() -> None:
    sink = Sink()
    tap = Tap(sink)
    first, second, third = prices([0], 5.0), VenueTime(1, 2.0), prices([1], 6.0)
    for update in (first, second, third):
        tap.put(update)
    assert sink.puts == [first, second, third]
    assert tap.last_mark_ms == 6.0


def test_only_instruments_whose_own_prices_were_away_for_over_thirty_seconds_have_a_gap() -> None:
    gaps = []
    tap = Tap(Sink(), on_price_gap=lambda rows, gap_ms: gaps.append((rows.tolist(), gap_ms)))
    tap.put(prices([0, 1], 0.0))
    tap.put(prices([0], 25_000.0))
    tap.put(prices([0, 1, 7], 40_000.0))
    assert gaps == [([1], 40_000.0)]
    tap.put(prices([0, 1, 7], 70_000.0))
    assert len(gaps) == 1
    tap.put(prices([], 200_000.0))
    tap.put(prices([7], 200_000.0))
    assert gaps[1:] == [([7], 130_000.0)]


def test_prices_over_rest_close_the_gap_but_do_not_count_as_the_stream() -> None:
    gaps = []
    tap = Tap(Sink(), on_price_gap=lambda rows, gap_ms: gaps.append(gap_ms))
    tap.put(prices([0], 0.0))
    for at in range(5, 60, 5):
        tap.prices(prices([0], at * 1000.0))
    tap.put(prices([0], 60_000.0))
    assert gaps == []
    assert tap.last_mark_ms == 60_000.0


def test_a_row_that_lost_its_instrument_has_no_gap_and_the_others_keep_theirs() -> None:
    gaps = []
    tap = Tap(Sink(), on_price_gap=lambda rows, gap_ms: gaps.append(rows.tolist()))
    tap.put(prices([0, 1], 0.0))
    tap.forget([1, 900])
    tap.put(prices([0, 1], 90_000.0))
    assert gaps == [[0]]


def test_contract_news_get_the_funding_interval_that_rest_told() -> None:
    sink, told = Sink(), []
    tap = Tap(sink, on_contract=lambda: told.append(1))
    tap.funding_interval_h = {"AUSDT": 4.0}
    for symbol in ("AUSDT", "BUSDT"):
        tap.put(InstrumentChange(Instrument("binance", symbol, "perpetual", symbol[0], "USDT", "TRADING")))
    assert [u.instrument.funding_interval_h for u in sink.puts] == [4.0, 8.0]
    assert told == [1, 1]
