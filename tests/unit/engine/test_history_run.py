"""A run over bars: in pieces, in order, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from bot.engine.history_run import run
from bot.model.alert import Notice, TellKind, Transition
from bot.model.history import BarGrid

T0 = 1_767_225_600_000
MINUTE_MS = 60_000


@pytest.fixture
def grid(perpetual):
    def make(*paths, start=0, step_ms=MINUTE_MS):
        close = np.array(paths, dtype=np.float64).T.copy()
        close_ms = T0 + step_ms * (start + np.arange(1, len(close) + 1, dtype=np.int64))
        instruments = tuple(perpetual(f"C{k}") for k in range(close.shape[1]))
        return BarGrid(instruments, close_ms, step_ms, {"close": close})

    return make


def minutes(items):
    return [
        ((x.at_ms - T0) // MINUTE_MS, str(x.kind) if isinstance(x, Notice) else str(x.state), x.rule_id) for x in items
    ]


def test_what_is_told_stands_behind_its_transition(rules_of, grid):
    rules = rules_of("- {id: r, when: price >= 2, for: 1m, cooldown: 3m}\n")
    found = list(run(rules, [grid([1, 2, 2, 1, 2, 2, 2, 2])]))
    assert minutes(found) == [
        (2, "pending", "r"),
        (3, "firing", "r"),
        (3, "fire", "r"),
        (4, "resolved", "r"),
        (4, "end", "r"),
        (5, "pending", "r"),
        (7, "firing", "r"),
        (7, "fire", "r"),
    ]
    fired = next(x for x in found if isinstance(x, Notice))
    assert (fired.kind, fired.view.value, fired.view.symbol) == (TellKind.FIRE, 2.0, "C0USDT")


def test_a_missing_bar_moves_nothing(rules_of, grid):
    nothing = np.nan
    rules = rules_of("- {id: r, when: price >= 2, cooldown: 0s}\n")
    # One missing bar is bridged, as a bar speaks for one and a half; in a longer hole all is unknown, and firing stays.
    found = list(run(rules, [grid([1, 2, nothing, nothing, nothing, 2, 1])]))
    assert minutes(x for x in found if isinstance(x, Transition)) == [(2, "firing", "r"), (7, "resolved", "r")]


def test_pieces_have_to_follow_each_other(rules_of, grid):
    rules = rules_of("- {id: r, when: price >= 2}\n")
    assert minutes(run(rules, [grid([1]), grid([2], start=1)])) == [(2, "firing", "r"), (2, "fire", "r")]
    with pytest.raises(ValueError, match="expected the next grid to begin at"):
        list(run(rules, [grid([1]), grid([2], start=2)]))
    with pytest.raises(ValueError, match="expected grids of one step"):
        list(run(rules, [grid([1]), grid([2], start=0, step_ms=2 * MINUTE_MS)]))
    with pytest.raises(ValueError, match="the same instruments"):
        list(run(rules, [grid([1]), grid([2], [2], start=1)]))


def test_no_bars_give_nothing(rules_of, grid):
    rules = rules_of("- {id: r, when: price >= 2}\n")
    assert list(run(rules, [])) == []
    assert list(run(rules, [grid([])])) == []
    assert minutes(run(rules, [grid([]), grid([2])])) == [(1, "firing", "r"), (1, "fire", "r")]


def test_rules_that_are_off_are_left_out_and_stale_is_refused(rules_of, grid):
    rules = rules_of("- {id: r, when: price >= 2, enabled: false}\n")
    assert list(run(rules, [grid([2])])) == []
    old = rules_of("- {id: old, when: stale(price)}\n")
    with pytest.raises(ValueError, match=r"found stale\(...\) in old"):
        list(run(old, [grid([2])]))
    assert list(run([replace(old[0], enabled=False)], [grid([2])])) == []


def test_the_market_as_a_whole_is_one_alert(rules_of, grid):
    rules = rules_of("- {id: many, per: market, when: 'count(price >= 2) >= 2', cooldown: 0s}\n")
    found = [x for x in run(rules, [grid([1, 2, 2], [1, 1, 2], [1, 1, 1])]) if isinstance(x, Notice)]
    assert [(x.instrument, x.view.n_true, x.view.n_members) for x in found] == [("*", 2, 3)]


def test_the_market_as_a_whole_crosses_a_level(rules_of, grid):
    rules = rules_of("- {id: up, per: market, when: 'crosses_above(median(price), 2)', cooldown: 0s}\n")
    paths = [1, 3, 3, 1, 3], [1, 3, 3, 1, 3], [1, 3, 3, 1, 3], [1, 1, 1, 1, 1], [9, 9, 9, 9, 9]
    found = [x for x in run(rules, [grid(*paths)]) if isinstance(x, Notice)]
    assert [(*x, n.view.value) for x, n in zip(minutes(found), found, strict=True)] == [
        (2, "fire", "up", 3.0),
        (5, "fire", "up", 3.0),
    ]
