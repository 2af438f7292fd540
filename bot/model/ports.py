"""Ports: what one room needs of another. `app.wiring` fills them; siblings never import each other."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from bot.model.alert import AlertRecord, Transition
from bot.model.cards import BotStatus, InstrumentCard
from bot.model.chat_alert import AlertLife, ChatAlert, StoredAlerts
from bot.model.explanation import Explanation, Glance, RuleName
from bot.model.instrument import Instrument
from bot.model.outbox import Backlog, Entry, Fold, Kept, Message, OutboxRow, Outcome
from bot.model.silence import Ack, Fired, QuietHours, Silence
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


@dataclass(frozen=True, slots=True)
class Commit:
    """What one tick changes, stored in one transaction."""

    records: tuple[AlertRecord, ...]
    transitions: tuple[Transition, ...]
    rows: tuple[OutboxRow, ...]
    kept: tuple[Kept, ...] = ()
    """Muted rows; released or folded by a later commit."""
    released: tuple[OutboxRow, ...] = ()
    """Kept rows that are told now; they take their new `created_ms`."""
    folded: tuple[Fold, ...] = ()
    """After all else: what is still kept of these is told otherwise."""


class AlertStore(Protocol):
    """Alert state, transitions and outbox rows, written together."""

    async def commit(self, change: Commit) -> None:
        """Store all of it or nothing. A row or transition that exists already is left as it is."""
        ...

    async def load(self) -> list[AlertRecord]:
        """Of all but the alerts that people made in chat, see `ChatAlertStore.stored`."""
        ...

    async def fired(self, since_ms: int) -> Mapping[str, int]:
        """How many firings began since that venue time, by rule; those without any are left out."""
        ...

    async def transitions(
        self, *, rule_id: str | None = None, instrument: str | None = None, since_ms: int = 0, limit: int = 100
    ) -> list[Transition]:
        """Newest first. `instrument` is an instrument key, or `*`."""
        ...

    async def by_id(self, prefix: str, *, limit: int = 100) -> list[Transition]:
        """Transitions of the firings whose short id begins so, newest first; none for what is no id."""
        ...


class Outbox(Protocol):
    """The durable queue between what happened and who is told."""

    async def waiting(self, destination: str, *, now_ms: int, limit: int) -> list[OutboxRow]:
        """Rows not in a message yet, and rows of messages that are due again: critical alerts first, then the oldest.

        The rows of one alert stand together and in order; none comes while an earlier one is under way or not due.
        """
        ...

    async def begin(self, message: Message) -> None:
        """Note that an attempt starts, before the first byte leaves."""
        ...

    async def settle(self, message: Message, outcome: Outcome, *, now_ms: int) -> None:
        """Note what came of it: delivered, due again at `now_ms + after_s`, or buried with its reason."""
        ...

    async def message_of(self, key: str, kind: str, destination: str) -> Message | None:
        """The delivered message that carries the row of that alert and kind; None while there is none."""
        ...

    async def row_of(self, key: str, kind: str, destination: str) -> OutboxRow | None:
        """The row of that alert and kind, whatever became of it; an end shows again what its fire told."""
        ...

    async def rows_of(self, message_id: str) -> list[OutboxRow]:
        """The rows that a message carries, in the order in which they were committed."""
        ...

    async def later_of(self, message_id: str) -> list[OutboxRow]:
        """What came after a message of the alerts that it carries, for its destination and in order: ends, whatever became
        of them, and what else was delivered.
        """
        ...

    async def recover(self, *, now_ms: int) -> int:
        """At start: attempts that never settled become due again, and nothing waits longer than an hour from now (the
        clock that set its time may have been wrong). Returns how many attempts.
        """
        ...

    async def counts(self) -> dict[str, int]:
        """Rows by state: `waiting`, `sending`, `delivered`, `buried`; where there are any, also `muted` (kept) and `folded`
        (told by another).
        """
        ...

    async def backlog(self) -> list[Backlog]:
        """What waits, in order of destinations; those for which nothing does are left out."""
        ...

    def kept(self, *, batch: int = 1_000) -> AsyncIterator[list[Kept]]:
        """Muted rows in the order in which they came, in batches."""
        ...

    async def fired(self, prefix: str, *, destination: str = "", limit: int) -> list[Fired]:
        """Firings whose short id begins like that, the latest first; with `destination`, those told (or kept) there."""
        ...

    async def next_due_ms(self, destination: str, *, after_ms: int = -1) -> int | None:
        """When the next row of a destination is due, of those due later than `after_ms`; None when nothing waits."""
        ...


class OutboxCare(Protocol):
    """What people may do to the outbox by hand, beside a running bot too."""

    async def entries(self, states: Sequence[str], *, destination: str | None = None, limit: int) -> list[Entry]:
        """Rows in these states, the newest first."""
        ...

    async def retry(self, row_ids: Sequence[str]) -> int:
        """Tell buried rows after all, however old they are, and waiting ones now. Rows of an alert of which something
        later was told already stay. Returns how many will be told.
        """
        ...

    async def bury(self, row_ids: Sequence[str], reason: str, *, now_ms: int) -> int:
        """Tell waiting rows never. Returns how many."""
        ...


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


class ChatAlertStore(Protocol):
    """The alerts that people made in chat. Their lives are stored by the `AlertStore`, under their id."""

    async def add(self, alert: ChatAlert) -> bool:
        """Store a new one; False, and nothing changed, where its id is taken."""
        ...

    async def delete(self, alert_id: str, *, at_ms: int) -> bool:
        """Forget one (but for a `restore`), and its life unless it fires: its end is still to be told. False where there
        is none. `at_ms` is wall time.
        """
        ...

    async def restore(self, chat: str, alert_id: str, *, user: str | None = None) -> ChatAlert | None:
        """Bring back one of that chat that was deleted, without its life; None where there is none (any more), or none that
        `user` made where one is named.
        """
        ...

    async def of_chat(self, chat: str, *, limit: int, offset: int = 0) -> list[ChatAlert]:
        """One page, the oldest first."""
        ...

    async def count(self, chat: str) -> int: ...

    async def find(self, chat: str, prefix: str, *, limit: int) -> list[ChatAlert]:
        """Those of a chat whose id begins like that, in order of ids."""
        ...

    async def ended(self, now_ms: int, *, limit: int) -> list[ChatAlert]:
        """Those whose time was over at that wall time, the first to end first."""
        ...

    async def prune(self, *, before_ms: int) -> int:
        """Forget for good what was deleted before that time, and lives of alerts that are gone, unless they fire: a deleted one that fired leaves one behind. Returns how
        many went.
        """
        ...

    def stored(self, *, cool_ms: int, batch: int = 10_000) -> AsyncIterator[StoredAlerts]:
        """Of all chats, with their lives, in order of ids and in batches: there may be a million. Pauses that ended
        before `cool_ms`, in venue time, are forgotten.
        """
        ...

    async def orphans(self) -> list[AlertRecord]:
        """Lives under way of alerts that are gone: their ends are still to be told."""
        ...


class ChatAlertDesk(Protocol):
    """What chat may ask of the engine about its alerts. Nothing here is stored; `ChatAlertStore` comes first."""

    def add(self, alert: ChatAlert) -> None:
        """Let it live from the next tick on."""
        ...

    def remove(self, alert_id: str, reason: str = "it was deleted") -> None:
        """Let it end; one that fires is closed and told."""
        ...

    def life(self, alert_id: str) -> AlertLife | None:
        """Where it stands as of the last tick; None for one that does not live."""
        ...

    def value(self, instrument: str, measure: str) -> float | None:
        """What a measure (canonical text) is for an instrument (its key) as of the last tick; None where unknown."""
        ...

    def why_unknown(self, instrument: str, measure: str) -> str:
        """Why it is, in words for people; empty where nothing is to be said."""


class SilenceStore(Protocol):
    """What keeps alerts quiet: silences, acknowledgements and quiet hours."""

    async def add(self, silence: Silence) -> bool:
        """Store a new one; False, and nothing changed, where its id is taken."""
        ...

    async def expire(self, silence_id: str, *, at_ms: int) -> bool:
        """End one early; False where there is none, or where it had ended before."""
        ...

    async def all(self) -> list[Silence]:
        """Those that are over included, until they are pruned; the oldest first."""
        ...

    async def acknowledge(self, ack: Ack) -> None:
        """Store one; a later one of the same firing and destination takes its place."""
        ...

    async def acks(self) -> list[Ack]: ...

    async def put_quiet(self, quiet: QuietHours) -> None:
        """Set the quiet hours of a destination, in the place of others."""
        ...

    async def drop_quiet(self, destination: str) -> bool: ...

    async def quiet_hours(self) -> list[QuietHours]:
        """In order of destinations."""
        ...

    async def prune(self, *, before_ms: int) -> int:
        """Forget silences that were over, and acknowledgements that were made, before that time; those of alerts that
        still fire stay. Returns how many went.
        """
        ...


class Mutes(Protocol):
    """What chat may ask of the muting. Nothing here is stored; `SilenceStore` comes first."""

    def add(self, silence: Silence) -> None: ...

    def expire(self, silence_id: str, at_ms: int) -> None:
        """End a silence early; what it kept is told soon."""
        ...

    def set_quiet(self, quiet: QuietHours) -> None: ...

    def drop_quiet(self, destination: str) -> None: ...

    def acknowledge(self, ack: Ack, fired: Fired, reason: str) -> bool:
        """Keep the updates of a firing and show `reason` at its message; False where it has ended."""
        ...

    def silences(self, now_ms: int) -> Sequence[Silence]:
        """Active ones and those still to begin."""
        ...

    def quiet_hours(self) -> Sequence[QuietHours]: ...

    def quiet_of(self, destination: str) -> QuietHours | None: ...

    def kept_by(self, silence: Silence) -> tuple[int, int]:
        """How many kept firings it matches: those that still fire, and those that ended."""
        ...
