"""The REST client against a small server on loopback: what only real sockets can show."""

import asyncio
import contextlib
import random
import socket

import pytest
from aiohttp import web

from bot.clock import SystemClock
from bot.feeds.binance import rest
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.storage.memory import MemoryKeyValues

pytestmark = pytest.mark.integration


@contextlib.asynccontextmanager
async def serving(handler):
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def client_of(url: str, *, speed: float = 20.0, **kwargs) -> RestClient:
    clock = SystemClock(speed=speed)
    return RestClient(
        venue=rest.BinanceRest(),
        base_url=url,
        clock=clock,
        store=MemoryKeyValues(),
        random=random.Random(1),
        venue_now=clock.wall_ms,
        **kwargs,
    )


async def ask(url: str, request=None, *, attempts: int = 1, **kwargs):
    async with client_of(url, **kwargs) as client:
        return await client.get(request or rest.server_time(), priority=Priority.QUESTION, attempts=attempts)


async def test_symbols_of_any_script_arrive_as_they_are_named_and_we_say_who_we_are() -> None:
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path, request.query["symbol"], request.headers["User-Agent"]))
        return web.json_response({"openInterest": "1"})

    async with serving(handler) as url:
        body = await ask(url + "/", rest.open_interest("币安人生USDT"))
    assert body == b'{"openInterest": "1"}'
    assert seen == [("/fapi/v1/openInterest", "币安人生USDT", "oibot")]


async def test_a_redirect_is_not_followed_and_a_page_is_no_answer() -> None:
    n = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal n
        n += 1
        if request.path == "/login":
            return web.Response(text="<html>please log in</html>", content_type="text/html")
        raise web.HTTPFound("/login")

    async with serving(handler) as url:
        outcome = await ask(url)
    assert isinstance(outcome, Failure)
    assert outcome.is_passing
    assert n == 1


async def test_an_answer_that_breaks_off_is_tried_again() -> None:
    n = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal n
        n += 1
        if n == 1:
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"serverTime":')
            assert request.transport is not None
            request.transport.abort()
            return response
        return web.json_response({"serverTime": 5})

    async with serving(handler) as url:
        assert await ask(url, attempts=3) == b'{"serverTime": 5}'
    assert n == 2


async def test_a_host_that_never_answers_is_given_up_after_ten_seconds_of_the_clock() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(handler) as url:
        outcome = await ask(url, speed=50.0)
    assert outcome == Failure("unreachable", "127.0.0.1 did not answer in time")


async def test_a_refused_connection_is_told_in_plain_words() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert await ask(f"http://127.0.0.1:{port}") == Failure("unreachable", "127.0.0.1 refused the connection")


async def test_a_name_that_does_not_exist_is_told_in_plain_words() -> None:
    outcome = await ask("http://fapi.invalid", speed=1.0)
    assert isinstance(outcome, Failure)
    assert outcome.text.startswith("the name fapi.invalid could not be resolved")


async def test_no_proxy_answering_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://user:hunter2@127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    outcome = await ask("http://fapi.example")
    assert isinstance(outcome, Failure)
    assert outcome.text == "the proxy named in HTTPS_PROXY or HTTP_PROXY cannot be used"


async def test_ten_calls_share_connections_and_leave_none_behind() -> None:
    ports = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.json_response({"serverTime": 5})

    async with serving(handler) as url, client_of(url) as client:
        for _ in range(10):
            assert await client.get(rest.server_time(), priority=Priority.POLL) == b'{"serverTime": 5}'
    assert len(ports) == 1
