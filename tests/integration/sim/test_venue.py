"""The simulated venue over loopback: limits, routes, control frames, faults, listings."""

import asyncio
import itertools
import json
import time

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.sim.venue import Venue

pytestmark = pytest.mark.integration

FAST = 20.0
ARRAY = "!markPrice@arr@1s"


@pytest.fixture
async def venue():
    """A quiet venue, twenty times as fast as the wall clock, that starts in the middle of a minute."""
    epoch_ms = int(time.time() * 1000) // 60_000 * 60_000 + 5_000
    clock = SystemClock(speed=FAST, epoch_ms=epoch_ms)
    async with Venue(clock=clock, seed=5, n_instruments=40, script=False) as running:
        yield running


@pytest.fixture
async def slow_venue():
    """A quiet venue at the speed of the wall clock."""
    async with Venue(seed=5, n_instruments=40, script=False) as running:
        yield running


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as opened:
        yield opened


async def get(session, venue, path, **params):
    async with session.get(venue.rest_url + path, params=params) as answer:
        raw = await answer.read()
        body = json.loads(raw) if answer.content_type == "application/json" else raw.decode()
        return answer.status, body, answer.headers


async def post(session, venue, path, **body):
    async with session.post(venue.rest_url + path, json=body) as answer:
        return answer.status, await answer.json()


def dial(session, venue, path):
    return session.ws_connect(venue.stream_url + path, autoping=True)


async def upgrade(venue, path):
    """Open a WebSocket by hand and return its raw streams."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(venue.rest_url.rsplit(":", 1)[1]))
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def heard(ws, seconds):
    """Return what arrives within that many real seconds."""
    found = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await ws.receive()
                if message.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                    found.append(message.type)
                    return found
                found.append(message.data)
    except TimeoutError:
        return found


async def one(ws, seconds=5.0):
    """Return the next message as JSON."""
    async with asyncio.timeout(seconds):
        return json.loads((await ws.receive()).data)


async def test_weights_add_up_in_the_header(slow_venue, session):
    asked = [
        ("/fapi/v1/time", {}, 1),
        ("/fapi/v1/exchangeInfo", {}, 1),
        ("/fapi/v1/openInterest", {"symbol": "BTCUSDT"}, 1),
        ("/fapi/v1/premiumIndex", {}, 10),
        ("/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"}, 1),
        ("/fapi/v1/ticker/24hr", {}, 40),
        ("/fapi/v1/ticker/24hr", {"symbol": "BTCUSDT"}, 1),
        ("/fapi/v2/ticker/price", {}, 2),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 99}, 1),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 100}, 2),
        ("/fapi/v1/markPriceKlines", {"symbol": "BTCUSDT", "interval": "1m"}, 5),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 1500}, 10),
        ("/futures/data/openInterestHist", {"symbol": "BTCUSDT", "period": "5m"}, 0),
        ("/fapi/v1/fundingRate", {"symbol": "BTCUSDT"}, 0),
        ("/fapi/v1/fundingInfo", {}, 0),
    ]
    before = None
    for path, params, weight in asked:
        status, _, headers = await get(session, slow_venue, path, **params)
        assert status == 200
        used = int(headers["X-MBX-USED-WEIGHT-1M"])
        if before is not None and used >= before:
            assert used - before == weight, path
        before = used
    stats = slow_venue.stats()
    assert stats["requests"]["/fapi/v1/klines"] == 3
    assert stats["max_data_5m"] == 1
    assert stats["max_funding_5m"] == 2


async def test_errors_have_the_published_codes(slow_venue, session):
    cases = [
        ("/fapi/v1/openInterest", {}, 400, -1102),
        ("/fapi/v1/openInterest", {"symbol": "NOPEUSDT"}, 400, -1121),
        ("/fapi/v1/openInterest", {"symbol": "FTMUSDT"}, 400, -4108),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1s"}, 400, -1120),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 2000}, 400, -1130),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "many"}, 400, -1100),
        ("/futures/data/openInterestHist", {"symbol": "BTCUSDT", "period": "5m", "limit": 501}, 400, -1130),
        ("/futures/data/openInterestHist", {"symbol": "BTCUSDT", "period": "7m"}, 400, -1130),
    ]
    for path, params, status, code in cases:
        found_status, body, headers = await get(session, slow_venue, path, **params)
        assert (found_status, body["code"]) == (status, code), path
        assert "X-MBX-USED-WEIGHT-1M" in headers
    assert (await get(session, slow_venue, "/fapi/v1/nonsense"))[0] == 404
    async with session.get(f"{slow_venue.rest_url}/fapi/v1//time") as answer:
        assert answer.status == 403


async def test_a_percent_encoded_symbol_is_found(slow_venue, session):
    status, body, _ = await get(session, slow_venue, "/fapi/v1/openInterest", symbol="币安人生USDT")
    assert (status, body["symbol"]) == (200, "币安人生USDT")


async def test_history_can_be_paged_by_time(slow_venue, session):
    path = "/futures/data/openInterestHist"
    _, newest, _ = await get(session, slow_venue, path, symbol="BTCUSDT", period="5m", limit=500)
    assert len(newest) == 500
    times = [row["timestamp"] for row in newest]
    assert times == sorted(set(times))
    _, older, _ = await get(session, slow_venue, path, symbol="BTCUSDT", period="5m", limit=500, endTime=times[0] - 1)
    assert older[-1]["timestamp"] == times[0] - 300_000
    _, middle, _ = await get(
        session, slow_venue, path, symbol="BTCUSDT", period="5m", startTime=times[10], endTime=times[19]
    )
    assert middle == newest[10:20]
    status, body, _ = await get(session, slow_venue, path, symbol="BTCUSDT", period="5m", startTime=1_600_000_000_000)
    assert (status, body["code"]) == (400, -1130)


async def test_beyond_the_limit_is_429_and_going_on_is_418(slow_venue, session):
    limits = slow_venue.rest.limits_of("127.0.0.1")
    minute, answers = -1, []
    while minute != slow_venue.clock.wall_ms() // 60_000:  # again, should the minute turn on the way
        minute = slow_venue.clock.wall_ms() // 60_000
        limits.request(slow_venue.clock.wall_ms(), 2399, None)
        answers = [await get(session, slow_venue, "/fapi/v1/time") for _ in range(14)]
    assert [status for status, _, _ in answers] == [200] + [429] * 10 + [418] * 3
    assert {body["code"] for _, body, _ in answers[1:]} == {-1003}
    assert all(1 <= int(headers["Retry-After"]) <= 60 for _, _, headers in answers[1:11])
    until_ms = int(answers[-1][1]["msg"].split("banned until ")[1].split(".")[0])
    assert 110_000 < until_ms - slow_venue.clock.wall_ms() <= 120_000
    assert slow_venue.stats()["n_in_ban"] == 2


async def test_a_ban_on_request_stops_everything_and_heals(slow_venue, session):
    assert (await post(session, slow_venue, "/sim/fault", kind="418", seconds=120))[0] == 200
    status, body, headers = await get(session, slow_venue, "/fapi/v1/time")
    assert status == 418
    assert "banned until" in body["msg"]
    assert 110 <= int(headers["Retry-After"]) <= 120
    assert slow_venue.stats()["n_in_ban"] == 1
    await post(session, slow_venue, "/sim/heal")
    assert (await get(session, slow_venue, "/fapi/v1/time"))[0] == 200


async def test_whoever_waits_as_a_refused_handshake_says_is_let_in(slow_venue, session):
    slow_venue.fault("ws_429", seconds=5.999)
    until_ms = slow_venue.faults.listed(slow_venue.clock.wall_ms())[0].until_ms
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    async with session.get(f"{slow_venue.rest_url}/market/stream", headers=upgrade) as answer:
        assert answer.status == 429
        assert slow_venue.clock.wall_ms() + int(answer.headers["Retry-After"]) * 1000 >= until_ms


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("403", 403), ("451", 451), ("500", 500)])
async def test_other_refusals_on_request(slow_venue, session, kind, status):
    await post(session, slow_venue, "/sim/fault", kind=kind, seconds=0.3, stream="/fapi/v1/openInterest")
    found, body, headers = await get(session, slow_venue, "/fapi/v1/openInterest", symbol="BTCUSDT")
    assert found == status
    assert ("Retry-After" in headers) == (status == 429)
    if status == 451:
        assert "restricted location" in body["msg"]
    if status == 403:
        assert body.startswith("<html>")
    assert (await get(session, slow_venue, "/fapi/v1/time"))[0] == 200
    await asyncio.sleep(0.35)
    assert (await get(session, slow_venue, "/fapi/v1/openInterest", symbol="BTCUSDT"))[0] == 200


async def test_the_control_endpoint_refuses_nonsense(slow_venue, session):
    assert (await post(session, slow_venue, "/sim/fault", kind="earthquake"))[0] == 400
    assert (await post(session, slow_venue, "/sim/fault", kin="silence"))[0] == 400
    assert (await post(session, slow_venue, "/sim/explode"))[0] == 404
    assert (await post(session, slow_venue, "/sim/halt", symbol="NOPEUSDT"))[0] == 404
    assert (await post(session, slow_venue, "/sim/list", base="BTC"))[0] == 400


async def test_combined_and_raw_payloads(venue, session):
    async with dial(session, venue, f"/market/stream?streams={ARRAY}/btcusdt@markPrice@1s") as ws:
        first = [await one(ws) for _ in range(3)]
    assert [m["stream"] for m in first] == [ARRAY, ARRAY, "btcusdt@markPrice@1s"]
    assert isinstance(first[0]["data"], list)
    assert first[2]["data"]["s"] == "BTCUSDT"
    async with dial(session, venue, f"/market/ws/{ARRAY}") as ws:
        raw = await one(ws)
    assert raw[0]["e"] == "markPriceUpdate"


async def test_pushes_stand_on_whole_seconds_and_agree_with_history(venue, session):
    async with dial(session, venue, "/market/stream?streams=ethusdt@markPrice@1s") as ws:
        seen = {}
        while not any(t % 60_000 == 0 for t in seen):
            data = (await one(ws))["data"]
            seen[data["E"]] = data["p"]
    times = sorted(seen)
    assert all(t % 1000 == 0 for t in times)
    assert {b - a for a, b in itertools.pairwise(times)} <= {1000, 2000, 3000}
    minute = next(t for t in times if t % 60_000 == 0)
    _, bars, _ = await get(
        session, venue, "/fapi/v1/markPriceKlines", symbol="ETHUSDT", interval="1m", startTime=minute - 60_000, limit=1
    )
    assert float(bars[0][4]) == pytest.approx(float(seen[minute]), rel=1e-9)


@pytest.mark.parametrize("path", [f"/stream?streams={ARRAY}", f"/ws/{ARRAY}", f"/public/stream?streams={ARRAY}"])
async def test_unrouted_streams_acknowledge_and_stay_silent(venue, session, path):
    async with dial(session, venue, path) as ws:
        await ws.send_json({"method": "SUBSCRIBE", "params": ["!miniTicker@arr"], "id": 1})
        assert await one(ws) == {"result": None, "id": 1}
        assert await heard(ws, 0.5) == []
    assert venue.market.anchor_ms is None


async def test_a_symbol_in_upper_case_stays_silent(venue, session):
    async with dial(session, venue, "/market/stream?streams=BTCUSDT@markPrice@1s") as ws:
        assert await heard(ws, 0.4) == []


async def test_control_frames(venue, session):
    async with dial(session, venue, "/market/ws") as ws:

        async def ask(**frame):
            await ws.send_json(frame)
            while isinstance(answer := await one(ws), list) or not answer.keys() & {"id", "code"}:
                pass
            return answer

        assert await ask(method="SUBSCRIBE", params=["btcusdt@markPrice@1s"], id=1) == {"result": None, "id": 1}
        assert (await one(ws))["s"] == "BTCUSDT"
        assert (await ask(method="LIST_SUBSCRIPTIONS", id=2))["result"] == ["btcusdt@markPrice@1s"]
        assert (await ask(method="SET_PROPERTY", params=["combined", True], id=3))["result"] is None
        assert (await one(ws))["stream"] == "btcusdt@markPrice@1s"
        assert (await ask(method="SET_PROPERTY", params=["colour", True], id=4))["code"] == 2
        assert (await ask(method="SUBSCRIBE", params=["x"], id=-1))["code"] == 2
        assert (await ask(method="UNSUBSCRIBE", params=["btcusdt@markPrice@1s"], id=5))["result"] is None
        await ws.send_str("{not json")
        assert [json.loads(m)["code"] for m in await heard(ws, 0.4) if "code" in m] == [3]


async def test_more_than_ten_messages_a_second_end_the_connection(slow_venue, session):
    async with dial(session, slow_venue, "/market/ws") as ws:
        for number in range(12):
            await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        assert (await heard(ws, 2))[-1] in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        assert ws.close_code == 1008
    assert slow_venue.stats()["n_closed_flood"] == 1


async def test_more_streams_than_allowed_are_refused(slow_venue, session):
    async with dial(session, slow_venue, "/market/ws") as ws:
        await ws.send_json({"method": "SUBSCRIBE", "params": [f"c{k}usdt@ticker" for k in range(1025)], "id": 1})
        assert (await one(ws))["code"] == 2


async def test_a_client_that_never_answers_pings_is_dropped():
    clock = SystemClock(speed=1000.0, epoch_ms=int(time.time() * 1000))
    async with (
        Venue(clock=clock, n_instruments=8, script=False) as venue,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.stream_url}/market/ws", autoping=False) as ws,
    ):
        pings = 0
        async with asyncio.timeout(10):
            async for message in ws:
                pings += message.type is aiohttp.WSMsgType.PING
        assert 3 <= pings <= 5
        assert ws.close_code in {1006, None}


async def test_silence_of_one_stream_leaves_the_other(venue, session):
    async with dial(session, venue, f"/market/stream?streams={ARRAY}/!miniTicker@arr") as ws:
        await one(ws)
        venue.fault("silence", seconds=3600, stream=ARRAY)
        await heard(ws, 0.2)
        names = {json.loads(m)["stream"] for m in await heard(ws, 0.5)}
        assert names == {"!miniTicker@arr"}
        venue.heal()
        assert ARRAY in {json.loads(m)["stream"] for m in await heard(ws, 0.5)}


async def test_half_open_neither_speaks_nor_closes_and_a_new_connection_works(venue, session):
    async with dial(session, venue, f"/market/stream?streams={ARRAY}") as ws:
        await one(ws)
        venue.fault("half_open", seconds=20)
        await heard(ws, 0.1)
        assert await heard(ws, 0.4) == []
        async with dial(session, venue, f"/market/stream?streams={ARRAY}") as fresh:
            assert (await one(fresh))["stream"] == ARRAY
        assert (await heard(ws, 3))[-1] in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}


async def test_a_reset_ends_the_connection_without_a_close_frame(venue, session):
    async with dial(session, venue, f"/market/stream?streams={ARRAY}") as ws:
        await one(ws)
        venue.fault("reset")
        assert not isinstance((await heard(ws, 2))[-1], str)
        assert ws.close_code in {1006, None}
    async with asyncio.timeout(2):
        while venue.stats()["clients"]:
            await asyncio.sleep(0.01)


async def test_a_reset_is_a_real_one_on_the_wire(venue):
    reader, writer = await upgrade(venue, f"/market/stream?streams={ARRAY}")
    await reader.readexactly(10)
    venue.fault("reset")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_garbage_cannot_be_parsed_and_passes(venue, session):
    async with dial(session, venue, f"/market/stream?streams={ARRAY}") as ws:
        await one(ws)
        venue.fault("garbage", seconds=8)
        broken = 0
        for text in await heard(ws, 1.2):
            try:
                json.loads(text)
            except ValueError:
                broken += 1
        assert broken > 5
        assert (await one(ws))["stream"] == ARRAY


async def test_wrong_route_makes_the_right_url_silent(venue, session):
    venue.fault("wrong_route", seconds=3600)
    async with dial(session, venue, f"/market/stream?streams={ARRAY}") as ws:
        assert await heard(ws, 0.4) == []


async def test_close_with_a_code_on_request(venue, session):
    async with dial(session, venue, f"/market/stream?streams={ARRAY}") as ws:
        await one(ws)
        closing = asyncio.create_task(post(session, venue, "/sim/close", code=1011))
        await heard(ws, 2)
        assert (await closing)[0] == 200
        assert ws.close_code == 1011


async def test_a_listing_is_announced_and_trades_everywhere(venue, session):
    async with dial(session, venue, f"/market/stream?streams=!contractInfo/{ARRAY}") as ws:
        await one(ws)
        await post(session, venue, "/sim/list", base="FRESH", price=3.5)
        seen = [json.loads(m) for m in await heard(ws, 0.5)]
    told = [m["data"] for m in seen if m["stream"] == "!contractInfo"]
    assert [(m["s"], m["cs"]) for m in told] == [("FRESHUSDT", "TRADING")]
    assert any(row["s"] == "FRESHUSDT" for m in seen if m["stream"] == ARRAY for row in m["data"])
    _, info, _ = await get(session, venue, "/fapi/v1/exchangeInfo")
    assert "FRESHUSDT" in {s["symbol"] for s in info["symbols"]}
    status, body, _ = await get(session, venue, "/fapi/v1/openInterest", symbol="FRESHUSDT")
    assert status == 200
    assert float(body["openInterest"]) > 0
    _, rows, _ = await get(session, venue, "/futures/data/openInterestHist", symbol="FRESHUSDT", period="5m")
    assert len(rows) <= 1


async def test_a_delisting_freezes_then_removes(venue, session):
    async with dial(session, venue, "/market/stream?streams=!contractInfo") as ws:
        await post(session, venue, "/sim/delist", symbol="XRPUSDT")
        told = (await one(ws))["data"]
        assert (told["s"], told["cs"]) == ("XRPUSDT", "SETTLING")
        assert told["dt"] < 4_133_404_800_000
        _, body, _ = await get(session, venue, "/fapi/v1/openInterest", symbol="XRPUSDT")
        assert body["code"] == -4108
        _, premium, _ = await get(session, venue, "/fapi/v1/premiumIndex", symbol="XRPUSDT")
        assert premium["lastFundingRate"] == "0.00000000"
        await post(session, venue, "/sim/settle", symbol="XRPUSDT")
        assert (await one(ws))["data"]["cs"] == "CLOSE"
    _, info, _ = await get(session, venue, "/fapi/v1/exchangeInfo")
    assert "XRPUSDT" not in {s["symbol"] for s in info["symbols"]}


async def test_a_halt_and_its_end(venue, session):
    async with dial(session, venue, "/market/stream?streams=!contractInfo") as ws:
        await post(session, venue, "/sim/halt", symbol="ADAUSDT")
        assert (await one(ws))["data"]["cs"] == "TRADING_HALT"
        frozen = venue.market.prices(venue.clock.wall_ms())[venue.market.rows["ADAUSDT"]]
        await asyncio.sleep(0.2)
        assert venue.market.prices(venue.clock.wall_ms())[venue.market.rows["ADAUSDT"]] == frozen
        await post(session, venue, "/sim/resume", symbol="ADAUSDT")
        assert (await one(ws))["data"]["cs"] == "TRADING"
    assert (await get(session, venue, "/fapi/v1/openInterest", symbol="ADAUSDT"))[0] == 200


async def test_the_first_mark_price_fixes_the_anchor_and_the_schedule_follows(session):
    clock = SystemClock(speed=200.0, epoch_ms=int(time.time() * 1000))
    async with Venue(clock=clock, seed=2, n_instruments=60) as venue:
        async with dial(session, venue, "/market/stream?streams=!miniTicker@arr") as ws:
            await one(ws)
        assert venue.market.anchor_ms is None
        async with dial(session, venue, f"/market/stream?streams={ARRAY}/!contractInfo") as ws:
            first = await one(ws)
            assert venue.market.anchor_ms == first["data"][0]["E"]
            told = []
            async with asyncio.timeout(20):
                while len(told) < 3:
                    message = await one(ws)
                    if message["stream"] == "!contractInfo":
                        told.append((message["data"]["cs"], message["data"]["E"] - venue.market.anchor_ms))
    assert [status for status, _ in told] == ["TRADING", "SETTLING", "CLOSE"]
    assert 150_000 <= told[0][1] < 170_000
    assert 300_000 <= told[1][1] < 320_000


async def test_a_client_that_reads_nothing_is_dropped_and_the_others_go_on(session):
    clock = SystemClock(speed=100.0, epoch_ms=int(time.time() * 1000))
    async with Venue(clock=clock, n_instruments=300, script=False) as venue:
        reader, writer = await upgrade(venue, f"/market/stream?streams={ARRAY}/!ticker@arr")
        reader._transport.pause_reading()
        async with dial(session, venue, f"/market/stream?streams={ARRAY}") as ws:
            async with asyncio.timeout(30):
                while venue.stats()["n_dropped_slow"] == 0:
                    assert (await one(ws))["stream"] == ARRAY
        writer.close()


async def test_a_coin_moves_on_request_and_comes_back(slow_venue, session):
    async def now():
        _, premium, _ = await get(session, slow_venue, "/fapi/v1/premiumIndex", symbol="ETHUSDT")
        _, held, _ = await get(session, slow_venue, "/fapi/v1/openInterest", symbol="ETHUSDT")
        return float(premium["markPrice"]), float(held["openInterest"])

    price, held = await now()
    status, _ = await post(
        session, slow_venue, "/sim/move", symbol="ETHUSDT", price_change=0.2, oi_change=-0.3, seconds=0.5
    )
    assert status == 200
    await asyncio.sleep(2.2)
    moved = await now()
    assert moved[0] / price == pytest.approx(1.2, rel=0.01)
    assert moved[1] / held == pytest.approx(0.7, rel=0.01)
    await asyncio.sleep(2.5)
    back = await now()
    assert back == pytest.approx((price, held), rel=0.01)
    assert (await post(session, slow_venue, "/sim/move", symbol="NOPEUSDT"))[0] == 404
    assert (await post(session, slow_venue, "/sim/move", symbol="ETHUSDT", price_change=-1))[0] == 400
