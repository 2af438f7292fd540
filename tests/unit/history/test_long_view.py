"""The history by days, and the tops and bottoms in it: against a slow reference, and where data is missing."""

import numpy as np
import pytest

from bot.app.history_store import open_store
from bot.app.past_worker import turn_rules
from bot.history.long_view import daily_past
from bot.model.history import BarRows
from bot.settings import shipped_rules
from tests.support.turns import DAY, DAY_MS, MINUTE_MS, market, turns_of

KEY = "binance:BTCUSDT"
START_MS = 1_769_904_000_000
"""2026-02-01."""


def rows(close, oi=None, *, start_ms=START_MS, volume=None):
    n = len(close)
    at = start_ms + MINUTE_MS * np.arange(1, n + 1, dtype=np.int64)
    columns = dict.fromkeys(("open", "high", "low", "close"), close)
    if volume is not None:
        columns["volume"] = volume
    if oi is not None:
        places = 5 * np.arange(len(oi)) + 4
        for name, values in (("oi", oi), ("oi_ms", at[places]), ("oi_valid_ms", 450_000)):
            columns[name] = np.full(n, np.nan)
            columns[name][places] = values
    return BarRows((KEY,), np.zeros(n, np.int32), at, columns)


@pytest.fixture
def look(tmp_path):
    def look(*pieces, days=400.0, folders=(), key=KEY, from_ms=0):
        with open_store(tmp_path / "history") as store:
            for n, piece in enumerate(pieces):
                store.add(piece, source=f"import:{n}")
            rules = turn_rules([*folders, shipped_rules()])
            return daily_past(store, rules, key, from_ms, START_MS + round(days * DAY_MS))

    return look


@pytest.mark.parametrize("seed", range(3))
def test_marks_and_what_came_of_them_are_those_of_the_slow_way(look, seed):
    close, oi = market(14, seed)
    found = look(rows(close, oi))
    expected = turns_of(close, oi, START_MS)
    assert len(expected) > 4
    marks = {((t.at_ms - 1) // DAY_MS, t.is_top): (t.at_ms, t.after_day, t.after_week) for t in found.view.turns}
    assert len(marks) == len(found.view.turns), "one of a kind a day"
    assert marks.keys() == expected.keys()
    for place, (at_ms, *later) in expected.items():
        assert marks[place][0] == at_ms
        assert marks[place][1:] == pytest.approx(later)
    for usual, is_top in ((found.view.tops, True), (found.view.bottoms, False)):
        known = [one[1] for (_, top), one in expected.items() if top is is_top and one[1] is not None]
        assert usual.n_day == len(known)
        assert usual.day == (pytest.approx(sum(known) / len(known)) if known else None)
    ends = close[DAY - 1 :: DAY]
    assert found.view.days.day == pytest.approx(np.mean(ends[1:] / ends[:-1] - 1))
    assert found.view.days.week == pytest.approx(np.mean(ends[7:] / ends[:-7] - 1))
    assert found.view.oi_from_ms == START_MS + DAY_MS


def test_days_hold_their_last_values_and_the_sum_of_their_volume(look):
    n = 2 * DAY + 600
    close, oi = np.arange(1.0, n + 1), np.arange(n // 5) + 7.0
    found = look(rows(close, oi, volume=np.full(n, 3.0)))
    assert [d.close_ms for d in found.days] == [START_MS + k * MINUTE_MS for k in (DAY, 2 * DAY, n)]
    assert [d.price for d in found.days] == [close[DAY - 1], close[2 * DAY - 1], close[-1]]
    assert [d.oi for d in found.days] == [oi[DAY // 5 - 1], oi[2 * DAY // 5 - 1], oi[-1]]
    assert [d.volume for d in found.days] == [3.0 * DAY, 3.0 * DAY, None], "a day that lacks bars says no volume"


def test_days_without_open_interest_are_no_days_to_compare_with(look):
    close, oi = market(10, 6)
    oi = np.concatenate([np.full(5 * DAY // 5, np.nan), oi[5 * DAY // 5 :]])
    found = look(rows(close, oi))
    ends = close[DAY - 1 :: DAY]
    assert found.view.days.n_day == 4
    assert found.view.days.day == pytest.approx(np.mean(ends[6:] / ends[5:-1] - 1))


def test_later_bars_are_no_part_of_a_mark(look):
    """Without the last days the same marks stand there, with less known of what came of them."""
    close, oi = market(14, 5)
    whole = look(rows(close, oi)).view.turns
    cut_ms = START_MS + 9 * DAY_MS
    early = look(days=9).view.turns
    assert [(t.at_ms, t.is_top, t.price) for t in early] == [
        (t.at_ms, t.is_top, t.price) for t in whole if t.at_ms <= cut_ms
    ]
    assert early[-1].after_week is None


def test_a_shorter_look_back_finds_the_same_as_windows_reach_before_it(look):
    close, oi = market(12, 1)
    from_ms = START_MS + 5 * DAY_MS
    whole = look(rows(close, oi)).view.turns
    late = look(from_ms=from_ms).view.turns
    assert late
    # What fires at the begin may have fired before it.
    assert {t.at_ms for t in late if t.at_ms > from_ms + DAY_MS} <= {t.at_ms for t in whole}


def test_what_fires_at_midnight_is_of_the_day_that_ends(look, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "rules.yaml").write_text(
        "version: 1\nrules:\n  - {id: oi_top, when: price > 110 and oi > 1, clear: price < 105, cooldown: 0s}\n"
    )
    close = np.full(3 * DAY, 100.0)
    places = [600, DAY - 1, DAY + 600]
    close[places] = 120.0
    turns = look(rows(close, np.full(3 * DAY // 5, 5.0)), folders=(mine,)).view.turns
    assert [(t.at_ms - START_MS) // MINUTE_MS - 1 for t in turns if t.is_top] == [600, DAY + 600]


def test_a_gap_of_days_is_a_gap(look):
    close, oi = market(3, 2)
    found = look(rows(close, oi), rows(close, oi, start_ms=START_MS + 30 * DAY_MS))
    assert len(found.days) == 6
    first = {t.at_ms for t in found.view.turns if t.at_ms < START_MS + 20 * DAY_MS}
    second = {t.at_ms - 30 * DAY_MS for t in found.view.turns if t.at_ms > START_MS + 20 * DAY_MS}
    assert first == second


def test_bars_of_hours_do_too(look):
    close, _ = market(10, 3)
    at = np.arange(59, len(close), 60)
    piece = rows(close)
    hours = BarRows((KEY,), np.zeros(len(at), np.int32), piece.close_ms[at], {"close": close[at]})
    found = look(hours)
    assert [d.price for d in found.days] == close[DAY - 1 :: DAY].tolist()
    assert (found.view.turns, found.view.oi_from_ms) == ((), None), "no open interest, so no marks"


def test_nothing_is_no_error(look):
    assert look().days == ()
    close, oi = market(1, 0)
    assert look(rows(close, oi), key="binance:NONEUSDT").days == ()


def test_the_users_own_form_of_a_rule_counts(look, tmp_path):
    close, oi = market(8, 4)
    mine = tmp_path / "rules"
    mine.mkdir()
    (mine / "mine.yaml").write_text(
        "version: 1\nrules:\n  - {id: oi_top, enabled: false, when: 'price >= max(price, 24h)', cooldown: 1h}\n"
    )
    shipped, own = look(rows(close, oi)).view.turns, look(folders=(mine,)).view.turns
    assert sum(t.is_top for t in own) > sum(t.is_top for t in shipped)
    assert [t for t in own if not t.is_top] == [t for t in shipped if not t.is_top]


def test_a_rule_that_bars_cannot_answer_is_said(look, tmp_path):
    close, oi = market(3, 4)
    mine = tmp_path / "rules"
    mine.mkdir()
    (mine / "mine.yaml").write_text(
        "version: 1\nrules:\n  - {id: oi_top, when: 'funding > 0'}\n  - {id: oi_bottom, when: 'funding < 0'}\n"
    )
    found = look(rows(close, oi), folders=(mine,))
    assert found.view.turns == ()
    assert any("funding" in text for text in found.view.missing)
