"""Row 20: from a typed question to its answer in the chat, through the real process and over sockets.

`oibot run` watches the simulated exchange with 950 instruments and a restored day; a simulated Bot API in this process hands
out questions of groups and takes the answers, both over loopback. Questions come at any time within a second, so some meet a
tick. No chat and no person asks more than Telegram and the bot allow.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.sim.chatserver import ChatServer
from tests.bench import process_rows, restart
from tests.bench.harness import Context, Group, Result

OWNER_ID = 4_711
N_CHATS = 16
N_QUESTIONS, N_QUICK_QUESTIONS = 200, 20
EVERY_S = 0.4
GOAL_MS = 50.0
_RULES = "version: 1\nrules:\n- {id: never, when: 'pct(oi, 24h) > 90000% and pct(price, 24h) > 90000%'}\n"
START_LIMIT_S, ANSWER_LIMIT_S = 120.0, 20.0


async def _answers(context: Context, chats: ChatServer, symbols: Sequence[str], n: int) -> list[float]:
    """Milliseconds from each question to its answer."""
    rng, took = random.Random(7), []
    for k in range(n):
        chat_id = -(1 + k % N_CHATS)
        await asyncio.sleep(EVERY_S * (0.5 + rng.random()))
        before, start_s = len(chats.messages(chat_id)), time.perf_counter()
        chats.telegram.say(f"/oi@oi_sim_bot {rng.choice(symbols)}", chat_id=chat_id, user_id=1_000 - chat_id)
        await chats.until(
            lambda chat_id=chat_id, before=before: len(chats.messages(chat_id)) > before, within_s=ANSWER_LIMIT_S
        )
        took.append((time.perf_counter() - start_s) * 1e3)
        said = chats.messages(chat_id)[-1].text
        if "open interest" not in said:
            raise RuntimeError(f"expected a card of open interest, found {said[:200]!r}")
        context.step((k + 1) / n)
    return took


async def _asked(context: Context, folder: Path, urls: tuple[str, str], symbols: Sequence[str]) -> list[float]:
    n = N_QUICK_QUESTIONS if context.is_quick else N_QUESTIONS
    async with ChatServer(enforce_limits=True) as chats:
        bot = process_rows.Bot(
            folder,
            urls,
            "bot",
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER_ID),
            OIBOT_TELEGRAM__CHATS=str([-k for k in range(1, N_CHATS + 1)]),
        )
        try:
            await asyncio.to_thread(bot.wait_logged, '"chat.opened"', START_LIMIT_S)
            await _answers(context, chats, symbols, N_CHATS)  # until all that is made once is made
            return await _answers(context, chats, symbols, n)
        except TimeoutError:
            raise RuntimeError(f"a question was not answered: {bot.tail()}") from None
        finally:
            await asyncio.to_thread(bot.stop)


def run(context: Context) -> Sequence[Result]:
    n = process_rows.N_QUICK_INSTRUMENTS if context.is_quick else process_rows.N_INSTRUMENTS
    with tempfile.TemporaryDirectory() as name, process_rows.venue(n) as urls:
        folder = Path(name)
        # Windows of a day are kept, and no alert takes the room of an answer.
        (folder / "rules").mkdir()
        (folder / "rules" / "default.yaml").write_text(_RULES, encoding="utf-8")
        listed = restart.instruments_of(urls[0])
        restart.prepare(folder / "data", folder / "rules", listed, levels=restart.levels_of(urls[0], listed))
        context.say("questions while ticks run")
        took = asyncio.run(_asked(context, folder, urls, [one.symbol for one in listed]))
    p50, p99 = np.percentile(took, [50, 99])
    note = f"{len(took)} questions in {N_CHATS} groups of a simulated Bot API; longest {max(took):.0f} ms"
    name = f"/oi typed to answered, {n} instruments, while ticks run"
    return [
        Result("20", f"{name}: median", float(p50), GOAL_MS, "ms", note=note),
        Result("20", f"{name}: 99 of 100", float(p99), None, "ms"),
    ]


GROUPS = (Group(("20",), run),)
