"""Log set-up: readable lines on a terminal, JSON otherwise, and no secret in either.

Event names are constant strings of the form `noun.verb_past` (`feed.reconnected`, `alert.fired`); values travel as
keys with units. Redaction is the last processor before rendering and covers standard-library loggers too. It knows secrets
by their form, and those of the settings by their value (`hide`).
"""

import contextlib
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import structlog

# Bot tokens (the word boundary is left out on purpose: `/bot123:…` has none), Discord webhooks, codes of
# links, proxy passwords.
_SECRETS = (
    (re.compile(r"\d{6,12}:[\w-]{30,}"), "***token***"),
    (re.compile(r"(/webhooks/\d+/)[\w-]+"), r"\1***"),
    (re.compile(r"(\bclaim_)[\w-]{16,}"), r"\1***"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s\"]+@"), r"\1***@"),
    (re.compile(r"(?i)(authorization\W{1,5}(?:basic|bearer) +)[\w+/=.-]+"), r"\1***"),
)
MIN_HIDDEN: Final = 8
"""Shorter values would blank out ordinary words."""
MIN_HIDDEN_SEGMENT: Final = 16
"""Of a path: shorter segments are names, such as `webhooks`."""

# httpx logs each URL with the bot token at INFO, urllib3 at DEBUG; aiosqlite logs every statement at DEBUG.
_QUIET = (
    "httpx", "httpcore", "telegram", "aiosqlite", "asyncio", "websockets", "aiohttp.access", "urllib3",
)  # fmt: skip
# It names whole addresses in its errors; what came of a message is said by us.
_SILENT = ("apprise",)


class _Hidden:
    """What was given to `hide`, and the pattern that finds it."""

    def __init__(self) -> None:
        self.values: set[str] = set()
        self.pattern: re.Pattern[str] | None = None


_hidden = _Hidden()


def hide(*secrets: str) -> None:
    """Let `redact` know secrets by their value, also encoded for URLs. Of an address: what in it is secret."""
    for secret in secrets:
        for part in _secret_parts(secret.strip()):
            _hidden.values |= {part, unquote(part), quote(part), quote(part, safe=""), quote_plus(part)}
    values = sorted(filter(None, _hidden.values), key=len, reverse=True)
    _hidden.pattern = re.compile("|".join(map(re.escape, values))) if values else None


def forget() -> None:
    """Undo `hide`."""
    _hidden.values.clear()
    _hidden.pattern = None


def _secret_parts(secret: str) -> list[str]:
    try:
        address = urlsplit(secret)
        password = address.password or ""
    except ValueError:
        return [secret]
    if "://" not in secret:
        # Of a bot token, `123:secret`, the number is public.
        return [part for part in (secret, secret.rpartition(":")[2]) if len(part) >= MIN_HIDDEN]
    values = [password, address.fragment, *(value for _, value in parse_qsl(address.query))]
    segments = [part for part in address.path.split("/") if len(part) >= MIN_HIDDEN_SEGMENT]
    if address.scheme not in {"http", "https"}:
        # As Apprise has them, `ntfy://topic` or `slack://token/token`: any part may be the secret.
        values += [secret, address.netloc, *address.path.split("/")]
    return [part for part in (*values, *segments) if len(part) >= MIN_HIDDEN]


def redact(text: str) -> str:
    """Replace what looks like a bot token, a webhook's secret or a password in a URL, and what was given to `hide`."""
    if _hidden.pattern is not None:
        text = _hidden.pattern.sub("***", text)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {k: _redact_value(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact_value(v) for v in value]
    if isinstance(value, (int, float, bool, type(None))):
        return value
    return redact(str(value))


def _redact_event(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key not in {"exc_info", "_record", "_from_structlog"}:
            event[key] = _redact_value(value)
    return event


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """A second net below the processors: tracebacks are rendered last and pass here too."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Handler(logging.StreamHandler[TextIO]):
    """The library's own report of a record that cannot be written would show its arguments as they are."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, the library's name
        error = sys.exc_info()[0]
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"log.failed logger={record.name} error={error.__name__ if error else None}\n")


def set_up(*, level: str = "INFO", fmt: str = "auto", stream: TextIO | None = None) -> None:
    """Configure structlog and the root logger. `fmt` is `auto`, `console` or `json`."""
    out = stream if stream is not None else sys.stderr
    as_json = fmt == "json" or (fmt == "auto" and not out.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact_event,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    final: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if as_json
        # Rich tracebacks would print local variables, cut and coloured so that no pattern finds a secret in them.
        else [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )
    handler = _Handler(out)
    handler.setFormatter(
        _RedactingFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def get(component: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one component. It stays unbound until it is used, so a module may keep one from its import."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(component, component=component)
    return logger
