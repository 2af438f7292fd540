"""What a message about an alert shows, before anyone lays it out.

Values are plain numbers in our units; the fronts format and escape them. The view is stored with the outbox row, so
what was seen at the moment of firing is what is told, however late.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from bot.model.scorecard import ScoredAlert

Detail = Literal["short", "normal", "full"]


@dataclass(frozen=True, slots=True)
class Move:
    """A change over a window: from, to, and their ratio minus one."""

    window_ms: int
    change: float | None
    then: float | None
    now: float | None


@dataclass(frozen=True, slots=True)
class Member:
    """One instrument of a market-wide alert."""

    symbol: str
    value: float | None
    oi_change: float | None
    price_change: float | None
    opened_usd: float | None = None
    """What was opened (or closed, below zero) over the window, at the price of now."""


@dataclass(frozen=True, slots=True)
class Breadth:
    """The members of a market-wide rule together, over the rule's window. None means that too few are known."""

    n_known: int
    """Members of which both ends of open interest and price are known; the sums are over these."""
    n_oi_up: int
    n_oi_down: int
    oi_median: float | None
    price_median: float | None
    opened_usd: float | None
    """Change of open interest in coins, added at the prices of now: what was opened or closed."""
    opened_share: float | None
    """The same over what was open before, at the same prices."""
    oi_usd_change: float | None
    """Change of open interest in dollars: what was opened, and what the price did to the rest."""
    oi_usd: float | None
    """Open interest now."""


@dataclass(frozen=True, slots=True)
class Affected:
    """An alert that stands still because its data is lost."""

    title: str
    """The rule's name for people."""
    symbol: str
    short_id: str


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Firings of one rule that were not told, because another rule kept it quiet."""

    title: str
    """The rule's name for people."""
    n: int
    """Firings."""
    coins: tuple[str, ...] = ()
    """The first few; empty where it goes without saying."""
    n_coins: int = 0


@dataclass(frozen=True, slots=True)
class Missed:
    """Alerts of one rule that fired and ended while they were muted."""

    title: str
    """The rule's name for people."""
    n: int
    named: tuple[tuple[str, str], ...]
    """Coin and short id of the latest ones, the latest first."""
    what: Literal["", "held back", "rest"] = ""
    """Whether it is about alerts that those before held back by themselves, or about all rules that have no line, as many as
    `title` says."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A button below a message of the bot itself."""

    label: str
    command: str
    """As people type it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a message shows of one instrument. None means unknown and is left out."""

    price: Move | None = None
    oi: Move | None = None
    oi_usd: float | None = None
    funding: float | None = None
    funding_interval_h: float | None = None
    next_funding_ms: int | None = None
    volume_24h: float | None = None
    oi_age_ms: int | None = None
    price_age_ms: int | None = None
    oi_moves: tuple[Move, ...] = ()
    """Open interest over other windows, the shortest first."""
    price_moves: tuple[Move, ...] = ()
    volume_ratio: float | None = None
    """Volume over `volume_window_ms` against a usual one of the last day."""
    volume_window_ms: int = 0
    oi_rank: int | None = None
    """Place by open interest in dollars among `n_ranked` instruments; 1 is the largest."""
    oi_change_rank: int | None = None
    """Place by the change of open interest over the window, in the direction of the change."""
    n_ranked: int = 0
    oi_unusual: float | None = None
    """Share (0 to 1) of the moves of a day, over the window, that were smaller than this one."""
    price_unusual: float | None = None
    price_usual_range: float | None = None
    """Mean true range of the price over windows of this length, as a share of the price."""

    def fields(self) -> dict[str, Any]:
        """By name, for a view that shows them."""
        return {name: getattr(self, name) for name in _SHOWN}


_SHOWN: Final = tuple(field.name for field in fields(Shown))


@dataclass(frozen=True, slots=True)
class AlertView(Shown):
    """The neutral content of one message. None means unknown and is left out."""

    rule_id: str
    title: str
    """The rule's name for people."""
    symbol: str
    """The venue's symbol, or `*` for the market."""
    venue: str
    base: str
    severity: str
    short_id: str
    kind: str
    """A `TellKind` value."""
    at_ms: int
    fired_ms: int
    condition: str
    """Canonical text of `when`."""
    value_text: str
    """Expression of the measured value, such as `pct(oi, 15m)`."""
    value: float | None
    value_is_ratio: bool
    value_before: float | None = None
    """What was told last, for an escalation or an update."""
    peak: float | None = None
    window_ms: int = 0
    """The window the rule looks at; 0 when it has none."""
    n_members: int | None = None
    n_true: int | None = None
    members: tuple[Member, ...] = ()
    reason: str = ""
    """Why it was closed, or who has seen it."""
    message: str | None = None
    """The rule's own text, a template for `bot.delivery.template`; None: the built-in layout."""
    tags: tuple[str, ...] = ()
    silent: bool = False
    """It arrives without a sound."""
    ttl_ms: int | None = None
    """Age from which it is late; None: as the settings say."""
    chart: bool = False
    """Its message may get a picture."""
    zone: str = ""
    """In which times are told where it goes: an IANA name; empty for UTC."""
    detail: Detail = "normal"
    """How much is told where it goes."""
    held_back: tuple[HeldBack, ...] = ()
    """What this alert kept quiet while it fired, for its end."""
    missed: tuple[Missed, ...] = ()
    """Of a summary."""
    report: str = ""
    """News of the bot itself, in plain words; then there are no figures and no rule."""
    gap_ms: int = 0
    """Of a crossing: how long nothing was known before it."""
    is_already_true: bool = False
    """It was true when the bot first looked, so nobody knows since when."""
    breadth: Breadth | None = None
    feed: str = ""
    """Of lost data: what is missing, such as `open interest`."""
    affected: tuple[Affected, ...] = ()
    """The first alerts of `n_affected` that stand still."""
    n_affected: int = 0
    risk: tuple[str, ...] = ()
    """Lines about a stop and a size for whoever is told; computed for them alone."""
    scored: tuple[ScoredAlert, ...] = ()
    """How the alerts of one message fared."""
    answers: str = ""
    """Key of an alert: what this says stands under the message that told it."""
    offers: tuple[Offer, ...] = ()
    """Of news of the bot itself."""

    @classmethod
    def news(
        cls, source: str, title: str, text: str, *, symbol: str, severity: str, short_id: str, at_ms: int
    ) -> "AlertView":
        """A message in plain words that is no rule's alert."""
        return cls(
            rule_id=source,
            title=title,
            symbol=symbol,
            venue="",
            base="",
            severity=severity,
            short_id=short_id,
            kind="fire",
            at_ms=at_ms,
            fired_ms=at_ms,
            condition="",
            value_text="",
            value=None,
            value_is_ratio=False,
            report=text,
        )
