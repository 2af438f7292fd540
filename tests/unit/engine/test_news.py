"""What is told besides the changes of alerts: moved figures, lost data, what was already true."""

from bot.engine.feeds_lost import series_of
from bot.engine.inputs import Coverage, Listed, Reset, RulesChanged
from bot.model.alert import TellKind
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.updates import InstrumentList

MINUTE = 60
LEVEL = "- {id: level, when: price >= 100, cooldown: 0s}\n"


def kinds(f):
    return [(n.rule_id, n.kind.value) for n in f.notices]


def run(f, prices, seconds, *, step=1.0, oi=None):
    """Feed the same prices for a while."""
    for _ in range(round(seconds / step)):
        if prices:
            f.prices(prices)
        for symbol, amount in (oi or {}).items():
            f.oi(symbol, amount)
        f.tick(seconds=step)


def begun(f, **prices):
    """Past the first five minutes, in which things may be already true."""
    run(f, {f"{base}USDT": 1.0 for base in prices}, 310, step=5)
    f.notices.clear()
    return f


# -- updates ---------------------------------------------------------------------------------------------------------


def test_moved_figures_are_told_once_a_minute_and_say_what_was_said(feed, rules_of):
    f = begun(feed(rules_of(LEVEL), "A"), A=1)
    for k in range(200):
        run(f, {"AUSDT": 100.0 + k}, 1)
    updates = [n for n in f.notices if n.kind is TellKind.UPDATE]
    assert [(n.at_ms - f.notices[0].at_ms) // 1000 for n in updates] == [60, 120, 180]
    assert [(n.view.value_before, n.view.value) for n in updates] == [(100.0, 160.0), (160.0, 220.0), (220.0, 280.0)]
    assert len({(n.key, n.kind, n.n) for n in updates}) == 3, "each is a row of its own"
    assert {n.key for n in f.notices} == {f.notices[0].key}
    assert updates[0].view.price.now == 160.0


def test_a_crossing_is_over_at_once_so_its_figures_stay(feed, rules_of):
    f = begun(feed(rules_of("- {id: cross, when: 'crosses_above(price, 100)', cooldown: 0s}\n"), "A"), A=1)
    for k in range(200):
        run(f, {"AUSDT": 101.0 + k}, 1)
    assert kinds(f) == [("cross", "fire")]


def test_figures_that_stand_still_are_never_told(feed, rules_of):
    f = begun(feed(rules_of(LEVEL), "A"), A=1)
    run(f, {"AUSDT": 150.0}, 300)
    run(f, {"AUSDT": 150.5}, 120)
    assert kinds(f) == [("level", "fire")]


def test_what_stays_unknown_is_no_news(feed, rules_of):
    f = begun(feed(rules_of(LEVEL), "A"), A=1)
    run(f, {"AUSDT": 150.0}, 1)
    run(f, {}, 200)
    assert kinds(f) == [("level", "fire")]


def test_after_a_quarter_of_an_hour_a_message_stays_as_it_is(feed, rules_of):
    f = begun(feed(rules_of(LEVEL), "A"), A=1)
    for k in range(240):
        run(f, {"AUSDT": 100.0 * 1.05**k}, 10, step=10)
    fired_ms = f.notices[0].at_ms
    assert max(n.at_ms for n in f.notices) - fired_ms <= 15 * 60_000
    assert len(f.notices) == 16


def test_what_a_rule_measures_otherwise_now_is_not_compared_with_what_its_message_says(feed, rules_of):
    other = rules_of(LEVEL.replace("cooldown", "value: price / 100, cooldown"))
    f = begun(feed(rules_of(LEVEL), "A"), A=1)
    run(f, {"AUSDT": 150.0}, 30)
    records, start = f.engine.records(), f.now
    f.engine.consume(RulesChanged(other, {}, ()))
    run(f, {"AUSDT": 151.0}, 120)
    (update,) = [n for n in f.notices if n.kind is TellKind.UPDATE]
    assert (update.view.value_text, update.view.value, update.view.value_before) == ("price / 100", 1.51, None)

    f = feed(other, "A", records=records, start=start)
    run(f, {"AUSDT": 151.0}, 120)
    assert f.notices == []


def test_an_escalation_is_news_enough(feed, rules_of):
    rules = rules_of("- {id: level, when: price >= 100, escalate: 50, cooldown: 0s}\n")
    f = begun(feed(rules, "A"), A=1)
    run(f, {"AUSDT": 100.0}, 50)
    run(f, {"AUSDT": 150.0}, 55)
    assert kinds(f) == [("level", "fire"), ("level", "escalate")]
    run(f, {"AUSDT": 170.0}, 10)
    assert kinds(f)[-1] == ("level", "update")


def test_at_the_tick_of_the_end_nothing_else_is_told(feed, rules_of):
    f = begun(feed(rules_of(LEVEL), "A"), A=1)
    run(f, {"AUSDT": 100.0}, 60)
    run(f, {"AUSDT": 50.0}, 130)
    assert kinds(f) == [("level", "fire"), ("level", "end")]


def test_of_an_instrument_that_left_and_came_back_between_two_looks_nothing_is_updated(feed, rules_of):
    f = begun(feed(rules_of(LEVEL), "A", "B"), A=1, B=1)
    run(f, {"AUSDT": 150.0, "BUSDT": 1.0}, 60)
    both = tuple(f.instruments)
    f.engine.consume(Listed(InstrumentList("binance", both[1:]), f.now))
    f.engine.consume(Listed(InstrumentList("binance", both), f.now))
    run(f, {"AUSDT": 50.0, "BUSDT": 1.0}, 5)
    assert kinds(f)[:2] == [("level", "fire"), ("level", "close")]
    assert "update" not in {kind for _, kind in kinds(f)}


def test_chat_alerts_are_updated_too(feed, rules_of):
    f = feed(rules_of("- {id: never, when: price > 1000000}\n"), "A")
    f.engine.consume(
        AlertAdded(
            ChatAlert(
                id="a-00000001",
                chat="console",
                user="u",
                instrument="binance:AUSDT",
                measure="price",
                op=">=",
                level=100.0,
                is_ratio=False,
                created_ms=f.now,
            )
        )
    )
    run(f, {"AUSDT": 1.0}, 5)
    run(f, {"AUSDT": 100.0}, 30)
    run(f, {"AUSDT": 150.0}, 60)
    assert kinds(f) == [("a-00000001", "fire"), ("a-00000001", "update")]
    assert (f.notices[1].view.value_before, f.notices[1].view.value) == (100.0, 150.0)
    assert f.notices[1].notify == ("console",)


def test_updates_go_on_after_a_restart(feed, rules_of):
    rules = rules_of(LEVEL)
    f = begun(feed(rules, "A"), A=1)
    run(f, {"AUSDT": 100.0}, 20)
    g = feed(rules, "A", records=list(f.records.values()), start=f.now + 60_000)
    run(g, {"AUSDT": 150.0}, 3)
    assert kinds(g) == [("level", "update")]
    assert g.notices[0].key == f.notices[0].key


# -- lost data -------------------------------------------------------------------------------------------------------

OI = "- {id: open, name: Open, when: oi >= 100, cooldown: 0s, notify: [main]}\n"


def lost(f):
    return [
        (n.kind.value, n.view.feed, n.notify, [a.symbol for a in n.view.affected]) for n in f.notices if n.view.feed
    ]


def test_lost_data_is_told_after_ten_minutes_once_and_when_it_is_back(feed, rules_of):
    f = feed(rules_of(OI), "A", "B")
    run(f, {"AUSDT": 1.0, "BUSDT": 1.0}, 30, oi={"AUSDT": 200.0, "BUSDT": 1.0})
    heard_ms = f.now - 1_000
    run(f, {"AUSDT": 1.0, "BUSDT": 1.0}, 598)
    assert lost(f) == []
    run(f, {"AUSDT": 1.0, "BUSDT": 1.0}, 1_500)
    assert lost(f) == [("lost", "open interest", ("main",), ["AUSDT"])]
    notice = next(n for n in f.notices if n.view.feed)
    assert 600_000 <= notice.at_ms - heard_ms <= 612_000
    assert notice.view.fired_ms == heard_ms
    run(f, {"AUSDT": 1.0, "BUSDT": 1.0}, 30, oi={"AUSDT": 200.0, "BUSDT": 1.0})
    assert lost(f)[1:] == [("back", "open interest", ("main",), [])]
    assert f.states()[-1] == ("open", "AUSDT", "firing"), "never resolved"
    run(f, {"AUSDT": 1.0, "BUSDT": 1.0}, 1_300)
    assert [kind for kind, *_ in lost(f)] == ["lost", "back", "lost"], "another loss is another story"
    keys = [n.key for n in f.notices if n.view.feed]
    assert keys[0] == keys[1] != keys[2]


def test_without_a_firing_alert_nobody_hears_of_it(feed, rules_of):
    f = feed(rules_of(OI), "A")
    run(f, {"AUSDT": 1.0}, 30, oi={"AUSDT": 2.0})
    run(f, {"AUSDT": 1.0}, 1_000)
    assert lost(f) == []


def test_each_destination_hears_of_a_feed_once(feed, rules_of):
    rules = rules_of(
        OI + "- {id: two, when: oi >= 50, notify: [desk]}\n- {id: three, when: oi >= 60, notify: [desk, main]}\n"
    )
    f = feed(rules, "A")
    run(f, {"AUSDT": 1.0}, 30, oi={"AUSDT": 200.0})
    run(f, {"AUSDT": 1.0}, 700)
    [(kind, feed_name, notify, symbols)] = lost(f)
    assert (kind, feed_name, set(notify), len(symbols)) == ("lost", "open interest", {"main", "desk"}, 3)


def test_all_data_of_a_dead_connection_is_told_by_feed(feed, rules_of):
    f = feed(rules_of(OI + LEVEL), "A")
    run(f, {"AUSDT": 100.0}, 30, oi={"AUSDT": 200.0})
    run(f, {}, 700)
    assert [x[:2] for x in lost(f)] == [("lost", "mark price"), ("lost", "open interest")]


def test_a_restart_neither_repeats_the_loss_nor_forgets_its_end(feed, rules_of):
    rules = rules_of(OI)
    f = feed(rules, "A")
    run(f, {"AUSDT": 1.0}, 30, oi={"AUSDT": 200.0})
    run(f, {"AUSDT": 1.0}, 700)
    assert len(lost(f)) == 1
    stored = list(f.records.values())
    assert {r.rule_id for r in f.engine.records()} == {r.rule_id for r in stored} == {"open", "feed:open interest"}
    g = feed(rules, "A", records=stored, start=f.now + 30_000)
    run(g, {"AUSDT": 1.0}, 900)
    assert lost(g) == [], "told already, and not back"
    run(g, {"AUSDT": 1.0}, 30, oi={"AUSDT": 200.0})
    assert lost(g) == [("back", "open interest", ("main",), [])]
    assert g.notices[-1].key == f.notices[-1].key
    h = feed(rules, "A", records=list({**f.records, **g.records}.values()), start=g.now + 30_000)
    run(h, {"AUSDT": 1.0}, 30, oi={"AUSDT": 200.0})
    assert lost(h) == []


def test_the_return_is_told_also_where_the_clock_went_back_after_the_loss(feed, rules_of):
    f = feed(rules_of(OI), "A")
    run(f, {"AUSDT": 1.0}, 30, oi={"AUSDT": 200.0})
    run(f, {"AUSDT": 1.0}, 700)
    assert [x[0] for x in lost(f)] == ["lost"]
    f.now -= 3_600_000
    f.engine.consume(Reset(f.now))
    run(f, {"AUSDT": 1.0}, 30, oi={"AUSDT": 200.0})
    assert [x[0] for x in lost(f)] == ["lost", "back"]


def test_time_in_which_no_process_ran_is_no_loss(feed, rules_of):
    rules = rules_of(OI)
    f = feed(rules, "A")
    run(f, {"AUSDT": 1.0}, 30, oi={"AUSDT": 200.0})
    g = feed(rules, "A", records=list(f.records.values()), start=f.now + 3_600_000)
    run(g, {"AUSDT": 1.0}, 590)
    assert lost(g) == []
    run(g, {"AUSDT": 1.0}, 30)
    assert [x[0] for x in lost(g)] == ["lost"]


def test_a_market_alert_is_lost_with_most_of_its_members(feed, rules_of):
    rules = rules_of("- {id: wide, per: market, when: count(oi >= 100) >= 1, cooldown: 0s}\n")
    f = feed(rules, "A", "B", "C")
    prices = dict.fromkeys(("AUSDT", "BUSDT", "CUSDT"), 1.0)
    run(f, prices, 30, oi=dict.fromkeys(prices, 200.0))
    run(f, prices, 700, oi={"AUSDT": 200.0, "BUSDT": 200.0})
    assert lost(f) == []
    run(f, prices, 700, oi={"AUSDT": 200.0})
    assert lost(f) == [("lost", "open interest", ("main",), ["*"])]


def test_liquidations_are_lost_when_their_stream_is(feed, rules_of):
    rules = rules_of("- {id: liq, when: 'sum(liq_long, 1m) >= 0', cooldown: 0s}\n")
    f = feed(rules, "A")
    f.engine.consume(Coverage("liquidations", live=True, at_ms=f.now))
    run(f, {"AUSDT": 1.0}, 90)
    assert kinds(f) == [("liq", "fire")]
    f.engine.consume(Coverage("liquidations", live=False, at_ms=f.now))
    run(f, {"AUSDT": 1.0}, 700)
    f.engine.consume(Coverage("liquidations", live=True, at_ms=f.now))
    run(f, {"AUSDT": 1.0}, 20)
    assert [x[:2] for x in lost(f)] == [("lost", "liquidations"), ("back", "liquidations")]


def test_questions_about_data_itself_do_not_wait_for_it(rules_of):
    rules = rules_of(
        "- {id: a, per: market, when: count(stale(oi)) >= 5 or count(age(price) > 30s) >= 5}\n- {id: b, when: oi_usd > 1}\n"
    )
    assert [series_of(rule) for rule in rules] == [(), ("oi", "price")]


# -- already true ----------------------------------------------------------------------------------------------------


def already(f):
    return [
        (n.rule_id, n.instrument.rpartition(":")[2], n.view.is_already_true)
        for n in f.notices
        if n.kind is TellKind.FIRE
    ]


def test_what_is_true_at_the_first_look_is_told_as_already_true(feed, rules_of):
    f = feed(rules_of(LEVEL), "A", "B", "C")
    f.tick()
    run(f, {"AUSDT": 150.0, "BUSDT": 50.0}, 5)
    run(f, {"AUSDT": 150.0, "BUSDT": 150.0}, 5)
    run(f, {"AUSDT": 150.0, "BUSDT": 150.0, "CUSDT": 150.0}, 5)
    assert already(f) == [("level", "AUSDT", True), ("level", "BUSDT", False), ("level", "CUSDT", True)]


def test_it_is_not_so_once_it_was_false(feed, rules_of):
    f = feed(rules_of("- {id: level, when: price >= 100, for: 30s, cooldown: 0s}\n"), "A", "B")
    run(f, {"AUSDT": 150.0, "BUSDT": 150.0}, 20)
    run(f, {"AUSDT": 150.0, "BUSDT": 50.0}, 1)
    run(f, {"AUSDT": 150.0, "BUSDT": 150.0}, 60)
    assert already(f) == [("level", "AUSDT", True), ("level", "BUSDT", False)]


def test_it_is_not_so_after_five_minutes(feed, rules_of):
    f = feed(rules_of("- {id: level, when: price >= 100, for: 6m, cooldown: 0s}\n"), "A")
    run(f, {"AUSDT": 150.0}, 400)
    assert already(f) == [("level", "AUSDT", False)]


def test_it_is_not_so_after_a_restart(feed, rules_of):
    rules = rules_of(LEVEL)
    f = feed(rules, "A", "B")
    run(f, {"AUSDT": 150.0}, 2)
    g = feed(rules, "A", "B", records=list(f.records.values()), start=f.now + 5_000)
    run(g, {"AUSDT": 150.0, "BUSDT": 150.0}, 2)
    assert already(g) == [("level", "BUSDT", False)]


def test_a_crossing_is_never_already_true_and_says_how_long_nothing_was_known(feed, rules_of):
    f = feed(rules_of("- {id: cross, when: 'crosses_above(price, 100)', cooldown: 0s}\n"), "A")
    run(f, {"AUSDT": 50.0}, 3)
    run(f, {}, 300)
    run(f, {"AUSDT": 150.0}, 3)
    assert already(f) == [("cross", "AUSDT", False)]
    assert 240_000 < f.notices[0].view.gap_ms <= 303_000


def test_transitions_are_the_same(feed, rules_of):
    f, g = feed(rules_of(LEVEL), "A"), begun(feed(rules_of(LEVEL), "A"), A=1)
    for x in (f, g):
        run(x, {"AUSDT": 150.0}, 2)
        run(x, {"AUSDT": 50.0}, 2)
    assert f.states() == g.states()
