"""Text pieces, limits, planning, and the terminal."""

import asyncio
import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bot.clock import ManualClock
from bot.delivery import markup
from bot.delivery.console import ConsoleDestination
from bot.delivery.destination import Form, Order
from bot.delivery.pace import Pace
from bot.delivery.planning import message_id, next_message
from bot.delivery.text import Card, clean, cut, line, table, utf16_length
from bot.model.outbox import Delivered, Rejected, RetryLater


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


async def test_the_terminal_prints_and_has_no_ids(make):
    out = io.StringIO()
    console = ConsoleDestination(console=Console(file=out, width=100))
    assert await console.send(Order(rows=(make.row(),))) == Delivered(None)
    assert "BTCUSDT" in out.getvalue()


async def test_the_severity_colours_the_bar(make):
    out = io.StringIO()
    console = ConsoleDestination(console=Console(file=out, width=100, force_terminal=True, color_system="standard"))
    await console.send(Order(rows=(make.row(severity="critical"),)))
    assert "\x1b[31m▌" in out.getvalue()


class Stuck(io.StringIO):
    """A terminal that is stopped until released, or gone."""

    def __init__(self, *, gone=False):
        super().__init__()
        self.released = threading.Event()
        self.gone = gone

    def write(self, text):
        if self.gone:
            raise OSError(5, "Input/output error")
        self.released.wait(10)
        return super().write(text)


async def test_a_stopped_terminal_holds_up_nobody(make):
    out = Stuck()
    console = ConsoleDestination(console=Console(file=out, width=100))
    first = asyncio.create_task(console.send(Order(rows=(make.row(),))))
    await asyncio.sleep(0.05)
    assert not first.done(), "and the loop still runs"
    assert isinstance(await console.send(Order(rows=(make.row(),))), RetryLater)
    out.released.set()
    assert await first == Delivered(None)


async def test_a_terminal_that_is_gone_is_dead(make):
    console = ConsoleDestination(console=Console(file=Stuck(gone=True), width=100))
    answer = await console.send(Order(rows=(make.row(),)))
    assert answer == Rejected("the terminal is gone", destination_dead=True)
