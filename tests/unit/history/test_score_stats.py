"""What the totals say, and how often they say it where nothing is to be found."""

import random

import pytest

from bot.history import score_stats
from bot.history.score_stats import by_rule, episodes, interval, smaller, t_quantile, together, totals
from bot.model.alert import alert_key
from bot.model.scorecard import (
    HORIZONS_MS,
    HOUR_MS,
    MINUTE_MS,
    N_DRAWS,
    Moment,
    Quadrant,
    Score,
    Scored,
    Verdict,
)

T0 = 1_767_225_600_000
DAY_MS = 24 * HOUR_MS


def scored(
    n, own, drawn, *, fired_ms=None, rule_id="jump", symbol="BTCUSDT", quadrant=Quadrant.UP_UP, horizons=HORIZONS_MS
):
    """The same outcome after each horizon; `drawn` of the random moments."""
    at_ms = T0 + n * DAY_MS if fired_ms is None else fired_ms
    key = alert_key(rule_id, symbol, n)
    moment = Moment(key, rule_id, rule_id.title(), f"binance:{symbol}", at_ms, 100.0, 5.0, quadrant, (0.01, 0.02, 0.04))
    outcomes = [own, *drawn]
    scores = [Score(key, draw, horizon_ms, x, x, x, x) for draw, x in enumerate(outcomes) for horizon_ms in horizons]
    return Scored(moment, tuple(scores))


def test_quantiles_of_student():
    # Tables: two-sided 95 % and 98.33 %.
    assert t_quantile(0.975, 9) == pytest.approx(2.262, abs=0.002)
    assert t_quantile(0.975, 30) == pytest.approx(2.042, abs=0.001)
    assert t_quantile(0.95, 15) == pytest.approx(1.753, abs=0.001)
    assert t_quantile(0.5, 9) == pytest.approx(0.0, abs=1e-9)


def test_what_fires_together_is_one_episode_and_a_storm_goes_on():
    hour = HOUR_MS
    assert episodes([0, 3 * hour, 4 * hour, 9 * hour], hour) == [0, 0, 1, 2]
    storm = [n * 10 * MINUTE_MS for n in range(6 * 30)]
    found = episodes(storm, 15 * MINUTE_MS)
    assert found[0] == found[6 * 23]
    assert found[-1] == 1, "no episode is longer than a day and what one takes in"


def test_ties_count_half():
    assert smaller(-0.02, [0.01, 0.02, -0.03, 0.0]) == 0.625


def test_an_interval_is_students_over_means_of_episodes():
    values = [0.4, 0.6] * 10
    assert interval(values[:9], range(9)) is None
    mean, low, high = interval(values, range(20))
    half = t_quantile(0.975, 19) * 0.10260 / 20**0.5
    assert (mean, low, high) == pytest.approx((0.5, 0.5 - half, 0.5 + half), abs=1e-4)
    # A hundred alerts of one episode weigh as much as one of another.
    crowded = interval([0.9] * 100 + [0.5] * 12, [0] * 100 + list(range(1, 13)))
    assert crowded[0] == pytest.approx((0.9 + 12 * 0.5) / 13)


def test_moves_that_are_always_larger_are_better_than_chance():
    alerts = [scored(n, 0.05 if n % 2 else -0.05, [0.01] * N_DRAWS) for n in range(12)]
    found = totals(alerts)
    assert found.verdict is Verdict.BETTER
    first = found.horizons[0]
    assert (first.n_known, first.n_compared, first.n_blocks, first.more) == (12, 12, 12, 1.0)
    assert (first.low > 0.9, first.high) == (True, 1.0)
    assert first.typical_times == pytest.approx(5.0)
    assert first.random_times == pytest.approx(1.0)
    assert (first.up, first.random_up) == (0.5, 1.0)


def test_moves_like_the_random_ones_are_no_better():
    found = []
    for seed in range(20):
        rng = random.Random(seed)
        alerts = [scored(n, rng.gauss(0, 1), [rng.gauss(0, 1) for _ in range(N_DRAWS)]) for n in range(200)]
        found.append(totals(alerts).verdict)
    assert found.count(Verdict.NO_BETTER) >= 18


def test_few_episodes_are_too_few_however_many_alerts():
    storm = [scored(n, 0.05, [0.01] * N_DRAWS, fired_ms=T0 + n * 1000) for n in range(300)]
    found = totals(storm)
    assert found.verdict is Verdict.UNCLEAR
    assert found.horizons[0].n_blocks == 1
    assert found.horizons[0].low is None


def test_a_storm_counts_once_in_the_share_also_where_episodes_are_too_few_for_an_interval():
    storm = [scored(n, 0.05, [0.01] * N_DRAWS, fired_ms=T0 + n * 1000) for n in range(300)]
    calm = [scored(300 + n, 0.0, [0.01] * N_DRAWS) for n in range(3)]
    found = totals([*storm, *calm]).horizons[0]
    assert (found.n_compared, found.n_blocks, found.low) == (303, 4, None)
    assert found.more == 0.25, "one of four episodes, not 300 of 303 alerts"


def test_an_alert_whose_random_moments_are_not_all_over_is_not_compared():
    """Those that are over would all lie before it."""
    half = scored(0, 0.05, [0.01] * (N_DRAWS // 2))
    found = totals([half]).horizons[0]
    assert (found.n_known, found.n_compared, found.more) == (1, 0, None)


def test_what_is_unknown_is_left_out():
    few = [0.01] * (score_stats.MIN_DRAWS - 1)
    unknown = [scored(0, None, [0.01] * N_DRAWS), scored(1, 0.05, [*few, *[None] * (N_DRAWS - len(few))])]
    found = totals(unknown).horizons[0]
    assert (found.n_known, found.n_compared) == (1, 0)
    assert (found.best.change, found.worst.change) == (0.05, 0.05)


def test_best_and_worst_are_named_with_their_alert_in_usual_moves():
    alerts = [scored(0, 0.03, [], symbol="A"), scored(1, -0.08, [], symbol="B"), scored(2, 0.06, [], symbol="C")]
    found = totals(alerts).horizons[1]
    assert (found.best.symbol, found.best.change, found.best.times) == ("C", 0.06, pytest.approx(3.0))
    assert (found.worst.symbol, found.worst.change, found.worst.times) == ("B", -0.08, pytest.approx(4.0))


def test_quadrants_count_up_and_down_after_an_hour():
    alerts = [
        scored(0, 0.03, []),
        scored(1, -0.01, []),
        scored(2, 0.02, []),
        scored(3, -0.02, [], quadrant=Quadrant.DOWN_UP),
        scored(4, None, [], quadrant=Quadrant.FLAT),
    ]
    found = [(q.quadrant, q.n, q.n_up, q.n_down, q.typical) for q in totals(alerts).quadrants]
    assert found == [(Quadrant.UP_UP, 3, 2, 1, 0.02), (Quadrant.DOWN_UP, 1, 0, 1, -0.02)]


def test_nothing_at_all():
    found = totals([])
    assert (found.n_alerts, found.since_ms, found.verdict) == (0, None, Verdict.UNCLEAR)
    assert by_rule([]) == []


def test_one_good_horizon_is_enough_and_one_unclear_one_is_no_verdict():
    better, no, unclear = Verdict.BETTER, Verdict.NO_BETTER, Verdict.UNCLEAR
    assert together([no, better, unclear]) is better
    assert together([no, no, no]) is no
    assert together([no, unclear, no]) is unclear


def test_rules_are_listed_by_how_many_alerts_they_had():
    alerts = [scored(0, 0.01, []), *(scored(n, 0.01, [], rule_id="flush") for n in (1, 2))]
    assert [(one.rule_id, one.title, one.totals.n_alerts) for one in by_rule(alerts)] == [
        ("flush", "Flush", 2),
        ("jump", "Jump", 1),
    ]


def test_where_nothing_is_to_be_found_better_is_seldom_said():
    """Over 300 rules that fire at random: each of three horizons may be wrong by luck, together in at most one of twenty."""
    rng = random.Random(7)
    found = []
    for _ in range(300):
        alerts = []
        for n in range(30):
            one = [
                scored(n, rng.gauss(0, 1), [rng.gauss(0, 1) for _ in range(N_DRAWS)], horizons=(h,))
                for h in HORIZONS_MS
            ]
            alerts.append(Scored(one[0].moment, tuple(s for part in one for s in part.scores)))
        found.append(totals(alerts).verdict)
    assert found.count(Verdict.BETTER) / len(found) <= 0.05
