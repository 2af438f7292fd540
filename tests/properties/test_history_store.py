"""The store against the slow way: whatever is added, put together and thrown away, in any order, and wherever a crash comes."""

import contextlib
import itertools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.history.files import Files
from bot.history.store import Store
from bot.model.history import BAR_MS
from bot.storage.memory_history import MemoryHistoryIndex
from tests.support.bars import DAY_MS, T0, Slow, bar, known_cells, rows_of

KEYS = ("binance:AUSDT", "binance:BUSDT", "binance:币USDT")
VALUES = itertools.count(1)
"""No two bars are the same: the same bars again would add nothing."""


class Crash(BaseException):
    """The machine is off."""


@dataclass
class CrashingFiles(Files):
    """Steps on the disk, the last of which is not taken, or is and nobody hears of it."""

    left: int = 1 << 30
    is_after: bool = False
    n_taken: int = field(default=0)

    def _step(self, take):
        self.n_taken += 1
        self.left -= 1
        if self.left < 0:
            raise Crash
        if self.left == 0:
            if self.is_after:
                take()
            raise Crash
        take()

    def rename(self, old, new):
        self._step(lambda: Files.rename(self, old, new))

    def unlink(self, path):
        self._step(lambda: Files.unlink(self, path))


class CrashingIndex(MemoryHistoryIndex):
    """Each call is one transaction; the machine may go off before or after it."""

    def __init__(self, files):
        super().__init__()
        self._files = files

    def add(self, part):
        done = []
        self._files._step(lambda: done.append(MemoryHistoryIndex.add(self, part)))
        return done[0]

    def swap(self, gone, new):
        done = []
        self._files._step(lambda: done.append(MemoryHistoryIndex.swap(self, gone, new)))
        return done[0]


@st.composite
def additions(draw):
    kind = draw(st.sampled_from(["live", "live", "import", "fill"]))
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True))
    first = draw(st.sampled_from([1, 2, 1438, 1440, 2879, 44_638]))
    n = draw(st.integers(1, 4))
    cells = {}
    for key in keys:
        for minute in range(first, first + n):
            value = float(next(VALUES))
            more = draw(
                st.sampled_from([{}, {"volume": value}, {"oi": value, "oi_ms": value * 1e3, "oi_valid_ms": 9.0}])
            )
            cells[key, T0 + minute * BAR_MS] = draw(st.sampled_from([bar(value, **more), {"funding": value, **more}]))
    return "add", kind, cells


STEPS = st.one_of(
    additions(),
    additions(),
    st.tuples(st.just("compact"), st.sampled_from([T0, T0 + DAY_MS, T0 + 2 * DAY_MS, T0 + 60 * DAY_MS])),
    st.tuples(st.just("recover")),
)


def took(store, slow, step):
    if step[0] == "add":
        store.add(rows_of(step[2]), source=step[1])
        slow.add(step[2], step[1])
    elif step[0] == "compact":
        store.compact(before_ms=step[1])
    else:
        store.recover()


def cells(store):
    return known_cells(store, KEYS, T0, T0 + 40 * DAY_MS)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(STEPS, min_size=1, max_size=8))
def test_every_cell_is_that_of_the_strongest_and_then_the_latest_however_it_is_kept_in_order(steps):
    with tempfile.TemporaryDirectory() as folder:
        store, slow = Store(Path(folder), MemoryHistoryIndex()), Slow()
        for step in steps:
            took(store, slow, step)
        assert cells(store) == slow.cells()
        store.compact(before_ms=T0 + 60 * DAY_MS)
        assert cells(store) == slow.cells()
        assert all(part.place for part in store.index.parts())
        held = {part.name for part in store.index.parts()}
        assert {path.name for path in (Path(folder) / "parts").iterdir()} == held


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(STEPS, min_size=1, max_size=6), st.integers(1, 25), st.booleans())
def test_a_crash_at_any_step_loses_nothing_that_was_added_and_makes_nothing_up(steps, at, is_after):
    with tempfile.TemporaryDirectory() as folder:
        files = CrashingFiles(left=at, is_after=is_after)
        index, slow = CrashingIndex(files), Slow()
        store = Store(Path(folder), index, files=files)
        interrupted = None
        with contextlib.suppress(Crash):
            for step in [*steps, ("compact", T0 + 60 * DAY_MS)]:
                interrupted = step
                took(store, slow, step)
                interrupted = None
        files.left = 1 << 30
        store = Store(Path(folder), index, files=Files())
        store.recover()
        found = cells(store)
        if interrupted is not None and interrupted[0] == "add" and found != slow.cells():
            # It was on the disk, and only nobody had heard of it.
            slow.add(interrupted[2], interrupted[1])
        assert found == slow.cells()
        store.compact(before_ms=T0 + 60 * DAY_MS)
        assert cells(store) == slow.cells()
        held = {part.name for part in store.index.parts()}
        assert {path.name for path in (Path(folder) / "parts").iterdir()} == held
