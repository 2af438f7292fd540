"""The terminal front on real pipes, files and pseudo-terminals."""

import asyncio
import contextlib
import io
import os
import pty

import pytest
from rich.console import Console

from bot.chat.terminal import TerminalChat
from bot.clock import SystemClock
from tests.support.chat_actions import looking

pytestmark = pytest.mark.integration


class Terminal:
    def __init__(self, market) -> None:
        self.out = io.StringIO()
        self.n_quit = 0
        self._market = market

    def chat(self, fd: int) -> TerminalChat:
        clock = SystemClock()
        return TerminalChat(
            actions=looking(market=self._market, status=self._market, why=self._market, clock=clock),
            clock=clock,
            on_quit=self._quit,
            console=Console(file=self.out, width=80, color_system=None),
            stdin_fd=fd,
        )

    def _quit(self) -> None:
        self.n_quit += 1

    async def feed(self, data: bytes) -> str:
        """Run over a pipe that ends after the data."""
        read, write = os.pipe()
        task = asyncio.create_task(self.chat(read).run())
        try:
            for start in range(0, len(data), 5_000):
                await asyncio.to_thread(os.write, write, data[start : start + 5_000])
            os.close(write)
            async with asyncio.timeout(10):
                await task
        finally:
            os.close(read)
        return self.out.getvalue()


@pytest.fixture
def terminal(chat) -> Terminal:
    return Terminal(chat.market)


@pytest.mark.parametrize("typed", [b"/oi BTC\n", b"oi btc\r\n", b"  O   BTC/USDT"])
async def test_lines_are_answered_with_or_without_slash_until_the_end(terminal, typed):
    assert (await terminal.feed(typed)).startswith("BTCUSDT open interest\n1 BTC")
    assert terminal.n_quit == 0


async def test_other_words_get_one_hint_and_empty_lines_none(terminal):
    text = await terminal.feed(b"\n\n   \nwhat now\n")
    assert text == "I read commands such as /oi BTC. /help shows them all.\n→ /help\n"


@pytest.mark.parametrize("word", [b"/quit\n", b"QUIT\n", b"exit"])
async def test_quit_stops_the_bot_once_and_reads_no_further(terminal, word):
    read, write = os.pipe()
    os.write(write, word + b"\n/help\n")
    async with asyncio.timeout(10):
        await terminal.chat(read).run()
    os.close(read)
    os.close(write)
    assert (terminal.n_quit, terminal.out.getvalue()) == (1, "")


async def test_bytes_that_are_no_text_and_lines_without_end_do_no_harm(terminal):
    text = await terminal.feed(b"\xff\xfe\x00\n" + b"x" * 100_000 + b"\n/help\n")
    assert text.count("I read commands") == 1
    assert "Look" in text


async def test_an_action_that_fails_is_an_apology(terminal):
    assert await terminal.feed(b"/status\n") == "Something went wrong on my side; the log has the details.\n"


async def test_a_file_and_no_terminal_at_all_end_quietly(terminal, tmp_path):
    (tmp_path / "typed").write_bytes(b"oi btc\n")
    with (tmp_path / "typed").open("rb") as file, open(os.devnull, "rb") as nothing:
        async with asyncio.timeout(10):
            await terminal.chat(file.fileno()).run()
            await terminal.chat(nothing.fileno()).run()
    closed = os.open(os.devnull, os.O_RDONLY)
    os.close(closed)
    async with asyncio.timeout(10):
        await terminal.chat(closed).run()
    assert terminal.out.getvalue().count("open interest") == 1


async def test_a_terminal_stays_as_it_was_and_the_wait_can_be_cancelled(terminal):
    master, slave = pty.openpty()
    was_blocking = os.get_blocking(slave)
    task = asyncio.create_task(terminal.chat(slave).run())
    os.write(master, b"oi btc\n")
    async with asyncio.timeout(10):
        while "open interest" not in terminal.out.getvalue():
            await asyncio.sleep(0.01)
    assert os.get_blocking(slave) == was_blocking
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not asyncio.get_running_loop().remove_reader(slave)
    os.close(master)
    os.close(slave)
