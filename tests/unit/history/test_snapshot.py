"""The file: what is read is what was written, or an older whole state, or a clear refusal; never anything else."""

import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Placed
from bot.engine.snapshots import Tracker, restore
from bot.errors import PayloadError
from bot.history.snapshot import MAGIC, SnapshotFile, encoded, read, set_aside
from bot.market.state import Head, Mark, Piece, State, state_of
from bot.model.instrument import Instrument
from bot.model.updates import Bars, InstrumentList, Liquidations, MarkPrices
from bot.rules.loader import load_text

T0 = 1_767_225_600_000
RULES = load_text(
    "r.yaml",
    "version: 1\nrules:\n- {id: a, when: 'crosses(price, 10)'}\n- {id: b, when: 'sum(volume, 10m) > sum(liq_long, 5m)'}\n"
    "- {id: c, scope: {top: 1, by: oi_usd}, when: 'price > 1'}\n",
).rules


def play(engine, seconds, now, seed):
    rng = np.random.default_rng(seed)
    rows = np.arange(3, dtype=np.int32)
    for _ in range(seconds):
        now += 1_000
        at = np.full(3, now, dtype=np.int64)
        price = 10 + rng.normal(0, 1, 3)
        engine.consume(MarkPrices(rows, price, price * 1.001, np.full(3, 1e-4), at, at, 0.0))
        engine.consume(Placed(int(rng.integers(0, 3)), 1e6, now, now, 15_000))
        engine.consume(Liquidations(rows[:1], at[:1] - 1_500, price[:1], np.array([True]), 0.0))
        if now % 60_000 == 0:
            engine.consume(Bars(rows, at, price * 1e3, price * 1e2, 60_000, 0.0))
        engine.tick(now)
    return now


def make_parts():
    """A whole copy and two appended ones, with the bytes at which each is complete."""
    engine = Engine(RULES)
    listed = tuple(Instrument("binance", f"{b}USDT", "perpetual", b, "USDT", "TRADING") for b in ("A", "币安", "C"))
    engine.consume(Listed(InstrumentList("binance", listed), T0))
    now = play(engine, 130, T0, 1)
    tracker = Tracker(engine)
    groups = [[tracker.begin(), *tracker.log(), *tracker.step(1 << 60)]]
    for seed in (2, 3):
        now = play(engine, 40, now, seed)
        tracker.go_on()
        groups.append(tracker.step(1 << 60))
    return groups


GROUPS = make_parts()
RAW = MAGIC + b"".join(encoded(p) for g in GROUPS for p in g)
ENDS = np.cumsum([len(MAGIC), *(sum(len(encoded(p)) for p in g) for g in GROUPS)]).tolist()
STATES = [state_of(p for g in GROUPS[: n + 1] for p in g) for n in range(len(GROUPS))]


def same(one: State, other: State) -> bool:
    if (one.head, one.mark) != (other.head, other.mark):
        return False
    for name, ring in one.rings.items():
        for mine, theirs in zip(ring.planes, other.rings[name].planes, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert one.tables.keys() == other.tables.keys()
    for name, arrays in one.tables.items():
        for mine, theirs in zip(arrays, other.tables[name], strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(one.events() or (), other.events() or (), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    return True


@pytest.fixture
def file(tmp_path):
    made = SnapshotFile(tmp_path / "s" / "windows.ois")
    yield made
    made.close()


def put(file, *groups):
    for group in groups:
        for part in group:
            file.put(part)


def test_what_is_read_is_what_was_written(file):
    for n, group in enumerate(GROUPS):
        put(file, group)
        found = read(file.path)
        assert same(found.state, STATES[n])
        assert found.n_ignored == 0
    assert file.path.read_bytes() == RAW
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert [p.name for p in file.path.parent.iterdir()] == ["windows.ois"]
    assert restore(Engine(RULES), read(file.path).state, T0 + 300_000) == 3


def test_a_copy_under_way_does_not_touch_the_last_one(file):
    put(file, GROUPS[0], GROUPS[1])
    put(file, GROUPS[0][:-1])
    assert same(read(file.path).state, STATES[1])
    file.abort()
    assert [p.name for p in file.path.parent.iterdir()] == ["windows.ois"]
    put(file, GROUPS[2])
    assert same(read(file.path).state, STATES[2])


def test_an_append_given_up_leaves_no_trace(file):
    put(file, GROUPS[0])
    put(file, GROUPS[1][:-1])
    assert read(file.path).n_ignored > 0
    file.abort()
    assert file.path.read_bytes() == RAW[: ENDS[1]]
    put(file, GROUPS[1])
    assert file.path.read_bytes() == RAW[: ENDS[2]]


def test_what_a_dead_process_left_half_written_is_taken_away(file):
    file.path.parent.mkdir()
    file.path.with_name("windows.ois.new").write_bytes(b"half")
    put(file, GROUPS[0])
    assert [p.name for p in file.path.parent.iterdir()] == ["windows.ois"]


def test_nothing_is_appended_to_the_file_of_another_run(file):
    with pytest.raises(FileNotFoundError, match="nothing to append to"):
        put(file, GROUPS[1])


@settings(max_examples=300, deadline=None)
@given(n=st.integers(0, len(RAW)))
def test_cut_at_any_byte_it_is_an_older_whole_state_or_refused(tmp_path_factory, n):
    path = tmp_path_factory.mktemp("cut") / "s"
    path.write_bytes(RAW[:n])
    if n < ENDS[1]:
        with pytest.raises(PayloadError, match="expected"):
            read(path)
        return
    found = read(path)
    newest = max(k for k in range(3) if ENDS[k + 1] <= n)
    assert same(found.state, STATES[newest])
    assert found.n_ignored == n - ENDS[newest + 1]


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(RAW) - 1), bit=st.integers(0, 7))
def test_one_wrong_bit_anywhere_is_an_older_whole_state_or_refused(tmp_path_factory, at, bit):
    raw = bytearray(RAW)
    raw[at] ^= 1 << bit
    path = tmp_path_factory.mktemp("bit") / "s"
    path.write_bytes(raw)
    if at < ENDS[1]:
        with pytest.raises(PayloadError, match="expected"):
            read(path)
        return
    newest = max(k for k in range(3) if ENDS[k + 1] <= at)
    assert same(read(path).state, STATES[newest])


def a_head(**other):
    head = GROUPS[0][0]
    fields = ("step_ms", "dtype", "n_rows", "rings", "instruments", "gauges")
    return Head(**{**{f: getattr(head, f) for f in fields}, **other})


MARK = GROUPS[0][-1]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "found an empty file"),
        (b"SQLite format 3\0", "found another kind of file"),
        (b"oibot snapshot 2\nmore", "expected version 1 of the snapshot, found version 2"),
        (MAGIC, "found 0 sound blocks"),
        (MAGIC + encoded(MARK), "found 1 sound blocks"),
        (MAGIC + b"".join(encoded(p) for p in (a_head(), a_head(), MARK)), "a second head"),
        (MAGIC + encoded(a_head()) + encoded(MARK), "arrays of"),
        (MAGIC + encoded(a_head(gauges=["price"])) + encoded(MARK), "other gauges"),
        (MAGIC + encoded(a_head(rings={})) + encoded(MARK), "damaged"),
        (MAGIC + encoded(a_head(dtype="no such")) + encoded(MARK), "damaged"),
        (
            MAGIC + encoded(a_head()) + encoded(Piece("rows", "1000:price", (np.zeros((1, 9)),))) + encoded(MARK),
            "damaged",
        ),
        (MAGIC + encoded(a_head()) + encoded(Piece("rows", "nowhere", ())) + encoded(MARK), "damaged"),
    ],
)
def test_what_is_no_snapshot_is_refused_with_what_was_expected_and_found(tmp_path, raw, says):
    path = tmp_path / "s"
    path.write_bytes(raw)
    with pytest.raises(PayloadError, match=says):
        read(path)


def test_arrays_of_every_kind_come_back(tmp_path):
    arrays = (
        np.zeros((0, 4)),
        np.array([[np.nan, np.inf, -0.0]] * 3, dtype=np.float32),
        np.arange(-5, 5, dtype=np.int64),
        np.array([True, False, True]),
        np.random.default_rng(1).normal(size=(100, 50)),
        np.full((50, 3), 65_535, dtype=np.uint16),
        np.array([255], dtype=np.uint8),
    )
    path = tmp_path / "s"
    path.write_bytes(MAGIC + b"".join(encoded(p) for p in (*GROUPS[0][:-1], Piece("table", "t", arrays), MARK)))
    found = read(path).state.tables["t"]
    for mine, theirs in zip(found, arrays, strict=True):
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
        assert mine.tobytes() == theirs.tobytes()


def test_only_the_newest_few_damaged_files_are_kept(tmp_path):
    path = tmp_path / "windows.ois"
    for k in range(5):
        path.write_text(str(k))
        set_aside(path, T0 + k)
    assert sorted(p.read_text() for p in tmp_path.iterdir()) == ["3", "4"]


def test_the_marks_are_the_ends_of_groups():
    assert [isinstance(g[-1], Mark) for g in GROUPS] == [True] * 3
