"""Described destinations are built, checked and tried against counterparts on loopback."""

import contextlib
import io
import json

import pytest
from aiohttp import web
from pydantic import SecretStr
from rich.console import Console

from bot.app.destination_checks import check_destinations, send_tests
from bot.app.destinations import Builder, plan_of, plan_of_file
from bot.app.findings import Level
from bot.clock import SystemClock
from bot.delivery.destination import Order
from bot.errors import ConfigError
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import Delivered, OutboxRow, row_id
from bot.model.view import AlertView
from bot.rules.destinations import load_destinations_text
from bot.settings import Settings
from bot.settings_sections import DiscordSection, TelegramSection
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer

CHAT = -1001234567890


@pytest.fixture
async def server():
    async with ChatServer() as found:
        found.telegram.topics[CHAT] = {12}
        yield found


@pytest.fixture
async def hook():
    """A receiver that answers 204 and keeps what it got."""
    got = []

    async def handle(request):
        got.append((request.method, dict(request.headers), await request.read()))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_route("*", "/hook", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    handle.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    handle.got = got
    yield handle
    await runner.cleanup()


@pytest.fixture
def clock():
    return SystemClock(speed=10)


@pytest.fixture
def world(server, hook):
    """Settings with every secret, and a file with every kind but Apprise."""
    settings = Settings.model_construct(
        telegram=TelegramSection(token=server.telegram_token, api_url=server.telegram_url, owner_id=7),
        discord=DiscordSection(),
        secrets=Settings(secrets={"ops": server.discord_webhook_url, "key": "0123456789abcdef"}).secrets,
    )
    text = f"""
destinations:
  group: {{kind: telegram, chat: {CHAT}, default: true}}
  topic: {{kind: telegram, chat: {CHAT}, topic: 12}}
  ops: {{kind: discord, webhook: secret:ops}}
  pager: {{kind: webhook, url: "{hook.url}", secret: secret:key}}
  screen: {{kind: console}}
"""
    found = load_destinations_text("d.yaml", text)
    assert found.problems == ()
    return settings, plan_of_file(settings, found)


@pytest.fixture
def out():
    return Console(file=io.StringIO(), width=120)


def lines(findings):
    return {finding.subject: (finding.level, finding.text) for finding in findings}


async def test_a_check_asks_each_and_posts_nothing(world, server, hook, clock):
    settings, plan = world
    found = lines(await check_destinations(settings, plan, clock))
    assert {level for level, _ in found.values()} == {Level.OK}
    assert found["telegram"][1] == "@oi_sim_bot, privacy mode on"
    assert found["topic"][1] == f"chat {CHAT}, topic 12 (nothing was posted)"
    assert set(found) == {"telegram", "telegram:7", "group", "topic", "ops", "pager", "screen"}
    assert server.messages() == []
    assert server.discord.messages == []
    assert [method for method, _, _ in hook.got] == ["HEAD"]


async def test_a_check_says_what_is_wrong_with_each(world, server, clock):
    settings, plan = world
    server.telegram.fail(faults.bad_request("chat not found"), method="getChat", chat_id=CHAT, times=1)
    settings.secrets["ops"] = SecretStr(server.discord_webhook_url + "gone")
    settings.secrets["key"] = SecretStr("")
    found = lines(await check_destinations(settings, plan, clock))
    assert found["group"] == (Level.FAIL, f"chat {CHAT} is not there for @oi_sim_bot (HTTP 400)")
    assert found["topic"][0] is Level.OK
    assert found["ops"] == (Level.FAIL, "the webhook does not exist any more")
    assert found["pager"] == (Level.FAIL, "its secret is not set")


async def test_a_wrong_token_is_told_once(world, server, clock):
    settings, plan = world
    server.telegram.token = "1:other"
    found = lines(await check_destinations(settings, plan, clock))
    assert found["telegram"] == (Level.FAIL, "the token is not accepted (HTTP 401)")
    assert "group" not in found


async def test_a_test_message_goes_to_each_and_looks_like_no_alert(world, server, hook, clock, out):
    settings, plan = world
    names = [described.name for described in plan.described]
    found = lines(await send_tests(settings, plan, names, console=out, clock=clock))
    assert {level for level, _ in found.values()} == {Level.OK}
    assert [(m.chat_id, m.topic) for m in server.messages()] == [(CHAT, None), (CHAT, 12)]
    assert "a test message to topic, nothing happened" in server.messages()[1].text
    assert len(server.discord.messages) == 1
    [(_, headers, body)] = hook.got
    assert json.loads(body)["events"][0]["kind"] == "test"
    assert headers["X-Oibot-Signature"].startswith("sha256=")
    assert "a test message to screen" in out.file.getvalue()


async def test_a_test_message_to_one_goes_to_that_one(world, server, hook, clock, out):
    settings, plan = world
    found = await send_tests(settings, plan, ["pager"], console=out, clock=clock)
    assert [f.subject for f in found] == ["pager"]
    assert len(hook.got) == 1
    assert server.messages() == []


async def test_what_did_not_arrive_is_told_with_its_reason(world, server, clock, out):
    settings, plan = world
    server.telegram.topics[CHAT].clear()
    server.telegram.fail(faults.too_many_requests(7), chat_id=CHAT, times=1)
    found = lines(await send_tests(settings, plan, ["group", "topic"], console=out, clock=clock))
    assert found["group"] == (Level.FAIL, "not delivered: Telegram asks for a pause")
    assert found["topic"][0] is Level.FAIL
    assert "thread not found" in found["topic"][1]


async def test_all_of_a_plan_are_built_with_the_further_chats(world, server, clock, out):
    settings, plan = world
    async with contextlib.AsyncExitStack() as stack:
        made = await Builder(settings, clock=clock, console=out, stack=stack).all(plan)
        assert [d.name for d in made] == ["group", "topic", "ops", "pager", "screen", "telegram:7"]
        assert made[0].take_slot(urgent=False) == 0
        await made[0].send(order("group"))
        assert made[1].take_slot(urgent=False) > 0, "a topic shares the pace of its chat"
        assert isinstance(await made[5].send(order("telegram:7")), Delivered)
    assert [m.chat_id for m in server.messages()] == [CHAT, 7]


async def test_without_a_file_the_settings_are_built_as_ever(server, clock, out, tmp_path):
    settings = Settings.model_construct(
        rules_dir=tmp_path,
        telegram=TelegramSection(token=server.telegram_token, api_url=server.telegram_url, owner_id=7, chats=(-5,)),
        discord=DiscordSection(webhook_url=server.discord_webhook_url),
        secrets={},
    )
    async with contextlib.AsyncExitStack() as stack:
        made = await Builder(settings, clock=clock, console=out, stack=stack).all(plan_of(settings))
        assert [d.name for d in made] == ["telegram", "discord", "telegram:-5"]
        for destination in made:
            assert isinstance(await destination.send(order(destination.name)), Delivered)
    assert [m.chat_id for m in server.messages()] == [7, -5]


def order(destination):
    key = alert_key("r", "binance:AUSDT", 1)
    view = AlertView(
        "r", "R", "AUSDT", "binance", "A", "info", short_id(key), "fire", 1, 1, "", "", None, value_is_ratio=False
    )
    return Order(
        (OutboxRow(row_id(key, TellKind.FIRE, 0, destination), key, TellKind.FIRE, destination, "info", 1, view),)
    )


async def test_a_destination_is_made_anew_when_its_secret_changed_and_only_then(server, clock, out, tmp_path):
    def settings(token, url):
        return Settings.model_construct(
            rules_dir=tmp_path,
            telegram=TelegramSection(token=token, api_url=server.telegram_url, owner_id=7, chats=(-5,)),
            discord=DiscordSection(webhook_url=url),
            secrets={},
        )

    before = settings("1:old", "https://discord.invalid/api/webhooks/1/old")
    now = [before]

    def reread():
        if now[0] is None:
            raise ConfigError("half-written")
        return now[0]

    plan = plan_of(before)
    async with contextlib.AsyncExitStack() as stack:
        builder = Builder(before, clock=clock, console=out, stack=stack, reread=reread)
        made = {d.name: d for d in await builder.all(plan)}
        described = {d.name: d for d in plan.everywhere}
        keys = {name: builder.key(d) for name, d in described.items()}
        for now[0] in (before, None, settings(None, None)):
            assert [await builder.renewed(d, keys[name]) for name, d in described.items()] == [None] * 3
        now[0] = settings(server.telegram_token, server.discord_webhook_url)
        for name in ("telegram:-5", "discord", "telegram"):
            anew = await builder.renewed(described[name], keys[name])
            assert anew.fingerprint != made[name].fingerprint
            assert isinstance(await anew.send(order(name)), Delivered)
            assert await builder.renewed(described[name], builder.key(described[name])) is None, "once"


async def test_a_proxy_that_cannot_be_used_is_told_in_a_line(monkeypatch, clock, out, tmp_path):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    settings = Settings.model_construct(
        rules_dir=tmp_path,
        telegram=TelegramSection(token="1:a", owner_id=7),
        discord=DiscordSection(),
        secrets={},
    )
    async with contextlib.AsyncExitStack() as stack:
        builder = Builder(settings, clock=clock, console=out, stack=stack)
        with pytest.raises(ConfigError, match=r'destination "telegram": .* HTTPS_PROXY'):
            await builder.all(plan_of(settings))
