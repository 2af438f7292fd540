"""Log set-up: readable lines on a terminal, JSON otherwise, and no secret in either.

Event names are constant strings of the form `noun.verb_past` (`feed.reconnected`, `alert.fired`); values travel as
keys with units. Redaction is the last processor before rendering and covers standard-library loggers too. It knows secrets
by their form, and those of the settings by their value (`hide`). Warnings and errors that repeat themselves are put together, so
that an outage does not fill the disk.
"""

import contextlib
import copy
import logging
import re
import sys
from collections import deque
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TextIO
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import structlog

# Bot tokens (the word boundary is left out on purpose: `/bot123:…` has none), Discord webhooks, codes of
# links, proxy passwords.
_SECRETS = (
    (re.compile(r"\d{6,12}:[\w-]{30,}"), "***token***"),
    (re.compile(r"(/webhooks/\d+/)[\w-]+"), r"\1***"),
    (re.compile(r"(\bclaim_)[\w-]{16,}"), r"\1***"),
    (re.compile(r"(/enter\?t=)[\w-]+"), r"\1***"),
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


WINDOW_S: Final = 60.0
BURST: Final = 5
"""So many of a kind are logged one by one within `WINDOW_S`; one when there were more in the window before."""
MAX_KINDS: Final = 500
_WHAT: Final = ("destination", "feed", "host", "name", "at", "rule", "kind")
"""Keys that tell two events of one name apart."""


@dataclass(slots=True)
class _Kind:
    """Records of one kind in the current window."""

    since_s: float
    left: int = BURST
    n_held: int = 0
    last: logging.LogRecord | None = None


class _Flood:
    """Which warnings and errors are logged, and which only counted. Time is that of the records."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[object, ...], _Kind] = {}

    def passes(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        event = record.msg if isinstance(record.msg, dict) else {"event": str(record.msg)[:200]}
        key = (record.name, event.get("event"), *(str(event.get(what)) for what in _WHAT))
        kind = self._kinds.setdefault(key, _Kind(record.created))
        if kind.left > 0:
            kind.left -= 1
            return True
        kind.n_held += 1
        kind.last = record
        return False

    def over(self, now_s: float) -> list[tuple[logging.LogRecord, int]]:
        """Of windows that are over, the last record that was held back and how many were."""
        found = []
        for key, kind in list(self._kinds.items()):
            if 0 <= now_s - kind.since_s < WINDOW_S and len(self._kinds) <= MAX_KINDS:
                continue
            del self._kinds[key]
            if kind.last is not None:
                found.append((kind.last, kind.n_held))
                self._kinds[key] = _Kind(now_s, left=1)
        return found


RECENT: Final = 100
"""Records that `recent` gives."""
_recent: Final[deque[str]] = deque(maxlen=RECENT)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class _Handler(logging.StreamHandler[TextIO]):
    """Puts together what repeats itself.

    The library's own report of a record that cannot be written would show its arguments as they are.
    """

    def __init__(self, stream: TextIO, *, as_json: bool, collapse: bool) -> None:
        super().__init__(stream)
        self._collapse = collapse
        self._flood = _Flood()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """What is written is also remembered."""
        text = super().format(record)
        _recent.append(_COLOUR.sub("", text))
        return text

    def emit(self, record: logging.LogRecord) -> None:
        for last, n_held in self._flood.over(record.created):
            super().emit(self._summary(last, n_held))
        if not self._collapse or self._flood.passes(record):
            super().emit(record)

    def close(self) -> None:
        """At the end, what is still held back is told."""
        with self.lock or contextlib.nullcontext():
            for last, n_held in self._flood.over(float("inf")):
                super().emit(self._summary(last, n_held))
        super().close()

    def _summary(self, record: logging.LogRecord, n_held: int) -> logging.LogRecord:
        summary = copy.copy(record)
        text = f" (×{n_held} in {WINDOW_S:g} s)"
        if not isinstance(record.msg, dict):
            summary.msg, summary.args = record.getMessage() + text, None
        elif self._as_json:
            summary.msg = {**record.msg, "repeated": n_held, "within_s": WINDOW_S}
        else:
            summary.msg = {**record.msg, "event": f"{record.msg.get('event')}{text}"}
        return summary

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, the library's name
        error = sys.exc_info()[0]
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"log.failed logger={record.name} error={error.__name__ if error else None}\n")


def set_up(*, level: str = "INFO", fmt: str = "auto", stream: TextIO | None = None, collapse: bool = True) -> None:
    """Configure structlog and the root logger. `fmt` is `auto`, `console` or `json`; `collapse`: put repetitions together."""
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
    handler = _Handler(out, as_json=as_json, collapse=collapse)
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


def recent() -> tuple[str, ...]:
    """What was logged last, oldest first, without colours, redacted once more: a secret may have become known since."""
    return tuple(redact(text) for text in tuple(_recent))


def get(component: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one component. It stays unbound until it is used, so a module may keep one from its import."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(component, component=component)
    return logger
