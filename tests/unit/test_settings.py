"""Settings come from the environment, `.env` and secret files, in that order; an error names the variable, never the value."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import settings
from bot.errors import ConfigError

TOKEN = "123456789:AAcanary-canary-canary-canary-canary"
CANARY = "canary"


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder and no variable of ours."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.upper().startswith("OIBOT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    return monkeypatch.setenv


@pytest.fixture
def secrets_dir(tmp_path: Path, env: Callable[[str, str], None]) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    env("OIBOT_SECRETS_DIR", str(folder))
    return folder


def dotenv(text: str) -> None:
    Path(".env").write_text(text, encoding="utf-8")


def refusal() -> str:
    with pytest.raises(ConfigError) as caught:
        settings.load()
    assert caught.value.__cause__ is None, "a chained error would show the value in a traceback"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def token() -> str | None:
    found = settings.load().telegram.token
    return None if found is None else found.get_secret_value()


# -- sources -----------------------------------------------------------------------------------------------------------


def test_without_any_source_the_defaults_hold():
    found = settings.load()
    assert found.data_dir == Path("data")
    assert found.rules_dir == Path("rules")
    assert found.telegram.token is None
    assert found.discord.webhook_url is None
    assert found.clock.speed == 1.0
    assert not found.record.enabled


def test_two_underscores_lead_into_a_section(env):
    env("OIBOT_DATA_DIR", "/var/lib/oibot")
    env("OIBOT_TELEGRAM__OWNER_ID", "42")
    env("OIBOT_TELEGRAM__CHATS", "[-100123, 7]")
    env("OIBOT_LOG__LEVEL", "DEBUG")
    found = settings.load()
    assert found.data_dir == Path("/var/lib/oibot")
    assert found.telegram.owner_id == 42
    assert found.telegram.chats == (-100123, 7)
    assert found.log.level == "DEBUG"


def test_dotenv_is_read_from_the_working_folder():
    dotenv(f"OIBOT_TELEGRAM__TOKEN={TOKEN}\n# a comment\nOIBOT_RECORD__ENABLED=true\n")
    assert token() == TOKEN
    assert settings.load().record.enabled


def test_the_environment_wins_over_dotenv_and_leaves_its_other_lines(env):
    dotenv("OIBOT_TELEGRAM__OWNER_ID=1\nOIBOT_TELEGRAM__CHAT_ID=2\n")
    env("OIBOT_TELEGRAM__OWNER_ID", "3")
    found = settings.load().telegram
    assert (found.owner_id, found.chat_id) == (3, 2)


def test_arguments_win_over_the_environment(env):
    env("OIBOT_DATA_DIR", "elsewhere")
    assert settings.load(data_dir=Path("here")).data_dir == Path("here")


def test_an_empty_value_counts_as_left_out(env):
    env("OIBOT_TELEGRAM__TOKEN", "")
    dotenv("OIBOT_TELEGRAM__OWNER_ID=\nOIBOT_DISCORD__WEBHOOK_URL=\n")
    found = settings.load()
    assert found.telegram.token is None
    assert found.telegram.owner_id is None
    assert found.discord.webhook_url is None


def test_other_programs_variables_in_the_environment_are_no_concern(env):
    env("TELEGRAM__TOKEN", TOKEN)
    env("SOMETHING_ELSE", "1")
    assert token() is None


@pytest.mark.parametrize(
    ("name", "scheme"), [("BINANCE__REST_URL", "https"), ("BINANCE__STREAM_URL", "wss"), ("TELEGRAM__API_URL", "http")]
)
def test_a_trailing_slash_of_a_base_url_is_taken_away(env, name, scheme):
    env(f"OIBOT_{name}", f"{scheme}://venue.example//")
    section, field = name.lower().split("__")
    assert getattr(getattr(settings.load(), section), field) == f"{scheme}://venue.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BINANCE__REST_URL", "nonsense"),
        ("BINANCE__STREAM_URL", "https://venue.example"),
        ("TELEGRAM__API_URL", "https://"),
        ("BINANCE__REST_URL", "https://venue.example:canary"),
        ("WEB__URL", "https://oibot.example:99999"),
        ("PING__URL", "https://hc.example:canary/canary"),
        ("TELEGRAM__TOKEN", "canary-canary"),
        ("DISCORD__WEBHOOK_URL", "canary-canary"),
        ("DISCORD__WEBHOOK_URL", "https://discord.com/canary-canary"),
    ],
)
def test_what_cannot_be_an_address_or_a_token_is_told_at_the_start_without_its_value(env, name, value):
    env(f"OIBOT_{name}", value)
    with pytest.raises(ConfigError, match=f"OIBOT_{name}: expected") as found:
        settings.load()
    assert "canary" not in str(found.value)


def test_the_path_of_a_secret_must_be_text(env):
    env("OIBOT_PING", '{"url_file": 5}')
    with pytest.raises(ConfigError, match="OIBOT_PING__URL_FILE: "):
        settings.load()


def test_a_misspelt_variable_of_the_environment_is_found(env):
    env("OIBOT_LOG_LEVEL", "DEBUG")
    env("OIBOT_LOG__LEVEL", "DEBUG")
    assert settings.unknown_in_environment() == ["OIBOT_LOG_LEVEL"]


def test_secrets_of_destinations_have_names_of_ones_own_from_every_source(env, secrets_dir):
    env("OIBOT_SECRETS__OPS_URL", "from the environment")
    dotenv("OIBOT_SECRETS__OPS_URL=from dotenv\nOIBOT_SECRETS__PAGER=from dotenv\n")
    (secrets_dir / "secrets__pager").write_text("from a file", encoding="utf-8")
    (secrets_dir / "secrets__NTFY").write_text("from a file\n", encoding="utf-8")
    found = settings.load()
    assert {name: value.get_secret_value() for name, value in found.secrets.items()} == {
        "ops_url": "from the environment",
        "pager": "from dotenv",
        "ntfy": "from a file",
    }
    assert settings.unknown_in_environment() == []
    assert "from" not in repr(found.secrets)


def test_settings_cannot_be_changed():
    found = settings.load()
    with pytest.raises(ValueError, match="frozen"):
        found.data_dir = Path("elsewhere")
    with pytest.raises(ValueError, match="frozen"):
        found.telegram.owner_id = 1


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "secret", "read"),
    [
        ("OIBOT_TELEGRAM__TOKEN_FILE", TOKEN, lambda s: s.telegram.token),
        ("OIBOT_DISCORD__WEBHOOK_URL_FILE", "https://discord.com/api/webhooks/1/x", lambda s: s.discord.webhook_url),
    ],
)
def test_a_secret_may_be_a_file_of_its_own(env, tmp_path, variable, secret, read):
    path = tmp_path / "secret"
    path.write_text(f"  {secret}\n", encoding="utf-8")
    env(variable, str(path))
    assert read(settings.load()).get_secret_value() == secret


def test_a_secret_file_that_is_not_there_is_named(env):
    env("OIBOT_TELEGRAM__TOKEN_FILE", "/nowhere/token")
    assert "token_file: cannot read /nowhere/token: No such file" in refusal()


def test_an_empty_secret_file_is_an_error(env, tmp_path):
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    env("OIBOT_TELEGRAM__TOKEN_FILE", str(tmp_path / "token"))
    assert "token is empty" in refusal()


def test_a_secret_file_that_is_no_text_is_an_error(env, tmp_path):
    (tmp_path / "token").write_bytes(b"\xff\xfe" + CANARY.encode())
    env("OIBOT_TELEGRAM__TOKEN_FILE", str(tmp_path / "token"))
    message = refusal()
    assert "not UTF-8" in message
    assert CANARY not in message


def test_a_secret_put_where_its_path_belongs_is_not_shown(env):
    env("OIBOT_TELEGRAM__TOKEN_FILE", TOKEN)
    assert CANARY not in refusal()


@pytest.mark.parametrize("name", ["telegram__token", "TELEGRAM__TOKEN", "oibot_telegram__token"])
def test_a_folder_of_secrets_names_them_like_the_variables(secrets_dir, name):
    (secrets_dir / name).write_text(TOKEN + "\n", encoding="utf-8")
    assert token() == TOKEN


def test_without_a_name_for_it_a_folder_credentials_beside_dotenv_is_one(env, tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "telegram__token").write_text(TOKEN, encoding="utf-8")
    assert token() == TOKEN
    other = tmp_path / "other"
    other.mkdir()
    (other / "telegram__token").write_text("1:from-the-named", encoding="utf-8")
    env("OIBOT_SECRETS_DIR", str(other))
    assert token() == "1:from-the-named"


def test_a_folder_credentials_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    (tmp_path / "credentials").mkdir()

    def refused(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    assert f"cannot read {tmp_path}/credentials: Permission denied; use sudo" in refusal()


def test_the_folder_of_secrets_is_weaker_than_dotenv_and_the_environment(secrets_dir, env):
    (secrets_dir / "telegram__token").write_text("1:from-the-folder", encoding="utf-8")
    (secrets_dir / "telegram__owner_id").write_text("7", encoding="utf-8")
    assert token() == "1:from-the-folder"
    dotenv("OIBOT_TELEGRAM__TOKEN=1:from-dotenv\n")
    assert token() == "1:from-dotenv"
    env("OIBOT_TELEGRAM__TOKEN", "1:from-the-environment")
    assert token() == "1:from-the-environment"
    assert settings.load().telegram.owner_id == 7


def test_other_things_in_the_folder_of_secrets_are_left_alone(secrets_dir):
    (secrets_dir / "README").write_text("not a setting", encoding="utf-8")
    (secrets_dir / "..data__1").mkdir()
    assert token() is None


@pytest.mark.parametrize("name", ["telegramm__token", "telegram__tokne"])
def test_a_misspelt_name_in_the_folder_of_secrets_is_told(secrets_dir, name):
    (secrets_dir / name).write_text(TOKEN, encoding="utf-8")
    message = refusal()
    assert name in message.lower()
    assert "no such setting" in message
    assert CANARY not in message


def test_a_folder_of_secrets_that_is_not_there_is_an_error(env):
    env("OIBOT_SECRETS_DIR", "/nowhere/at/all")
    assert "OIBOT_SECRETS_DIR: no folder /nowhere/at/all" in refusal()


def test_a_secret_is_never_printed(env):
    env("OIBOT_TELEGRAM__TOKEN", TOKEN)
    env("OIBOT_DISCORD__WEBHOOK_URL", f"https://discord.com/api/webhooks/1/{CANARY}")
    found = settings.load()
    for text in (repr(found), str(found), str(found.model_dump()), found.model_dump_json(), f"{found.telegram.token}"):
        assert CANARY not in text


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["OIBOT_TELEGRAMM__TOKEN", "OIBOT_TELEGRAM__TOKNE", "OIBOT_TOKEN", "TELEGRAM__TOKEN", "OIBOT_SECRETS_DIR"],
)
def test_an_unknown_name_in_dotenv_is_refused_as_it_stands_there(name):
    dotenv(f"{name}={TOKEN}\n")
    message = refusal()
    assert f"  {name}: no such setting" in message
    assert CANARY not in message


def test_an_unknown_name_of_a_known_section_is_refused_in_the_environment_too(env):
    env("OIBOT_TELEGRAM__TOKNE", TOKEN)
    message = refusal()
    assert "OIBOT_TELEGRAM__TOKNE: no such setting" in message
    assert CANARY not in message


@pytest.mark.parametrize(
    "name",
    [
        "OIBOT_TELEGRAM__OWNER_ID",
        "OIBOT_BINANCE__WEIGHT_SHARE",
        "OIBOT_LOG__LEVEL",
        "OIBOT_LOG__FORMAT",
        "OIBOT_RECORD__ENABLED",
        "OIBOT_CLOCK__SPEED",
    ],
)
def test_a_wrong_value_is_told_by_its_name_alone(env, name):
    env(name, TOKEN)
    message = refusal()
    assert f"{name}: " in message
    assert CANARY not in message
    assert "123456789" not in message


def test_all_wrong_values_are_told_at_once(env):
    env("OIBOT_TELEGRAM__OWNER_ID", "x")
    env("OIBOT_CLOCK__SPEED", "0")
    dotenv("OIBOT_NOPE=1\n")
    message = refusal()
    assert all(name in message for name in ("OIBOT_TELEGRAM__OWNER_ID", "OIBOT_CLOCK__SPEED", "OIBOT_NOPE"))


@pytest.mark.parametrize("name", ["OIBOT_TELEGRAM__CHATS", "OIBOT_TELEGRAM"])
def test_a_list_that_is_no_json_is_told_with_an_example(env, name):
    env(name, f"1, 2, {TOKEN}")
    message = refusal()
    assert "OIBOT_TELEGRAM" in message
    assert "[1, 2]" in message
    assert CANARY not in message


def test_a_dotenv_that_cannot_be_read_is_an_error_of_ours():
    Path(".env").write_bytes(b"OIBOT_DATA_DIR=\xff" + CANARY.encode())
    message = refusal()
    assert "cannot read .env" in message
    assert CANARY not in message


@pytest.mark.parametrize("sign", [": ", ":", " : ", " "])
def test_a_line_of_dotenv_without_its_sign_is_told_and_not_passed_over(sign):
    dotenv(f"OIBOT_LOG__LEVEL = DEBUG\n# OIBOT_LOG__LEVEL: a comment\nexport OIBOT_TELEGRAM__TOKEN{sign}{TOKEN}\n")
    message = refusal()
    assert ".env, line 3: expected OIBOT_TELEGRAM__TOKEN=" in message
    assert CANARY not in message


# -- the demo ----------------------------------------------------------------------------------------------------------


def test_a_demo_reads_neither_environment_nor_files(env, secrets_dir, tmp_path):
    env("OIBOT_TELEGRAM__TOKEN", TOKEN)
    env("OIBOT_LOG__LEVEL", "nonsense")
    dotenv(f"OIBOT_DISCORD__WEBHOOK_URL=https://discord.com/api/webhooks/1/{CANARY}\n")
    (secrets_dir / "telegram__owner_id").write_text("7", encoding="utf-8")
    found = settings.for_demo(
        data_dir=tmp_path, rules_dir=tmp_path, rest_url="http://127.0.0.1:1", stream_url="ws://127.0.0.1:2"
    )
    assert found.telegram == settings.TelegramSection()
    assert found.discord == settings.DiscordSection()
    assert found.telegram.token is None
    assert found.binance.rest_url == "http://127.0.0.1:1"
    assert found.binance.stream_url == "ws://127.0.0.1:2"
    assert found.data_dir == found.rules_dir == tmp_path


def test_a_demo_knows_every_setting():
    here = Path()
    found = settings.for_demo(data_dir=here, rules_dir=here, rest_url="http://x", stream_url="ws://x")
    for name in settings.Settings.model_fields:
        assert getattr(found, name) is not None


def test_the_shipped_rules_are_found_in_a_checkout():
    assert (settings.shipped_rules() / "default.yaml").is_file()


@pytest.mark.parametrize(
    ("value", "origin", "names"),
    [
        ("https://oibot.example.org", "https://oibot.example.org", ("oibot.example.org",)),
        ("https://OIBOT.example.org/", "https://oibot.example.org", ("oibot.example.org",)),
        ("http://10.0.0.7:8310", "http://10.0.0.7:8310", ("10.0.0.7",)),
    ],
)
def test_the_address_of_the_pages_is_a_name_by_which_they_may_be_asked(env, value, origin, names):
    env("OIBOT_WEB__URL", value)
    assert (settings.load().web.origin, settings.load().web.names) == (origin, names)


@pytest.mark.parametrize("value", ["oibot.example.org", "ftp://x", "https://x/path", "https://x/?a=1", "https://x/#a"])
def test_what_is_no_origin_is_refused(env, value):
    env("OIBOT_WEB__URL", value)
    with pytest.raises(ConfigError, match="OIBOT_WEB__URL"):
        settings.load()
