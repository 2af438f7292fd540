"""The sections of the settings: types, limits, and what is secret."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from bot import log

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
        named = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0  # raises where it is no number
    except ValueError:
        named = False
    if not named:
        raise ValueError(f"expected an address such as {schemes[0]}://host")
    return value.rstrip("/")


def _secret_from_file(values: Any, name: str) -> Any:
    path = values.get(f"{name}_file") if isinstance(values, dict) else None
    if path and isinstance(path, str):
        try:
            values = {**values, name: secret_of(Path(path))}
        except ValueError as error:
            raise ValueError(f"{name}_file: {error}") from None
    return values


def secret_of(path: Path) -> str:
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
    allow_backup: bool = False
    """Let the owner have the newest backup by `/backup`; it then lies on Telegram's servers."""
    allow_logs: bool = False
    """Let the owner have the last of the log by `/logs`."""

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


class ScorecardSection(Section, frozen=True):
    """How alerts fared afterwards."""

    replies: Literal["off", "quiet", "on"] = "quiet"
    """Under each alert; chats can set it otherwise."""
    weekly: bool = True
    """Once a week, which rules add nothing."""
    keep_days: Annotated[int, Field(ge=1, le=3_650)] = 90


class BackupSection(Section, frozen=True):
    """Daily copies of the database, in the data folder."""

    keep: Annotated[int, Field(ge=0, le=1_000)] = 7
    """How many; 0 for none."""


class WebSection(Section, frozen=True):
    """Health, metrics and the dashboard over HTTP. Whoever can reach it can read health and metrics, so it listens on this
    machine alone unless told.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8310
    """0: any free one, named in the log."""
    public: bool = False
    """Allow `host` to be an address that others can reach."""
    hosts: tuple[str, ...] = ()
    """Names by which it may be asked, besides the loopback's, `host` and that of `url`."""
    dashboard: bool = True
    """Pages too, for the owner and admins."""
    url: str | None = None
    """Where people reach the pages, such as `https://oibot.example.org`, through a proxy or a tunnel."""
    pinned: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    """Symbols whose price and open interest are metrics."""

    @field_validator("url")
    @classmethod
    def _is_origin(cls, value: str | None) -> str | None:
        if value is None:
            return value
        _address(value, "https", "http")
        found = urlsplit(value)
        if found.path.strip("/") or found.query or found.fragment:
            raise ValueError("expected scheme, name and port alone, such as https://oibot.example.org")
        return f"{found.scheme}://{found.netloc.lower()}"

    @property
    def names(self) -> tuple[str, ...]:
        """By which it may be asked."""
        return (*self.hosts, *filter(None, [urlsplit(self.origin).hostname]))

    @property
    def origin(self) -> str:
        """`url`, empty where there is none."""
        return self.url or ""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or _is_loopback(self.host)

    @model_validator(mode="after")
    def _is_private(self) -> "WebSection":
        if not self.public and not self.is_local:
            raise ValueError(
                f"host {self.host} can be reached from elsewhere, and what it answers needs no password; keep 127.0.0.1, "
                "or set OIBOT_WEB__PUBLIC=true where a firewall or a container's network keeps others out"
            )
        return self


def address_of(host: str, port: int) -> str:
    """Where a browser on this machine finds what listens there."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{'127.0.0.1' if name in {'0.0.0.0', '[::]'} else name}:{port}"  # noqa: S104, compared


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


class HistorySection(Section, frozen=True):
    """One-minute bars of everything that is seen, in the data folder."""

    days: Annotated[int, Field(ge=0, le=3_650)] = 30
    """How long what the bot saw itself is kept; 0 keeps none."""
