"""The ports in memory: for tests, and for runs that shall leave nothing behind. Same contracts as SQLite."""

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping

from bot.model.alert import AlertRecord, State, Transition, key_range
from bot.model.buttons import Keyboard
from bot.model.chat_alert import ChatAlert, StoredAlerts, is_alert_id
from bot.model.chat_rule import ChatRule
from bot.model.members import EXPIRED_KEPT_MS, HOUR_MS, MAX_WRONG, Code, Member, Redeemed, Role, higher
from bot.model.outbox_ports import Commit
from bot.model.silence import Ack, QuietHours, Silence
from bot.storage.alerts import split_instrument
from bot.storage.memory_outbox import MemoryOutbox


class MemoryKeyValues:
    """The `KeyValues` port."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self._values.get(key)

    async def put(self, key: str, value: str) -> None:
        self._values[key] = value


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

    def lives(self) -> list[AlertRecord]:
        """Of alerts made in chat. For their store."""
        return [self._records[key] for key in sorted(self._records) if is_alert_id(key[0])]

    async def load(self) -> list[AlertRecord]:
        return [self._records[key] for key in sorted(self._records) if not is_alert_id(key[0])]

    async def followed(self) -> Mapping[str, tuple[str, ...]]:
        return self._outbox.told(self.firing())

    async def fired(self, since_ms: int) -> Mapping[str, int]:
        began = (t for t in self._transitions.values() if t.state is State.FIRING and t.at_ms >= since_ms)
        return Counter(t.rule_id for t in began)

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
        self._deleted: dict[str, tuple[int, ChatAlert]] = {}

    async def add(self, alert: ChatAlert) -> bool:
        if alert.id in self._stored or alert.id in self._deleted:
            return False
        self._stored[alert.id] = alert
        return True

    async def delete(self, alert_id: str, *, at_ms: int) -> bool:
        self._alerts.forget(alert_id)
        alert = self._stored.pop(alert_id, None)
        if alert is not None:
            self._deleted[alert_id] = (at_ms, alert)
        return alert is not None

    async def restore(self, chat: str, alert_id: str, *, user: str | None = None) -> ChatAlert | None:
        _, alert = self._deleted.get(alert_id, (0, None))
        if alert is None or alert.chat != chat or user not in {None, alert.user}:
            return None
        del self._deleted[alert_id]
        self._stored[alert_id] = alert
        return alert

    async def in_place_of(self, chat: str, alert_id: str) -> ChatAlert | None:
        after_id = alert_id
        while after_id in self._deleted:
            at_ms, before = self._deleted[after_id]
            known = (*self._stored.values(), *(alert for _, alert in self._deleted.values()))
            after = (
                one.id
                for one in known
                if (one.chat, before.chat, one.instrument, one.created_ms) == (chat, chat, before.instrument, at_ms)
                and one.created_ms > before.created_ms
            )
            after_id = next(after, "")
        return self._stored.get(after_id) if after_id != alert_id else None

    async def of_chat(self, chat: str, *, limit: int, offset: int = 0) -> list[ChatAlert]:
        found = sorted((a for a in self._stored.values() if a.chat == chat), key=lambda a: (a.created_ms, a.id))
        return found[offset : offset + limit]

    async def count(self, chat: str) -> int:
        return sum(alert.chat == chat for alert in self._stored.values())

    async def find(self, chat: str, prefix: str, *, limit: int) -> list[ChatAlert]:
        found = [a for id_, a in sorted(self._stored.items()) if a.chat == chat and id_.startswith(prefix)]
        return found[:limit]

    async def ended(self, now_ms: int, *, limit: int) -> list[ChatAlert]:
        over = [(a.ends_ms, a.id, a) for a in self._stored.values() if a.ends_ms is not None and a.ends_ms <= now_ms]
        return [alert for *_, alert in sorted(over)][:limit]

    async def prune(self, *, before_ms: int) -> int:
        self._deleted = {id_: kept for id_, kept in self._deleted.items() if kept[0] >= before_ms}
        lives = {record.rule_id for record in self._alerts.lives()}
        return sum(self._alerts.forget(id_) for id_ in lives - self._stored.keys())

    def move(self, old: str, new: str) -> None:
        """All alerts of one chat belong to another. For `MemoryChatMoves`."""
        moved = {a.id: dataclasses.replace(a, chat=new) for a in self._stored.values() if a.chat == old}
        self._stored |= moved

    async def stored(self, *, cool_ms: int, batch: int = 10_000) -> AsyncIterator[StoredAlerts]:
        ids = sorted(self._stored)
        for start in range(0, len(ids), batch):
            part = [self._stored[id_] for id_ in ids[start : start + batch] if id_ in self._stored]
            yield StoredAlerts.of(part, self._alerts.lives(), cool_ms=cool_ms)

    async def orphans(self) -> list[AlertRecord]:
        return [r for r in self._alerts.lives() if r.rule_id not in self._stored and r.state is not State.INACTIVE]


class MemoryChatRuleStore:
    """The `ChatRuleStore` port."""

    def __init__(self) -> None:
        self._rules: dict[str, ChatRule] = {}
        self._deleted: dict[str, tuple[int, ChatRule]] = {}

    async def add(self, rule: ChatRule) -> bool:
        if rule.id in self._rules or rule.id in self._deleted:
            return False
        self._rules[rule.id] = rule
        return True

    async def delete(self, rule_id: str, *, at_ms: int) -> bool:
        rule = self._rules.pop(rule_id, None)
        if rule is not None:
            self._deleted[rule_id] = (at_ms, rule)
        return rule is not None

    async def restore(self, chat: str, rule_id: str, *, user: str | None = None) -> ChatRule | None:
        _, rule = self._deleted.get(rule_id, (0, None))
        if rule is None or rule.chat != chat or user not in {None, rule.user}:
            return None
        del self._deleted[rule_id]
        self._rules[rule_id] = rule
        return rule

    def chat_moved(self, old: str, new: str) -> None:
        self._rules |= {r.id: dataclasses.replace(r, chat=new) for r in self._rules.values() if r.chat == old}

    async def all(self) -> list[ChatRule]:
        return sorted(self._rules.values(), key=lambda r: (r.created_ms, r.id))

    async def prune(self, *, before_ms: int) -> int:
        n = len(self._deleted)
        self._deleted = {id_: kept for id_, kept in self._deleted.items() if kept[0] >= before_ms}
        return n - len(self._deleted)


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

    def rename(self, old: str, new: str) -> None:
        """What names one destination names another; what that has already stays. For `MemoryChatMoves`."""

        def moved(destination: str) -> str:
            return new if destination == old else destination

        self._silences = {
            k: dataclasses.replace(s, destination=moved(s.destination)) for k, s in self._silences.items()
        }
        acks = [dataclasses.replace(a, destination=moved(a.destination)) for a in self._acks.values()]
        self._acks = {(a.key, a.destination): a for a in acks} | {k: a for k, a in self._acks.items() if k[1] != old}
        if (quiet := self._quiet.pop(old, None)) is not None:
            self._quiet.setdefault(new, dataclasses.replace(quiet, destination=new))

    async def prune(self, *, before_ms: int) -> int:
        firing = self._alerts.firing()
        n = len(self._silences) + len(self._acks)
        self._silences = {k: s for k, s in self._silences.items() if s.until_ms >= before_ms}
        self._acks = {k: a for k, a in self._acks.items() if a.at_ms >= before_ms or a.key in firing}
        return n - len(self._silences) - len(self._acks)


class MemoryMemberStore:
    """The `MemberStore` port."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._codes: dict[str, Code] = {}
        self._wrong: list[tuple[str, int]] = []

    async def put_code(self, code: Code, *, alone: bool) -> None:
        if alone:
            for digest, one in self._codes.items():
                if one.kind == code.kind:
                    self._codes[digest] = dataclasses.replace(one, uses_left=0)
            self._wrong.clear()
        self._codes[code.digest] = code

    async def redeem(self, digest: str, kind: str, member: Member, *, now_ms: int) -> Redeemed:
        if sum(at_ms > now_ms - HOUR_MS for _, at_ms in self._wrong) >= MAX_WRONG:
            return Redeemed.CLOSED
        code = self._codes.get(digest)
        if code is None or code.kind != kind:
            self._wrong.append((kind, now_ms))
            return Redeemed.WRONG
        if now_ms >= code.expires_ms or not code.uses_left:
            return Redeemed.EXPIRED
        self._codes[digest] = dataclasses.replace(code, uses_left=code.uses_left - 1)
        known = self._members.get(member.user)
        if known is None or higher(code.role, known.role) is not known.role:
            await self.put(dataclasses.replace(member, role=code.role, by=code.by))
        return Redeemed.TAKEN

    async def put(self, member: Member) -> None:
        if member.role is Role.OWNER:
            self._members = {user: m for user, m in self._members.items() if m.role is not Role.OWNER}
        self._members[member.user] = member

    async def drop(self, user: str) -> bool:
        return self._members.pop(user, None) is not None

    async def all(self) -> list[Member]:
        return sorted(self._members.values(), key=lambda m: (m.since_ms, m.user))

    async def owner(self) -> Member | None:
        return next((m for m in self._members.values() if m.role is Role.OWNER), None)

    async def prune(self, *, now_ms: int) -> int:
        n = len(self._codes) + len(self._wrong)
        self._codes = {d: c for d, c in self._codes.items() if c.expires_ms >= now_ms - EXPIRED_KEPT_MS}
        self._wrong = [(kind, at_ms) for kind, at_ms in self._wrong if at_ms > now_ms - HOUR_MS]
        return n - len(self._codes) - len(self._wrong)


class MemoryButtonStore:
    """The `ButtonStore` port."""

    def __init__(self) -> None:
        self.stored: dict[str, Keyboard] = {}

    async def put(self, keyboard: Keyboard) -> None:
        known = self.stored.get(keyboard.id, keyboard)
        self.stored[keyboard.id] = dataclasses.replace(known, issued_ms=keyboard.issued_ms)

    async def get(self, keyboard_id: str) -> Keyboard | None:
        return self.stored.get(keyboard_id)

    async def prune(self, *, before_ms: int, keep: int) -> int:
        n = len(self.stored)
        ages = sorted((k.issued_ms for k in self.stored.values()), reverse=True)
        edge_ms = max(before_ms, ages[keep] + 1 if len(ages) > keep else before_ms)
        self.stored = {id_: k for id_, k in self.stored.items() if k.issued_ms >= edge_ms}
        return n - len(self.stored)


class MemoryChatMoves:
    """The `ChatMoves` port over the stores in memory."""

    def __init__(
        self,
        chat_alerts: MemoryChatAlertStore,
        buttons: MemoryButtonStore,
        outbox: MemoryOutbox,
        silences: MemorySilenceStore,
        *also: Callable[[str, str], None],
        renames: Callable[[str, str], None] = lambda _old, _new: None,
    ) -> None:
        """`also`: move what other stores hold of a chat; `renames`: of a destination."""
        self._also = also
        self._renames = renames
        self._chat_alerts = chat_alerts
        self._buttons = buttons
        self._outbox = outbox
        self._silences = silences

    async def move(self, old: str, new: str) -> None:
        self._chat_alerts.move(old, new)
        for move in self._also:
            move(old, new)
        moved = {k.id: dataclasses.replace(k, chat=new) for k in self._buttons.stored.values() if k.chat == old}
        self._buttons.stored |= moved

    async def rename(self, old: str, new: str) -> None:
        self._outbox.rename(old, new)
        self._silences.rename(old, new)
        self._renames(old, new)
        moved = {k.id: dataclasses.replace(k, place=new) for k in self._buttons.stored.values() if k.place == old}
        self._buttons.stored |= moved
