"""An alert that is over is kept small, and nothing of it is lost."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given

from bot.alerts.book import RuleBook
from bot.alerts.kept import Alert, Resting
from bot.alerts.lifecycle import Policy
from bot.model.alert import FOREVER_MS, AlertRecord, State, alert_key

POLICY = Policy(
    for_ms=0, cooldown_ms=60_000, repeat_ms=None, escalate=None, once=True, uses_oi=False, max_gap_ms=10_000
)
MS = st.integers(0, 1 << 45)
VALUES = st.none() | st.floats(allow_nan=False)


@st.composite
def records(draw):
    fired_ms = draw(MS)
    instrument = draw(st.sampled_from(["*", "binance:BTCUSDT", "bybit:PEPEUSDT"]))
    usual = alert_key("oi-jump", instrument, fired_ms)
    return AlertRecord(
        rule_id="oi-jump",
        instrument=instrument,
        condition="c",
        state=State.INACTIVE,
        held_ms=draw(MS),
        pending_since_ms=draw(MS),
        fired_ms=fired_ms,
        cooldown_until_ms=draw(MS | st.just(FOREVER_MS)),
        key=draw(st.sampled_from([usual, "", "of another name"])),
        value=draw(VALUES),
        peak=draw(VALUES),
        told_value=draw(VALUES),
        told_ms=draw(MS),
        n_told=draw(st.integers(0, 1_000)),
    )


@given(records(), st.none() | st.integers(-1, 20))
def test_what_rests_is_as_it_was(record, option):
    alert = Alert.of(record, record.cooldown_until_ms)
    alert.option = option
    woken = Resting.of(alert, "oi-jump").awake("oi-jump")
    assert (woken.record("oi-jump", "c"), woken.option) == (record, option)


@given(records())
def test_a_book_gives_back_what_it_was_given(record):
    book = RuleBook("oi-jump", "c", POLICY, per_market=False)
    book.restore(3, record)
    assert (book.look(3), book.record(3)) == (record, record)
    assert (book.rows(), book.alive_rows(), book.unsaved()) == ([3], [], [])


@given(records())
def test_a_rule_that_may_fire_again_wakes_those_that_were_told_one_time_only(record):
    book = RuleBook("oi-jump", "c", POLICY, per_market=False)
    book.restore(3, record)
    book.follow(replace(POLICY, once=False), is_remeasured=True)
    until_ms = 0 if record.cooldown_until_ms >= FOREVER_MS else record.cooldown_until_ms
    assert book.look(3) == replace(record, cooldown_until_ms=until_ms, peak=None, told_value=None)
