"""kill -9 at random instants: no committed alert is lost, none is invented."""

import asyncio
import random
import re
import signal

import pytest

from bot.clock import SystemClock
from bot.model.alert import short_id
from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.acceptance

OWNER = 4711
SHORT_ID = re.compile(r"#([0-9a-hjkmnp-tv-z]{8})\b")
N_KILLS = 6


@pytest.mark.promise("P1")
async def test_no_committed_alert_is_lost_over_kills_and_none_is_invented(harness, until):
    rng = random.Random(7)
    venue = await harness.venue()
    async with ChatServer(clock=SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)) as chats:
        env = harness.env(
            venue,
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            OIBOT_TELEGRAM__CHAT_ID=str(OWNER),
        )
        for k in range(N_KILLS):
            bot = await harness.start("run", env=env)
            await until(lambda bot=bot: "feed.live" in bot.output, within_s=40, why=lambda bot=bot: bot.output)
            if k == 0:
                await until(lambda: chats.messages(OWNER), within_s=60, why=lambda bot=bot: bot.output)
            await asyncio.sleep(rng.uniform(0.2, 4.0))
            bot.signal(signal.SIGKILL)
            await bot.exit_code()
        last = await harness.start("run", env=env)
        open_rows = "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')"
        await until(lambda: "feed.live" in last.output, within_s=40, why=lambda: last.output)
        await until(lambda: harness.rows(open_rows)[0][0] == 0, within_s=60, why=lambda: last.output)
        last.signal(signal.SIGTERM)
        assert await last.exit_code() == 0, last.output

        everything = [text for m in chats.messages(OWNER) for text in (m.text, *m.edits)]
        told = {i for text in everything for i in SHORT_ID.findall(text)}
        fired = {short_id(key) for (key,) in harness.rows("SELECT key FROM transitions WHERE state = 'firing'")}
        assert fired, "the market had no event: the test proves nothing"
        lost = fired - told
        unexpected = told - fired
        assert not lost
        assert not unexpected
