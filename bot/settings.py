"""Settings: environment, `.env` and secret files, read once by `app` and `cli` and by nobody else.

Variables start with `OIBOT_`, sections are separated by two underscores: `OIBOT_TELEGRAM__TOKEN`. A secret may also
be a file: `OIBOT_TELEGRAM__TOKEN_FILE=/run/secrets/token`, or a file named `telegram__token` in the folder that
`OIBOT_SECRETS_DIR` names (systemd credentials, Docker secrets), else in a folder `credentials` beside `.env`. Secrets that only `destinations.yaml` names are
`OIBOT_SECRETS__NAME`, or files named `secrets__name`. The environment wins over `.env`, `.env` over that
folder, the folder over the defaults. An empty value counts as left out. No error message shows a value.
"""

import os
import re
from pathlib import Path
from typing import Any, Final

from pydantic import Field, SecretStr, ValidationError
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
from bot.settings_sections import (
    AlertsSection,
    BackupSection,
    BinanceSection,
    ChartsSection,
    ClockSection,
    DeliverySection,
    DiscordSection,
    HistorySection,
    LogSection,
    PingSection,
    RecordSection,
    ScorecardSection,
    Section,
    TelegramSection,
    WebSection,
    secret_of,
)

PREFIX: Final = "OIBOT_"
CREDENTIALS: Final = Path("credentials")
"""Where `oibot install-service` puts secrets, beside `.env`."""
_NO_SIGN: Final = re.compile(r"[ \t]*(?:export[ \t]+)?(OIBOT_\w+)\b(?:[ \t]*:|[ \t]+[^=\s])", re.ASCII | re.IGNORECASE)


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
    scorecard: ScorecardSection = ScorecardSection()
    backup: BackupSection = BackupSection()
    log: LogSection = LogSection()
    web: WebSection = WebSection()
    ping: PingSection = PingSection()
    clock: ClockSection = ClockSection()
    record: RecordSection = RecordSection()
    history: HistorySection = HistorySection()
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
        _require_signs(Path(".env"))
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


def _require_signs(env: Path) -> None:
    """The library passes over a line that it cannot read, and says so in the log alone."""
    if not env.is_file():
        return
    for number, line in enumerate(env.read_text(encoding="utf-8").split("\n"), 1):
        if found := _NO_SIGN.match(line):
            raise ConfigError(f"settings: .env, line {number}: expected {found[1]}=…, found no = behind the name")


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
            found.setdefault(section, {})[name] = secret_of(path)
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


def for_demo(*, data_dir: Path, rules_dir: Path, rest_url: str, stream_url: str, web_port: int = 0) -> Settings:
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
        web=WebSection(enabled=True, port=web_port),
        ping=PingSection(),
        clock=ClockSection(),
        record=RecordSection(),
        history=HistorySection(days=0),
        secrets={},
    )
