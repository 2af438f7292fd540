import numpy as np
import pytest

from bot.market.dates import KEPT_MS, MAX_KEPT, Ahead
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
    ahead = Ahead()
    assert ahead.hold_out(update, 300, 0.0) is update
    assert ahead.taken(0.0) == []
    kept = ahead.hold_out(update, 250, 0.0)
    (late_part,) = ahead.taken(0.0)
    late = 2 if isinstance(update, History) else 1
    for name in columns:
        assert getattr(kept, name).tolist() == np.delete(getattr(update, name), late).tolist()
        assert getattr(late_part, name).tolist() == [getattr(update, name).tolist()[late]]
    others = set(update.__slots__) - set(columns)
    for part in (kept, late_part):
        assert {name: getattr(part, name) for name in others} == {name: getattr(update, name) for name in others}
    assert ahead.n_held_out == 1
    assert not len(getattr(ahead.hold_out(update, 1, 0.0), columns[-1]))
    assert ahead.n_held_out == 1 + len(ROWS)


def test_an_update_without_samples_stays_as_it_is():
    empty = Tickers(ROWS[:0], ONES[:0], TIMES[:0], 5.0)
    assert Ahead().hold_out(empty, 0, 0.0) is empty


def test_what_is_held_out_is_kept_for_a_while_and_not_without_end():
    ahead = Ahead()
    for second in range(40):
        ahead.hold_out(Tickers(ROWS[:1], ONES[:1], TIMES[:1] + second, 5.0), 50, second * 1_000.0)
    kept = ahead.taken(40_000.0)
    assert [int(one.event_ms[0]) - 100 for one in kept] == list(range(40 - int(KEPT_MS) // 1_000, 40))
    assert ahead.taken(40_000.0) == []
    for n in range(MAX_KEPT + 5):
        ahead.hold_out(Tickers(ROWS[:1], ONES[:1], TIMES[:1] + n, 5.0), 50, 0.0)
    assert int(ahead.taken(0.0)[0].event_ms[0]) == 105
