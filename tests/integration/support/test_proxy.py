"""Each way in which the network may misbehave, seen from a client."""

import asyncio
import subprocess
import sys
import time

import pytest

from tests.support.proxy import Proxy, stopped

PAYLOAD = b"x" * 10_000


@pytest.fixture
async def proxy():
    async def serve(reader, writer):
        while data := await reader.read(65_536):
            if data == b"more":
                data = PAYLOAD
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, Proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as found:
        yield found


async def ask(proxy, data, *, size=None, within_s=5.0):
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    try:
        writer.write(data)
        async with asyncio.timeout(within_s):
            return await (reader.readexactly(size or len(data)) if size != -1 else reader.read())
    finally:
        writer.close()


async def test_it_passes_everything_on(proxy):
    assert await ask(proxy, b"hello") == b"hello"
    assert await ask(proxy, b"more", size=10_000) == PAYLOAD
    assert proxy.n_connections == 2


async def test_a_delay_is_each_way(proxy):
    proxy.set(delay_s=0.1)
    began = time.monotonic()
    await ask(proxy, b"hello")
    assert time.monotonic() - began >= 0.2


async def test_a_throttle_makes_it_slow(proxy):
    proxy.set(bytes_per_s=20_000)
    began = time.monotonic()
    await ask(proxy, b"more", size=10_000)
    assert 0.4 <= time.monotonic() - began < 2


async def test_it_cuts_after_so_many_bytes(proxy):
    proxy.set(cut_after=3_000)
    assert len(await ask(proxy, b"more", size=-1)) == 3_000
    assert proxy.n_cut == 1


async def test_a_cut_may_be_a_reset(proxy):
    proxy.set(cut_after=3_000, resets=True)
    with pytest.raises(ConnectionResetError):
        await ask(proxy, b"more", size=-1)


async def test_it_resets_new_and_open_connections(proxy):
    proxy.set(refuses=True)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await ask(proxy, b"hello")
    proxy.set()
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    proxy.break_all()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_black_hole_takes_and_never_answers_until_it_opens(proxy):
    proxy.set(black_hole=True)
    with pytest.raises(TimeoutError):
        await ask(proxy, b"hello", within_s=0.3)
    held = asyncio.create_task(ask(proxy, b"later"))
    await asyncio.sleep(0.1)
    assert not held.done()
    proxy.set()
    assert await held == b"later"


async def test_open_connections_fall_into_the_hole_too(proxy):
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    writer.write(b"one")
    assert await reader.readexactly(3) == b"one"
    proxy.set(black_hole=True)
    writer.write(b"two")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await reader.readexactly(3)
    proxy.set()
    writer.close()


async def test_a_stopped_process_is_connected_and_silent():
    code = "import socket;s=socket.create_server(('127.0.0.1',0));print(s.getsockname()[1],flush=True)\nwhile 1:\n c,_=s.accept();c.sendall(c.recv(9))"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        port = int(child.stdout.readline())
        with stopped(child.pid):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await reader.readexactly(5)
        assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"
        writer.close()
    finally:
        child.kill()
        child.communicate()
