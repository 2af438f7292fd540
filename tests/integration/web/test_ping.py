"""The ping over a real socket: when it comes, what is said with it, and that it never harms."""

import asyncio
import contextlib

import pytest

from bot.clock import SystemClock
from bot.model.readiness import Readiness, Reason
from bot.web.ping import Pinger
from tests.support.listener import listening

pytestmark = pytest.mark.integration

STARTING = Readiness((Reason("starting", "no prices have come yet"),))
BAD = Readiness((Reason("price", "the newest prices are 42s old"),))
WORSE = Readiness((*BAD.reasons, Reason("delivery", "main has taken nothing")))


class State:
    now = STARTING


@contextlib.asynccontextmanager
async def pinging(url: str, style="healthchecks"):
    state = State()
    clock = SystemClock(speed=60)
    pinger = Pinger(url=url, style=style, every_s=10, readiness=lambda: state.now, clock=clock)
    task = asyncio.create_task(pinger.run())
    try:
        yield state, pinger
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_it_pings_only_while_ready_and_tells_why_it_stops():
    async with listening() as switch, pinging(f"{switch.url}/ping/key?a=1") as (state, pinger):
        await until(lambda: switch.asked)
        assert switch.asked == [("GET", "/ping/key/start?a=1", "")]
        await asyncio.sleep(0.5)
        assert len(switch.asked) == 1
        state.now = Readiness()
        await until(lambda: switch.asked.count(("GET", "/ping/key?a=1", "")) >= 2)
        state.now = BAD
        await until(lambda: switch.asked[-1] == ("POST", "/ping/key/fail?a=1", BAD.text))
        n = len(switch.asked)
        await asyncio.sleep(0.5)
        assert len(switch.asked) == n
        state.now = WORSE
        await until(lambda: switch.asked[-1] == ("POST", "/ping/key/fail?a=1", WORSE.text))
        state.now = Readiness()
        await until(lambda: switch.asked[-1] == ("GET", "/ping/key?a=1", ""))
        state.now = BAD
        await until(lambda: switch.asked[-1][1] == "/ping/key/fail?a=1")
        assert pinger.n_failed == 0
        assert pinger.ok_ms is not None


async def test_the_plain_style_asks_for_the_address_alone():
    async with listening() as switch, pinging(f"{switch.url}/push", "plain") as (state, _):
        state.now = BAD
        await asyncio.sleep(0.3)
        assert switch.asked == []
        state.now = Readiness()
        await until(lambda: len(switch.asked) >= 2)
        assert set(switch.asked) == {("GET", "/push", "")}


async def test_a_switch_that_fails_is_tried_again_and_harms_nothing():
    async with listening() as switch, pinging(f"{switch.url}/key-canary", "plain") as (state, pinger):
        switch.status = 503
        state.now = Readiness()
        await until(lambda: pinger.n_failed >= 2)
        switch.status = 302
        await until(lambda: pinger.n_failed >= 4)
        switch.status = 200
        await until(lambda: pinger.ok_ms is not None)


async def test_nobody_listens():
    async with pinging("http://127.0.0.1:9/key", "plain") as (state, pinger):
        state.now = Readiness()
        await until(lambda: pinger.n_failed >= 2)


async def test_a_proxy_of_the_environment_is_used(monkeypatch):
    async with listening() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with pinging("http://switch.example/key", "plain") as (state, _):
            state.now = Readiness()
            await until(lambda: proxy.asked)
