"""Times as people type them behind an option."""

from datetime import UTC, datetime
from typing import Final

from bot.errors import ConfigError

LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""
_DIGITS_OF_DATES: Final = (4, 8)
"""As in 2026 and 20260201: nobody means an instant of the first day of 1970."""


def parse_time(text: str, option: str) -> int:
    """ISO time (UTC where it names no zone) or epoch milliseconds -> epoch ms. Raises `ConfigError`."""
    at_ms = _at_ms(text)
    if at_ms is None or at_ms > LATEST_MS:
        raise ConfigError(
            f"{option}: expected a time such as 2026-02-01 or 2026-02-01T14:31, or epoch milliseconds, found {text[:40]!r}"
        )
    return at_ms


def time_text(ms: float) -> str:
    """As it may be typed again: `2026-02-01 14:31`, UTC."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"


def _at_ms(text: str) -> int | None:
    try:
        if text.isascii() and text.isdigit() and len(text) not in _DIGITS_OF_DATES:
            return int(text)
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
