"""The registry of buttons: bound to chat and person, the same over restarts, bounded, and alive while nothing is stored."""

import tracemalloc

import pytest

from bot.chat.buttons import (
    FRESH_MS,
    MAX_IN_MEMORY,
    NOT_NOW,
    NOT_YOURS,
    OUT_OF_DATE,
    SECRET_KEY,
    Buttons,
    load_secret,
)
from bot.clock import ManualClock
from bot.errors import StorageError
from bot.model.buttons import MAX_BUTTONS, Pressed
from bot.storage.memory import MemoryButtonStore, MemoryKeyValues

CHAT, ANN, BOB = "telegram:-1", "telegram:7", "telegram:8"


class Broken(MemoryButtonStore):
    async def put(self, keyboard):
        raise StorageError("full")

    async def get(self, keyboard_id):
        raise StorageError("no answer")


class Elsewhere(MemoryButtonStore):
    """Takes no memory of ours."""

    async def put(self, keyboard): ...


@pytest.fixture
def store():
    return MemoryButtonStore()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def registry(store, clock):
    return lambda secret=b"one", store=store: Buttons(store, secret=secret, clock=clock)


async def test_each_button_leads_to_its_command(registry):
    buttons = registry()
    commands = ["/oi BTC", "/silence 币安人生USDT here 1h", "x" * 5_000]
    data = await buttons.issue(commands, chat=CHAT, place="whales")
    assert all(len(one.encode()) <= 64 for one in data)
    found = [await buttons.press(one, chat=CHAT, user=BOB) for one in data]
    assert found == [Pressed("/oi BTC", "whales"), Pressed(commands[1], "whales"), Pressed("x" * 1_000, "whales")]
    assert len(await buttons.issue(["/oi"] * 200, chat=CHAT)) == MAX_BUTTONS


async def test_nobody_else_and_nowhere_else(registry):
    buttons = registry()
    [mine] = await buttons.issue(["/oi BTC"], chat=CHAT, user=ANN)
    assert await buttons.press(mine, chat=CHAT, user=ANN) == Pressed("/oi BTC")
    assert await buttons.press(mine, chat=CHAT, user=BOB) == NOT_YOURS
    assert await buttons.press(mine, chat="telegram:7", user=ANN) == OUT_OF_DATE


async def test_ids_are_the_same_for_the_same_and_cannot_be_made_without_the_secret(registry, store):
    first = await registry().issue(["/oi BTC"], chat=CHAT)
    assert await registry().issue(["/oi BTC"], chat=CHAT) == first
    assert len(store.stored) == 1
    other = [
        await registry(b"two").issue(["/oi BTC"], chat=CHAT),
        await registry().issue(["/oi BTC"], chat="telegram:-2"),
        await registry().issue(["/oi BTC"], chat=CHAT, user=ANN),
        await registry().issue(["/oi BTC"], chat=CHAT, place="whales"),
        await registry().issue(["/oi ETH"], chat=CHAT),
    ]
    assert len({first, *other}) == 6


async def test_what_drew_a_message_belongs_to_its_keyboard(registry, store):
    buttons = registry()
    plain, one, two, long = [
        (await buttons.issue(["/alerts"], chat=CHAT, origin=origin))[0]
        for origin in ("", "/silences", "/oi BTC", "/oi " + "x" * 5_000)
    ]
    assert plain == long, "too long to be kept"
    assert len({plain, one, two}) == len(store.stored) == 3
    for data, origin in ((plain, ""), (one, "/silences"), (two, "/oi BTC")):
        pressed = await registry().press(data, chat=CHAT, user=ANN)
        assert pressed.keyboard.origin == origin


async def test_it_works_after_a_restart_and_after_much_else(registry):
    buttons = registry()
    [data] = await buttons.issue(["/oi BTC"], chat=CHAT)
    for n in range(MAX_IN_MEMORY + 5):
        await buttons.issue([f"/oi {n}"], chat=CHAT)
    assert len(buttons._recent) == MAX_IN_MEMORY
    for one in (buttons, registry()):
        assert await one.press(data, chat=CHAT, user=ANN) == Pressed("/oi BTC")


async def test_those_of_a_day_take_little_memory(registry):
    buttons = registry(store=Elsewhere())
    commands = [f"/{word} #{{n:06x}} BINANCE{{n}}USDT" for word in ("ack", "silence", "why", "chart", "more", "board")]
    tracemalloc.start()
    for n in range(1_700):
        await buttons.issue([one.format(n=n) for one in commands], chat=CHAT, place=CHAT)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 700_000


async def test_what_is_not_stored_lives_as_long_as_the_process(registry):
    broken = Broken()
    buttons = registry(store=broken)
    [data] = await buttons.issue(["/oi BTC"], chat=CHAT)
    assert await buttons.press(data, chat=CHAT, user=ANN) == Pressed("/oi BTC")
    assert await registry(store=broken).press(data, chat=CHAT, user=ANN) == NOT_NOW


async def test_one_that_is_issued_day_by_day_does_not_grow_old(registry, store, clock):
    buttons = registry()
    for _ in range(3):
        await buttons.issue(["/oi BTC"], chat=CHAT)
        await clock.advance(FRESH_MS / 1000 + 1)
    [kept] = store.stored.values()
    assert clock.wall_ms() - kept.issued_ms < 2 * FRESH_MS


async def test_a_chat_that_moved_takes_its_buttons_along(registry):
    buttons = registry()
    [data] = await buttons.issue(["/oi BTC"], chat=CHAT)
    buttons.moved(CHAT, "telegram:-100")
    assert await buttons.press(data, chat="telegram:-100", user=ANN) == Pressed("/oi BTC")


@pytest.mark.parametrize("data", ["", ".", "a", "a.", ".1", "a.-1", "a.1", "a.²", "/oi BTC", "a" * 100 + ".0"])
async def test_anything_else_is_out_of_date(registry, data):
    assert await registry().press(data, chat=CHAT, user=ANN) == OUT_OF_DATE


async def test_the_secret_is_made_once(clock):
    values = MemoryKeyValues()
    first = await load_secret(values)
    assert await load_secret(values) == first
    assert len(first) >= 32
    assert await load_secret(MemoryKeyValues()) != first
    assert await values.get(SECRET_KEY) == first.decode()
