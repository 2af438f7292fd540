"""An alert of the real process gets its scorecard under it: one message, edited as time goes on."""

import aiohttp
import pytest

from bot.sim.chatserver import ChatServer
from tests.support.kills import OWNER, Market

pytestmark = pytest.mark.acceptance

SPEED = 150.0
RULES = """version: 1
rules:
  - {id: jump, name: Jump, when: 'pct(price, 5m) >= 4%', clear: 'pct(price, 5m) < 1%', cooldown: 4h}
"""


async def test_an_alert_is_scored_under_it_after_15_minutes_and_an_hour(harness, until):
    harness.speed = SPEED
    venue = await harness.venue(instruments=10, script=False)
    harness.rules(RULES)
    async with ChatServer(clock=harness.clock()) as chats, aiohttp.ClientSession() as session:
        bot = await harness.start(
            "run",
            env=harness.env(
                venue,
                OIBOT_RULES_DIR=str(harness.folder / "rules"),
                OIBOT_CHARTS__ENABLED="false",
                OIBOT_LOG__LEVEL="INFO",
                OIBOT_SCORECARD__REPLIES="quiet",
                OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
                OIBOT_TELEGRAM__API_URL=chats.telegram_url,
                OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
                OIBOT_TELEGRAM__CHAT_ID=str(OWNER),
            ),
        )

        def why():
            return bot.output + "\n".join(f"{m.message_id}: {m.text}" for m in chats.messages(OWNER))

        def cards():
            return [m for m in chats.messages(OWNER) if m.text.startswith("📊 SOLUSDT · Jump")]

        await until(lambda: "feed.live" in bot.output, within_s=60, why=why)
        market = Market(venue[0], harness.clock(), every_s=0, together=0)
        for _ in range(20):
            await market.jump(session, "SOLUSDT", change=0.06, seconds=400)
            if [m for m in chats.messages(OWNER) if "SOLUSDT · Jump" in m.text]:
                break
        await until(cards, within_s=60, why=why)
        [card] = cards()
        alert = next(m for m in chats.messages(OWNER) if "SOLUSDT · Jump" in m.text)
        assert card.reply_to == alert.message_id
        assert card.silent
        assert "15m after" in card.text
        assert "price" in card.text
        await until(lambda: "1h after" in cards()[0].text, within_s=90, why=why)
        [card] = cards()
        assert "15m" in card.text, "what was known before stays"
        chats.telegram.say("/score jump", chat_id=OWNER)
        await until(lambda: any("Jump · 1 alert since" in m.text for m in chats.messages(OWNER)), within_s=60, why=why)
        bot.terminate()
        assert await bot.exit_code() == 0, bot.output
