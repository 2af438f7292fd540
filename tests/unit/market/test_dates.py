import numpy as np
import pytest

from bot.market.dates import not_after
from bot.model.updates import Bars, History, Liquidations, Tickers

ROWS = np.array([3, 1, 2], np.int32)
TIMES = np.array([100, 300, 200])
ONES = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("update", "columns"),
    [
        (Tickers(ROWS, ONES, TIMES, 5.0), ("rows", "volume_24h", "event_ms")),
        (Bars(ROWS, TIMES, ONES, ONES, 60_000, 5.0), ("rows", "close_ms", "volume", "taker_buy")),
        (Liquidations(ROWS, TIMES, ONES, ONES > 2, 5.0), ("rows", "event_ms", "usd", "is_long")),
        (History(7, "price", np.sort(TIMES), ONES, 90_000), ("time_ms", "value")),
    ],
)
def test_only_rows_dated_later_are_left_out(update, columns):
    assert not_after(update, 300) is update
    kept = not_after(update, 250)
    late = 2 if isinstance(update, History) else 1
    for name in columns:
        assert getattr(kept, name).tolist() == np.delete(getattr(update, name), late).tolist()
    others = set(update.__slots__) - set(columns)
    assert {name: getattr(kept, name) for name in others} == {name: getattr(update, name) for name in others}
    assert not len(getattr(not_after(update, 1), columns[-1]))


def test_an_update_without_samples_stays_as_it_is():
    empty = Tickers(ROWS[:0], ONES[:0], TIMES[:0], 5.0)
    assert not_after(empty, 0) is empty
