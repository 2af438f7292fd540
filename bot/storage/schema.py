"""The numbered scripts that make the schemas."""

from importlib import resources


def migrations(folder: str = "migrations") -> list[tuple[int, str]]:
    """Numbered scripts, ascending. `0002_more.sql` brings a database from version 1 to 2."""
    place = resources.files("bot.storage") / folder
    scripts = [p for p in place.iterdir() if p.name.endswith(".sql")]
    return sorted((int(p.name.split("_")[0]), p.read_text(encoding="utf-8")) for p in scripts)
