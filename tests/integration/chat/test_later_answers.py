"""Jobs in a conversation: the message changes while they run and becomes the answer, in Telegram and in the terminal."""

import asyncio
import contextlib
import io
import os

import pytest
from rich.console import Console

from bot.chat.backtest_actions import BacktestActions
from bot.chat.telegram_app import TelegramChat
from bot.chat.terminal import TerminalChat
from bot.clock import SystemClock
from bot.delivery.limits import TelegramLimits
from bot.model.backtests import BacktestAnswer
from bot.model.charts import BacktestChart, Columns, Curve, NoPicture, Picture
from bot.model.explanation import RuleName
from bot.sim.chatserver import ChatServer
from tests.support.chat_actions import looking
from tests.support.png import tiny_png

pytestmark = pytest.mark.integration

OWNER = 71
CHART = BacktestChart("OI surge", "2 firings", "BTCUSDT", 0, 1, Curve(), Curve(), (), Columns())
ANSWER = BacktestAnswer(0, 30 * 86_400_000, 30.0, "price > 1", ("2 firings",), verdict="too few", chart=CHART)


class Run:
    n_before, share, found = 0, 0.0, None

    def __init__(self, asked, clock):
        self.asked, self._clock = asked, clock

    async def wait(self, seconds):
        await self._clock.sleep(0.1)


class Desk:
    def __init__(self, clock):
        self.clock, self.run = clock, None

    def last(self, chat):
        return self.run

    def start(self, chat, asked):
        self.run = Run(asked, self.clock)
        return self.run

    def cancel(self, chat):
        self.run.found = "cancelled"
        return True


class Charts:
    def __init__(self):
        self.drawn = []
        self.picture = Picture(tiny_png(), 40, 30)

    async def draw(self, data):
        self.drawn.append(data)
        return self.picture


def actions_of(desk, chat, clock):
    rules = (RuleName("oi_surge", "OI surge"),)
    family = BacktestActions(desk, lambda _chat: rules, lambda _chat, _rule: None, chat.market)
    return looking(family, market=chat.market, status=chat.market, why=chat.market, clock=clock)


@pytest.fixture
async def talk(chat):
    clock, charts = SystemClock(speed=10), Charts()
    desk = Desk(clock)
    async with ChatServer(clock=clock, enforce_limits=True) as server:
        running = TelegramChat(
            token=server.telegram_token,
            api_url=server.telegram_url,
            owner_id=OWNER,
            chat_ids=[],
            buttons=chat.buttons,
            actions=actions_of(desk, chat, clock),
            store=chat.store,
            clock=clock,
            charts=charts,
            limits=TelegramLimits(clock),
        )
        task = asyncio.create_task(running.run())
        yield server, desk, charts
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def started(server):
    server.telegram.say("/backtest oi_surge 30d", chat_id=OWNER)
    await server.until(lambda: server.messages(OWNER), within_s=100)
    [message] = server.messages(OWNER)
    assert message.text.endswith("0%")
    return message


async def test_the_message_shows_how_far_it_is_and_becomes_the_answer_with_its_picture(talk):
    server, desk, charts = talk
    message = await started(server)
    async with asyncio.timeout(30):
        while "▓" not in message.text:
            # Now and then there is no room for it: a later step is shown.
            desk.run.share = min(desk.run.share + 0.02, 0.99)
            await asyncio.sleep(0.05)
    server.telegram.say("/oi BTC", chat_id=OWNER)
    await server.until(lambda: len(server.messages(OWNER)) == 2, within_s=100)
    desk.run.found = ANSWER
    await server.until(lambda: message.photo, within_s=100)
    assert "Verdict: too few." in message.text
    assert charts.drawn == [CHART]
    assert len(server.messages(OWNER)) == 2, "other commands were answered meanwhile, and nothing is said twice"


async def test_where_no_picture_can_be_drawn_the_answer_says_so(talk):
    server, desk, charts = talk
    charts.picture = NoPicture("charts cannot be drawn here")
    message = await started(server)
    desk.run.found = ANSWER
    await server.until(lambda: "Verdict" in message.text, within_s=100)
    assert "No picture: charts cannot be drawn here." in message.text


async def test_cancel_is_a_button(talk):
    server, _, _ = talk
    message = await started(server)
    server.telegram.press(message.markup["inline_keyboard"][0][0]["callback_data"], message)
    await server.until(lambda: "ancelled" in message.text, within_s=100)


async def test_what_comes_later_does_not_take_the_place_of_what_was_pressed(talk):
    server, desk, _ = talk
    message = await started(server)
    server.telegram.press(message.markup["inline_keyboard"][0][0]["callback_data"], message)
    await server.until(lambda: message.text == "Cancelled.", within_s=100)
    desk.run.found = ANSWER
    server.telegram.say("/oi BTC", chat_id=OWNER)
    await server.until(lambda: len(server.messages(OWNER)) == 2, within_s=100)
    await desk.clock.sleep(5)
    assert message.text == "Cancelled."


async def test_an_answer_whose_message_is_gone_comes_in_a_new_one(talk):
    server, desk, _ = talk
    message = await started(server)
    server.telegram.messages.remove(message)
    desk.run.found = ANSWER
    await server.until(lambda: server.messages(OWNER), within_s=100)
    assert "Verdict: too few." in server.messages(OWNER)[0].text


async def test_the_terminal_prints_the_answer_when_it_is_there(chat):
    clock = SystemClock(speed=10)
    desk, out = Desk(clock), io.StringIO()
    read, write = os.pipe()
    terminal = TerminalChat(
        actions=actions_of(desk, chat, clock),
        clock=clock,
        on_quit=lambda: None,
        console=Console(file=out, width=80, color_system=None),
        stdin_fd=read,
    )
    task = asyncio.create_task(terminal.run())
    os.write(write, b"backtest oi_surge 30d\noi btc\n")
    async with asyncio.timeout(20):
        while "open interest" not in out.getvalue():
            await asyncio.sleep(0.01)
        desk.run.share = 0.9
        desk.run.found = ANSWER
        os.close(write)
        await task
    os.close(read)
    text = out.getvalue()
    assert text.count("Verdict: too few.") == 1
    assert text.index("open interest") < text.index("Verdict"), "it waits for nothing"
