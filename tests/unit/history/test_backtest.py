"""A run over stored bars: what counts, what is said of it, and what it is compared with."""

import csv
import io
import json

import numpy as np
import pytest

from bot.errors import ConfigError
from bot.history.asking import solved, swept
from bot.history.backtest import backtest
from bot.history.backtest_answer import answer_of
from bot.history.backtest_picture import picture_of
from bot.history.backtest_text import csv_of, json_of, lines_of, sweep_lines, target_lines
from bot.history.playing import Asked
from bot.history.sweep import read_sweep, read_target
from bot.model.history import BAR_MS
from tests.support.stored_bars import DAY_MS, START_MS, StoredBars, open_interest

STEP_MS = 300_000
PER_DAY = DAY_MS // STEP_MS
SPIKE = """\
  - {id: spike, scope: {symbols: ["*"]}, when: 'pct(price, 5m) >= 2%', clear: 'pct(price, 5m) < 1%', cooldown: 0s}
"""
SURGE = """\
  - {id: surge, scope: {top: 10}, when: 'pct(oi, 15m) >= 5%', clear: 'pct(oi, 15m) < 2%', cooldown: 1h}
"""


def steps(n_days, jumps, *, seed=0):
    """A price that wavers a little, and jumps up by 3% at some rows, to fall back in the next."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-4, n_days * PER_DAY)))
    for row in jumps:
        close[row] *= 1.03
    return close


def asked_of(bars, *, from_day=0.0, to_day=None, keys=None):
    to_ms = bars.end_ms if to_day is None else START_MS + round(to_day * DAY_MS)
    return Asked(keys or bars.keys, START_MS + round(from_day * DAY_MS), to_ms, START_MS + STEP_MS, bars.end_ms)


@pytest.fixture
def two():
    """Ten days of two contracts: one jumps five times, the other twice."""
    return StoredBars(
        {
            "binance:AUSDT": {"close": steps(10, [300, 301 + 2, 900, 1_500, 2_700])},
            "binance:BUSDT": {"close": steps(10, [301, 2_000], seed=1)},
        },
        step_ms=STEP_MS,
    )


@pytest.fixture
def spiked(two, rules_of):
    return backtest(two, rules_of(SPIKE), asked_of(two))


def test_each_firing_is_there_with_its_time_value_and_what_followed(spiked, two):
    (result,) = spiked.rules
    at = {(f.symbol, (f.at_ms - START_MS) // STEP_MS - 1) for f in result.fired}
    assert at == {("AUSDT", r) for r in (300, 303, 900, 1_500, 2_700)} | {("BUSDT", r) for r in (301, 2_000)}
    close = two.grid(two.keys, START_MS, two.end_ms, ("close",)).columns["close"]
    first = json.loads(json_of(spiked))["firings"][0]
    assert {k: first[k] for k in ("rule", "instrument", "at_ms")} == {
        "rule": "spike",
        "instrument": "AUSDT",
        "at_ms": START_MS + 301 * STEP_MS,
    }
    assert first["value"] == pytest.approx(close[300, 0] / close[299, 0] - 1)
    for span, n in (("15m", 3), ("1h", 12), ("4h", 48), ("24h", 288)):
        assert first["after"][span]["move"] == pytest.approx(close[300 + n, 0] / close[300, 0] - 1)


def test_counts_by_symbol_day_burst_and_message(spiked):
    (result,) = spiked.rules
    assert result.per_symbol == (("AUSDT", 5), ("BUSDT", 2))
    days = {(day - START_MS) // DAY_MS: n for day, n in result.per_day}
    assert days == {1: 3, 3: 1, 5: 1, 6: 1, 9: 1}
    burst = result.burst
    assert burst is not None
    assert (burst.n, burst.from_ms, burst.to_ms) == (3, START_MS + 301 * STEP_MS, START_MS + 304 * STEP_MS)
    assert result.messages.n == 7
    lines = "\n".join(lines_of(spiked))
    for part in (
        "7 firings, 0.70 a day",
        "on AUSDT 5, BUSDT 2",
        "on 5 days, most on 2026-02-02 (3)",
        "longest burst: 3 from 2026-02-02 01:05 to 01:20",
        "7 messages after cooldown and digest",
        "too few to tell: 7 firings",
    ):
        assert part in lines


def test_a_cooldown_swallows_what_follows_at_once(two, rules_of):
    found = backtest(two, rules_of(SPIKE.replace("cooldown: 0s", "cooldown: 1h")), asked_of(two))
    assert dict(found.rules[0].per_symbol) == {"AUSDT": 4, "BUSDT": 2}


def test_many_at_once_are_told_in_few_messages(rules_of):
    bars = StoredBars({f"binance:C{k}USDT": {"close": steps(3, [300], seed=k)} for k in range(12)}, step_ms=STEP_MS)
    (result,) = backtest(bars, rules_of(SPIKE), asked_of(bars)).rules
    assert len(result.fired) == 12
    assert result.messages.n < 12
    assert result.messages.n_together >= 1


def test_bars_before_fill_windows_and_bars_after_tell_what_came(two, rules_of):
    whole = backtest(two, rules_of(SPIKE), asked_of(two)).rules[0]
    part = backtest(two, rules_of(SPIKE), asked_of(two, from_day=2.5, to_day=6.0)).rules[0]
    inside = [f for f in whole.fired if START_MS + 2.5 * DAY_MS < f.at_ms <= START_MS + 6 * DAY_MS]
    assert part.fired == tuple(inside)
    assert len(inside) == 2
    assert np.isfinite(next(look for look in part.looks if look.after.after_ms == DAY_MS).after.move).all()


@pytest.mark.parametrize("life", ["for: 0s", "for: 15m", "for: 1h"])
def test_what_was_true_before_and_still_is_does_not_fire_however_long_it_has_to_hold(rules_of, life):
    close = np.where(np.arange(4 * PER_DAY) < PER_DAY, 100.0, 200.0)
    bars = StoredBars({"binance:AUSDT": {"close": close}}, step_ms=STEP_MS)
    rules = rules_of(f"  - {{id: high, scope: {{symbols: ['*']}}, when: price > 150, {life}}}\n")
    assert len(backtest(bars, rules, asked_of(bars)).rules[0].fired) == 1
    assert backtest(bars, rules, asked_of(bars, from_day=2)).rules[0].fired == ()


def test_what_was_true_before_and_still_is_does_not_fire_between_two_rows_of_open_interest(rules_of):
    """Rows every five minutes, and runs that begin at any minute."""
    n = 2 * 1_440
    growing = np.where(np.arange(n) % 5 == 4, 1_000 * np.exp(np.arange(n) * 0.002), np.nan)
    there = {"close": np.full(n, 100.0), **open_interest(growing, step_ms=BAR_MS)}
    there["oi_valid_ms"] = np.where(np.isfinite(growing), 450_000.0, np.nan)
    bars = StoredBars({"binance:AUSDT": there}, step_ms=BAR_MS)
    for window in ("5m", "15m", "1h"):
        rules = rules_of(f"  - {{id: grows, scope: {{symbols: ['*']}}, when: 'pct(oi, {window}) > 0.5%'}}\n")
        for minute in range(5):
            from_ms = START_MS + DAY_MS + minute * BAR_MS
            asked = Asked(bars.keys, from_ms, bars.end_ms, START_MS + BAR_MS, bars.end_ms)
            assert backtest(bars, rules, asked).rules[0].fired == ()


def test_a_day_of_volume_is_known_from_the_begin_where_bars_stand_before_it(rules_of):
    there = {"close": steps(4, [900]), "volume": np.full(4 * PER_DAY, 1e5)}
    bars = StoredBars({"binance:AUSDT": there}, step_ms=STEP_MS)
    busy = SPIKE.replace("pct(price, 5m) >= 2%", "volume_24h > 20M and pct(price, 5m) >= 2%")
    (result,) = backtest(bars, rules_of(busy), asked_of(bars, from_day=3)).rules
    assert [(f.at_ms - START_MS) // STEP_MS - 1 for f in result.fired] == [900]
    assert result.known_from_ms == START_MS + 3 * DAY_MS
    (early,) = backtest(bars, rules_of(busy), asked_of(bars)).rules
    assert early.known_from_ms == START_MS + STEP_MS + DAY_MS


def test_an_end_shortly_before_has_its_cooldown(rules_of):
    """Two spikes an hour apart, between which the run begins."""
    bars = StoredBars({"binance:AUSDT": {"close": steps(3, [300, 312])}}, step_ms=STEP_MS)
    rules = rules_of(SPIKE.replace("cooldown: 0s", "cooldown: 4h"))
    (whole,) = backtest(bars, rules, asked_of(bars)).rules
    assert [(f.at_ms - START_MS) // STEP_MS - 1 for f in whole.fired] == [300]
    asked = Asked(bars.keys, START_MS + 306 * STEP_MS, bars.end_ms, START_MS + STEP_MS, bars.end_ms)
    assert backtest(bars, rules, asked).rules[0].fired == ()


def test_contracts_without_bars_then_are_no_candidates(rules_of):
    there = {"close": steps(4, []), **open_interest(1_000 * steps(4, [400]) ** 2, step_ms=STEP_MS)}
    gone = {"close": np.full(4 * PER_DAY, np.nan)}
    late = {name: np.where(np.arange(4 * PER_DAY) == 700, column, np.nan) for name, column in there.items()}
    bars = StoredBars({"binance:AUSDT": there, "binance:GONEUSDT": gone}, step_ms=STEP_MS)
    found = backtest(bars, rules_of(SURGE), asked_of(bars))
    assert found.asked.keys == ("binance:AUSDT",)
    assert len(found.rules[0].fired) == 1
    bars = StoredBars({"binance:AUSDT": there, "binance:LATEUSDT": late}, step_ms=STEP_MS)
    assert backtest(bars, rules_of(SURGE), asked_of(bars)).asked.keys == bars.keys, "a single bar is enough"


def test_a_scope_that_never_knows_its_candidates_is_said(rules_of):
    there = {"close": steps(4, []), **open_interest(1_000 * steps(4, [400]), step_ms=STEP_MS)}
    bars = StoredBars({"binance:AUSDT": there, "binance:BUSDT": {"close": steps(4, [])}}, step_ms=STEP_MS)
    found = backtest(bars, rules_of(SURGE), asked_of(bars))
    assert found.rules == ()
    assert "left out: surge: which contracts it watches depends on oi_usd, known here of 1 of 2 and needed of 90%" in (
        "\n".join(lines_of(found))
    )
    assert len(backtest(bars, rules_of(SURGE), asked_of(bars, keys=("binance:AUSDT",))).rules) == 1


def test_what_bars_cannot_answer_names_the_rule(two, rules_of):
    text = SURGE + "  - {id: quick, scope: {symbols: ['*']}, when: 'pct(price, 1m) >= 2%'}\n"
    said = "\n".join(lines_of(backtest(two, rules_of(text), asked_of(two))))
    assert "left out: surge: the bars hold no oi" in said
    assert "left out: quick: pct(price, 1m) is shorter than one bar, 5m" in said


def test_nothing_stored_and_too_much_are_errors(two, rules_of):
    late = Asked(two.keys, two.end_ms, two.end_ms + DAY_MS, START_MS, two.end_ms)
    with pytest.raises(ConfigError, match="found none of that time"):
        backtest(two, rules_of(SPIKE), late)
    years = Asked(two.keys, START_MS, START_MS + 110_000 * DAY_MS, START_MS, two.end_ms)
    with pytest.raises(ConfigError, match="expected at most 60,000,000 bars"):
        backtest(two, rules_of(SPIKE), years)


def test_memory_is_bounded_by_reading_piece_by_piece(two, rules_of, monkeypatch):
    monkeypatch.setattr("bot.history.surveying.MAX_CELLS", 600)
    whole = backtest(two, rules_of(SPIKE), asked_of(two))
    assert max(to - begin for begin, to in two.asked[10:]) <= 300 * STEP_MS
    monkeypatch.undo()
    assert whole.rules[0].fired == backtest(two, rules_of(SPIKE), asked_of(two)).rules[0].fired


def test_csv_has_a_line_for_each_firing(spiked):
    rows = list(csv.DictReader(io.StringIO(csv_of(spiked))))
    assert len(rows) == 7
    assert rows[0]["instrument"] == "AUSDT"
    assert list(rows[0]) == ["rule", "instrument", "at_ms", "value", "id", "move_15m", "move_1h", "move_4h", "move_24h"]
    assert rows[-1]["move_24h"] == "", "it is not known yet"


def test_json_says_how_to_run_it_again(spiked):
    whole = json.loads(json_of(spiked))
    assert set(whole) == {"settings", "firings", "summary"}
    settings = whole["settings"]
    assert (settings["from_ms"], settings["to_ms"], settings["step_ms"]) == (START_MS, START_MS + 10 * DAY_MS, STEP_MS)
    assert settings["instruments"] == ["AUSDT", "BUSDT"]
    assert settings["rules"][0]["when"] == "pct(price, 5m) >= 2%"
    assert whole["summary"][0]["firings"] == 7


def test_a_sweep_fires_less_often_the_more_it_asks_for(two, rules_of):
    sweep = read_sweep("pct(price, 5m)=0.5%..4.5% by 1%")
    (rule,) = rules_of(SPIKE)
    found = swept(two, rule, sweep, asked_of(two), progress=lambda _: None)
    assert [len(r.fired) for r in found.rules] == [7, 7, 7, 0, 0]
    lines = sweep_lines(sweep, found)
    assert lines[1].split()[:2] == ["0.5%", "7"]
    assert "what a sweep finds on one stretch has to hold on another" in lines[-1]


def test_a_target_gives_the_easiest_number_that_does_not_fire_more_often(two, rules_of):
    (rule,) = rules_of(SPIKE)
    answer = solved(two, rule, read_target("1 per day"), asked_of(two), measure=None, progress=lambda _: None)
    assert answer.is_met
    assert answer.per_day <= 1
    assert answer.number.value == pytest.approx(0.002), "a tenth of its own, the easiest tried"
    rare = solved(two, rule, read_target("0.1 per day"), asked_of(two), measure=None, progress=lambda _: None)
    assert rare.per_day <= 0.1
    assert 0.03 < rare.number.value < 0.032
    assert "fires 0.70 a day (wanted: 1 per day)" in target_lines(rule.id, "pct(price, 5m)", "1 per day", answer)[0]


def test_the_chat_gets_short_sentences_and_a_table_that_fits_a_phone(spiked, two):
    answer = answer_of(spiked, two, asked_days=30.0)
    assert answer.facts == (
        "7 firings on 2 of 2 contracts, 0.7 a day",
        "most on AUSDT 5, BUSDT 2",
        "busiest day 2026-02-02 (3), longest burst 3 within 15m",
        "7 messages after cooldown and digest",
    )
    assert answer.table[0] == ("after", "move", "random", "95%")
    assert [row[0] for row in answer.table[1:]] == ["15m", "1h", "4h", "24h"]
    assert answer.chart is not None


def test_what_fires_seldom_is_never_told_as_nothing(rules_of):
    bars = StoredBars({"binance:AUSDT": {"close": steps(200, [30_000])}}, step_ms=STEP_MS)
    found = backtest(bars, rules_of(SPIKE), asked_of(bars))
    assert answer_of(found, bars, asked_days=200.0).facts[0] == "1 firing on 1 of 1 contracts, 0.005 a day"
    assert picture_of(found, bars).subtitle == "1 firing on 1 of 1 contracts, 0.005 a day"
    assert "  1 firing, 0.005 a day" in lines_of(found)
    assert "  1 message after cooldown and digest, 0.005 a day" in lines_of(found)
    sweep = read_sweep("pct(price, 5m)=2%..9% by 7%")
    rows = sweep_lines(sweep, swept(bars, *rules_of(SPIKE), sweep, asked_of(bars), progress=lambda _: None))
    assert [row.split()[1:4] for row in rows[1:3]] == [["1", "0.005", "0.005"], ["0", "0.00", "0.00"]]


def test_the_picture_shows_the_contract_on_which_it_fired_most(spiked, two):
    chart = picture_of(spiked, two)
    assert chart is not None
    assert chart.symbol == "AUSDT"
    assert len(chart.fired_ms) == 5
    assert sum(chart.per_day.amount) == 7
    assert sum(chart.fired) == pytest.approx(1)
    assert sum(chart.random) == pytest.approx(1)
    assert chart.verdict.startswith("too few to tell")
