"""What a condition would have done over weeks of history."""

import numpy as np
import pytest

from bot.app.conditions import rule_of
from bot.app.history_store import open_store
from bot.history.long_rehearsal import rehearse_long
from bot.model.chat_alert import ChatAlert
from bot.model.chat_rule import ChatRule
from tests.support.turns import DAY, DAY_MS, MINUTE_MS
from tests.unit.history.test_long_view import KEY, START_MS, rows


def alert(level, measure="pct(price, 5m)", n=0):
    return ChatAlert(f"a-0000000{n}", "terminal", "terminal", KEY, measure, ">=", level, True, 0)


@pytest.fixture
def rehearse(tmp_path):
    def rehearse(piece, alerts, rules=(), *, days=20):
        with open_store(tmp_path / "history") as store:
            store.add(piece, source="import:1")
            return rehearse_long(store, alerts, rules, KEY, START_MS, START_MS + days * DAY_MS)

    return rehearse


def jumps(n_days, places, size=1.05):
    close = np.full(n_days * DAY, 100.0)
    close[places] *= size
    return close


def test_it_counts_over_all_that_is_stored(rehearse):
    places = [3_000, 9_000, 12_000, 20_000]
    found = rehearse(rows(jumps(15, places)), [alert(0.03), alert(0.08, n=1)])
    three, eight = found["a-00000000"], found["a-00000001"]
    assert (three.n_fired, eight.n_fired) == (4, 0)
    assert three.last_ms == START_MS + (20_000 + 1) * MINUTE_MS
    assert three.last_value == pytest.approx(0.05)
    assert three.span_ms == 15 * DAY_MS, "the time of which something is known"


def test_conditions_of_chats_too(rehearse):
    one = ChatRule("c_00000000", "terminal", "terminal", ("BTCUSDT",), None, "pct(price, 5m) >= 3% and price > 1", 0)
    found = rehearse(rows(jumps(5, [3_000, 5_000])), [], [rule_of(one)])
    assert found["c_00000000"].n_fired == 2


@pytest.mark.parametrize(("options", "start_days"), [({"for_ms": 600_000}, 0), ({}, 6), ({"for_ms": 600_000}, 6)])
def test_what_is_true_from_the_first_bar_on_does_not_count(rehearse, options, start_days):
    """Bars may begin later than what is asked for."""
    close = np.full(5 * DAY, 100.0)
    close[3_000:3_500] = 10.0
    one = ChatRule("c_00000000", "terminal", "terminal", ("BTCUSDT",), None, "price > 50 and oi > 1", 0, **options)
    piece = rows(close, np.full(DAY, 5.0), start_ms=START_MS + start_days * DAY_MS)
    assert rehearse(piece, [], [rule_of(one)])["c_00000000"].n_fired == 1


def test_what_is_not_stored_is_left_out(rehearse):
    close = jumps(5, [3_000])
    found = rehearse(
        rows(close, np.full(DAY, 5.0)),
        [alert(0.03), alert(0.03, "pct(funding, 1h)", n=1), alert(0.03, "pct(oi, 15m)", n=2)],
    )
    assert "a-00000001" not in found
    assert found["a-00000000"].span_ms == 5 * DAY_MS
    assert found["a-00000002"].span_ms == pytest.approx(5 * DAY_MS, rel=0.01)
