"""`oibot chat` and `oibot ask` against a bot that runs in another process."""

import asyncio
import json
import signal
import stat

import pytest

from bot.cli.chat import PROMPT
from tests.support.terminal import Terminal

pytestmark = pytest.mark.acceptance


async def asked(harness, env, *words: str, stdin: bytes = b"") -> tuple[int, str]:
    one = await harness.start("ask", *words, env=env, stdin=asyncio.subprocess.PIPE)
    one.process.stdin.write(stdin)
    one.process.stdin.close()
    return await one.exit_code(30), one.output


@pytest.fixture
def terminal():
    made = Terminal()
    yield made
    made.close()


async def test_a_person_at_a_terminal_talks_to_the_running_bot(harness, until, terminal):
    venue = await harness.venue(instruments=40)
    env = harness.env(venue)
    code, text = await asked(harness, env, "/oi", "BTC")
    assert (code, "no bot is running on" in text) == (1, True)

    bot = await harness.start("run", env=env)
    await until(lambda: "feed.live" in bot.output, within_s=60, why=lambda: bot.output)
    await _scripts(harness, env)

    talk = await terminal.start(harness, "chat", env=env)
    await terminal.shows("alerts go where its settings send them, not here")
    terminal.type("/pri\tBTCUSDT\t\r")
    await terminal.shows("24h")
    assert "/price BTCUSDT" in terminal.screen
    terminal.type("/alert BTC price > 1\r")
    await terminal.shows("Already true")
    # Keys that come before its prompt would be the terminal's own.
    await terminal.shows(PROMPT, n=3)
    terminal.type("half a line")
    await terminal.shows("half a line")
    terminal.type("\x03")
    await terminal.shows(PROMPT, n=4)
    terminal.type("/delete a\t\r")
    await terminal.shows("Deleted")

    bot.signal(signal.SIGTERM)
    assert await bot.exit_code() == 0, bot.output
    await terminal.shows(PROMPT, n=5)
    terminal.type("/status\r")
    await terminal.shows("no bot is running on")
    again = await harness.start("run", env=env)
    await until(lambda: "bot.started" in again.output, within_s=60, why=lambda: again.output)
    await terminal.shows(PROMPT, n=6)
    terminal.type("\x1b[A\r")
    await terminal.shows("The bot is there again.")
    await terminal.shows(PROMPT, n=7)
    terminal.type("\x04")
    assert await talk.exit_code() == 0, terminal.screen
    assert terminal.is_as_before
    assert "Traceback" not in terminal.screen

    history = harness.folder / "data" / "chat-history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert history.read_text().splitlines()[0].strip() == "/price BTCUSDT"
    assert "half a line" not in history.read_text()


async def _scripts(harness, env) -> None:
    code, text = await asked(harness, env, "/oi BTC")
    assert (code, "BTCUSDT open interest" in text) == (0, True), text
    code, text = await asked(harness, env, "/oi NOSUCHCOIN")
    assert (code, "I don't know the symbol" in text) == (1, True), text
    code, text = await asked(harness, env, "--json", "-", stdin=b"/price ETH\n\nstatus\n/nonsense\n")
    found = [json.loads(line) for line in text.splitlines()]
    assert (code, [one["ok"] for one in found]) == (1, [True, True, False]), text
    assert found[0]["reply"]["blocks"][0]["kind"] == "line"
    assert found[0]["reply"]["buttons"][0][0]["command"]
    _, text = await asked(harness, env, "/backtest oi_surge 1d")
    # How it ends depends on the minutes that there are; that it begins is no answer.
    assert "Backtest of OI surge, 1d" in text, text
    assert "/backtest cancel" not in text, text
