"""Secrets that destinations name are found in the settings or the environment, and judged without being said."""

import pytest

from bot.app.destinations import Secrets
from bot.delivery import apprise_bridge
from bot.model.destinations import Secret
from bot.settings import Settings
from bot.settings_sections import DiscordSection, TelegramSection

CANARY = "canary"


def secrets(environment=None, **held):
    settings = Settings.model_construct(
        telegram=TelegramSection(), discord=DiscordSection(), secrets=Settings(secrets=held).secrets
    )
    return Secrets(settings, environment or {})


def test_a_secret_of_the_settings_and_one_of_the_environment():
    found = secrets({"OPS": " x \n"}, ops="  y ")
    assert found.value(Secret("secret", "ops"), "signing secret") == "y"
    assert found.value(Secret("env", "OPS"), "signing secret") == "x"
    assert found.value(Secret("env", "ops"), "signing secret") is None
    assert found.value(Secret("secret", "other"), "signing secret") is None


def test_without_a_name_it_is_that_of_the_settings():
    settings = Settings.model_construct(
        telegram=TelegramSection(token="1:a"),
        discord=DiscordSection(webhook_url="https://discord.com/api/webhooks/1/x"),
        secrets={},
    )
    found = Secrets(settings, {})
    assert found.value(None, "bot token") == "1:a"
    assert found.value(None, "Discord webhook") == "https://discord.com/api/webhooks/1/x"
    assert found.fault(None, "bot token") is None


@pytest.mark.parametrize(
    ("secret", "use", "says"),
    [
        (None, "bot token", "OIBOT_TELEGRAM__TOKEN is not set"),
        (None, "Discord webhook", "OIBOT_DISCORD__WEBHOOK_URL is not set"),
        (Secret("secret", "ops"), "bot token", "set OIBOT_SECRETS__OPS, or put it into the file secrets__ops"),
        (Secret("env", "OPS"), "bot token", "the environment has no variable OPS"),
        (Secret("env", "OIBOT_OPS"), "bot token", "write secret:NAME"),
    ],
)
def test_a_missing_one_is_told_with_where_it_is_looked_for(secret, use, says):
    assert says in secrets().fault(secret, use)


@pytest.mark.parametrize(
    ("value", "use", "says"),
    [
        ("canary", "bot token", "as @BotFather gives them"),
        ("https://discord.com/canary", "Discord webhook", "/webhooks/"),
        ("http://discord.com/api/webhooks/1/canary", "Discord webhook", "https"),
        ("canary", "webhook address", "such as https"),
        ("http://canary.org", "webhook address", "https"),
        ("canary", "signing secret", "at least 16 characters"),
    ],
)
def test_one_of_the_wrong_form_is_told_and_not_said(value, use, says):
    fault = secrets(x=value).fault(Secret("secret", "x"), use)
    assert says in fault
    assert fault.startswith("secret:x: ")
    assert CANARY not in fault


@pytest.mark.parametrize(
    ("value", "use"),
    [
        ("1:a", "bot token"),
        ("https://discord.com/api/webhooks/1/x", "Discord webhook"),
        ("https://192.168.1.1/x", "webhook address"),
        ("0123456789abcdef", "signing secret"),
    ],
)
def test_one_of_the_right_form_has_no_fault(value, use):
    assert secrets(x=value).fault(Secret("secret", "x"), use) is None


def test_without_apprise_its_destinations_are_told_what_to_install(monkeypatch):
    monkeypatch.setattr(apprise_bridge, "is_installed", lambda: False)
    fault = secrets(x="ntfy://canary").fault(Secret("secret", "x"), "Apprise address")
    assert fault == "secret:x: apprise is not installed; run pip install 'oibot[apprise]'"


def test_an_address_that_apprise_does_not_know():
    pytest.importorskip("apprise", reason="apprise is not installed: pip install 'oibot[apprise]'")
    found = secrets(x="canary://y", y="ntfy://topic", z="json://a, json://b")
    assert "none that Apprise knows" in found.fault(Secret("secret", "x"), "Apprise address")
    assert found.fault(Secret("secret", "y"), "Apprise address") is None
