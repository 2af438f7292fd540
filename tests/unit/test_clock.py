"""The manual clock moves only when told and wakes in order; the system clock runs as fast as it should, for all alike."""

import asyncio
import contextlib
import time

import pytest

from bot.clock import ManualClock, SystemClock

START_MS = 1_767_225_600_000


# -- the manual clock --------------------------------------------------------------------------------------------------


async def test_time_stands_still_until_advanced():
    clock = ManualClock(wall_ms=START_MS)
    await asyncio.sleep(0)
    assert (clock.wall_ms(), clock.monotonic_ms()) == (START_MS, 0.0)
    await clock.advance(1.5)
    assert (clock.wall_ms(), clock.monotonic_ms()) == (START_MS + 1_500, 1_500.0)


async def test_sleepers_wake_in_the_order_of_their_deadlines_each_at_its_own_time():
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic_ms()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 3.0), ("early", 1.0), ("middle", 2.0), ("also early", 1.0)):
            group.create_task(sleeper(name, seconds))
        await clock.advance(10)
    assert woken == [("early", 1_000.0), ("also early", 1_000.0), ("middle", 2_000.0), ("late", 3_000.0)]
    assert clock.monotonic_ms() == 10_000.0


async def test_a_sleeper_is_not_woken_before_its_deadline():
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(2))
    await clock.advance(1.999)
    assert not task.done()
    await clock.advance(0.001)
    assert task.done()


async def test_what_begins_to_sleep_on_the_way_is_woken_on_the_way():
    clock = ManualClock()
    ticks: list[float] = []

    async def every_second() -> None:
        while True:
            await clock.sleep(1)
            ticks.append(clock.monotonic_ms())

    task = asyncio.create_task(every_second())
    await clock.advance(3.5)
    task.cancel()
    assert ticks == [1_000.0, 2_000.0, 3_000.0]


async def test_a_sleep_of_nothing_only_yields():
    clock = ManualClock()
    seen: list[str] = []

    async def other() -> None:
        seen.append("other")

    task = asyncio.create_task(other())
    await clock.sleep(0)
    await clock.sleep(-1)
    assert seen == ["other"]
    assert clock.monotonic_ms() == 0.0
    await task


async def test_a_cancelled_sleeper_does_not_disturb_the_others():
    clock = ManualClock()
    cancelled, kept = asyncio.create_task(clock.sleep(1)), asyncio.create_task(clock.sleep(1))
    await clock.advance(0)
    cancelled.cancel()
    await clock.advance(1)
    assert cancelled.cancelled()
    assert kept.done()
    assert not kept.cancelled()


async def test_a_body_that_takes_too_long_times_out_at_its_deadline():
    clock = ManualClock()
    raised_ms: list[float] = []

    async def slow() -> None:
        try:
            async with clock.timeout(2):
                await clock.sleep(5)
        except TimeoutError:
            raised_ms.append(clock.monotonic_ms())

    task = asyncio.create_task(slow())
    await clock.advance(1.9)
    assert not task.done()
    await clock.advance(10)
    assert raised_ms == [2_000.0]


async def test_a_body_in_time_does_not_time_out_later():
    clock = ManualClock()

    async def quick() -> str:
        async with clock.timeout(2):
            await clock.sleep(1)
        await clock.sleep(5)
        return "done"

    task = asyncio.create_task(quick())
    await clock.advance(10)
    assert task.result() == "done"


async def test_no_timeout_never_ends_the_body():
    clock = ManualClock()

    async def patient() -> str:
        async with clock.timeout(None):
            await clock.sleep(86_400)
        return "done"

    task = asyncio.create_task(patient())
    await clock.advance(86_400)
    assert task.result() == "done"


async def test_the_inner_of_two_timeouts_leaves_the_outer_alone():
    clock = ManualClock()
    seen: list[str] = []

    async def nested() -> None:
        try:
            async with clock.timeout(5):
                with contextlib.suppress(TimeoutError):
                    async with clock.timeout(1):
                        await clock.sleep(10)
                seen.append(f"inner at {clock.monotonic_ms():.0f}")
                await clock.sleep(10)
        except TimeoutError:
            seen.append(f"outer at {clock.monotonic_ms():.0f}")

    task = asyncio.create_task(nested())
    await clock.advance(20)
    assert task.done()
    assert seen == ["inner at 1000", "outer at 5000"]


async def test_cancelling_a_body_under_a_timeout_is_a_cancellation():
    clock = ManualClock()

    async def body() -> None:
        async with clock.timeout(5):
            await clock.sleep(10)

    task = asyncio.create_task(body())
    await clock.advance(1)
    task.cancel()
    await clock.advance(10)
    assert task.cancelled()


# -- the system clock --------------------------------------------------------------------------------------------------


def test_at_speed_one_wall_time_is_the_machines_whatever_the_epoch():
    for clock in (SystemClock(), SystemClock(epoch_ms=1)):
        before_ms = time.time_ns() // 1_000_000
        now_ms = clock.wall_ms()
        assert before_ms <= now_ms <= time.time_ns() // 1_000_000


def test_a_fast_clock_runs_so_many_times_faster_from_its_epoch():
    epoch_ms = time.time_ns() // 1_000_000 - 5_000
    clock = SystemClock(speed=60, epoch_ms=epoch_ms)

    def expected_ms() -> float:
        return epoch_ms + (time.time_ns() / 1e6 - epoch_ms) * 60

    before_ms = expected_ms()
    now_ms = clock.wall_ms()
    assert before_ms - 1 <= now_ms <= expected_ms()
    assert now_ms - epoch_ms >= 60 * 5_000


def test_two_clocks_of_the_same_epoch_and_speed_agree():
    epoch_ms = time.time_ns() // 1_000_000 - 60_000
    ours, theirs = (SystemClock(speed=100, epoch_ms=epoch_ms) for _ in range(2))
    before_ms, between_ms, after_ms = ours.wall_ms(), theirs.wall_ms(), ours.wall_ms()
    assert before_ms <= between_ms <= after_ms


def test_monotonic_time_starts_near_zero_and_runs_at_the_clocks_speed():
    before_s = time.monotonic()
    clock = SystemClock(speed=1000)
    created_s = time.monotonic()
    first_ms = clock.monotonic_ms()
    assert 0 <= first_ms <= (time.monotonic() - before_s) * 1_000_000
    at_s = time.monotonic()
    assert clock.monotonic_ms() >= (at_s - created_s) * 1_000_000
    assert clock.monotonic_ms() >= first_ms


class _ImpatientLoop(asyncio.SelectorEventLoop):
    """Notes how long each timer wanted to wait, and runs it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def call_at(self, when, callback, *args, context=None):
        self.waits_s.append(when - self.time())
        return super().call_at(self.time(), callback, *args, context=context)


@pytest.mark.parametrize(("speed", "waits_s"), [(1.0, 30.0), (60.0, 0.5), (0.5, 60.0)])
def test_a_sleep_waits_its_clock_seconds_divided_by_the_speed(speed, waits_s):
    with asyncio.Runner(loop_factory=_ImpatientLoop) as runner:
        runner.run(SystemClock(speed=speed).sleep(30))
        loop = runner.get_loop()
        assert isinstance(loop, _ImpatientLoop)
        assert max(loop.waits_s) == pytest.approx(waits_s, abs=0.05)


@pytest.mark.parametrize(("speed", "waits_s"), [(1.0, 30.0), (60.0, 0.5)])
def test_a_timeout_ends_its_body_after_clock_seconds_divided_by_the_speed(speed, waits_s):
    async def hang() -> None:
        async with SystemClock(speed=speed).timeout(30):
            await asyncio.get_running_loop().create_future()

    with asyncio.Runner(loop_factory=_ImpatientLoop) as runner:
        with pytest.raises(TimeoutError):
            runner.run(hang())
        loop = runner.get_loop()
        assert isinstance(loop, _ImpatientLoop)
        assert max(loop.waits_s) == pytest.approx(waits_s, abs=0.05)


async def test_a_negative_timeout_ends_at_once_and_none_never():
    clock = SystemClock()
    with pytest.raises(TimeoutError):
        async with clock.timeout(-1):
            await asyncio.get_running_loop().create_future()
    async with clock.timeout(None):
        await clock.sleep(0)
