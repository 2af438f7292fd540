"""Waiting for the owner on the command line, with and without a bot that runs on the folder."""

import asyncio
from dataclasses import replace

import pytest

from bot.app.claiming import TokenRefusedError, bot_name, open_claiming
from bot.app.data_dir import DataDir
from bot.chat.claims import Claims, shown_code
from bot.clock import SystemClock
from bot.errors import ConfigError
from bot.settings import Settings
from bot.settings_sections import TelegramSection
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer
from bot.storage.database import open_database
from bot.storage.members import SqliteMemberStore, peek_owner

pytestmark = pytest.mark.integration

ANN = 71


@pytest.fixture
def clock():
    return SystemClock(speed=20)


@pytest.fixture
async def server(clock):
    async with ChatServer(clock=clock) as found:
        yield found


@pytest.fixture
def settings(server, tmp_path):
    telegram = TelegramSection(token=server.telegram_token, api_url=server.telegram_url)
    return Settings.model_construct(data_dir=tmp_path / "data", telegram=telegram)


def start(link) -> str:
    return f"/start {link.url.partition('start=')[2]}"


async def test_without_a_bot_the_link_is_waited_for_here(settings, server, clock):
    async with open_claiming(settings, clock) as claiming:
        assert DataDir(settings.data_dir).is_held(), "no bot may start meanwhile and poll as well"
        link = await claiming.link(await bot_name(settings, clock))
        assert link.url.startswith("https://t.me/oi_sim_bot?start=claim_")
        assert (link.is_taken_by_bot, link.replaces) == (False, None)
        waiting = asyncio.create_task(claiming.wait(link))
        server.telegram.push({"message": "nonsense"})
        server.telegram.say(start(link), chat_id=-5, user_id=ANN)
        server.telegram.say("/start claim_wrong", chat_id=99)
        server.telegram.say(start(link), chat_id=ANN, username="ann")
        owner = await waiting
    assert (owner.user, owner.chat, owner.name) == ("telegram:71", "telegram:71", "Ann")
    assert peek_owner(settings.data_dir / "oibot.db") == owner
    assert server.telegram.n_unread == 0
    assert "You are my owner now." in server.messages(ANN)[0].text
    assert not DataDir(settings.data_dir).is_held()


async def test_trouble_that_passes_is_waited_out(settings, server, clock):
    async with open_claiming(settings, clock) as claiming:
        link = await claiming.link("oi_sim_bot")
        server.telegram.webhook_url = "https://example.org/hook"
        server.telegram.fail(faults.server_error(), method="getUpdates", times=2)
        server.telegram.say(start(link), chat_id=ANN)
        owner = await claiming.wait(link)
        assert owner is not None
        assert server.telegram.webhook_url == ""


async def test_another_who_polls_is_explained(settings, server, clock):
    server.telegram.fail(faults.conflict(), method="getUpdates", times=1)
    async with open_claiming(settings, clock) as claiming:
        link = await claiming.link("oi_sim_bot")
        with pytest.raises(ConfigError, match=r"another program polls this bot \(409\)"):
            await claiming.wait(link)


async def test_nobody_in_time(settings, server, clock):
    async with open_claiming(settings, clock) as claiming:
        link = await claiming.link("oi_sim_bot")
        assert await claiming.wait(replace(link, expires_ms=clock.wall_ms() + 3_000)) is None


async def test_a_bot_that_runs_takes_the_link_and_we_only_look(settings, server, clock):
    with DataDir(settings.data_dir) as folder:
        opened = await open_database(folder.database, now_ms=1, clock=clock)
        async with open_claiming(settings, clock) as claiming:
            link = await claiming.link("oi_sim_bot")
            assert link.is_taken_by_bot
            waiting = asyncio.create_task(claiming.wait(link))
            running = Claims(SqliteMemberStore(opened.database), clock)
            await running.redeem(shown_code(start(link)), user_id=ANN, name="Ann")
            assert (await waiting).user == "telegram:71"
            assert (await claiming.link("oi_sim_bot")).replaces.name == "Ann"
        await opened.database.close()
    assert not [r for r in server.received if r.method == "getUpdates"]


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (faults.unauthorized(), TokenRefusedError, "does not accept this token"),
        (faults.telegram_error(404, "Not Found"), TokenRefusedError, "knows no such bot"),
        (faults.server_error(), ConfigError, "Telegram answered|cannot be reached"),
    ],
)
async def test_a_token_is_tried(settings, server, clock, fault, error, text):
    assert await bot_name(settings, clock) == "oi_sim_bot"
    server.telegram.fail(fault, method="getMe", times=5)
    with pytest.raises(error, match=text) as raised:
        await bot_name(settings, clock)
    assert server.telegram_token not in str(raised.value)


async def test_nothing_listens(tmp_path, clock):
    telegram = TelegramSection(token="123456789:" + "x" * 35, api_url="http://127.0.0.1:9")
    settings = Settings.model_construct(data_dir=tmp_path, telegram=telegram)
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9 cannot be reached") as raised:
        await bot_name(settings, clock)
    assert "x" * 35 not in str(raised.value)
