"""Strangers, guests and groups before the running bot: who is answered, how often, and that nobody can flood it."""

import pytest

from bot.clock import SystemClock
from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.acceptance

OWNER, STRANGER, CROWD, GROUP = 4711, 99, 5_000, -6_001
N_CROWD, N_EACH = 40, 5


@pytest.mark.promise("P12")
async def test_strangers_get_one_polite_answer_and_nobody_floods_the_bot(harness, until):
    venue = await harness.venue(instruments=12, script=False)
    clock = SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)
    async with ChatServer(clock=clock) as chats:
        telegram = chats.telegram
        bot = await harness.start(
            "run",
            env=harness.env(
                venue,
                OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
                OIBOT_TELEGRAM__API_URL=chats.telegram_url,
                OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            ),
        )

        def why():
            return bot.output + "\n".join(f"{m.chat_id}: {m.text}" for m in chats.messages())

        async def sees(text: str, *, chat_id: int):
            await until(lambda: any(text in m.text for m in chats.messages(chat_id)), within_s=60, why=why)
            return [m for m in chats.messages(chat_id) if text in m.text][-1]

        def press(message, label: str, *, user_id: int):
            data = {b["text"]: b["callback_data"] for row in message.markup["inline_keyboard"] for b in row}
            telegram.press(data[label], message, user_id=user_id)

        await until(lambda: "feed.live" in bot.output, within_s=60, why=why)

        # A stranger asks, is let in, makes an alert and gets what is stored.
        telegram.say("/start", chat_id=STRANGER)
        press(await sees("This bot is private.", chat_id=STRANGER), "Ask for access", user_id=STRANGER)
        press(await sees("asks for access", chat_id=OWNER), "✅ Member", user_id=OWNER)
        await sees("You are in, as a member.", chat_id=STRANGER)
        telegram.say("/alert BTC price > 1 every 1m", chat_id=STRANGER)
        await sees("a-", chat_id=STRANGER)
        telegram.say("/mydata", chat_id=STRANGER)
        document = await sees("All that I store about you", chat_id=STRANGER)
        assert b'"chat_alerts"' in document.document

        # Groups: of a stranger, and of the owner.
        telegram.add_to_group(GROUP, by=CROWD)
        await until(lambda: telegram.left == [GROUP], within_s=60, why=why)
        telegram.add_to_group(GROUP - 1, by=OWNER)
        await sees("I answer here from now on.", chat_id=GROUP - 1)
        telegram.say("/price BTC", chat_id=GROUP - 1, user_id=CROWD)
        await sees("BTCUSDT", chat_id=GROUP - 1)

        # A crowd that writes all at once, in private and by buttons that are none.
        for n in range(N_CROWD * N_EACH):
            telegram.say("/oi BTC", chat_id=CROWD + n % N_CROWD)
        await until(lambda: telegram.n_unread == 0, within_s=120, why=why)
        telegram.say("/help", chat_id=OWNER)
        await sees("/oi BTC", chat_id=OWNER)
        answers = {n: [m.text for m in chats.messages(CROWD + n)] for n in range(N_CROWD)}
        assert max(map(len, answers.values())) == 1
        assert sum(map(len, answers.values())) <= 30
        assert {text for texts in answers.values() for text in texts} == {"This bot is private."}

        # The owner is too fast, and is told so, but not each time.
        for _ in range(60):
            telegram.say("/alerts", chat_id=OWNER)
        await sees("That was a lot at once", chat_id=OWNER)
        await until(lambda: telegram.n_unread == 0, within_s=120, why=why)
        # Some forty are refused. A busy machine takes so long over them that a command or two is allowed again meanwhile.
        assert len([m for m in chats.messages(OWNER) if "That was a lot" in m.text]) <= 4

        bot.terminate()
        assert await bot.exit_code() == 0, bot.output
        assert harness.rows("SELECT role FROM members") == [("member",)]
        assert harness.rows("SELECT user FROM chat_alerts") == [(f"telegram:{STRANGER}",)]
