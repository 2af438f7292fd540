"""A person, a group, a stranger and the real process, from the first start to the last goodbye, as a script.

With OIBOT_WRITE_DOCS=1 it also writes down what was said, into docs/conversation.md.
"""

import os
import re

import aiohttp
import pytest

from bot.sim.chatserver import ChatServer
from tests.support.harness import ROOT
from tests.support.kills import Market
from tests.support.transcript import Transcript

pytestmark = pytest.mark.acceptance

OWNER, GUEST, STRANGER, GROUP = 4711, 4712, 99, -5_001
NAMES = {OWNER: "You", GUEST: "A guest", STRANGER: "A stranger"}
RULES = """
version: 1
rules:
  - {id: jump, name: Jump, when: "pct(price, 10s) >= 3%", clear: "pct(price, 10s) <= -3%", cooldown: 0s}
"""
ABOUT = (
    "What people and the bot said to each other in a test: the real program on a simulated exchange and a simulated Telegram. "
    "`OIBOT_WRITE_DOCS=1 pytest tests/acceptance/test_conversation.py` writes this page anew. Buttons stand in brackets."
)


class Talk:
    """One bot, its chats, and what was said."""

    def __init__(self, harness, chats, until, env) -> None:
        self.harness, self.chats, self.until, self.env = harness, chats, until, env
        self.telegram = chats.telegram
        self.page = Transcript()
        self.bot = None

    def why(self) -> str:
        return self.bot.output + "\n".join(f"{m.chat_id}: {m.text}" for m in self.chats.messages())

    async def begin(self) -> None:
        self.bot = await self.harness.start("run", env=self.env)
        # Not before it polls: what waited for it is answered late, and only the newest of it.
        await self.until(lambda: "chat.opened" in self.bot.output, within_s=90, why=self.why)

    async def end(self) -> None:
        self.bot.terminate()
        assert await self.bot.exit_code() == 0, self.bot.output
        assert "Traceback" not in self.bot.output, self.bot.output

    async def happens(self, condition) -> None:
        await self.until(condition, within_s=90, why=self.why)

    def said(self, text: str, chat_id: int) -> list:
        return [m for m in self.chats.messages(chat_id) if text in m.text]

    async def ask(self, typed: str, answer: str, *, who: int = OWNER, chat: int | None = None):
        """Type something; the new message that holds `answer`."""
        chat = who if chat is None else chat
        before = len(self.said(answer, chat))
        self.page.typed(NAMES[who], typed)
        self.telegram.say(typed, chat_id=chat, user_id=who)
        return await self.told(answer, chat=chat, n=before + 1)

    async def told(self, text: str, *, chat: int = OWNER, n: int = 1):
        await self.happens(lambda: len(self.said(text, chat)) >= n)
        found = self.said(text, chat)[-1]
        self.page.answered(found.text, found.markup)
        return found

    def press(self, message, label: str, *, who: int = OWNER) -> None:
        """The button that is called so, whatever number stands behind its name."""
        data = {one["text"]: one.get("callback_data") for row in message.markup["inline_keyboard"] for one in row}
        name = next(text for text in data if text == label or text.startswith(f"{label} · "))
        self.page.pressed(NAMES[who], name)
        self.telegram.press(data[name], message, user_id=who)

    async def becomes(self, message, label: str, text: str, *, who: int = OWNER):
        """Press a button: the message is edited, and nothing new is said."""
        n_edits, n_messages = len(message.edits), len(self.chats.messages(message.chat_id))
        self.press(message, label, who=who)
        await self.happens(lambda: len(message.edits) > n_edits and text in message.text)
        assert len(self.chats.messages(message.chat_id)) == n_messages, self.why()
        self.page.answered(message.text, message.markup, was_edited=True)


@pytest.mark.promise("P5")
@pytest.mark.promise("P12")
async def test_a_conversation_from_the_first_start_on(harness, until):
    venue = await harness.venue(instruments=24, script=False)
    harness.rules(RULES)
    async with ChatServer(clock=harness.clock(), enforce_limits=True) as chats:
        env = harness.env(
            venue,
            OIBOT_RULES_DIR=str(harness.folder / "rules"),
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__CHATS=f"[{GROUP}]",
            OIBOT_TELEGRAM__ALLOW_LOGS="true",
        )
        talk = Talk(harness, chats, until, env)
        await talk.begin()
        await _first_start(talk)
        await _looking(talk)
        await _alerts(talk, Market(venue[0], harness.clock(), every_s=0, together=0))
        board = await _group(talk)
        await _others(talk)
        await _restart(talk, board)
        await talk.end()
        assert chats.telegram.n_flooded == 0, "it kept to the limits throughout"
        assert not [m for m in chats.messages() if "went wrong" in m.text]
        if os.environ.get("OIBOT_WRITE_DOCS") == "1":
            talk.page.write(ROOT / "docs" / "conversation.md", "A conversation", ABOUT)


async def _first_start(talk: Talk) -> None:
    talk.page.chapter("The first start")
    claim = await talk.harness.start("claim", "--no-wait", env=talk.env)
    assert await claim.exit_code(60) == 0, claim.output
    code = re.search(r"start=(claim_[\w-]+)", claim.output)[1]
    talk.page.note("On the machine, `oibot claim` prints a link. You open it; Telegram sends `/start` with the code.")
    talk.telegram.say(f"/start {code}", chat_id=OWNER)
    await talk.told("You are my owner now")
    await talk.happens(lambda: talk.bot.output.count("chat.opened") >= 2)
    await talk.happens(lambda: talk.bot.output.count("feed.live") >= 2)
    await talk.ask("/start", "/oi BTC")


async def _looking(talk: Talk) -> None:
    talk.page.chapter("Looking")
    card = await talk.ask("/oi BTC", "BTCUSDT open interest")
    # Something has to have moved, else there is nothing to edit.
    await talk.harness.clock().sleep(90)
    await talk.becomes(card, "↻ Refresh", "BTCUSDT open interest")
    await talk.ask("price eth", "ETHUSDT")
    await talk.ask("/oi BTCUDST", "I don't know the symbol")
    talk.page.note("A link such as `https://t.me/your_bot?start=oi_ETHUSDT` asks for a card:")
    await talk.ask("/start oi_ETHUSDT", "ETHUSDT open interest")


async def _alerts(talk: Talk, market: Market) -> None:
    talk.page.chapter("Alerts")
    await talk.ask("/alert BTC price > 1", "Already true")
    made = await talk.ask("/alert SOL oi > 50% 15m", "SOLUSDT")
    await talk.becomes(made, "30%", "pct(oi, 15m) > 30%")
    await talk.becomes(made, "Undo", "pct(oi, 15m) > 50%")
    await talk.becomes(made, "Alerts", "Alerts of this chat (2)")
    async with aiohttp.ClientSession() as session:
        # Prices of before must be in the window; until then nothing fires.
        for _ in range(20):
            await market.jump(session, "ETHUSDT", change=0.09, seconds=80)
            try:
                await talk.until(lambda: talk.said("ETHUSDT · Jump", OWNER), within_s=8)
            except AssertionError:
                continue
            break
    talk.page.note("ETH jumps.")
    alert = await talk.told("ETHUSDT · Jump")
    talk.press(alert, "💤 ETH 1h")
    quiet = await talk.told("Quiet at telegram until")
    assert quiet is not alert
    await talk.becomes(quiet, "End now", "Ended")
    await talk.ask("/delete all yes", "Deleted")


async def _group(talk: Talk):
    talk.page.chapter("In a group")
    await talk.ask("/price@oi_sim_bot BTC", "BTCUSDT", who=GUEST, chat=GROUP)
    talk.telegram.say("/weather", chat_id=GROUP, user_id=GUEST)
    talk.telegram.say("just talking", chat_id=GROUP, user_id=GUEST)
    await talk.ask("/board on", "may do that", who=GUEST, chat=GROUP)
    await talk.ask("/board on", "The board appears in a moment", chat=GROUP)
    board = await talk.told("Top OI moves", chat=GROUP)
    room = talk.telegram.rooms.of(GROUP)
    await talk.happens(lambda: room.pinned == [board.message_id])
    pin = next(r for r in talk.chats.received if r.method == "pinChatMessage")
    assert str(pin.params["disable_notification"]).lower() == "true"
    assert not [m for m in talk.chats.messages(GROUP) if "weather" in m.text]
    return board


async def _others(talk: Talk) -> None:
    talk.page.chapter("A stranger, and somebody in a hurry")
    await talk.ask("/oi BTC", "This bot is private", who=STRANGER)
    talk.telegram.say("/start", chat_id=STRANGER)
    card = await talk.ask("/status", "Prices")
    talk.page.note("You press the same button fifty times:")
    data = card.markup["inline_keyboard"][0][0]["callback_data"]
    for _ in range(50):
        talk.telegram.press(data, card)
    await talk.happens(lambda: [q for q in talk.telegram.answered if "a lot at once" in str(q.get("text"))])
    told = [str(q["text"]) for q in talk.telegram.answered if "a lot at once" in str(q.get("text"))]
    talk.page.note(f"The button says, once: {told[0]}")
    assert len(talk.chats.messages(STRANGER)) == 1
    await talk.happens(lambda: talk.telegram.n_unread == 0)
    # A token comes back every three seconds, and what waits for its turn gets it or is dropped.
    await talk.harness.clock().sleep(40)


async def _restart(talk: Talk, board) -> None:
    talk.page.chapter("A restart in between")
    card = talk.said("ETHUSDT open interest", OWNER)[-1]
    await talk.end()
    n_edits, n_boards = len(board.edits), len(talk.said("Top OI moves", GROUP))
    await talk.begin()
    await talk.happens(lambda: "feed.live" in talk.bot.output)
    talk.page.note("The bot was stopped and started. A button of before still works:")
    await talk.becomes(card, "↻ Refresh", "ETHUSDT open interest")
    await talk.happens(lambda: len(board.edits) > n_edits)
    assert len(talk.said("Top OI moves", GROUP)) == n_boards, "the board goes on in its message"
    await talk.ask("/board off", "board is off", chat=GROUP)
    await talk.happens(lambda: not talk.telegram.rooms.of(GROUP).pinned)
    await talk.ask("/backup", "That is switched off")
    log = await talk.ask("/logs", "entries of the log")
    assert b"bot.started" in log.document
    assert talk.chats.telegram_token.encode() not in log.document
