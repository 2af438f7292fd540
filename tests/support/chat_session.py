"""A real bot, its chats, and a transcript: `python -m tests.support.chat_session FILE`.

People write, press buttons and block; coins jump, so that alerts fire, are updated and end. Every request of the bot to
either chat server goes to FILE as one JSON line with its answer, for judges that nobody here wrote.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import aiohttp

from bot.chat.telegram_client import TelegramClient
from bot.chat.telegram_extras import eyes
from bot.sim import chat_faults as faults
from bot.sim.chat_faults import Received
from bot.sim.chat_rooms import ChatMessage
from bot.sim.chatserver import ChatServer
from tests.support.harness import Harness, eventually
from tests.support.kills import OWNER, RULES, Market

GROUP, STRANGER = -77, 99
SPEED = 8.0
SLOW_RULE = """\
  - {id: slow, scope: {symbols: [BNBUSDT]}, when: 'pct(price, 5m) >= 4%', clear: 'pct(price, 5m) < 1%'}
"""
"""Fires long enough for its chart to be there before its end."""
COMMANDS = (
    *("/start", "/help", "/oi BTC", "/oi BTC ETH SOL", "/price BTC", "/status", "/alerts", "/nonsense", "hello"),
    *("/alert BTC price > 1", "/alert ETH oi > 5% 15m", "/alerts", "/oi 币安人生", "/oi <b>&"),
)


async def main(file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder))
        harness.speed = SPEED
        try:
            await _session(harness, file)
        finally:
            await harness.close()


async def _session(harness: Harness, file: Path) -> None:
    venue = await harness.venue(instruments=40, script=False)
    clock = harness.clock()
    harness.rules(RULES + SLOW_RULE)
    with file.open("w", encoding="utf-8") as out:

        def write(call: Received, status: int, body: bytes) -> None:
            line = {
                "service": call.service,
                "method": call.method,
                "params": call.params,
                "headers": dict(call.headers),
                "status": status,
                "answer": body.decode(errors="replace"),
            }
            out.write(json.dumps(line, ensure_ascii=False) + "\n")

        async with ChatServer(clock=clock, enforce_limits=True) as chats:
            chats.on_answer = write
            env = harness.env(
                venue,
                OIBOT_RULES_DIR=str(harness.folder / "rules"),
                OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
                OIBOT_TELEGRAM__API_URL=chats.telegram_url,
                OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
                OIBOT_TELEGRAM__CHAT_ID=str(OWNER),
                OIBOT_TELEGRAM__CHATS=f"[{GROUP}]",
                OIBOT_TELEGRAM__ALLOW_LOGS="true",
                OIBOT_DISCORD__WEBHOOK_URL=chats.discord_webhook_url,
            )
            bot = await harness.start("run", env=env)
            await eventually(lambda: "feed.live" in bot.output, within_s=40, why=lambda: bot.output)
            await _talk(harness, chats)
            await _board(chats)
            await _listening(chats)
            await _market(harness, chats, venue[0])
            await _charts(harness, chats, venue[0])
            bot.terminate()
            assert await bot.exit_code() == 0, bot.output
            await _eyes(harness, chats)


async def _talk(harness: Harness, chats: ChatServer) -> None:
    telegram = chats.telegram
    for text in COMMANDS:
        telegram.say(text, chat_id=OWNER)
        await asyncio.sleep(1.2 / harness.speed)
    topic = telegram.open_topic(GROUP)
    telegram.say("/oi BTC", chat_id=GROUP, user_id=OWNER, message_thread_id=topic, is_topic_message=True)
    telegram.say("/oi BTC", chat_id=STRANGER)
    await eventually(lambda: chats.messages(GROUP) and chats.messages(STRANGER), within_s=10)
    for message in [m for m in chats.messages() if m.markup]:
        for row in message.markup.get("inline_keyboard", []):
            for button in (one for one in row if "callback_data" in one):
                telegram.press(button["callback_data"], message, user_id=OWNER)
                await asyncio.sleep(1.2 / harness.speed)
    await _at_the_door(harness, chats)
    telegram.block(STRANGER)
    telegram.unblock(STRANGER)


async def _at_the_door(harness: Harness, chats: ChatServer) -> None:
    """A stranger is let in and thrown out, groups are joined and left, data is handed out."""
    telegram = chats.telegram
    # So much was typed and pressed that the next would be too much: a token for commands comes back every three seconds.
    await eventually(lambda: telegram.n_unread == 0, within_s=20)
    await asyncio.sleep(60 / harness.speed)

    async def press(chat_id: int, label: str, said: str) -> None:
        await eventually(lambda: any(label in str(m.markup) for m in chats.messages(chat_id)), within_s=20)
        message = next(m for m in reversed(chats.messages(chat_id)) if label in str(m.markup))
        rows = message.markup["inline_keyboard"]
        data = next(one["callback_data"] for row in rows for one in row if label in one["text"])
        telegram.press(data, message, user_id=chat_id)
        await eventually(lambda: any(said in m.text for m in chats.messages(OWNER)), within_s=20)

    async def say(text: str, seen: Callable[[], object]) -> None:
        await asyncio.sleep(4 / harness.speed)
        telegram.say(text, chat_id=OWNER)
        await eventually(seen, within_s=20)

    await press(STRANGER, "Ask for access", "asks for access")
    await press(OWNER, "Member", "is a member")
    await eventually(lambda: any("You are in" in m.text for m in chats.messages(STRANGER)), within_s=20)
    for text, answer in (("/users", "People"), ("/audit", "Who changed what"), ("/invite", "opens this link")):
        await say(text, lambda answer=answer: any(answer in m.text for m in chats.messages(OWNER)))
    await say("/mydata", lambda: any(m.document for m in chats.messages(OWNER)))
    await say(f"/user {STRANGER} remove", lambda: any("is removed" in m.text for m in chats.messages(OWNER)))
    telegram.add_to_group(GROUP - 1, by=STRANGER + 1)
    telegram.add_to_group(GROUP - 2, by=OWNER)
    await eventually(lambda: telegram.left and chats.messages(GROUP - 2), within_s=20)


async def _eyes(harness: Harness, chats: ChatServer) -> None:
    """What a slow command would get; how slow one is depends on the machine."""
    clock = harness.clock()
    client = TelegramClient(token=chats.telegram_token, api_url=chats.telegram_url, clock=clock)
    async with eyes(client, clock, OWNER, chats.messages(OWNER)[-1].message_id):
        await eventually(lambda: chats.telegram.rooms.of(OWNER).reactions, within_s=20)
    await client.close()


def _press(chats: ChatServer, message: ChatMessage, label: str) -> None:
    data = {one["text"]: one.get("callback_data") for row in message.markup["inline_keyboard"] for one in row}
    chats.telegram.press(data[label], message, user_id=OWNER)


async def _board(chats: ChatServer) -> None:
    """Pinned, edited, unpinned; and a file."""
    telegram = chats.telegram
    # A token for commands comes back every three seconds.
    await eventually(lambda: telegram.n_unread == 0, within_s=20)
    await asyncio.sleep(30 / SPEED)
    telegram.say("/board on", chat_id=OWNER)
    room = telegram.rooms.of(OWNER)
    await eventually(lambda: room.pinned, within_s=20)
    board = telegram.find(OWNER, room.pinned[-1])
    assert board is not None
    await eventually(lambda: board.edits, within_s=40)
    telegram.say("/board off", chat_id=OWNER)
    await eventually(lambda: not room.pinned, within_s=20)
    telegram.say("/logs", chat_id=OWNER)
    await eventually(lambda: any("entries of the log" in m.text for m in chats.messages(OWNER)), within_s=20)


async def _listening(chats: ChatServer) -> None:
    """Silenced and loud again: a button that was in time may have silenced the chat before, and alerts are to come."""
    for text, answer in (("/silence all 8h", "Quiet everywhere"), ("/unsilence all", "Ended")):
        await asyncio.sleep(4 / SPEED)
        n_before = len(chats.messages(OWNER))
        chats.telegram.say(text, chat_id=OWNER)
        await eventually(
            lambda n=n_before, word=answer: any(word in m.text for m in chats.messages(OWNER)[n:]), within_s=20
        )


async def _market(harness: Harness, chats: ChatServer, rest_url: str) -> None:
    """Alerts of every kind, through refusals of either server, so that the bot's other ways are seen too."""
    market = Market(rest_url, harness.clock(), every_s=0, together=0)
    ended = "SELECT count(*) FROM outbox WHERE kind = 'end' AND state = 'delivered'"
    async with aiohttp.ClientSession() as session:
        for n, symbol in enumerate(("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")):
            if n == 2:
                chats.telegram.fail(faults.bad_request("can't parse entities: Unexpected end tag at byte offset 3"))
                chats.discord.fail(faults.Fault(status=400, body={"code": 50035, "message": "Invalid Form Body"}))
            before = harness.rows(ended)[0][0]
            await market.jump(session, symbol, change=0.06)
            await asyncio.sleep(2.5 / harness.speed)
            await market.jump(session, symbol, change=0.05)
            await eventually(lambda b=before: harness.rows(ended)[0][0] >= b + 2, within_s=20)


async def _charts(harness: Harness, chats: ChatServer, rest_url: str) -> None:
    """On request, another in its place, and with an alert that ends."""
    telegram = chats.telegram

    def pictured(start: str) -> list:
        return [m for m in chats.messages(OWNER) if m.photo and m.text.startswith(start)]

    telegram.say("/chart BTC 24h all", chat_id=OWNER)
    await eventually(lambda: pictured("BTCUSDT · 24h"), within_s=30)
    shown = pictured("BTCUSDT · 24h")[-1]
    _press(chats, shown, "1h")
    await eventually(lambda: shown.text.startswith("BTCUSDT · 1h"), within_s=30)
    _press(chats, shown, "OI")
    async with aiohttp.ClientSession() as session:
        await Market(rest_url, harness.clock(), every_s=0, together=0).jump(
            session, "BNBUSDT", change=0.06, seconds=120
        )
    await eventually(lambda: any("slow" in m.text for m in pictured("🟠 BNBUSDT")), within_s=40)
    await eventually(lambda: any("· slow" in m.text for m in pictured("✅")), within_s=80)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
