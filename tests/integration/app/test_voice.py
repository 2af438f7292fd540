"""News of the bot before there are lanes reach whom later ones reach: the owner, and nobody else's chat."""

import io

import pytest
from rich.console import Console

from bot.app.destinations import plan_of
from bot.app.options import Options
from bot.app.voice import Voice
from bot.clock import SystemClock
from bot.delivery.notices import Notice
from bot.settings import Settings
from bot.settings_sections import DiscordSection, TelegramSection
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.integration
CHANNEL, OWNER, MEMBER = -1001234567890, 7, 8


@pytest.mark.parametrize(("dead", "heard"), [((), [OWNER]), ((OWNER,), [CHANNEL]), ((OWNER, CHANNEL), [])])
async def test_the_owner_hears_before_the_channel_and_a_chat_of_somebody_else_never(tmp_path, dead, heard):
    async with ChatServer() as server:
        for chat_id in dead:
            server.telegram.fail(faults.blocked(), chat_id=chat_id, times=9)
        telegram = TelegramSection(
            token=server.telegram_token,
            api_url=server.telegram_url,
            chat_id=CHANNEL,
            owner_id=OWNER,
            chats=[MEMBER],
        )
        settings = Settings.model_construct(rules_dir=tmp_path, telegram=telegram, discord=DiscordSection(), secrets={})
        out = Console(file=io.StringIO())
        voice = Voice(settings, Options(console=out), SystemClock(speed=10), lambda: plan_of(settings))

        await voice.directly(Notice("The database cannot be opened", "It is locked."))

        assert [message.chat_id for message in server.messages()] == heard
        assert "The database cannot be opened. It is locked." in out.file.getvalue()
