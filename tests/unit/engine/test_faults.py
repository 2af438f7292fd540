"""A fault of our own in one rule costs the others nothing, and that rule no more than it must."""

import pytest

from bot.model.alert import TellKind
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.rules.meter import Measured

RULES = """
- {id: before, when: price >= 100}
- {id: broken, when: price >= 100, for: 3s}
- {id: after, when: price >= 100}
- {id: broad, per: market, when: count(price >= 100) >= 1}
"""


class Breaking:
    """Results of a plan whose measuring fails for some rules while it is told to."""

    def __init__(self, plan, *rules: str) -> None:
        self._evaluate = plan.evaluate
        self.rules = set(rules)
        plan.evaluate = self

    def __call__(self, block):
        result = self._evaluate(block)
        measured = result.measured

        def fails(rule, *place) -> Measured:
            if rule.id in self.rules:
                raise ZeroDivisionError(rule.id)
            return measured(rule, *place)

        result.measured = fails
        return result


def run(f, seconds):
    for _ in range(seconds):
        f.prices({"AUSDT": 100.0, "BUSDT": 100.0})
        f.tick()


@pytest.mark.parametrize("n_block", [1, 4])
def test_a_rule_that_fails_costs_the_others_nothing_and_fires_when_it_is_over(feed, rules_of, n_block):
    f = feed(rules_of(RULES), "A", "B", n_block=n_block)
    breaking = Breaking(f.engine.plan, "broken", "broad")
    run(f, 8)
    fired = {(rule, symbol) for rule, symbol, state in f.states() if state == "firing"}
    assert fired == {(rule, s) for rule in ("before", "after") for s in ("AUSDT", "BUSDT")}
    assert {rule for _, rule in f.engine.faults.counts} == {"broken", "broad"}
    assert "Rule broken failed" in f.engine.faults.lines()[0]

    breaking.rules.clear()
    run(f, 8)
    states = f.states()
    assert {("broken", s, "firing") for s in ("AUSDT", "BUSDT")} <= set(states)
    assert ("broad", "*", "firing") in states
    assert len(states) == len(set(states)), "nothing is told twice"


def test_a_message_that_cannot_be_built_is_told_without_its_figures(feed, rules_of):
    f = feed(rules_of(RULES), "A", "B")
    teller = f.engine._teller
    view = teller._view

    def fails(change, rule, measured, result, seen):
        if change.rule_id == "before" and seen is not None:
            raise ZeroDivisionError
        return view(change, rule, measured, result, seen)

    teller._view = fails
    run(f, 2)
    told = {(n.rule_id, n.instrument): n.view for n in f.notices}
    assert told["before", "binance:AUSDT"].price is None
    assert told["after", "binance:AUSDT"].price is not None
    assert [where for where, _ in f.engine.faults.counts] == ["telling of its alerts"]


def test_figures_that_cannot_be_read_any_more_cost_the_others_nothing(feed, rules_of):
    f = feed(rules_of(RULES), "A", "B")
    breaking = Breaking(f.engine.plan)
    run(f, 8)
    breaking.rules.add("before")
    f.notices.clear()
    for n in range(130):
        f.prices({"AUSDT": 101.0 + n, "BUSDT": 101.0 + n})
        f.tick()
    updated = {n.rule_id for n in f.notices if n.kind is TellKind.UPDATE}
    assert updated == {"after", "broken"}
    assert {rule for _, rule in f.engine.faults.counts} == {"before"}


def test_a_truth_that_cannot_be_told_at_a_start_costs_the_others_nothing(feed, rules_of):
    f = feed(rules_of(RULES), "A", "B")
    evaluate = f.engine.plan.evaluate

    def breaking(block):
        result = evaluate(block)
        truth = result.truth

        def fails(rule):
            if rule.id == "broad":
                raise ZeroDivisionError
            return truth(rule)

        result.truth = fails
        return result

    f.engine.plan.evaluate = breaking
    run(f, 8)
    assert {rule for rule, _, state in f.states() if state == "firing"} == {"before", "broken", "after"}
    assert all(n.view.is_already_true for n in f.notices if n.kind is TellKind.FIRE)
    assert {rule for _, rule in f.engine.faults.counts} == {"broad"}


def test_a_message_of_an_alert_made_in_chat_is_told_without_its_figures_too(feed, rules_of):
    f = feed(rules_of(RULES), "A", "B")
    made = ChatAlert("a-00000001", "terminal", "terminal", "binance:AUSDT", "price", ">=", 100.0, False, 1)
    f.engine.consume(AlertAdded(made))
    f.prices({"AUSDT": 90.0, "BUSDT": 90.0})
    f.tick()
    teller = f.engine._teller
    view = teller._view

    def fails(change, rule, measured, result, seen):
        if change.rule_id == made.id and seen is not None:
            raise ZeroDivisionError
        return view(change, rule, measured, result, seen)

    teller._view = fails
    run(f, 1)
    told = {(n.rule_id, n.instrument): n.view for n in f.notices}
    assert told[made.id, "binance:AUSDT"].price is None
    assert told[made.id, "binance:AUSDT"].value == 100.0
    assert told["after", "binance:AUSDT"].price is not None
    assert list(f.engine.faults.counts) == [("telling of its alerts", made.id)]
