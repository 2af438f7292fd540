"""Apprise itself, sending to a server on loopback. Skipped where the optional package is not installed."""

import asyncio

import pytest
from aiohttp import web

from bot.delivery.apprise_bridge import NOT_KNOWN, AppriseDestination, fault_of
from bot.model.outbox import Delivered, Rejected, RetryLater

pytest.importorskip("apprise", reason="apprise is not installed: pip install 'oibot[apprise]'")


@pytest.fixture
async def service():
    """Takes what Apprise's `json://` posts."""
    got, statuses = [], []

    async def handle(request):
        got.append(await request.json())
        return web.Response(status=statuses.pop(0) if statuses else 200)

    app = web.Application()
    app.router.add_post("/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    handle.url, handle.got, handle.statuses = f"json://127.0.0.1:{runner.addresses[0][1]}/canary", got, statuses
    yield handle
    await runner.cleanup()


async def test_a_message_arrives(service, fast, order):
    answer = await AppriseDestination(url=service.url, clock=fast).send(order())
    assert answer == Delivered(None)
    [message] = service.got
    assert message["title"].startswith("🟠 BTCUSDT · OI surge <b>&")
    assert "OI +6.06% in 15m" in message["message"]
    assert message["type"] == "warning"


async def test_our_text_is_no_template_of_theirs(service, fast, order, row):
    await AppriseDestination(url=service.url, clock=fast).send(order(row(title="{{ app_id }} {% x %}")))
    assert "{{ app_id }} {% x %}" in service.got[0]["title"]


async def test_a_refusal_and_an_absent_service_are_tried_again(service, fast, order, logged):
    service.statuses.append(500)
    answer = await AppriseDestination(url=service.url, clock=fast).send(order())
    assert isinstance(answer, RetryLater)
    absent = await AppriseDestination(url="json://127.0.0.1:9/canary", clock=fast).send(order())
    assert isinstance(absent, RetryLater)
    assert "canary" not in answer.reason + absent.reason + logged.getvalue()


async def test_the_loop_runs_on_while_it_sends(service, fast, order):
    destination = AppriseDestination(url=service.url, clock=fast)
    attempt = asyncio.ensure_future(destination.send(order()))
    turns = 0
    while not attempt.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 5
    assert await attempt == Delivered(None)


async def test_an_address_it_does_not_know(fast, order):
    assert fault_of("canary://x") == NOT_KNOWN
    answer = await AppriseDestination(url="canary://x", clock=fast).send(order())
    assert answer == Rejected(NOT_KNOWN, destination_dead=True)
