"""What was going on when the process was killed goes on after it: clocks, cooldowns, acknowledgements, alerts from chat.

A second bot on the same exchange, which nobody kills, says what should have happened.
"""

import asyncio
import contextlib
import signal

import aiohttp
import pytest

from bot.model.alert import short_id
from bot.sim.chatserver import ChatServer
from tests.support.harness import Harness
from tests.support.kills import Market

pytestmark = pytest.mark.acceptance

OWNER = 4711
FOR_S, REPEAT_S = 60, 60
RULES = """version: 1
defaults: {{cooldown: 0s}}
rules:
  - {{id: cooled, when: 'price > {ETHUSDT}', cooldown: 30m, scope: {{symbols: [ETHUSDT]}}}}
  - {{id: witness, when: 'price > {ETHUSDT}', scope: {{symbols: [ETHUSDT]}}}}
  - {{id: held, when: 'price > {BTCUSDT}', for: {for_s}s, scope: {{symbols: [BTCUSDT]}}}}
  - {{id: seen, when: 'price > {SOLUSDT}', repeat: {repeat_s}s, scope: {{symbols: [SOLUSDT]}}}}
  - {{id: unseen, when: 'price > {SOLUSDT}', repeat: {repeat_s}s, scope: {{symbols: [SOLUSDT]}}}}
"""
COINS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")


@pytest.mark.promise("P5")
async def test_what_was_going_on_goes_on_after_kills(harness, until, tmp_path):
    venue = await harness.venue(instruments=20, script=False)
    clock, calm = harness.clock(), Harness(tmp_path / "calm")
    calm.folder.mkdir()
    calm.epoch_ms = harness.epoch_ms
    market = Market(venue[0], clock, every_s=0, together=0)
    async with (
        ChatServer(clock=clock) as chats,
        aiohttp.ClientSession() as session,
        contextlib.AsyncExitStack() as stack,
    ):
        stack.push_async_callback(calm.close)
        levels = {}
        for coin in COINS:
            async with session.get(f"{venue[0]}/fapi/v1/premiumIndex?symbol={coin}") as answer:
                levels[coin] = float((await answer.json())["markPrice"]) * 1.03
        text = RULES.format(**levels, for_s=FOR_S, repeat_s=REPEAT_S)
        harness.rules(text)
        calm.rules(text)
        env = harness.env(
            venue,
            OIBOT_RULES_DIR=str(harness.folder / "rules"),
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
        )
        beside = await calm.start("record", env=calm.env(venue, OIBOT_RULES_DIR=str(calm.folder / "rules")))
        bot = await harness.start("run", env=env)
        for process in (bot, beside):
            await until(lambda p=process: "feed.live" in p.output, within_s=60, why=lambda p=process: p.output)

        def fired(rule, where=harness):
            return where.rows(f"SELECT at_ms FROM transitions WHERE rule_id = '{rule}' AND state = 'firing'")

        def ended(rule):
            return harness.rows(f"SELECT at_ms FROM transitions WHERE rule_id = '{rule}' AND state = 'resolved'")

        def said():
            return [m.text for m in chats.messages(OWNER)]

        async def holds(is_true):
            await until(is_true, within_s=60, why=lambda: "\n".join([*said(), bot.output]))

        # An alert from chat, one that is acknowledged beside one that is not, one in its cooldown, one that is being confirmed.
        chats.telegram.say(f"/alert XRP price > {levels['XRPUSDT']}", chat_id=OWNER)
        await market.jump(session, "SOLUSDT", change=0.06, seconds=3_000)
        await holds(lambda: fired("seen") and fired("unseen"))
        await holds(lambda: sum("SOL" in text for text in said()) >= 1 and harness.rows("SELECT 1 FROM chat_alerts"))
        [(key,)] = harness.rows("SELECT key FROM transitions WHERE rule_id = 'seen' AND state = 'firing'")
        await market.jump(session, "ETHUSDT", change=0.06, seconds=8)
        await holds(lambda: ended("cooled") and ended("witness"))
        chats.telegram.say(f"/ack #{short_id(key)}", chat_id=OWNER)
        await holds(lambda: harness.rows(f"SELECT 1 FROM outbox WHERE kind = 'ack' AND key = '{key}'"))
        await market.jump(session, "BTCUSDT", change=0.06, seconds=3_000)
        await holds(lambda: harness.rows("SELECT 1 FROM transitions WHERE rule_id = 'held' AND state = 'pending'"))
        down_ms = 0.0
        for _ in range(2):
            await asyncio.sleep(10 / harness.speed)
            bot.signal(signal.SIGKILL)
            since_ms = clock.monotonic_ms()
            await bot.exit_code()
            bot = await harness.start("run", env=env)
            await until(lambda b=bot: "feed.live" in b.output, within_s=60, why=lambda b=bot: b.output)
            down_ms += clock.monotonic_ms() - since_ms
        assert not fired("held"), "before its time"
        restarted_ms = harness.rows("SELECT max(at_ms) FROM transitions")[0][0]

        await market.jump(session, "ETHUSDT", change=0.06, seconds=8)
        await market.jump(session, "XRPUSDT", change=0.06, seconds=3_000)
        await holds(lambda: len(ended("witness")) == 2)
        await holds(lambda: len(fired("held")) == 1)
        repeats = f"SELECT created_ms FROM outbox WHERE kind = 'repeat' AND key = '{{}}' AND created_ms > {restarted_ms} AND state <> 'muted'"
        [(other,)] = harness.rows("SELECT key FROM transitions WHERE rule_id = 'unseen' AND state = 'firing'")
        await holds(lambda: harness.rows(repeats.format(other)))
        await holds(lambda: any("XRPUSDT" in text and "price" in text and "#" in text for text in said()))
        await until(lambda: len(fired("held", calm)) == 1, within_s=60)
        bot.terminate()
        beside.terminate()
        assert await bot.exit_code() == 0, bot.output
        assert await beside.exit_code() == 0, beside.output

    assert len(fired("cooled")) == 1, "still in its cooldown"
    assert harness.rows(repeats.format(key)) == [], "somebody has seen it"
    [(begun,)] = harness.rows("SELECT min(at_ms) FROM transitions WHERE rule_id = 'held' AND state = 'pending'")
    took_ms = fired("held")[0][0] - begun
    print(f"confirmed after {took_ms / 1000:.0f} s for {FOR_S} s, down for {down_ms / 1000:.0f} s in two kills")
    assert FOR_S * 1_000 <= took_ms <= FOR_S * 1_000 + down_ms + 12_000, "the clock went on where it was"
    sql = "SELECT rule_id, symbol, state FROM transitions WHERE state <> 'pending' AND rule_id NOT LIKE 'a-%' ORDER BY rule_id, at_ms"
    assert harness.rows(sql) == calm.rows(sql)
