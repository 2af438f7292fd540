"""Row 14: what a day of ticks does to running sums, against two passes in long double over the same samples.

The samples are those that the engine stores, in single precision. Errors are relative to the value; where a value may
be zero by chance they are relative to its natural unit instead: of a mean the greater of itself and the standard
deviation, of a z-score the greater of itself and 1.
"""

from collections.abc import Sequence

import numpy as np

from tests.bench.harness import Context, Group, Result
from tests.bench.reference import FUNCTIONS, SERIES, compute
from tests.bench.workload import Stage, Window, only, values_of

N_INSTRUMENTS = 100
LENGTHS_S = (60, 900, 3_600, 14_400, 86_400)
N_TICKS = 86_400
N_QUICK = 300
MEANS = ("avg", "std", "zscore")


def day(context: Context) -> Sequence[Result]:
    windows = [Window(f, s, w) for f in FUNCTIONS for s in SERIES for w in LENGTHS_S]
    stage = Stage(N_INSTRUMENTS)
    engine = stage.add("day", only(windows))
    context.say("filling 24 hours")
    stage.fill(context.step)
    n_ticks = N_QUICK if context.is_quick else N_TICKS
    context.say(f"{n_ticks:,} ticks")
    for k in range(n_ticks):
        engine.tick(stage.next().at_ms)
        if k % 100 == 0:
            context.step(k / n_ticks)
    worst = dict.fromkeys(MEANS, (0.0, ""))
    n_off, off = 0, ""
    for window in windows:
        got = values_of(engine, window).astype(np.longdouble)
        want = compute(stage.past, window.function, window.series, window.seconds, np.longdouble)
        if (np.isnan(got) != np.isnan(want)).any():
            context.wrong.append(f"row 14: {window.text} is known where it should not be, or the other way round")
            continue
        if window.function == "avg":
            # Of a flat window the engine gives the newest value as it came, before it was rounded for storing.
            got = np.where(got == newest(stage, window), got.astype(np.float32), got)
        if window.function in MEANS:
            # A flat window gives 0/0, which is no error; anything else over zero is infinite, which is.
            with np.errstate(divide="ignore", invalid="ignore"):
                error = float(np.nanmax(np.abs(got - want) / unit(stage, window, want), initial=0))
            worst[window.function] = max(worst[window.function], (error, window.text))
        elif n := int((~exact(stage, window, got, want) & ~np.isnan(want)).sum()):
            n_off, off = n_off + n, off or window.text
    where = ", ".join(f"{name} {error:.1e} in {text}" for name, (error, text) in worst.items())
    span = f"{n_ticks:,} ticks of {N_INSTRUMENTS} instruments"
    error = max(error for error, _ in worst.values())
    return [
        Result("14", "mean, std, zscore after 24 h: relative error", error, 1e-6, "", note=f"{span}: {where}"),
        Result("14", "pct, min, max, delta after 24 h: values not exact", n_off, 0, "", note=off or span),
    ]


def unit(stage: Stage, window: Window, want: np.ndarray) -> np.ndarray:
    if window.function == "zscore":
        return np.maximum(np.abs(want), 1)
    if window.function == "avg":
        return np.maximum(np.abs(want), compute(stage.past, "std", window.series, window.seconds, np.longdouble))
    return np.abs(want)


def newest(stage: Stage, window: Window) -> np.ndarray:
    return getattr(stage.past.seconds[-1], window.series)


def exact(stage: Stage, window: Window, got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """A change is computed in double precision from the stored ends. An extreme is a stored value, or the newest as it
    came where that is the extreme.
    """
    if window.function in {"min", "max"}:
        came = newest(stage, window)
        return (got == want) | ((got == came) & (came.astype(np.float32) == want))
    return got == compute(stage.past, window.function, window.series, window.seconds)


GROUPS = (Group(("14",), day),)
