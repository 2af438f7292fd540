"""What a service manager hears, over a real datagram socket, on the manual clock."""

import asyncio
import contextlib
import socket
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bot.app.service_manager import (
    MAX_STATUS_CHARS,
    PATIENCE_S,
    Notifier,
    Voice,
    Watched,
    speaking,
    status_line,
    watched_of,
)
from bot.clock import ManualClock
from bot.model.cards import BotStatus, FeedHealth

STATUS = BotStatus(
    version="1",
    uptime_s=1.0,
    n_instruments=540,
    n_price_fresh=532,
    price_age_ms=1,
    n_oi_fresh=532,
    oi_slowest_ms=41_000,
    weight_share=0.4,
    banned_until_ms=None,
    feeds=(FeedHealth("mark price", True, ""),),
    n_rules=11,
    n_firing=1,
    n_pending=0,
    n_alerts_today=14,
    n_outbox=0,
    rss_mb=200.0,
    disk_free_gb=9.0,
    warming="",
)


class Manager:
    """The other end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """Lines since the last look."""
        lines: list[str] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                lines += self.socket.recv(4096).decode().split("\n")
        return lines


@pytest.fixture
def address(tmp_path):
    return str(tmp_path / "notify")


@pytest.fixture
def manager(address):
    made = Manager(address)
    yield made
    made.socket.close()


class World:
    """A bot in figures, and a voice for it."""

    def __init__(self, address: str, *, watchdog_s: float | None = 60.0) -> None:
        self.clock = ManualClock()
        self.stop = asyncio.Event()
        self.turns = 0
        self.turns_by_itself = True
        self.missing = "prices and open interest"
        self.status = STATUS
        self.voice = Voice(Notifier(address, watchdog_s=watchdog_s), self.clock)

    def started(self) -> None:
        async def status() -> BotStatus:
            if isinstance(self.status, Exception):
                raise self.status
            return self.status

        def n_turns() -> int:
            self.turns += self.turns_by_itself
            return self.turns

        self.voice.started(Watched(n_turns, lambda: self.missing, status))


@pytest.fixture
async def world(address, manager):
    made = World(address)
    async with speaking(made.voice, made.stop):
        yield made


async def up(world: World, manager: Manager) -> None:
    world.started()
    world.missing = ""
    await world.clock.advance(5)
    assert "READY=1" in manager.heard()


async def test_while_the_database_is_waited_for_it_asks_for_time_and_says_so(world, manager):
    await world.clock.advance(12)
    heard = manager.heard()
    assert heard.count("EXTEND_TIMEOUT_USEC=60000000") == 3
    assert "STATUS=waiting for the database" in heard
    assert "READY=1" not in heard


async def test_it_is_up_with_prices_and_one_round_of_open_interest_and_says_it_once(world, manager):
    world.started()
    await world.clock.advance(20)
    assert "STATUS=waiting for prices and open interest; 532 symbols, OI 41 s, 14 alerts today" in manager.heard()
    world.missing = "open interest"
    await world.clock.advance(20)
    assert "READY=1" not in manager.heard()
    world.missing = ""
    await world.clock.advance(120)
    heard = manager.heard()
    assert heard.count("READY=1") == 1
    assert not [line for line in heard if line.startswith("EXTEND")]
    assert heard.count("STATUS=532 symbols, OI 41 s, 14 alerts today") == 1, "only what is new is told"


async def test_an_exchange_that_does_not_answer_holds_up_a_boot_no_longer_than_minutes(world, manager):
    world.started()
    await world.clock.advance(PATIENCE_S - 10)
    assert "READY=1" not in manager.heard()
    await world.clock.advance(10)
    assert "READY=1" in manager.heard()
    await world.clock.advance(60)
    heard = manager.heard()
    assert "WATCHDOG=1" in heard
    assert not [line for line in heard if line.startswith("EXTEND")]


async def test_turns_of_the_engine_feed_the_watchdog_and_nothing_else_does(world, manager):
    await up(world, manager)
    await world.clock.advance(62)
    assert 11 <= manager.heard().count("WATCHDOG=1") <= 13
    world.turns_by_itself = False
    await world.clock.advance(10)
    manager.heard()
    world.status = replace(STATUS, n_alerts_today=15)
    await world.clock.advance(300)
    heard = manager.heard()
    assert "WATCHDOG=1" not in heard
    assert "STATUS=532 symbols, OI 41 s, 15 alerts today" in heard, "the loop turns, the engine does not"
    world.turns_by_itself = True
    await world.clock.advance(10)
    assert "WATCHDOG=1" in manager.heard()


async def test_an_engine_that_hangs_before_it_was_up_gets_no_more_time(world, manager):
    world.started()
    await world.clock.advance(10)
    world.turns_by_itself = False
    await world.clock.advance(5)
    manager.heard()
    await world.clock.advance(200)
    assert not [line for line in manager.heard() if line.startswith(("EXTEND", "WATCHDOG"))]


async def test_a_short_watchdog_is_fed_four_times_as_often(address, manager):
    world = World(address, watchdog_s=4.0)
    async with speaking(world.voice, world.stop):
        await up(world, manager)
        await world.clock.advance(10)
        assert manager.heard().count("WATCHDOG=1") == 10


async def test_a_stop_is_said_at_once_and_once(world, manager):
    await up(world, manager)
    world.stop.set()
    await asyncio.sleep(0)
    await world.clock.advance(0)
    assert manager.heard()[-2:] == ["STOPPING=1", "STATUS=stopping"]


async def fails(world: World) -> None:
    async with speaking(world.voice, world.stop):
        await world.clock.advance(1)
        raise ValueError("broken")


async def test_a_bot_that_fails_is_said_to_stop(address, manager):
    world = World(address)
    with pytest.raises(ValueError, match="broken"):
        await fails(world)
    assert manager.heard()[-2] == "STOPPING=1"


async def test_a_status_that_cannot_be_read_starves_nobody(world, manager):
    await up(world, manager)
    world.status = ValueError("no")
    await world.clock.advance(62)
    assert 11 <= manager.heard().count("WATCHDOG=1") <= 13
    world.status = replace(STATUS, n_alerts_today=1)
    await world.clock.advance(60)
    assert "STATUS=532 symbols, OI 41 s, 1 alert today" in manager.heard()


async def test_a_manager_that_is_gone_or_full_is_no_trouble(world, manager, address):
    await up(world, manager)
    await world.clock.advance(5 * 5_000)  # nobody reads: the socket's queue is full long before
    manager.heard()
    await world.clock.advance(10)
    assert "WATCHDOG=1" in manager.heard()
    manager.socket.close()
    await world.clock.advance(60)
    assert world.turns > 5_000


async def test_without_a_manager_nobody_speaks():
    async with speaking(None, asyncio.Event()):
        pass


@pytest.mark.parametrize("address", ["", "/", "@", "vsock:2:1", "relative"])
def test_an_address_that_is_none_is_passed_over(address):
    assert Notifier.from_environment({"NOTIFY_SOCKET": address}, pid=1) is None


def test_a_name_without_a_file_is_an_address_too(tmp_path):
    address = f"@oibot-test-{tmp_path.name}-{id(tmp_path)}"
    manager = Manager(address)
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address}, pid=1)
    assert notifier.send("READY=1", "STATUS=fine")
    assert manager.heard() == ["READY=1", "STATUS=fine"]
    notifier.close()
    manager.socket.close()


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_that_of_this_process(environment, watchdog_s):
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": "/run/x", **environment}, pid=7)
    assert notifier.watchdog_s == watchdog_s
    notifier.close()


def test_what_is_wrong_comes_first_in_one_line_without_secrets():
    token = "123456789:" + "A" * 35
    status = replace(
        STATUS,
        oi_slowest_ms=None,
        feeds=(FeedHealth("mark price", False, "Binance does not serve\nthis country (451)"),),
        dead_destinations=(f"main: refused {token}",),
        troubles=("The disk is full.",),
    )
    assert status_line(status) == (
        "mark price lost (Binance does not serve this country (451)); nothing goes to main: refused ***token***; "
        "The disk is full.; 532 symbols, no OI yet, 14 alerts today"
    )


async def test_a_long_status_is_cut(world, manager):
    world.status = replace(STATUS, troubles=("x" * 5_000,))
    await up(world, manager)
    await world.clock.advance(30)
    world.status = STATUS
    assert max(len(line) for line in ["", *manager.heard()]) <= MAX_STATUS_CHARS + len("STATUS=")


@pytest.mark.parametrize(
    ("first_push_ms", "is_swept", "missing"),
    [(None, False, "prices and open interest"), (1.0, False, "open interest"), (None, True, "prices"), (1.0, True, "")],
)
def test_what_a_start_waits_for(first_push_ms, is_swept, missing):
    swept = asyncio.Event()
    if is_swept:
        swept.set()
    bot = SimpleNamespace(
        live=SimpleNamespace(first_push_ms=first_push_ms, n_turns=3),
        feed=SimpleNamespace(poller=SimpleNamespace(swept=swept)),
        status=SimpleNamespace(status=None),
    )
    watched = watched_of(bot)
    assert (watched.missing(), watched.n_turns()) == (missing, 3)
