"""What a message about an alert shows, before anyone lays it out.

Values are plain numbers in our units; the fronts format and escape them. The view is stored with the outbox row, so
what was seen at the moment of firing is what is told, however late.
"""

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class AlertView:
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
    """What was told last, for an escalation."""
    peak: float | None = None
    window_ms: int = 0
    """The window the rule looks at; 0 when it has none."""
    price: Move | None = None
    oi: Move | None = None
    oi_usd: float | None = None
    funding: float | None = None
    funding_interval_h: float | None = None
    next_funding_ms: int | None = None
    volume_24h: float | None = None
    oi_age_ms: int | None = None
    price_age_ms: int | None = None
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
    held_back: tuple[HeldBack, ...] = ()
    """What this alert kept quiet while it fired, for its end."""
    missed: tuple[Missed, ...] = ()
    """Of a summary."""
    report: str = ""
    """News of the bot itself, in plain words; then there are no figures and no rule."""
