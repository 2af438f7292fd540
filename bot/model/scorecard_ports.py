"""Ports of the scorecard."""

from collections.abc import Sequence
from typing import Protocol

from bot.model.outbox import OutboxRow
from bot.model.scorecard import Fared, Moment, Replies, RuleTotals, Score, Scored, ToldIn, Totals


class Aftermath(Protocol):
    """What memory knows about the time after a moment. Asked about the past alone: no answer depends on samples after the
    end that is asked about.
    """

    def usual(self, instrument: str, series: str, horizon_ms: int, *, before_ms: int) -> float | None:
        """Mean size of the moves of `price` or `oi` over a horizon, in the day before a time; None where too little of it is
        known, or nothing moved.
        """
        ...

    def at(self, instrument: str, series: str, at_ms: int) -> float | None:
        """What `price` or `oi` was, by the newest sample at or before that time; None where none spoke for it."""
        ...

    def fared(self, instrument: str, from_ms: int, horizon_ms: int, *, price: float | None, oi: float | None) -> Fared:
        """What became of a price and an open interest (at `from_ms`) after a horizon."""
        ...


class ScoreStore(Protocol):
    """Alerts that went out, and their scores."""

    async def unseen(self, *, after: int, since_ms: int, limit: int) -> tuple[Sequence[OutboxRow], int]:
        """Firings in the outbox (one row of each, muted ones too) that came after the place `after` and at or after that
        time, and are not among the moments; and the place up to which was looked.
        """
        ...

    async def add(self, moments: Sequence[Moment]) -> None:
        """One that is known already stays as it is."""
        ...

    async def settle(self, scores: Sequence[Score]) -> None:
        """A score that is there already stays as it is."""
        ...

    async def open(self, *, since_ms: int) -> Sequence[Scored]:
        """Alerts fired at or after that time that lack scores, in the order of their firing, with those they have; of these
        only the prices.
        """
        ...

    async def untold(self, *, since_ms: int) -> Sequence[Scored]:
        """Alerts fired at or after that time with scores of their own of which nothing was told yet; with all their own
        scores, in the order of their firing.
        """
        ...

    async def mark_told(self, scores: Sequence[tuple[str, int]]) -> None:
        """These (key, horizon) need no telling any more."""
        ...

    async def told_in(self, keys: Sequence[str]) -> Sequence[ToldIn]:
        """The delivered messages that told these alerts, and all other alerts in the same messages."""
        ...

    async def own(self, keys: Sequence[str]) -> Sequence[Scored]:
        """Alerts by their keys, with the scores of their own, in the order of their firing."""
        ...

    async def scored(self, *, since_ms: int, rule_id: str = "", symbol: str = "") -> Sequence[Scored]:
        """Alerts of rules of the files, fired at or after that time, with all scores, of these only the prices; in the order
        of their firing. Of one rule and one contract where they are named.
        """
        ...

    async def title(self, rule_id: str) -> str | None:
        """The name of a rule of the files at its latest alert; None where it had none."""
        ...

    async def replies(self) -> dict[str, Replies]:
        """What destinations want, those that were asked."""
        ...

    async def set_replies(self, destination: str, replies: Replies | None) -> None:
        """None: as the settings say."""
        ...

    async def prune(self, *, before_ms: int, private_before_ms: int, keep: int) -> int:
        """Forget alerts that fired before that time, those that were made in chats before the other; and of what is left the
        oldest beyond so many, with all that fired at the same time as one of those. Returns how many went.
        """
        ...


class ScoreDesk(Protocol):
    """What chat may ask about how alerts fared."""

    async def totals(self, *, rule_id: str = "", symbol: str = "") -> Totals: ...

    async def rules(self) -> Sequence[RuleTotals]:
        """Each rule of the files that went out, the most alerts first."""
        ...

    async def title_of(self, rule_id: str) -> str | None:
        """The name of a rule that went out; None for one that did not."""
        ...

    def place(self, chat: str) -> str | None:
        """Where that chat is told its alerts; None for one that is told none."""
        ...

    async def replies_of(self, destination: str) -> tuple[Replies, bool]:
        """What a destination gets, and whether it was set for it."""
        ...

    async def set_replies(self, destination: str, replies: Replies | None) -> None: ...
