"""Times as people type them behind an option."""

from datetime import UTC, datetime

from bot.errors import ConfigError


def parse_time(text: str, option: str) -> int:
    """ISO time (UTC where it names no zone) or epoch milliseconds -> epoch ms. Raises `ConfigError`."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option}: expected a time such as 2026-02-01 or 2026-02-01T14:31, or epoch milliseconds, found {text[:40]!r}"
        ) from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
