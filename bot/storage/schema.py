"""The numbered scripts that make the schema."""

from importlib import resources


def migrations() -> list[tuple[int, str]]:
    """Numbered scripts, ascending. `0002_more.sql` brings a database from version 1 to 2."""
    folder = resources.files("bot.storage") / "migrations"
    scripts = [p for p in folder.iterdir() if p.name.endswith(".sql")]
    return sorted((int(p.name.split("_")[0]), p.read_text(encoding="utf-8")) for p in scripts)
