"""Chat alerts in the engine: told to the chat that asked, over restarts, listings, and in replay of the journal."""

import gc

import pytest

from bot.engine.engine import Engine
from bot.engine.inputs import Listed, RulesChanged
from bot.engine.subscriptions import DELETED
from bot.model.alert import State, TellKind
from bot.model.chat_alert import AlertAdded, AlertRemoved, AlertStage, ChatAlert
from bot.model.updates import InstrumentList
from bot.rules.schema import Rule


def alert(measure="price", op=">", level=100.0, **values):
    given = {
        "id": "a-00000001",
        "chat": "telegram:7",
        "user": "telegram:7",
        "instrument": "binance:AUSDT",
        "measure": measure,
        "op": op,
        "level": level,
        "is_ratio": measure.startswith("pct"),
        "created_ms": 1,
        "cooldown_ms": 0,
    }
    return ChatAlert(**(given | values))


@pytest.fixture
def world(feed, rules_of):
    return feed(rules_of("- {id: other, when: 'price > 1M'}\n"), "A", "B")


def tick(world, **prices):
    world.now += 1_000
    world.prices({f"{base}USDT": price for base, price in prices.items()})
    n = len(world.notices)
    world.tick()
    return world.notices[n:]


def relist(world, engine):
    world.engine = engine
    engine.consume(Listed(InstrumentList("binance", tuple(world.instruments)), world.now))


def test_an_alert_is_told_to_the_chat_that_asked_for_it(world):
    tick(world, A=90.0, B=1.0)
    world.engine.consume(AlertAdded(alert()))
    assert tick(world, A=95.0, B=1.0) == []

    (fired,) = tick(world, A=101.0, B=1.0)
    (ended,) = tick(world, A=99.0, B=1.0)

    assert (fired.kind, fired.notify, fired.instrument) == (TellKind.FIRE, ("telegram:7",), "binance:AUSDT")
    assert (fired.view.title, fired.view.value) == ("price > 100", 101.0)
    assert (ended.kind, ended.key, ended.view.value) == (TellKind.END, fired.key, 99.0)


def test_a_new_window_is_computed_from_the_next_tick_on(world):
    for price in (100.0, 100.0, 100.0, 100.0):
        tick(world, A=price, B=1.0)
    world.engine.consume(AlertAdded(alert("pct(price, 3s)", level=0.05)))
    assert tick(world, A=100.0, B=1.0) == []

    (fired,) = tick(world, A=110.0, B=1.0)

    assert fired.view.value == pytest.approx(0.1)
    assert fired.view.value_text == "pct(price, 3s)"


def test_a_deleted_alert_that_fires_is_closed_and_told_with_the_next_tick(world):
    tick(world, A=90.0, B=1.0)
    world.engine.consume(AlertAdded(alert()))
    tick(world, A=90.0, B=1.0)
    tick(world, A=101.0, B=1.0)
    world.engine.consume(AlertRemoved("a-00000001", world.now))

    (closed,) = tick(world, A=102.0, B=1.0)

    assert (closed.kind, closed.view.reason) == (TellKind.CLOSE, DELETED)
    assert tick(world, A=90.0, B=1.0) == tick(world, A=110.0, B=1.0) == []


def test_the_life_goes_on_after_a_restart(world, feed, rules_of):
    tick(world, A=90.0, B=1.0)
    world.engine.consume(AlertAdded(alert(cooldown_ms=60_000)))
    tick(world, A=90.0, B=1.0)
    tick(world, A=101.0, B=1.0)
    records = [r for r in world.engine.records() if r.rule_id.startswith("a-")]
    assert [r.state for r in records] == [State.FIRING]

    engine = Engine(rules_of("- {id: other, when: 'price > 1M'}\n"), records=world.engine.records())
    engine.consume(AlertAdded(alert(cooldown_ms=60_000)))
    engine.alerts_loaded()
    relist(world, engine)
    (ended,) = tick(world, A=95.0, B=1.0)

    assert ended.kind is TellKind.END
    assert engine.subscriptions.life("a-00000001", engine.now_ms).stage is AlertStage.COOLING
    assert tick(world, A=105.0, B=1.0) == []


def test_a_stored_life_without_its_alert_is_closed(world, rules_of):
    tick(world, A=90.0, B=1.0)
    world.engine.consume(AlertAdded(alert()))
    tick(world, A=90.0, B=1.0)
    tick(world, A=101.0, B=1.0)

    engine = Engine([], records=world.engine.records())
    engine.alerts_loaded()
    relist(world, engine)
    told = tick(world, A=101.0, B=1.0)

    assert [(n.kind, n.rule_id) for n in told] == [(TellKind.CLOSE, "a-00000001")]


def rules_in_memory():
    gc.collect()
    return sum(isinstance(one, Rule) for one in gc.get_objects())


def test_of_alerts_that_came_and_went_nothing_is_kept(world):
    """Each has an id of its own: whatever was kept by id would grow for ever."""
    before = rules_in_memory()
    for n in range(50):
        tick(world, A=90.0, B=1.0)
        world.engine.consume(AlertAdded(alert(id=f"a-{n:08d}", level=100.0 + n)))
        tick(world, A=90.0, B=1.0)
        (fired,) = tick(world, A=1_000.0, B=1.0)
        assert fired.view.condition == f"price > {100 + n}"
        world.engine.consume(AlertRemoved(f"a-{n:08d}", world.now))
        tick(world, A=90.0, B=1.0)

    assert rules_in_memory() - before <= 2


def test_of_rules_that_came_and_went_nothing_is_kept(world, rules_of):
    before = rules_in_memory()
    for n in range(50):
        tick(world, A=90.0, B=1.0)
        world.engine.consume(RulesChanged(rules_of(f"- {{id: r_{n}, when: price > {100 + n}}}\n"), {}, ()))
        (fired,) = tick(world, A=1_000.0, B=1.0)
        assert fired.view.condition == f"price > {100 + n}"

    assert rules_in_memory() - before <= 10


@pytest.mark.parametrize("is_deleted", [False, True])
def test_one_whose_instrument_is_gone_after_a_restart_is_closed_under_no_other_name(world, perpetual, is_deleted):
    for price in (90.0, 90.0, 101.0):
        if price == 90.0:
            world.engine.consume(AlertAdded(alert()))
        tick(world, A=price, B=1.0)

    world.instruments = [perpetual("B")]
    after = Engine((), records=world.engine.records())
    after.consume(AlertAdded(alert()))
    if is_deleted:
        after.consume(AlertRemoved("a-00000001", world.now))
    relist(world, after)
    (closed,) = tick(world, B=1.0)

    assert (closed.kind, closed.instrument) == (TellKind.CLOSE, "binance:AUSDT")
    assert (closed.view.symbol, closed.view.base) == ("AUSDT", "")
