"""What bars can and cannot answer, said in words."""

import numpy as np
import pytest

from bot.model.history import BarGrid
from bot.rules.resolution import GridFacts, answerable, facts_of, limits_of

MINUTE_MS = 60_000
DUMPS = GridFacts(MINUTE_MS, frozenset({"close", "oi", "volume"}), oi_step_ms=300_000)
SEEN = GridFacts(MINUTE_MS, frozenset({"close", "oi", "volume", "index", "funding", "liq_long"}), oi_step_ms=MINUTE_MS)


def said(rules, facts=DUMPS):
    return [(f.rule_id, f.is_left_out, f.text) for f in limits_of(rules, facts)]


def test_nothing_is_said_of_what_runs_as_it_would_live(rules_of):
    rules = rules_of(
        "- {id: a, when: 'pct(price, 15m) > 1% and pct(oi, 15m) > 5%', for: 5m}\n"
        "- {id: b, when: 'ratio(volume, 5m) >= 4', for: 1m}\n"
        "- {id: c, when: 'abs(zscore(oi, 24h)) > 3'}\n"
    )
    assert said(rules) == []


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("pct(oi, 2m) > 1%", "pct(oi, 2m) is shorter than the 5m between two samples of open interest"),
        ("delta(oi_usd, 4m) > 1", "delta(oi_usd, 4m) is shorter than the 5m between two samples of open interest"),
        ("pct(price, 30s) > 1%", "pct(price, 30s) is shorter than one bar, 1m"),
        ("funding_8h > 0.1%", "the bars hold no funding_8h"),
        ("stale(price)", "it asks whether data is out of date; of bars that says only where some are missing"),
    ],
)
def test_a_rule_that_bars_cannot_answer_is_left_out(rules_of, when, reason):
    rules = rules_of(f"- {{id: a, when: '{when}'}}\n- {{id: b, when: 'price > 1'}}\n")
    assert said(rules) == [("a", True, reason)]
    assert [r.id for r in answerable(rules, limits_of(rules, DUMPS))] == ["b"]


@pytest.mark.parametrize(
    ("line", "difference"),
    [
        ("when: 'pct(oi, 5m) > 1%'", "pct(oi, 5m) is known only while the sample at its begin is at most 100s old"),
        ("when: 'pct(oi, 15m) > 1%', for: 2m", "for: 2m also waits for the next sample of open interest, up to 5m"),
        ("when: 'price > 1', for: 30s", "for: 30s takes 1m on bars of 1m"),
        ("when: 'price > avg(price, 5m)'", "avg(price, 5m) looks at 5 different points here, at up to 300 live"),
        ("when: 'crosses(price, 1)'", "a crossing and its return within one bar of 1m are not seen"),
    ],
)
def test_of_a_rule_that_runs_it_is_said_what_differs(rules_of, line, difference):
    rules = rules_of(f"- {{id: a, {line}}}\n")
    (found,) = said(rules)
    assert found[:2] == ("a", False)
    assert found[2].startswith(difference)
    assert answerable(rules, limits_of(rules, DUMPS)) == rules


def test_with_open_interest_each_minute_short_windows_are_answered(rules_of):
    rules = rules_of("- {id: a, when: 'pct(oi, 3m) > 1%'}\n- {id: b, when: 'pct(oi, 5m) > 1%', for: 2m}\n")
    assert said(rules, SEEN) == []


def test_a_scope_by_what_the_bars_do_not_hold_is_said(rules_of):
    rules = rules_of("- {id: a, scope: {top: 5, by: oi_usd}, when: 'price > 1'}\n")
    (found,) = said(rules, GridFacts(MINUTE_MS, frozenset({"close"})))
    assert found == ("a", True, "which contracts it watches depends on oi_usd, and the bars hold no oi")


def test_facts_are_read_off_a_grid(perpetual):
    close_ms = MINUTE_MS * np.arange(1, 21, dtype=np.int64)
    has_oi = close_ms % 300_000 == 0
    oi = np.where(has_oi, 5.0, np.nan)[:, None]
    grid = BarGrid(
        (perpetual("A"),),
        close_ms,
        MINUTE_MS,
        {
            "close": np.ones((20, 1)),
            "funding": np.full((20, 1), np.nan),
            "oi": oi,
            "oi_ms": np.where(has_oi, close_ms - 1.0, np.nan)[:, None],
        },
    )
    assert facts_of(grid) == GridFacts(MINUTE_MS, frozenset({"close", "oi", "oi_ms"}), oi_step_ms=300_000)


@pytest.mark.parametrize(("every_ms", "expected_s"), [(60_140, 60), (59_870, 60), (119_300, 120), (300_000, 300)])
def test_polls_that_come_a_moment_late_now_and_then_are_as_far_apart_as_they_were_asked_for(
    rules_of, every_ms, expected_s
):
    n = 240
    closes = 1_769_904_000_000 + MINUTE_MS * np.arange(1, n + 1, dtype=np.int64)
    polls = 1_769_904_000_000 + 7_000 + every_ms * np.arange(1, 2 * n)
    newest = np.full((n, 1), np.nan)
    for at in polls[polls <= closes[-1]]:
        newest[np.searchsorted(closes, at), 0] = at
    columns = {"close": np.full((n, 1), 1.0), "oi": np.where(np.isfinite(newest), 5.0, np.nan), "oi_ms": newest}
    facts = facts_of(BarGrid((), closes, MINUTE_MS, columns))
    assert facts.oi_step_ms == expected_s * 1000
    rules = rules_of(f"- {{id: a, when: 'pct(oi, {expected_s}s) > 1%', scope: {{symbols: ['*']}}}}\n")
    assert len(answerable(rules, limits_of(rules, facts))) == 1


def with_fundings(every, *, n=720):
    """Half a day of minutes of a contract with a funding at each so many, and of one without any."""
    closes = 1_769_904_000_000 + MINUTE_MS * np.arange(1, n + 1, dtype=np.int64)
    close = np.full((n, 2), 100.0)
    close[100:200] = np.nan
    funding = np.full((n, 2), np.nan)
    funding[every - 1 :: every, 0] = 0.0001
    funding[100:200] = np.nan
    return facts_of(BarGrid((), closes, MINUTE_MS, {"close": close, "funding": funding}))


def test_fundings_that_stand_only_where_they_were_paid_are_told(rules_of):
    rules = rules_of(
        "- {id: a, when: 'funding_8h >= 0.1%', for: 10m}\n- {id: b, when: 'price > 1'}\n"
        "- {id: c, when: 'price > 1', clear: 'avg(funding, 1h) < 0'}\n"
    )
    text = "funding is known only in the bars in which it was paid: neither `for` nor windows get on between them"
    assert said(rules, with_fundings(480)) == [("a", False, text), ("c", False, text)]
    assert with_fundings(1).funding_share == 1.0
    assert said(rules, with_fundings(1)) == []
