"""Another rule set while the engine runs: what lives on, what ends and says so, what begins."""

import pytest

from bot.engine.inputs import RulesChanged
from bot.model.alert import AlertRecord, State
from bot.model.chat_alert import AlertAdded, ChatAlert

HIGH = "- {id: high, when: price >= 100, cooldown: 5m}\n"
SLOW = "- {id: slow, when: price >= 100, for: 5s, cooldown: 0s}\n"


@pytest.fixture
def change(rules_of):
    def take(feed, text):
        feed.engine.consume(RulesChanged(rules_of(text), {}, ()))

    return take


def told(feed):
    return [(n.rule_id, n.kind.value, n.view.reason) for n in feed.notices]


def step(feed, price, n=1):
    for _ in range(n):
        feed.prices({"AUSDT": price})
        feed.tick()


def test_an_alert_whose_condition_stays_goes_on_over_any_other_change(feed, rules_of, change):
    f = feed(rules_of(HIGH), "A")
    step(f, 100.0)

    change(f, "- {id: high, name: Other, when: 'price>=100.0', cooldown: 1s, severity: critical, tags: [x]}\n" + SLOW)
    step(f, 101.0)
    step(f, 99.0)

    assert f.states() == [
        ("high", "AUSDT", "firing"),
        ("slow", "AUSDT", "pending"),
        ("high", "AUSDT", "resolved"),
    ]
    assert f.notices[-1].severity == "critical"


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (SLOW, "its rule was removed"),
        ("- {id: high, when: price >= 100, enabled: false}\n" + SLOW, "its rule was switched off"),
        ("- {id: high, when: price >= 99}\n" + SLOW, "the condition of its rule was changed"),
        ("- {id: high, when: price >= 100, clear: price < 90}\n" + SLOW, "the condition of its rule was changed"),
        ("- {id: high, per: market, when: count(price >= 100) >= 1}\n" + SLOW, "the condition of its rule was changed"),
    ],
)
def test_an_alert_of_a_rule_that_goes_ends_once_with_the_reason(feed, rules_of, change, after, reason):
    f = feed(rules_of(HIGH), "A")
    step(f, 100.0)

    change(f, after)
    step(f, 50.0)
    step(f, 50.0)

    assert told(f) == [("high", "fire", ""), ("high", "close", reason)]
    assert f.states()[:2] == [("high", "AUSDT", "firing"), ("high", "AUSDT", "closed")]
    assert f.records["high", "binance:AUSDT"].state is State.INACTIVE


def test_a_changed_rule_that_is_true_fires_anew_and_says_that_it_was_true_already(feed, rules_of, change):
    f = feed(rules_of(HIGH), "A")
    step(f, 50.0)
    step(f, 100.0)
    assert not f.notices[-1].view.is_already_true

    change(f, "- {id: high, when: price >= 90}\n- {id: new, when: price >= 80}\n- {id: later, when: price >= 200}\n")
    step(f, 100.0)
    step(f, 300.0)

    fired = {n.rule_id: n.view.is_already_true for n in f.notices if n.kind.value == "fire"}
    assert fired == {"high": True, "new": True, "later": False}


def test_the_clock_of_a_pending_alert_and_a_cooldown_go_on(feed, rules_of, change):
    f = feed(rules_of(HIGH + SLOW), "A")
    step(f, 100.0)
    step(f, 99.0)  # `high` cools down for five minutes
    step(f, 100.0, n=3)

    change(f, SLOW + HIGH)
    step(f, 100.0, n=4)

    assert [s for s in f.states() if s[2] == "firing"] == [("high", "AUSDT", "firing"), ("slow", "AUSDT", "firing")]


def test_a_longer_for_holds_back_what_is_pending_and_a_shorter_one_lets_it_go(feed, rules_of, change):
    f = feed(rules_of(SLOW), "A")
    step(f, 100.0, n=4)
    change(f, SLOW.replace("5s", "8s"))
    step(f, 100.0, n=3)
    assert [s for s in f.states() if s[2] == "firing"] == []
    change(f, SLOW.replace("5s", "2s"))
    step(f, 100.0)
    assert [s for s in f.states() if s[2] == "firing"] == [("slow", "AUSDT", "firing")]


def test_another_value_is_measured_from_where_it_is(feed, rules_of, change):
    rule = "- {{id: high, when: price >= 100, value: {}, escalate: {}}}\n"
    f = feed(rules_of(rule.format("price", "10")), "A")
    step(f, 100.0)

    change(f, rule.format("price * 2", "10"))
    step(f, 101.0)
    step(f, 104.0)
    assert [n.kind.value for n in f.notices] == ["fire"]
    step(f, 107.0)

    assert [n.kind.value for n in f.notices] == ["fire", "escalate"]


def test_a_rule_that_was_told_one_time_only_may_speak_again_when_it_no_longer_is(feed, rules_of, change):
    f = feed(rules_of("- {id: one, when: price >= 100, cooldown: 0s, once: true}\n"), "A")
    step(f, 100.0)
    step(f, 99.0)
    step(f, 100.0)
    change(f, "- {id: one, when: price >= 100, cooldown: 0s}\n")
    step(f, 100.0)

    assert [s[2] for s in f.states()] == ["firing", "resolved", "firing"]


def test_what_a_rule_keeps_quiet_follows_the_new_set(feed, rules_of, change):
    mute = "- {id: boss, when: price >= 100, cooldown: 0s, inhibits: [low]}\n"
    low = "- {id: low, when: price >= 50, cooldown: 0s}\n"
    f = feed(rules_of(mute + low), "A")
    step(f, 100.0)
    assert [x[:2] for x in told(f)] == [("boss", "fire")]

    change(f, mute.replace(", inhibits: [low]", "") + low)
    step(f, 100.0)
    assert [x[:2] for x in told(f)][1:] == [("low", "fire")]


def test_what_was_held_back_is_told_when_what_kept_it_quiet_is_removed(feed, rules_of, change):
    mute = "- {id: boss, when: price >= 100, cooldown: 0s, inhibits: [low]}\n"
    low = "- {id: low, when: price >= 50, cooldown: 0s}\n"
    f = feed(rules_of(mute + low), "A")
    step(f, 100.0)
    change(f, low)
    step(f, 100.0)

    assert [x[:2] for x in told(f)] == [("boss", "fire"), ("boss", "close"), ("low", "fire")]


def test_what_was_held_back_is_told_with_what_its_rule_measures_by_then(feed, rules_of, change):
    mute = "- {id: boss, when: price >= 100, cooldown: 0s, inhibits: [low]}\n"
    low = "- {{id: low, when: 'oi > 7 or price >= 50', cooldown: 0s{}}}\n"
    f = feed(rules_of(mute + low.format("")), "A")
    step(f, 100.0)
    change(f, low.format(", value: price / 2"))
    step(f, 100.0)

    (late,) = [n for n in f.notices if n.rule_id == "low"]
    assert (late.view.value_text, late.view.value) == ("price / 2", 50.0)
    assert not f.engine.faults.counts


def test_alerts_made_in_chat_live_on(feed, rules_of, change):
    f = feed(rules_of(HIGH), "A")
    step(f, 50.0)
    asked = ChatAlert(id="a-7q4mk2px", chat="terminal", user="terminal", instrument="binance:AUSDT", measure="pct(price, 5s)", op=">", level=0.01, is_ratio=True, created_ms=f.now)  # fmt: skip
    f.engine.consume(AlertAdded(asked))
    step(f, 50.0, n=6)

    change(f, SLOW)
    step(f, 60.0)

    assert ("a-7q4mk2px", "AUSDT", "firing") in f.states()


def test_stored_alerts_of_contracts_not_listed_yet_follow_too(feed, rules_of, change, perpetual):
    rule = rules_of(HIGH)[0]
    stored = [
        AlertRecord("high", f"binance:{s}USDT", rule.condition_hash, State.FIRING, fired_ms=5, key="ab" * 32)
        for s in "BC"
    ]
    f = feed([rule], "A", records=stored)
    change(f, HIGH)
    step(f, 50.0)
    gone = len(f.notices)  # the list said that B and C left
    f = feed([rule], "A", records=stored[:1])
    f.engine.consume(RulesChanged((), {}, ()))
    step(f, 50.0)

    assert gone == 2
    assert len(f.notices) == 1


def test_windows_of_new_rules_are_laid_out_and_those_of_gone_ones_freed(feed, rules_of, change):
    f = feed(rules_of(HIGH), "A")
    step(f, 50.0)
    before = f.engine.market.nbytes

    change(f, HIGH + "- {id: far, when: 'zscore(basis, 2d) > 3'}\n")
    step(f, 50.0)
    assert "basis" in f.engine.grown
    assert f.engine.market.nbytes > before

    change(f, HIGH)
    step(f, 50.0)
    assert f.engine.market.nbytes == before


def test_the_same_set_leaves_the_windows_alone(feed, rules_of, change):
    text = "- {id: move, when: 'avg(price, 5s) >= 100'}\n"
    f = feed(rules_of(text), "A")
    step(f, 50.0)
    windows = f.engine.market.windows

    change(f, text)
    step(f, 50.0)

    assert f.engine.market.windows is windows


def test_a_rule_without_alerts_yet_can_be_told_its_measures(feed, rules_of, change):
    """Two options, of which an alert followed the second, and the new value has one only."""
    f = feed(rules_of("- {id: either, when: price >= 1000 or price <= 100, cooldown: 0s, repeat: 1m}\n"), "A")
    step(f, 100.0)
    change(f, "- {id: either, when: price >= 1000 or price <= 100, value: price + 1, cooldown: 0s, repeat: 1m}\n")
    step(f, 99.0, n=70)

    assert [n.kind.value for n in f.notices if n.kind.value != "update"] == ["fire", "repeat"]
