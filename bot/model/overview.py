"""The bot and its market at one look, for people at a terminal."""

from dataclasses import dataclass
from typing import Protocol

from bot.model.cards import BotStatus
from bot.model.explanation import Unit


@dataclass(frozen=True, slots=True)
class Mover:
    """One instrument that moved. None means unknown."""

    venue: str
    symbol: str
    price: float | None
    price_change: float | None
    """Ratio over the window asked for."""
    oi_usd: float | None
    oi_change: float | None


@dataclass(frozen=True, slots=True)
class Burning:
    """One alert that fires now."""

    rule_id: str
    title: str
    symbol: str
    """`*` for one about the whole market."""
    short_id: str
    since_ms: int
    """Venue time of its firing."""
    value: float | None
    """When it fired."""
    unit: Unit


@dataclass(frozen=True, slots=True)
class LaneGlance:
    """One destination."""

    name: str
    delivered: int
    retried: int
    buried: int
    paused_s: float
    dead_reason: str
    """Empty while it lives."""


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it, as of one tick."""

    at_ms: int
    """Venue time of that tick; 0 before the first."""
    window_ms: int
    status: BotStatus
    by_oi: tuple[Mover, ...]
    """Strongest changes of open interest, either way, the strongest first."""
    by_price: tuple[Mover, ...]
    firing: tuple[Burning, ...]
    """Of rules in files, the newest first; alerts from chat are counted in `status` alone."""
    lanes: tuple[LaneGlance, ...]


class OverviewReader(Protocol):
    """What a terminal may ask of the whole bot."""

    async def status(self) -> BotStatus: ...

    async def overview(self, window_ms: int, n: int) -> Overview:
        """As of the last tick; at most `n` of each kind. `window_ms` is one of `CARD_WINDOWS_MS`."""
        ...
