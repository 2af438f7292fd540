"""Ports: what one room needs of another. `app` fills them; siblings never import each other."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from bot.model.alert import Transition
from bot.model.cards import BotStatus, InstrumentCard
from bot.model.explanation import Explanation, Glance, RuleName
from bot.model.instrument import Instrument
from bot.model.updates import Update


class Sink(Protocol):
    """Where feeds put what they learn. Never blocks and never raises."""

    def put(self, update: Update) -> None: ...


class Rows(Protocol):
    """Which row an instrument has. Filled by the market, read by the feeds."""

    @property
    def generation(self) -> int:
        """Grows whenever a symbol gains, loses or changes its row; cached rows are valid within one generation."""
        ...

    def row(self, symbol: str) -> int | None:
        """Row of a venue symbol, or None for one that is not tracked."""
        ...

    def instruments(self) -> Sequence[tuple[int, Instrument]]:
        """All tracked instruments with their rows."""
        ...


@dataclass(frozen=True, slots=True)
class PollNeed:
    """How fresh the open interest of an instrument should be, and how much it matters."""

    row: int
    symbol: str
    volume_24h: float
    oi_usd: float
    max_interval_ms: int | None
    """From the shortest window of a rule in whose scope it is; None when no rule asks."""
    watched: bool
    """Someone looks at it: a firing alert, a chat alert, a pin."""
    trading: bool
    flow_window_ms: int = 0
    """The longest window over `volume` or `taker_buy` of a rule in whose scope it is; 0: no rule needs its klines."""
    price_window_ms: int = 0
    """The longest window over the price of such a rule."""
    oi_window_ms: int = 0
    """The same for open interest."""
    long_short_window_ms: int = 0
    """The same for `long_short`, at least a minute where a rule reads it at all; 0: no rule needs it."""


class PollPlan(Protocol):
    """What the poller asks the engine about, about once a minute."""

    def needs(self) -> Sequence[PollNeed]: ...


class KeyValues(Protocol):
    """Small things that must survive a restart: bans, used weights, the Telegram offset."""

    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str) -> None: ...


class SendLimits(Protocol):
    """What a chat service allows all that send with one token."""

    def slot(self, chat_id: int, *, within_s: float, spare: bool = False) -> AbstractAsyncContextManager[bool]:
        """Wait until one message may go to a chat, at most so long; False where it may not in time."""
        ...

    def pause(self, chat_id: int, seconds: float) -> None:
        """The service asked for a pause in that chat."""
        ...


class MarketReader(Protocol):
    """What chat may ask of the market."""

    def instruments(self) -> Sequence[Instrument]: ...

    def card(self, key: str) -> InstrumentCard | None: ...

    def largest(self, n: int) -> Sequence[str]:
        """Keys of at most `n` trading instruments with the largest known `oi_usd`, the largest first."""
        ...


class WhyReader(Protocol):
    """What chat may ask of the rules. Every answer is as of one tick.

    `chat`: what other chats made is nobody's business there; None for whoever reads the machine itself.
    """

    def rules(self, chat: str | None = None) -> Sequence[RuleName]:
        """All loaded rules, those that are switched off too."""
        ...

    async def explain(self, rule_id: str, instrument: str, *, chat: str | None = None) -> Explanation | None:
        """With its newest transitions; `instrument` is a key or `*`. None where the engine cannot answer (yet)."""
        ...

    async def explain_alert(self, prefix: str, chat: str) -> Explanation | None:
        """Of the one alert of a chat whose id begins so; None where there is none, or the engine cannot answer."""
        ...

    async def glances(self, instrument: str, *, chat: str | None = None) -> tuple[Sequence[Glance], int]:
        """All rules that may look at an instrument, nearest first, and how many more there are.

        For a chat in the form that it is told, with the alerts that were made there.
        """
        ...

    async def firing(self, prefix: str, chat: str) -> Sequence[Transition]:
        """Transitions of the firings whose id begins so, newest first; not those of alerts that other chats made."""
        ...


class StatusReader(Protocol):
    """What chat may ask of the bot."""

    async def status(self) -> BotStatus: ...
