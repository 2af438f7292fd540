"""Text pieces, limits and planning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import ManualClock
from bot.delivery import markup
from bot.delivery.destination import Form
from bot.delivery.pace import Pace
from bot.delivery.planning import next_message
from bot.delivery.plans import message_id
from bot.delivery.text import Card, clean, cut, line, table, utf16_length


def test_clean_leaves_one_visible_line():
    assert clean(" a\tb\r\nc\u2028d\u00a0e ", 99) == "a b c d e"
    assert clean("x\u202ey\u2066z\u200b\u200d\ufeff\x00\x1b[0m", 99) == "xyz[0m"
    assert clean("币安人生 ß é 🟠", 99) == "币安人生 ß é 🟠"


@given(st.text(), st.integers(1, 50))
def test_cut_holds_the_limit_in_utf16_and_never_halves_a_character(text, limit):
    found = cut(text, limit)
    assert utf16_length(found) <= max(limit, 1)
    assert found == text or found.endswith("…")


def test_cut_counts_an_emoji_twice():
    assert cut("🟠🟠🟠", 6) == "🟠🟠🟠"
    assert cut("🟠🟠🟠", 5) == "🟠🟠…"


def test_a_table_aligns_wide_characters():
    assert table([["", "x"], ["币安", "1"], ["ab", "10"]]) == ("       x", "币安   1", "ab    10")


def test_a_card_that_is_too_long_loses_its_least_important_lines_first():
    card = Card(
        head=line("head"),
        body=tuple(line("b" * 500) for _ in range(5)),
        table=tuple("t" * 100 for _ in range(10)),
        details=tuple(line("d" * 500) for _ in range(5)),
        footer=line("foot"),
    )
    fitted = markup.fit(card, 4096)
    assert utf16_length(markup.to_plain(fitted)) <= 4096
    assert fitted.body == card.body
    assert fitted.table == card.table
    assert 0 < len(fitted.details) < 5


async def test_pace_allows_n_in_each_window():
    clock = ManualClock()
    pace = Pace(clock, [(1, 1.0), (3, 60.0)])
    for _ in range(3):
        assert pace.ready_in_s() == 0
        pace.use()
        assert pace.ready_in_s() == pytest.approx(1.05, abs=60)
        await clock.advance(1.05)
    assert pace.ready_in_s() == pytest.approx(60.05 - 3 * 1.05)
    await clock.advance(57)
    assert pace.ready_in_s() == 0
    pace.hold(5)
    pace.hold(2)
    assert pace.ready_in_s() == 5


def kinds(plan):
    return [str(row.kind) for row in plan.rows], plan.form


def test_planning(make):
    fire, up, up2, end, close = (
        make.row(),
        make.row("escalate", n=1),
        make.row("escalate", n=2),
        make.row("end"),
        make.row("close"),
    )
    assert kinds(next_message([fire])) == (["fire"], Form.NEW)
    assert kinds(next_message([fire, up])) == (["fire"], Form.NEW)
    assert kinds(next_message([up, up2])) == (["escalate", "escalate"], Form.REPLY)
    assert kinds(next_message([up, up2, end])) == (["escalate", "escalate", "end"], Form.EDIT)
    assert kinds(next_message([fire, up, close])) == (["fire", "escalate", "close"], Form.NEW)
    assert kinds(next_message([end])) == (["end"], Form.EDIT)


def test_the_same_rows_are_the_same_message(make):
    assert message_id([make.row()]) == message_id([make.row()])
    assert message_id([make.row()]) != message_id([make.row(), make.row("end")])
