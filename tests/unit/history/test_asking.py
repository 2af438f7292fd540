"""From what is asked for to a run: which of the stored stretches it is over, and from where windows can be full."""

import numpy as np
import pytest

from bot.app.history_store import open_store
from bot.history.asking import Wanted, settle
from bot.history.backtest import backtest
from bot.model.history import BAR_MS
from tests.support.turns import DAY, DAY_MS
from tests.unit.history.test_long_view import START_MS, rows

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
