"""`.env.example` is true: it lists every setting once, with its default and one line of explanation, and can be used."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot import settings
from bot.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / ".env.example").read_text(encoding="utf-8")
LINES = TEXT.splitlines()
SETTING = re.compile(r"^(?P<off>#?)(?P<name>OIBOT_[A-Z_]+)=(?P<value>.*)$")

DUMMIES = {
    "OIBOT_TELEGRAM__TOKEN": "123456789:dummy-dummy-dummy-dummy-dummy-dummy",
    "OIBOT_TELEGRAM__OWNER_ID": "42",
    "OIBOT_TELEGRAM__CHAT_ID": "-1001234567890",
    "OIBOT_DISCORD__WEBHOOK_URL": "https://discord.com/api/webhooks/1/dummy",
    "OIBOT_CLOCK__EPOCH_MS": "1767225600000",
    "OIBOT_PING__URL": "https://example.com/ping/dummy",
    "OIBOT_WEB__URL": "https://oibot.example.org",
}
"""For settings without a default."""


@dataclass(frozen=True)
class Entry:
    line: int
    name: str
    value: str
    is_off: bool


ENTRIES = [
    Entry(n, found["name"], found["value"], bool(found["off"]))
    for n, line in enumerate(LINES)
    if (found := SETTING.match(line))
]


def names(model: type[BaseModel], prefix: str = "OIBOT_") -> set[str]:
    found: set[str] = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= names(kind, f"{prefix}{name.upper()}__")
        else:
            found.add(prefix + name.upper())
    return found


def default(name: str) -> object:
    value: object = Settings.model_construct()
    for part in name.removeprefix("OIBOT_").lower().split("__"):
        value = getattr(value, part)
    return value


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.upper().startswith("OIBOT_")]:
        monkeypatch.delenv(name)


def test_every_setting_is_there_once_and_no_other():
    listed = [e.name for e in ENTRIES]
    assert sorted(listed) == sorted(names(Settings))


def test_the_names_are_really_those_of_the_settings():
    assert {"OIBOT_DATA_DIR", "OIBOT_TELEGRAM__TOKEN", "OIBOT_CLOCK__EPOCH_MS"} <= names(Settings)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_one_line_of_explanation_stands_above_each_setting(entry):
    above, before = LINES[entry.line - 1], LINES[entry.line - 2]
    assert re.match(r"^# [A-Za-z]", above), above
    assert above.endswith("."), above
    assert not before.startswith("# ") or before.startswith("# ---"), "only one line"


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.value], ids=lambda e: e.name)
def test_the_value_shown_is_the_default(entry, monkeypatch):
    monkeypatch.setenv(entry.name, entry.value)
    assert settings.load() == Settings.model_construct()


@pytest.mark.parametrize("entry", [e for e in ENTRIES if not e.value], ids=lambda e: e.name)
def test_no_value_is_shown_only_where_there_is_no_default(entry):
    assert default(entry.name) is None


def test_a_line_that_is_not_commented_out_is_left_to_be_filled_in():
    assert [e.name for e in ENTRIES if not e.is_off and e.value] == []


def test_what_a_newcomer_needs_comes_first():
    assert [e.name for e in ENTRIES][:2] == ["OIBOT_TELEGRAM__TOKEN", "OIBOT_TELEGRAM__OWNER_ID"]
    assert {e.name for e in ENTRIES if not e.is_off} == {
        "OIBOT_TELEGRAM__TOKEN",
        "OIBOT_TELEGRAM__OWNER_ID",
        "OIBOT_DISCORD__WEBHOOK_URL",
    }


def test_copied_as_it_is_it_changes_nothing():
    Path(".env").write_text(TEXT, encoding="utf-8")
    assert settings.load() == Settings.model_construct()


def test_with_every_line_in_use_it_loads(tmp_path):
    secrets = {
        "OIBOT_TELEGRAM__TOKEN_FILE": "1:from-a-file",
        "OIBOT_DISCORD__WEBHOOK_URL_FILE": "https://discord.com/api/webhooks/1/from-a-file",
        "OIBOT_PING__URL_FILE": "https://example.com/ping/from-a-file",
    }
    for name, content in secrets.items():
        (tmp_path / name).write_text(content + "\n", encoding="utf-8")
    lines = []
    for entry in ENTRIES:
        value = entry.value or (str(tmp_path / entry.name) if entry.name in secrets else DUMMIES[entry.name])
        lines.append(f"{entry.name}={value}")
    Path(".env").write_text("\n".join(lines) + "\n", encoding="utf-8")

    found = settings.load()

    assert found.telegram.token is not None
    assert found.telegram.token.get_secret_value() == "1:from-a-file"
    assert found.telegram.owner_id == 42
    assert found.telegram.chat_id == -1001234567890
    assert found.discord.webhook_url is not None
    assert found.discord.webhook_url.get_secret_value().endswith("/from-a-file")
    assert found.clock.epoch_ms == 1767225600000
    assert found.binance == settings.BinanceSection()
    assert found.record == settings.RecordSection()


def test_no_value_has_quotes_or_a_comment_behind_it():
    """`docker run --env-file` takes both as part of the value."""
    for entry in ENTRIES:
        assert not re.search(r"""['#]|^["\s]|["\s]$""", entry.value), entry.name
