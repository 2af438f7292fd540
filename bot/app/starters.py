"""The files that a new installation begins with: rules to start from with their tests, and what editors check them with."""

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.errors import ConfigError
from bot.rules.files import OTHER_FILES, TESTS
from bot.settings import shipped_rules

RULES: Final = "default.yaml"
SCHEMAS: Final = ("rules.schema.json", "destinations.schema.json", "rule-tests.schema.json")


@dataclass(frozen=True, slots=True)
class Starter:
    """One file, and whether it was written just now."""

    path: Path
    is_new: bool


def write_starters(folder: Path) -> Sequence[Starter]:
    """Copy what is missing; nothing is overwritten, and rules come only into a folder that has none.

    The tests of the shipped rules come with these rules, so they never speak of others; they count as one
    starter. Raises `ConfigError` where the folder cannot be written.
    """
    source = shipped_rules()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        has_rules = any(p.suffix in {".yaml", ".yml"} and p.name not in OTHER_FILES for p in folder.iterdir())
        found = []
        for name in (*(() if has_rules else (RULES,)), *SCHEMAS):
            target = folder / name
            is_new = not target.exists()
            if is_new:
                _copy(source / name, target)
            found.append(Starter(target, is_new))
        if not has_rules and not (folder / TESTS).exists():
            _copy_tests(source / TESTS, folder / TESTS)
            found.append(Starter(folder / TESTS, is_new=True))
    except OSError as error:
        raise ConfigError(f"OIBOT_RULES_DIR: cannot write in {folder}: {error.strerror}") from error
    return found


def _copy_tests(source: Path, target: Path) -> None:
    """All of them or none."""
    part = target.with_name(f".{target.name}.part")
    try:
        part.mkdir(exist_ok=True)
        for path in sorted(source.glob("*.yaml")):
            shutil.copyfile(path, part / path.name)
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
