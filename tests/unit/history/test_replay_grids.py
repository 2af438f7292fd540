"""Klines of one length run in blocks, others close by close; both give the same."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.history.klines import Klines
from bot.history.replay import _close_by_close, replay_klines
from tests.properties.streams import rules_of

T0 = 1_767_225_600_000
MINUTE_MS = 60_000
RULES = rules_of(
    "- {id: up, when: 'pct(price, 5m) >= 1%', clear: 'pct(price, 5m) < 0.2%', cooldown: 2m}\n"
    "- {id: high, when: 'price >= max(price, 15m)', for: 2m, cooldown: 0s}\n"
    "- {id: many, per: market, when: 'count(pct(price, 5m) > 0%) >= 2', cooldown: 0s}\n"
    "- {id: over, when: 'crosses_above(price, 1.01)', cooldown: 1m}\n"
)


def klines(symbol, moves, start):
    """None is a missing bar; the first is there."""
    closes = np.cumprod([1.0, *(1 + (m or 0) / 1_000 for m in moves)])
    there = np.array([True, *(m is not None for m in moves)])
    close_ms = T0 + MINUTE_MS * (start + np.arange(len(closes), dtype=np.int64))
    return Klines(symbol, close_ms[there], closes[there], MINUTE_MS, (), 0)


paths = st.lists(st.one_of(st.none(), st.integers(-15, 15)), min_size=1, max_size=80)


@settings(max_examples=25, deadline=None)
@given(first=paths, second=paths, third=paths, start=st.integers(0, 300))
def test_both_give_the_same(first, second, third, start):
    """A late listing and long gaps of all symbols included."""
    series = [klines("AUSDT", first, 1), klines("BUSDT", second, 3), klines("CUSDT", third, start)]
    assert list(replay_klines(series, RULES)) == list(_close_by_close(series, RULES))


def test_out_of_date_bars_and_bars_of_several_lengths_are_run_close_by_close():
    old = rules_of("- {id: old, when: stale(price), cooldown: 0s}\n")
    one = klines("AUSDT", [0, *[None] * 5, 0], 1)
    assert [(t.state.value, (t.at_ms - T0) // MINUTE_MS) for t in replay_klines([one], old)] == [
        (t.state.value, (t.at_ms - T0) // MINUTE_MS) for t in _close_by_close([one], old)
    ]
    five = Klines("BUSDT", T0 + 300_000 * np.arange(1, 9, dtype=np.int64), np.full(8, 1.0), 300_000, (), 0)
    fired = [t.symbol for t in replay_klines([one, five], rules_of("- {id: r, when: price >= 1}\n"))]
    assert fired == ["AUSDT", "BUSDT"]
