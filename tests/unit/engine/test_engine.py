"""Samples in, changes out: rules over a market fed by hand."""

from dataclasses import replace

import pytest

from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Reset
from bot.engine.snapshots import restore, whole_state
from bot.model.alert import State, TellKind, alert_key, short_id
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.updates import InstrumentChange, InstrumentList
from bot.rules.parse import parse_condition
from bot.rules.schema import Rule

T0 = 1_767_225_600_000
PRICE_RULE = """
- id: jump
  when: pct(price, 10s) >= 5%
  clear: pct(price, 10s) < 1%
  cooldown: 1m
"""


def test_a_move_fires_and_its_end_resolves(feed, rules_of):
    f = feed(rules_of(PRICE_RULE), "A", "B")
    for second in range(40):
        f.prices({"AUSDT": 100.0 if second < 15 else 106.0, "BUSDT": 50.0})
        f.tick()

    assert f.states() == [("jump", "AUSDT", "firing"), ("jump", "AUSDT", "resolved")]
    fired, ended = f.transitions
    assert fired.value == pytest.approx(0.06, abs=1e-7)
    assert ended.at_ms - fired.at_ms == 10_000
    assert fired.key == ended.key == alert_key("jump", "binance:AUSDT", fired.at_ms)
    assert len(short_id(fired.key)) == 8


def test_the_notice_shows_from_and_to(feed, rules_of):
    f = feed(rules_of(PRICE_RULE), "A")
    for second in range(16):
        f.oi("AUSDT", 1_000.0 if second < 12 else 1_100.0)
        f.prices({"AUSDT": 100.0 if second < 15 else 106.0})
        f.tick()

    notice = f.notices[0]
    view = notice.view
    assert notice.kind is TellKind.FIRE
    assert (view.symbol, view.title, view.value_text) == ("AUSDT", "jump", "pct(price, 10s)")
    assert view.price.then == pytest.approx(100.0)
    assert view.price.now == pytest.approx(106.0)
    assert view.oi.change == pytest.approx(0.1)
    assert view.oi_usd == pytest.approx(1_100 * 106)
    assert view.value_is_ratio


def test_a_silent_feed_neither_fires_nor_resolves(feed, rules_of):
    f = feed(rules_of(PRICE_RULE), "A")
    for second in range(16):
        f.prices({"AUSDT": 100.0 if second < 15 else 106.0})
        f.tick()
    for _ in range(600):
        f.tick()

    assert f.states() == [("jump", "AUSDT", "firing")]


def test_a_halt_is_unknown_and_a_delisting_closes(feed, rules_of, perpetual):
    f = feed(rules_of(PRICE_RULE), "A")
    for second in range(16):
        f.prices({"AUSDT": 100.0 if second < 15 else 106.0})
        f.tick()
    halted = replace(perpetual("A"), status="TRADING_HALT")
    f.engine.consume(Listed(InstrumentChange(halted), f.now))
    for _ in range(30):
        f.prices({"AUSDT": 50.0})
        f.tick()
    assert f.states() == [("jump", "AUSDT", "firing")]

    f.engine.consume(Listed(InstrumentList("binance", ()), f.now))
    f.tick()

    assert f.states()[-1] == ("jump", "AUSDT", "closed")
    assert f.notices[-1].kind is TellKind.CLOSE
    assert "left the venue" in f.notices[-1].view.reason


def test_escalation_is_told_each_time_the_value_has_moved_that_much_further(feed, rules_of):
    rules = rules_of("- {id: level, when: price >= 100, escalate: 5}\n")
    f = feed(rules, "A")
    for price in (99, 101, 104, 106, 108, 111, 100.5):
        f.prices({"AUSDT": float(price)})
        f.tick()

    told = [(n.kind, n.n, n.view.value, n.view.value_before) for n in f.notices]
    assert told == [
        (TellKind.FIRE, 0, 101.0, None),
        (TellKind.ESCALATE, 1, 106.0, 101.0),
        (TellKind.ESCALATE, 2, 111.0, 106.0),
    ]
    assert f.notices[-1].view.peak == 111.0


def test_repeat_tells_again_while_firing(feed, rules_of):
    f = feed(rules_of("- {id: level, when: price >= 100, repeat: 1m}\n"), "A")
    for _ in range(150):
        f.prices({"AUSDT": 101.0})
        f.tick()

    assert [n.kind for n in f.notices] == [TellKind.FIRE, TellKind.REPEAT, TellKind.REPEAT]


def test_state_survives_a_restart_and_the_time_down_does_not_count(feed, rules_of):
    rules = rules_of("- {id: level, when: price >= 100, for: 20s}\n")
    f = feed(rules, "A")
    for _ in range(11):
        f.prices({"AUSDT": 101.0})
        f.tick()
    stored = list(f.engine.checkpoint().records)
    assert stored[0].held_ms == 10_000

    later = feed(rules, "A", records=stored, start=f.now + 3_600_000)
    fired_after = None
    for second in range(15):
        later.prices({"AUSDT": 101.0})
        later.tick()
        if later.transitions and fired_after is None:
            fired_after = second

    assert fired_after == 10


def test_a_firing_alert_restored_ends_with_the_same_id(feed, rules_of):
    rules = rules_of("- {id: level, when: price >= 100}\n")
    f = feed(rules, "A")
    f.prices({"AUSDT": 101.0})
    f.tick()
    later = feed(rules, "A", records=list(f.records.values()), start=f.now + 60_000)
    later.prices({"AUSDT": 99.0})
    later.tick()

    assert [t.state for t in later.transitions] == [State.RESOLVED]
    assert later.transitions[0].key == f.transitions[0].key


def test_a_changed_condition_starts_afresh_and_closes_what_fired(feed, rules_of):
    f = feed(rules_of("- {id: level, when: price >= 100}\n"), "A")
    f.prices({"AUSDT": 101.0})
    f.tick()
    changed = rules_of("- {id: level, when: price >= 101}\n")
    later = feed(changed, "A", records=list(f.records.values()), start=f.now)

    later.prices({"AUSDT": 101.5})
    later.tick()

    assert [t.state for t in later.transitions] == [State.CLOSED, State.FIRING]
    assert later.notices[0].kind is TellKind.CLOSE
    assert "changed" in later.notices[0].view.reason


def test_a_firing_alert_whose_instrument_vanished_while_down_is_closed(feed, rules_of):
    rules = rules_of("- {id: level, when: price >= 100}\n")
    f = feed(rules, "A")
    f.prices({"AUSDT": 101.0})
    f.tick()

    later = feed(rules, "B", records=list(f.records.values()), start=f.now)
    later.tick()

    assert [(t.symbol, t.state) for t in later.transitions] == [("AUSDT", State.CLOSED)]


def test_a_reset_empties_windows_drops_pending_and_keeps_firing(feed, rules_of):
    rules = rules_of("- {id: level, when: price >= 100}\n- {id: slow, when: price >= 100, for: 10m}\n")
    f = feed(rules, "A")
    f.prices({"AUSDT": 101.0})
    f.tick()
    f.engine.consume(Reset(f.now - 60_000))

    assert f.engine.count(State.FIRING) == 1
    assert f.engine.count(State.PENDING) == 0


@pytest.mark.parametrize("chat", [False, True])
def test_where_the_clock_goes_back_nothing_pauses_longer_than_it_would_from_then_on(feed, rules_of, chat):
    rules = () if chat else rules_of("- {id: level, when: price >= 100, cooldown: 2m, repeat: 3m}\n")
    f = feed(rules, "A", "B")
    for number, symbol in enumerate(("AUSDT", "BUSDT") if chat else ()):
        where = ("terminal", "terminal", f"binance:{symbol}")
        made = ChatAlert(f"a-0000000{number}", *where, "price", ">=", 100.0, False, 1)
        f.engine.consume(AlertAdded(replace(made, cooldown_ms=120_000, repeat_ms=180_000)))
    for a, b in ((99.0, 99.0), (101.0, 101.0), (99.0, 101.0)):
        f.prices({"AUSDT": a, "BUSDT": b})
        f.tick()
    assert [(t.symbol, t.state.value) for t in f.transitions if t.state is not State.PENDING] == [
        ("AUSDT", "firing"),
        ("BUSDT", "firing"),
        ("AUSDT", "resolved"),
    ]

    f.notices.clear()
    back_ms = f.now = f.now - 3_600_000
    f.engine.consume(Reset(back_ms))
    for _ in range(200):
        f.prices({"AUSDT": 101.0, "BUSDT": 101.0})
        f.tick()
    told = [(n.kind, n.instrument, n.at_ms - back_ms) for n in f.notices if n.kind is not TellKind.UPDATE]
    assert told == [
        (TellKind.FIRE, "binance:AUSDT", 120_000),
        (TellKind.REPEAT, "binance:BUSDT", 180_000),
    ]


def test_silence_is_noticed_after_a_reset_also_where_windows_were_taken_up_at_a_later_time(feed, rules_of):
    rules = rules_of("- {id: old, when: stale(price), cooldown: 0s}\n")
    before = feed(rules, "A")
    before.prices({"AUSDT": 101.0})
    before.tick()
    f = feed(rules, "A", start=before.now)
    restore(f.engine, whole_state(before.engine), f.now)
    f.tick()

    f.now -= 3_600_000
    f.engine.consume(Reset(f.now))
    f.prices({"AUSDT": 101.0})
    for _ in range(20):
        f.tick()
    assert f.states() == [("old", "AUSDT", "firing")]


def test_a_market_rule_counts_members_and_names_them(feed, rules_of):
    rules = rules_of(
        "- {id: breadth, per: market, when: 'count(price >= 100) >= 3', clear: 'count(price >= 100) < 2'}\n"
    )
    f = feed(rules, *"ABCDE")
    for high in (2, 3, 2, 1):
        f.prices({f"{s}USDT": 101.0 if i < high else 99.0 for i, s in enumerate("ABCDE")})
        f.tick()

    assert f.states() == [("breadth", "*", "firing"), ("breadth", "*", "resolved")]
    view = f.notices[0].view
    assert (view.n_true, view.n_members) == (3, 5)
    assert {m.symbol for m in view.members} == {"AUSDT", "BUSDT", "CUSDT"}


def test_count_is_known_when_the_unknown_cannot_change_it(feed, rules_of):
    """Two of five have no price: three true suffice for >= 3, and for < 3 nothing can be said with two true."""
    rules = rules_of(
        "- {id: many, per: market, when: 'count(price >= 100) >= 3'}\n- {id: few, per: market, when: 'count(price >= 100) < 3'}\n"
    )
    f = feed(rules, *"ABCDE")
    f.prices({"AUSDT": 101.0, "BUSDT": 101.0, "CUSDT": 99.0})
    f.tick()
    assert f.states() == []

    f.prices({"AUSDT": 101.0, "BUSDT": 101.0, "CUSDT": 101.0})
    f.tick()
    assert f.states() == [("many", "*", "firing")]


def test_stale_is_always_known_and_counts(feed, rules_of):
    rules = rules_of("- {id: blind, per: market, when: 'count(stale(price)) >= 2'}\n")
    f = feed(rules, *"ABC")
    f.prices({"AUSDT": 1.0, "BUSDT": 1.0, "CUSDT": 1.0})
    for _ in range(30):
        f.prices({"AUSDT": 1.0})
        f.tick()

    assert f.states() == [("blind", "*", "firing")]
    assert f.transitions[0].at_ms - f.records["blind", "*"].fired_ms == 0


def test_beyond_the_market_needs_the_median_of_known_members(feed, rules_of):
    rules = rules_of("- {id: beyond, when: 'pct(price, 10s) - median(pct(price, 10s)) > 4%'}\n")
    f = feed(rules, *"ABCDEF")
    for second in range(20):
        moved = 1.06 if second >= 15 else 1.0
        f.prices({f"{s}USDT": 100.0 * moved * (1.05 if s == "F" and second >= 15 else 1.0) for s in "ABCDEF"})
        f.tick()

    assert f.states() == [("beyond", "FUSDT", "firing")]


def test_rank_one_is_the_largest(feed, rules_of):
    f = feed(rules_of("- {id: first, when: rank(price) <= 2}\n"), *"ABCDE")
    f.prices({f"{s}USDT": float(i) for i, s in enumerate("ABCDE", start=1)})
    f.tick()

    assert {t.symbol for t in f.transitions} == {"DUSDT", "EUSDT"}


def test_a_scope_by_size_is_unknown_until_most_sizes_are(feed, rules_of):
    rules = rules_of("- {id: big, scope: {top: 2, by: oi_usd}, when: price > 0}\n")
    f = feed(rules, *"ABCDEFGHIJ")
    everyone = {f"{s}USDT": 1.0 for s in "ABCDEFGHIJ"}
    for i, base in enumerate("ABCDEFGH"):
        f.oi(f"{base}USDT", 1_000.0 + i)
    f.prices(everyone)
    f.tick()
    assert f.states() == []

    f.oi("IUSDT", 5_000.0)
    f.prices(everyone)
    f.tick()
    assert {t.symbol for t in f.transitions} == {"IUSDT", "HUSDT"}


def test_membership_has_slack_so_that_the_edge_does_not_flap(feed, rules_of):
    """Of the top 10, the member that falls to rank 11 at the next hour stays; the one at rank 13 goes."""
    rules = rules_of("- {id: big, scope: {top: 10}, when: 'pct(price, 10s) > 5%'}\n")
    bases = "ABCDEFGHIJKLMN"
    f = feed(rules, *bases)

    def hour(sizes):
        f.now = (f.now // 3_600_000 + 1) * 3_600_000
        for base, size in sizes.items():
            f.oi(f"{base}USDT", float(size))
        f.prices({f"{b}USDT": 1.0 for b in bases})
        f.tick()

    hour({b: 100 - i for i, b in enumerate(bases)})
    members = lambda: {f.instruments[r].base for r in f.engine.members(rules[0]).nonzero()[0]}  # noqa: E731
    assert members() == set("ABCDEFGHIJ")

    hour({**{b: 100 - i for i, b in enumerate(bases)}, "J": 89.5})
    assert members() == set("ABCDEFGHIJK")

    hour({**{b: 100 - i for i, b in enumerate(bases)}, "J": 10})
    assert "J" not in members()


def test_a_share_is_counted_exactly(feed, rules_of):
    """7 of 100 is 7%, and 29 of 100 is not more than 29%, whatever binary says."""
    bases = [f"C{i}" for i in range(100)]
    rules = rules_of(
        "- {id: seven, per: market, when: 'count(price >= 10) >= 7%'}\n"
        "- {id: more, per: market, when: 'count(price >= 5) > 29%'}\n"
    )
    f = feed(rules, *bases)
    f.prices({f"{b}USDT": 10.0 if i < 7 else 5.0 if i < 29 else 1.0 for i, b in enumerate(bases)})
    f.tick()

    assert f.states() == [("seven", "*", "firing")]


def test_of_nobody_nothing_is_said(feed, rules_of):
    rules = rules_of("- {id: none, per: market, scope: {symbols: [NOBODY]}, when: 'count(stale(price)) >= 20%'}\n")
    f = feed(rules, "A")
    for _ in range(40):
        f.tick()

    assert f.states() == []


def test_a_restart_during_a_halt_keeps_the_alert(feed, rules_of, perpetual):
    rules = rules_of("- {id: level, when: price >= 100}\n")
    f = feed(rules, "A")
    f.prices({"AUSDT": 101.0})
    f.tick()
    halted = replace(perpetual("A"), status="TRADING_HALT")
    later = type(f)(rules, [perpetual("B"), halted], records=list(f.records.values()), start=f.now)
    later.tick()
    assert later.transitions == []

    later.engine.consume(Listed(InstrumentList("binance", (perpetual("A"), perpetual("B"))), later.now))
    later.prices({"AUSDT": 99.0})
    later.tick()
    assert [(t.symbol, t.state) for t in later.transitions] == [("AUSDT", State.RESOLVED)]


def test_a_freed_row_is_not_given_away_while_its_samples_may_be_on_their_way(feed, rules_of, perpetual):
    f = feed(rules_of("- {id: level, when: price >= 50}\n"), "A", "B")
    old_row = f.row("AUSDT")
    f.engine.consume(Listed(InstrumentList("binance", (perpetual("B"), perpetual("C"))), f.now))
    assert f.row("CUSDT") != old_row

    f.now += 120_000
    f.engine.consume(Listed(InstrumentList("binance", tuple(perpetual(b) for b in "BCD")), f.now))
    assert f.row("DUSDT") == old_row


def test_a_delisting_while_pending_leaves_no_clock_behind(feed, rules_of):
    f = feed(rules_of("- {id: slow, when: price >= 100, for: 1m}\n"), "A")
    for _ in range(10):
        f.prices({"AUSDT": 101.0})
        f.tick()
    f.engine.consume(Listed(InstrumentList("binance", ()), f.now))
    f.tick()

    stored = f.records["slow", "binance:AUSDT"]
    assert (stored.state, stored.held_ms) == (State.INACTIVE, 0)


def test_escalation_compares_values_of_one_expression_only(feed, rules_of):
    """`a or b`: when b becomes the first true side, its numbers are of another kind."""
    rules = rules_of("- {id: either, when: 'pct(price, 10s) >= 5% or price >= 1000', escalate: 1%}\n")
    f = feed(rules, "A")
    for second in range(40):
        f.prices({"AUSDT": 950.0 if second < 15 else 1_046.0})
        f.tick()

    assert [n.kind for n in f.notices] == [TellKind.FIRE]
    assert f.notices[0].view.value_text == "pct(price, 10s)"
    assert f.records["either", "binance:AUSDT"].peak < 1


def test_a_value_of_its_own_grows_away_from_zero(feed, rules_of):
    rules = rules_of("- {id: fall, when: 'pct(price, 10s) <= -5%', value: 'abs(pct(price, 10s))', escalate: 2%}\n")
    f = feed(rules, "A")
    for second in range(24):
        f.prices({"AUSDT": {15: 94.0, 16: 93.0, 17: 91.0}.get(second, 100.0 if second < 15 else 94.5)})
        f.tick()

    assert [(n.kind, round(n.view.value, 3)) for n in f.notices if n.kind is not TellKind.END] == [
        (TellKind.FIRE, 0.06),
        (TellKind.ESCALATE, 0.09),
    ]


def test_what_cannot_be_measured_is_not_repeated(feed, rules_of):
    f = feed(rules_of("- {id: level, when: price >= 100, repeat: 1m, escalate: 5}\n"), "A")
    f.prices({"AUSDT": 101.0})
    f.tick()
    for _ in range(120):
        f.tick()
    f.prices({"AUSDT": 107.0})
    f.tick()

    assert [n.kind for n in f.notices] == [TellKind.FIRE, TellKind.ESCALATE]
    assert f.notices[1].view.value_before == 101.0


def test_a_peak_survives_a_crash(feed, rules_of):
    rules = rules_of("- {id: level, when: price >= 100}\n")
    f = feed(rules, "A")
    for price in (101.0, 150.0, 120.0):
        f.prices({"AUSDT": price})
        f.tick()
    stored = f.engine.checkpoint().records
    assert f.engine.checkpoint().records == ()

    later = feed(rules, "A", records=list(stored), start=f.now)
    later.prices({"AUSDT": 99.0})
    later.tick()
    assert later.notices[-1].view.peak == 150.0


def test_a_ranked_alert_ends_although_its_instrument_left_the_scope(feed, rules_of):
    rules = rules_of("- {id: first, scope: {top: 5, by: oi_usd}, when: rank(price) <= 1}\n")
    bases = "ABCDEFGH"
    f = feed(rules, *bases)
    for hour in range(2):
        f.now = (f.now // 3_600_000 + 1) * 3_600_000
        for i, base in enumerate(bases):
            leaves = hour and base == "A"
            f.oi(f"{base}USDT", 1.0 if leaves else 1_000.0 - i)
        f.prices({f"{b}USDT": (0.5 if hour else 9.0) if b == "A" else 1.0 for b in bases})
        f.tick()

    assert f.states()[:2] == [("first", "AUSDT", "firing"), ("first", "AUSDT", "resolved")]


def test_what_crossed_may_be_a_number_over_the_scope(feed):
    """Its value is made of others, and is the value of the alert."""
    crossing = parse_condition("crosses_above(price - median(price), 5)").expr
    f = feed([Rule(id="r", when=crossing)], *"ABCDE")
    for price in (100.0, 110.0):
        f.prices({"AUSDT": price, **{f"{b}USDT": 100.0 for b in "BCDE"}})
        f.tick()

    assert [(t.symbol, t.state, t.value) for t in f.transitions] == [
        ("AUSDT", "firing", 10.0),
        ("AUSDT", "resolved", 10.0),
    ]


@pytest.mark.parametrize("when", ["median(price) > 50", "total(price) > 50 and median(price) > 50"])
def test_a_market_rule_may_compare_what_all_instruments_share(feed, perpetual, when):
    parsed = parse_condition(when, per="market")
    f = feed([Rule(id="r", when=parsed.expr, per="market")], *"ABCDEF")
    f.engine.consume(Listed(InstrumentChange(replace(perpetual("A"), status="HALT")), f.now))
    f.prices({f"{b}USDT": 100.0 for b in "ABCDEF"})
    f.tick()

    assert f.states() == [("r", "*", "firing")]


def test_ticks_before_the_first_list_of_instruments_do_no_harm(rules_of, perpetual):
    """Prices and time may come before the venue has said what it lists."""
    engine = Engine(rules_of(PRICE_RULE))
    for second in range(3):
        assert not engine.tick(T0 + second * 1_000)
    engine.consume(Listed(InstrumentList("binance", (perpetual("A"),)), T0 + 3_000))
    engine.tick(T0 + 3_000)
    assert engine.last is not None


def test_the_market_as_a_whole_crosses_a_level_once(feed, rules_of, perpetual):
    rules = rules_of("- {id: rotation, per: market, when: 'crosses_above(total(price), 500)', cooldown: 0s}\n")
    f = feed(rules, *"ABCDEFG")
    for level in (50, 60, 90, 95, 60):
        f.prices({f"{base}USDT": float(level) for base in "ABCDEFG"})
        f.tick()

    assert f.states() == [("rotation", "*", "firing"), ("rotation", "*", "resolved")]
    assert (f.transitions[0].at_ms, f.transitions[0].value) == (T0 + 2_000, 630.0)
    assert [(n.kind, n.view.value_text) for n in f.notices] == [(TellKind.FIRE, "total(price)")]
    assert not f.engine.faults.counts

    # What becomes of one contract is no matter: not a halt, and not that the first of all is another one now.
    f.engine.consume(Listed(InstrumentChange(replace(perpetual("A"), status="DELISTED")), f.now))
    f.engine.consume(Listed(InstrumentChange(replace(perpetual("H"), status="TRADING_HALT")), f.now))
    f.prices({f"{base}USDT": 200.0 for base in "BCDEFG"})
    f.tick()
    assert f.states()[2:] == [("rotation", "*", "firing"), ("rotation", "*", "resolved")]


EITHER = "- {id: any, when: 'pct(oi, 30s) > 5% or pct(price, 30s) > 3%', clear: 'pct(price, 30s) < 0%', escalate: 1%}\n"


def test_after_a_restart_an_alert_follows_what_is_true_not_what_stands_first_while_windows_fill(feed, rules_of):
    rules = rules_of(EITHER)
    f = feed(rules, "A")
    for second in range(33):
        f.oi("AUSDT", 1_000.0)
        f.prices({"AUSDT": 100.0 if second < 32 else 104.0})
        f.tick()
    assert [(n.kind, n.view.value_text) for n in f.notices] == [(TellKind.FIRE, "pct(price, 30s)")]

    again = feed(rules, "A", records=f.engine.records(), start=f.now + 60_000)
    for second in range(80):
        # For half a minute nothing is known; then the price is beyond its level, and later open interest far beyond its own.
        again.oi("AUSDT", 1_000.0 if second < 50 else 1_100.0)
        again.prices({"AUSDT": 104.0 * 1.0012**second})
        again.tick()
    assert again.states() == []
    assert [n.view.value_text for n in again.notices if n.kind is TellKind.ESCALATE] == []
    assert again.engine.book("any").option(0) == 1


def test_an_alert_follows_the_same_measure_after_a_restart_at_which_nothing_is_true_any_more(feed, rules_of):
    rules = rules_of(EITHER)
    f = feed(rules, "A")
    for second in range(70):
        f.oi("AUSDT", 1_000.0)
        f.prices({"AUSDT": 100.0 if second < 32 else 104.0 + 0.05 * (second - 32)})
        f.tick()
    assert f.states() == [("any", "AUSDT", "firing")]

    again = feed(rules, "A", records=f.engine.records(), start=f.now + 60_000)
    for second in range(80):
        # Between its level and its end by both; then open interest moves, which this alert is not about.
        again.oi("AUSDT", 1_000.0 + 0.5 * second)
        again.prices({"AUSDT": 106.0 + 0.05 * second})
        again.tick()
    assert again.engine.book("any").option(0) == 1
    assert again.states() == []
    assert {n.view.value_text for n in again.notices} == {"pct(price, 30s)"}
    assert TellKind.ESCALATE not in {n.kind for n in again.notices}
    assert again.engine.book("any").look(0).peak == f.engine.book("any").look(0).peak


@pytest.mark.parametrize("value", ["pct(price, 20s)", "price * 1000"])
def test_what_a_rule_measures_otherwise_after_a_restart_is_not_compared_with_what_it_told_before(feed, rules_of, value):
    rule = "- {{id: up, when: 'price > 100', value: '{}', escalate: 5}}\n"
    f = feed(rules_of(rule.format("price")), "A")
    for price in (99.0, 101.0, 103.0):
        f.prices({"AUSDT": price})
        f.tick()

    again = feed(rules_of(rule.format(value)), "A", records=f.engine.records(), start=f.now + 1_000)
    for _ in range(25):
        again.prices({"AUSDT": 103.0})
        again.tick()
    assert again.notices == []
    kept = again.engine.book("up").look(0)
    assert (kept.measure, kept.peak) == (value, kept.told_value)


@pytest.mark.parametrize("when", ["not price < 100", "100 <= price", "not (100 > price)"])
def test_the_value_is_what_is_measured_however_the_comparison_is_written(feed, rules_of, when):
    f = feed(rules_of(f"- {{id: level, when: '{when}', escalate: 5}}\n"), "A")
    for price in (99, 101, 107, 104, 99):
        f.prices({"AUSDT": float(price)})
        f.tick()
    assert [(n.kind, n.view.value_text, n.view.value, n.view.peak) for n in f.notices] == [
        (TellKind.FIRE, "price", 101.0, 101.0),
        (TellKind.ESCALATE, "price", 107.0, 107.0),
        (TellKind.END, "price", 99.0, 107.0),
    ]


@pytest.mark.parametrize("n_block", [1, 4])
def test_a_count_that_is_compared_with_a_share_escalates_by_a_share(feed, rules_of, n_block):
    rules = rules_of("- {id: many, per: market, when: 'count(price > 100) >= 20%', escalate: 7%, repeat: 1h}\n")
    f = feed(rules, *(f"C{i}" for i in range(100)), n_block=n_block)
    for n_true in (0, 20, 21, 26, 27, 33, 34, 34):
        f.prices({f"C{i}USDT": 101.0 if i < n_true else 99.0 for i in range(100)})
        f.tick()
    told = [(n.kind, n.view.value, n.view.value_before) for n in f.notices]
    assert told == [
        (TellKind.FIRE, 20.0, None),
        (TellKind.ESCALATE, 27.0, 20.0),
        (TellKind.ESCALATE, 34.0, 27.0),
    ]


def test_a_count_that_is_compared_with_a_share_may_escalate_by_a_number(feed, rules_of):
    f = feed(rules_of("- {id: many, per: market, when: 'count(price > 100) >= 20%', escalate: 2}\n"), *"ABCDEFGHIJ")
    for n_true in (1, 2, 3, 4):
        f.prices({f"{base}USDT": 101.0 if i < n_true else 99.0 for i, base in enumerate("ABCDEFGHIJ")})
        f.tick()
    assert [(n.kind, n.view.value) for n in f.notices] == [(TellKind.FIRE, 2.0), (TellKind.ESCALATE, 4.0)]


@pytest.mark.parametrize("n_block", [1, 5])
def test_of_a_value_of_its_own_further_is_away_from_zero(feed, rules_of, n_block):
    rules = rules_of("- {id: r, when: price >= 100, value: 'delta(price, 1s)', escalate: 15, cooldown: 0s}\n")
    f = feed(rules, "A", n_block=n_block)
    for price in (90, 110, 109, 110, 160, 159, 125, 85, 85, 85):
        f.prices({"AUSDT": float(price)})
        f.tick()
    # Steps of -1 and of -34 are closer to zero than what was told and what was the peak.
    assert [(n.kind, n.view.value, n.view.peak) for n in f.notices] == [
        (TellKind.FIRE, 20.0, 20.0),
        (TellKind.ESCALATE, 50.0, 50.0),
        (TellKind.END, -40.0, 50.0),
    ]


@pytest.mark.parametrize("n_block", [1, 5])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_fires_before_its_value_is_known_escalates_from_the_first_that_is(feed, rules_of, n_block, is_restarted):
    rules = rules_of("- {id: r, when: price > 100, value: 'oi / 10', escalate: 5, repeat: 1m}\n")
    f = feed(rules, "A", n_block=n_block)
    f.prices({"AUSDT": 101.0})
    f.tick()
    f.notices += f.engine.flush().notices
    assert [(n.kind, n.view.value) for n in f.notices] == [(TellKind.FIRE, None)]

    if is_restarted:
        f = feed(rules, "A", n_block=n_block, records=f.engine.records(), start=f.now)
    f.notices.clear()
    for oi in (*[None] * 59, 100.0, 140.0, 160.0, 160.0):
        f.prices({"AUSDT": 101.0})
        if oi is not None:
            f.oi("AUSDT", oi)
        f.tick()
    f.notices += f.engine.flush().notices
    assert [(n.kind, n.view.value, n.view.value_before) for n in f.notices] == [
        (TellKind.REPEAT, 10.0, None),
        (TellKind.ESCALATE, 16.0, 10.0),
    ]


@pytest.mark.parametrize("scope", ["", "scope: {top: 2, by: oi_usd}, "])
def test_a_listing_between_two_ticks_takes_nobody_out_of_a_scope(feed, rules_of, perpetual, scope):
    """Whoever asks before the next tick would end all streams of bars, and begin them anew a minute later."""
    f = feed(rules_of(f"- {{id: a, {scope}when: 'sum(volume, 5m) > 1'}}\n"), "A", "B")
    for symbol in ("AUSDT", "BUSDT"):
        f.oi(symbol, 1e6)
    f.prices({"AUSDT": 100.0, "BUSDT": 50.0})
    assert {need.flow_window_ms for need in f.engine.needs()} == {0}, "who is in it is decided by the first tick"
    f.tick()
    f.engine.consume(Listed(InstrumentList("binance", tuple(perpetual(n) for n in "ABC")), f.now))
    wanted = {need.symbol: need.flow_window_ms > 0 for need in f.engine.needs()}
    assert wanted == {"AUSDT": True, "BUSDT": True, "CUSDT": False}
    f.tick()
    assert f.engine.needs()[2].flow_window_ms == (0 if scope else 300_000)
