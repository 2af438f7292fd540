"""What the dashboard shows, as values. Whoever serves pages lays them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bot.model import chat_alert, chat_rule, stop_watch
from bot.model.alert import Transition
from bot.model.cards import BotStatus
from bot.model.charts import ChartData, NoPicture
from bot.model.explanation import AlertPhase, Glance, Verdict
from bot.model.overview import Overview

TABLE_WINDOWS_MS: Final = (300_000, 900_000, 3_600_000, 14_400_000, 86_400_000)
"""Of the quadrant, and of the columns of the table."""
SPARK_POINTS: Final = 24
PRIVATE: Final = (chat_alert.PREFIX, chat_rule.PREFIX, stop_watch.PREFIX)
"""Ids of what people made in their chats begin so; others are not shown it."""

Numbers = list[float | None]


@dataclass(frozen=True, slots=True, eq=False)
class MarketTable:
    """All trading instruments as of one tick, in an order that only listings change. Columns have one entry for each; None
    is unknown.
    """

    at_ms: int
    symbols: tuple[str, ...]
    keys: tuple[str, ...]
    columns: Mapping[str, Numbers]
    """`price`, `oi_usd`, `volume_24h`, `funding_8h`, and `price_` and `oi_` with each window in ms."""
    firing: frozenset[str]
    """Symbols on which a rule fires."""

    def share_up(self, window_ms: int) -> float | None:
        """Share of the instruments with known open interest over the window in which it rose."""
        known = [x for x in self.columns[f"oi_{window_ms}"] if x is not None]
        return sum(x > 0 for x in known) / len(known) if known else None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One destination of an alert."""

    destination: str
    state: str
    """`delivered`, `waiting`, `sending`, `muted`, `buried` or `folded`."""
    latency_ms: int | None
    """From its firing being stored to its delivery; None where it was not delivered."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One firing as it is stored."""

    fired: Transition
    ended: Transition | None
    """None while it fires."""
    title: str
    """What was told, as the next three; empty where nothing was."""
    severity: str
    value_text: str
    is_ratio: bool
    receipts: tuple[Receipt, ...]
    """In the order in which they were stored."""


class FiringStore(Protocol):
    """What fired, and who was told. Venue times in ms."""

    async def firings(self, *, limit: int, own: Sequence[str], symbol: str = "") -> Sequence[Firing]:
        """The newest first. Of what people made in chats (`PRIVATE`) those with an id in `own` alone; with `symbol` of
        that alone.
        """
        ...

    async def counts(self, *, since_ms: int) -> Mapping[str, int]:
        """How often each rule fired since, by its id."""
        ...


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """One firing in the history, for people."""

    short_id: str
    rule_id: str
    title: str
    key: str
    """Of the instrument; `*` for the market."""
    symbol: str
    severity: str
    fired_ms: int
    ended_ms: int | None
    """None while it fires."""
    value_text: str
    value: float | None
    is_ratio: bool
    reason: str
    """Why it was closed without its condition ending."""
    receipts: tuple[Receipt, ...]
    later: tuple[float | None, ...] = ()
    """Change of the price from the firing on, after each of `HORIZONS_MS` of the scorecard; None where that is not known (yet)."""


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule of the files."""

    id: str
    title: str
    condition: str
    severity: str
    is_on: bool
    n_firing: int
    n_pending: int
    n_fired_day: int
    """Firings of the last 24 hours."""
    n_fired_week: int
    number: float | None
    """The threshold that may be tried elsewhere; None where the rule has no single one."""
    is_ratio: bool


@dataclass(frozen=True, slots=True)
class RuleList:
    """All rules, and what is wrong with their files, as people read it in a terminal."""

    rules: tuple[RuleLine, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a rule would have done on one instrument with another threshold."""

    number: float
    condition: str
    n_fired: int | None
    """None where memory holds too little to tell."""
    span_ms: int
    last_ms: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a command, as plain lines."""

    is_done: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WhyLine:
    """One expression of a condition, in the words that chat and terminal use too."""

    depth: int
    verdict: Verdict | None
    text: str
    details: tuple[str, ...] = ()
    """Value, distance, window and samples."""


@dataclass(frozen=True, slots=True)
class WhyPage:
    """Why a rule fires for an instrument, or why not, as of one tick."""

    heading: str
    rule_id: str
    at_ms: int
    phase: AlertPhase
    state: str
    value: str
    """Empty where it is unknown."""
    notes: tuple[str, ...]
    """What keeps it from being decided, and what keeps it quiet."""
    next: str
    lines: tuple[WhyLine, ...]
    ends: WhyLine
    """What ends it."""
    history: tuple[str, ...]


class DashboardReader(Protocol):
    """What pages are made of. Reads; changes nothing."""

    def table(self) -> MarketTable:
        """As of the last tick; kept until the next."""
        ...

    def sparks(self) -> Mapping[str, Sequence[float | None]]:
        """Open interest of the last day at `SPARK_POINTS` points by instrument key, the oldest first."""
        ...

    def key_of(self, symbol: str) -> str | None: ...

    async def status(self) -> BotStatus:
        """Without waiting for a tick."""
        ...

    async def overview(self, window_ms: int, n: int) -> Overview: ...

    async def chart(self, key: str, span_ms: int) -> ChartData | NoPicture: ...

    async def glances(self, key: str, *, chat: str) -> tuple[Sequence[Glance], int]:
        """Rules that may look at it, and alerts of a chat, the nearest first, and how many more there are."""
        ...

    async def why(self, rule_id: str, key: str, *, chat: str) -> WhyPage | None:
        """Of a rule, or of an alert of a chat. None where the engine cannot answer (yet). `key` may be `*` for a rule about the whole market."""
        ...

    async def alerts(self, *, limit: int, chat: str, symbol: str = "") -> Sequence[ToldAlert]:
        """The newest first; of alerts made in chats those of `chat` alone."""
        ...

    async def rules(self) -> RuleList: ...

    async def tried(self, rule_id: str, number: float, key: str) -> Tried | None:
        """None where the rule has no number that can be tried."""
        ...

    def log_tail(self, n: int) -> Sequence[str]: ...
