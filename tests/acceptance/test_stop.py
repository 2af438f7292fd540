"""SIGTERM in any state of the real process: it ends within ten seconds with exit code 0, whatever hangs. Real seconds.

Every state is a bot of its own with its own folder and chats; several run at once, so that their waiting does not add up.
"""

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import socket
import sqlite3
import sys
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer
from tests.support.disk import full, small_file_system
from tests.support.harness import ROOT, Harness, eventually
from tests.support.proxy import Proxy, stopped

pytestmark = [pytest.mark.acceptance, pytest.mark.promise("P13")]

OWNER = 4711
LIMIT_S = 10.0
AT_ONCE = 6
"""More would keep each other from the processor, and their seconds are counted."""
PATIENCE_S = 90
"""For a state to be reached; so many processes start at once."""
_LOOK_S = 0.05
NOWHERE = ("http://127.0.0.1:9", "ws://127.0.0.1:9")
# Something fires every few seconds, for minutes.
RULES = "version: 1\ndefaults: {cooldown: 0s}\nrules:\n" + "".join(
    f"  - {{id: r{n}, when: 'price > 0', for: {n}s, scope: {{symbols: [BTCUSDT, ETHUSDT]}}}}\n"
    for n in range(1, 240, 3)
)
STORM = "version: 1\nrules:\n" + "".join(f"  - {{id: r{n}, when: 'price > 0'}}\n" for n in range(6))


@dataclass
class Outcome:
    """What came of a stop."""

    code: int | None
    took_s: float
    output: str
    late_s: float = 0.0
    """Seconds for which the machine was too busy to let the bot run, or this very test."""
    reached_s: float = 0.0
    all_s: float = 0.0

    def __str__(self):
        return f"exit {self.code} after {self.took_s:.2f} s, {self.late_s:.2f} of them queued (reached after {self.reached_s:.0f} s, all {self.all_s:.0f} s)"


@dataclass
class Scene:
    """What a state is made of."""

    harness: Harness
    venue: tuple[str, str]
    sim: object
    """The process of that venue."""
    chats: ChatServer
    stack: contextlib.AsyncExitStack
    bot: object = None
    env: dict[str, str] = field(default_factory=dict)
    after: object = None
    """Looks at what a restart does."""

    async def start(self, *, venue=None, rules=RULES, telegram=True, env=None, stdout=None):
        harness, chats = self.harness, self.chats
        harness.rules(rules)
        self.env = harness.env(venue or self.venue, OIBOT_RULES_DIR=str(harness.folder / "rules"), **(env or {}))
        if telegram:
            self.env |= {
                "OIBOT_TELEGRAM__TOKEN": chats.telegram_token,
                "OIBOT_TELEGRAM__API_URL": chats.telegram_url,
                "OIBOT_TELEGRAM__OWNER_ID": str(OWNER),
            }
        self.bot = await harness.start("run", env=self.env, stdout=stdout)

    async def says(self, words, *, times=1):
        """Wait for its output."""
        bot = self.bot
        await eventually(lambda: bot.output.count(words) >= times, within_s=PATIENCE_S, why=lambda: bot.output)

    async def until(self, is_true):
        await eventually(is_true, within_s=PATIENCE_S, why=lambda: self.bot.output)

    async def live(self, **how):
        await self.start(**how)
        await self.says("feed.live")

    def asked(self, method):
        return self.chats.requests(method)


# -- states ------------------------------------------------------------------------------------------------------------

LATE_IMPORT = """
import sys

class Slow:
    def find_spec(self, name, path, target=None):
        if name == "bot.app":
            print("loading", flush=True)
            import time
            time.sleep(60)

if sys.argv[1:] == ["run"] or "run" in sys.orig_argv:
    sys.meta_path.insert(0, Slow())
"""
HUNG_NAMES = """
import socket, sys, time

def hangs(*_, **__):
    print("looking up", flush=True)
    time.sleep(60)

if "run" in sys.orig_argv:
    socket.getaddrinfo = hangs
"""


async def with_site(scene, text, **how):
    """The process runs this at its start, before any of our code."""
    folder = scene.harness.folder / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
    await scene.start(env={"PYTHONPATH": f"{folder}:{ROOT}"}, **how)


async def loading(scene):
    await with_site(scene, LATE_IMPORT)
    await scene.says("loading")


async def waiting_for_the_database(scene):
    scene.harness.database.parent.mkdir()
    other = sqlite3.connect(scene.harness.database, isolation_level=None)
    scene.stack.callback(other.close)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    await scene.start()
    await scene.says("database.waiting")


async def refused_by_the_venue(scene):
    await scene.start(venue=NOWHERE)
    await scene.says("stream.failed", times=2)


async def venue_in_a_black_hole(scene):
    proxy = await scene.stack.enter_async_context(Proxy("127.0.0.1", 9))
    proxy.set(black_hole=True)
    await scene.start(venue=(proxy.url, proxy.url.replace("http", "ws")))
    await scene.says("stream.connecting")
    await scene.until(lambda: proxy.n_connections >= 2)


async def looking_up_a_name_that_never_comes(scene):
    await with_site(scene, HUNG_NAMES, venue=("http://venue.test", "ws://venue.test"))
    await scene.says("looking up")


async def filling_the_windows(scene):
    await scene.live()


async def healthy(scene):
    await scene.live()
    await scene.until(lambda: scene.chats.messages(OWNER))
    await asyncio.sleep(5)


async def asking_telegram_for_news(scene):
    """The long poll is open and nobody writes."""
    await scene.live(rules=RULES.replace("price > 0", "price < 0"))
    await scene.until(lambda: len(scene.asked("getUpdates")) >= 1)


async def silent_venue(scene):
    await scene.live()
    scene.stack.enter_context(stopped(scene.sim.pid))
    await scene.says("feed.lost")


async def banned(scene):
    rest, stream = scene.venue
    proxy = await scene.stack.enter_async_context(Proxy("127.0.0.1", int(rest.rsplit(":", 1)[1])))
    await scene.live(venue=(proxy.url, stream))
    ban = {"kind": "418", "seconds": 3_600}
    async with aiohttp.ClientSession() as session, session.post(f"{rest}/sim/fault", json=ban) as answer:
        assert answer.status == 200
    await scene.says("rest.paused")

    async def again():
        """A restart asks for nothing while the ban lasts, and prices flow."""
        before = proxy.n_connections
        await scene.live(venue=(proxy.url, stream))
        await scene.says("rest.still_paused")
        await asyncio.sleep(3)
        assert proxy.n_connections == before, scene.bot.output

    scene.after = again


async def chat_that_never_answers(scene):
    scene.chats.telegram.fail(faults.Fault(hang_s=600), method="sendMessage", times=10_000)
    await scene.live()
    await scene.until(lambda: scene.asked("sendMessage"))


async def told_to_wait_an_hour(scene):
    scene.chats.telegram.fail(faults.too_many_requests(3_600), method="sendMessage", times=10_000)
    await scene.live()
    await scene.until(lambda: scene.asked("sendMessage"))

    async def again():
        """The hour is not over for the next process: it does not ask again at once more than once."""
        n = len(scene.asked("sendMessage"))
        await scene.live()
        await asyncio.sleep(3)
        assert len(scene.asked("sendMessage")) <= n + 1, scene.bot.output

    scene.after = again


async def hung_command(scene):
    scene.chats.telegram.fail(faults.Fault(hang_s=600), method="sendMessage", times=10_000)
    await scene.live(rules=RULES.replace("price > 0", "price < 0"))
    for _ in range(20):
        scene.chats.telegram.say("/status", chat_id=OWNER)
    await scene.until(lambda: scene.asked("sendMessage"))


async def long_queue(scene):
    much = {"OIBOT_DELIVERY__AT_ONCE": "100", "OIBOT_DELIVERY__PER_MINUTE": "1000", "OIBOT_DELIVERY__STORM_SHARE": "1"}
    await scene.live(rules=STORM, env=much)
    waiting = "SELECT count(*) FROM outbox WHERE state = 'waiting'"
    await scene.until(lambda: scene.harness.rows(waiting)[0][0] >= 20)


async def locked_database(scene):
    await scene.live()
    other = sqlite3.connect(scene.harness.database, isolation_level=None, timeout=10)
    scene.stack.callback(other.close)
    other.execute("BEGIN IMMEDIATE")
    await scene.says("commit.delayed")


async def full_disk(scene):
    data = scene.harness.folder / "data"
    scene.stack.enter_context(small_file_system(data))
    await scene.live()
    filled = full(data)
    filled.__enter__()
    await scene.says("storage.trouble")

    async def again():
        """Started while it is full, it waits and says so; stopped and with room again, it goes on."""
        await scene.start()
        await eventually(
            lambda: "database.waiting" in scene.bot.output or "feed.live" in scene.bot.output,
            within_s=PATIENCE_S,
            why=lambda: scene.bot.output,
        )
        assert (await stop(scene)).code == 0
        filled.__exit__(None, None, None)
        await scene.live()

    scene.after = again


async def file_limit(scene):
    """As a quota has it: no file may grow."""
    await scene.live()
    resource.prlimit(scene.bot.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    await scene.says("storage.trouble")


async def in_the_middle_of_a_snapshot(scene):
    """The copy is under way: its file has been begun and has no end yet."""
    await scene.live()
    new = scene.harness.folder / "data" / "snapshot" / "windows.ois.new"
    deadline_s = time.monotonic() + PATIENCE_S

    def seen():
        while not new.exists():
            if time.monotonic() > deadline_s:
                raise AssertionError("no snapshot was begun")
            time.sleep(0.0005)
        scene.bot.terminate()

    await asyncio.to_thread(seen)

    async def again():
        assert not new.exists(), "it was brought to its end"
        await scene.live()
        await scene.says("snapshot.restored")

    scene.after = again


async def held_control_socket(scene):
    """Somebody connects to it, asks for nothing and stays."""
    await scene.live()
    held = socket.socket(socket.AF_UNIX)
    scene.stack.callback(held.close)
    folder = os.open(scene.harness.folder / "data", os.O_RDONLY)
    scene.stack.callback(os.close, folder)
    held.connect(f"/proc/self/fd/{folder}/control.sock")


async def output_that_nobody_reads(scene):
    """A full pipe: the process is blocked in the middle of writing a line, and its loop with it."""
    read_end, write_end = os.pipe()
    scene.stack.callback(os.close, read_end)
    scene.stack.callback(os.close, write_end)
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4_096)
    await scene.start(stdout=write_end, telegram=False, env={"OIBOT_LOG__LEVEL": "DEBUG"})

    def n_unread():
        return int.from_bytes(fcntl.ioctl(read_end, termios.FIONREAD, bytes(4)), sys.byteorder)

    seen, since_s = 0, time.monotonic()
    while not (seen > 2_000 and time.monotonic() - since_s > 5):
        await asyncio.sleep(0.1)
        if n_unread() != seen:
            seen, since_s = n_unread(), time.monotonic()


async def output_on_a_full_disk(scene):
    """Neither the log nor alerts for the terminal get out; those for a chat do."""
    with open("/dev/full", "w", encoding="utf-8") as full_disk:
        scene.harness.rules(RULES)
        places = "screen: {kind: console, default: true}\n  phone: {kind: discord, min_severity: info}\n"
        (scene.harness.folder / "rules" / "destinations.yaml").write_text(
            f"destinations:\n  {places}", encoding="utf-8"
        )
        chat = {"OIBOT_DISCORD__WEBHOOK_URL": scene.chats.discord_webhook_url}
        # Something that is said at the start.
        await scene.start(telegram=False, stdout=full_disk, env=chat | {"OIBOT_NO_SUCH_SETTING": "1"})
        await scene.until(lambda: scene.chats.discord.messages)
    # Kept until there is room. On a busy machine it is told before it is stored, and one is always under way.
    kept = "SELECT count(*) FROM outbox WHERE destination = 'screen' AND state IN ('waiting', 'sending')"
    await scene.until(lambda: scene.harness.rows(kept)[0][0] > 0)


async def everything_at_once(scene):
    """The venue is silent, the chat hangs with commands waiting, the database is locked."""
    scene.chats.telegram.fail(faults.Fault(hang_s=600), method="sendMessage", times=10_000)
    await scene.live()
    await scene.until(lambda: scene.asked("sendMessage"))
    other = sqlite3.connect(scene.harness.database, isolation_level=None, timeout=10)
    scene.stack.callback(other.close)
    other.execute("BEGIN IMMEDIATE")
    await scene.says("commit.delayed")
    for _ in range(20):
        scene.chats.telegram.say("/status", chat_id=OWNER)
    scene.stack.enter_context(stopped(scene.sim.pid))
    await scene.says("feed.lost")


STATES = {
    state.__name__: state
    for state in (
        # Those that take longest to be reached come first.
        everything_at_once,
        output_that_nobody_reads,
        output_on_a_full_disk,
        healthy,
        silent_venue,
        told_to_wait_an_hour,
        chat_that_never_answers,
        full_disk,
        in_the_middle_of_a_snapshot,
        banned,
        loading,
        waiting_for_the_database,
        refused_by_the_venue,
        venue_in_a_black_hole,
        looking_up_a_name_that_never_comes,
        filling_the_windows,
        asking_telegram_for_news,
        hung_command,
        long_queue,
        locked_database,
        file_limit,
        held_control_socket,
    )
}
IS_TOLD_THERE = (in_the_middle_of_a_snapshot,)
"""The signal is sent where it has to be sent at once."""
OWN_VENUE = {silent_venue: 1.0, banned: 1.0, everything_at_once: 1.0, in_the_middle_of_a_snapshot: 4.0}
"""Speed of a venue that is broken, or of a clock on which the middle of a minute, when copies begin, is not far."""


# -- stops -------------------------------------------------------------------------------------------------------------


def queued_s(pid):
    """For how long the threads of a process have been ready and had no processor; 0 where the system does not tell."""
    found = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            found += int(file.read_text(encoding="ascii").split()[1])
    return found / 1e9


async def stop(scene, *, is_told=False):
    began_s = time.monotonic()
    if not is_told:
        scene.bot.terminate()
    ending = asyncio.create_task(scene.bot.exit_code(within_s=2 * LIMIT_S))
    late_s, looked_s = 0.0, time.monotonic()
    waited_before_s = waited_s = queued_s(scene.bot.pid)
    while not ending.done():
        waited_s = max(waited_s, queued_s(scene.bot.pid))
        await asyncio.wait({ending}, timeout=_LOOK_S)
        now_s = time.monotonic()
        late_s, looked_s = late_s + max(0.0, now_s - looked_s - _LOOK_S), now_s
    code = None if ending.exception() is not None else ending.result()
    return Outcome(code, time.monotonic() - began_s, scene.bot.output, late_s=late_s + waited_s - waited_before_s)


class Stage:
    """Where all states are at once: one sound venue for those that break nothing in it."""

    def __init__(self, folder):
        self.folder = folder
        self.venues = {}
        self.slots = asyncio.Semaphore(AT_ONCE)

    def harness(self, name, speed=1.0):
        (self.folder / name).mkdir()
        made = Harness(self.folder / name)
        made.speed = speed
        return made

    async def open(self, state, speed=1.0):
        """A venue for one state, or for all others."""
        harness = self.harness(f"venue-{state.__name__ if state else 'sound'}", speed)
        self.venues[state] = harness, await harness.venue(instruments=20, script=False)

    @contextlib.asynccontextmanager
    async def scene(self, state, name=""):
        beside, venue = self.venues.get(state) or self.venues[None]
        harness = self.harness(name or state.__name__, beside.speed)
        harness.epoch_ms = beside.epoch_ms
        try:
            async with ChatServer(clock=harness.clock()) as chats, contextlib.AsyncExitStack() as stack:
                yield Scene(harness, venue, beside.children[0], chats, stack)
        finally:
            await harness.close()

    async def one(self, state):
        """Reach the state, stop, and look at the restart where there is something to see."""
        async with self.slots, self.scene(state) as scene:
            began_s = time.monotonic()
            try:
                await state(scene)
                reached_s = time.monotonic() - began_s
                outcome = await stop(scene, is_told=state in IS_TOLD_THERE)
                outcome.reached_s = reached_s
                if scene.after is not None and outcome.code == 0:
                    await scene.after()
                    assert (await stop(scene)).code == 0, scene.bot.output
            except pytest.skip.Exception as skipped:
                return skipped
            except Exception as error:
                return error
            outcome.all_s = time.monotonic() - began_s
            return outcome

    async def impatient(self):
        """A stop that takes its time, and a second signal meanwhile."""
        async with self.slots, self.scene(None, "impatient") as scene:
            await chat_that_never_answers(scene)
            scene.bot.terminate()
            await scene.says("bot.stopping")
            scene.bot.signal(signal.SIGINT)
            return await stop(scene, is_told=True)

    async def all(self):
        try:
            await asyncio.gather(self.open(None), *(self.open(*one) for one in OWN_VENUE.items()))
            found = await asyncio.gather(*(self.one(state) for state in STATES.values()), self.impatient())
        finally:
            for harness, _ in self.venues.values():
                await harness.close()
        return dict(zip((*STATES, "impatient"), found, strict=True))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """All states at once."""
    began_s = time.monotonic()
    found = asyncio.run(Stage(tmp_path_factory.mktemp("stop")).all())
    for name, outcome in found.items():
        print(f"{name:36} {outcome if isinstance(outcome, Outcome) else repr(outcome)[:80]}")
    print(f"{time.monotonic() - began_s:.0f} s")
    return found


def sound(outcome):
    if isinstance(outcome, pytest.skip.Exception):
        pytest.skip(str(outcome))
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


@pytest.mark.parametrize("state", STATES)
def test_sigterm_ends_it_within_ten_seconds(outcomes, state):
    outcome = sound(outcomes[state])
    assert outcome.code == 0, outcome.output
    assert outcome.took_s <= LIMIT_S + outcome.late_s, outcome.output
    assert "Traceback" not in outcome.output, outcome.output


def test_a_second_signal_ends_it_at_once(outcomes):
    outcome = sound(outcomes["impatient"])
    assert outcome.code == 130, outcome.output
    assert outcome.took_s < 1.0
