"""The tests of the shipped rules pass, leave no rule out, and any way to run their samples gives the same transitions."""

from pathlib import Path

import numpy as np
import pytest

from bot.cli.rule_tests import untested
from bot.engine.engine import Engine
from bot.engine.history_run import run
from bot.history.journal import Header, JournalWriter, read
from bot.history.replay import replay_journal
from bot.history.rule_test_feed import Feed
from bot.history.rule_test_run import rules_of, rules_that_matter, run_rule_test
from bot.market.validity import POLLS_VALID
from bot.model.alert import Transition
from bot.model.history import BarGrid
from bot.rules.resolution import answerable, facts_of, limits_of
from bot.rules.rule_test_reader import load_rule_tests

FOLDER = Path(__file__).parents[3] / "rules" / "tests"
LOADED = load_rule_tests([FOLDER])
TESTS = [pytest.param(file, test, id=test.name) for file in LOADED.files for test in file.tests]
FIRST = [pytest.param(file, file.tests[0], id=Path(file.file).stem) for file in LOADED.files]
"""Of each rule the one in which it fires and ends."""
N_BLOCK = 7


def test_the_files_are_sound_and_every_shipped_rule_has_tests():
    assert LOADED.problems == ()
    assert untested(LOADED) == []
    assert {file.rules[0].id for file in LOADED.files} == {"oi_surge"}, "all speak of the shipped rules"
    assert {Path(file.file).stem for file in LOADED.files} == {rule.id for rule in LOADED.files[0].rules}


@pytest.mark.parametrize("file", LOADED.files, ids=[Path(file.file).stem for file in LOADED.files])
def test_every_rule_fires_ends_waits_stays_quiet_and_lacks_data(file):
    rule = Path(file.file).stem
    states = {expected.state for test in file.tests for expected in test.expect if expected.rule_id == rule}
    names = [test.name for test in file.tests]
    lacks_data = "does not" if rule != "stale_data" else "stop"

    assert states >= {"inactive", "firing", "cooling"}
    assert all(any(word in name for name in names) for word in ("fires", "ends", "waits", "stays quiet", lacks_data))


def live(folder, file, test, rules, n_ticks):
    """Tick by tick with windows as the bot holds them, and what it consumed in a journal."""
    header = Header(file.interval_ms, {}, ["main"], [], [], continues=False)
    bounds = {"rotate_bytes": 1 << 30, "max_bytes": 1 << 30}
    journal = JournalWriter(folder, header=header, refresh=lambda: header, started_ms=file.start_ms, **bounds)
    engine = Engine(rules, step_ms=file.interval_ms)
    feed = Feed(test, start_ms=file.start_ms, interval_ms=file.interval_ms)
    found = []

    def give(items):
        for item in items:
            journal.record(item)
            engine.consume(item)

    give(feed.begin())
    for step in range(n_ticks):
        now_ms = file.start_ms + step * file.interval_ms
        give(feed.at(step))
        found += engine.tick(now_ms).transitions
        journal.tick(now_ms)
    journal.close()
    return found, journal.path


COLUMN_OF = {"price": "close"}


def grid_of(file, test, n_closes):
    """The same samples as bars of history: a value at each close, open interest at a time of its own."""
    columns = {}
    for row, given in enumerate(test.given):
        for series, values in given.series.items():
            column = columns.setdefault(COLUMN_OF.get(series, series), np.full((n_closes, len(test.given)), np.nan))
            column[: len(values), row] = values
    close_ms = file.start_ms + np.arange(n_closes, dtype=np.int64) * file.interval_ms
    oi = columns["oi"]
    columns["oi_ms"] = np.where(np.isfinite(oi), close_ms[:, None].astype(np.float64), np.nan)
    columns["oi_valid_ms"] = np.where(np.isfinite(oi), POLLS_VALID * file.interval_ms, np.nan)
    return BarGrid([given.instrument for given in test.given], close_ms, file.interval_ms, columns)


def said(transitions):
    """Windows of live runs are held in single precision."""
    return [(t.rule_id, t.symbol, t.state, t.at_ms, t.key, pytest.approx(t.value, rel=1e-5)) for t in transitions]


@pytest.mark.parametrize(("file", "test"), TESTS)
def test_it_passes(file, test):
    assert run_rule_test(file, test).failures == ()


@pytest.mark.parametrize(("file", "test"), FIRST)
def test_live_recorded_backtested_and_tested_runs_of_the_same_samples_give_the_same_transitions(file, test, tmp_path):
    outcome = run_rule_test(file, test)
    rules = rules_that_matter(file.rules, rules_of(test))
    lived, journal = live(tmp_path, file, test, rules, outcome.n_ticks)
    head, entries = read(journal)
    replayed = list(replay_journal(head, entries, rules, n_block=N_BLOCK))

    assert {"firing", "resolved"} <= {t.state for t in lived}
    assert replayed == lived
    assert said(outcome.transitions) == said(lived)
    grid = grid_of(file, test, outcome.n_ticks)
    answered = answerable(rules, limits_of(rules, facts_of(grid)))
    over_bars = [t for t in run(answered, [grid]) if isinstance(t, Transition)]
    # Bars cannot say whether data is out of date, and each of the others is answered.
    ids = {rule.id for rule in answered}
    assert (Path(file.file).stem in ids) is (Path(file.file).stem != "stale_data")
    assert said(over_bars) == [row for row in said(lived) if row[0] in ids]
