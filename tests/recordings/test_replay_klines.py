"""A month of real minutes through the real engine, against an independent computation with pandas."""

import pandas as pd
import pytest

from bot.history.klines import read_klines, symbol_of
from bot.history.replay import replay_klines

RULE = "- {id: drop, when: 'pct(price, 60m) <= -8%', clear: 'pct(price, 60m) > -6%'}\n"
COOLDOWN_MS = 900_000
SYMBOLS = ("LINKUSDT", "AVAXUSDT", "DOTUSDT", "LTCUSDT", "NEARUSDT")


def expected(path) -> list[tuple[str, int, float]]:
    """Level, hysteresis and cooldown over `close.pct_change(60)`, read by pandas alone."""
    bars = pd.read_csv(path)
    change = bars["close"].pct_change(60)
    events, firing, cool = [], False, 0
    for close_ms, value in zip(bars["open_time"] + 60_000, change, strict=True):
        if not firing and value <= -0.08 and close_ms >= cool:
            firing = True
            events.append(("firing", close_ms, value))
        elif firing and value > -0.06:
            firing, cool = False, close_ms + COOLDOWN_MS
            events.append(("resolved", close_ms, value))
    return events


def test_the_rule_fires_where_pandas_says_for_each_symbol_and_nowhere_else(recordings, rules_of):
    files = [recordings / "klines" / f"{s}-1m-2026-02.csv.gz" for s in SYMBOLS]
    found = list(replay_klines([read_klines(f, symbol_of(f)) for f in files], rules_of(RULE)))

    for path, symbol in zip(files, SYMBOLS, strict=True):
        mine = [(t.state.value, t.at_ms, t.value) for t in found if t.symbol == symbol and t.state != "pending"]
        assert mine == expected(path), symbol
        assert mine, symbol


@pytest.mark.parametrize(("symbol", "month"), [("FILUSDT", "2024-04")])
def test_a_crash_month_alone(recordings, rules_of, symbol, month):
    path = recordings / "klines" / f"{symbol}-1m-{month}.csv.gz"

    found = list(replay_klines([read_klines(path, symbol)], rules_of(RULE)))

    assert [(t.state.value, t.at_ms, t.value) for t in found if t.state != "pending"] == expected(path)
