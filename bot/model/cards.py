"""Answers to people's questions, as values. Chat fronts lay them out."""

from dataclasses import dataclass

from bot.model.view import Move

CARD_WINDOWS_MS = (300_000, 900_000, 3_600_000, 14_400_000, 86_400_000)
"""5 m, 15 m, 1 h, 4 h, 24 h."""
READING_WINDOW_MS = 900_000
"""Over which price and open interest are read together."""


@dataclass(frozen=True, slots=True)
class InstrumentCard:
    """One instrument now. None means unknown."""

    venue: str
    symbol: str
    base: str
    quote: str
    status: str
    at_ms: int
    price: float | None
    price_age_ms: int | None
    index: float | None
    funding: float | None
    funding_interval_h: float
    next_funding_ms: int | None
    oi: float | None
    oi_usd: float | None
    oi_age_ms: int | None
    oi_rank: int | None
    """1 is the largest `oi_usd` of all instruments."""
    volume_24h: float | None
    low_24h: float | None
    high_24h: float | None
    price_moves: tuple[Move, ...]
    """One per `CARD_WINDOWS_MS`."""
    oi_moves: tuple[Move, ...]
    usual_range: float | None = None
    """Mean true range of the price over `READING_WINDOW_MS`, as a share of it."""


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """One feed as people see it."""

    feed: str
    live: bool
    reason: str


@dataclass(frozen=True, slots=True)
class BotStatus:
    """The bot now, in plain figures."""

    version: str
    uptime_s: float
    n_instruments: int
    n_price_fresh: int
    price_age_ms: int | None
    """Of the median instrument."""
    n_oi_fresh: int
    oi_slowest_ms: int | None
    """Age of the oldest sample among the fresh."""
    weight_share: float | None
    """Used share of the venue's pool in this minute."""
    banned_until_ms: int | None
    """By the machine's clock, not the venue's: to be compared with `Clock.wall_ms`."""
    feeds: tuple[FeedHealth, ...]
    n_rules: int
    n_firing: int
    n_pending: int
    n_alerts_today: int
    n_outbox: int
    rss_mb: float
    disk_free_gb: float
    warming: str
    """What is still being filled after a start; empty when nothing is."""
    dead_destinations: tuple[str, ...] = ()
    """Destinations that nothing can be sent to any more, each with its reason."""
    n_silences: int = 0
    quiet: tuple[str, ...] = ()
    """Destinations that have quiet hours now."""
    n_kept: int = 0
    """Alerts of which something is kept until a mute ends, counted for each destination."""
    troubles: tuple[str, ...] = ()
    """What is wrong with what is stored, in plain words, worst first."""
    backup: str = ""
    """How old the newest backup is and how many there are; empty when none are made."""
    history: str = ""
    """How much of the past is kept; empty when none is."""
    n_chat_alerts: int = 0
    """Made by people, in all chats."""
