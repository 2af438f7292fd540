"""The ports in memory: for tests, and for runs that shall leave nothing behind. Same contracts as SQLite."""

import dataclasses
from collections.abc import AsyncIterator

from bot.model.alert import AlertRecord, TellKind, Transition, key_range
from bot.model.chat_alert import ChatAlert, is_alert_id
from bot.model.outbox import Delivered, Fold, Kept, Message, OutboxRow, Outcome, Rejected, RetryLater
from bot.model.ports import Commit
from bot.model.silence import Ack, Fired, QuietHours, Silence
from bot.storage.alerts import split_instrument
from bot.storage.outbox import MAX_WAIT_MS, STATES, Buried


class MemoryKeyValues:
    """The `KeyValues` port."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self._values.get(key)

    async def put(self, key: str, value: str) -> None:
        self._values[key] = value


@dataclasses.dataclass(slots=True)
class _Sent:
    """A message with its state."""

    message: Message
    state: str
    due_ms: int = 0
    settled_ms: int = 0
    reason: str = ""


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
                ready.append(row)
        return ready[:limit]

    async def begin(self, message: Message) -> None:
        self._store(message, _Sent(message, "sending"), attempts=1)

    async def settle(self, message: Message, outcome: Outcome, *, now_ms: int) -> None:
        match outcome:
            case Delivered(provider_id):
                message = dataclasses.replace(message, provider_id=provider_id)
                sent = _Sent(message, "delivered", settled_ms=now_ms)
            case RetryLater(after_s, reason):
                sent = _Sent(message, "waiting", due_ms=now_ms + round(after_s * 1000), reason=reason)
            case Rejected(reason):
                sent = _Sent(message, "buried", settled_ms=now_ms, reason=reason)
        self._store(message, sent)

    def _store(self, message: Message, sent: _Sent, *, attempts: int = 0) -> None:
        known = self._sent.get(message.id)
        attempts = max(attempts + (known.message.attempts if known else 0), message.attempts)
        sent.message = dataclasses.replace(message, attempts=attempts)
        self._sent[message.id] = sent
        left = {self._message_of_row.get(row_id) for row_id in message.row_ids} - {None, message.id}
        for row_id in message.row_ids:
            self._message_of_row[row_id] = message.id
        for old in left - set(self._message_of_row.values()):
            self._sent.pop(str(old), None)

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

    async def recover(self, *, now_ms: int) -> int:
        for sent in self._sent.values():
            if sent.state == "waiting":
                sent.due_ms = min(sent.due_ms, now_ms + MAX_WAIT_MS)
        found = [sent for sent in self._sent.values() if sent.state == "sending"]
        for sent in found:
            sent.state, sent.due_ms, sent.reason = "waiting", now_ms, "the bot stopped during the attempt"
        return len(found)

    async def counts(self) -> dict[str, int]:
        counts = dict.fromkeys(STATES, 0)
        for row_id in self._rows:
            state = self._state(row_id)[0]
            counts[state] = counts.get(state, 0) + 1
        return counts

    async def next_due_ms(self, destination: str) -> int | None:
        """0 for rows that were never tried."""
        heads = [self._state(rows[0].id) for rows in self._open(destination).values()]
        return min((due_ms for state, due_ms in heads if state == "waiting"), default=None)

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
            if self._state(row.id)[0] == "buried":
                sent = self._sent[self._message_of_row[row.id]]
                found.append(Buried(row=row, reason=sent.reason, at_ms=sent.settled_ms))
        found.reverse()
        found.sort(key=lambda buried: -buried.at_ms)
        return found[:limit]

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
        used = set(self._message_of_row.values())
        self._sent = {k: sent for k, sent in self._sent.items() if k in used}
        folded = [
            row_id
            for row_id in self._told_by
            if (row := self._rows[row_id]).created_ms < before_ms and row.key not in firing
        ]
        for row_id in folded:
            del self._rows[row_id]
            del self._told_by[row_id]
        return len(old) + len(folded)


class MemoryAlertStore:
    """The `AlertStore` port; commits into a `MemoryOutbox`."""

    def __init__(self, outbox: MemoryOutbox) -> None:
        self._outbox = outbox
        self._records: dict[tuple[str, str], AlertRecord] = {}
        self._transitions: dict[tuple[str, str, str, int, str, str], Transition] = {}

    async def commit(self, change: Commit) -> None:
        for record in change.records:
            self._records[record.rule_id, record.instrument] = record
        for t in change.transitions:
            self._transitions.setdefault((t.rule_id, t.venue, t.symbol, t.at_ms, t.state, t.key), t)
        self._outbox.add(change.rows)
        self._outbox.keep(change.kept)
        self._outbox.release(change.released, change.folded)

    def firing(self) -> set[str]:
        """Keys of what fires now."""
        return {record.key for record in self._records.values() if record.state == "firing"}

    def forget(self, rule_id: str) -> int:
        """The lives of a deleted alert, but for one that fires. For the store of chat alerts."""
        gone = [key for key, r in self._records.items() if key[0] == rule_id and r.state != "firing"]
        for key in gone:
            del self._records[key]
        return len(gone)

    async def load(self) -> list[AlertRecord]:
        return [self._records[key] for key in sorted(self._records)]

    async def transitions(
        self, *, rule_id: str | None = None, instrument: str | None = None, since_ms: int = 0, limit: int = 100
    ) -> list[Transition]:
        """Newest first. `instrument` is an instrument key, or `*`."""
        venue, symbol = (None, None) if instrument is None else split_instrument(instrument)
        found = [
            t
            for t in self._transitions.values()
            if t.at_ms >= since_ms
            and rule_id in {None, t.rule_id}
            and symbol in {None, t.symbol}
            and venue in {None, t.venue}
        ]
        return _newest(found, limit)

    async def by_id(self, prefix: str, *, limit: int = 100) -> list[Transition]:
        wanted = key_range(prefix)
        if wanted is None:
            return []
        return _newest([t for t in self._transitions.values() if wanted[0] <= t.key < wanted[1]], limit)

    async def prune(self, *, before_ms: int) -> int:
        """Forget transitions and settled outbox rows older than that; rows of alerts still firing stay."""
        kept = {key: t for key, t in self._transitions.items() if t.at_ms >= before_ms}
        gone = len(self._transitions) - len(kept)
        self._transitions = kept
        return gone + self._outbox.prune(before_ms=before_ms, firing=self.firing())


def _newest(found: list[Transition], limit: int) -> list[Transition]:
    found.reverse()
    found.sort(key=lambda t: -t.at_ms)
    return found[:limit]


class MemoryChatAlertStore:
    """The `ChatAlertStore` port."""

    def __init__(self, alerts: MemoryAlertStore) -> None:
        self._alerts = alerts
        self._stored: dict[str, ChatAlert] = {}

    async def add(self, alert: ChatAlert) -> bool:
        if alert.id in self._stored:
            return False
        self._stored[alert.id] = alert
        return True

    async def delete(self, alert_id: str) -> bool:
        self._alerts.forget(alert_id)
        return self._stored.pop(alert_id, None) is not None

    async def of_chat(self, chat: str, *, limit: int, offset: int = 0) -> list[ChatAlert]:
        found = sorted((a for a in self._stored.values() if a.chat == chat), key=lambda a: (a.created_ms, a.id))
        return found[offset : offset + limit]

    async def count(self, chat: str) -> int:
        return sum(alert.chat == chat for alert in self._stored.values())

    async def find(self, chat: str, prefix: str, *, limit: int) -> list[ChatAlert]:
        found = [a for id_, a in sorted(self._stored.items()) if a.chat == chat and id_.startswith(prefix)]
        return found[:limit]

    async def prune(self) -> int:
        lives = {record.rule_id for record in await self._alerts.load() if is_alert_id(record.rule_id)}
        return sum(self._alerts.forget(id_) for id_ in lives - self._stored.keys())

    async def all(self, *, batch: int = 10_000) -> AsyncIterator[list[ChatAlert]]:
        ids = sorted(self._stored)
        for start in range(0, len(ids), batch):
            yield [self._stored[id_] for id_ in ids[start : start + batch] if id_ in self._stored]


class MemorySilenceStore:
    """The `SilenceStore` port."""

    def __init__(self, alerts: MemoryAlertStore) -> None:
        self._alerts = alerts
        self._silences: dict[str, Silence] = {}
        self._acks: dict[tuple[str, str], Ack] = {}
        self._quiet: dict[str, QuietHours] = {}

    async def add(self, silence: Silence) -> bool:
        if silence.id in self._silences:
            return False
        self._silences[silence.id] = silence
        return True

    async def expire(self, silence_id: str, *, at_ms: int) -> bool:
        silence = self._silences.get(silence_id)
        if silence is None or silence.until_ms <= at_ms or silence.expired_ms is not None:
            return False
        self._silences[silence_id] = dataclasses.replace(silence, expired_ms=at_ms)
        return True

    async def all(self) -> list[Silence]:
        return sorted(self._silences.values(), key=lambda s: (s.created_ms, s.id))

    async def acknowledge(self, ack: Ack) -> None:
        self._acks[ack.key, ack.destination] = ack

    async def acks(self) -> list[Ack]:
        return [ack for _, ack in sorted(self._acks.items())]

    async def put_quiet(self, quiet: QuietHours) -> None:
        self._quiet[quiet.destination] = quiet

    async def drop_quiet(self, destination: str) -> bool:
        return self._quiet.pop(destination, None) is not None

    async def quiet_hours(self) -> list[QuietHours]:
        return [quiet for _, quiet in sorted(self._quiet.items())]

    async def prune(self, *, before_ms: int) -> int:
        firing = self._alerts.firing()
        n = len(self._silences) + len(self._acks)
        self._silences = {k: s for k, s in self._silences.items() if s.until_ms >= before_ms}
        self._acks = {k: a for k, a in self._acks.items() if a.at_ms >= before_ms or a.key in firing}
        return n - len(self._silences) - len(self._acks)
