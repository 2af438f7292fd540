"""The memory twin of how alerts fared."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.model.alert import TellKind
from bot.model.outbox import Layout, OutboxRow
from bot.model.scorecard import ALERT, FULL, Moment, Replies, Score, Scored, ToldIn
from bot.storage.memory_outbox import MemoryOutbox


class MemoryScoreStore:
    """The `ScoreStore` port."""

    def __init__(self, outbox: MemoryOutbox) -> None:
        self._outbox = outbox
        self._moments: dict[str, Moment] = {}
        self._scores: dict[tuple[str, int, int], Score] = {}
        self._told: set[tuple[str, int]] = set()
        self._replies: dict[str, Replies] = {}

    async def unseen(self, *, after: int, since_ms: int, limit: int) -> tuple[Sequence[OutboxRow], int]:
        found = [
            (place, row)
            for place, row in enumerate(self._outbox.all_rows(), start=1)
            if place > after
            and row.kind is TellKind.FIRE
            and row.created_ms >= since_ms
            and row.key not in self._moments
        ][:limit]
        first: dict[str, OutboxRow] = {}
        for _, row in found:
            first.setdefault(row.key, row)
        return list(first.values()), found[-1][0] if found else after

    async def add(self, moments: Sequence[Moment]) -> None:
        for moment in moments:
            self._moments.setdefault(moment.key, moment)

    async def settle(self, scores: Sequence[Score]) -> None:
        for score in scores:
            if score.key in self._moments:
                self._scores.setdefault((score.key, score.draw, score.horizon_ms), score)

    def _read(self, wanted: Callable[[Moment], bool], *, is_own: bool = False) -> list[Scored]:
        """Of their own as they are, else all without what the totals do not need."""
        moments = sorted(filter(wanted, self._moments.values()), key=lambda m: (m.fired_ms, m.key))
        return [
            Scored(
                moment,
                tuple(
                    score if is_own else replace(score, oi=None, high=None, low=None)
                    for (key, draw, _), score in sorted(self._scores.items())
                    if key == moment.key and (draw == ALERT or not is_own)
                ),
            )
            for moment in moments
        ]

    async def open(self, *, since_ms: int) -> Sequence[Scored]:
        return [one for one in self._read(lambda m: m.fired_ms >= since_ms) if len(one.scores) < FULL]

    async def untold(self, *, since_ms: int) -> Sequence[Scored]:
        waiting = {key for key, draw, horizon in self._scores if draw == ALERT and (key, horizon) not in self._told}
        return self._read(lambda m: m.fired_ms >= since_ms and m.key in waiting, is_own=True)

    async def mark_told(self, scores: Sequence[tuple[str, int]]) -> None:
        self._told |= {(key, horizon) for key, horizon in scores if (key, ALERT, horizon) in self._scores}

    async def told_in(self, keys: Sequence[str]) -> Sequence[ToldIn]:
        fires = [row for row in self._outbox.all_rows() if row.kind is TellKind.FIRE]
        messages = {row.id: self._outbox.delivered_in(row.id) for row in fires}
        wanted = {m.id for row in fires if row.key in keys and (m := messages[row.id]) is not None}
        found = [
            ToldIn(row.key, row.destination, m.id, m.layout is Layout.ALERT)
            for row in fires
            if (m := messages[row.id]) is not None and m.id in wanted
        ]
        return sorted(found, key=lambda one: (one.message_id, one.key))

    async def own(self, keys: Sequence[str]) -> Sequence[Scored]:
        return self._read(lambda m: m.key in keys, is_own=True)

    async def scored(self, *, since_ms: int, rule_id: str = "", symbol: str = "") -> Sequence[Scored]:
        return self._read(
            lambda m: (
                m.is_public and m.fired_ms >= since_ms and rule_id in {"", m.rule_id} and symbol in {"", m.symbol}
            ),
        )

    async def title(self, rule_id: str) -> str | None:
        found = [m for m in self._moments.values() if m.is_public and m.rule_id == rule_id]
        return max(found, key=lambda m: m.fired_ms).title if found else None

    async def replies(self) -> dict[str, Replies]:
        return dict(sorted(self._replies.items()))

    async def set_replies(self, destination: str, replies: Replies | None) -> None:
        if replies is None:
            self._replies.pop(destination, None)
        else:
            self._replies[destination] = replies

    def renamed(self, old: str, new: str) -> None:
        """For `MemoryChatMoves`: a destination has another name."""
        if old in self._replies:
            self._replies.setdefault(new, self._replies.pop(old))
            self._replies.pop(old, None)

    async def prune(self, *, before_ms: int, private_before_ms: int, keep: int) -> int:
        newest = sorted((moment.fired_ms for moment in self._moments.values()), reverse=True)
        limit_ms = newest[keep] + 1 if len(newest) > keep else 0
        old = {
            key
            for key, moment in self._moments.items()
            if moment.fired_ms < max(limit_ms, before_ms if moment.is_public else private_before_ms)
        }
        self._moments = {key: moment for key, moment in self._moments.items() if key not in old}
        self._scores = {at: score for at, score in self._scores.items() if at[0] not in old}
        self._told = {at for at in self._told if at[0] not in old}
        return len(old)
