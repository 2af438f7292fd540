"""No silent dead task: restart, degrade or stop, and an end when a component keeps crashing."""

import asyncio
import itertools

import pytest

from bot.app.supervisor import MAX_CRASHES, ComponentError, Policy, Supervisor
from bot.clock import ManualClock


class Crashing:
    def __init__(self, times=10**9):
        self.times = times
        self.runs = 0

    async def run(self):
        self.runs += 1
        if self.runs <= self.times:
            raise RuntimeError("boom")
        await asyncio.Event().wait()


async def drive(clock, component, policy, seconds):
    async with asyncio.TaskGroup() as group:
        supervisor = Supervisor(clock)
        task = supervisor.start(group, "part", component.run, policy)
        await clock.advance(seconds)
        task.cancel()
    return supervisor


async def test_a_crash_is_followed_by_a_restart_after_a_pause():
    clock, part = ManualClock(), Crashing(times=1)

    supervisor = await drive(clock, part, Policy.RESTART, 1)

    assert part.runs == 2
    assert supervisor.n_crashes == {"part": 1}


async def test_five_crashes_in_ten_minutes_end_the_process():
    with pytest.raises(ExceptionGroup) as found:
        await drive(ManualClock(), Crashing(), Policy.RESTART, 600)

    assert isinstance(found.value.exceptions[0], ComponentError)


async def test_crashes_far_apart_do_not():
    class Rare(Crashing):
        async def run(self):
            self.runs += 1
            await clock.sleep(200)
            raise RuntimeError("boom")

    clock, part = ManualClock(), Rare()

    await drive(clock, part, Policy.RESTART, 200 * 3 * MAX_CRASHES)

    assert part.runs > MAX_CRASHES


async def test_a_pause_is_as_long_as_lately_crashes_were_many():
    clock, started_s = ManualClock(), []

    async def rare():
        started_s.append(clock.monotonic_ms() / 1000)
        await clock.sleep(3_600)
        raise RuntimeError("boom")

    async with asyncio.TaskGroup() as group:
        task = Supervisor(clock).start(group, "part", rare, Policy.RESTART)
        await clock.advance(7 * 3_610)
        task.cancel()

    assert {round(after - before, 3) for before, after in itertools.pairwise(started_s)} == {3_600.5}


async def test_one_that_waits_for_what_others_cancelled_has_crashed():
    class Waiting(Crashing):
        async def run(self):
            self.runs += 1
            if self.runs == 1:
                given_up = asyncio.get_running_loop().create_future()
                given_up.cancel()
                await given_up
            await asyncio.Event().wait()

    part = Waiting()

    supervisor = await drive(ManualClock(), part, Policy.RESTART, 1)

    assert part.runs == 2
    assert supervisor.n_crashes == {"part": 1}


async def test_a_degraded_component_stays_away():
    part = Crashing()

    await drive(ManualClock(), part, Policy.DEGRADE, 60)

    assert part.runs == 1


async def test_one_without_which_the_bot_makes_no_sense_stops_it():
    with pytest.raises(ExceptionGroup):
        await drive(ManualClock(), Crashing(), Policy.STOP, 1)


async def test_one_that_fails_while_it_is_stopped_stays_stopped():
    clock, runs = ManualClock(), []

    async def failing():
        runs.append(clock.monotonic_ms())
        try:
            await asyncio.Event().wait()
        finally:
            if len(runs) == 1:
                raise OSError("the disk is full")

    async with asyncio.TaskGroup() as group:
        supervisor = Supervisor(clock)
        task = supervisor.start(group, "part", failing, Policy.RESTART)
        await clock.advance(0.1)
        stop = asyncio.create_task(supervisor.stop("part", within_s=2))
        await clock.advance(60)
        await stop
        assert (len(runs), task.done()) == (1, True)
        task.cancel()

    assert supervisor.n_crashes == {"part": 1}


async def test_stop_waits_only_so_long_for_a_stuck_component():
    clock = ManualClock()

    async def stuck():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if released.is_set():
                    raise

    released = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        supervisor = Supervisor(clock)
        task = supervisor.start(group, "stuck", stuck, Policy.RESTART)
        await clock.advance(0.1)
        stop = asyncio.create_task(supervisor.stop("stuck", "unknown", within_s=2))
        await clock.advance(2.5)
        assert stop.done()
        released.set()
        task.cancel()
