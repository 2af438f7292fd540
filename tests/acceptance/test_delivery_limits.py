"""A thousand alerts at once, and a chat that hangs: no limit is broken, and nobody waits for another.

People in fifty chats, ten of them groups, watch the same coin with twenty alerts each. The chat server enforces the
published limits and punishes who breaks them.
"""

import asyncio
import contextlib
from dataclasses import dataclass

import aiohttp
import pytest

from bot.model.chat_alert import ChatAlert, alert_id
from bot.sim import chat_faults as faults
from bot.sim.chat_log import What
from bot.sim.chatserver import ChatServer
from bot.storage.chat_alerts import SqliteChatAlertStore
from bot.storage.database import open_database
from tests.support.arrivals import SHORT_ID, committed, judge
from tests.support.kills import Market

pytestmark = [pytest.mark.acceptance, pytest.mark.alone]

PRIVATE, GROUPS = range(1, 41), range(-10, 0)
QUIET_RULES = "version: 1\nrules:\n  - {id: never, when: 'price < 0', scope: {symbols: [BTCUSDT]}}\n"
COIN = "ETHUSDT"


@dataclass
class Storm:
    """A bot with alerts in many chats, and what came of them."""

    chats: ChatServer
    names: dict[tuple[str, str], str]
    jumped_ms: float = 0.0

    def delays_s(self, *, without: str = "") -> list[float]:
        """From the jump to each alert's arrival, ascending; not of the chat `without`."""
        found = []
        for seen in self.chats.happenings:
            if seen.what is What.NEW and seen.chat != without:
                found += [(seen.at_ms - self.jumped_ms) / 1_000] * len(set(SHORT_ID.findall(seen.text)))
        return sorted(found)


def p99(values):
    return values[min(len(values) - 1, int(len(values) * 0.99))]


async def prepared(harness, chats, *, each, critical=0):
    """A database in which `each` alerts wait in every chat; the first `critical` of them are critical."""
    harness.database.parent.mkdir()
    now_ms = harness.clock().wall_ms()
    opened = await open_database(harness.database, now_ms=now_ms)
    store = SqliteChatAlertStore(opened.database)
    for chat in chats:
        for n in range(each):
            alert = ChatAlert(
                id=alert_id(f"telegram:{chat}", f"{n}", now_ms),
                chat=f"telegram:{chat}",
                user=f"telegram:{abs(chat)}",
                instrument=f"binance:{COIN}",
                measure="pct(price, 10s)",
                op=">",
                level=0.03 + n / 1e6,
                is_ratio=True,
                created_ms=now_ms,
                once=True,
                severity="critical" if n < critical else "warning",
            )
            assert await store.add(alert)
    await opened.database.close()


@contextlib.asynccontextmanager
async def storm(harness, until, chat_ids, *, each, critical=0, hangs=None):
    """Let it break out, and wait until every alert has arrived everywhere but in the chat that `hangs`."""
    # Slow enough that the machine's own delays are small beside a second of the clock.
    harness.speed = 2.0
    venue = await harness.venue(instruments=20, script=False)
    harness.rules(QUIET_RULES)
    await prepared(harness, chat_ids, each=each, critical=critical)
    first, *others = chat_ids
    clock = harness.clock()
    async with ChatServer(clock=clock, enforce_limits=True) as chats, aiohttp.ClientSession() as session:
        env = harness.env(
            venue,
            OIBOT_RULES_DIR=str(harness.folder / "rules"),
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__CHAT_ID=str(first),
            OIBOT_TELEGRAM__OWNER_ID=str(first),
            OIBOT_TELEGRAM__CHATS=str(list(others)),
        )
        bot = await harness.start("run", env=env)
        await until(lambda: "feed.live" in bot.output, within_s=40, why=lambda: bot.output)
        names = {("telegram", str(c)): f"telegram:{c}" if c != first else "telegram" for c in chat_ids}
        if hangs is not None:
            chats.telegram.fail(faults.Fault(hang_s=30), chat_id=hangs, times=10_000)
        await asyncio.sleep(13 / harness.speed)
        found = Storm(chats, names, clock.monotonic_ms())
        await Market(venue[0], clock, every_s=0, together=0).jump(session, COIN, change=0.08, seconds=600)
        n_wanted = each * (len(chat_ids) - (hangs is not None))
        without = "" if hangs is None else str(hangs)
        await until(lambda: len(found.delays_s(without=without)) >= n_wanted, within_s=50, why=lambda: bot.output)
        yield found
        bot.terminate()
        assert await bot.exit_code() == 0, bot.output
        assert "Traceback" not in bot.output, bot.output


@pytest.mark.promise("P8")
async def test_a_thousand_alerts_at_once_to_fifty_chats_break_no_limit(harness, until):
    chat_ids = [*PRIVATE, *GROUPS]
    async with storm(harness, until, chat_ids, each=20, critical=2) as found:
        verdict = judge(committed(harness.database), found.chats.happenings, found.names)
        print(verdict, f"n_flooded {found.chats.telegram.n_flooded}, last after {found.delays_s()[-1]:.1f} s")
        assert found.chats.telegram.n_flooded == 0
        assert verdict.n_wanted == 1_000
        assert not verdict.unexpected
        assert not verdict.lost
        assert verdict.n_duplicates == 0
        for chat in chat_ids:
            told = [h.text for h in found.chats.happenings if h.what is What.NEW and h.chat == str(chat)]
            assert all(text.startswith("🔴") for text in told[:2]), f"critical first in {chat}: {told[:3]}"


@pytest.mark.promise("P9")
async def test_a_chat_that_hangs_delays_no_other(harness, until, tmp_path):
    """The same storm in twenty chats, with and without one more in which every call hangs for half a minute."""
    figures = {}
    for hangs in (None, 21):
        harness.folder = tmp_path / str(hangs)
        harness.folder.mkdir()
        chat_ids = [*range(1, 21), *([hangs] if hangs else [])]
        async with storm(harness, until, chat_ids, each=10, hangs=hangs) as found:
            figures[hangs] = p99(found.delays_s(without=str(hangs)))
            assert found.chats.telegram.n_flooded == 0
    print(f"p99 {figures[None]:.2f} s, with a hanging chat {figures[21]:.2f} s")
    assert figures[21] <= 1.2 * figures[None]
