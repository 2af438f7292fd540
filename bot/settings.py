"""Settings: environment, `.env` and secret files, read once by `app` and `cli` and by nobody else.

Variables start with `OIBOT_`, sections are separated by two underscores: `OIBOT_TELEGRAM__TOKEN`. A secret may also
be a file: `OIBOT_TELEGRAM__TOKEN_FILE=/run/secrets/token`, or a file named `telegram__token` in the folder that
`OIBOT_SECRETS_DIR` names (systemd credentials, Docker secrets), else in a folder `credentials` beside `.env`. Secrets that only `destinations.yaml` names are
`OIBOT_SECRETS__NAME`, or files named `secrets__name`. The environment wins over `.env`, `.env` over that
folder, the folder over the defaults. An empty value counts as left out. No error message shows a value.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from bot import log
from bot.errors import ConfigError

PREFIX: Final = "OIBOT_"
CREDENTIALS: Final = Path("credentials")
"""Where `oibot install-service` puts secrets, beside `.env`."""
_TOKEN: Final = re.compile(r"\d+:[\w-]+")


class Section(BaseModel, frozen=True, extra="forbid"):
    """One component's settings; an unknown name is an error, so that a typo is told."""


class BinanceSection(Section, frozen=True):
    """Where Binance USDⓈ-M is, and how much of its limits we use."""

    rest_url: str = "https://fapi.binance.com"
    stream_url: str = "wss://fstream.binance.com"
    weight_share: Annotated[float, Field(gt=0, le=0.9)] = 0.5
    """Share of the venue's 2,400 weight a minute that the bot uses at most; the pool is per IP address."""

    @field_validator("rest_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        return _address(value, "https", "http")

    @field_validator("stream_url")
    @classmethod
    def _is_websocket(cls, value: str) -> str:
        return _address(value, "wss", "ws")


def _address(value: str, *schemes: str) -> str:
    """Without a slash at the end: a doubled one in a path is enough for Binance's firewall to answer 403."""
    try:
        parts = urlsplit(value)
        named = parts.scheme in schemes and bool(parts.hostname)
    except ValueError:
        named = False
    if not named:
        raise ValueError(f"expected an address such as {schemes[0]}://host")
    return value.rstrip("/")


def _secret_from_file(values: Any, name: str) -> Any:
    if isinstance(values, dict) and values.get(f"{name}_file"):
        try:
            values = {**values, name: _secret(Path(values[f"{name}_file"]))}
        except ValueError as error:
            raise ValueError(f"{name}_file: {error}") from None
    return values


def _secret(path: Path) -> str:
    """The content of a secret file. Raises `ValueError` with a reason; someone may have put the secret for the path."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot read {log.redact(str(path))}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {log.redact(str(path))}: it is not UTF-8 text") from None
    if not secret:
        raise ValueError(f"{log.redact(str(path))} is empty")
    return secret


class TelegramSection(Section, frozen=True):
    """The Telegram bot. Without an owner id no chat command is answered."""

    token: SecretStr | None = None
    token_file: str | None = None
    api_url: str = "https://api.telegram.org"
    owner_id: int | None = None
    chat_id: int | None = None
    """Where alerts go; the owner's private chat when left out."""
    chats: tuple[int, ...] = ()
    """Further chats in which commands are answered, whoever writes there."""

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, values: Any) -> Any:
        return _secret_from_file(values, "token")

    @field_validator("api_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        return _address(value, "https", "http")

    @field_validator("token")
    @classmethod
    def _is_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value() and not _TOKEN.fullmatch(value.get_secret_value().strip()):
            raise ValueError("expected digits, a colon and letters, as @BotFather gives them")
        return value


class DiscordSection(Section, frozen=True):
    """A Discord channel's webhook."""

    webhook_url: SecretStr | None = None
    webhook_url_file: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, values: Any) -> Any:
        return _secret_from_file(values, "webhook_url")

    @field_validator("webhook_url")
    @classmethod
    def _is_webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value():
            address = _address(value.get_secret_value().strip(), "https", "http")
            if "/webhooks/" not in address:
                raise ValueError("expected an address with /webhooks/ in it, as Discord's channel settings give it")
        return value


class LogSection(Section, frozen=True):
    """How the bot speaks to its operator."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "console", "json"] = "auto"
    collapse: bool = True
    """Put warnings and errors together that repeat themselves."""
    blocked_ms: Annotated[int, Field(ge=50, le=60_000)] = 250
    """How long the event loop may be blocked before it is logged what does it."""


class AlertsSection(Section, frozen=True):
    """Alerts that people make in chat."""

    max_per_chat: Annotated[int, Field(ge=0, le=10_000)] = 100


class DeliverySection(Section, frozen=True):
    """How much each destination is told."""

    at_once: Annotated[int, Field(ge=0, le=100)] = 3
    """Alerts within `gather_s` that are told one by one; what follows is told in one digest."""
    gather_s: Annotated[float, Field(ge=0, le=600)] = 10.0
    ttl_s: Annotated[float, Field(ge=60, le=86_400)] = 900.0
    per_minute: Annotated[int, Field(ge=1, le=1_000)] = 20
    per_day: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    critical_per_minute: Annotated[int, Field(ge=1, le=1_000)] = 60
    critical_per_day: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    storm_share: Annotated[float, Field(gt=0, le=1)] = 0.1


class ChartsSection(Section, frozen=True):
    """Pictures with alerts and for `/chart`."""

    enabled: bool = True
    zone: str = "UTC"
    """Time zone of their time axis, such as `Europe/Berlin`."""

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError):
            raise ValueError("expected the name of a time zone, such as Europe/Berlin") from None
        return value


class BackupSection(Section, frozen=True):
    """Daily copies of the database, in the data folder."""

    keep: Annotated[int, Field(ge=0, le=1_000)] = 7
    """How many; 0 for none."""


class WebSection(Section, frozen=True):
    """Health and metrics over HTTP. Whoever can reach it can read it, so it listens on this machine alone unless told."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8310
    """0: any free one, named in the log."""
    public: bool = False
    """Allow `host` to be an address that others can reach."""
    hosts: tuple[str, ...] = ()
    """Names by which it may be asked, besides the loopback's and `host`."""
    pinned: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    """Symbols whose price and open interest are metrics."""

    @model_validator(mode="after")
    def _is_private(self) -> "WebSection":
        if not self.public and self.host != "localhost" and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from elsewhere, and what it answers needs no password; keep 127.0.0.1, "
                "or set OIBOT_WEB__PUBLIC=true where a firewall or a container's network keeps others out"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class PingSection(Section, frozen=True):
    """A dead-man's switch: an address that is asked for while the bot does its work."""

    url: SecretStr | None = None
    url_file: str | None = None
    every_s: Annotated[float, Field(ge=10, le=3_600)] = 60.0
    style: Literal["plain", "healthchecks"] = "plain"
    """healthchecks: also `/start` and `/fail` below the address."""

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, values: Any) -> Any:
        return _secret_from_file(values, "url")

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value():
            _address(value.get_secret_value().strip(), "https", "http")
        return value


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
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        env_file_encoding="utf-8",
        # Compose files and templates pass on variables that are not set as empty ones.
        env_ignore_empty=True,
        # A typo in `.env` should be told, see `load`; other programs' variables in the environment are not ours.
        extra="forbid",
        frozen=True,
    )

    data_dir: Path = Path("data")
    rules_dir: Path = Path("rules")
    binance: BinanceSection = BinanceSection()
    telegram: TelegramSection = TelegramSection()
    discord: DiscordSection = DiscordSection()
    alerts: AlertsSection = AlertsSection()
    delivery: DeliverySection = DeliverySection()
    charts: ChartsSection = ChartsSection()
    backup: BackupSection = BackupSection()
    log: LogSection = LogSection()
    web: WebSection = WebSection()
    ping: PingSection = PingSection()
    clock: ClockSection = ClockSection()
    record: RecordSection = RecordSection()
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    """What `secret:NAME` in destinations.yaml means, by name in lower case."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003, wants one file per section, in JSON
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Strongest first."""
        secrets = InitSettingsSource(settings_cls, init_kwargs=_from_secrets_dir())
        return init_settings, env_settings, dotenv_settings, secrets


def load(**overrides: Any) -> Settings:
    """Read all sources; raise `ConfigError` that names each wrong variable, never its value."""
    try:
        found = Settings(**overrides)
        log.hide(*_secrets_of(found))
        return found
    except ValidationError as error:
        lines = [_line(e) for e in error.errors()]
        raise ConfigError("settings:\n  " + "\n  ".join(lines)) from None
    except SettingsError as error:
        section = re.search(r'field "(\w+)"', str(error))
        name = f"{PREFIX}{section[1].upper()}__…" if section else PREFIX
        raise ConfigError(f"settings:\n  {name}: expected JSON where a list stands, such as [1, 2]") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"settings: cannot read .env in {Path.cwd()}: {reason}") from None


def _secrets_of(settings: Settings) -> list[str]:
    """Every value that is a secret, whatever section it stands in."""
    sections = [section for _, section in settings if isinstance(section, Section)]
    values = [value for section in sections for _, value in section] + list(settings.secrets.values())
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


def _line(error: ErrorDetails) -> str:
    name = "__".join(str(part) for part in error["loc"]).upper()
    if error["type"] != "extra_forbidden":
        return f"{PREFIX}{name}: {error['msg'].removeprefix('Value error, ')}"
    # An unknown name at the top comes from `.env`, as it stands there.
    return f"{name if len(error['loc']) == 1 else PREFIX + name}: no such setting; .env.example lists them all"


def _from_secrets_dir() -> dict[str, Any]:
    """Map files named `telegram__token` and the like to nested values."""
    variable = f"{PREFIX}SECRETS_DIR"
    named = os.environ.get(variable)
    folder = Path(named) if named else CREDENTIALS
    if not folder.is_dir():
        if named:
            raise ConfigError(f"{variable}: no folder {folder}; create it or unset the variable")
        return {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"settings: cannot read {folder.absolute()}: {error.strerror}; use sudo") from None
    found: dict[str, Any] = {}
    for path in paths:
        section, _, name = path.name.lower().removeprefix(PREFIX.lower()).partition("__")
        if not name or not path.is_file():
            continue
        if section not in Settings.model_fields:
            raise ConfigError(f"{variable}: {path.name}: no such setting; .env.example lists them all")
        try:
            found.setdefault(section, {})[name] = _secret(path)
        except ValueError as error:
            raise ConfigError(f"{variable}: {error}") from None
    return found


def unknown_in_environment() -> list[str]:
    """`OIBOT_…` variables of the environment that are no setting: a typo there is otherwise passed over in silence."""
    known = {f"{PREFIX}SECRETS_DIR"}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        known.add(f"{PREFIX}{name.upper()}")
        if isinstance(section, type) and issubclass(section, Section):
            known |= {f"{PREFIX}{name.upper()}__{inner.upper()}" for inner in section.model_fields}
    secret = f"{PREFIX}SECRETS__"
    return sorted(
        n
        for n in os.environ
        if n.upper().startswith(PREFIX) and n.upper() not in known and not n.upper().startswith(secret)
    )


def shipped_rules() -> Path:
    """The rules that come with the bot: beside the package in a checkout, inside it when installed."""
    beside = Path(__file__).parent.parent / "rules"
    return beside if (beside / "default.yaml").is_file() else Path(__file__).parent / "shipped"


def for_demo(*, data_dir: Path, rules_dir: Path, rest_url: str, stream_url: str) -> Settings:
    """Settings that read neither the environment nor `.env`: a demo must not alert anyone's real chat."""
    return Settings.model_construct(
        data_dir=data_dir,
        rules_dir=rules_dir,
        binance=BinanceSection(rest_url=rest_url, stream_url=stream_url),
        telegram=TelegramSection(),
        discord=DiscordSection(),
        alerts=AlertsSection(),
        delivery=DeliverySection(),
        charts=ChartsSection(),
        backup=BackupSection(),
        log=LogSection(level="WARNING"),
        web=WebSection(),
        ping=PingSection(),
        clock=ClockSection(),
        record=RecordSection(),
        secrets={},
    )
