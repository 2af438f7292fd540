"""Settings: environment, `.env` and secret files, read once by `app` and `cli` and by nobody else.

Variables start with `OIBOT_`, sections are separated by two underscores: `OIBOT_TELEGRAM__TOKEN`. A secret may also
be a file: `OIBOT_TELEGRAM__TOKEN_FILE=/run/secrets/token`, or a file named `telegram__token` in the folder that
`OIBOT_SECRETS_DIR` names (systemd credentials, Docker secrets).
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import ConfigError


class Section(BaseModel, frozen=True, extra="forbid"):
    """One component's settings; an unknown name is an error, so that a typo is told."""


class BinanceSection(Section, frozen=True):
    """Where Binance USDⓈ-M is, and how much of its limits we use."""

    rest_url: str = "https://fapi.binance.com"
    stream_url: str = "wss://fstream.binance.com"
    weight_share: Annotated[float, Field(gt=0, le=0.9)] = 0.5
    """Share of the venue's 2,400 weight a minute that the bot uses at most; the pool is per IP address."""

    @field_validator("rest_url", "stream_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        # A doubled slash in the path is enough for Binance's firewall to answer 403.
        return value.rstrip("/")


def _secret_from_file(values: Any, name: str) -> Any:
    if isinstance(values, dict) and values.get(f"{name}_file"):
        path = Path(values[f"{name}_file"])
        try:
            values = {**values, name: path.read_text(encoding="utf-8").strip()}
        except OSError as error:
            raise ValueError(f"{name}_file: cannot read {path}: {error.strerror}") from error
    return values


class TelegramSection(Section, frozen=True):
    """The Telegram bot. Without an owner id no chat command is answered."""

    token: SecretStr | None = None
    token_file: str | None = None
    api_url: str = "https://api.telegram.org"
    owner_id: int | None = None
    chat_id: int | None = None
    """Where alerts go; the owner's private chat when left out."""
    chats: tuple[int, ...] = ()
    """Further chats in which the owner's commands are answered."""

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, values: Any) -> Any:
        return _secret_from_file(values, "token")

    @field_validator("api_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")


class DiscordSection(Section, frozen=True):
    """A Discord channel's webhook."""

    webhook_url: SecretStr | None = None
    webhook_url_file: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, values: Any) -> Any:
        return _secret_from_file(values, "webhook_url")


class LogSection(Section, frozen=True):
    """How the bot speaks to its operator."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "console", "json"] = "auto"


class ClockSection(Section, frozen=True):
    """For tests: a faster clock, shared with a simulated venue."""

    speed: Annotated[float, Field(ge=0.1, le=1000)] = 1.0
    epoch_ms: int | None = None


class RecordSection(Section, frozen=True):
    """The journal of what the engine consumed. Off unless `enabled` or `oibot record`."""

    enabled: bool = False
    max_mb: Annotated[int, Field(ge=1)] = 2_000
    rotate_mb: Annotated[int, Field(ge=1)] = 64


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix="OIBOT_",
        env_nested_delimiter="__",
        env_file=".env",
        env_file_encoding="utf-8",
        # A typo in `.env` should be told, see `load`; other programs' variables in the environment are not ours.
        extra="forbid",
        frozen=True,
    )

    data_dir: Path = Path("data")
    rules_dir: Path = Path("rules")
    binance: BinanceSection = BinanceSection()
    telegram: TelegramSection = TelegramSection()
    discord: DiscordSection = DiscordSection()
    log: LogSection = LogSection()
    clock: ClockSection = ClockSection()
    record: RecordSection = RecordSection()


def load(**overrides: Any) -> Settings:
    """Read all sources; raise `ConfigError` that names each wrong variable."""
    secrets_dir = os.environ.get("OIBOT_SECRETS_DIR")
    extra: dict[str, Any] = {}
    if secrets_dir:
        if not Path(secrets_dir).is_dir():
            raise ConfigError(f"OIBOT_SECRETS_DIR: no folder {secrets_dir}; create it or unset the variable")
        extra = _from_secrets_dir(Path(secrets_dir))
    try:
        return Settings(**{**extra, **overrides})
    except ValidationError as error:
        lines = [
            f"OIBOT_{'__'.join(str(p) for p in e['loc']).upper()}: {e['msg']}"  # the value may be a secret: not shown
            for e in error.errors()
        ]
        raise ConfigError("settings:\n  " + "\n  ".join(lines)) from None


def _from_secrets_dir(folder: Path) -> dict[str, Any]:
    """Map `telegram__token` and the like to nested values; they are the weakest source but one: the defaults."""
    found: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        section, _, name = path.name.lower().removeprefix("oibot_").partition("__")
        if name and path.is_file() and not os.environ.get(f"OIBOT_{section}__{name}".upper()):
            found.setdefault(section, {})[name] = path.read_text(encoding="utf-8").strip()
    return found
