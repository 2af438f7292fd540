"""Charts in a conversation with the simulated Telegram: pictures, texts that become pictures, and pictures that fail."""

import asyncio
import contextlib

import pytest

from bot.chat.chart_actions import ChartActions
from bot.chat.telegram_app import TelegramChat
from bot.clock import SystemClock
from bot.model.charts import HOUR_MS, ChartData, Curve, NoPicture, Picture
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer
from tests.support.chat_actions import looking
from tests.support.png import tiny_png

pytestmark = pytest.mark.integration

OWNER = 71


class Charts:
    """Reads and draws."""

    def __init__(self):
        self.picture = Picture(tiny_png(), 40, 30)

    async def chart(self, key, span_ms, *, extra=frozenset()):
        points = Curve((0, span_ms), (1.0, 2.0), span_ms)
        return ChartData("BTCUSDT", "binance", "BTC", "USDT", 0, span_ms, points, points)

    async def draw(self, data):
        if isinstance(self.picture, Picture) and data.span_ms != 4 * HOUR_MS:
            return Picture(tiny_png(shade=7), 40, 30)
        return self.picture


@pytest.fixture
async def talk(chat):
    clock, charts = SystemClock(speed=10), Charts()
    market = chat.market
    async with ChatServer(clock=clock, enforce_limits=True) as server:
        running = TelegramChat(
            token=server.telegram_token,
            api_url=server.telegram_url,
            owner_id=OWNER,
            chat_ids=[],
            buttons=chat.buttons,
            actions=looking(ChartActions(market, charts), market=market, status=market, why=market, clock=clock),
            store=chat.store,
            clock=clock,
            charts=charts,
        )
        task = asyncio.create_task(running.run())
        yield server, charts
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_picture_another_span_and_back_to_text(talk, chat):
    server, _ = talk
    server.telegram.say("/oi BTC", chat_id=OWNER)
    await server.until(lambda: server.messages(OWNER), within_s=100)
    [message] = server.messages(OWNER)
    server.telegram.press(await chat.data("/chart BTCUSDT"), message)
    await server.until(lambda: message.photo, within_s=100)
    assert message.photo == tiny_png()
    assert message.text == "BTCUSDT · 4h · price +100.0%, OI +100.0%"
    server.telegram.press(await chat.data("/chart BTCUSDT 1h"), message)
    await server.until(lambda: message.photo == tiny_png(shade=7), within_s=100)
    server.telegram.press(await chat.data("/oi BTCUSDT"), message)
    await server.until(lambda: len(server.messages(OWNER)) == 2, within_s=100)
    assert server.messages(OWNER)[1].text.startswith("BTCUSDT open interest")
    assert message.photo, "a picture stays one"


async def test_where_it_cannot_be_drawn_the_words_remain(talk):
    server, charts = talk
    charts.picture = NoPicture("drawing took too long")
    server.telegram.say("/chart BTC", chat_id=OWNER)
    await server.until(lambda: server.messages(OWNER), within_s=100)
    [message] = server.messages(OWNER)
    assert message.text == "BTCUSDT · 4h · price +100.0%, OI +100.0%\nNo picture: drawing took too long."
    assert message.photo == b""


async def test_where_photos_are_forbidden_the_words_go_alone(talk):
    server, _ = talk
    server.telegram.fail(faults.bad_request("not enough rights to send photos to the chat"), method="sendPhoto")
    server.telegram.say("/chart BTC", chat_id=OWNER)
    await server.until(lambda: server.messages(OWNER), within_s=100)
    assert server.messages(OWNER)[0].text.startswith("BTCUSDT · 4h")
    assert server.messages(OWNER)[0].photo == b""


async def test_full_size_is_a_file_of_its_own_below_the_picture(talk, chat):
    server, _ = talk
    server.telegram.say("/chart BTC", chat_id=OWNER)
    await server.until(lambda: server.messages(OWNER), within_s=100)
    [message] = server.messages(OWNER)
    server.telegram.press(await chat.data("/chart BTCUSDT 4h full"), message)
    await server.until(lambda: len(server.messages(OWNER)) == 2, within_s=100)
    file = server.messages(OWNER)[1]
    assert (file.document, file.photo) == (tiny_png(), b"")
    assert file.text == "BTCUSDT · 4h · price +100.0%, OI +100.0%"
    assert message.photo == tiny_png(), "the picture stays"
