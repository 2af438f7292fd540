"""The log of forced orders: what is kept of it for who copies it."""

import numpy as np

from bot.market.flows import SPARE_MS, LiquidationLog
from bot.model.updates import Liquidations

WINDOW_MS = 60_000


def one(at_ms, usd):
    rows, is_long = np.array([0], dtype=np.int32), np.array([True])
    return Liquidations(rows, np.array([at_ms], dtype=np.int64), np.array([usd]), is_long, 0.0)


def test_what_nobody_takes_is_kept_as_long_as_rules_look_and_no_longer():
    log = LiquidationLog()
    log.length_ms = WINDOW_MS
    log.arrived = []
    for second in range(20_000):
        log.put(one(second * 1_000, float(second)))

    time_ms, row, usd, is_long = (np.concatenate(column) for column in zip(*log.arrived, strict=True))
    assert len(time_ms) < 1_500
    assert len(log.arrived) <= 1_000
    n_kept = (WINDOW_MS + SPARE_MS) // 1_000
    assert time_ms[-n_kept:].tolist() == [second * 1_000 for second in range(20_000 - n_kept, 20_000)]
    assert usd[-n_kept:].tolist() == log.columns[2][-n_kept:].tolist()
    assert (row.dtype, is_long.dtype, is_long.all()) == (np.int32, np.bool_, True)
