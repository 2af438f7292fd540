"""The machine's clock jumps, the bot is suspended, the venue falls silent: no alert comes of it, none is lost.

What must not change is told by a second bot on the same venue to which none of it happens.
"""

import asyncio
import json
import re
import signal
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.history.journal import Tick, read
from bot.model.alert import short_id
from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parent.parent.parent
OWNER = 4711
SHORT_ID = re.compile(r"#([0-9a-hjkmnp-tv-z]{8})\b")
HOUR_S = 3_600

# Far enough from what is planted in the market that the moment of a poll decides nothing.
RULES = """version: 1
defaults: {cooldown: 1h, notify: [main]}
rules:
  - {id: surge, when: 'pct(oi, 15m) >= 7%', clear: 'pct(oi, 15m) < 1%'}
  - {id: broad, per: market, when: 'count(pct(oi, 15m) >= 3%) >= 12', clear: 'count(pct(oi, 15m) >= 3%) < 3'}
  - {id: spike, when: 'abs(pct(price, 1m)) >= 20% or abs(pct(oi, 1m)) >= 30%'}
  - {id: blind, per: market, when: 'count(stale(price)) >= 5', for: 30s}
"""


def faketime_library() -> Path | None:
    found = sorted([*Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), *Path("/usr/lib/faketime").glob("*.so.1")])
    return found[0] if found else None


class WallClock:
    """The wall clock of one process, to be moved from outside; its monotonic clock stays true."""

    def __init__(self, folder: Path) -> None:
        library = faketime_library()
        if library is None:
            pytest.skip("libfaketime is not installed (Debian package faketime)")
        self._file = folder / "wall-clock"
        self.set(0)
        self.env = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            # Else waits on conditions return at once, and threads spin for the interpreter's lock.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def set(self, offset_s: int) -> None:
        """Let it be that much ahead of the truth."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n", encoding="ascii")
        new.replace(self._file)


class Bot:
    """One bot on the venue, with a data folder of its own."""

    def __init__(self, harness, name: str) -> None:
        self._harness = harness
        self.data = harness.folder / name
        self.process = None

    async def start(self, command: str, env: dict[str, str], *, rules: str = RULES) -> None:
        folder = self.data.with_name(f"{self.data.name}-rules")
        folder.mkdir()
        (folder / "rules.yaml").write_text(rules, encoding="utf-8")
        env = {**env, "OIBOT_DATA_DIR": str(self.data), "OIBOT_RULES_DIR": str(folder)}
        self.process = await self._harness.start(command, env=env)

    @property
    def output(self) -> str:
        return self.process.output

    def rows(self, sql: str) -> list[tuple]:
        path = self.data / "oibot.db"
        if not self.heartbeat()[1]:
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()

    def alerts(self) -> set[tuple[str, str, str]]:
        """What fired and what ended."""
        return set(self.rows("SELECT rule_id, symbol, state FROM transitions WHERE state <> 'pending'"))

    def has(self, rule: str, state: str = "firing") -> bool:
        return any(r == rule and s == state for r, _, s in self.alerts())

    def heartbeat(self) -> tuple[int, int]:
        """Wall time as the process saw it, and how often it had evaluated."""
        try:
            beat = json.loads((self.data / "heartbeat").read_bytes())
        except (OSError, ValueError):
            return 0, 0
        return beat["wall_ms"], beat["n_ticks"]

    async def stop(self) -> None:
        self.process.signal(signal.SIGTERM)
        assert await self.process.exit_code() == 0, self.output
        assert "Traceback" not in self.output, self.output


@pytest.fixture
async def venue(harness):
    return await harness.venue()


@pytest.fixture
async def chats(harness):
    async with ChatServer(clock=SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)) as server:
        yield server


async def both_started(until, *bots: Bot) -> None:
    for bot in bots:
        await until(lambda b=bot: "feed.live" in b.output, within_s=30, why=lambda b=bot: b.output)


@pytest.mark.promise("P18")
async def test_jumps_of_the_wall_clock_change_nothing(harness, venue, chats, until):
    wall = WallClock(harness.folder)
    bot, calm = Bot(harness, "jumping"), Bot(harness, "calm")
    env = harness.env(venue)
    telegram = {
        "OIBOT_TELEGRAM__TOKEN": chats.telegram_token,
        "OIBOT_TELEGRAM__API_URL": chats.telegram_url,
        "OIBOT_TELEGRAM__OWNER_ID": str(OWNER),
        "OIBOT_TELEGRAM__CHAT_ID": str(OWNER),
    }
    await bot.start("run", {**env, **telegram, **wall.env})
    await calm.start("record", env)
    await both_started(until, bot, calm)

    async def jump(offset_s: int) -> None:
        """Move the clock, see that the process noticed, and that evaluation goes on at its pace."""
        wall.set(offset_s)
        clock = SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)
        off_ms = offset_s * 1_000 * harness.speed
        await until(
            lambda: abs(bot.heartbeat()[0] - clock.wall_ms() - off_ms) < 60_000, within_s=5, why=lambda: bot.output
        )
        before = bot.heartbeat()[1]
        await until(lambda: bot.heartbeat()[1] >= before + 5, within_s=5, why=lambda: bot.output)

    await jump(+HOUR_S)
    await until(lambda: bot.has("surge") and calm.has("surge"), within_s=30, why=lambda: bot.output)
    await jump(-HOUR_S)
    await jump(+24 * HOUR_S)
    await until(lambda: bot.has("broad") and calm.has("broad"), within_s=30, why=lambda: bot.output)
    await jump(0)
    await asyncio.sleep(1)

    def told() -> set[str]:
        return {i for m in chats.messages(OWNER) for text in (m.text, *m.edits) for i in SHORT_ID.findall(text)}

    def fired() -> set[str]:
        return {short_id(key) for (key,) in bot.rows("SELECT key FROM transitions WHERE state = 'firing'")}

    await until(lambda: fired() <= told(), within_s=10, why=lambda: f"{fired()} {told()}\n{bot.output}")
    chats.telegram.say("/price BTC", chat_id=OWNER)
    await until(lambda: any("BTCUSDT" in m.text for m in chats.messages(OWNER)), within_s=10, why=lambda: bot.output)
    await bot.stop()
    await calm.stop()

    assert bot.alerts() == calm.alerts()
    assert told() == fired()
    assert not bot.rows("SELECT 1 FROM outbox WHERE state IN ('waiting', 'sending')")
    assert "venue_time.anchored" not in bot.output


@pytest.mark.promise("P18")
async def test_a_suspended_bot_keeps_its_windows_and_goes_on(harness, venue, until):
    """5 s before anything is planted, 30 s while the whole market builds up; seconds of the clock."""
    bot, calm = Bot(harness, "suspended"), Bot(harness, "calm")
    env = harness.env(venue)
    await bot.start("record", env)
    await calm.start("record", env)
    await both_started(until, bot, calm)

    # While two bots start on a busy machine, pushes may come seconds late by the clock, which runs fast here.
    n_started = len(bot.output)

    async def suspend(seconds: float) -> None:
        bot.process.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds / harness.speed)
        bot.process.signal(signal.SIGCONT)
        before = bot.heartbeat()[1]
        await until(lambda: bot.heartbeat()[1] >= before + 5, within_s=10, why=lambda: bot.output)

    await suspend(5)
    await until(lambda: bot.has("surge"), within_s=30, why=lambda: bot.output)
    await suspend(30)
    await until(lambda: bot.has("broad") and calm.has("broad"), within_s=30, why=lambda: bot.output)
    await asyncio.sleep(1)
    await bot.stop()
    await calm.stop()

    assert bot.alerts() == calm.alerts()
    assert not bot.has("blind")
    assert "venue_time.anchored" not in bot.output[n_started:]
    nows = []
    for path in sorted((bot.data / "journal").glob("*.oij")):
        nows += [entry.now_ms for entry in read(path)[1] if isinstance(entry, Tick)]
    gaps = sorted(b - a for a, b in pairwise(nows))
    assert gaps[0] >= 0, "now never goes back"
    assert gaps[-1] >= 25_000, "nothing is evaluated for the time of the suspension"
    assert gaps[-2] <= 20_000, "and nothing else is left out"


@pytest.mark.promise("P6")
async def test_a_silent_venue_makes_rules_unknown_and_ends_nothing(harness, venue, until):
    """The venue's process is suspended for 64 s: sockets stay open and nothing comes."""
    bot = Bot(harness, "bot")
    scope = "scope: {symbols: [BTCUSDT, ETHUSDT]}"
    await bot.start(
        "record",
        harness.env(venue),
        rules=f"{RULES}  - {{id: up, when: 'price > 0', {scope}}}\n  - {{id: held, when: 'price > 0', for: 80s, {scope}}}\n",
    )
    await until(lambda: bot.has("up"), within_s=30, why=lambda: bot.output)
    sim = harness.children[0]
    sim.signal(signal.SIGSTOP)
    await until(lambda: bot.has("blind"), within_s=10, why=lambda: bot.output)
    assert '"feed": "mark price"' in bot.output.split("feed.lost", 1)[-1]
    await asyncio.sleep(20 / harness.speed)
    assert not bot.has("held")
    sim.signal(signal.SIGCONT)
    await until(lambda: bot.has("blind", "resolved"), within_s=15, why=lambda: bot.output)
    await until(lambda: bot.has("held"), within_s=15, why=lambda: bot.output)
    await bot.stop()

    ended = {rule for rule, _, state in bot.alerts() if state != "firing"}
    assert ended == {"blind"}
    times = dict(bot.rows("SELECT state, min(at_ms) FROM transitions WHERE rule_id = 'held' GROUP BY state"))
    assert times["firing"] - times["pending"] >= 120_000, "what was not known did not count"


@pytest.mark.promise("P2")
async def test_a_recording_gives_the_same_alerts_at_any_speed_and_in_any_blocks(harness, venue, until):
    """The shipped rules: what the live run stored, and every way to replay it."""
    bot = Bot(harness, "bot")
    await bot.start("record", harness.env(venue), rules=(ROOT / "rules" / "default.yaml").read_text(encoding="utf-8"))
    n_stored = "SELECT count(*) FROM transitions"
    await until(lambda: bot.rows(n_stored) and bot.rows(n_stored)[0][0] >= 6, within_s=40, why=lambda: bot.output)
    await bot.stop()
    stored = bot.rows("SELECT rule_id, symbol, state, at_ms, value FROM transitions ORDER BY seq")
    journals = [str(path) for path in sorted((bot.data / "journal").glob("*.oij"))]

    async def replayed(*options: str) -> list[str]:
        child = await harness.start("replay", *options, *journals)
        assert await child.exit_code(30) == 0, child.output
        return [text for text in child.lines if text.startswith("{")]

    plain, *others = await asyncio.gather(
        replayed(), replayed("--block", "7"), replayed("--block", "64"), replayed("--speed", "200")
    )
    again = [json.loads(text) for text in plain]
    assert [(t["rule"], t["instrument"], t["state"], t["at_ms"], t["value"]) for t in again] == stored
    assert len(stored) >= 6
    assert any(state == "firing" for _, _, state, _, _ in stored)
    for other in others:
        assert other == plain
