"""The file that `/backup` hands out, from a real database."""

import asyncio
import sqlite3

import pytest

from bot.app.data_dir import DataDir
from bot.app.owner_files import owner_files
from bot.chat.asker import in_telegram
from bot.chat.buttons import SECRET_KEY
from bot.chat.commands import Command
from bot.settings import Settings
from bot.settings_sections import TelegramSection
from bot.storage import copies
from bot.storage.database import open_database
from bot.storage.key_values import SqliteKeyValues

SECRET = "5ec2e7" * 40
OWNER = in_telegram(71, 71, is_owner=True)

pytestmark = pytest.mark.integration


@pytest.fixture
async def folder(tmp_path):
    made = DataDir(tmp_path / "data")
    made.path.mkdir()
    opened = await open_database(made.database, now_ms=1, backups=made.backups)
    values = SqliteKeyValues(opened.database)
    await values.put(SECRET_KEY, SECRET)
    await values.put("kept", "as it was")
    await opened.database.close()
    return made


async def ask(folder: DataDir):
    config = Settings.model_construct(telegram=TelegramSection(allow_backup=True))
    return await owner_files(config, folder).backup(Command("backup"), OWNER)


async def test_the_backup_in_chat_is_a_sound_database_without_secrets(folder, tmp_path):
    assert (await ask(folder)).file is None
    made = await asyncio.to_thread(copies.back_up, folder.database, folder.backups, now_ms=1, keep=3)
    assert SECRET.encode() in made.path.read_bytes()

    reply = await ask(folder)
    assert reply.file.name == made.path.name
    assert SECRET.encode() not in reply.file.content
    got = tmp_path / reply.file.name
    got.write_bytes(reply.file.content)
    copies.inspect(got)
    with sqlite3.connect(got) as connection:
        assert connection.execute("SELECT key, value FROM key_values").fetchall() == [("kept", "as it was")]
    assert SECRET.encode() in made.path.read_bytes(), "the copy on the disk stays whole"
    assert [one.name for one in folder.backups.iterdir()] == [made.path.name], "nothing is left behind"


async def test_one_that_telegram_does_not_take_is_not_read(folder):
    made = await asyncio.to_thread(copies.back_up, folder.database, folder.backups, now_ms=1, keep=3)
    with made.path.open("r+b") as file:
        file.truncate(60_000_000)
    assert "has 60 MB" in str((await ask(folder)).blocks)
