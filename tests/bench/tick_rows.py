"""Row 13: the slowest tick of an hour, in CPU time of its own thread, so that neighbours on the machine don't count.

A tick is what row 5 measures, with the polls of that second, at the default settings of the garbage collector. The hour
begins 75 s before a midnight: minutes, the hour and the day end in it.
"""

import gc
import statistics
import time
from collections.abc import Sequence

from tests.bench.engine_rows import consume, decoder, thresholds_from
from tests.bench.frames import T0
from tests.bench.harness import Context, Group, Result
from tests.bench.workload import N_EXPRESSIONS, Stage, both, draw, quiet, verify

LEAD_S = 75
N_TICKS = 3_600
N_QUICK = 150
N_LEFT_OUT = 10
"""First ticks: what is allocated once is no slow tick of an hour."""


def hour(context: Context) -> Sequence[Result]:
    windows = draw(N_EXPRESSIONS)
    stage = Stage()
    engine = stage.add("quiet", both(quiet(windows, thresholds_from(windows, context))))
    context.say("filling 24 hours")
    stage.fill(context.step, until_ms=T0 - LEAD_S * 1_000)
    decode = decoder(stage)
    n_ticks = N_QUICK if context.is_quick else N_TICKS
    spent: list[float] = []
    stamps: list[int] = []
    n_full = gc.get_stats()[2]["collections"]
    context.say(f"{n_ticks:,} ticks")
    for k in range(n_ticks + N_LEFT_OUT):
        polls, second = stage.peek_apart()
        frames = second.frames(stage.symbols)
        start = time.thread_time()
        if len(polls.rows):
            engine.consume(polls)
        consume(engine, decode(frames))
        engine.tick(second.at_ms)
        if k >= N_LEFT_OUT:
            spent.append(time.thread_time() - start)
            stamps.append(second.at_ms)
        context.step((k + 1) / (n_ticks + N_LEFT_OUT))
    verify(context, "row 13", stage, engine, windows)
    median, slowest = statistics.median(spent), max(spent)
    at_s = (stamps[spent.index(slowest)] - T0) // 1_000
    p99 = sorted(spent)[int(0.99 * len(spent))]
    note = (
        f"{n_ticks:,} ticks: median {median * 1e3:.3f} ms, p99 {p99 * 1e3:.3f} ms, max {slowest * 1e3:.3f} ms "
        f"at {at_s:+d} s from midnight; {gc.get_stats()[2]['collections'] - n_full} full collections"
    )
    return [Result("13", "slowest tick of an hour against the median", slowest / median, 10.0, "x", note=note)]


GROUPS = (Group(("13",), hour),)
