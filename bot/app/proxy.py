"""The proxy of the environment, as the library that speaks to Telegram takes it."""

import contextlib
from collections.abc import Iterator

from bot.errors import ConfigError


@contextlib.contextmanager
def usable_proxy(subject: str) -> Iterator[None]:
    """Make what speaks to Telegram in the body. Raises `ConfigError` where the library cannot use the proxy."""
    try:
        yield
    except (RuntimeError, ValueError, ImportError) as error:
        fix = "name an http:// proxy in HTTPS_PROXY, or except the host with NO_PROXY"
        raise ConfigError(f"{subject}: the proxy of the environment cannot be used: {error}; {fix}") from None
