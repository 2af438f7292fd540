"""What happens in the market and in the network, and what each chat sees of it, second by second."""

import asyncio
import contextlib

import aiohttp
import pytest

from bot.sim import chat_faults as faults
from bot.sim.chat_discord import WEBHOOK_ID
from bot.sim.chatserver import ChatServer
from tests.support.arrivals import committed, judge
from tests.support.kills import DESTINATIONS, OWNER, Market
from tests.support.proxy import Proxy, stopped
from tests.support.timeline import Timeline, Told, between

pytestmark = pytest.mark.acceptance

TELEGRAM, DISCORD = ("telegram", str(OWNER)), ("discord", WEBHOOK_ID)
BOTH = (TELEGRAM, DISCORD)
RULES = """version: 1
defaults: {cooldown: 5s}
rules:
  - {id: jump, when: 'pct(price, 20s) >= 4%', clear: 'pct(price, 20s) < 1%', escalate: 4%}
"""


class World:
    """A bot on a quiet market, with both chats behind a network that may break."""

    def __init__(self, harness, until, chats, proxy, venue, clock):
        self.harness, self.until, self.chats, self.proxy, self.venue = harness, until, chats, proxy, venue
        self.market = Market(venue[0], clock, every_s=0, together=0)
        self.line = Timeline(clock, chats.happenings)
        self.bot = None

    async def start(self):
        self.harness.rules(RULES)
        env = self.harness.env(
            self.venue,
            OIBOT_RULES_DIR=str(self.harness.folder / "rules"),
            OIBOT_CHARTS__ENABLED="false",
            OIBOT_TELEGRAM__TOKEN=self.chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=self.proxy.url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            OIBOT_TELEGRAM__CHAT_ID=str(OWNER),
            OIBOT_DISCORD__WEBHOOK_URL=self.chats.discord_webhook_url.replace(self.chats.telegram_url, self.proxy.url),
        )
        self.bot = await self.harness.start("run", env=env)
        await self.until(lambda: "feed.live" in self.bot.output, within_s=40, why=lambda: self.bot.output)

    def jump(self, symbol, change):
        async def act():
            async with aiohttp.ClientSession() as session:
                await self.market.jump(session, symbol, change=change, seconds=100)

        return act

    def verdict(self):
        return judge(committed(self.harness.database), self.chats.happenings, DESTINATIONS)


@pytest.fixture
async def world(harness, until):
    harness.speed = 4.0
    venue = await harness.venue(instruments=20, script=False)
    clock = harness.clock()
    async with contextlib.AsyncExitStack() as stack:
        chats = await stack.enter_async_context(ChatServer(clock=clock, enforce_limits=True))
        proxy = await stack.enter_async_context(Proxy("127.0.0.1", int(chats.telegram_url.rsplit(":", 1)[1])))
        made = World(harness, until, chats, proxy, venue, clock)
        await made.start()
        yield made


@pytest.mark.promise("P4")
async def test_an_alerts_life_is_seen_in_order_in_each_chat(world):
    """Through a 429, a 500 and a lost connection at the worst moments; a second coin meanwhile."""
    line, chats = world.line, world.chats
    line.at(25, world.jump("BTCUSDT", 0.06))
    line.want(between(25, 31), BOTH, "BTCUSDT", Told.FIRE)
    line.at(31.5, lambda: chats.telegram.fail(faults.too_many_requests(2)))
    line.at(31.5, lambda: chats.discord.fail(faults.server_error()))
    line.at(32, world.jump("BTCUSDT", 0.06))
    line.want(between(32, 44), BOTH, "BTCUSDT", Told.UPDATE)
    line.at(36, world.jump("ETHUSDT", 0.055))
    line.want(between(36, 46), BOTH, "ETHUSDT", Told.FIRE)
    line.at(50, world.proxy.break_all)
    line.want(between(52, 66), BOTH, "BTCUSDT", Told.END)
    line.want(between(55, 69), BOTH, "ETHUSDT", Told.END)
    await line.run(until_s=70)
    assert line.problems() == [], world.bot.output
    assert str(world.verdict()).endswith("lost 0, unexpected 0, duplicates 0, recovered 0, out of order 0")


@pytest.mark.promise("P1")
@pytest.mark.promise("P9")
async def test_an_outage_of_the_whole_network_delays_and_loses_nothing(world):
    """A black hole for half a minute: what happened meanwhile is told when it ends, each thing once."""
    line = world.line
    line.at(24, lambda: world.proxy.set(black_hole=True))
    line.at(25, world.jump("BTCUSDT", 0.06))
    line.at(27, world.jump("ETHUSDT", 0.06))
    line.at(40, lambda: (world.proxy.set(), world.proxy.break_all()))
    await line.run(until_s=43)
    assert not [h for h in world.chats.happenings if h.at_ms < line.began_ms + 39_500], "nothing passes a black hole"
    await world.until(lambda: _is_quiet(world), within_s=30, why=lambda: world.bot.output)
    verdict = world.verdict()
    assert verdict.n_wanted == 4
    assert not verdict.lost
    assert not verdict.unexpected
    assert not verdict.disorder


@pytest.mark.promise("P4")
async def test_a_suspended_bot_tells_everything_in_order_once_it_goes_on(world):
    line = world.line
    line.at(25, world.jump("BTCUSDT", 0.06))
    await line.run(until_s=32)
    with stopped(world.bot.pid):
        await asyncio.sleep(2)
    await world.until(lambda: world.harness.rows("SELECT 1 FROM transitions WHERE state = 'resolved'"), within_s=20)
    await world.until(lambda: _is_quiet(world), within_s=30, why=lambda: world.bot.output)
    verdict = world.verdict()
    assert verdict.n_wanted == 2
    assert not verdict.lost
    assert not verdict.disorder
    assert verdict.n_duplicates == 0


def _is_quiet(world):
    open_rows = "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')"
    return world.harness.rows(open_rows)[0][0] == 0 and world.harness.rows("SELECT 1 FROM outbox")
