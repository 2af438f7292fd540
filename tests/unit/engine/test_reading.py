"""Numbers for people who ask about windows that no rule looks at."""

from dataclasses import replace

import numpy as np
import pytest

from bot.engine.inputs import Listed
from bot.engine.reading import why_unknown
from bot.engine.subscriptions import expr_of
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.updates import InstrumentList

HOUR = "pct(oi, 1h)"


@pytest.fixture
def world(feed, rules_of):
    made = feed(rules_of("- {id: level, when: price > 1M}\n"), "A", "B")
    for n in range(70):
        made.prices({"AUSDT": 100.0 + n, "BUSDT": 50.0})
        made.oi("AUSDT", 1_000.0 + 10 * n, interval_ms=60_000)
        made.tick(seconds=60)
    return made


def at_hand(world, measure, symbol="AUSDT"):
    return float(world.engine.values(expr_of(measure), at_hand=True)[world.row(symbol)])


def change(n_minutes):
    return 1_690.0 / (1_690.0 - 10 * n_minutes) - 1.0


def test_a_window_beyond_the_fine_grid_is_read_from_the_coarse_one(world):
    assert np.isnan(world.engine.values(expr_of(HOUR))[world.row("AUSDT")]), "rules have their own grid"
    assert at_hand(world, HOUR) == pytest.approx(change(60), rel=1e-5)
    assert at_hand(world, "delta(oi, 1h)") == pytest.approx(600.0)
    assert at_hand(world, "abs(pct(oi, 30m))") == pytest.approx(change(30), rel=1e-5)
    assert at_hand(world, "max(price, 1h)") == pytest.approx(169.0)
    assert at_hand(world, "avg(price, 1h)") == pytest.approx(139.5)


def test_what_the_fine_grid_knows_stays(world):
    for measure in ("price", "pct(price, 5m)", "pct(oi, 15m)", "pct(price, 4h)"):
        assert at_hand(world, measure) == pytest.approx(
            float(world.engine.values(expr_of(measure))[world.row("AUSDT")]), nan_ok=True
        )


def test_it_is_known_also_while_the_ring_of_a_new_alert_is_empty(world):
    made = ChatAlert(
        id="a-00000001",
        chat="telegram:7",
        user="telegram:7",
        instrument="binance:AUSDT",
        measure=HOUR,
        op=">",
        level=0.05,
        is_ratio=True,
        created_ms=1,
        cooldown_ms=0,
    )
    world.engine.consume(AlertAdded(made))
    world.prices({"AUSDT": 169.0, "BUSDT": 50.0})
    world.oi("AUSDT", 1_690.0, interval_ms=60_000)
    world.tick()
    assert np.isnan(world.engine.values(expr_of(HOUR))[world.row("AUSDT")])
    assert at_hand(world, HOUR) == pytest.approx(1_690.0 / 1_100.0 - 1.0, rel=1e-5)


def test_what_nobody_knows_stays_unknown_and_says_why(world):
    engine = world.engine
    assert np.isnan(at_hand(world, HOUR, "BUSDT"))
    assert why_unknown(expr_of(HOUR), engine.market, engine.now_ms, world.row("BUSDT")) == (
        "no open interest has come yet, 1h 9m after it was first watched"
    )
    assert np.isnan(at_hand(world, "pct(oi, 4h)"))
    said = why_unknown(expr_of("abs(pct(oi, 4h))"), engine.market, engine.now_ms, world.row("AUSDT"))
    assert said.startswith("the window is filling: no open interest is known at its begin, ")
    assert why_unknown(expr_of("price"), engine.market, engine.now_ms, world.row("AUSDT")) == ""


def test_a_place_is_that_among_those_that_an_alert_is_placed_among(feed, perpetual):
    """Contracts quoted in other coins are watched too; a place among all would not be the one that fires."""
    f = feed((), *"ABCDE")
    dollars = replace(perpetual("A"), symbol="AUSDC", quote="USDC")
    f.engine.consume(Listed(InstrumentList("binance", (*f.instruments, dollars)), f.now))
    f.prices({**{f"{base}USDT": 10.0 + n for n, base in enumerate("ABCDE")}, "AUSDC": 99.0})
    f.tick()
    made = ChatAlert("a-00000001", "terminal", "terminal", "binance:EUSDT", "rank(price)", "<=", 1.0, False, 1)
    before = at_hand(f, made.measure, "EUSDT")
    f.engine.consume(AlertAdded(made))
    f.tick()
    assert f.engine.subscriptions.life(made.id, f.engine.now_ms).value == before == 1.0
    assert at_hand(f, "median(price)", "EUSDT") == 12.0
