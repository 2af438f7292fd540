"""The WebSocket shell against a venue on loopback, at twenty-five times the speed of life."""

import asyncio
import contextlib
import socket
from http import HTTPStatus
from random import Random

import pytest
from websockets.asyncio.server import serve

from bot.clock import SystemClock
from bot.feeds.binance.protocol import Protocol, stream_url
from bot.feeds.stream import Pace, Stream, probe
from bot.feeds.trouble import TroubleKind

pytestmark = pytest.mark.integration


@contextlib.asynccontextmanager
async def running(stream):
    task = asyncio.create_task(stream.run())
    try:
        yield stream
        assert not task.done(), "run must not end by itself"
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert {t.get_name() for t in asyncio.all_tasks()}.isdisjoint({f"stream {stream.host}"})


async def until(condition, seconds=3.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def make(sink, rows, speed):
    def make(base, **options):
        protocol = Protocol(rows)
        options = {"clock": SystemClock(speed=speed), "random": Random(7), **options}
        return Stream(url=stream_url(base), protocol=protocol, sink=sink, **options)

    return make


async def test_a_feed_is_live_only_after_its_first_frame(venue, make, sink):
    venue.frozen = True
    async with running(make(venue.url)) as stream:
        await until(lambda: venue.n_open == 1)
        await asyncio.sleep(0.03)
        assert not sink.updates
        assert not stream.is_live
        venue.frozen = False
        await until(lambda: stream.is_live and len(sink.seconds()) >= 3)
        for feed in ("mark price", "ticker", "contract info"):
            assert [live for live, _ in sink.statuses(feed)] == [True]
        assert stream.trouble is None
        assert venue.paths == ["/market/stream?streams=!markPrice@arr@1s/!miniTicker@arr/!contractInfo/!forceOrder@arr"]
        assert stream.counters.attempts == stream.counters.connections == 1
    await until(lambda: venue.n_open == 0)


async def test_it_can_be_run_again_after_a_cancel(venue, make, sink):
    stream = make(venue.url)
    for n in (1, 2):
        async with running(stream):
            await until(lambda n=n: stream.counters.connections == n)
    await until(lambda: venue.n_open == 0)
    assert [live for live, _ in sink.statuses("mark price")] == [True, True]


async def test_a_silent_route_is_told_within_fifteen_seconds_and_tried_again_without_a_storm(venue, make, sink, speed):
    venue.frozen = True
    async with running(make(venue.url)) as stream:
        await until(lambda: sink.statuses("mark price"))
        heard_ms = sink.updates[0].received_ms
        assert sink.statuses("mark price")[0][0] is False
        assert "no data" in sink.statuses("mark price")[0][1]
        await until(lambda: stream.trouble is not None)
        assert stream.trouble.kind is TroubleKind.NO_DATA
        await asyncio.sleep(25 / speed)
        assert 2 <= stream.counters.attempts <= 5
        assert venue.n_open <= 2
        assert len(sink.statuses("mark price")) == 1, "told once"
        assert heard_ms - stream._watch._started_ms <= 15_000
        venue.frozen = False
        await until(lambda: stream.is_live)
        assert [live for live, _ in sink.statuses("mark price")] == [False, True]
        assert [live for live, _ in sink.statuses("contract info")] == [False, True]


async def test_one_dead_stream_among_live_ones_renews_the_socket_and_keeps_the_others(venue, make, sink):
    async with running(make(venue.url)) as stream:
        await until(lambda: len(sink.statuses("ticker")) == 1 and stream.is_live)
        venue.muted = {"!miniTicker@arr"}
        await until(lambda: len(sink.statuses("ticker")) >= 2)
        live, reason = sink.statuses("ticker")[1]
        assert not live
        assert "silent" in reason
        attempts = stream.counters.attempts
        await until(lambda: stream.counters.attempts_failed >= 2)
        assert stream.counters.connections == 1, "a new socket that lacks the ticker too is no better"
        assert "no ticker came" in stream.trouble.text
        assert stream.counters.attempts <= attempts + 3
        assert [live for live, _ in sink.statuses("mark price")] == [True]
        venue.muted = set()
        await until(lambda: sink.statuses("ticker")[-1][0])
        await until(lambda: stream.trouble is None and venue.n_open == 1)
        seconds = sorted(set(sink.seconds()))
        assert seconds == list(range(seconds[0], seconds[-1] + 1)), "mark prices went on all the while"


async def test_a_stream_dead_on_one_socket_only_is_healed_by_the_next(venue, make, sink):
    healthy = venue.frames

    def only_mark_on_the_first(connection: int) -> list[str]:
        return healthy(connection)[:1] if connection == 0 else healthy(connection)

    venue.frames = only_mark_on_the_first
    async with running(make(venue.url)) as stream:
        await until(lambda: stream.counters.renewals == 1)
        await until(lambda: venue.n_open == 1)
        assert sink.statuses("ticker")[-1][0]
        assert [live for live, _ in sink.statuses("mark price")] == [True]


async def test_a_closed_connection_comes_back_without_a_loss_being_told(venue, make, sink):
    venue.close_after = 3
    async with running(make(venue.url)) as stream:
        await until(lambda: stream.counters.connections >= 3)
        assert stream.counters.connections_lost >= 2
        assert [live for live, _ in sink.statuses("mark price")] == [True]


async def test_endless_closes_stay_below_one_attempt_a_second(venue, make, speed):
    venue.close_after = 0
    async with running(make(venue.url)) as stream:
        await asyncio.sleep(40 / speed)
        assert 3 <= stream.counters.attempts <= 40
        assert stream.counters.attempts == len(venue.connections) or venue.n_open <= 1


async def test_a_reset_is_survived(venue, make, sink):
    async with running(make(venue.url)) as stream:
        await until(lambda: stream.counters.connections == 1)
        venue.connections[0].transport.abort()
        await until(lambda: stream.counters.connections == 2)
        assert stream.trouble is None
        n = len(sink.seconds())
        await until(lambda: len(sink.seconds()) > n + 2)


async def test_nothing_but_garbage_for_ten_seconds_ends_the_connection(venue, make, sink):
    async with running(make(venue.url)) as stream:
        await until(lambda: stream.counters.connections == 1)
        venue.garbage = True
        await until(lambda: stream.counters.connections_lost == 1)
        assert stream.protocol.counters.frames_unreadable >= 8
        await until(lambda: len(sink.statuses("mark price")) >= 2)
        assert "nothing readable" in sink.statuses("mark price")[1][1]
        venue.garbage = False
        await until(lambda: stream.is_live)


async def test_planned_renewal_misses_no_second(venue, make, sink):
    async with running(make(venue.url, renew_after_s=12.0, renew_jitter_s=1.0)) as stream:
        most = 0
        async with asyncio.timeout(4):
            while stream.counters.renewals < 3:
                most = max(most, venue.n_open)
                await asyncio.sleep(0.003)
        seconds = sink.seconds()
        assert sorted(set(seconds)) == list(range(min(seconds), max(seconds) + 1))
        assert most == 2
        assert stream.counters.connections_lost == 0
        assert [live for live, _ in sink.statuses("mark price")] == [True]


@pytest.mark.parametrize("has_taken_over", [True, False])
async def test_an_announced_end_is_met_by_a_new_connection_before_it_comes(venue, make, sink, has_taken_over):
    venue.frozen = not has_taken_over
    async with running(make(venue.url)) as stream:
        await until(lambda: stream.counters.connections == 1 if has_taken_over else venue.connections)
        await venue.connections[0].send('{"e":"serverShutdown","E":1789478297000}')
        venue.frozen = False
        await until(lambda: stream.counters.renewals == 1)
        await venue.connections[0].close(1001)
        await until(lambda: len(sink.seconds()) > 20)
        assert stream.counters.connections_lost == 0
        assert [live for live, _ in sink.statuses("mark price")] == [True]


async def test_a_venue_that_announces_the_end_of_each_connection_is_not_asked_again_and_again(venue, make, sink):
    async with running(make(venue.url)):
        began = venue.second
        for n in range(3):
            await until(lambda n=n: len(venue.connections) == n + 1, 20)
            await venue.connections[n].send('{"e":"serverShutdown","E":1789478297000}')
        assert venue.second - began >= 25
        assert [live for live, _ in sink.statuses("mark price")] == [True]


async def test_a_half_open_connection_is_found_by_silence_and_used_again_when_it_revives(venue, make, sink):
    async with running(make(venue.url)) as stream:
        await until(lambda: stream.is_live)
        venue.frozen = True
        await until(lambda: not stream.is_live)
        lost = next(u for u in sink.updates if getattr(u, "live", True) is False)
        last = [u for u in sink.updates if hasattr(u, "price")][-1]
        assert 10_000 <= lost.received_ms - last.received_ms <= 15_000
        venue.frozen = False
        await until(lambda: stream.is_live)


async def test_nobody_listening_is_told_as_refused(make, sink):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with running(make(f"ws://127.0.0.1:{port}")) as stream:
        await until(lambda: stream.trouble is not None and sink.updates)
        assert stream.trouble.kind is TroubleKind.REFUSED
        assert sink.statuses("mark price") == [(False, f"127.0.0.1:{port} refused the connection")]


@pytest.mark.parametrize(
    ("status", "kind"), [(451, TroubleKind.REGION), (403, TroubleKind.FORBIDDEN), (404, TroubleKind.HTTP)]
)
async def test_a_refused_handshake_is_classified_and_region_blocks_are_tried_once_an_hour(make, speed, status, kind):
    def refuse(connection, _request):
        return connection.respond(HTTPStatus(status), "no")

    async with serve(lambda _s: None, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running(make(f"ws://127.0.0.1:{port}")) as stream:
            await until(lambda: stream.trouble is not None)
            assert stream.trouble.kind is kind
            await asyncio.sleep(10 / speed)
            assert (stream.counters.attempts == 1) is (status in {451, 403})


@pytest.mark.parametrize(("status", "headers"), [(429, {"Retry-After": "120"}), (403, {}), (451, {})])
async def test_a_wait_that_the_venue_asked_for_outlasts_the_end_of_the_old_connection(
    venue, make, speed, status, headers
):
    refused = []

    def refuse(connection, _request):
        if not venue.connections:
            return None
        refused.append(status)
        response = connection.respond(HTTPStatus(status), "no")
        response.headers.update(headers)
        return response

    async with serve(venue.handle, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        stream = make(f"ws://127.0.0.1:{port}", renew_after_s=5.0, renew_jitter_s=0.0)
        async with running(stream):
            await until(lambda: stream.counters.attempts_failed == 1)
            assert stream.is_live
            await venue.connections[0].close(1001)
            await until(lambda: stream.counters.connections_lost == 1)
            await asyncio.sleep(25 / speed)
            assert refused == [status]


async def test_what_one_shell_was_told_of_limits_holds_for_all_of_the_venue(make, speed):
    refused = []

    def refuse(connection, request):
        refused.append(request.path)
        response = connection.respond(HTTPStatus(429), "no")
        response.headers["Retry-After"] = "600"
        return response

    async with serve(lambda _s: None, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        pace, clock = Pace(), SystemClock(speed=speed)
        one, other = (make(f"ws://127.0.0.1:{port}", pace=pace, clock=clock) for _ in range(2))
        async with running(one):
            await until(lambda: one.trouble is not None)
            async with running(other):
                await asyncio.sleep(10 / speed)
        assert (len(refused), other.counters.attempts) == (1, 0)


async def test_a_server_that_never_answers_the_handshake_times_out(make, sink):
    async def mute(reader, writer):
        await reader.read()
        writer.close()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with running(make(f"ws://127.0.0.1:{port}")) as stream:
            await until(lambda: stream.trouble is not None)
            assert stream.trouble.kind is TroubleKind.TIMEOUT
            assert "did not answer" in stream.trouble.text


async def test_a_portal_that_answers_in_the_clear_is_told_as_tls(make):
    async def portal(_reader, writer):
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://portal.invalid/\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(portal, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with running(make(f"wss://127.0.0.1:{port}")) as stream:
            await until(lambda: stream.trouble is not None)
            assert stream.trouble.kind is TroubleKind.TLS
            assert "portal" in stream.trouble.text


async def test_a_name_that_does_not_resolve_is_told(make):
    stream = make("ws://nowhere.invalid")
    async with running(stream):
        await until(lambda: stream.trouble is not None)
        assert stream.trouble.kind is TroubleKind.NAME
        assert "nowhere.invalid" in stream.trouble.text


async def test_an_address_that_swallows_everything_does_not_hide_the_one_that_answers(venue, make, sink, monkeypatch):
    """As where IPv6 is announced and leads nowhere: the first address never answers."""
    port = int(venue.url.rpartition(":")[2])
    loop = asyncio.get_running_loop()

    async def both(host, port, **_options):
        place = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*place, ("127.0.0.2", port)), (*place, ("127.0.0.1", port))]

    with socket.socket() as hole, contextlib.ExitStack() as waiting:
        hole.bind(("127.0.0.2", port))
        hole.listen(0)
        # Whoever comes after these is not even refused.
        for _ in range(4):
            early = waiting.enter_context(socket.socket())
            early.setblocking(False)
            early.connect_ex(("127.0.0.2", port))
        monkeypatch.setattr(loop, "getaddrinfo", both)
        async with running(make(f"ws://venue.invalid:{port}")) as stream:
            await until(lambda: stream.counters.connections == 1)
            assert stream.counters.attempts_failed == 0


async def test_a_probe_says_whether_data_comes(venue, rows, speed):
    clock = SystemClock(speed=speed)
    url = stream_url(venue.url)
    assert await probe(url=url, protocol=Protocol(rows), clock=clock) is None
    venue.frozen = True
    trouble = await probe(url=url, protocol=Protocol(rows), clock=clock)
    assert trouble is not None
    assert trouble.kind is TroubleKind.NO_DATA
    await until(lambda: venue.n_open == 0)


async def test_a_frame_beyond_the_limit_costs_the_connection_only(venue, make, sink):
    async with running(make(venue.url)) as stream:
        await until(lambda: stream.counters.connections == 1)
        await venue.connections[0].send("x" * (9 * 2**20))
        await until(lambda: stream.counters.connections == 2)
        assert stream.counters.connections_lost == 1
