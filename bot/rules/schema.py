"""A rule as the rest of the bot sees it: frozen, checked, with every default filled in.

`loader` builds rules from YAML and chat builds them from commands; nobody else reads rule text. Times are in
milliseconds, ratios are fractions, money is in the quote currency. A `Rule` that exists is valid: its expressions
parsed, its types agree, its windows are allowed.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from bot.model.instrument import Kind
from bot.rules.ast import Compare, Expr, Not, comparisons, text

Severity = Literal["info", "warning", "critical"]
Per = Literal["symbol", "market"]
TopBy = Literal["oi_usd", "volume_24h"]

DEFAULT_COOLDOWN_MS: Final = 900_000
DEFAULT_NOTIFY: Final = ("main",)

ID_FORM: Final = re.compile(r"[a-z0-9_]{1,40}")
CHAT_PREFIX: Final = "c_"
"""Of the ids of rules that come from chat. Those of files must not begin so."""
MAX_NAME_LENGTH: Final = 80
TAG_FORM: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
MAX_TAGS: Final = 20
MAX_DESTINATIONS: Final = 20
MAX_INHIBITED: Final = 100
MAX_GLOB_LENGTH: Final = 40
MAX_GLOB_WILDCARDS: Final = 8
"""A pattern with many wildcards takes long to compare with a thousand symbols, and no symbol needs one."""
SEVERITIES: Final = ("info", "warning", "critical")
KINDS: Final = ("perpetual", "tradfi", "delivery")
VENUES: Final = ("binance",)
"""Venues that this version can watch."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which instruments a rule looks at. Empty tuples of names mean any; `types` and `quotes` are never empty."""

    symbols: tuple[str, ...] = ()
    """Globs over the venue's symbol, such as `BTC*`."""
    exclude: tuple[str, ...] = ()
    """Globs; wins over `symbols`."""
    venues: tuple[str, ...] = ()
    types: tuple[Kind, ...] = ("perpetual",)
    quotes: tuple[str, ...] = ("USDT",)
    top: int | None = None
    """Only the N largest `by`."""
    by: TopBy = "oi_usd"
    min_oi_usd: float | None = None
    min_volume_24h: float | None = None

    @property
    def is_ranked(self) -> bool:
        """Whether membership depends on data and is taken anew each hour."""
        return self.top is not None or self.min_oi_usd is not None or self.min_volume_24h is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; each field is the key of the same name in a rule file."""

    id: str
    when: Expr
    name: str = ""
    """Shown to people; `id` where it was left out (the loader fills it in)."""
    enabled: bool = True
    scope: Scope = field(default_factory=Scope)
    per: Per = "symbol"
    clear: Expr | None = None
    """None means `not when`; see `end`."""
    for_ms: int = 0
    cooldown_ms: int = DEFAULT_COOLDOWN_MS
    repeat_ms: int | None = None
    """None: not told again while firing."""
    escalate: float | None = None
    """In the unit of the value (3% is 0.03); None: off."""
    value: Expr | None = None
    """None: left side of the first comparison in `when` that is true."""
    once: bool = False
    severity: Severity = "warning"
    notify: tuple[str, ...] = DEFAULT_NOTIFY
    tags: tuple[str, ...] = ()
    silent: bool = False
    ttl_ms: int | None = None
    """Age from which a firing that could not be told is late; None: as the settings say."""
    chart: bool = True
    message: str | None = None
    """A template that `bot.delivery.template` has checked; None: the built-in layout."""
    inhibits: tuple[str, ...] = ()
    """Ids of rules that stay quiet about an instrument while this one fires on it."""
    base: str = ""
    """Of a rule that comes from chat: the id of the rule in a file that it is another form of. No key of rule files."""

    @property
    def end(self) -> Expr:
        """The condition that ends the alert, together with a false `when`."""
        return self.clear if self.clear is not None else Not(self.when)

    @property
    def title(self) -> str:
        return self.name or self.id

    @property
    def condition_hash(self) -> str:
        """Of what defines the alert's life; another hash means that stored state starts afresh. 16 hex digits."""
        return condition_hash(self.when, self.clear)

    @property
    def comparisons(self) -> tuple[Compare, ...]:
        """Of `when`, in reading order; the first true one gives the value and the threshold."""
        return comparisons(self.when)


def condition_hash(when: Expr, clear: Expr | None) -> str:
    """Over the canonical texts, so that spelling, spaces and comments do not count."""
    canonical = f"{text(when)}\n{text(clear) if clear is not None else ''}"
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
