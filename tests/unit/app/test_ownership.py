"""Whose bot it is: the settings decide where they name somebody, else the database."""

import pytest

from bot.app.destinations import plan_of
from bot.app.loading import require_folder
from bot.app.ownership import is_claimable, with_owner
from bot.errors import ConfigError
from bot.model.members import Member, Role
from bot.settings import Settings
from bot.settings_sections import BinanceSection, DiscordSection, TelegramSection
from bot.storage.database import open_database
from bot.storage.members import SqliteMemberStore, peek_owner

TOKEN = "123456789:dummy-dummy-dummy-dummy-dummy-dummy"
ANN = Member("telegram:71", Role.OWNER, "telegram:71", "Ann", 5)


@pytest.fixture
def made(tmp_path):
    def make(**telegram):
        return Settings.model_construct(
            data_dir=tmp_path / "data",
            rules_dir=tmp_path / "rules",
            binance=BinanceSection(),
            telegram=TelegramSection(**telegram),
            discord=DiscordSection(),
            secrets={},
        )

    return make


async def claim(tmp_path, member=ANN):
    opened = await open_database(tmp_path / "data" / "oibot.db", now_ms=1)
    await SqliteMemberStore(opened.database).put(member)
    await opened.database.close()


async def test_the_owner_by_link_counts_as_the_one_of_the_settings(made, tmp_path):
    read = made(token=TOKEN)
    assert is_claimable(read)
    assert with_owner(read) is read
    assert plan_of(read).console is not None
    await claim(tmp_path)
    known = with_owner(read)
    assert known.telegram.owner_id == 71
    assert plan_of(known) == plan_of(made(token=TOKEN, owner_id=71))
    assert with_owner(read, Member("telegram:72", Role.OWNER, "telegram:72", "Bob", 6)).telegram.owner_id == 72


async def test_a_chat_of_the_settings_stays_the_default(made, tmp_path):
    await claim(tmp_path)
    plan = plan_of(with_owner(made(token=TOKEN, chat_id=-100)))
    assert plan.of_chat(-100) == ("telegram",)
    assert plan.main == ("telegram",)
    assert plan.of_chat(71) == ("telegram:71",)


async def test_where_the_settings_name_an_owner_no_link_counts(made, tmp_path):
    await claim(tmp_path)
    read = made(token=TOKEN, owner_id=7)
    assert not is_claimable(read)
    assert with_owner(read) is read
    without_bot = made()
    assert not is_claimable(without_bot)
    assert with_owner(without_bot) is without_bot


async def test_what_cannot_be_read_names_nobody(tmp_path):
    path = tmp_path / "data" / "oibot.db"
    assert peek_owner(path) is None
    await claim(tmp_path)
    assert peek_owner(path) == ANN
    path.write_bytes(b"no database")
    assert peek_owner(path) is None


def test_a_folder_that_cannot_be_looked_at_knows_no_owner(made, tmp_path):
    read = made(token=TOKEN).model_copy(update={"data_dir": tmp_path / ("x" * 300)})
    assert with_owner(read) is read


def test_nor_has_it_any_rules(made, tmp_path):
    read = made().model_copy(update={"rules_dir": tmp_path / ("x" * 300)})
    with pytest.raises(ConfigError, match="File name too long"):
        require_folder(read)
