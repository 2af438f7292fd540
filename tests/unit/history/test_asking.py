"""From what is asked for to a run: which of the stored stretches it is over, and from where windows can be full."""

import numpy as np
import pytest

from bot.app.history_store import open_store
from bot.history.asking import Stepped, Wanted, settle, step_of
from bot.history.backtest import backtest
from bot.model.history import BAR_MS, BarRows
from tests.support.turns import DAY, DAY_MS
from tests.unit.history.test_long_view import KEY, START_MS, rows

RULES = (
    "  - {id: top, scope: {symbols: ['*']}, when: 'price >= max(price, 1d)', clear: 'price < 0.99 * max(price, 1d)'}\n"
)
LATER_MS = START_MS + 20 * DAY_MS


def wavering(n_days, seed=0):
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-3, n_days * DAY)))


@pytest.fixture
def stored(tmp_path):
    """Three days, and four days more than two weeks later."""
    with open_store(tmp_path / "history") as store:
        store.add(rows(wavering(3)), source="import:1")
        store.add(rows(wavering(4, 1), start_ms=LATER_MS), source="import:2")
        yield store


@pytest.mark.parametrize(
    ("wanted", "known_from_ms"),
    [
        (Wanted(), LATER_MS + BAR_MS + DAY_MS),
        (Wanted(days=1), LATER_MS + 3 * DAY_MS),
        (Wanted(from_ms=LATER_MS + DAY_MS // 2), LATER_MS + BAR_MS + DAY_MS),
        (Wanted(from_ms=START_MS + 10 * DAY_MS), LATER_MS + BAR_MS + DAY_MS),
        (Wanted(to_ms=LATER_MS - DAY_MS), START_MS + BAR_MS + DAY_MS),
    ],
)
def test_windows_are_full_a_day_after_the_gap_before_a_run(stored, rules_of, wanted, known_from_ms):
    asked, bars, _ = settle(stored, wanted)
    shares = []
    (result,) = backtest(bars, rules_of(RULES), asked, progress=shares.append).rules
    assert result.known_from_ms == known_from_ms
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] == 1


@pytest.fixture
def ratios(tmp_path):
    """Two days of minutes with a long/short ratio each five, some of which are missing; it doubles after a day."""
    n = 2 * DAY
    at = START_MS + BAR_MS * np.arange(1, n + 1, dtype=np.int64)
    is_row = np.arange(n) % 5 == 4
    is_row[1_000:1_030] = False
    ratio = np.where(is_row, np.where(np.arange(n) < DAY, 1.0, 2.0), np.nan)
    piece = BarRows((KEY,), np.zeros(n, np.int32), at, {"close": np.full(n, 100.0), "long_short": ratio})
    with open_store(tmp_path / "history") as store:
        store.add(piece, source="import:1")
        yield store, ratio


def test_a_ratio_speaks_for_seven_and_a_half_minutes_as_live_wherever_a_piece_begins(ratios):
    store, ratio = ratios
    bars = Stepped(store, BAR_MS)
    rows = np.flatnonzero(np.isfinite(ratio))
    for first in (0, 3, 4, 5, 998, 1_001, 1_004):
        grid = bars.grid((KEY,), START_MS + first * BAR_MS, START_MS + 1_100 * BAR_MS, ("close", "long_short"))
        found = grid.columns["long_short"][:, 0]
        assert len(found) == 1_100 - first
        assert found.flags.c_contiguous
        for row, value in enumerate(found.tolist(), start=first):
            newest = int(rows[rows <= row][-1]) if (rows <= row).any() else -99
            # A bar speaks for itself and the next, so the last minute is left to it.
            assert (value == 1.0) if (row - newest) * BAR_MS <= 6 * BAR_MS else np.isnan(value)
    coarse = Stepped(store, 5 * BAR_MS).grid((KEY,), START_MS, START_MS + 1_100 * BAR_MS, ("long_short",))
    assert np.isnan(coarse.columns["long_short"]).sum() == 6


@pytest.mark.parametrize(
    ("life", "minutes"),
    [("long_short > 1.5", 5), ("long_short > 1.5, for: 10m", 15), ("'avg(long_short, 1h) > 1.5'", 35)],
)
def test_rules_on_a_ratio_fire_on_its_rows_as_live(ratios, rules_of, life, minutes):
    store, _ = ratios
    asked, bars, _ = settle(store, Wanted())
    rules = rules_of(f"  - {{id: long, scope: {{symbols: ['*']}}, when: {life}}}\n")
    (result,) = backtest(bars, rules, asked).rules
    assert [(f.at_ms - START_MS - DAY_MS) // BAR_MS for f in result.fired] == [minutes]


@pytest.mark.parametrize(
    ("minutes", "gap", "expected"),
    [
        (1, None, 1),
        (1, (0.3, 0.9), 1),
        (1, (0.02, 0.98), 1),
        (5, (0.2, 0.7), 5),
        (10, None, 30),
        (60, None, 60),
        (60, (0.2, 0.7), 60),
        (240, None, 240),
        (1_440, None, 1_440),
    ],
)
def test_the_step_is_that_of_the_bars_whatever_gap_lies_in_the_middle(tmp_path, minutes, gap, expected):
    """Gaps in days of the middle day of five."""
    at = np.arange(minutes, 5 * DAY + 1, minutes)
    if gap is not None:
        at = at[(at <= (2 + gap[0]) * DAY) | (at > (2 + gap[1]) * DAY)]
    closes = START_MS + BAR_MS * at.astype(np.int64)
    piece = BarRows((KEY,), np.zeros(len(at), np.int32), closes, {"close": np.full(len(at), 100.0)})
    with open_store(tmp_path / "history") as store:
        store.add(piece, source="import:1")
        assert step_of(store, (KEY,), START_MS, START_MS + 5 * DAY_MS) == expected * BAR_MS
