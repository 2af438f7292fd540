"""Windows that were put down and taken up are the windows of a run that was never interrupted."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from bot.engine.engine import Engine
from bot.engine.inputs import Coverage, Listed, Placed
from bot.engine.snapshots import SLICE_BYTES, MovedError, Tracker, restore, whole_state
from bot.market.state import Head, Mark, Piece, state_of
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.truth import TRUE
from bot.model.updates import Bars, History, InstrumentChange, InstrumentList, Liquidations, MarkPrices, Tickers
from bot.rules.parse import parse_value

T0 = 1_767_225_600_000
EXPRESSIONS = (
    "price", "oi", "oi_usd", "funding", "funding_8h", "basis", "volume_24h", "volume", "taker_buy", "long_short",
    "pct(price, 1m)", "pct(oi, 5m)", "delta(oi_usd, 10m)", "pct(price, 2h)", "pct(oi_usd, 2h)", "avg(price, 3m)",
    "std(basis, 5m)", "zscore(price, 10m)", "min(price, 2h)", "max(oi, 10m)", "percentile(price, 5m)",
    "slope(price, 10m)", "corr(price, oi, 10m)", "zscore(pct(price, 5m), 1h)", "sum(volume, 30m)", "avg(long_short, 1h)",
    "sum(liq_long, 1m)", "rank(oi_usd)",
)  # fmt: skip
CLOSE = ("avg", "std", "zscore", "slope", "corr")
"""Sums are computed afresh after a restart, so the last digits differ."""
RULES = "".join(f"- {{id: e{i}, when: '{e} > 1e14'}}\n" for i, e in enumerate(EXPRESSIONS)).replace(
    "pct(price, 1m) > 1e14", "pct(price, 1m) > 9e14%"
) + (
    "- {id: jump, when: 'pct(price, 1m) > 0.02%', clear: 'pct(price, 1m) < 0', cooldown: 0s}\n"
    "- {id: cross, when: 'crosses(price, avg(price, 3m))', cooldown: 0s}\n"
    "- {id: ranked, scope: {top: 3, by: oi_usd}, when: 'pct(price, 30s) > 0.01%', cooldown: 0s}\n"
    "- {id: wide, per: market, when: 'crosses(median(pct(price, 1m)), 0)', cooldown: 0s}\n"
)
BASES = ("A", "B", "C", "D", "E", "F")


class Walk:
    """A market given to any number of engines, the same to all."""

    def __init__(self, *, seed=1, now=T0, n=len(BASES)):
        self.rng = np.random.default_rng(seed)
        self.now = now
        self.n = n
        self.price = 100 * np.exp(self.rng.normal(0, 1, n))
        self.oi = 1e6 * np.exp(self.rng.normal(0, 1, n))

    def second(self):
        """Inputs of one second, of every kind."""
        rng, n = self.rng, self.n
        self.now += 1_000
        self.price *= np.exp(rng.normal(0, 2e-4, n))
        self.oi *= np.exp(rng.normal(0, 3e-4, n))
        rows = np.arange(n, dtype=np.int32)
        at = np.full(n, self.now, dtype=np.int64)
        given = []
        if rng.random() > 0.02:
            index = self.price * (1 + rng.normal(0, 1e-4, n))
            given.append(MarkPrices(rows, self.price.copy(), index, np.full(n, 1e-4), at + 3_600_000, at, 0.0))
        polled = int(rng.integers(0, n))
        given.append(Placed(polled, float(self.oi[polled]), self.now - 200, self.now - 300, 15_000))
        if self.now % 10_000 == 0:
            given.append(Tickers(rows, self.price * 1e6, at, 0.0))
            longs = rng.random(n) > 0.5
            given.append(Liquidations(rows, at - rng.integers(0, 3_000, n), self.price * 10, longs, 0.0))
        if self.now % 60_000 == 0:
            given.append(Bars(rows, at, self.price * 1e3, self.price * 4e2, 60_000, 0.0))
        if rng.random() < 0.02:
            given.append(self.past(int(rng.integers(0, n))))
        return given

    def past(self, row, *, minutes=90):
        """History of one instrument, as a warm start brings it."""
        series = ("price", "oi", "long_short")[int(self.rng.integers(0, 3))]
        step = 60_000 if series == "price" else 300_000
        last = self.now // step * step
        times = np.arange(last - minutes * 60_000, last + 1, step)
        level = {"price": self.price[row], "oi": self.oi[row], "long_short": 1.5}[series]
        return History(row, series, times, level * np.exp(self.rng.normal(0, 1e-3, len(times))), step * 3 // 2)

    def run(self, seconds, *engines):
        """Transitions of each engine."""
        said = [[] for _ in engines]
        for _ in range(seconds):
            items = self.second()
            for engine, mine in zip(engines, said, strict=True):
                for item in items:
                    engine.consume(item)
                mine.extend(engine.tick(self.now).transitions)
        return said


def listed(engine, instruments, at=T0):
    engine.consume(Listed(InstrumentList("binance", tuple(instruments)), at))
    return engine


def values(engine, expression):
    expr = parse_value(expression).expr
    assert expr is not None
    return np.asarray(engine.values(expr))


def assert_same_values(one, other, expressions=EXPRESSIONS, *, order=slice(None), known=True):
    n_known = 0
    for expression in expressions:
        want, got = values(one, expression)[order], values(other, expression)
        n_known += bool(np.isfinite(want).any())
        if expression.startswith(CLOSE):
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9, err_msg=expression)
        else:
            np.testing.assert_array_equal(got, want, err_msg=expression)
    assert not known or n_known >= len(expressions) - 2, "too little is known: the test proves nothing"


@pytest.fixture
def instruments(perpetual):
    return [perpetual(b) for b in BASES]


@pytest.fixture
def rules(rules_of):
    return rules_of(RULES)


@pytest.fixture
def run(rules, instruments):
    """An engine with two hours and a bit behind it, minutes first."""
    engine = listed(Engine(rules), instruments)
    engine.consume(Coverage("liquidations", live=True, at_ms=T0))
    walk = Walk()
    for row in range(walk.n):
        for series, level in (("price", walk.price[row]), ("oi", walk.oi[row]), ("long_short", 1.4)):
            times = np.arange(T0 - 9_000_000, T0 + 1, 60_000)
            noise = np.exp(walk.rng.normal(0, 1e-3, len(times)))
            engine.consume(History(row, series, times, level * noise, 450_000))
        closes = np.arange(T0 - 7_200_000, T0 + 1, 60_000)
        amounts = walk.rng.uniform(1e3, 1e4, len(closes))
        rows = np.full(len(closes), row, dtype=np.int32)
        engine.consume(Bars(rows, closes, amounts, amounts * 0.4, 60_000, 0.0))
    walk.run(700, engine)
    return engine, walk


def copied(tracker, n_bytes=SLICE_BYTES):
    parts = []
    while not parts or not isinstance(parts[-1], Mark):
        parts += tracker.step(n_bytes)
    return parts


def test_all_values_and_what_follows_are_those_of_a_run_that_went_on(run, rules):
    engine, walk = run
    engine.tick(walk.now)
    other = Engine(rules, records=engine.records())

    assert restore(other, whole_state(engine), walk.now) == len(BASES)

    said = walk.run(1, engine, other)
    # Liquidations between the two processes were not seen; all else is as if nothing had happened.
    assert_same_values(engine, other, [e for e in EXPRESSIONS if "liq" not in e])
    more = walk.run(400, engine, other)
    # Within a tick the order of alerts is that in which they came to life, which the database does not keep.
    one, two = (sorted(a + b, key=lambda t: (t.at_ms, t.rule_id, t.symbol)) for a, b in zip(said, more, strict=True))
    assert one == two
    assert {t.rule_id for t in more[0]} >= {"jump", "cross", "ranked", "wide"}
    assert_same_values(engine, other, [e for e in EXPRESSIONS if "liq" not in e])


def test_the_time_between_two_processes_is_unknown_for_liquidations_and_never_zero(run, rules):
    engine, walk = run
    other = Engine(rules)
    restore(other, whole_state(engine), walk.now)
    walk.run(90, engine, other)
    assert np.isfinite(values(engine, "sum(liq_long, 1m)")).all()
    assert np.isnan(values(other, "sum(liq_long, 1m)")).all()
    other.consume(Coverage("liquidations", live=True, at_ms=walk.now))
    walk.run(59, engine, other)
    assert np.isnan(values(other, "sum(liq_long, 1m)")).all()
    walk.run(1, engine, other)
    assert_same_values(engine, other, ["sum(liq_long, 1m)"])


def test_a_gap_is_what_the_same_silence_is_to_a_run_that_went_on(run, rules):
    engine, walk = run
    other = Engine(rules)
    restore(other, whole_state(engine), walk.now)
    walk.now += 240_000
    engine.tick(walk.now)
    other.tick(walk.now)
    quiet = [e for e in EXPRESSIONS if "liq" not in e]
    assert np.isnan(values(other, "price")).all()
    assert_same_values(engine, other, quiet, known=False)
    for row in range(walk.n):
        past = walk.past(row)
        engine.consume(past)
        other.consume(past)
    walk.run(5, engine, other)
    assert_same_values(engine, other, quiet, known=False)


def test_appended_copies_give_the_same_state_as_one_copy(run):
    engine, walk = run
    tracker = Tracker(engine)
    parts = [tracker.begin(), *tracker.log(), *copied(tracker)]
    for seconds in (61, 3, 130):
        walk.run(seconds, engine)
        engine.consume(walk.past(2, minutes=200))
        assert tracker.can_go_on
        tracker.go_on()
        appended = copied(tracker)
        with unwatched(tracker):
            whole = whole_state(engine)
        parts += appended
        pieces = [p for p in appended if isinstance(p, Piece)]
        assert sum(p.nbytes for p in pieces) < 0.8 * sum(r.planes[0].nbytes * 1.5 for r in whole.rings.values())
        assert_same_state(state_of(parts), whole)


@contextlib.contextmanager
def unwatched(tracker):
    """A whole copy beside it would take over the notes of patches."""
    market = tracker._engine.market
    kept = [(tier, tier.patches) for tier in market.tiers], market.volume.patches, market.liquidations.arrived
    try:
        yield
    finally:
        for tier, patches in kept[0]:
            tier.patches = patches
        market.volume.patches, market.liquidations.arrived = kept[1:]


def assert_same_state(one, other):
    assert one.head == other.head
    assert one.mark == other.mark
    for name, ring in one.rings.items():
        for mine, theirs in zip(ring.planes, other.rings[name].planes, strict=True):
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
    assert one.tables.keys() == other.tables.keys()
    for name, arrays in one.tables.items():
        for mine, theirs in zip(arrays, other.tables[name], strict=True):
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
    for mine, theirs in zip(one.events() or (), other.events() or (), strict=True):
        # What is too old for any rule goes with the next whole copy.
        np.testing.assert_array_equal(mine[-len(theirs) :], theirs)


def test_a_slice_is_bounded_however_much_there_is_to_copy_and_the_engine_goes_on_between(run):
    engine, walk = run
    tracker = Tracker(engine)
    parts = [tracker.begin(), *tracker.log()]
    budget, n_slices = 20_000, 0
    while not isinstance(parts[-1], Mark):
        walk.run(1, engine)
        engine.consume(walk.past(n_slices % walk.n))
        found = tracker.step(budget)
        n_slices += 1
        if not isinstance(found[-1], Mark):
            # The last piece may pass the bound by one grid row, or the columns of one ring.
            assert sum(p.nbytes for p in found[:-1]) <= budget
            assert sum(p.nbytes for p in found) <= budget + found[-1].nbytes
        parts += found
    assert n_slices > 5
    whole = whole_state(engine)
    assert_same_state(state_of(parts), whole)


def test_patches_that_come_faster_than_they_are_copied_do_not_keep_a_copy_from_ending(run):
    engine, walk = run
    tracker = Tracker(engine)
    parts = [tracker.begin()]
    for _ in range(400):
        walk.run(1, engine)
        for row in range(walk.n):
            engine.consume(walk.past(row, minutes=150))
        parts += tracker.step(6_000)
        if isinstance(parts[-1], Mark):
            break
    assert isinstance(parts[-1], Mark)
    state_of(parts)


def test_a_copy_begins_anew_when_rows_or_rings_mean_something_else(run, perpetual):
    engine, _ = run
    tracker = Tracker(engine)
    tracker.begin()
    engine.consume(Listed(InstrumentChange(perpetual("NEW")), engine.now_ms))
    with pytest.raises(MovedError):
        tracker.step()
    assert not tracker.can_go_on


def test_columns_follow_their_instruments_and_a_contract_listed_anew_is_another_one(run, rules, instruments, perpetual):
    engine, walk = run
    anew = replace(instruments[1], onboard_ms=instruments[1].onboard_ms + 1)
    order = [perpetual("X"), instruments[4], anew, instruments[0], instruments[5]]
    other = listed(Engine(rules), order, at=engine.now_ms)

    assert restore(other, whole_state(engine), walk.now) == 3

    engine.tick(walk.now)
    other.tick(walk.now)
    for expression in ("pct(price, 2h)", "max(oi, 10m)", "sum(volume, 30m)", "zscore(price, 10m)"):
        mine, theirs = values(engine, expression), values(other, expression)
        np.testing.assert_allclose(theirs[[1, 3, 4]], mine[[4, 0, 5]], rtol=1e-6)
        assert np.isnan(theirs[[0, 2]]).all()


def test_the_list_of_the_venue_after_a_restore_removes_and_adds_as_always(run, rules, instruments, perpetual):
    engine, walk = run
    other = Engine(rules)
    restore(other, whole_state(engine), walk.now)
    anew = replace(instruments[1], onboard_ms=7)
    listed(other, [instruments[0], anew, *instruments[3:], perpetual("X")], at=walk.now)
    other.tick(walk.now)
    found = {i.symbol: values(other, "pct(price, 2h)")[row] for row, i in other.market.universe.items()}
    assert "CUSDT" not in found
    assert np.isnan([found["BUSDT"], found["XUSDT"]]).all()
    assert np.isfinite([found[f"{b}USDT"] for b in "ADEF"]).all()


def test_rings_of_other_rules_take_what_fits(run, rules_of):
    engine, walk = run
    other = Engine(rules_of("- {id: a, when: 'pct(funding, 3h) > 1'}\n- {id: b, when: 'pct(price, 11m) > 9%'}\n"))
    restore(other, whole_state(engine), walk.now)
    other.tick(walk.now)
    engine.tick(walk.now)
    assert_same_values(engine, other, ["pct(price, 11m)", "pct(oi, 12m)", "min(price, 3h)"], known=False)
    assert np.isfinite(values(other, "pct(price, 11m)")).all()
    assert np.isnan(values(other, "pct(funding, 3h)")).all()


def test_members_of_a_ranked_scope_stay_within_their_slack(run, rules):
    engine, walk = run
    scope = next(r.scope for r in rules if r.id == "ranked")
    members = engine.plan.trackers[scope].members.copy()
    other = Engine(rules)
    restore(other, whole_state(engine), walk.now)
    assert not other.plan.trackers[scope].is_warming
    walk.run(1, engine, other)
    np.testing.assert_array_equal(other.plan.trackers[scope].members, members)


def test_a_state_of_other_steps_or_numbers_is_refused(run, rules):
    engine, _ = run
    state = whole_state(engine)
    with pytest.raises(ValueError, match="steps of 1000 ms as float32"):
        restore(Engine(rules, dtype="float64"), state, T0)
    with pytest.raises(ValueError, match="expected windows in steps of 60000 ms"):
        restore(Engine(rules, step_ms=60_000), state, T0)
    with pytest.raises(ValueError, match="without samples"):
        restore(engine, state, T0)


def test_an_unfinished_state_is_told(run):
    engine, _ = run
    tracker = Tracker(engine)
    head = tracker.begin()
    assert isinstance(head, Head)
    with pytest.raises(ValueError, match="no mark"):
        state_of([head, *tracker.step()[:-1]])


def test_time_in_which_no_process_ran_makes_no_data_stale(run, rules_of):
    engine, walk = run
    other = Engine(rules_of("- {id: blind, per: market, when: 'count(stale(oi)) >= 1 or count(stale(price)) >= 1'}\n"))
    state = whole_state(engine)
    walk.now += 1_800_000
    restore(other, state, walk.now)
    assert [other.tick(walk.now + ms).transitions for ms in (0, 14_000, 15_000)] == [(), (), ()]
    engine.tick(walk.now)
    assert (engine.view().stale("oi")[0] == TRUE).all()
    (late,) = other.tick(walk.now + 16_000).transitions
    assert late.rule_id == "blind"


@pytest.mark.parametrize(
    ("when", "prices"),
    [
        ("crosses_above(price, 100)", (99.0, 101.0, 99.0, 101.0)),
        ("crosses_below(price, 100)", (101.0, 99.0, 101.0, 99.0)),
        ("crosses(price, 100) and price > 50", (101.0, 99.0, 101.0, 99.0)),
    ],
)
def test_a_crossing_that_was_told_after_the_last_copy_is_not_told_again(rules_of, perpetual, when, prices):
    """The alert is in the database, the side on which the price is was not copied yet when the process died."""
    rules = rules_of(f"- {{id: cross, when: '{when}', cooldown: 5s}}\n")
    now_ms = T0

    def second(engine, price):
        nonlocal now_ms
        now_ms += 1_000
        one, at = np.zeros(1, dtype=np.int32), np.array([now_ms])
        engine.consume(MarkPrices(one, np.array([price]), np.array([price]), np.zeros(1), at, at, 0.0))
        return [(t.rule_id, t.state.value) for t in engine.tick(now_ms).transitions]

    engine = listed(Engine(rules), [perpetual("A")])
    before, crossed, back, again = prices
    assert second(engine, before) == []
    state = whole_state(engine)
    assert ("cross", "firing") in second(engine, crossed)

    other = Engine(rules, records=engine.records())
    now_ms += 20_000
    restore(other, state, now_ms)
    assert second(other, crossed) == []
    told = [*second(other, back), *second(other, again)]
    assert ("cross", "firing") in told, "the next one is"


@pytest.mark.parametrize("when", ["crosses(price, 100)", "crosses(price, 100) and price > 50"])
def test_two_crossings_that_were_told_after_the_last_copy_end_where_the_second_did(rules_of, perpetual, when):
    """Up and down again: the price is where it was copied, and nothing crossed since."""
    engine = listed(Engine(rules_of(f"- {{id: cross, when: '{when}', cooldown: 2s}}\n")), [perpetual("A")])
    now_ms = T0

    def second(engine, price):
        nonlocal now_ms
        now_ms += 3_000
        one, at = np.zeros(1, dtype=np.int32), np.array([now_ms])
        engine.consume(MarkPrices(one, np.array([price]), np.array([price]), np.zeros(1), at, at, 0.0))
        return [(t.rule_id, t.state.value) for t in engine.tick(now_ms).transitions]

    assert second(engine, 99.0) == []
    state = whole_state(engine)
    assert ("cross", "firing") in second(engine, 101.0)
    assert ("cross", "firing") in second(engine, 99.0)

    other = Engine(engine.rules, records=engine.records())
    now_ms += 20_000
    restore(other, state, now_ms)
    assert second(other, 99.0) == []
    assert ("cross", "firing") in second(other, 101.0), "the next one is told"


def test_windows_of_chat_alerts_are_taken_up_too(run, rules_of, instruments):
    alert = ChatAlert("a-00000000", "terminal", "terminal", instruments[0].key, "pct(price, 45m)", ">", 0.5, True, T0)
    engine, walk = run
    engine.consume(AlertAdded(alert))
    walk.run(1, engine)
    for row in range(walk.n):
        engine.consume(walk.past(row))
    walk.run(2, engine)
    other = Engine(rules_of("- {id: a, when: 'price > 1e14'}\n"))
    other.consume(AlertAdded(alert))
    restore(other, whole_state(engine), walk.now)
    walk.run(1, engine, other)
    assert np.isfinite(values(engine, "pct(price, 45m)")).any()
    assert_same_values(engine, other, ["pct(price, 45m)"])
