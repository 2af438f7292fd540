"""A data folder as a bot leaves it after a day: the snapshot of an engine with a day of every instrument of an exchange.

`prepare` is what row 16 needs beforehand; filling a real bot's day over REST takes minutes.
"""

import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson

from bot.engine.engine import Engine
from bot.engine.inputs import Listed
from bot.engine.snapshots import Tracker
from bot.feeds.binance import rest
from bot.history.snapshot import SnapshotFile
from bot.model.instrument import Instrument
from bot.model.updates import History, InstrumentList, MarkPrices
from bot.rules.loader import load_folder

MINUTE_MS, DAY_MINUTES = 60_000, 1_440
AGE_MS = 5_000
"""How long before now the bot was stopped."""


def instruments_of(rest_url: str) -> Sequence[Instrument]:
    """What a simulated exchange lists."""
    with urllib.request.urlopen(rest_url + rest.exchange_info().target, timeout=10) as answer:
        return [i for i in rest.parse_instruments(answer.read()) if i.is_trading]


def levels_of(rest_url: str, listed: Sequence[Instrument]) -> Mapping[str, np.ndarray]:
    """Prices and open interest of now."""

    def ask(target: str) -> Any:
        with urllib.request.urlopen(rest_url + target, timeout=10) as answer:
            return orjson.loads(answer.read())

    prices = {one["symbol"]: float(one["markPrice"]) for one in ask("/fapi/v1/premiumIndex")}
    amounts = [float(ask(f"/fapi/v1/openInterest?symbol={quote(one.symbol)}")["openInterest"]) for one in listed]
    return {"price": np.array([prices[one.symbol] for one in listed]), "oi": np.array(amounts)}


def prepare(
    data_dir: Path,
    rules_dir: Path,
    listed: Sequence[Instrument],
    *,
    now_ms: int | None = None,
    levels: Mapping[str, np.ndarray] | None = None,
) -> int:
    """Write a snapshot with a day of minutes and a quarter of an hour of seconds; returns its size in bytes. `levels`: where
    the series end, by name; else anywhere, so that rules see a leap at the start.
    """
    now_ms = (int(time.time() * 1_000) if now_ms is None else now_ms) - AGE_MS
    start_ms = now_ms // MINUTE_MS * MINUTE_MS - (DAY_MINUTES + 2) * MINUTE_MS
    engine = Engine(load_folder(rules_dir).rules)
    engine.consume(Listed(InstrumentList("binance", tuple(listed)), start_ms))
    rng = np.random.default_rng(1)
    engine.tick(now_ms - 900_000)
    n = len(listed)
    rows = np.arange(n, dtype=np.int32)
    anywhere = np.exp(rng.normal(0, 1, n))
    ends = {"price": anywhere, "oi": anywhere} if levels is None else levels
    level = ends["price"].copy()
    times = np.arange(start_ms, now_ms - 900_000, MINUTE_MS)
    for row in range(n):
        for series in ("price", "oi"):
            walk = np.exp(np.cumsum(rng.normal(0, 1e-3, len(times))))
            engine.consume(History(row, series, times, walk * (ends[series][row] / walk[-1]), 450_000))
    for at_ms in range(now_ms - 900_000, now_ms + 1, 1_000):
        level *= np.exp(rng.normal(0, 2e-4, n))
        at = np.full(n, at_ms, dtype=np.int64)
        engine.consume(MarkPrices(rows, level.copy(), level * 1.0001, np.full(n, 1e-4), at, at, 0.0))
    engine.tick(now_ms)
    file = SnapshotFile(data_dir / "snapshot" / "windows.ois")
    tracker = Tracker(engine)
    for part in (tracker.begin(), *tracker.log(), *tracker.step(1 << 62)):
        file.put(part)
    file.close()
    return file.path.stat().st_size
