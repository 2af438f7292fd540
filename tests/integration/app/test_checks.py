"""What `oibot check` names when the world outside is not as it should be."""

import asyncio

import pytest
from aiohttp import web

from bot.app.checks import ask_venue, check_all, check_quickly
from bot.app.destinations import plan_of
from bot.app.findings import Level
from bot.app.telegram_checks import TelegramBot
from bot.clock import SystemClock
from bot.model.destinations import TelegramTarget
from bot.settings import Settings
from bot.settings_sections import BinanceSection, TelegramSection
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.integration

GROUP = -100_500


@pytest.fixture
def clock():
    return SystemClock(speed=10)


@pytest.fixture
async def server(clock):
    async with ChatServer(clock=clock) as found:
        yield found


@pytest.fixture
def telegram(server, clock):
    return TelegramBot(server.telegram_token, api_url=server.telegram_url, clock=clock)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (faults.unauthorized(), "token-refused"),
        (faults.telegram_error(404, "Not Found"), "token-refused"),
        (faults.telegram_error(403, "Forbidden"), "region-block"),
        (faults.telegram_error(451, "Unavailable For Legal Reasons"), "region-block"),
        (faults.server_error(), "unreachable"),
        (faults.dropped(accepted=False), "unreachable"),
    ],
)
async def test_a_bot_that_does_not_answer(telegram, server, fault, cause):
    server.telegram.fail(fault, method="getMe", times=3)
    found = await telegram.check()
    assert (found.level, found.cause) == (Level.FAIL, cause)
    assert found.advice
    assert server.telegram_token not in found.text


async def test_who_else_polls(telegram, server, clock):
    await telegram.check()
    assert (await telegram.check_polling()).level is Level.OK
    server.telegram.webhook_url = "https://elsewhere.example/hook"
    assert (await telegram.check_polling()).cause == "webhook-set"
    server.telegram.webhook_url = ""

    other = TelegramBot(server.telegram_token, api_url=server.telegram_url, clock=clock)

    async def polls():
        while True:
            await other._ask("getUpdates?timeout=30")

    task = asyncio.create_task(polls())
    await server.until(lambda: [r for r in server.received if r.params.get("timeout") == "30"], within_s=50)
    found = await telegram.check_polling()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (found.level, found.cause) == (Level.FAIL, "second-copy")


async def test_looking_who_polls_takes_no_update(telegram, server):
    server.telegram.say("/oi BTC", chat_id=71)
    await telegram.check_polling()
    assert server.telegram.n_unread == 1


async def test_a_chat_where_the_bot_is_not(telegram, server):
    await telegram.check()
    assert (await telegram.check_chat("group", TelegramTarget(GROUP))).level is Level.OK
    server.telegram.rooms.of(GROUP).closed = "bot was kicked from the group chat"
    found = await telegram.check_chat("group", TelegramTarget(GROUP))
    assert (found.level, found.cause) == (Level.FAIL, "chat-unreachable")
    server.telegram.rooms.of(GROUP).closed = ""
    left = faults.Fault(status=200, body={"ok": True, "result": {"status": "left"}})
    server.telegram.fail(left, method="getChatMember")
    found = await telegram.check_chat("group", TelegramTarget(GROUP))
    assert (found.level, found.cause) == (Level.FAIL, "bot-not-member")
    assert "the bot is not a member" in found.text


@pytest.fixture
async def venue():
    """Answers every request with one status; times are those of `skew_ms`."""

    async def handle(request):
        if handle.status != 200:
            return web.json_response({"code": 0, "msg": "no"}, status=handle.status)
        if request.path.rsplit("/", 1)[1] in handle.bodies:
            return web.json_response(handle.bodies[request.path.rsplit("/", 1)[1]])
        if request.path.endswith("/time"):
            return web.json_response({"serverTime": SystemClock().wall_ms() + handle.skew_ms})
        contract = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "status": "TRADING"}
        return web.json_response({"symbols": [contract], "rateLimits": []})

    handle.status, handle.skew_ms, handle.bodies = 200, 0, {}
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    handle.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield handle
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "cause"), [(451, "region-block"), (403, "region-block"), (418, "banned"), (429, "rate-limited")]
)
async def test_a_venue_that_refuses(venue, status, cause):
    venue.status = status
    settings = Settings.model_construct(binance=BinanceSection(rest_url=venue.url))
    [found], instruments = await ask_venue(settings, SystemClock())
    assert (found.level, found.cause, instruments) == (Level.FAIL, cause, None)
    if cause == "region-block":
        assert "OIBOT_BINANCE__REST_URL" in found.advice
        assert "HTTPS_PROXY" in found.advice


@pytest.mark.parametrize(
    "body", [{"exchangeInfo": {"symbols": []}}, {"exchangeInfo": []}, {"time": {"serverTime": None}}, {"time": 7}]
)
async def test_a_venue_whose_answers_cannot_be_read(venue, body):
    venue.bodies = body
    settings = Settings.model_construct(binance=BinanceSection(rest_url=venue.url))
    [found], instruments = await ask_venue(settings, SystemClock())
    assert (found.level, found.cause, instruments) == (Level.FAIL, "unreadable", None)
    assert found.text.startswith("expected ")
    assert "OIBOT_BINANCE__REST_URL" in found.advice


@pytest.mark.parametrize(("skew_ms", "cause"), [(5_000, "clock-off"), (-5_000, "clock-off"), (0, "")])
async def test_a_clock_that_is_off(venue, skew_ms, cause):
    venue.skew_ms = skew_ms
    settings = Settings.model_construct(binance=BinanceSection(rest_url=venue.url))
    findings, _ = await ask_venue(settings, SystemClock())
    found = next(f for f in findings if f.subject == "clock")
    assert found.cause == cause
    assert ("behind" in found.text) is (skew_ms > 0)


async def test_offline_asks_nobody_and_the_quick_ones_are_part_of_all(tmp_path, monkeypatch, server):
    monkeypatch.chdir(tmp_path)
    read = Settings(data_dir=tmp_path / "data", telegram=TelegramSection(token=server.telegram_token))
    found = await check_all(read, is_offline=True)
    assert {f.subject for f in found} >= {"settings", "rules", "data folder", "disk", "database", "bot"}
    assert {f.cause for f in found} >= {"no-owner", "rules-missing"}
    quick = await check_quickly(read, plan_of(read))
    assert {f.subject for f in quick} <= {f.subject for f in found}
    assert server.received == []


async def test_the_check_and_each_start_look_who_can_read_secrets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("OIBOT_LOG__LEVEL=INFO\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o644)
    read = Settings(data_dir=tmp_path / "data")
    for findings in (await check_all(read, is_offline=True), await check_quickly(read, plan_of(read))):
        assert "secret-readable" in {f.cause for f in findings}
