"""Chat alerts over the index: what the equality with plain evaluation does not say."""

from dataclasses import replace
from math import nan

import numpy as np
import pytest

from bot.alerts.threshold_book import ThresholdBook
from bot.model.alert import AlertRecord, State, TellKind
from bot.model.chat_alert import AlertStage, ChatAlert, alert_id

T0 = 1_767_225_600_000
BTC, ETH = "binance:BTCUSDT", "binance:ETHUSDT"


def alert(n=0, **changes):
    values = {
        "chat": "telegram:7",
        "user": "telegram:7",
        "instrument": BTC,
        "measure": "price",
        "op": ">",
        "level": 70_000.0,
        "is_ratio": False,
        "created_ms": T0,
    }
    values |= changes
    return ChatAlert(id=alert_id(values["chat"], str(n), T0), **values)


class Run:
    """A book of two instruments that is ticked once a second."""

    def __init__(self, *alerts, listed=(BTC, ETH)):
        self.book = ThresholdBook(max_gap_ms=10_000)
        self.book.place(enumerate(listed))
        for one in alerts:
            self.book.add(one)
        self.now_ms = T0

    def tick(self, *values, trading=(True, True)):
        """One value per measure, the same for both instruments."""
        self.now_ms += 1_000
        matrix = np.array([[v, v] for v in values], dtype=float).reshape(len(values), 2)
        zeros = np.zeros(2, dtype=np.int64)
        return self.book.tick(self.now_ms, matrix, np.array(trading), zeros, zeros)

    def stage(self, one):
        return self.book.life(one.id, self.now_ms).stage


def test_one_that_is_already_true_waits_for_the_first_false():
    one = alert()
    run = Run(one)
    assert run.tick(71_000).changes == []
    assert run.stage(one) is AlertStage.UNARMED
    armed = run.tick(70_000)
    assert [(r.rule_id, r.state) for r in armed.records] == [(one.id, State.INACTIVE)]
    assert armed.changes == []
    (fired,) = run.tick(70_000.01).changes
    assert (fired.state, fired.tell, fired.value) == (State.FIRING, TellKind.FIRE, 70_000.01)


def test_of_what_is_unknown_nothing_is_seen_false():
    run = Run(alert())
    run.tick(nan)
    assert run.tick(71_000).changes == []


def test_the_facts_say_whom_to_tell_and_what():
    one = alert(op="<", level=-0.0005, measure="funding", is_ratio=True, severity="critical")
    run = Run(one)
    run.tick(0.0)
    facts = run.tick(-0.001).facts[one.id]
    assert (facts.chat, facts.severity, facts.measure, facts.op) == ("telegram:7", "critical", "funding", "<")
    assert facts.level == -0.0005
    assert facts.is_ratio


@pytest.mark.parametrize("op", [">", ">=", "<", "<="])
@pytest.mark.parametrize("level", [0.0, 5e-324, 1e15, -1e-12, 0.1])
def test_the_level_that_is_told_is_the_one_that_was_asked_for(op, level):
    one = alert(op=op, level=level)
    run = Run(one)
    run.tick(2e15 if op in {"<", "<="} else -2e15)
    told = run.tick(-2e15 if op in {"<", "<="} else 2e15).facts[one.id].level
    assert told == level
    assert str(told) != "-0.0"


def test_two_alerts_change_in_the_order_of_their_ids():
    many = [alert(n) for n in range(20)]
    run = Run(*reversed(many))
    run.tick(1)
    assert [c.rule_id for c in run.tick(80_000).changes] == sorted(a.id for a in many)


def test_it_says_what_must_be_measured_and_forgets_what_nobody_uses():
    a, b, c = alert(0), alert(1, measure="pct(oi, 15m)", level=0.05), alert(2, measure="funding", level=0.1)
    run = Run(a, b, c)
    assert list(run.book.measures) == ["price", "pct(oi, 15m)", "funding"]
    run.tick(1, 0, 0)
    run.book.remove(a.id, T0, "deleted")
    assert list(run.book.measures) == ["funding", "pct(oi, 15m)"]
    (fired,) = run.tick(0.2, 0.0).changes
    assert fired.rule_id == c.id
    run.book.remove(c.id, T0, "deleted")
    run.book.remove(b.id, T0, "deleted")
    assert list(run.book.measures) == []
    assert len(run.book) == 0


def test_a_firing_one_that_is_watched_follows_its_expression_to_another_row():
    a, b = alert(0), alert(1, measure="funding", level=0.1)
    run = Run(a, b)
    run.tick(1, 0)
    run.tick(1, 0.2)
    run.book.remove(a.id, T0, "deleted")
    (ended,) = run.tick(0.05).changes
    assert (ended.rule_id, ended.state, ended.peak) == (b.id, State.RESOLVED, 0.2)


def test_deleting_one_that_fires_closes_it_and_says_why():
    one = alert()
    run = Run(one)
    run.tick(1)
    (fired,) = run.tick(70_001).changes
    out = run.book.remove(one.id, run.now_ms, "it was deleted")
    (closed,) = out.changes
    assert (closed.state, closed.tell, closed.key, closed.reason) == (
        State.CLOSED,
        TellKind.CLOSE,
        fired.key,
        "it was deleted",
    )
    assert out.facts[one.id].chat == "telegram:7"
    assert [r.state for r in out.records] == [State.INACTIVE]
    assert run.book.life(one.id, run.now_ms) is None
    assert run.book.remove(one.id, run.now_ms, "again").changes == []
    assert run.book.remove("oi_surge", run.now_ms, "no id of ours").changes == []


def test_an_instrument_that_leaves_closes_and_one_that_comes_back_goes_on_waiting():
    one = alert()
    run = Run(one)
    run.tick(1)
    run.tick(70_001)
    out = run.book.unplace(BTC, run.now_ms, "the instrument left the venue")
    assert [c.state for c in out.changes] == [State.CLOSED]
    assert run.stage(one) is AlertStage.ABSENT
    assert run.tick(80_000).changes == []
    run.book.place([(1, BTC)])
    assert run.stage(one) is AlertStage.WAITING
    (fired,) = run.tick(80_000).changes
    assert fired.row == 1


def test_a_stored_firing_whose_instrument_left_meanwhile_can_be_closed():
    one = alert()
    run = Run(listed=())
    run.book.add(one, AlertRecord(one.id, BTC, one.id, State.FIRING, fired_ms=T0, key="k", value=70_001.0))
    assert run.book.absent() == [BTC]
    (closed,) = run.book.unplace(BTC, T0 + 1, "left while the bot was down").changes
    assert (closed.state, closed.key, closed.value) == (State.CLOSED, "k", 70_001.0)
    assert run.book.absent() == []


def test_a_halt_is_unknown():
    one = alert(repeat_ms=1_000)
    run = Run(one)
    run.tick(1)
    run.tick(70_001)
    assert run.tick(1, trading=(False, True)).changes == []
    assert run.tick(90_000, trading=(False, True)).changes == []
    assert run.book.life(one.id, run.now_ms).value is None
    assert [c.state for c in run.tick(1).changes] == [State.RESOLVED]


def test_a_cooldown_is_shown_and_once_is_for_good():
    one, single = alert(0, cooldown_ms=60_000), alert(1, once=True)
    run = Run(one, single)
    run.tick(1)
    run.tick(70_001)
    run.tick(1)
    life = run.book.life(one.id, run.now_ms)
    assert (life.stage, life.until_ms) == (AlertStage.COOLING, run.now_ms + 60_000)
    assert run.stage(single) is AlertStage.DONE
    run.tick(70_001)
    assert run.stage(one) is AlertStage.PENDING
    assert run.book.n_awake == 1


def test_looking_does_not_lose_news():
    one = alert()
    run = Run(one)
    run.tick(1)
    run.tick(70_001)
    run.tick(70_500)
    run.book.life(one.id, run.now_ms)
    (record,) = run.book.checkpoint()
    assert record.peak == 70_500
    assert run.book.checkpoint() == []


def test_it_says_how_many_fire_and_where():
    firing, pending = alert(0), alert(1, instrument=ETH, for_ms=5_000)
    run = Run(firing, pending)
    run.tick(1)
    run.tick(70_001)
    assert run.book.rows_in(State.FIRING) == [0]
    assert run.book.rows_in(State.FIRING, State.PENDING) == [0, 1]
    assert run.book.count(State.PENDING) == 1
    assert run.book.count(State.INACTIVE) == 0


def test_the_past_of_many_that_cooled_down_is_not_kept():
    run = Run(*(alert(n, cooldown_ms=1_000) for n in range(50)))
    run.tick(1)
    run.tick(70_001)
    run.tick(1)
    for _ in range(61):
        run.tick(1)
    assert run.book._rest == {}


def test_a_stored_state_of_another_alert_is_no_past():
    one = alert()
    run = Run()
    run.book.add(one, AlertRecord(one.id, BTC, "another", State.FIRING, fired_ms=T0))
    assert run.stage(one) is AlertStage.UNARMED


def test_clear_lies_on_the_other_side():
    with pytest.raises(ValueError, match="other direction"):
        replace(alert(), clear_op=">", clear_level=60_000.0)
    with pytest.raises(ValueError, match="both"):
        replace(alert(), clear_level=60_000.0)
