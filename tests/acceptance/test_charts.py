"""Charts of the real process: with alerts in both chats, on request, and as a file for another process."""

import aiohttp
import pytest

from bot.sim.chatserver import ChatServer
from tests.support.kills import OWNER, Market

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.acceptance

RULES = """version: 1
rules:
  - {id: jump, name: Price jump, when: 'pct(price, 5m) >= 4%', clear: 'pct(price, 5m) < 1%'}
  - {id: plain, chart: false, when: 'pct(price, 5m) >= 4%', clear: 'pct(price, 5m) < 1%'}
"""


def is_png(data: bytes) -> bool:
    return data.startswith(b"\x89PNG") and len(data) > 20_000


async def test_charts_reach_chats_and_files(harness, until):
    venue = await harness.venue(instruments=40, script=False)
    harness.rules(RULES)
    async with ChatServer(clock=harness.clock(), enforce_limits=True) as chats, aiohttp.ClientSession() as session:
        env = harness.env(
            venue,
            OIBOT_RULES_DIR=str(harness.folder / "rules"),
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            OIBOT_TELEGRAM__CHAT_ID=str(OWNER),
            OIBOT_DISCORD__WEBHOOK_URL=chats.discord_webhook_url,
        )
        bot = await harness.start("run", env=env)
        await until(lambda: "feed.live" in bot.output, within_s=60, why=lambda: bot.output)

        # On request, by way of the control socket.
        out = harness.folder / "btc.png"
        for _ in range(10):
            asked = await harness.start("chart", "btc", "30d", "all", "--out", str(out), env=env)
            if await asked.exit_code(60) == 0:
                break
        assert is_png(out.read_bytes()), asked.output

        # On request, in chat; another span takes the picture's place.
        chats.telegram.say("/chart ETH", chat_id=OWNER)
        await until(lambda: any(m.photo for m in chats.messages(OWNER)), within_s=60, why=lambda: bot.output)
        [shown] = [m for m in chats.messages(OWNER) if m.photo]
        before = shown.photo
        assert is_png(before)
        assert shown.text.startswith("ETHUSDT · 4h · price ")
        day = next(b for row in shown.markup["inline_keyboard"] for b in row if b["text"] == "24h")
        chats.telegram.press(day["callback_data"], shown, user_id=OWNER)
        await until(lambda: shown.photo != before, within_s=60, why=lambda: bot.output)
        assert shown.text.startswith("ETHUSDT · 24h · ")

        # With alerts: the text first, the picture over it.
        market = Market(venue[0], harness.clock(), every_s=0, together=0)
        await market.jump(session, "SOLUSDT", change=0.06, seconds=20)

        def told(rule):
            said = (m for m in chats.messages(OWNER) if f"SOLUSDT · {rule}" in m.text)
            return next(said, None)

        def posted():
            return [m for m in chats.discord.messages if "Price jump" in m.text]

        await until(lambda: told("Price jump") and told("Price jump").photo, within_s=60, why=lambda: bot.output)
        await until(lambda: posted() and posted()[0].files, within_s=60, why=lambda: bot.output)
        alert = told("Price jump")
        assert is_png(alert.photo)
        assert "Price jump" in alert.edits[0], "the text was told before there was a picture"
        assert is_png(posted()[0].files["chart.png"])
        assert posted()[0].payload["embeds"][0]["image"] == {"url": "attachment://chart.png"}
        assert told("plain").photo == b""

        # Its end takes the place of the words, the pictures stay.
        await until(lambda: told("Price jump").text.startswith("✅"), within_s=60, why=lambda: bot.output)
        await until(lambda: "ended after" in posted()[0].text, within_s=60, why=lambda: bot.output)
        assert is_png(told("Price jump").photo)
        assert posted()[0].files
        assert chats.telegram.n_flooded == chats.discord.n_flooded == 0
        assert [r.params["message_id"] for r in chats.requests("editMessageCaption")] == [str(alert.message_id)]
        bot.terminate()
        assert await bot.exit_code() == 0, bot.output
