"""The drawing process, the real one: what it does to one chart it does to no other, nor to the loop or the bot."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from bot.charts.studio import STOPPED, TOO_MANY, Limits, Studio
from bot.clock import SystemClock
from bot.model.charts import ChartData, Columns, Curve, NoPicture, Picture

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
PATIENT = Limits(draw_s=60.0, start_s=90.0)
END_MS = 1_770_129_060_000


def chart(n=30) -> ChartData:
    times = tuple(END_MS - (n - 1 - k) * 60_000 for k in range(n))
    values = tuple(100.0 + k % 7 for k in range(n))
    return ChartData(
        *("BTCUSDT", "binance", "BTC", "USDT", times[0], END_MS),
        price=Curve(times, values),
        oi=Curve(times, values),
        volume=Columns(times, values, 60_000),
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One list of fonts for all: making it takes half a second."""
    return tmp_path_factory.mktemp("fonts")


@contextlib.asynccontextmanager
async def running(cache, limits=PATIENT, **more):
    studio = Studio(clock=SystemClock(), cache_dir=cache, limits=limits, **more)
    task = asyncio.get_running_loop().create_task(studio.run())
    await asyncio.sleep(0)
    try:
        yield studio
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def until(condition, within_s=60.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_charts_are_drawn_one_after_the_other_by_one_process(cache):
    async with running(cache) as studio:
        assert studio.pid is None
        found = await asyncio.gather(*(studio.draw(chart()) for _ in range(3)))
        assert all(isinstance(one, Picture) and one.png.startswith(b"\x89PNG") for one in found)
        assert len({one.png for one in found}) == 1
        pid = studio.pid
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert (studio.counts.started, studio.counts.drawn) == (1, 3)
        assert 20 < studio.peak_mb < 200
    assert not is_alive(pid)
    assert b"OIBOT_" not in environment


async def test_secrets_of_the_environment_do_not_go_along(cache, monkeypatch):
    monkeypatch.setenv("OIBOT_TELEGRAM__TOKEN", "1234567:canary")
    async with running(cache) as studio:
        await studio.draw(chart())
        assert b"canary" not in Path(f"/proc/{studio.pid}/environ").read_bytes()


async def test_it_comes_behind_the_bot_for_processor_and_memory(cache):
    async with running(cache) as studio:
        await studio.draw(chart())
        assert os.getpriority(os.PRIO_PROCESS, studio.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
        score, own = (int(Path(f"/proc/{pid}/oom_score_adj").read_bytes()) for pid in (studio.pid, "self"))
        assert score > own, "where memory runs out it goes first"


async def test_a_killed_worker_costs_one_chart(cache):
    async with running(cache) as studio:
        await studio.draw(chart())
        first = studio.pid
        os.kill(first, signal.SIGSTOP)
        drawing = asyncio.get_running_loop().create_task(studio.draw(chart()))
        await asyncio.sleep(0.1)
        os.kill(first, signal.SIGKILL)
        found = await drawing
        assert isinstance(found, NoPicture)
        assert found.reason.startswith("the drawing process ended")
        assert isinstance(await studio.draw(chart()), Picture)
        assert studio.pid not in {first, None}


async def test_a_worker_that_died_while_nobody_looked_is_replaced_unnoticed(cache):
    async with running(cache) as studio:
        await studio.draw(chart())
        first = studio.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: not is_alive(first))
        await asyncio.sleep(0.1)
        assert isinstance(await studio.draw(chart()), Picture)


async def test_a_hung_worker_is_given_up_and_killed(cache):
    limits = dataclasses.replace(PATIENT, draw_s=1.0)
    async with running(cache, limits) as studio:
        while not isinstance(await studio.draw(chart()), Picture):
            pass  # a machine so busy that a drawing takes longer than a second
        first = studio.pid
        os.kill(first, signal.SIGSTOP)
        assert await studio.draw(chart()) == NoPicture("drawing took too long")
        assert not is_alive(first)


async def test_the_loop_turns_while_it_draws(cache):
    async with running(cache) as studio:
        drawing = asyncio.get_running_loop().create_task(studio.draw(chart()))
        turns = 0
        while not drawing.done():
            turns += 1
            await asyncio.sleep(0.005)
        assert isinstance(await drawing, Picture)
        assert turns > 20


async def test_what_needs_too_much_memory_fails_alone(cache):
    async with running(cache, dataclasses.replace(PATIENT, memory_mb=1)) as studio:
        found = await studio.draw(chart(3_000))
        assert isinstance(found, NoPicture)
        assert studio.counts.failed == 1


async def test_no_more_wait_than_may(cache):
    async with running(cache, dataclasses.replace(PATIENT, max_waiting=2)) as studio:
        asked = [asyncio.get_running_loop().create_task(studio.draw(chart())) for _ in range(6)]
        found = await asyncio.gather(*asked)
        assert found.count(TOO_MANY) == studio.counts.refused == 4
        assert sum(isinstance(one, Picture) for one in found) == 2


async def test_who_no_longer_waits_is_passed_over(cache):
    async with running(cache) as studio:
        asked = [asyncio.get_running_loop().create_task(studio.draw(chart())) for _ in range(3)]
        await asyncio.sleep(0.05)
        asked[1].cancel()
        await asyncio.wait(asked)
        assert studio.counts.drawn == 2


async def test_a_worker_is_replaced_after_so_many_charts(cache):
    async with running(cache, dataclasses.replace(PATIENT, max_drawn=2)) as studio:
        for _ in range(4):
            assert isinstance(await studio.draw(chart()), Picture)
        assert studio.counts.started == 2


async def test_an_idle_worker_goes(cache):
    async with running(cache, dataclasses.replace(PATIENT, idle_s=0.2)) as studio:
        await studio.draw(chart())
        await until(lambda: studio.pid is None)
        assert isinstance(await studio.draw(chart()), Picture)


async def test_what_cannot_start_is_not_tried_again_at_once(cache):
    broken = (sys.executable, "-c", "raise SystemExit(3)")
    async with running(cache, command=broken) as studio:
        found = [await studio.draw(chart()) for _ in range(3)]
        assert all(isinstance(one, NoPicture) and one.reason.startswith("charts cannot be drawn here") for one in found)
        assert studio.counts.started == 1


async def test_without_the_library_it_says_so(cache, tmp_path):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("raise ImportError('no matplotlib here')")
    run = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from bot.charts.worker import main; main()"
    async with running(cache, command=(sys.executable, "-c", run)) as studio:
        found = await studio.draw(chart())
        assert found == NoPicture("charts cannot be drawn here: ImportError: no matplotlib here")


async def test_at_a_stop_nobody_is_left_waiting(cache):
    async with running(cache) as studio:
        asked = [asyncio.get_running_loop().create_task(studio.draw(chart())) for _ in range(3)]
        await until(lambda: studio.pid is not None)
        pid = studio.pid
    assert await asyncio.gather(*asked) == [STOPPED] * 3
    assert not is_alive(pid)
    assert await studio.draw(chart()) is STOPPED


PARENT = """
import asyncio, sys
from pathlib import Path
from bot.charts.studio import Limits, Studio
from bot.clock import SystemClock
from tests.integration.charts.test_studio import chart

async def main():
    studio = Studio(clock=SystemClock(), cache_dir=Path(sys.argv[1]), limits=Limits(draw_s=60, start_s=90))
    asyncio.get_running_loop().create_task(studio.run())
    await asyncio.sleep(0)
    await studio.draw(chart())
    print(f"worker {studio.pid}.", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_it_dies_with_the_bot_even_when_it_hangs(cache):
    for is_hung in (False, True):
        bot = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(cache)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            line = b""
            while not line.startswith(b"worker "):
                line = await asyncio.to_thread(bot.stdout.readline)
                assert line, "it ended by itself"
            pid = int(line.removeprefix(b"worker ").removesuffix(b".\n"))
            if is_hung:
                os.kill(pid, signal.SIGSTOP)
        finally:
            bot.kill()
            bot.wait()
            bot.stdout.close()
        await until(lambda pid=pid: not is_alive(pid))
