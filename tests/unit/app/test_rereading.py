"""Of settings that are read again only the secrets count."""

import pytest
from pydantic import SecretStr

from bot.app.rereading import with_secrets_of
from bot.settings import Settings
from bot.settings_sections import DiscordSection, TelegramSection

URL = "https://discord.invalid/api/webhooks/1/"


def settings(token="1:old", url=f"{URL}old", owner=7, **secrets):
    return Settings.model_construct(
        telegram=TelegramSection(token=token, owner_id=owner),
        discord=DiscordSection(webhook_url=url),
        secrets={name: SecretStr(value) for name, value in secrets.items()},
    )


def test_secrets_are_those_of_now_and_all_else_stays():
    found = with_secrets_of(settings(pager="a"), settings("1:new", f"{URL}new", 8, pager="b"))
    assert found.telegram.token.get_secret_value() == "1:new"
    assert found.discord.webhook_url.get_secret_value() == f"{URL}new"
    assert found.secrets["pager"].get_secret_value() == "b"
    assert found.telegram.owner_id == 7


@pytest.mark.parametrize(
    ("before", "now"), [((None, None), ("1:new", f"{URL}new")), (("1:old", f"{URL}old"), (None, None))]
)
def test_no_destination_comes_or_goes_with_its_secret(before, now):
    found = with_secrets_of(settings(*before), settings(*now))
    held = (found.telegram.token, found.discord.webhook_url)
    assert tuple(one and one.get_secret_value() for one in held) == before
