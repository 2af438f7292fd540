"""Rules over bars of history: the same conditions, the same life of alerts, another source of values.

Bars come as grids without holes, in order of time, in as many pieces as memory asks for; any cut gives the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from bot.engine.engine import Engine
from bot.engine.inputs import Coverage, Listed, Samples
from bot.engine.result import Result
from bot.model.alert import Notice, TellKind, Transition
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.history import BarGrid
from bot.model.updates import Bars, InstrumentList, Liquidations
from bot.rules.schema import Rule

_ASIDE = frozenset({TellKind.UPDATE, TellKind.LOST, TellKind.BACK})


def run(
    rules: Sequence[Rule], grids: Iterable[BarGrid], *, alerts: Sequence[ChatAlert] = ()
) -> Iterator[Transition | Notice]:
    """What the rules, and alerts of chats, would have done, in order of time; every bar's close is a tick.

    `grids`: the same instruments and step in each, one following the other. All instruments count as trading. What is
    told of an alert stands right behind its transition; it says what the alert measured, and no other figures. Raises
    `ValueError` for grids that do not follow each other.
    """
    found = iter(grids)
    first = next(found, None)
    if first is None:
        return
    engine = Engine(rules, step_ms=first.step_ms, n_block=512, dtype="float64")
    start_ms = int(first.close_ms[0]) - first.step_ms
    engine.consume(Listed(InstrumentList("binance", tuple(first.instruments)), start_ms))
    for alert in alerts:
        engine.consume(AlertAdded(alert))
    engine.alerts_loaded()
    if "liq_long" in first.columns or "liq_short" in first.columns:
        engine.consume(Coverage("liquidations", live=True, at_ms=start_ms))
    for grid in chain([first], found):
        for t, now_ms in enumerate(grid.close_ms.tolist()):
            _feed(engine, grid, t, now_ms)
            yield from _told(engine.tick(now_ms))
    yield from _told(engine.flush())


def _told(result: Result) -> Iterator[Transition | Notice]:
    told: list[Transition | Notice] = [*result.transitions]
    told += [n for n in result.notices if n.kind not in _ASIDE]
    yield from sorted(told, key=lambda x: x.at_ms)


def _feed(engine: Engine, grid: BarGrid, t: int, now_ms: int) -> None:
    step_ms = grid.step_ms
    for series, name in (
        ("price", "close"),
        ("index", "index"),
        ("funding", "funding"),
        ("long_short", "long_short"),
        ("taker_buy", "taker_buy"),
    ):
        if name in grid.columns:
            _sample(engine, series, grid.columns[name][t], now_ms, step_ms)
    if "index" in grid.columns:
        _sample(engine, "basis", grid.columns["close"][t] / grid.columns["index"][t] - 1, now_ms, step_ms)
    if "funding" in grid.columns:
        hours = np.array([i.funding_interval_h for i in grid.instruments])
        _sample(engine, "funding_8h", grid.columns["funding"][t] * 8 / hours, now_ms, step_ms)
    if "volume" in grid.columns:
        rows = np.flatnonzero(np.isfinite(grid.columns["volume"][t])).astype(np.int32)
        at = np.full(len(rows), now_ms)
        amount = grid.columns["volume"][t][rows]
        engine.consume(Bars(rows, at, amount, np.full(len(rows), np.nan), step_ms, 0.0))
    for name in ("liq_long", "liq_short"):
        if name in grid.columns:
            rows = np.flatnonzero(grid.columns[name][t] > 0).astype(np.int32)
            is_long = np.full(len(rows), name == "liq_long")
            engine.consume(Liquidations(rows, np.full(len(rows), now_ms), grid.columns[name][t][rows], is_long, 0.0))
    if "oi" in grid.columns:
        for row in np.flatnonzero(grid.columns["oi"][t] > 0).tolist():
            valid_ms = int(grid.columns["oi_valid_ms"][t, row])
            engine.consume(
                Samples(
                    "oi",
                    np.array([row], dtype=np.int32),
                    grid.columns["oi_ms"][t, row : row + 1].astype(np.int64),
                    grid.columns["oi"][t, row : row + 1],
                    valid_ms,
                    valid_ms * 2 // 3,
                )
            )


def _sample(engine: Engine, series: str, values: "np.typing.NDArray[np.float64]", now_ms: int, step_ms: int) -> None:
    rows = np.flatnonzero(np.isfinite(values)).astype(np.int32)
    if len(rows):
        engine.consume(Samples(series, rows, np.full(len(rows), now_ms), values[rows], step_ms * 3 // 2, step_ms))
