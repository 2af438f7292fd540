"""An alert of the real process gets its scorecard under it, though the bot was killed meanwhile."""

import asyncio
import signal

import aiohttp
import pytest

from bot.sim.chatserver import ChatServer
from tests.support.kills import OWNER, Market

pytestmark = pytest.mark.acceptance

SPEED = 40.0
PATIENCE_S = 240
"""On a machine of any speed; the quarter of an hour that is waited for takes 23 s."""
RULES = """version: 1
rules:
  - {id: jump, name: Jump, when: 'pct(price, 5m) >= 4%', clear: 'pct(price, 5m) < 1%', cooldown: 4h}
"""
ALERT, CARD = "SOLUSDT · Jump", "📊 SOLUSDT · Jump"


async def test_an_alert_is_scored_under_it_over_a_kill(harness, until):
    harness.speed = SPEED
    venue = await harness.venue(instruments=10, script=False)
    harness.rules(RULES)
    async with ChatServer(clock=harness.clock()) as chats, aiohttp.ClientSession() as session:
        env = harness.env(
            venue,
            OIBOT_RULES_DIR=str(harness.folder / "rules"),
            OIBOT_CHARTS__ENABLED="false",
            OIBOT_LOG__LEVEL="INFO",
            OIBOT_SCORECARD__REPLIES="quiet",
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            OIBOT_TELEGRAM__CHAT_ID=str(OWNER),
        )
        bot = await harness.start("run", env=env)

        def why():
            return bot.output + "\n".join(f"{m.message_id}: {m.text}" for m in chats.messages(OWNER))

        def found(text):
            return [m for m in chats.messages(OWNER) if text in m.text]

        await until(lambda: "feed.live" in bot.output, within_s=PATIENCE_S, why=why)
        market = Market(venue[0], harness.clock(), every_s=0, together=0)
        # A move may pass while a busy machine does not look.
        for _ in range(40):
            if found(ALERT):
                break
            await market.jump(session, "SOLUSDT", change=0.06, seconds=400)
            for _ in range(20):
                await asyncio.sleep(0 if found(ALERT) else 0.25)
        assert found(ALERT), why()

        if not found(CARD):
            bot.signal(signal.SIGKILL)
            await bot.exit_code()
            bot = await harness.start("run", env=env)

        await until(lambda: found(CARD), within_s=PATIENCE_S, why=why)
        card = found(CARD)[0]
        # Killed before it could note that the alert arrived, the bot tells it once more.
        assert card.reply_to in {m.message_id for m in found(ALERT) if CARD not in m.text}
        assert card.silent
        assert "15m  price" in card.text
        chats.telegram.say("/score jump", chat_id=OWNER)
        await until(lambda: found("alert since") or found("alerts since"), within_s=PATIENCE_S, why=why)
        bot.terminate()
        assert await bot.exit_code() == 0, bot.output
