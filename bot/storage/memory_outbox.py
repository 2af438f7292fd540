"""The outbox in memory, and what people may do to it. Same contracts as SQLite."""

import dataclasses
from collections.abc import AsyncIterator, Collection, Sequence

from bot.model.alert import TellKind, key_range
from bot.model.outbox import (
    Backlog,
    Delivered,
    Entry,
    Fold,
    Kept,
    Message,
    OutboxRow,
    Outcome,
    Rejected,
    RetryLater,
    Tried,
)
from bot.model.silence import Fired
from bot.storage.outbox import MAX_WAIT_MS, STATES, Buried
from bot.storage.outbox_care import BY_HAND


@dataclasses.dataclass(slots=True)
class _Sent:
    """A message with its state."""

    message: Message
    state: str
    due_ms: int = 0
    settled_ms: int = 0
    reason: str = ""
    ambiguous: bool = False


class MemoryOutbox:
    """The `Outbox` port. `add` is for the store's commit."""

    def __init__(self) -> None:
        self._rows: dict[str, OutboxRow] = {}
        self._sent: dict[str, _Sent] = {}
        self._message_of_row: dict[str, str] = {}
        self._muted: dict[str, Kept] = {}
        self._told_by: dict[str, str] = {}

    def add(self, rows: tuple[OutboxRow, ...]) -> None:
        """A row that exists already is left as it is."""
        for row in rows:
            self._rows.setdefault(row.id, row)

    def keep(self, kept: tuple[Kept, ...]) -> None:
        """A row that exists already is left as it is."""
        for one in kept:
            if one.row.id not in self._rows:
                self._rows[one.row.id] = one.row
                self._muted[one.row.id] = one

    def release(self, rows: tuple[OutboxRow, ...], folded: tuple[Fold, ...]) -> None:
        """Hand kept rows to the lanes; then fold what is still kept of these alerts."""
        for row in rows:
            if self._muted.pop(row.id, None) is not None:
                self._rows[row.id] = dataclasses.replace(self._rows[row.id], created_ms=row.created_ms)
        for fold in folded:
            for row_id in [i for i in self._muted if self._is_of(i, fold)]:
                del self._muted[row_id]
                self._told_by[row_id] = fold.told_by

    def _is_of(self, row_id: str, fold: Fold) -> bool:
        row = self._rows[row_id]
        return (row.key, row.destination) == (fold.key, fold.destination)

    def told_by(self, row_id: str) -> str | None:
        """The row that tells a folded one; None for one that is not folded."""
        return self._told_by.get(row_id)

    def _state(self, row_id: str) -> tuple[str, int]:
        if row_id in self._muted or row_id in self._told_by:
            return "muted" if row_id in self._muted else "folded", 0
        message_id = self._message_of_row.get(row_id)
        if message_id is None:
            return "waiting", 0
        sent = self._sent[message_id]
        return sent.state, sent.due_ms

    def _open(self, destination: str) -> dict[str, list[OutboxRow]]:
        groups: dict[str, list[OutboxRow]] = {}
        for row in self._rows.values():
            if row.destination == destination and self._state(row.id)[0] in {"waiting", "sending"}:
                groups.setdefault(row.key, []).append(row)
        return groups

    async def waiting(self, destination: str, *, now_ms: int, limit: int) -> list[OutboxRow]:
        """Critical alerts first, then the oldest; the rows of one alert stand together and in order."""
        groups = list(self._open(destination).values())
        groups.sort(key=lambda rows: not any(row.severity == "critical" for row in rows))
        ready: list[OutboxRow] = []
        for rows in groups:
            for row in rows:
                state, due_ms = self._state(row.id)
                if state == "sending" or due_ms > now_ms:
                    break
                ready.append(self._as_tried(row))
        return ready[:limit]

    def _as_tried(self, row: OutboxRow) -> OutboxRow:
        sent = self._sent.get(self._message_of_row.get(row.id, ""))
        if sent is None:
            return row
        return dataclasses.replace(row, tried=Tried(sent.message.id, sent.message.layout, sent.ambiguous))

    async def begin(self, message: Message) -> None:
        self._store(message, _Sent(message, "sending"), attempts=1)

    async def settle(self, message: Message, outcome: Outcome, *, now_ms: int) -> None:
        match outcome:
            case Delivered(provider_id):
                message = dataclasses.replace(message, provider_id=provider_id)
                sent = _Sent(message, "delivered", settled_ms=now_ms)
            case RetryLater(after_s, reason, ambiguous):
                due_ms = now_ms + round(after_s * 1000)
                sent = _Sent(message, "waiting", due_ms=due_ms, reason=reason, ambiguous=ambiguous)
            case Rejected(reason):
                sent = _Sent(message, "buried", settled_ms=now_ms, reason=reason)
        self._store(message, sent)

    def _store(self, message: Message, sent: _Sent, *, attempts: int = 0) -> None:
        known = self._sent.get(message.id)
        attempts = max(attempts + (known.message.attempts if known else 0), message.attempts)
        sent.message = dataclasses.replace(message, attempts=attempts)
        sent.ambiguous = sent.ambiguous or (known is not None and known.ambiguous)
        self._sent[message.id] = sent
        left = {self._message_of_row.get(row_id) for row_id in message.row_ids} - {None, message.id}
        for row_id in message.row_ids:
            self._message_of_row[row_id] = message.id
        for old in left - set(self._message_of_row.values()):
            self._sent.pop(str(old), None)

    def all_rows(self) -> list[OutboxRow]:
        """In the order in which they came. For other stores in memory."""
        return list(self._rows.values())

    def told(self, keys: Collection[str]) -> dict[str, tuple[str, ...]]:
        """For `MemoryAlertStore`: the destinations of firings and escalations."""
        found: dict[str, dict[str, None]] = {key: {} for key in keys if key}
        for row in self._rows.values():
            if row.key in keys and row.kind in {TellKind.FIRE, TellKind.ESCALATE}:
                found[row.key][row.destination] = None
        return {key: tuple(names) for key, names in found.items()}

    def delivered_in(self, row_id: str) -> Message | None:
        """The delivered message that carries a row."""
        message_id = self._message_of_row.get(row_id)
        sent = self._sent[message_id] if message_id is not None else None
        return sent.message if sent is not None and sent.state == "delivered" else None

    def _find(self, key: str, kind: str, destination: str) -> list[OutboxRow]:
        return [r for r in self._rows.values() if (r.key, r.kind, r.destination) == (key, kind, destination)]

    async def message_of(self, key: str, kind: str, destination: str) -> Message | None:
        for row in reversed(self._find(key, kind, destination)):
            if self._state(row.id)[0] == "delivered":
                return self._sent[self._message_of_row[row.id]].message
        return None

    async def row_of(self, key: str, kind: str, destination: str) -> OutboxRow | None:
        found = self._find(key, kind, destination)
        return found[-1] if found else None

    async def rows_of(self, message_id: str) -> list[OutboxRow]:
        return [row for row in self._rows.values() if self._message_of_row.get(row.id) == message_id]

    async def later_of(self, message_id: str) -> list[OutboxRow]:
        told = {(row.key, row.destination) for row in await self.rows_of(message_id)}
        ends = {TellKind.END, TellKind.CLOSE}
        return [
            row
            for row in self._rows.values()
            if (row.key, row.destination) in told
            and (row.kind in ends or self._state(row.id)[0] == "delivered")
            and self._message_of_row.get(row.id) != message_id
        ]

    async def recover(self, *, now_ms: int) -> int:
        for sent in self._sent.values():
            if sent.state == "waiting":
                sent.due_ms = min(sent.due_ms, now_ms + MAX_WAIT_MS)
        found = [sent for sent in self._sent.values() if sent.state == "sending"]
        for sent in found:
            sent.state, sent.due_ms, sent.reason = "waiting", now_ms, "the bot stopped during the attempt"
            sent.ambiguous = True
        return len(found)

    async def counts(self) -> dict[str, int]:
        counts = dict.fromkeys(STATES, 0)
        for row_id in self._rows:
            state = self._state(row_id)[0]
            counts[state] = counts.get(state, 0) + 1
        return counts

    async def backlog(self) -> list[Backlog]:
        times: dict[str, list[int]] = {}
        for row in self._rows.values():
            if self._state(row.id)[0] in {"waiting", "sending"}:
                times.setdefault(row.destination, []).append(row.created_ms)
        return [Backlog(name, len(found), min(found)) for name, found in sorted(times.items())]

    async def next_due_ms(self, destination: str, *, after_ms: int = -1) -> int | None:
        """0 for rows that were never tried."""
        heads = [self._state(rows[0].id) for rows in self._open(destination).values()]
        return min((due_ms for state, due_ms in heads if state == "waiting" and due_ms > after_ms), default=None)

    async def kept(self, *, batch: int = 1_000) -> AsyncIterator[list[Kept]]:
        """Muted rows in the order in which they came."""
        rows = [self._muted[row_id] for row_id in self._rows if row_id in self._muted]
        for start in range(0, len(rows), batch):
            yield rows[start : start + batch]

    async def fired(self, prefix: str, *, destination: str = "", limit: int) -> list[Fired]:
        """Firings whose short id begins like that, the latest first; with `destination`, those told or kept there."""
        wanted = key_range(prefix)
        if wanted is None:
            return []
        rows = [row for row in reversed(self._rows.values()) if wanted[0] <= row.key < wanted[1]]
        ended = {row.key for row in rows if row.kind in {TellKind.END, TellKind.CLOSE}}
        found: dict[str, Fired] = {}
        for row in rows:
            if row.kind is TellKind.FIRE:
                known = found.get(row.key)
                where = (row.destination, *(known.destinations if known else ()))
                found[row.key] = Fired(row.key, row.view, tuple(sorted(where)), row.key in ended)
        return [one for one in found.values() if destination in {"", *one.destinations}][:limit]

    async def buried(self, *, limit: int = 100) -> list[Buried]:
        """What will never be told, newest first, with the reason."""
        found = []
        for row in self._rows.values():
            if self._state(row.id)[0] == "buried" and row.kind is not TellKind.UPDATE:
                sent = self._sent[self._message_of_row[row.id]]
                found.append(Buried(row=row, reason=sent.reason, at_ms=sent.settled_ms))
        found.reverse()
        found.sort(key=lambda buried: -buried.at_ms)
        return found[:limit]

    async def entries(self, states: Sequence[str], *, destination: str | None = None, limit: int) -> list[Entry]:
        found = []
        for row in reversed(self._rows.values()):
            state, due_ms = self._state(row.id)
            is_dropped = state == "buried" and row.kind is TellKind.UPDATE and not self._is_by_hand(row.id)
            if state in states and not is_dropped and destination in {None, row.destination}:
                sent = self._sent.get(self._message_of_row.get(row.id, ""))
                at_ms = due_ms if sent is None or state in {"waiting", "sending"} else sent.settled_ms
                attempts, reason = (sent.message.attempts, sent.reason) if sent else (0, "")
                found.append(Entry(row, state, attempts, reason, at_ms))
        return found[:limit]

    def _is_by_hand(self, row_id: str) -> bool:
        return self._message_of_row.get(row_id, "").startswith(BY_HAND)

    async def retry(self, row_ids: Sequence[str]) -> int:
        n = 0
        for row_id in row_ids:
            row = self._rows.get(row_id)
            if row is None or self._state(row_id)[0] not in {"buried", "waiting"} or self._is_told_later(row):
                continue
            self._rows[row_id] = dataclasses.replace(row, again=True)
            self._message_of_row.pop(row_id, None)
            n += 1
        self._forget_empty()
        return n

    def _is_told_later(self, row: OutboxRow) -> bool:
        ids = list(self._rows)
        after = (self._rows[later] for later in ids[ids.index(row.id) + 1 :])
        mine = ((one.key, one.destination, self._state(one.id)[0]) for one in after)
        return (row.key, row.destination, "delivered") in mine

    async def bury(self, row_ids: Sequence[str], reason: str, *, now_ms: int) -> int:
        waiting = [row_id for row_id in row_ids if row_id in self._rows and self._state(row_id)[0] == "waiting"]
        for row_id in waiting:
            message = Message(f"{BY_HAND}{row_id}", self._rows[row_id].destination, (row_id,), 0)
            self._store(message, _Sent(message, "buried", settled_ms=now_ms, reason=reason))
        return len(waiting)

    def rename(self, old: str, new: str) -> None:
        """All rows of one destination belong to another. For `MemoryChatMoves`."""

        def moved(row: OutboxRow) -> OutboxRow:
            return dataclasses.replace(row, destination=new) if row.destination == old else row

        self._rows = {row_id: moved(row) for row_id, row in self._rows.items()}
        self._muted = {row_id: dataclasses.replace(kept, row=moved(kept.row)) for row_id, kept in self._muted.items()}
        for sent in self._sent.values():
            if sent.message.destination == old:
                sent.message = dataclasses.replace(sent.message, destination=new)

    def _forget_empty(self) -> None:
        used = set(self._message_of_row.values())
        self._sent = {k: sent for k, sent in self._sent.items() if k in used}

    def prune(self, *, before_ms: int, firing: set[str]) -> int:
        """Forget settled rows older than that, unless their alert still fires."""
        old = [
            row_id
            for row_id, message_id in self._message_of_row.items()
            if (sent := self._sent[message_id]).state in {"delivered", "buried"}
            and sent.settled_ms < before_ms
            and self._rows[row_id].key not in firing
        ]
        for row_id in old:
            del self._rows[row_id]
            del self._message_of_row[row_id]
        self._forget_empty()
        folded = [
            row_id
            for row_id in self._told_by
            if (row := self._rows[row_id]).created_ms < before_ms and row.key not in firing
        ]
        for row_id in folded:
            del self._rows[row_id]
            del self._told_by[row_id]
        return len(old) + len(folded)
