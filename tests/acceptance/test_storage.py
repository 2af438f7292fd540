"""A disk that is full, locked, damaged or of a newer version: the bot keeps telling, says so, and starts nothing empty."""

import asyncio
import contextlib
import re
import resource
import signal
import sqlite3
from collections import Counter

import pytest

from bot.clock import SystemClock
from bot.model.alert import short_id
from bot.sim.chat_faults import server_error
from bot.sim.chatserver import ChatServer
from tests.support.disk import full, small_file_system

pytestmark = [pytest.mark.acceptance, pytest.mark.promise("P14")]

OWNER = 4711
SHORT_ID = re.compile(r"#([0-9a-hjkmnp-tv-z]{8})\b")
DOWN, UP = "Nothing can be stored", "Storing works again"
# Something happens all the time, on few contracts.
RULES = """version: 1
rules:
  - id: wave
    scope: {symbols: [BTCUSDT, ETHUSDT, SOLUSDT]}
    when: price > avg(price, 30s)
    clear: price < avg(price, 30s)
    cooldown: 5s
"""


@pytest.fixture
async def chats(harness):
    async with ChatServer(clock=SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)) as server:
        yield server


class World:
    """A bot with rules that fire often, and what its owner reads."""

    def __init__(self, harness, chats, until):
        self.harness, self.chats, self.until = harness, chats, until
        self.data = harness.folder / "data"
        self.database = self.data / "oibot.db"
        rules = harness.folder / "rules"
        rules.mkdir()
        (rules / "r.yaml").write_text(RULES, encoding="utf-8")

    async def open(self):
        venue = await self.harness.venue(instruments=20)
        self.env = self.harness.env(
            venue,
            OIBOT_RULES_DIR=str(self.harness.folder / "rules"),
            OIBOT_TELEGRAM__TOKEN=self.chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=self.chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
        )

    async def start(self):
        return await self.harness.start("run", env=self.env)

    async def stop(self, bot):
        bot.signal(signal.SIGTERM)
        assert await bot.exit_code() == 0, bot.output
        assert "Traceback" not in bot.output, bot.output

    @property
    def texts(self):
        return [m.text for m in self.chats.messages(OWNER)]

    def has(self, words):
        return any(words in text for text in self.texts)

    @property
    def told(self):
        """Ids of the alerts that were told, each as often as it began a message."""
        return Counter(i for text in self.texts if "wave" in text for i in SHORT_ID.findall(text))

    @property
    def n_told(self):
        return len(self.told)

    async def seen(self, words, bot, within_s=40):
        await self.until(lambda: self.has(words), within_s=within_s, why=lambda: "\n".join([*self.texts, bot.output]))

    async def tells_more(self, n, bot):
        before = self.n_told
        await self.until(lambda: self.n_told >= before + n, within_s=40, why=lambda: bot.output)

    def judge(self):
        """After the bot has stopped: what fired was told, once, and nothing else was."""
        fired = {short_id(k) for (k,) in self.harness.rows("SELECT key FROM transitions WHERE state = 'firing'")}
        left = {short_id(k) for (k,) in self.harness.rows("SELECT key FROM outbox WHERE state NOT IN ('delivered')")}
        assert fired
        assert fired - left <= set(self.told)
        assert set(self.told) <= fired
        assert [i for i, n in self.told.items() if n > 1] == []


@pytest.fixture
async def world(harness, chats, until):
    made = World(harness, chats, until)
    await made.open()
    return made


def full_disk(world, bot):
    return full(world.data)


@contextlib.contextmanager
def file_limit(world, bot):
    """No file of the process may grow beyond what its database has now."""
    before = resource.prlimit(bot.pid, resource.RLIMIT_FSIZE)
    size = max(f.stat().st_size for f in world.data.glob("oibot.db*"))
    resource.prlimit(bot.pid, resource.RLIMIT_FSIZE, (size, before[1]))
    yield
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(bot.pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("fault", [full_disk, file_limit])
async def test_while_nothing_can_be_written_alerts_are_told_from_memory_and_stored_later(world, fault):
    with small_file_system(world.data) if fault is full_disk else contextlib.nullcontext():
        bot = await world.start()
        await world.tells_more(2, bot)
        with fault(world, bot):
            await world.seen(DOWN, bot)
            await world.tells_more(6, bot)
            world.chats.telegram.say("/status", chat_id=OWNER)
            await world.seen("Nothing can be stored: the disk", bot)
            await asyncio.sleep(1)
        await world.seen(UP, bot)
        await world.tells_more(2, bot)
        await world.stop(bot)
        assert sum(text.count(f"{DOWN} ") for text in world.texts if "I go on watching" in text) == 1
        world.judge()
    assert bot.output.count("storage.trouble") == 1
    assert bot.output.count("storage.recovered") == 1
    assert bot.output.count("commit.failed") <= 2


async def test_a_stop_while_nothing_can_be_written_is_as_quick_as_any_and_the_next_start_goes_on(world):
    bot = await world.start()
    await world.tells_more(1, bot)
    with file_limit(world, bot):
        await world.seen(DOWN, bot)
        bot.signal(signal.SIGTERM)
        assert await bot.exit_code(10) == 0, bot.output
        assert "Traceback" not in bot.output, bot.output
        bot = await world.start()
    await world.tells_more(1, bot)
    await world.stop(bot)
    assert "database.damaged" not in bot.output
    assert "database.journal_gone" not in bot.output


async def test_a_database_locked_for_thirty_seconds_silences_nobody(world):
    bot = await world.start()
    await world.tells_more(2, bot)
    with contextlib.closing(sqlite3.connect(world.database, isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        await world.tells_more(2, bot)
        await world.seen("another program holds the database", bot)
        await asyncio.sleep(30 / world.harness.speed)
        other.execute("ROLLBACK")
    await world.seen(UP, bot)
    await world.tells_more(2, bot)
    await world.stop(bot)
    world.judge()


async def test_a_damaged_database_is_moved_aside_and_the_newest_backup_takes_its_place(world):
    bot = await world.start()
    await world.tells_more(2, bot)
    backup = await world.harness.start("backup", env=world.env)
    assert await backup.exit_code() == 0, backup.output
    before = set(world.told)
    known = {k for (k,) in world.harness.rows("SELECT key FROM transitions WHERE state = 'firing'")}
    bot.signal(signal.SIGKILL)
    await bot.exit_code()
    for file in world.data.glob("oibot.db-*"):
        file.unlink()
    content = bytearray(world.database.read_bytes())
    content[4_096:] = b"\xa5" * (len(content) - 4_096)
    world.database.write_bytes(content)

    bot = await world.start()
    await world.seen("The database was damaged", bot)
    await world.tells_more(1, bot)
    await world.stop(bot)

    assert any("oibot-000001-" in text and "took its place" in text for text in world.texts)
    [aside] = [p for p in world.data.glob("oibot.db.corrupt-*") if p.name[-1].isdigit()]
    assert aside.read_bytes() == bytes(content)
    after = {k for (k,) in world.harness.rows("SELECT key FROM transitions WHERE state = 'firing'")}
    assert known & after, "the history of before is there"
    assert before <= set(world.told)


async def test_a_vanished_database_without_a_backup_is_said_to_start_empty(world):
    bot = await world.start()
    await world.tells_more(1, bot)
    await world.stop(bot)
    world.database.write_bytes(b"")

    bot = await world.start()
    await world.seen("so it starts empty", bot)
    await world.tells_more(1, bot)
    await world.stop(bot)


async def test_a_newer_schema_is_refused_with_what_to_do_and_left_alone(world):
    bot = await world.start()
    await world.until(lambda: "bot.started" in bot.output, within_s=30, why=lambda: bot.output)
    await world.stop(bot)
    with contextlib.closing(sqlite3.connect(world.database)) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = world.database.read_bytes()

    bot = await world.start()

    assert await bot.exit_code() == 78, "a service manager is not to try again"
    assert "has schema 999" in bot.output
    assert "install the newer version" in bot.output
    assert "Traceback" not in bot.output
    assert world.database.read_bytes() == before


async def test_a_lock_at_the_start_is_waited_for_and_said(world):
    bot = await world.start()
    await world.until(lambda: "bot.started" in bot.output, within_s=30, why=lambda: bot.output)
    await world.stop(bot)
    with contextlib.closing(sqlite3.connect(world.database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        bot = await world.start()
        await world.seen("The database cannot be opened", bot)
        other.execute("ROLLBACK")
    await world.seen("The database is open again", bot)
    await world.tells_more(1, bot)
    await world.stop(bot)
    assert sum("cannot be opened" in text for text in world.texts) == 1


async def test_what_a_restored_backup_still_owes_is_told_again_under_the_same_id(world):
    world.chats.telegram.fail(server_error(), method="sendMessage", chat_id=OWNER, times=10_000)
    bot = await world.start()
    open_rows = "SELECT key FROM outbox WHERE kind = 'fire' AND state IN ('waiting', 'sending')"
    await world.until(lambda: "bot.started" in bot.output, within_s=30, why=lambda: bot.output)
    await world.until(lambda: world.harness.rows(open_rows), within_s=60, why=lambda: bot.output)
    copy = world.harness.folder / "copy.db"
    backup = await world.harness.start("backup", "--to", str(copy), env=world.env)
    assert await backup.exit_code() == 0, backup.output
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        owed = {short_id(k) for (k,) in connection.execute(open_rows)}
    assert owed
    world.chats.telegram.faults.clear()
    await world.until(lambda: owed <= set(world.told), within_s=60, why=lambda: bot.output)

    refused = await world.harness.start("restore", str(copy), env=world.env)
    assert await refused.exit_code() == 1
    assert "another oibot is running" in refused.output
    await world.stop(bot)
    restore = await world.harness.start("restore", str(copy), env=world.env)
    assert await restore.exit_code() == 0, restore.output

    bot = await world.start()
    await world.until(lambda: all(world.told[i] >= 2 for i in owed), within_s=60, why=lambda: bot.output)
    await world.stop(bot)
