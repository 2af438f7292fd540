"""People keep alerts quiet, by buttons and by commands, through the running bot; a group moves under it."""

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.sim.chatserver import ChatServer
from tests.support.kills import Market

pytestmark = pytest.mark.acceptance

OWNER, GUEST, GROUP = 4711, 4712, -5_001
RULES = """
version: 1
rules:
  - {id: jump, name: Jump, when: "pct(price, 10s) >= 3%", clear: "pct(price, 10s) <= -3%", cooldown: 0s}
"""


class People:
    """What they see in one chat, and what they do there."""

    def __init__(self, chats: ChatServer) -> None:
        self._chats = chats

    def messages(self, text: str, *, chat_id: int = OWNER):
        return [m for m in self._chats.messages(chat_id) if text in m.text]

    def press(self, message, label: str, *, user_id: int = OWNER) -> None:
        data = {one["text"]: one.get("callback_data") for row in message.markup["inline_keyboard"] for one in row}
        self._chats.telegram.press(data[label], message, user_id=user_id)


@pytest.mark.promise("P5")
@pytest.mark.promise("P12")
async def test_buttons_and_commands_keep_alerts_quiet_and_a_group_is_followed(harness, until):
    rest, stream = await harness.venue(instruments=12, script=False)
    harness.rules(RULES)
    clock = SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)
    market = Market(rest, harness.clock(), every_s=0, together=0)
    async with ChatServer(clock=clock) as chats, aiohttp.ClientSession() as session:
        people, telegram = People(chats), chats.telegram
        bot = await harness.start(
            "run",
            env=harness.env(
                (rest, stream),
                OIBOT_RULES_DIR=str(harness.folder / "rules"),
                OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
                OIBOT_TELEGRAM__API_URL=chats.telegram_url,
                OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
                OIBOT_TELEGRAM__CHATS=f"[{GROUP}]",
            ),
        )

        def why():
            return bot.output + "\n".join(f"{m.chat_id}: {m.text}" for m in chats.messages())

        async def sees(text: str, *, chat_id: int = OWNER, n: int = 1):
            await until(lambda: len(people.messages(text, chat_id=chat_id)) >= n, within_s=60, why=why)
            return people.messages(text, chat_id=chat_id)[-1]

        async def jump(symbol: str, *, n: int = 1):
            fired = f"SELECT count(DISTINCT key) FROM outbox WHERE kind = 'fire' AND view LIKE '%\"{symbol}\"%'"
            before = harness.rows(fired)[0][0]
            # Prices of before must be in the window; until then nothing fires.
            for _ in range(20):
                await market.jump(session, symbol, change=0.09, seconds=80)
                try:
                    await until(lambda: harness.rows(fired)[0][0] >= before + n, within_s=8, why=why)
                except AssertionError:
                    continue
                return
            raise AssertionError(why())

        await until(lambda: "feed.live" in bot.output, within_s=60, why=why)

        # Seen, by a button below the alert; the alert itself says so.
        await jump("BTCUSDT")
        alert = await sees("BTCUSDT · Jump")
        people.press(alert, "👍 Seen")
        await sees("No repeats and escalations until it ends")
        await until(lambda: "Seen by" in alert.text, within_s=30, why=why)
        assert "👍 Seen" not in str(alert.markup), "what was seen is not asked again"
        assert [q["callback_query_id"] for q in telegram.answered], "the press itself was answered"

        # Why, below the alert, which stays as it is.
        await jump("ETHUSDT")
        alert = await sees("ETHUSDT · Jump")
        people.press(alert, "❓ Why")
        answer = await sees("jump · ETHUSDT")
        assert answer is not alert
        assert answer.text.count("firing") >= 1

        # Muted, by a button: what fires then is kept, and explained. Before it fires again it has to end.
        people.press(alert, "💤 ETH 1h")
        await sees("Quiet at telegram until")
        muted = "SELECT count(*) FROM outbox WHERE kind = 'fire' AND state = 'muted'"
        await until(lambda: "ended after" in alert.text, within_s=60, why=why)
        labels = [one["text"] for row in alert.markup["inline_keyboard"] for one in row]
        assert labels == ["❓ Why", "Chart ↗"], "what is over is not muted"
        await jump("ETHUSDT")
        await until(lambda: harness.rows(muted)[0][0] == 1, within_s=60, why=why)
        telegram.say("/why ETH jump", chat_id=OWNER)
        explained = await sees("🔕 silence s-")
        assert f"by telegram:{OWNER} until" in explained.text
        people.press(await sees("Quiet at telegram until"), "End now")
        await until(lambda: harness.rows(muted)[0][0] == 0, within_s=60, why=why)

        # Typed: a silence, quiet hours, an acknowledgement of what is unknown.
        telegram.say("/silence SOL 2h", chat_id=OWNER)
        await sees("Quiet everywhere until")
        telegram.say("/quiet 00:00-23:59", chat_id=OWNER)
        await sees("Quiet hours 00:00–23:59 UTC")
        await jump("XRPUSDT")
        await until(lambda: harness.rows(muted)[0][0] >= 1, within_s=60, why=why)
        telegram.say("/quiet off", chat_id=OWNER)
        await sees("No more quiet hours at telegram")
        await until(lambda: harness.rows(muted)[0][0] == 0, within_s=60, why=why)
        telegram.say("/ack #zzzzzzzz", chat_id=OWNER)
        await sees("I know no firing whose id begins with")

        # A button of the owner's chat is worth nothing to others, nor one that nobody made.
        telegram.press("/silence all here 24h", alert, user_id=OWNER)
        telegram.press("x" * 22 + ".0", alert, user_id=OWNER)
        await until(
            lambda: sum("out of date" in str(q.get("text")) for q in telegram.answered) == 2, within_s=30, why=why
        )

        # The group becomes a supergroup: its alert, and the right to command, go along.
        telegram.say("/alert DOGE price > 0", chat_id=GROUP, user_id=GUEST)
        await sees("DOGEUSDT", chat_id=GROUP)
        supergroup = telegram.upgrade(GROUP)
        moved = f"SELECT count(*) FROM chat_alerts WHERE chat = 'telegram:{supergroup}'"
        await until(lambda: harness.rows(moved)[0][0] == 1, within_s=30, why=why)
        telegram.say("/alerts", chat_id=supergroup, user_id=GUEST)
        await sees("DOGEUSDT", chat_id=supergroup)
        await sees("A group became a supergroup")

        bot.terminate()
        assert await bot.exit_code() == 0, bot.output
        assert "Traceback" not in bot.output
