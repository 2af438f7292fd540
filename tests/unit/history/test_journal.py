"""A recorded run can be had again, byte for byte, also after a crash cut it short."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bot.cli.replay import line
from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Placed, Reset, RulesChanged, Samples
from bot.engine.snapshots import Tracker, restore
from bot.errors import PayloadError
from bot.history.journal import MAGIC, Header, JournalWriter, Tick, is_journal, read, read_all
from bot.history.recorded_rules import rules_of as rules_of_files
from bot.history.replay import paced, replay_journal
from bot.history.snapshot import SnapshotFile
from bot.history.snapshot import read as read_snapshot
from bot.model.updates import History, InstrumentChange, InstrumentList, MarkPrices, Tickers

T0 = 1_767_225_600_000
RULES = "- {id: jump, when: 'pct(price, 10s) >= 3%', clear: 'pct(price, 10s) < 1%', cooldown: 5s}\n"


def marks(now, prices, rows=None):
    n = len(prices)
    return MarkPrices(
        rows=np.arange(n, dtype=np.int32) if rows is None else np.array(rows, dtype=np.int32),
        price=np.array(prices, dtype=np.float64),
        index=np.array(prices, dtype=np.float64),
        funding=np.full(n, np.nan),
        next_funding_ms=np.zeros(n, dtype=np.int64),
        event_ms=np.full(n, now, dtype=np.int64),
        received_ms=0.0,
    )


def writer(folder, header, **bounds):
    options = {"rotate_bytes": 1 << 30, "max_bytes": 1 << 30, **bounds}
    return JournalWriter(
        folder, header=header, refresh=lambda: replace(header, continues=True), started_ms=T0, **options
    )


def header(instruments=(), records=()):
    rules = {"r.yaml": "version: 1\nrules:\n" + RULES}
    return Header(1_000, rules, ["main", "console"], list(instruments), list(records), continues=False)


def test_every_kind_of_entry_comes_back_as_it_was(tmp_path, perpetual):
    entries = [
        Listed(InstrumentList("binance", (perpetual("A"), perpetual("币安人生"))), T0),
        Listed(InstrumentChange(perpetual("B")), T0),
        marks(T0, [1.5, 2.5]),
        Tickers(np.array([1], dtype=np.int32), np.array([7.0]), np.array([T0]), 0.0),
        Placed(1, 3.25, T0, T0 - 5, 15_000),
        Samples("oi", np.array([0], dtype=np.int32), np.array([T0]), np.array([4.0]), 90_000, 60_000),
        History(0, "oi", np.array([T0 - 1]), np.array([9.0]), 450_000),
        Reset(T0),
    ]
    journal = writer(tmp_path, header())
    for entry in entries:
        journal.record(entry)
    journal.tick(T0 + 1)
    journal.close()

    head, found = read(journal.path)
    back = list(found)

    assert head == header()
    assert back[-1] == Tick(T0 + 1)
    assert [repr(e) for e in back[:-1]] == [repr(e) for e in entries]


def run_and_record(folder, rules, instruments, **bounds):
    """A jumpy market through an engine and into a journal; returns what the run itself said."""
    engine = Engine(rules)
    journal = writer(folder, header(), **bounds)
    rng = np.random.default_rng(5)
    price = np.ones(len(instruments))
    said = []

    def give(item):
        journal.record(item)
        engine.consume(item)

    give(Listed(InstrumentList("binance", tuple(instruments)), T0))
    for second in range(400):
        now = T0 + second * 1_000 + int(rng.integers(0, 400))
        price *= np.exp(rng.standard_t(2, len(price)) * 0.004)
        if second % 50 < 42:
            give(marks(now, price))
        if second % 7 == 0:
            give(marks(now - 2_500, price))  # a straggler
        said += [line(t) for t in engine.tick(now).transitions]
        journal.tick(now)
    journal.close()
    return said, sorted(folder.glob("*.oij"))


def test_a_replay_gives_the_same_alerts_byte_for_byte(tmp_path, rules_of, perpetual):
    rules = rules_of(RULES)
    said, files = run_and_record(tmp_path, rules, [perpetual(b) for b in "ABC"])
    head, entries = read_all(files)

    again = [line(t) for t in replay_journal(head, entries, rules)]

    assert again == said
    assert sum(json.loads(x)["state"] == "firing" for x in said) >= 5


INHIBITING = """
- {id: wide, per: market, when: 'count(price >= 1.01) >= 2', cooldown: 0s, inhibits: [one]}
- {id: one, when: price >= 1.01, cooldown: 0s, escalate: 0.02, message: '{{ base }} {{ value }}', tags: [t], silent: true}
"""


def test_a_replay_tells_what_the_run_told(tmp_path, rules_of, perpetual):
    """Also where it begins in the middle, with what was held back until then."""
    rules, instruments = rules_of(INHIBITING), [perpetual(b) for b in "ABC"]
    engine = Engine(rules)
    rng = np.random.default_rng(7)
    price = np.ones(3)
    journals = []

    def begin(records):
        listed = list(engine.market.universe.items())
        made = writer(tmp_path / str(len(journals)), header(listed, records))
        journals.append((made, []))
        return made

    journal = begin(())
    for second in range(600):
        if second == 0:
            item = Listed(InstrumentList("binance", tuple(instruments)), T0)
            journal.record(item)
            engine.consume(item)
        if second == 301:
            journal.close()
            journal = begin(list(engine.records()))
        now = T0 + second * 1_000
        price = 1.0 + 0.9 * (price - 1.0) + rng.normal(0, 0.006, 3)
        item = marks(now, price)
        journal.record(item)
        engine.consume(item)
        journals[-1][1].extend(engine.tick(now).notices)
        journal.tick(now)
    journal.close()

    everything = [n for _, said in journals for n in said]
    assert any(n.view.held_back for n in everything)
    assert any(n.kind == "fire" and n.view.at_ms > n.view.fired_ms for n in everything), "one was told late"
    assert any(r.n_held for r in read(journals[1][0].path)[0].records), "something is held back when the second begins"
    for made, said in journals:
        head, entries = read(made.path)
        again = Engine(rules, step_ms=head.step_ms, records=head.records)
        if head.instruments:
            again.load(head.instruments)
        told = []
        for entry in entries:
            if isinstance(entry, Tick):
                told += again.tick(entry.now_ms).notices
            else:
                again.consume(entry)
        # What began in the middle has not seen what lies before: its figures differ, what it tells does not.
        if not head.records:
            assert told == said
        facts = [[(n.key, n.kind, n.n, n.at_ms, n.view.held_back) for n in x] for x in (told, said)]
        assert facts[0] == facts[1]


@pytest.mark.parametrize("n_block", [1, 7, 64, 1_000])
def test_the_size_of_blocks_changes_no_byte(n_block, tmp_path, rules_of, perpetual):
    rules = rules_of(RULES)
    said, files = run_and_record(tmp_path, rules, [perpetual(b) for b in "ABC"])
    head, entries = read_all(files)

    assert [line(t) for t in replay_journal(head, entries, rules, n_block=n_block)] == said


class Waits:
    """A clock that waits at once, a little too long each time, and remembers when it stood where."""

    def __init__(self):
        self.now_ms = 500.0
        self.stops = []

    def monotonic_ms(self):
        return self.now_ms

    def block(self, seconds):
        self.now_ms += max(seconds, 0.0) * 1_000.0 + 0.5
        self.stops.append(round(self.now_ms - 500.0))


def test_a_paced_replay_waits_for_each_tick_and_changes_no_byte(tmp_path, rules_of, perpetual):
    rules = rules_of(RULES)
    said, files = run_and_record(tmp_path, rules, [perpetual(b) for b in "ABC"])
    head, entries = read_all(files)
    clock = Waits()

    assert [line(t) for t in replay_journal(head, paced(entries, clock), rules)] == said

    _, entries = read_all(files)
    ticks = [e.now_ms for e in entries if isinstance(e, Tick)]
    assert len(clock.stops) == len(ticks)
    late_ms = [stop - (now - ticks[0]) for stop, now in zip(clock.stops, ticks, strict=True)]
    assert min(late_ms) >= 0
    assert max(late_ms) <= 1, "waiting too long is not added up"


def test_files_of_one_run_replay_as_one_run(tmp_path, rules_of, perpetual):
    rules = rules_of(RULES)
    said, files = run_and_record(tmp_path, rules, [perpetual(b) for b in "ABC"], rotate_bytes=5_000)
    assert len(files) > 3
    head, entries = read_all(files)

    assert [line(t) for t in replay_journal(head, entries, rules)] == said


def test_a_journal_cut_anywhere_gives_the_beginning_of_the_run(tmp_path, rules_of, perpetual):
    rules = rules_of(RULES)
    said, (file,) = run_and_record(tmp_path, rules, [perpetual(b) for b in "AB"])
    whole = file.read_bytes()
    for cut in (len(whole) - 1, len(whole) - 1_000, len(whole) // 2, len(whole) // 3):
        file.write_bytes(whole[:cut])
        head, entries = read_all([file])
        part = [line(t) for t in replay_journal(head, entries, rules)]
        assert part == said[: len(part)]


def test_a_run_that_died_at_once_leaves_a_journal_without_entries(tmp_path):
    held = writer(tmp_path, header())
    found, entries = read(held.path)
    assert (found, list(entries)) == (header(), [])
    held.close()


def test_the_oldest_files_go_when_the_folder_is_full(tmp_path, rules_of, perpetual):
    _, files = run_and_record(
        tmp_path, rules_of(RULES), [perpetual(b) for b in "ABC"], rotate_bytes=4_000, max_bytes=15_000
    )

    assert sum(f.stat().st_size for f in files) <= 25_000
    assert not (tmp_path / f"{T0}-0001.oij").exists()


def test_files_of_earlier_runs_count_though_none_was_full_and_whatever_their_clock_said(tmp_path):
    for name in ("1000-0001.oij", "2000-0001.oij", "99999999999999-0001.oij"):
        (tmp_path / name).write_bytes(b"x" * 6_000)
    writer(tmp_path, header(), max_bytes=14_000).close()
    left = {f.name for f in tmp_path.iterdir()}
    assert left == {"2000-0001.oij", "99999999999999-0001.oij", f"{T0}-0001.oij"}
    writer(tmp_path / "new", header(), max_bytes=1).close()
    assert (tmp_path / "new" / f"{T0}-0001.oij").exists(), "never the one being written"


def test_a_replay_starts_from_the_alerts_that_were_stored(tmp_path, rules_of, perpetual):
    """What was firing when the recording began ends with the id it had."""
    rules = rules_of("- {id: level, when: price >= 100}\n")
    engine = Engine(rules)
    engine.consume(Listed(InstrumentList("binance", (perpetual("A"),)), T0))
    engine.consume(marks(T0, [101.0]))
    fired = engine.tick(T0)
    journal = writer(tmp_path, header([(0, perpetual("A"))], fired.records))
    journal.record(marks(T0 + 60_000, [99.0]))
    journal.tick(T0 + 60_000)
    journal.close()

    head, entries = read(journal.path)
    (ended,) = replay_journal(head, entries, rules)

    assert (ended.state.value, ended.key) == ("resolved", fired.transitions[0].key)


def resumed_run(folder, rules, instruments):
    """A run that begins with the windows of another; returns what it said and its journals."""
    before = Engine(rules)
    before.consume(Listed(InstrumentList("binance", tuple(instruments)), T0 - 60_000))
    for ago in range(59, -1, -1):
        before.consume(marks(T0 - ago * 1_000, [100.0 + ago] * len(instruments)))
        before.tick(T0 - ago * 1_000)
    file = SnapshotFile(folder / "windows.ois")
    tracker = Tracker(before)
    for part in (tracker.begin(), *tracker.step(1 << 60)):
        file.put(part)
    file.close()
    found = read_snapshot(file.path)
    engine = Engine(rules, records=before.records())
    journal = writer(folder / "j", header(records=before.records()), rotate_bytes=6_000)
    restore(engine, found.state, T0 + 3_000)
    journal.restored(file.path, found.digest, T0 + 3_000)
    file.path.unlink()
    said = []
    rng = np.random.default_rng(3)
    for second in range(4, 200):
        now = T0 + second * 1_000
        batch = marks(now, 100.0 * np.exp(rng.normal(0, 0.03, len(instruments))))
        journal.record(batch)
        engine.consume(batch)
        said += [line(t) for t in engine.tick(now).transitions]
        journal.tick(now)
    journal.close()
    return said, sorted((folder / "j").glob("*.oij"))


@pytest.mark.parametrize("n_block", [1, 64])
def test_a_run_that_began_with_a_snapshot_replays_byte_for_byte(n_block, tmp_path, rules_of, perpetual):
    rules = rules_of(RULES)
    said, files = resumed_run(tmp_path, rules, [perpetual(b) for b in "ABC"])
    assert len(files) > 1
    head, entries = read_all(files)

    assert [line(t) for t in replay_journal(head, entries, rules, n_block=n_block)] == said
    # Within the first ten seconds: only the windows of the run before can have told it.
    assert any(json.loads(text)["at_ms"] < T0 + 10_000 for text in said)


def test_without_its_snapshot_or_with_another_one_a_run_is_not_replayed(tmp_path, rules_of, perpetual):
    rules = rules_of(RULES)
    _, files = resumed_run(tmp_path, rules, [perpetual("A")])
    kept = files[0].with_suffix(".ois")
    assert kept.is_file()
    raw = kept.read_bytes()
    kept.unlink()
    with pytest.raises(PayloadError, match="copy it beside its journal"):
        list(replay_journal(*read_all(files), rules))
    other = tmp_path / "other"
    other.mkdir()
    _, others = resumed_run(other, rules, [perpetual("B")])
    kept.write_bytes(others[0].with_suffix(".ois").read_bytes())
    with pytest.raises(PayloadError, match=r"expected the snapshot \w{8} .* found"):
        list(replay_journal(*read_all(files), rules))
    kept.write_bytes(raw)
    with pytest.raises(PayloadError, match="expected windows in steps of 60000 ms"):
        list(replay_journal(replace(read_all(files)[0], step_ms=60_000), read_all(files)[1], rules))


def test_the_snapshot_goes_with_the_journal_that_begins_with_it(tmp_path):
    snapshot = tmp_path / "windows.ois"
    snapshot.write_bytes(b"x" * 5_000)
    journal = writer(tmp_path / "j", header(), rotate_bytes=1_000, max_bytes=8_000)
    journal.restored(snapshot, "00000000", T0)
    rng = np.random.default_rng(1)
    for k in range(60):
        journal.record(marks(T0 + k, rng.normal(100, 1, 50)))
        journal.tick(T0 + k)
    journal.close()
    assert not list((tmp_path / "j").glob("*.ois"))
    assert snapshot.exists()
    assert sum(f.stat().st_size for f in (tmp_path / "j").iterdir()) <= 9_500


@pytest.mark.parametrize("content", [b"", MAGIC, MAGIC + b"\x05\x00\x00\x00\x00\x00\x00\x00hello", b"something else"])
def test_what_is_no_journal_says_so(tmp_path, content):
    path = tmp_path / "x.oij"
    path.write_bytes(content)

    assert is_journal(path) == content.startswith(MAGIC)
    with pytest.raises(PayloadError, match=r"x\.oij"):
        read(path)


def test_two_runs_are_not_taken_for_one(tmp_path):
    a, b = writer(tmp_path / "a", header()), writer(tmp_path / "b", header())
    a.close()
    b.close()

    with pytest.raises(PayloadError, match="another run"):
        read_all([a.path, b.path])


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path, perpetual):
    """/dev/full takes no byte; the engine that feeds the journal must not notice."""
    journal = writer(tmp_path, header())
    journal._file.close()
    journal._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115, closed by the journal

    journal.record(Listed(InstrumentList("binance", (perpetual("A"),)), T0))
    journal.tick(T0)
    journal.flush()
    journal.tick(T0 + 1)
    journal.close()

    assert journal.has_failed


@pytest.mark.parametrize("rotate_bytes", [1 << 30, 400])
def test_a_run_with_changed_rules_replays_to_the_same_transitions(tmp_path, perpetual, rotate_bytes):
    """Also from the files behind the change: their headers hold the rules of their time."""
    texts = [
        {"r.yaml": "version: 1\nrules:\n" + RULES + "- {id: always, when: price > 0}\n"},
        {"r.yaml": "version: 1\nrules:\n" + RULES, "s.yaml": "rules:\n- {id: high, when: price >= 0.2}\n"},
        {"s.yaml": "rules:\n- {id: high, when: price >= 0.1, cooldown: 0s}\n", "t.yaml": "rules: [not a rule]\n"},
    ]
    engine = Engine(rules_of_files(texts[0], ["main"]))
    now = {"texts": texts[0]}

    def head(*, continues=True):
        instruments = list(engine.market.universe.items())
        return Header(1_000, now["texts"], ["main"], instruments, list(engine.records()), continues=continues)

    bounds = {"started_ms": T0, "rotate_bytes": rotate_bytes, "max_bytes": 1 << 30}
    journal = JournalWriter(tmp_path, header=head(continues=False), refresh=head, **bounds)
    said = []

    def put(item):
        journal.record(item)
        engine.consume(item)

    put(Listed(InstrumentList("binance", (perpetual("A"), perpetual("B"))), T0))
    rng = np.random.default_rng(7)
    price = np.ones(2)
    for second in range(1, 91):
        if second % 30 == 0 and second < 90:
            now["texts"] = texts[second // 30]
            put(RulesChanged(rules_of_files(now["texts"], ["main"]), now["texts"], ("main",)))
        price = price * (1 + rng.normal(0, 0.02, 2))
        put(marks(T0 + second * 1_000, price))
        said += [line(t) for t in engine.tick(T0 + second * 1_000).transitions]
        journal.tick(T0 + second * 1_000)
    journal.close()

    files = sorted(tmp_path.glob("*.oij"))
    header_, entries = read_all(files)
    assert [line(t) for t in replay_journal(header_, entries, rules_of_files(header_.rule_files, ["main"]))] == said
    assert any('"closed"' in text for text in said)
    assert any('"high"' in text for text in said)
    if rotate_bytes == 400:
        assert len(files) > 3
        assert read(files[-1])[0].rule_files == texts[2]
