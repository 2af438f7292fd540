"""The threshold book only accelerates: it lives exactly the lives that plain evaluation of every alert at every tick gives.

The reference walks a `RuleBook` of each alert over the truth of its comparison, computed the plain way.
"""

import operator
from dataclasses import dataclass, field
from math import isnan, nan

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.book import RuleBook
from bot.alerts.lifecycle import Policy
from bot.alerts.seen import RuleTruth, Ticks
from bot.alerts.threshold_book import ThresholdBook
from bot.alerts.threshold_columns import Figure
from bot.model.alert import FOREVER_MS, State
from bot.model.chat_alert import DIRECTIONS, ChatAlert, StoredAlerts, alert_id
from bot.model.truth import FALSE, TRUE, UNKNOWN

T0 = 1_767_225_600_000
MAX_GAP_MS = 10_000
MEASURES = ("price", "pct(oi, 15m)", "funding")
N_ROWS = 3
OPS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
LEVELS = (-0.1, 0.0, 0.1, 0.3, 1.0, 1.0000000000000002)
VALUES = (nan, *LEVELS, 0.30000000000000004, -1e-300, 5.0)


def key(row):
    return f"binance:C{row}USDT"


@dataclass
class Plain:
    """One alert, evaluated at every tick."""

    alert: ChatAlert
    uses_oi: bool
    armed: bool = False
    book: RuleBook = None
    seen: list = field(default_factory=list)

    def __post_init__(self):
        self.start_book()

    def start_book(self):
        a = self.alert
        policy = Policy(a.for_ms, a.cooldown_ms, a.repeat_ms, a.escalate, a.once, self.uses_oi, MAX_GAP_MS)
        self.book = RuleBook(a.id, a.id, policy, per_market=False)

    @property
    def row(self):
        return int(self.alert.instrument.removeprefix("binance:C").removesuffix("USDT"))

    def truth(self, value, op, level):
        return UNKNOWN if isnan(value) else TRUE if OPS[op](value, level) else FALSE

    def walk(self, now_ms, values, oi_ms, oi_interval_ms):
        a = self.alert
        if self.is_done:
            return []
        value = values[MEASURES.index(a.measure), self.row]
        when = self.truth(value, a.op, a.level)
        clear = TRUE - when if a.clear_op is None else self.truth(value, a.clear_op, a.clear_level)
        self.armed |= when == FALSE
        column = [np.full((1, N_ROWS), filler, dtype=np.int8) for filler in (FALSE, TRUE)]
        column[0][0, self.row], column[1][0, self.row] = when, clear
        members = np.zeros((1, N_ROWS), dtype=bool)
        members[0, self.row] = self.armed
        reading = Figure(None if isnan(value) else float(value), DIRECTIONS[a.op])
        truth = RuleTruth(
            a.id,
            *column,
            members,
            lambda _t, _row, _option: reading,
            lambda _row, _option, _ticks: ([reading.value], reading.direction),
        )
        return list(self.book.walk(truth, Ticks(np.array([now_ms]), oi_ms[None, :], oi_interval_ms[None, :]), key))

    @property
    def is_done(self):
        """An alert told once is over after its first episode; nobody evaluates it any more."""
        return self.book.has(self.row) and self.book.record(self.row).cooldown_until_ms >= FOREVER_MS

    def restart(self):
        record = self.book.record(self.row) if self.book.has(self.row) else None
        self.start_book()
        if record is not None:
            self.book.restore(self.row, record)


def seen(change):
    """What must be equal. A dropped pending alert and a new one show figures of an older firing; nobody is told them."""
    is_told = change.state not in {State.INACTIVE, State.PENDING}
    return (
        change.rule_id,
        change.instrument,
        change.row,
        change.at_ms,
        change.state,
        change.tell,
        change.key,
        None if change.state is State.INACTIVE else change.value,
        change.value_before,
        change.n,
        change.reason,
        (change.peak, change.fired_ms) if is_told else None,
    )


@st.composite
def alerts(draw, n):
    op = draw(st.sampled_from(sorted(OPS)))
    clear_op = draw(st.sampled_from([None, *(o for o in OPS if DIRECTIONS[o] != DIRECTIONS[op])]))
    return ChatAlert(
        id=alert_id("terminal", f"{n}", T0),
        chat="terminal",
        user="terminal",
        instrument=key(draw(st.integers(0, N_ROWS - 1))),
        measure=draw(st.sampled_from(MEASURES)),
        op=op,
        level=draw(st.sampled_from(LEVELS)),
        is_ratio=False,
        created_ms=T0,
        clear_op=clear_op,
        clear_level=None if clear_op is None else draw(st.sampled_from(LEVELS)),
        cooldown_ms=draw(st.sampled_from([0, 3_000, 30_000])),
        for_ms=draw(st.sampled_from([0, 0, 1_000, 5_000])),
        repeat_ms=draw(st.sampled_from([None, None, 2_000])),
        escalate=draw(st.sampled_from([None, None, 0.2])),
        once=draw(st.sampled_from([False, False, True])),
    )


ticks = st.tuples(
    st.just("tick"),
    st.sampled_from([1_000, 1_000, 1_000, 4_000, 11_000]),
    st.lists(st.sampled_from(VALUES), min_size=len(MEASURES) * N_ROWS, max_size=len(MEASURES) * N_ROWS),
    st.lists(st.booleans(), min_size=N_ROWS, max_size=N_ROWS),
)
others = st.sampled_from([("add",), ("add",), ("remove",), ("restart",), ("reset",), ("relist",)])
steps = st.lists(st.one_of(ticks, ticks, ticks, others), min_size=5, max_size=40)


class Both:
    """The two, and what each said."""

    def __init__(self, draw):
        self.draw = draw
        self.now_ms = T0
        self.halted = np.zeros(N_ROWS, dtype=bool)
        self.oi_ms = np.full(N_ROWS, T0)
        self.interval_ms = np.array([2_000, 10_000, 60_000])
        self.plain: dict[str, Plain] = {}
        self.stored: dict = {}
        self.uses_oi = {measure: draw(st.booleans()) for measure in MEASURES}
        self.n = 0
        self.fast = self.new_book()

    @staticmethod
    def new_book():
        book = ThresholdBook(max_gap_ms=MAX_GAP_MS)
        book.place((row, key(row)) for row in range(N_ROWS))
        return book

    def store(self, records):
        for record in records:
            self.stored[record.rule_id] = record

    def compare(self, plain, outcome):
        assert sorted(map(seen, plain), key=repr) == sorted(map(seen, outcome.changes), key=repr)
        assert {c.rule_id for c in outcome.changes} <= set(outcome.facts)
        self.store(outcome.records)

    def tick(self, elapsed_ms, values, polled):
        self.now_ms += elapsed_ms
        self.oi_ms[polled] = self.now_ms
        values = np.array(values).reshape(len(MEASURES), N_ROWS)
        own = np.where(self.halted, nan, values)
        changes = [c for p in self.plain.values() for c in p.walk(self.now_ms, own, self.oi_ms, self.interval_ms)]
        matrix = np.full((len(self.fast.measures), N_ROWS), nan)
        for e, measure in enumerate(self.fast.measures):
            matrix[e] = values[MEASURES.index(measure)]
        outcome = self.fast.tick(self.now_ms, matrix, ~self.halted, self.oi_ms, self.interval_ms)
        self.compare(changes, outcome)

    def add(self):
        alert = self.draw(alerts(self.n))
        uses_oi = self.uses_oi[alert.measure]
        self.n += 1
        self.plain[alert.id] = Plain(alert, uses_oi)
        assert self.fast.add(alert, uses_oi=uses_oi)
        assert not self.fast.add(alert, uses_oi=uses_oi)

    def remove(self):
        if self.plain:
            gone = self.plain.pop(self.draw(st.sampled_from(sorted(self.plain))))
            self.compare(
                gone.book.close(gone.book.rows(), self.now_ms, "deleted"),
                self.fast.remove(gone.alert.id, self.now_ms, "deleted"),
            )
            self.stored.pop(gone.alert.id, None)

    def restart(self):
        self.fast = ThresholdBook(max_gap_ms=MAX_GAP_MS)
        listed_first = self.draw(st.booleans())
        if listed_first:
            self.fast.place((row, key(row)) for row in range(N_ROWS))
        for p in self.plain.values():
            p.restart()
            assert p.armed == (p.alert.id in self.stored), "the stored state says whether it is armed"
        if self.draw(st.booleans()):
            alerts = sorted((p.alert for p in self.plain.values()), key=lambda alert: alert.id)
            size = self.draw(st.integers(1, 5))
            for first in range(0, len(alerts), size):
                many = StoredAlerts.of(alerts[first : first + size], self.stored.values(), cool_ms=self.now_ms)
                self.fast.load(many, uses_oi=self.uses_oi.__getitem__)
        else:
            for p in self.plain.values():
                self.fast.add(p.alert, self.stored.get(p.alert.id), uses_oi=p.uses_oi)
        if not listed_first:
            self.fast.place((row, key(row)) for row in range(N_ROWS))

    def reset(self):
        self.now_ms -= self.draw(st.sampled_from([11_000, 3_600_000]))
        for p in self.plain.values():
            p.book.turn_back(self.now_ms)
        self.store(self.fast.turn_back(self.now_ms))

    def relist(self):
        row = self.draw(st.integers(0, N_ROWS - 1))
        changes = []
        for p in self.plain.values():
            if p.row == row and p.book.rows_in(State.FIRING, State.PENDING):
                changes += p.book.close(p.book.rows(), self.now_ms, "left")
        self.compare(changes, self.fast.unplace(key(row), self.now_ms, "left"))
        self.fast.place([(row, key(row))])

    def act(self, step):
        if step[0] == "tick":
            self.halted = np.array(step[3]) & self.draw(st.booleans())
            self.tick(step[1], step[2], self.draw(st.lists(st.integers(0, N_ROWS - 1), max_size=2)))
        else:
            getattr(self, step[0])()

    def check_states(self):
        for alert_id_, p in self.plain.items():
            record = p.book.record(p.row) if p.book.has(p.row) else None
            life = self.fast.life(alert_id_, self.now_ms)
            state = record.state if record else State.INACTIVE
            assert (life.stage == "firing") == (state is State.FIRING)
            assert (life.stage == "pending") == (state is State.PENDING)
            assert (life.stage == "done") == p.is_done
            assert (life.stage == "unarmed") == (not p.armed)
        saved = self.fast.checkpoint()
        self.store(saved)
        for alert_id_, record in ((r.rule_id, r) for r in saved if r.state is State.PENDING):
            plain = self.plain[alert_id_]
            assert record.held_ms == plain.book.record(plain.row).held_ms
        assert len(self.fast) == len(self.plain)


@given(st.data(), steps)
@settings(max_examples=300, deadline=None)
def test_with_the_index_and_without_it_all_lives_are_equal(data, script):
    both = Both(data.draw)
    for _ in range(3):
        both.add()
    for step in script:
        both.act(step)
        both.check_states()
