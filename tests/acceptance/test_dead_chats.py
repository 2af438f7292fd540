"""A chat that is gone for good is not tried again, its owner hears of it elsewhere, and a word there brings it back."""

import asyncio

import aiohttp
import pytest

from bot.sim.chatserver import ChatServer
from tests.support.arrivals import SHORT_ID, committed, judge
from tests.support.kills import DESTINATIONS, Market

pytestmark = pytest.mark.acceptance

OWNER, GROUP = 4711, -77
COINS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
RULES = """version: 1
defaults: {cooldown: 5s}
rules:
  - {id: jump, when: 'pct(price, 20s) >= 4%', clear: 'pct(price, 20s) < 1%'}
"""


@pytest.mark.promise("P10")
async def test_who_blocks_the_bot_is_left_alone_until_they_write_again_and_a_group_that_moves_is_followed(
    harness, until
):
    venue = await harness.venue(instruments=20, script=False)
    clock = harness.clock()
    market = Market(venue[0], clock, every_s=0, together=0)
    harness.rules(RULES)
    (harness.folder / "rules" / "destinations.yaml").write_text(
        "version: 1\ndestinations:\n"
        f"  telegram: {{kind: telegram, chat: {OWNER}, default: true}}\n"
        f"  group: {{kind: telegram, chat: {GROUP}, min_severity: info}}\n"
        "  discord: {kind: discord, min_severity: info}\n",
        encoding="utf-8",
    )
    async with ChatServer(clock=clock, enforce_limits=True) as chats, aiohttp.ClientSession() as session:
        env = harness.env(
            venue,
            OIBOT_RULES_DIR=str(harness.folder / "rules"),
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            OIBOT_DISCORD__WEBHOOK_URL=chats.discord_webhook_url,
        )
        bot = await harness.start("run", env=env)

        async def holds(is_true):
            await until(is_true, within_s=60, why=lambda: bot.output)

        def tried():
            return [r for r in chats.requests("sendMessage") if r.params.get("chat_id") in {str(OWNER), OWNER}]

        def on_discord():
            return "\n".join(m.text for m in chats.discord.messages)

        def obituaries():
            said = [m.text for m in chats.messages()] + [m.text for m in chats.discord.messages]
            return [text for text in said if "telegram takes no messages any more" in text]

        await holds(lambda: "feed.live" in bot.output)
        await asyncio.sleep(22 / harness.speed)
        chats.telegram.block(OWNER)
        moved = chats.telegram.upgrade(GROUP)
        for coin in COINS:
            await market.jump(session, coin, change=0.06, seconds=60)
            await holds(lambda c=coin: c in on_discord())
            await asyncio.sleep(3 / harness.speed)
        await holds(obituaries)
        await holds(
            lambda: (
                len({i for m in chats.messages(moved) if "jump" in m.text for i in SHORT_ID.findall(m.text)})
                == len(COINS)
            )
        )
        n_tried = len(tried())
        chats.telegram.unblock(OWNER)
        chats.telegram.say("/status", chat_id=OWNER)
        open_rows = "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')"
        await holds(lambda: harness.rows(open_rows)[0][0] == 0)
        bot.terminate()
        assert await bot.exit_code() == 0, bot.output

    places = {("telegram", str(OWNER)): "telegram", ("telegram", str(moved)): "group"} | {
        place: name for place, name in DESTINATIONS.items() if name == "discord"
    }
    verdict = judge(committed(harness.database), chats.happenings, places)
    print(f"{n_tried} tries of a chat that blocks; {verdict}")
    assert n_tried == 1, "not tried again"
    assert verdict.n_wanted == 3 * len(COINS)
    assert not verdict.lost
    news = {i for m in chats.messages(moved) if "jump" not in m.text for i in SHORT_ID.findall(m.text)}
    assert verdict.unexpected == {("group", i) for i in news}, "what the owner hears stands in no database"
    assert verdict.n_duplicates == 0
    assert len(obituaries()) == 1, "told once, where somebody reads it"
