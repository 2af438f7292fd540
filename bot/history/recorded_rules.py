"""The rules that a journal was recorded with."""

import tempfile
from pathlib import Path

from bot.history.journal import Header
from bot.rules.loader import load_folder
from bot.rules.schema import Rule


def recorded_rules(header: Header) -> tuple[Rule, ...]:
    """Read as they were at the start of the run; what could not be loaded then is not loaded now either."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in header.rule_files.items():
            (Path(folder) / Path(name).name).write_text(text, encoding="utf-8")
        return load_folder(Path(folder), destinations=header.destinations).rules
