"""The terminal as a destination: it prints in a thread, and a stopped or lost terminal harms nobody."""

import asyncio
import io
import os
import sys
import threading
from dataclasses import replace

import pytest
from rich.console import Console

from bot.delivery.console import ConsoleDestination
from bot.delivery.destination import Order
from bot.delivery.output import console_on
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.model.view import AlertView


async def test_the_terminal_prints_and_has_no_ids(row):
    out = io.StringIO()
    console = ConsoleDestination(console=Console(file=out, width=100))
    assert await console.send(Order(rows=(row(),))) == Delivered(None)
    assert "BTCUSDT" in out.getvalue()


async def test_one_alert_after_the_other_is_printed_without_a_pause(row):
    """The thread of the last one may still be ending when the next comes."""
    console = ConsoleDestination(console=Console(file=io.StringIO(), width=100))
    answers = [await console.send(Order(rows=(row(),))) for _ in range(200)]
    assert set(answers) == {Delivered(None)}


async def test_the_severity_colours_the_bar(row):
    out = io.StringIO()
    console = ConsoleDestination(console=Console(file=out, width=100, force_terminal=True, color_system="standard"))
    await console.send(Order(rows=(row(severity="critical"),)))
    assert "\x1b[31m▌" in out.getvalue()


async def test_a_rules_own_text_is_printed_line_by_line(row):
    out = io.StringIO()
    console = ConsoleDestination(console=Console(file=out, width=100))
    await console.send(Order(rows=(row(message="[red]{{ base }}[/]\n{{ value }}", tags=("majors",), silent=True),)))
    first, *rest = out.getvalue().splitlines()
    assert first.endswith("  #majors")
    assert rest == ["▌ [red]BTC[/]", "▌ +6.06%"]


async def test_news_of_the_bot_keeps_its_lines(row):
    report = (
        "Rules were not taken:\n    4 |     when: ptc(oi, 15m) > 5%\n      |           ^^^\nWhat ran before runs on."
    )
    view = AlertView.news("oibot", "Rules", report, symbol="*", severity="warning", short_id="7k2m9q4x", at_ms=0)
    out = io.StringIO()
    console = ConsoleDestination(console=Console(file=out, width=100))
    await console.send(Order(rows=(replace(row(), view=view),)))
    _, *rest = (text.replace("\N{NO-BREAK SPACE}", " ").rstrip() for text in out.getvalue().splitlines())
    assert rest == [
        "▌ Rules were not taken:",
        "▌ 4 |     when: ptc(oi, 15m) > 5%",
        "▌   |           ^^^",
        "▌ What ran before runs on.",
    ]


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


async def test_a_stopped_terminal_holds_up_nobody(row):
    out = Stuck()
    console = ConsoleDestination(console=Console(file=out, width=100))
    first = asyncio.create_task(console.send(Order(rows=(row(),))))
    await asyncio.sleep(0.05)
    assert not first.done(), "and the loop still runs"
    assert isinstance(await console.send(Order(rows=(row(),))), RetryLater)
    out.released.set()
    assert await first == Delivered(None)


async def test_a_terminal_that_is_gone_is_dead(row):
    console = ConsoleDestination(console=Console(file=Stuck(gone=True), width=100))
    answer = await console.send(Order(rows=(row(),)))
    assert answer == Rejected("the terminal is gone", destination_dead=True)


class Disk:
    """A file that may be full: a descriptor that is put in the place of another."""

    def __init__(self, path):
        self._path = path
        self.stream = path.open("w", encoding="utf-8")

    def _become(self, path, flags):
        new = os.open(path, flags)
        os.dup2(new, self.stream.fileno())
        os.close(new)

    def fill(self):
        self._become("/dev/full", os.O_WRONLY)

    def empty(self):
        self._become(self._path, os.O_WRONLY | os.O_APPEND)


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "out.txt")
    with made.stream:
        yield made
        made.empty()


async def test_on_a_full_disk_it_waits_for_room_and_says_that_part_may_stand_there(row, disk, tmp_path):
    console = console_on(disk.stream)
    destination = ConsoleDestination(console=console)
    disk.fill()
    answer = await destination.send(Order(rows=(row(),)))
    assert isinstance(answer, RetryLater)
    assert answer.ambiguous
    console.print("said in passing")
    disk.empty()
    assert await destination.send(Order(rows=(row(),))) == Delivered(None)
    text = (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert text.count("BTCUSDT") == 1, "and what was refused does not come out later"
    assert "said in passing" not in text


async def test_after_a_pipe_broke_it_is_dead_and_the_process_goes_on(row):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "w", encoding="utf-8") as stream:
        console = console_on(stream)
        console.print("said in passing")
        answer = await ConsoleDestination(console=console).send(Order(rows=(row(),)))
    assert answer == Rejected("the terminal is gone", destination_dead=True)


async def test_another_process_has_another_terminal():
    """What is dead is remembered under this: a terminal that an earlier process lost is not the one of now."""
    code = "from bot.delivery.console import ConsoleDestination as D\nprint(D(console=None).fingerprint)"
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    said, _ = await other.communicate()
    mine = ConsoleDestination(console=Console(file=io.StringIO())).fingerprint
    assert said.decode().strip() not in {"", mine}
    assert mine == ConsoleDestination(console=Console(file=io.StringIO())).fingerprint
