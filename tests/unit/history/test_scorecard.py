"""When alerts are scored, what a score waits for, and when it is settled as unknown."""

import tracemalloc

import pytest

from bot.history import scorecard
from bot.history.scorecard import GRACE_MS, PATIENCE_MS, RETRY_MS, WARMING_MS, Scorer, is_scored, quadrant_of
from bot.model.alert import TellKind, alert_key
from bot.model.outbox import OutboxRow
from bot.model.scorecard import (
    ALERT,
    DRAW_SPAN_MS,
    FULL,
    HORIZONS_MS,
    HOUR_MS,
    MINUTE_MS,
    N_DRAWS,
    Fared,
    Moment,
    Quadrant,
    Score,
    draw_ms,
)
from bot.model.view import AlertView, Move

T0 = 1_767_225_600_000
WHOLE = Fared(0.01, 0.02, 0.03, -0.01)
FIRST = HORIZONS_MS[0]


class Aftermath:
    """Answers as it is told, and remembers the newest time that was asked about."""

    def __init__(self):
        self.answer = WHOLE
        self.asked = []
        self.latest_ms = 0

    def usual(self, instrument, series, horizon_ms, *, before_ms):
        self.latest_ms = max(self.latest_ms, before_ms)
        return {"price": 0.005, "oi": 0.01}[series]

    def at(self, instrument, series, at_ms):
        self.latest_ms = max(self.latest_ms, at_ms)
        return 7.0

    def fared(self, instrument, from_ms, horizon_ms, *, price, oi):
        self.latest_ms = max(self.latest_ms, from_ms + horizon_ms)
        self.asked.append((instrument, from_ms, horizon_ms, price, oi))
        return self.answer


@pytest.fixture
def aftermath():
    return Aftermath()


@pytest.fixture
def scorer(aftermath):
    return Scorer(aftermath, started_ms=T0 - WARMING_MS)


def moment(n=0, fired_ms=T0):
    return Moment(
        f"{alert_key('jump', 'binance:BTCUSDT', n)}",
        "jump",
        "Jump",
        "binance:BTCUSDT",
        fired_ms,
        100.0,
        5.0,
        Quadrant.UP_UP,
    )


def row(**changes):
    values = {
        "rule_id": "oi_surge",
        "title": "OI surge",
        "symbol": "BTCUSDT",
        "venue": "binance",
        "base": "BTC",
        "severity": "warning",
        "short_id": "7q4mk2px",
        "kind": "fire",
        "at_ms": T0,
        "fired_ms": T0,
        "condition": "pct(oi, 15m) >= 5%",
        "value_text": "pct(oi, 15m)",
        "value": 0.06,
        "value_is_ratio": True,
        "price": Move(900_000, 0.02, 98.0, 100.0),
        "oi": Move(900_000, 0.06, 47.0, 50.0),
    }
    view = AlertView(**(values | changes))
    return OutboxRow("r-1", "k-1", TellKind.FIRE, "main", "warning", T0, view)


def own(scores):
    return [(s.horizon_ms, s.price) for s in scores if s.draw == ALERT]


def test_random_moments_lie_on_minutes_of_half_a_day_around_and_are_always_the_same():
    found = [draw_ms(moment(n), draw) for n in range(200) for draw in range(1, N_DRAWS + 1)]
    assert all(at_ms % MINUTE_MS == 0 and abs(at_ms - T0) <= DRAW_SPAN_MS for at_ms in found)
    assert len(set(found)) > 900
    later = sum(at_ms > T0 for at_ms in found) / len(found)
    assert 0.45 < later < 0.55
    assert draw_ms(moment(3), 2) == draw_ms(moment(3), 2) != draw_ms(moment(3), 1)
    assert draw_ms(moment(), ALERT) == T0


def test_what_a_row_says_is_what_is_remembered(scorer):
    found = scorer.take(row())
    assert (found.key, found.rule_id, found.title, found.instrument) == (
        "k-1",
        "oi_surge",
        "OI surge",
        "binance:BTCUSDT",
    )
    assert (found.symbol, found.fired_ms, found.price, found.oi) == ("BTCUSDT", T0, 100.0, 50.0)
    assert found.price_usual == (0.005,) * 3
    assert found.oi_usual == (0.01,) * 3
    assert found.quadrant is Quadrant.UP_UP
    assert found.is_public


def test_what_a_row_does_not_say_is_read_as_of_the_firing(scorer):
    found = scorer.take(row(price=None, oi=None))
    assert (found.price, found.oi, found.quadrant) == (7.0, 7.0, Quadrant.UNKNOWN)


@pytest.mark.parametrize("rule_id", ["a-7q4mk2px", "c_00000001"])
def test_what_was_made_in_a_chat_is_private(scorer, rule_id):
    assert not scorer.take(row(rule_id=rule_id)).is_public


@pytest.mark.parametrize(
    ("price", "oi", "expected"),
    [
        (0.02, 0.06, Quadrant.UP_UP),
        (0.02, -0.06, Quadrant.UP_DOWN),
        (-0.02, 0.06, Quadrant.DOWN_UP),
        (-0.02, -0.06, Quadrant.DOWN_DOWN),
        (0.0001, 0.06, Quadrant.FLAT),
        (None, 0.06, Quadrant.UNKNOWN),
    ],
)
def test_quadrants(price, oi, expected):
    view = row(price=Move(900_000, price, 1.0, 1.0), oi=Move(900_000, oi, 1.0, 1.0)).view
    assert quadrant_of(view) is expected


def test_a_price_within_its_usual_range_is_flat_as_in_messages():
    assert quadrant_of(row(price_usual_range=0.2).view) is Quadrant.FLAT


def test_the_whole_market_and_news_of_the_bot_have_no_price_of_their_own():
    assert is_scored(row())
    assert not is_scored(row(symbol="*"))
    assert not is_scored(row(report="A backup failed."))


def test_an_alert_is_scored_after_each_horizon_and_not_before(scorer):
    scorer.add(moment())
    for horizon_ms in HORIZONS_MS:
        assert own(scorer.due(T0 + horizon_ms + GRACE_MS - 1)) == []
        assert own(scorer.due(T0 + horizon_ms + GRACE_MS)) == [(horizon_ms, 0.01)]
    scorer.due(T0 + DRAW_SPAN_MS + HORIZONS_MS[-1] + GRACE_MS)
    assert len(scorer) == 0


def test_an_alert_has_all_its_scores_in_the_end_each_once(scorer):
    scorer.add(moment())
    found, now_ms = [], T0
    while len(scorer):
        now_ms += 7 * MINUTE_MS
        found += scorer.due(now_ms)
    assert len(found) == FULL == len({(s.draw, s.horizon_ms) for s in found})


def test_nothing_is_asked_about_a_time_that_is_not_over(scorer, aftermath):
    for n in range(30):
        scorer.add(moment(n, T0 + n * 37_000))
    for now_ms in range(T0, T0 + 17 * HOUR_MS, 5 * MINUTE_MS):
        scorer.due(now_ms)
        assert aftermath.latest_ms <= now_ms - GRACE_MS
    assert len(scorer) == 0


def test_the_alert_is_measured_from_what_was_told_and_a_random_moment_from_what_was_then(scorer, aftermath):
    scorer.add(moment())
    scorer.due(T0 + DRAW_SPAN_MS + HORIZONS_MS[-1] + GRACE_MS)
    from_alert = [asked for asked in aftermath.asked if asked[1] == T0]
    assert {(price, oi) for *_, price, oi in from_alert} == {(100.0, 5.0)}
    from_draws = [asked for asked in aftermath.asked if asked[1] != T0]
    assert {(price, oi) for *_, price, oi in from_draws} == {(7.0, 7.0)}


@pytest.mark.parametrize("answer", [Fared(), Fared(0.01, None, 0.01, 0.0), Fared(0.01, 0.02, None, None)])
def test_what_is_missing_is_awaited_for_a_while_then_it_stays_unknown(scorer, aftermath, answer):
    aftermath.answer = answer
    scorer.add(moment())
    due_ms = T0 + FIRST + GRACE_MS
    assert own(scorer.due(due_ms)) == []
    assert own(scorer.due(due_ms + RETRY_MS)) == []
    [score] = [s for s in scorer.due(T0 + FIRST + PATIENCE_MS) if s.draw == ALERT]
    assert (score.price, score.oi, score.high, score.low) == (answer.price, answer.oi, answer.high, answer.low)


def test_what_comes_in_meanwhile_counts(scorer, aftermath):
    aftermath.answer = Fared()
    scorer.add(moment())
    due_ms = T0 + FIRST + GRACE_MS
    assert own(scorer.due(due_ms)) == []
    aftermath.answer = WHOLE
    assert own(scorer.due(due_ms + RETRY_MS)) == [(FIRST, 0.01)]


def test_a_moment_missed_while_the_bot_was_down_is_awaited_longer_and_then_unknown(aftermath):
    """After a start the past may still come in; what does not is unknown, whatever the price is by then."""
    started_ms = T0 + 2 * HOUR_MS
    scorer = Scorer(aftermath, started_ms=started_ms)
    scorer.add(moment())
    aftermath.answer = Fared()
    assert own(scorer.due(started_ms)) == []
    assert own(scorer.due(started_ms + WARMING_MS - 1)) == []
    assert own(scorer.due(started_ms + WARMING_MS + RETRY_MS)) == [(FIRST, None), (HOUR_MS, None)]
    asked_until = {from_ms + horizon_ms for _, from_ms, horizon_ms, *_ in aftermath.asked if from_ms == T0}
    assert asked_until == {T0 + FIRST, T0 + HOUR_MS}, "it was asked about the time that was due, and no other"


def test_what_was_settled_before_a_restart_is_not_scored_again(aftermath):
    scorer = Scorer(aftermath, started_ms=T0 + HOUR_MS)
    had = [Score(moment().key, ALERT, FIRST, None, None, None, None)]
    scorer.add(moment(), had)
    assert own(scorer.due(T0 + HOUR_MS + GRACE_MS)) == [(HOUR_MS, 0.01)]


def test_an_alert_with_all_scores_is_not_taken_up(scorer):
    scorer.add(moment(), [Score("k", d, h, None, None, None, None) for d in range(N_DRAWS + 1) for h in HORIZONS_MS])
    assert len(scorer) == 0


def test_only_so_much_is_tried_at_once_and_the_rest_follows(scorer, monkeypatch):
    monkeypatch.setattr(scorecard, "MAX_AT_ONCE", 10)
    for n in range(30):
        scorer.add(moment(n))
    now_ms = T0 + FIRST + GRACE_MS
    found = [len(own(scorer.due(now_ms))) for _ in range(40)]
    assert found[0] < 30
    assert sum(found) == 30


def test_too_many_alerts_cost_the_oldest_its_last_scores(scorer, monkeypatch):
    monkeypatch.setattr(scorecard, "MAX_OPEN", 3)
    for n in range(5):
        scorer.add(moment(n))
    assert len(scorer) == 3
    assert scorer.n_given_up == 2
    found = scorer.due(T0 + FIRST + GRACE_MS)
    assert {s.key for s in found} == {moment(n).key for n in (2, 3, 4)}


def test_what_waits_for_scores_takes_little_memory(scorer):
    """With a thousand alerts a day some 700 wait at any time."""
    moments = [moment(n, T0 + n) for n in range(1_000)]
    tracemalloc.start()
    for one in moments:
        scorer.add(one)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(scorer) == 1_000
    assert taken < 800_000


def test_alerts_that_will_soon_be_scored_too(scorer):
    scorer.add(moment(0))
    scorer.add(moment(1, T0 + 20_000))
    keys, now_ms = [moment(0).key, moment(1).key], T0 + FIRST + GRACE_MS
    assert scorer.soon(keys, FIRST, now_ms=now_ms, within_ms=MINUTE_MS)
    assert not scorer.soon(keys, FIRST, now_ms=now_ms, within_ms=10_000)
    assert not scorer.soon(["unknown"], FIRST, now_ms=now_ms, within_ms=MINUTE_MS)
