"""The budget of a token: no window of the server ever holds more than its limit, and what is urgent goes first."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import ManualClock
from bot.delivery.caps import Caps
from bot.delivery.gathering import AtOnce, Gathering, Together
from bot.delivery.limits import DiscordLimits, Slot, TelegramLimits
from bot.delivery.manners import Manners


def most_within(times, window_ms):
    """The most requests in any window of that length; a slow reference."""
    return max((sum(start <= at < start + window_ms for at in times) for start in times), default=0)


@pytest.mark.promise("P8")
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([0.05, 0.4, 1.5]))
def test_no_window_of_the_server_holds_more_than_its_limit(seed, n_chats, slowest_s):
    """Requests arrive at some moment between their slot and their answer."""
    chance = random.Random(seed)
    chats = [(-1 if n % 5 == 0 else 1) * (n + 1) for n in range(n_chats)]
    arrived: dict[int, list[float]] = {chat: [] for chat in chats}

    async def talk(clock, limits, chat):
        for _ in range(25 if chat < 0 else 8):
            while not isinstance(found := limits.take(chat, urgent=chance.random() < 0.2), Slot):
                await clock.sleep(found)
            there, back = chance.random() * slowest_s, chance.random() * slowest_s
            await clock.sleep(there)
            arrived[chat].append(clock.monotonic_ms())
            await clock.sleep(back)
            limits.give_back(found)

    async def play():
        clock = ManualClock()
        limits = TelegramLimits(clock)
        tasks = [asyncio.create_task(talk(clock, limits, chat)) for chat in chats]
        for _ in range(600):
            await clock.advance(0.5)
            if all(task.done() for task in tasks):
                break
        assert all(task.done() for task in tasks), "everybody gets a turn"

    asyncio.run(play())
    everything = sorted(at for times in arrived.values() for at in times)
    assert most_within(everything, 1_000) <= 30
    assert all(most_within(times, 1_000) <= 1 for times in arrived.values())
    assert all(most_within(times, 60_000) <= 20 for chat, times in arrived.items() if chat < 0)


async def test_urgent_requests_go_first_when_the_budget_is_short():
    clock = ManualClock()
    limits = TelegramLimits(clock, per_second=2)
    slots = [limits.take(1), limits.take(2)]
    assert isinstance(limits.take(3), float)
    assert isinstance(limits.take(4, urgent=True), float)
    await clock.advance(0.1)
    limits.give_back(slots[0])
    assert limits.take(4, urgent=True) == pytest.approx(1.05)
    await clock.advance(1.06)
    assert isinstance(limits.take(3), float), "the next is for the one that is urgent"
    assert isinstance(limits.take(4, urgent=True), Slot)


async def test_an_urgent_request_that_never_comes_back_holds_nobody_up_for_long():
    clock = ManualClock()
    limits = TelegramLimits(clock, per_second=1)
    limits.give_back(limits.take(1))
    limits.take(2, urgent=True)
    await clock.advance(1.2)
    assert isinstance(limits.take(3), Slot)


async def test_a_slot_that_is_not_used_costs_nothing():
    limits = TelegramLimits(ManualClock(), per_second=1)
    limits.give_back(limits.take(1), was_used=False)
    assert isinstance(limits.take(1), Slot)


async def test_a_request_that_hangs_takes_its_place_for_a_short_time_only():
    clock = ManualClock()
    limits = TelegramLimits(clock, per_second=1)
    hanging = limits.take(1)
    await clock.advance(10.5)
    assert isinstance(limits.take(2), float)
    await clock.advance(0.6)
    assert isinstance(limits.take(2), Slot)
    limits.give_back(hanging)


async def test_a_pause_holds_its_chat_and_two_at_once_hold_all():
    clock = ManualClock()
    limits = TelegramLimits(clock)
    limits.pause(1, 30)
    assert limits.take(1) == 30
    assert isinstance(limits.take(2), Slot)
    assert limits.paused_s == 0
    limits.pause(3, 20)
    assert limits.take(4) == 20
    assert limits.paused_s == 20
    await clock.advance(21)
    assert isinstance(limits.take(4), Slot)
    assert limits.take(1) == pytest.approx(9)


async def test_pauses_are_bounded():
    limits = TelegramLimits(ManualClock())
    limits.pause(1, 1e9)
    limits.pause_all(-5)
    assert limits.take(1) == 3_600
    webhooks = DiscordLimits(ManualClock())
    webhooks.pause_all(1e9)
    assert webhooks.paused_s == 3_600


async def test_an_answer_waits_for_its_slot_but_not_for_ever():
    clock = ManualClock()
    limits = TelegramLimits(clock)
    got = []

    async def answer(within_s):
        async with limits.slot(7, within_s=within_s) as is_free:
            got.append((is_free, round(clock.monotonic_ms() / 1000, 2)))

    await answer(15)
    tasks = [asyncio.create_task(answer(15)), asyncio.create_task(answer(0.5))]
    await clock.advance(5)
    await asyncio.gather(*tasks)
    assert got == [(True, 0.0), (False, 0.0), (True, 1.05)]


async def test_chats_that_are_not_used_are_forgotten():
    clock = ManualClock()
    limits = TelegramLimits(clock, per_second=10**6)
    for chat in range(1, 3_001):
        limits.give_back(limits.take(chat))
        if chat % 500 == 0:
            await clock.advance(2)
    assert len(limits._chats) <= 1_500


def test_gathering_counts_what_goes_together():
    gathering = Gathering(Manners())
    keys = [str(n) for n in range(6)]
    for n in range(3):
        assert gathering.next(keys[n:], 0.0) == AtOnce(str(n))
        gathering.told()
    assert gathering.next(keys[3:], 4_000.0) == 6.0
    assert gathering.next(keys[3:], 10_000.0) == Together(("3", "4", "5"))
    assert gathering.next(["4", "5"], 11_000.0) == Together(("4", "5")), (
        "in parts, where one message does not hold them"
    )
    assert gathering.next(["6"], 12_000.0) == 8.0, "a storm goes on"
    assert gathering.next(["6"], 20_000.0) == Together(("6",))
    assert gathering.next(["7"], 90_000.0) == AtOnce("7")


def test_a_cap_that_is_reached_is_closed_for_its_whole_minute():
    caps = Caps(Manners(per_minute=3, per_day=7))
    for at in (0, 10_000, 20_000):
        assert caps.closed_s(urgent=False, now_ms=at, venue_ms=at) == 0
        caps.count(urgent=False, now_ms=at, venue_ms=at)
    assert caps.closed_s(urgent=False, now_ms=20_000, venue_ms=20_000) == 60
    assert caps.closed_s(urgent=True, now_ms=20_000, venue_ms=20_000) == 0
    assert caps.closed_s(urgent=False, now_ms=80_000, venue_ms=80_000) == 0
    for at in (80_000, 150_000, 220_000, 290_000):
        caps.count(urgent=False, now_ms=at, venue_ms=at)
    assert caps.closed_s(urgent=False, now_ms=500_000, venue_ms=500_000) == (86_400_000 - 500_000) / 1000
    assert caps.closed_s(urgent=False, now_ms=86_400_000, venue_ms=86_400_000) == 0


@pytest.mark.parametrize("stored", [None, 7, [], {"0": 7}, {"0": ["x", 1]}, {"0": [1]}])
def test_a_cap_forgets_what_it_cannot_read(stored):
    caps = Caps(Manners())
    before = caps.dump()
    caps.load(stored)
    assert caps.dump() == before


@pytest.mark.parametrize("chat", [-5, 5])
async def test_what_can_wait_has_no_slot_once_half_of_the_room_is_used(chat):
    """Of the twenty a minute of a group, or of the thirty a second of the token."""
    clock = ManualClock()
    limits = TelegramLimits(clock)

    def use(who: int) -> None:
        slot = limits.take(who)
        assert isinstance(slot, Slot)
        limits.give_back(slot)

    def may_wait() -> bool:
        slot = limits.take(chat, spare=True)
        if isinstance(slot, Slot):
            limits.give_back(slot, was_used=False)
        return isinstance(slot, Slot)

    n_free = 0
    while may_wait():
        n_free += 1
        # A group's own messages, one a second; or one to each of many others at once.
        use(chat if chat < 0 else 1_000 + n_free)
        await clock.advance(1.2 if chat < 0 else 0)
    assert n_free == (11 if chat < 0 else 16)
    assert isinstance(limits.take(chat), Slot), "what cannot wait has one"
    await clock.advance(75)
    assert may_wait()
