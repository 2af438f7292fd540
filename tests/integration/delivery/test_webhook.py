"""Signed webhooks over real sockets, judged by a server that knows only what the guide says."""

import asyncio
import hashlib
import hmac
import json
import socket

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver

from bot.clock import SystemClock
from bot.delivery.destination import Form
from bot.delivery.webhook import TOTAL_TIMEOUT_S, WebhookDestination
from bot.delivery.webhook_body import id_of
from bot.model.outbox import Delivered, Rejected, RetryLater

SECRET = "canary-0123456789abcdef"


class Receiver:
    """Verifies as docs/destinations.md says, keeps what arrived, and answers from a script, else 204."""

    def __init__(self):
        self.requests = []
        self.script = []
        self.now_s = None
        self.hang = asyncio.Event()
        self.hang.set()

    async def handle(self, request):
        body = await request.read()
        stamp = request.headers["X-Oibot-Timestamp"]
        expected = "sha256=" + hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        self.requests.append(
            {
                "signed": hmac.compare_digest(expected, request.headers["X-Oibot-Signature"]),
                "age_s": self.now_s() - int(stamp),
                "stamp": stamp,
                "key": request.headers["Idempotency-Key"],
                "type": request.headers["Content-Type"],
                "agent": request.headers["User-Agent"],
                "body": body,
                "path": request.path_qs,
            }
        )
        await self.hang.wait()
        answer = self.script.pop(0) if self.script else 204
        if answer == "cut":
            request.transport.close()
            return web.Response()
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(status=status, headers=headers, body=b"x" * 100_000 if status == 200 else b"")

    @property
    def keys(self):
        return [request["key"] for request in self.requests]


@pytest.fixture
async def receiver(fast):
    found = Receiver()
    found.now_s = lambda: fast.wall_ms() / 1000
    app = web.Application()
    app.router.add_post("/{tail:.*}", found.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.port = runner.addresses[0][1]
    found.url = f"http://127.0.0.1:{found.port}/hook?a=b%2Fc"
    yield found
    found.hang.set()
    await runner.cleanup()


@pytest.fixture
async def webhook(receiver, fast):
    async with WebhookDestination(url=receiver.url, secret=SECRET, clock=fast) as found:
        yield found


async def test_a_message_arrives_signed_and_verifies(receiver, webhook, order, row):
    fired = order(row(destination="webhook"))
    answer = await webhook.send(fired)
    [request] = receiver.requests
    assert answer == Delivered(None), "what a program took cannot be edited"
    assert request["key"] == id_of(fired)
    assert request["signed"]
    assert -2 < request["age_s"] < 30
    assert request["type"] == "application/json"
    assert request["agent"].startswith("oibot/")
    assert request["path"] == "/hook?a=b%2Fc"
    found = json.loads(request["body"])
    assert found["message_id"] == request["key"]
    assert found["events"][0]["kind"] == "fire"


async def test_an_end_is_an_event_of_its_own_with_the_same_alert(receiver, webhook, order, row):
    await webhook.send(order(row(destination="webhook")))
    end = order(row("end", destination="webhook", after_s=60), form=Form.EDIT)
    assert isinstance(await webhook.send(end), Delivered)
    first, second = (json.loads(request["body"])["events"][0] for request in receiver.requests)
    assert [first["kind"], second["kind"]] == ["fire", "end"]
    assert first["alert"]["key"] == second["alert"]["key"]
    assert len(set(receiver.keys)) == 2


@pytest.mark.promise("P1")
async def test_retries_keep_the_key_and_the_bytes_and_sign_anew(receiver, running, webhook, row, fast):
    """Lanes and outbox, a server that fails in every way it may recover from, then takes it."""
    receiver.script = [503, "cut", (429, {"Retry-After": "1"}), 500, 200]
    async with running(webhook) as room:
        await room.commit(row(destination="webhook", at_ms=fast.wall_ms()))
        async with asyncio.timeout(20):
            counts = await room.settled(within_s=20)
    assert counts["delivered"] == 1
    assert len(receiver.requests) == 5
    assert len(set(receiver.keys)) == 1
    assert len({request["body"] for request in receiver.requests}) == 1
    assert all(request["signed"] for request in receiver.requests)
    assert len({request["stamp"] for request in receiver.requests}) > 1


@pytest.mark.promise("P10")
@pytest.mark.parametrize("status", [410, 404, 400])
async def test_a_refusal_ends_the_destination_and_is_not_repeated(receiver, running, webhook, row, fast, status):
    receiver.script = [status]
    async with running(webhook) as room:
        await room.commit(row(destination="webhook", at_ms=fast.wall_ms()))
        async with asyncio.timeout(10):
            while room.lanes.status()[0].dead_reason is None:
                await asyncio.sleep(0.01)
        await room.commit(row(destination="webhook", symbol="ETHUSDT", at_ms=fast.wall_ms()))
        await asyncio.sleep(0.2)
        assert (await room.outbox.counts())["waiting"] == 2, "nothing is lost"
    assert len(receiver.requests) == 1
    assert str(status) in room.lanes.status()[0].dead_reason


async def test_a_redirect_is_not_followed(receiver, webhook, order):
    receiver.script = [(307, {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"})]
    answer = await webhook.send(order())
    assert isinstance(answer, Rejected)
    assert answer.destination_dead
    assert len(receiver.requests) == 1


async def test_who_does_not_answer_is_given_up_in_time(receiver, order):
    clock = SystemClock(speed=100)
    receiver.hang.clear()
    async with WebhookDestination(url=receiver.url, secret=SECRET, clock=clock) as webhook:
        started_ms = clock.monotonic_ms()
        answer = await webhook.send(order())
        took_s = (clock.monotonic_ms() - started_ms) / 1000
    assert answer == RetryLater(5.0, "the webhook did not answer in time", ambiguous=True)
    assert took_s >= TOTAL_TIMEOUT_S * 0.9


async def test_nobody_listens(fast, order):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        async with WebhookDestination(url=url, secret=SECRET, clock=fast) as webhook:
            assert await webhook.send(order()) == RetryLater(5.0, "the webhook cannot be reached")


class Names(AbstractResolver):
    """A DNS that says what it is told."""

    def __init__(self, *addresses):
        self.addresses = addresses

    async def resolve(self, host, port=0, family=socket.AF_INET):
        if not self.addresses:
            raise OSError(-2, f"no name {host}")
        return [
            {"hostname": host, "host": a, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for a in self.addresses
        ]

    async def close(self):
        pass


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("10.0.0.1",), ("8.8.8.8", "169.254.169.254")])
async def test_a_name_that_leads_inside_is_not_connected_to(receiver, fast, order, addresses):
    url = f"https://example.org:{receiver.port}/"
    async with WebhookDestination(url=url, secret=SECRET, clock=fast, resolver=Names(*addresses)) as webhook:
        answer = await webhook.send(order())
    assert isinstance(answer, RetryLater)
    assert "private address" in answer.reason
    assert not answer.ambiguous
    assert receiver.requests == []


async def test_a_private_address_is_connected_to_where_that_is_meant(receiver, fast, order):
    """It gets as far as TLS, which our plain server does not speak."""
    url = f"https://nas.lan:{receiver.port}/"
    names = Names("127.0.0.1")
    async with WebhookDestination(url=url, secret=SECRET, clock=fast, resolver=names, private=True) as webhook:
        answer = await webhook.send(order())
    assert isinstance(answer, RetryLater)
    assert "private address" not in answer.reason


async def test_numbers_that_are_another_way_to_write_an_address_are_no_way_around(receiver, fast, order):
    async with WebhookDestination(url=f"https://2130706433:{receiver.port}/", secret=SECRET, clock=fast) as webhook:
        answer = await webhook.send(order())
    assert answer == Rejected("the webhook's address cannot be used", destination_dead=True)
    assert receiver.requests == []


@pytest.mark.parametrize("url", ["http://example.org/", "https://10.0.0.1/", "nonsense", "https://a:canary@x.org/"])
async def test_an_address_that_is_not_allowed_is_never_asked(fast, order, url):
    async with WebhookDestination(url=url, secret=SECRET, clock=fast) as webhook:
        answer = await webhook.send(order())
    assert isinstance(answer, Rejected)
    assert answer.destination_dead
    assert "canary" not in answer.reason


async def test_neither_secret_nor_address_is_logged_or_told(receiver, fast, order, logged):
    receiver.script = [500, "cut", 307, 410]
    url = receiver.url + "&key=canary-in-the-address"
    reasons = []
    async with WebhookDestination(url=url, secret=SECRET, clock=fast) as webhook:
        reasons += [(await webhook.send(order())).reason for _ in range(4)]
    async with WebhookDestination(url="https://canary.org/", secret=SECRET, clock=fast, resolver=Names()) as webhook:
        reasons.append((await webhook.send(order())).reason)
    assert "canary" not in logged.getvalue() + " ".join(reasons)


async def test_it_makes_no_session_before_it_is_used_and_closes_what_it_made(receiver, fast, order):
    webhook = WebhookDestination(url=receiver.url, secret=SECRET, clock=fast)
    async with webhook:
        assert webhook._session is None
        await webhook.send(order())
        session = webhook._session
        assert isinstance(session, aiohttp.ClientSession)
    assert session.closed
