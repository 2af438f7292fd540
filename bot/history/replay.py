"""Journals and kline files through the real engine: the same rules, the same life of alerts, another source of time."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from bot.engine.engine import Engine
from bot.engine.history_run import run
from bot.engine.inputs import Input, Listed, Samples
from bot.engine.snapshots import restore
from bot.errors import PayloadError
from bot.history import snapshot
from bot.history.journal import Entry, Header, Restored, Tick
from bot.history.klines import VALID_SHARE, Klines
from bot.model.alert import Transition
from bot.model.chat_alert import AlertAdded
from bot.model.history import BarGrid
from bot.model.instrument import Instrument, by_symbol
from bot.model.updates import InstrumentList
from bot.rules.ast import functions_used
from bot.rules.schema import Rule

VENUE: Final = "binance"
N_BLOCK: Final = 512
GRID_BARS: Final = 4_096


class BlockingClock(Protocol):
    """What pacing needs of a clock."""

    def monotonic_ms(self) -> float: ...

    def block(self, seconds: float) -> None: ...


def replay_journal(
    header: Header, entries: Iterator[Entry], rules: Sequence[Rule], *, n_block: int = 1
) -> Iterator[Transition]:
    """Run a journal again. With the rules it was recorded with, the transitions are those of the recorded run, however
    many ticks are evaluated at a time.
    """
    engine = _engine_of(header, rules, n_block=n_block)
    for entry in entries:
        if isinstance(entry, Tick):
            yield from engine.tick(entry.now_ms).transitions
        else:
            _take(engine, entry)
    yield from engine.flush().transitions


def _take(engine: Engine, entry: Input | Restored) -> None:
    if isinstance(entry, Restored):
        _restore(engine, entry)
    else:
        engine.consume(entry)


def _restore(engine: Engine, entry: Restored) -> None:
    path = (entry.folder or Path()) / entry.file
    if not path.is_file():
        raise PayloadError(f"{path}: expected the snapshot that this run began with; copy it beside its journal")
    found = snapshot.read(path)
    if found.digest != entry.digest:
        raise PayloadError(
            f"{path}: expected the snapshot {entry.digest} that this run began with, found {found.digest}"
        )
    try:
        restore(engine, found.state, entry.at_ms)
    except ValueError as error:
        raise PayloadError(f"{path}: {error}") from error


def _engine_of(header: Header, rules: Sequence[Rule], *, n_block: int = 1) -> Engine:
    """An engine as a recording began with it."""
    engine = Engine(rules, step_ms=header.step_ms, n_block=n_block, records=header.records)
    for alert in header.alerts:
        engine.consume(AlertAdded(alert))
    engine.alerts_loaded()
    if header.instruments:
        engine.load(header.instruments)
    return engine


def engine_at(
    header: Header, entries: Iterator[Entry], rules: Sequence[Rule], *, until_ms: int
) -> tuple[Engine, list[Transition]]:
    """The engine as it stood after the last tick at or before a time, and the transitions until then, oldest first.

    Nothing that came after that tick was consumed. Without any such tick the engine has not ticked at all.
    """
    engine = _engine_of(header, rules)
    transitions: list[Transition] = []
    waiting: list[Input | Restored] = []
    for entry in entries:
        if not isinstance(entry, Tick):
            waiting.append(entry)
            continue
        if entry.now_ms > until_ms:
            break
        for item in waiting:
            _take(engine, item)
        waiting.clear()
        transitions += engine.tick(entry.now_ms).transitions
    return engine, transitions


def paced(entries: Iterable[Entry], clock: BlockingClock) -> Iterator[Entry]:
    """The same entries, each tick no sooner after the first one than the clock says."""
    first_ms: int | None = None
    for entry in entries:
        if isinstance(entry, Tick):
            if first_ms is None:
                first_ms = entry.now_ms - int(clock.monotonic_ms())
            clock.block((entry.now_ms - first_ms - clock.monotonic_ms()) / 1000.0)
        yield entry


def replay_klines(series: Sequence[Klines], rules: Sequence[Rule]) -> Iterator[Transition]:
    """Run bars: every close of any symbol is a tick, and in a gap ticks go on until everything in it has expired."""
    interval_ms = series[0].interval_ms
    is_one_grid = all(k.interval_ms == interval_ms and not (k.close_ms % interval_ms).any() for k in series)
    asks_stale = any("stale" in functions_used(e) for r in rules if r.enabled for e in (r.when, r.end))
    if not is_one_grid or asks_stale:
        yield from _close_by_close(series, rules)
        return
    for item in run(rules, _grids(series)):
        if isinstance(item, Transition):
            yield item


def _grids(series: Sequence[Klines]) -> Iterator[BarGrid]:
    """Bars of one interval, in pieces."""
    step_ms = series[0].interval_ms
    first_ms = int(min(k.close_ms[0] for k in series))
    n_closes = (int(max(k.close_ms[-1] for k in series)) - first_ms) // step_ms + 1
    instruments = tuple(instrument(k.symbol) for k in series)
    for begin in range(0, n_closes, GRID_BARS):
        close_ms = first_ms + step_ms * np.arange(begin, min(begin + GRID_BARS, n_closes), dtype=np.int64)
        column = np.full((len(close_ms), len(series)), np.nan)
        for row, k in enumerate(series):
            a, b = np.searchsorted(k.close_ms, (close_ms[0], close_ms[-1] + 1))
            column[(k.close_ms[a:b] - close_ms[0]) // step_ms, row] = k.close[a:b]
        yield BarGrid(instruments, close_ms, step_ms, {"close": column})


def _close_by_close(series: Sequence[Klines], rules: Sequence[Rule]) -> Iterator[Transition]:
    """What no grid can say: bars of several lengths, and whether data is out of date."""
    step_ms = min(k.interval_ms for k in series)
    engine = Engine(rules, step_ms=step_ms, n_block=N_BLOCK, dtype="float64")
    first_ms = int(min(k.close_ms[0] for k in series)) - step_ms
    engine.consume(Listed(InstrumentList(VENUE, tuple(instrument(k.symbol) for k in series)), first_ms))
    valid_ms = [int(k.interval_ms * VALID_SHARE) for k in series]
    closes = [dict(zip(k.close_ms.tolist(), k.close.tolist(), strict=True)) for k in series]
    times = np.unique(np.concatenate([k.close_ms for k in series])).tolist()
    for i, now_ms in enumerate(times):
        for valid in sorted(set(valid_ms)):
            rows = [r for r, c in enumerate(closes) if valid_ms[r] == valid and now_ms in c]
            if rows:
                engine.consume(
                    Samples(
                        series="price",
                        rows=np.array(rows, dtype=np.int32),
                        time_ms=np.full(len(rows), now_ms, dtype=np.int64),
                        value=np.array([closes[r][now_ms] for r in rows]),
                        valid_ms=valid,
                        interval_ms=step_ms,
                    )
                )
        yield from engine.tick(now_ms).transitions
        until = min(times[i + 1] if i + 1 < len(times) else now_ms, now_ms + max(valid_ms) + step_ms)
        for idle_ms in range(now_ms + step_ms, until, step_ms):
            yield from engine.tick(idle_ms).transitions
    yield from engine.flush().transitions


def instrument(symbol: str) -> Instrument:
    """An instrument known by its symbol alone."""
    return by_symbol(VENUE, symbol)
