"""The venue's REST faults and those of its connections, as a client sees them."""

import asyncio
import time

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.sim.venue import Venue

pytestmark = pytest.mark.integration

TIME = "/fapi/v1/time"
OI = "/fapi/v1/openInterest"


@pytest.fixture
async def venue():
    clock = SystemClock(speed=20.0, epoch_ms=int(time.time() * 1000))
    async with Venue(clock=clock, seed=5, n_instruments=20, script=False) as running:
        yield running


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "status", "header", "begins"),
    [
        ("429", 429, True, b'{"code":-1003'),
        ("429_plain", 429, False, b'{"code":-1003'),
        ("418", 418, True, b'{"code":-1003'),
        ("418_plain", 418, False, b'{"code":-1003'),
        ("1003", 400, False, b'{"code":-1003'),
        ("1121", 400, False, b'{"code":-1121'),
        ("1130", 400, False, b'{"code":-1130'),
        ("4108", 400, False, b'{"code":-4108'),
        ("403", 403, False, b"<html>"),
        ("451", 451, False, b'{"code":0'),
        ("451_html", 451, False, b"<html>"),
        ("500", 500, False, b'{"code":-1001'),
        ("503", 503, False, b'{"239999"'),
        ("page", 200, False, b"<!DOCTYPE html>"),
        ("redirect", 302, False, b"<!DOCTYPE html>"),
        ("bad_json", 200, False, b'{"server'),
    ],
)
async def test_each_fault_has_its_answer_and_ends_with_healing(venue, session, kind, status, header, begins):
    venue.fault(kind, seconds=600)
    async with session.get(venue.rest_url + TIME, allow_redirects=False) as answer:
        assert answer.status == status
        assert ("Retry-After" in answer.headers) == header
        assert (await answer.read()).startswith(begins)
    venue.heal()
    async with session.get(venue.rest_url + TIME) as answer:
        assert "serverTime" in await answer.json()


async def test_a_cut_body_breaks_off_and_a_slow_one_trickles(venue, session):
    venue.fault("cut", seconds=600)
    with pytest.raises(aiohttp.ClientError):
        async with session.get(venue.rest_url + TIME) as answer:
            await answer.read()
    venue.heal()
    venue.fault("trickle", seconds=5)
    began = venue.clock.monotonic_ms()
    async with session.get(venue.rest_url + TIME) as answer:
        assert "serverTime" in await answer.json()
    assert venue.clock.monotonic_ms() - began >= 4000


async def test_a_fault_can_concern_one_symbol(venue, session):
    venue.fault("1121", seconds=600, stream=f"{OI}?symbol=ETHUSDT")
    for symbol, status in (("ETHUSDT", 400), ("BTCUSDT", 200)):
        async with session.get(venue.rest_url + OI, params={"symbol": symbol}) as answer:
            assert answer.status == status


async def test_new_connections_are_refused_while_open_ones_live(venue, session):
    url = f"{venue.stream_url}/market/stream?streams=!markPrice@arr@1s"
    async with session.ws_connect(url) as ws:
        venue.fault("ws_429", seconds=600)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url)
        assert refused.value.status == 429
        assert int(refused.value.headers["Retry-After"]) > 500
        async with asyncio.timeout(5):
            await ws.receive_json()


async def test_the_end_is_announced_to_who_is_there_and_spares_who_comes_later(venue, session):
    url = f"{venue.stream_url}/market/stream?streams=!markPrice@arr@1s"
    async with session.ws_connect(url) as old:
        venue.shut_down(20)
        async with session.ws_connect(url) as new, asyncio.timeout(10):
            events = [message.json().get("e") async for message in old]
            assert "serverShutdown" in events
            assert old.close_code == 1001
            await new.receive_json()


async def test_a_trickling_frame_arrives_whole_in_the_end(venue, session):
    venue.fault("trickle", seconds=10)
    url = f"{venue.stream_url}/market/stream?streams=!markPrice@arr@1s"
    async with session.ws_connect(url, max_msg_size=2**24) as ws, asyncio.timeout(10):
        began = venue.clock.monotonic_ms()
        first = await ws.receive_json()
        assert first["stream"] == "!markPrice@arr@1s"
        assert venue.clock.monotonic_ms() - began > 5000


async def test_pings_are_not_answered_when_so_told(venue, session):
    url = f"{venue.stream_url}/market/ws"
    async with session.ws_connect(url, autoping=False) as ws:
        await ws.ping()
        assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.PONG
        venue.fault("no_pong", seconds=600)
        await ws.ping()
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.3)
