"""Rows 1 to 5 and 12: frame to columns, push, expressions, rules, the whole tick.

Rows 1 to 4 share their rounds and diagnose row 5, which has rounds of its own, with J alone beside it. They are taken at
the engine's own seams:

- row 2 is the prices into the newest samples, the rows of all grids written, and all sums and extrema following them,
- row 3 is the values of all expressions, once the windows have followed,
- row 4 is which cells of a thousand two-condition rules are true, once the values are there. Moving the alerts of those
  cells is in row 5; how long the whole tick takes with the worst thresholds is shown beside it.

The open interest of each instrument is polled once a minute; polls are given to the engines between the timed parts.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import orjson

from bot.engine.engine import Engine
from bot.feeds.binance.protocol import Protocol
from bot.model.updates import MarkPrices
from tests.bench.harness import Context, Group, Result, Times, median_ms, ratio, rounds
from tests.bench.workload import (
    N_EXPRESSIONS,
    Pairs,
    Stage,
    Window,
    both,
    draw,
    only,
    quiet,
    verify,
    verify_rules,
    worst,
)

Work = tuple[str, Callable[[], object]]
N_MANY = 1_000
N_J = 3
"""Before and again after the candidates of a round."""
MINUTE_S, DAY_S = 60, 86_400


def decoder(stage: Stage) -> Callable[[Sequence[bytes]], list[MarkPrices]]:
    """Frames to columns, through the protocol as a connection uses it."""
    engine = next(iter(stage.engines.values()))
    protocol = Protocol(engine.market.universe.venue("binance"))

    def decode(frames: Sequence[bytes]) -> list[MarkPrices]:
        return [u for f in frames for u in protocol.receive(f, 0.0).updates if isinstance(u, MarkPrices)]

    return decode


def thresholds_from(windows: Sequence[Window], context: Context) -> list:
    """Values of the expressions at the end of the history, to put thresholds beside them."""
    context.say("history for the thresholds")
    stage = Stage()
    stage.fill()
    return stage.expected(windows)


def js(frames: Sequence[bytes], when: str) -> Iterator[Work]:
    """J of a round, a few times over: one that a collection or a neighbour fell into must not count."""
    for k in range(N_J):
        yield f"J {when} {k}", lambda: [orjson.loads(f) for f in frames]


def j_times(times: Times) -> list[float]:
    """J per round: the median of its times."""
    every = [spent for name, spent in times.items() if name.startswith("J ")]
    return [statistics.median(of_round) for of_round in zip(*every, strict=True)]


def push(engine: Engine, batches: Sequence[MarkPrices], now_ms: int) -> None:
    """All that happens before the first value is computed."""
    consume(engine, batches)
    engine.market.advance(now_ms)
    engine.market.follow(now_ms)


def consume(engine: Engine, batches: Sequence[MarkPrices]) -> None:
    for batch in batches:
        engine.consume(batch)


def parts(context: Context) -> list[Result]:
    """Rows 1 to 4."""
    windows, many = draw(N_EXPRESSIONS), draw(N_MANY)
    stage = Stage()
    stage.add("expressions", only(windows))
    pairs: dict[str, Pairs] = {}
    if context.wants("4"):
        values = thresholds_from(windows, context)
        pairs = {"quiet": quiet(windows, values), "worst": worst(windows, values)}
        for name, chosen in pairs.items():
            stage.add(name, both(chosen))
    if context.wants("3") and not context.is_quick:
        stage.add("many", only(many))
    context.say("filling 24 hours")
    stage.fill(context.step)
    decode = decoder(stage)
    now_ms = stage.next().at_ms
    for name, engine in stage.engines.items():
        engine.tick(now_ms)
        if name in pairs:
            verify_rules(context, f"row 4, {name}", stage, engine, pairs[name])
    verify(context, "row 3", stage, stage.engines["expressions"], windows)
    if "many" in stage.engines:
        verify(context, "row 3, 1,000", stage, stage.engines["many"], many)

    def works(_: int) -> Iterator[Work]:
        second = stage.peek()
        frames = second.frames(stage.symbols)
        yield from js(frames, "before")
        yield "decode", lambda: decode(frames)
        for name, engine in stage.engines.items():
            batches = second.marks()
            yield f"push {name}", lambda e=engine, b=batches, now=second.at_ms: push(e, b, now)
            if name not in pairs:
                yield f"evaluate {name}", lambda e=engine, now=second.at_ms, o=outs[name]: e.market.compute(now, o)
            yield name, lambda e=engine, now=second.at_ms: e.tick(now)
            if name in pairs:
                yield f"rules {name}", lambda e=engine: e._walker.true_cells(e._block)
        yield from js(frames, "after")

    outs = {n: np.empty((len(e.market.windows.leaves), e.market.n_rows)) for n, e in stage.engines.items()}
    context.say("rounds")
    times = rounds(context, works)
    verify(context, "row 3, after the rounds", stage, stage.engines["expressions"], windows)
    return _parts_results(context, times)


def _parts_results(context: Context, times: Times) -> list[Result]:
    j = j_times(times)

    def result(row: str, name: str, spent: Sequence[float], goal: float) -> Result:
        note = f"{median_ms(spent):.3f} ms; J {median_ms(j):.3f} ms"
        return Result(row, name, ratio(spent, j), goal, "J", note=note)

    found = [
        result("1", "frame to columns", times["decode"], 1.0),
        result("2", "push into all windows, 5 series", times["push expressions"], 0.2),
        result("3", "100 distinct expressions", times["evaluate expressions"], 0.7),
    ]
    if "evaluate many" in times:
        found.append(result("3", "1,000 distinct expressions", times["evaluate many"], 5.0))
    if "quiet" in times:
        found.append(result("4", "1,000 two-condition rules, quiet", times["rules quiet"], 0.6))
        found.append(result("4", "1,000 two-condition rules, worst thresholds", times["rules worst"], 3.5))
    return [r for r in found if context.wants(r.row)]


def whole(context: Context) -> list[Result]:
    """Row 5: both frames decoded and consumed, then one tick."""
    windows = draw(N_EXPRESSIONS)
    stage = Stage()
    pairs = quiet(windows, thresholds_from(windows, context))
    engine = stage.add("quiet", both(pairs))
    context.say("filling 24 hours")
    stage.fill(context.step)
    decode = decoder(stage)
    engine.tick(stage.next().at_ms)
    verify(context, "row 5", stage, engine, windows)
    verify_rules(context, "row 5", stage, engine, pairs)

    def works(_: int) -> Iterator[Work]:
        second = stage.peek()
        frames = second.frames(stage.symbols)

        def tick() -> None:
            consume(engine, decode(frames))
            engine.tick(second.at_ms)

        yield from js(frames, "before")
        yield "tick", tick
        yield from js(frames, "after")

    context.say("rounds")
    times = rounds(context, works)
    verify(context, "row 5, after the rounds", stage, engine, windows)
    j = j_times(times)
    note = f"{median_ms(times['tick']):.3f} ms; J {median_ms(j):.3f} ms"
    name = "whole tick: decode, push, 100 expressions, 1,000 rules, life cycle"
    return [Result("5", name, ratio(times["tick"], j), 2.2, "J", note=note)]


def long_windows(context: Context) -> list[Result]:
    """Row 12: a tick over windows of about a day against one over windows of about a minute, same functions and series."""
    stage = Stage()
    lengths = {"1m": (MINUTE_S, MINUTE_S - 1, MINUTE_S + 1), "24h": (DAY_S, DAY_S - 60, DAY_S - 120)}
    drawn = {name: draw(N_EXPRESSIONS, lengths_s=seconds) for name, seconds in lengths.items()}
    for name, windows in drawn.items():
        stage.add(name, only(windows))
    context.say("filling 24 hours")
    stage.fill(context.step)
    second = stage.next()
    for name, engine in stage.engines.items():
        engine.tick(second.at_ms)
        verify(context, f"row 12, {name}", stage, engine, drawn[name])

    def works(_: int) -> Iterator[Work]:
        second = stage.next()
        for name, engine in stage.engines.items():
            yield name, lambda e=engine, now=second.at_ms: e.tick(now)

    context.say("rounds")
    times = rounds(context, works)
    note = f"{median_ms(times['24h']):.3f} ms against {median_ms(times['1m']):.3f} ms"
    return [
        Result("12", "100 expressions over 24 h against 1 m", ratio(times["24h"], times["1m"]), 1.3, "x", note=note)
    ]


GROUPS = (Group(("1", "2", "3", "4"), parts), Group(("5",), whole), Group(("12",), long_windows))
