"""What `oibot install-service` does to files: planned as a whole, looked at for conflicts, and only then written.

The service has a folder of its own with `.env`, `rules` and `credentials`. Settings and rules come from the folder in which
the command is called, if they are not there already; secrets leave `.env` for files that only their owner can read.
"""

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from pydantic import BaseModel, SecretStr

from bot.app.data_dir import DataDir
from bot.app.service_unit import NAME, Places, is_as_written, unit_text
from bot.errors import ConfigError
from bot.rules.files import OTHER_FILES, TESTS
from bot.settings import PREFIX, Settings, shipped_rules
from bot.storage import copies, preparing

HIDDEN: Final = ("/home", "/root", "/run/user")
"""What the system's unit cannot see, see `ProtectHome`."""
_LINE: Final = re.compile(r"^[ \t]*(?:export[ \t]+)?(OIBOT_\w+)[ \t]*=", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Write:
    """One file to be there with this content and mode."""

    path: Path
    content: str
    mode: int
    may_replace: bool = False
    """Whether what is there now may go without being asked about."""
    keeps_old: bool = True
    """Whether what `--force` replaces stays beside it."""

    @property
    def is_done(self) -> bool:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return self.path.read_bytes().decode() == self.content
        return False

    @property
    def is_conflict(self) -> bool:
        return self.path.exists() and not self.is_done and not self.may_replace


@dataclass(frozen=True, slots=True)
class Target:
    """Real folders of one installation; `places` are the same as the unit names them."""

    places: Places
    unit: Path
    config: Path
    data: Path

    @classmethod
    def system(cls, program: str, root: Path) -> "Target":
        """`root`: the folder that is `/` for the service, such as an image that is being built."""
        places = Places.system(program.replace(f"{root}/", "/", 1) if program.startswith(f"{root}/") else program)
        return cls(places, root / "etc/systemd/system" / NAME, root / places.config[1:], root / places.data[1:])

    @classmethod
    def user(cls, program: str, home: Path, config_home: Path) -> "Target":
        return cls(
            Places.user(program),
            config_home / "systemd/user" / NAME,
            config_home / "oibot",
            home / ".local/share/oibot",
        )


def program_of(executable: Path) -> Path:
    """The `oibot` command beside the interpreter that runs now. Raises `ConfigError` where there is none."""
    program = executable.absolute().parent / "oibot"
    if not program.is_file():
        raise ConfigError(f"install-service: expected a command at {program}, found none; install oibot there with pip")
    return program


def refuse_hidden(program: Path) -> None:
    """The system's service must be able to see the program and the Python beneath it."""
    for path in (program, Path(sys.base_prefix)):
        if str(path.resolve()).startswith(tuple(f"{folder}/" for folder in HIDDEN)):
            raise ConfigError(
                f"install-service: a service of the system cannot see {path}; install oibot in /opt/oibot with the Python "
                "of the system, as docs/server.md shows, or use --user"
            )


def plan(target: Target, settings: Settings, here: Path) -> list[Write]:
    """Everything that is to be there. `here`: the folder whose `.env` and rules are taken."""
    secrets = secrets_of(settings)
    existing = target.config / ".env"
    source = here / ".env"
    text = (
        source.read_bytes().decode()
        if source.is_file()
        else existing.read_bytes().decode()
        if existing.is_file()
        else ""
    )
    places = {
        f"{PREFIX}DATA_DIR": str(target.data) if target.places.is_user else target.places.data,
        f"{PREFIX}RULES_DIR": str(target.config / "rules")
        if target.places.is_user
        else f"{target.places.config}/rules",
    }
    in_place = source.resolve() == existing.resolve()
    unit = target.unit.read_bytes().decode(errors="replace") if target.unit.is_file() else ""
    # Secrets are in their own place before they leave another. Whatever lies beside them would be taken for one.
    writes = [
        Write(target.config / "credentials" / name, f"{secret}\n", 0o600, keeps_old=False)
        for name, secret in sorted(secrets.items())
    ]
    writes += _rules(target, settings)
    writes.append(Write(target.unit, unit_text(target.places), 0o644, may_replace=is_as_written(unit)))
    writes.append(Write(existing, env_text(text, places), 0o600, may_replace=in_place))
    if not in_place and secrets and source.is_file():
        writes.append(Write(source, env_text(text, {}), 0o600, may_replace=True))
    return writes


def _rules(target: Target, settings: Settings) -> list[Write]:
    """The rule files of the settings and their tests, else the shipped ones; of others nothing is known."""
    folder = target.config / "rules"
    source = settings.rules_dir if settings.rules_dir.is_dir() else shipped_rules()
    if folder.is_dir() and (source.resolve() == folder.resolve() or not settings.rules_dir.is_dir()):
        return []
    return [
        Write(folder / path.relative_to(source), _text_of(path), 0o644)
        for path in sorted([*source.iterdir(), *(source / TESTS).glob("*")])
        if path.is_file() and (path.suffix in {".yaml", ".yml"} or path.name in OTHER_FILES or path.suffix == ".json")
    ]


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text, found something else; move it away") from None
    except OSError as error:
        raise ConfigError(f"install-service: cannot read {path}: {error.strerror}") from None


def _secret_fields() -> list[tuple[str, str]]:
    """Section and name of every setting that is a secret."""
    return [
        (section, name)
        for section, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for name, inner in field.annotation.model_fields.items()
        if inner.annotation is SecretStr or SecretStr in get_args(inner.annotation)
    ]


def secrets_of(settings: Settings) -> Mapping[str, str]:
    """The secrets among the settings, wherever they were read, by the names of files that `OIBOT_SECRETS_DIR` knows."""
    found = {f"secrets__{name}": secret for name, secret in settings.secrets.items()}
    found |= {f"{section}__{name}": getattr(getattr(settings, section), name) for section, name in _secret_fields()}
    return {name: text for name, secret in found.items() if secret and (text := secret.get_secret_value().strip())}


def is_secret(name: str) -> bool:
    """Whether a setting holds a secret or names a file with one."""
    upper = name.upper().removesuffix("_FILE").removeprefix(PREFIX)
    return upper.startswith("SECRETS") or any(upper == f"{s}__{n}".upper() for s, n in _secret_fields())


def env_text(text: str, values: Mapping[str, str]) -> str:
    """The text of a `.env` without its secrets and with these settings; comments and all else stay."""
    kept = []
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None or not (is_secret(found[1]) or found[1].upper() in values):
            kept.append(line)
    kept += [f"{name}={value}" for name, value in values.items()]
    return "\n".join(kept) + "\n"


def take_along(data: Path, target: Target) -> Path | None:
    """Copy the database of the folder used so far, where the service has none yet: its owner, alerts, what it owes.

    Raises `ConfigError` where a bot still runs on that folder.
    """
    old, new = DataDir(data), DataDir(target.data)
    if not old.database.is_file() or new.database.exists():
        return None
    with old:
        copies.copy(old.database, new.database)
    preparing.mark(new.database, is_open=False)
    return old.database


def refuse_conflicts(writes: Sequence[Write], *, force: bool) -> None:
    """Raise `ConfigError` where a file was changed by hand, before anything is written."""
    conflicts = [str(write.path) for write in writes if write.is_conflict]
    if conflicts and not force:
        listed = "\n  ".join(conflicts)
        raise ConfigError(
            f"install-service: these files are there with other content, and nothing was written:\n  {listed}\n"
            "Move them away, or use --force to replace them: each but a secret is then kept with the ending .before"
        )


def install(writes: Sequence[Write], target: Target) -> None:
    """Write what is not there yet. Raises `ConfigError` where that is not possible."""
    try:
        # Everybody may read the rules: the service's user is not known before it runs. They hold no secrets.
        for name, mode in (("", 0o755), ("rules", 0o755), ("credentials", 0o700)):
            folder = target.config / name
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)
        if target.places.is_user:
            target.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for write in writes:
            if not write.is_done:
                _write(write)
            write.path.chmod(write.mode)
        for path in (target.config / "rules").iterdir():
            path.chmod(path.stat().st_mode | 0o444)
    except OSError as error:
        raise ConfigError(f"install-service: cannot write {error.filename}: {error.strerror}") from error


def _write(write: Write) -> None:
    """Whole or not at all, with the owner of what it replaces."""
    write.path.parent.mkdir(parents=True, exist_ok=True)
    owner = write.path.stat() if write.path.exists() else None
    if write.is_conflict and write.keeps_old:
        shutil.copy2(write.path, write.path.with_name(f"{write.path.name}.before"))
    fresh = write.path.with_name(f".{write.path.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(write.content.encode())
            file.flush()
            os.fsync(file.fileno())
        if owner is not None and os.geteuid() == 0:
            os.chown(fresh, owner.st_uid, owner.st_gid)
        fresh.replace(write.path)
    finally:
        fresh.unlink(missing_ok=True)
