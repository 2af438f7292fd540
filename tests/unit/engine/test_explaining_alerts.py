"""Alerts made in chat are explained as rules are."""

import pytest

from bot.engine.explaining import in_order
from bot.engine.explaining_alerts import alert_glance, explain_alert
from bot.model.chat_alert import AlertAdded, ChatAlert

CALM = "a-7q4mk2px"


def made(**more) -> ChatAlert:
    values = {
        "id": CALM,
        "chat": "terminal",
        "user": "terminal",
        "instrument": "binance:AUSDT",
        "measure": "price",
        "op": ">=",
        "level": 100.0,
        "is_ratio": False,
        "created_ms": 0,
    }
    return ChatAlert(**{**values, **more})


@pytest.fixture
def f(feed):
    return feed([], "A", "B")


def run(f, alert, *prices):
    f.engine.consume(AlertAdded(alert))
    for price in prices:
        f.prices({"AUSDT": price})
        f.tick()
    return explain_alert(f.engine, alert), alert_glance(f.engine, alert)


def test_one_that_waits_tells_its_value_and_how_far_it_is(f):
    found, glance = run(f, made(), 80.0)
    assert (found.verdict, found.value, found.unit, found.value_text) == ("false", 80.0, "price", "price")
    assert (found.when.text, found.when.distance.absolute) == ("price >= 100", 20.0)
    assert (found.venue, found.symbol, found.title) == ("binance", "AUSDT", "price >= 100")
    assert (found.alert.phase, found.alert.next) == ("inactive", "fires when price >= 100")
    assert (glance.value, glance.distance.absolute, glance.verdict) == (80.0, 20.0, "false")
    assert 0 < glance.nearness < 1


def test_one_that_fires_tells_since_when_and_its_peak(f):
    found, glance = run(f, made(), 80.0, 101.0, 107.0, 103.0)
    assert (found.alert.phase, found.alert.value, found.alert.peak) == ("firing", 101.0, 107.0)
    assert found.alert.since_ms == f.engine.now_ms - 2_000
    assert found.alert.next == "ends when price >= 100 is no longer true"
    assert (glance.phase, glance.verdict, glance.nearness) == ("firing", "true", 0.0)


def test_one_that_is_held_back_tells_for_how_long(f):
    found, glance = run(f, made(for_ms=60_000), 80.0, 101.0, 101.0)
    assert (glance.phase, found.alert.for_ms) == ("pending", 60_000)
    assert found.alert.next == "held 1 s of 1m"


def test_one_that_is_held_waits_for_the_next_poll_where_that_is_what_is_missing(f):
    alert = made(measure="oi", for_ms=3_000)
    f.engine.consume(AlertAdded(alert))
    f.oi("AUSDT", 90.0, interval_ms=30_000)
    f.tick()
    f.oi("AUSDT", 120.0, interval_ms=30_000)
    for _ in range(6):
        f.tick()
    found = explain_alert(f.engine, alert).alert
    assert (found.phase, found.waits_for_poll) == ("pending", True)
    assert found.next == "waits for the next open-interest poll"

    f.oi("AUSDT", 120.0, interval_ms=30_000)
    f.tick()
    assert explain_alert(f.engine, alert).alert.phase == "firing"


def test_one_that_is_over_and_one_that_cools_down(f):
    found, _ = run(f, made(once=True), 80.0, 101.0, 80.0)
    assert (found.alert.is_over, found.alert.next) == (True, "it fires only once, and has fired")
    found, glance = run(f, made(id="a-00000000", cooldown_ms=60_000), 80.0, 101.0, 80.0)
    assert glance.phase == "cooling"
    assert found.alert.next == "may fire again in 1m"


def test_one_that_was_true_when_it_was_made_waits(f):
    found, _ = run(f, made(), 101.0)
    assert (found.verdict, found.alert.phase) == ("true", "inactive")
    assert found.alert.next == "it waits until its condition was false once"


def test_one_without_data_says_what_is_missing(f):
    found, glance = run(f, made(measure="pct(oi, 15m)", level=0.05, is_ratio=True), 80.0)
    assert found.verdict == glance.verdict == "unknown"
    assert found.why
    assert glance.why.startswith("no open interest has come yet")
    assert glance.nearness == float("inf")


def test_what_the_engine_does_not_have_is_not_explained(f):
    f.prices({"AUSDT": 1.0})
    f.tick()
    assert explain_alert(f.engine, made()) is None
    gone = made(id="a-11111111", instrument="binance:NOUSDT")
    f.engine.consume(AlertAdded(gone))
    f.tick()
    assert explain_alert(f.engine, gone) is None
    assert alert_glance(f.engine, gone) is None


def test_they_stand_among_rules_by_how_near_they_are(f):
    near, far, firing = made(), made(id="a-22222222", level=500.0), made(id="a-33333333", level=60.0)
    for alert in (far, near, firing):
        f.engine.consume(AlertAdded(alert))
    for price in (50.0, 90.0):
        f.prices({"AUSDT": price})
        f.tick()
    found = in_order(alert_glance(f.engine, alert) for alert in (far, near, firing))
    assert [one.rule_id for one in found] == ["a-33333333", CALM, "a-22222222"]
